package appliance

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"livenessd"
	"livenessd/capture/sim"
)

// picturesPerSecond is how many pictures the simulated person needs in each
// second of its own time to be followed. Emulation judges about one in a second
// of the guest's, where a machine judges thirty.
const picturesPerSecond = 5

// unhurried are the limits for a person who lives so much slower than the
// guest's clock runs.
func unhurried(slowness float64) []string {
	set := []string{testCamera, "SESSION_GOOD_FRAMES=4", "SESSION_OF_FRAMES=6", "SESSION_MAX_MOVEMENTS=2", "SESSION_MAX_PAUSE=30s", "SESSION_MAX_GAP=10s"}
	for name, seconds := range map[string]float64{"POSITION_LIMIT": 20, "HOLD_LIMIT": 20, "MOVE_LIMIT": 12, "TOTAL_LIMIT": 80, "WARN": 2, "SHOW_RESULT": 4} {
		set = append(set, fmt.Sprintf("SESSION_%s=%.0fs", name, seconds*slowness))
	}
	return set
}

// slowness measures how much slower the simulated person has to live.
func (l *lab) slowness() float64 {
	l.Helper()
	const pictures = 20
	before := l.metric("livenessd_analysis_seconds_count")
	took := l.until("pictures are analysed", func() (bool, string) {
		n := l.metric("livenessd_analysis_seconds_count") - before
		return n >= pictures, fmt.Sprint(n, " were")
	})
	slow := max(1, picturesPerSecond*took.Seconds()/pictures)
	l.Logf("%.2f pictures analysed a second: the person lives %.1f times slower", pictures/took.Seconds(), slow)
	return slow
}

// stage is the simulated presenter before the guest's camera: it sees what the
// page shows, and the camera sees it.
type stage struct {
	lab   *lab
	views chan livenessd.View
	stop  func()
}

// perform draws the scene, so much slower than life, and feeds the camera until
// stop is called.
func (l *lab) perform(scene string, seed int64, slowness float64) *stage {
	l.Helper()
	person, err := sim.New(sim.Config{Scene: scene, Seed: seed, FPS: 15})
	if err != nil {
		l.Fatal(err)
	}
	feed, err := net.Dial("tcp", l.Feed)
	if err != nil {
		l.Fatal(err)
	}
	s := &stage{lab: l, views: make(chan livenessd.View, 64)}
	ctx, cancel := context.WithCancel(context.Background())
	page, resp, err := websocket.DefaultDialer.DialContext(ctx, strings.Replace(l.Page, "http", "ws", 1)+"/ws", http.Header{"Origin": {l.Page}})
	if err != nil {
		cancel()
		l.Fatalf("the page's socket: %v %v", err, resp)
	}
	began := time.Now()
	moment := func() time.Time { return began.Add(time.Duration(float64(time.Since(began)) / slowness)) }
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		s.watch(page, func(v livenessd.View) { person.Show(v, moment()) })
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			f := person.Frame(moment())
			if _, err := feed.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(f.Data))), f.Data...)); err != nil {
				return
			}
			<-tick.C
		}
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		page.Close()
		feed.Close()
		<-done
		<-done
	})
	l.Cleanup(s.stop)
	return s
}

// watch passes on what the page is told to show, until the connection ends.
func (s *stage) watch(page *websocket.Conn, show func(livenessd.View)) {
	for {
		kind, b, err := page.ReadMessage()
		if err != nil {
			return
		}
		var m struct {
			Type  string
			Value json.RawMessage
		}
		if kind != websocket.TextMessage || json.NewDecoder(bytes.NewReader(b)).Decode(&m) != nil {
			continue
		}
		var v livenessd.View
		switch m.Type {
		case "hello":
			var h struct{ View livenessd.View }
			if json.Unmarshal(m.Value, &h) != nil {
				continue
			}
			v = h.View
		case "view":
			if json.Unmarshal(m.Value, &v) != nil {
				continue
			}
		default:
			continue
		}
		show(v)
		select {
		case s.views <- v:
		default: // nobody follows
		}
	}
}

// outcome waits for the end of a session that begins after the call, and says
// what the screen showed until then.
func (s *stage) outcome(limit time.Duration) livenessd.Outcome {
	s.lab.Helper()
	end := time.After(limit)
	var last livenessd.Prompt
	begin, fresh := time.Now(), false // the result of the session before may still be on the screen
	for {
		select {
		case v := <-s.views:
			fresh = fresh || v.Phase != livenessd.PhaseResult
			if v.Prompt != last {
				last = v.Prompt
				s.lab.Logf("%5.1f s  %s: %s %s", time.Since(begin).Seconds(), v.Phase, v.Prompt, v.Reason)
			}
			if fresh && v.Phase == livenessd.PhaseResult {
				return v.Outcome
			}
		case <-end:
			s.lab.Fatalf("no result within %v", limit)
		}
	}
}

// Ensure that somebody who steps up and does what the screen asks for is let
// in, by the package as it was installed, through a USB camera.
func TestSession(t *testing.T) {
	l := sharedGuest(t)
	slowness := l.slowness()
	l.configure(unhurried(slowness)...)
	l.settled()
	var got livenessd.Outcome
	for attempt := range 3 { // the texture network refuses one simulated person in twenty, and a jam of the machine looks like one of the camera
		s := l.perform("person", int64(3+attempt), slowness)
		got = s.outcome(time.Duration(100 * slowness * float64(time.Second)))
		s.stop()
		if got == livenessd.Live {
			break
		}
		t.Logf("attempt %d ended as %s", attempt+1, got)
	}
	if got != livenessd.Live {
		t.Errorf("the session ended as %s", got)
	}
	status, body := l.ask(http.MethodGet, "/v1/results?limit=1", "")
	if status != http.StatusOK || !strings.Contains(body, `"outcome":"live"`) || !strings.Contains(body, first.name()) {
		t.Errorf("the newest result does not tell of it: %d %s", status, body)
	}
	l.configure(testCamera)
	l.settled()
}
