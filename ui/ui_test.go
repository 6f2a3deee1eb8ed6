package ui_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"livenessd"
	"livenessd/ui"
)

// patience is how long a test waits for what must come. It only bounds a
// failure: nothing is measured with it.
const patience = 30 * time.Second

// serve runs a UI behind a server on a loopback port until the test ends.
func serve(t *testing.T, cfg ui.Config) (*ui.UI, *httptest.Server) {
	t.Helper()
	u, err := ui.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(u.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end")
		}
		s.Close()
	})
	waitFor(t, "Run to begin", func() bool {
		c, _, err := websocket.DefaultDialer.Dial(address(s), origin(s))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	waitFor(t, "the first page to leave", func() bool { return u.Clients() == 0 })
	return u, s
}

func address(s *httptest.Server) string { return "ws" + strings.TrimPrefix(s.URL, "http") + "/ws" }
func origin(s *httptest.Server) http.Header {
	return http.Header{"Origin": {s.URL}}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// page is a connected client.
type page struct {
	t *testing.T
	*websocket.Conn
}

func visit(t *testing.T, s *httptest.Server) page {
	t.Helper()
	var c *websocket.Conn
	// Until Run has begun pages are told to come again.
	waitFor(t, "a page to be let in", func() bool {
		var r *http.Response
		var err error
		c, r, err = websocket.DefaultDialer.Dial(address(s), origin(s))
		if err != nil && (r == nil || r.StatusCode != http.StatusServiceUnavailable) {
			t.Fatal(err)
		}
		return err == nil
	})
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(patience))
	return page{t, c}
}

type message struct {
	Type  string
	Value struct {
		livenessd.View
		RemainingMS  int64 `json:"remaining_ms"`
		Protocol     int
		Version      string
		Greeting     livenessd.View `json:"view"`
		Camera       struct{ Simulated bool }
		Simulated    bool
		Languages    []struct{ Code, Name, Short, Direction string }
		Language     string
		PicturesKept bool `json:"pictures_kept"`
	}
}

// next returns the next text message that is not a mere sign of life.
func (p page) next() message {
	p.t.Helper()
	for {
		kind, b, err := p.ReadMessage()
		if err != nil {
			p.t.Fatal(err)
		}
		var m message
		if kind != websocket.TextMessage {
			continue
		}
		if err := json.Unmarshal(b, &m); err != nil {
			p.t.Fatalf("%s: %v", b, err)
		}
		if m.Type != "beat" {
			return m
		}
	}
}

// picture returns the next preview.
func (p page) picture() []byte {
	p.t.Helper()
	for {
		kind, b, err := p.ReadMessage()
		if err != nil {
			p.t.Fatal(err)
		}
		if kind == websocket.BinaryMessage {
			return b
		}
	}
}

func step(n int) livenessd.View {
	return livenessd.View{Phase: livenessd.PhaseMove, Prompt: livenessd.PromptTurnLeft, Arrow: livenessd.Left, Step: n, Steps: n}
}

func TestGreetingHoldsThePresentState(t *testing.T) {
	u, s := serve(t, ui.Config{Version: "1.2.3", Language: "de", PicturesKept: true})
	m := visit(t, s).next()
	if m.Type != "hello" || m.Value.Greeting.Phase != livenessd.PhaseNotReady || m.Value.Greeting.Prompt != livenessd.PromptWait {
		t.Errorf("before the first Publish the page is told %+v", m)
	}
	u.Camera(livenessd.Camera{Name: "door", Device: "/dev/secret", Simulated: true})
	u.Publish(step(2))
	m = visit(t, s).next()
	v := m.Value
	if m.Type != "hello" || v.Protocol != 1 || v.Version != "1.2.3" || v.Language != "de" || !v.PicturesKept {
		t.Errorf("greeting is %+v", m)
	}
	if v.Greeting != step(2) || !v.Camera.Simulated {
		t.Errorf("greeting does not hold the present state: %+v", v)
	}
	if len(v.Languages) != 6 || v.Languages[0].Code != "de" {
		t.Errorf("languages are %+v, want six with the default first", v.Languages)
	}
	for _, l := range v.Languages {
		if rtl := l.Direction == "rtl"; rtl != (l.Code == "ar") {
			t.Errorf("%s is written %s", l.Code, l.Direction)
		}
	}
}

func TestViewsArriveInOrderAndOnlyWhenTheyDiffer(t *testing.T) {
	u, s := serve(t, ui.Config{})
	p := visit(t, s)
	p.next()
	v := step(1)
	u.Publish(v)
	v.Progress = 0.001 // nobody can see that
	u.Publish(v)
	u.Publish(step(2))
	locked := livenessd.View{Phase: livenessd.PhaseLocked, Prompt: livenessd.PromptLocked, Until: time.Now().Add(time.Hour)}
	u.Publish(locked)
	locked.Until = locked.Until.Round(0) // the same instant
	u.Publish(locked)
	u.Camera(livenessd.Camera{Simulated: true})
	for i, want := range []livenessd.View{step(1), step(2)} {
		if m := p.next(); m.Type != "view" || m.Value.View != want {
			t.Fatalf("message %d is %+v, want view %+v", i, m, want)
		}
	}
	if m := p.next(); m.Value.Phase != livenessd.PhaseLocked || m.Value.RemainingMS <= 0 || m.Value.RemainingMS > time.Hour.Milliseconds() {
		t.Fatalf("locked view is %+v", m)
	}
	if m := p.next(); m.Type != "camera" || !m.Value.Simulated {
		t.Fatalf("got %+v, want the camera's notice", m)
	}
}

func TestSlowPageIsCutOffAndTheOthersGoOn(t *testing.T) {
	u, s := serve(t, ui.Config{PreviewFPS: ui.MaxPreviewFPS})
	dialer := websocket.Dialer{NetDial: func(network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(4096)
		}
		return c, err
	}}
	slow, _, err := dialer.Dial(address(s), origin(s))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	good := visit(t, s)
	good.next()
	u.Publish(step(1))
	good.next()

	// Fill what the kernel takes for the slow page, so that its writer waits.
	big := livenessd.Frame{Format: livenessd.MJPEG, Data: jpegOf(1 << 20)}
	for range 10 {
		u.Preview(big)
		good.picture()
	}
	// Each Publish returns although the slow page takes nothing: a Publish
	// that waited for it would never let this loop end.
	for n := 2; u.Clients() > 1; n++ {
		if n > 10_000 {
			t.Fatal("the slow page is still connected")
		}
		u.Publish(step(n))
		if m := good.next(); m.Value.Step != n {
			t.Fatalf("the good page got %+v, want step %d", m, n)
		}
	}
	u.Publish(step(20_000))
	if m := good.next(); m.Value.Step != 20_000 {
		t.Errorf("the good page got %+v after the slow one was cut off", m)
	}
}

// jpegOf returns n bytes that begin and end as a JPEG does.
func jpegOf(n int) []byte {
	b := bytes.Repeat([]byte{1}, n)
	copy(b, "\xff\xd8")
	copy(b[n-2:], "\xff\xd9")
	return b
}

func TestPreviewGoesOutOnlyWhileAPersonIsChecked(t *testing.T) {
	u, s := serve(t, ui.Config{PreviewFPS: ui.MaxPreviewFPS})
	p := visit(t, s)
	p.next() // before the greeting no page is there, and pictures are dropped
	hidden := []livenessd.Phase{livenessd.PhaseNotReady, livenessd.PhaseIdle, livenessd.PhaseResult, livenessd.PhaseRest, livenessd.PhaseLocked}
	for i, phase := range hidden {
		u.Publish(livenessd.View{Phase: phase})
		u.Preview(livenessd.Frame{Format: livenessd.MJPEG, Data: jpegOf(100 + i)})
	}
	shown := []livenessd.Phase{livenessd.PhasePosition, livenessd.PhaseHold, livenessd.PhaseMove}
	for i, phase := range shown {
		u.Publish(livenessd.View{Phase: phase})
		u.Preview(livenessd.Frame{Format: livenessd.MJPEG, Data: []byte("no picture")})
		want := livenessd.Frame{Format: livenessd.MJPEG, Data: jpegOf(200 + i)}
		u.Preview(want)
		if got := p.picture(); !bytes.Equal(got, want.Data) {
			t.Fatalf("%s: a picture of %d bytes came, want the one of %d untouched", phase, len(got), len(want.Data))
		}
	}
}

func TestHeartbeat(t *testing.T) {
	u, s := serve(t, ui.Config{})
	p := visit(t, s)
	p.next()
	if at := u.LastHeartbeat(); !at.IsZero() {
		t.Errorf("a heartbeat at %v before any", at)
	}
	if p := pages(t, s); p.PaintedMS != -1 {
		t.Errorf("before any heartbeat: %+v", p)
	}
	// A type that is not known is ignored: the heartbeat after it counts.
	for _, m := range []string{`{"type":"from_a_newer_page","value":{"x":[1]}}`, `{"type":"heartbeat"}`} {
		if err := p.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the heartbeat", func() bool { return !u.LastHeartbeat().IsZero() })
	if p := pages(t, s); p.Connected != 1 || p.PaintedMS < 0 || p.PaintedMS > patience.Milliseconds() {
		t.Errorf("after a heartbeat: %+v", p)
	}
	if u.Clients() != 1 {
		t.Error("the page was cut off")
	}
}

func TestMisbehavingPageIsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		kind int
		data string
		code int
	}{
		"no JSON":   {websocket.TextMessage, "heartbeat", websocket.CloseInvalidFramePayloadData},
		"no type":   {websocket.TextMessage, `{"value":1}`, websocket.CloseInvalidFramePayloadData},
		"binary":    {websocket.BinaryMessage, `{"type":"heartbeat"}`, websocket.CloseUnsupportedData},
		"too large": {websocket.TextMessage, `{"type":"heartbeat","value":"` + strings.Repeat("x", 2000) + `"}`, websocket.CloseMessageTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			u, s := serve(t, ui.Config{})
			p := visit(t, s)
			p.next()
			if err := p.WriteMessage(c.kind, []byte(c.data)); err != nil {
				t.Fatal(err)
			}
			_, _, err := p.ReadMessage()
			if !websocket.IsCloseError(err, c.code) {
				t.Errorf("the page hears %v, want close code %d", err, c.code)
			}
			waitFor(t, "the page to be gone", func() bool { return u.Clients() == 0 })
			if !u.LastHeartbeat().IsZero() {
				t.Error("it counted as a heartbeat")
			}
		})
	}
}

func TestNumberOfPagesIsBounded(t *testing.T) {
	u, s := serve(t, ui.Config{})
	var last page
	for range ui.MaxClients {
		last = visit(t, s)
		last.next()
	}
	_, r, err := websocket.DefaultDialer.Dial(address(s), origin(s))
	if !errors.Is(err, websocket.ErrBadHandshake) || r.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("one page too many: %v, %v", err, r)
	}
	last.Close()
	waitFor(t, "a place to be free", func() bool { return u.Clients() < ui.MaxClients })
	waitFor(t, "the next page to come in", func() bool {
		c, _, err := websocket.DefaultDialer.Dial(address(s), origin(s))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func TestRunEndsEveryConnection(t *testing.T) {
	u, err := ui.New(ui.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(u.Handler())
	defer s.Close()
	if _, r, err := websocket.DefaultDialer.Dial(address(s), origin(s)); err == nil || r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a page came in before Run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	var p *websocket.Conn
	waitFor(t, "Run to begin", func() bool {
		var err error
		p, _, err = websocket.DefaultDialer.Dial(address(s), origin(s))
		return err == nil
	})
	defer p.Close()
	waitFor(t, "the page to be known", func() bool { return u.Clients() == 1 })
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if n := u.Clients(); n != 0 {
		t.Errorf("%d pages are left after Run", n)
	}
	p.SetReadDeadline(time.Now().Add(patience))
	for err == nil {
		_, _, err = p.ReadMessage()
	}
	if !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("the page hears %v, want that the daemon goes away", err)
	}
	u.Publish(step(1)) // must neither panic nor block
	if u.Run(t.Context()) == nil {
		t.Error("Run a second time gives no error")
	}
}

// TestEverythingAtOnce is for the race detector.
func TestEverythingAtOnce(t *testing.T) {
	u, s := serve(t, ui.Config{PreviewFPS: ui.MaxPreviewFPS})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 200 {
				u.Publish(step(i*1000 + n))
				u.Camera(livenessd.Camera{Name: fmt.Sprint(n), Simulated: n%2 == 0})
				u.Preview(livenessd.Frame{Width: 64, Height: 48, Format: livenessd.GREY, Data: make([]byte, 64*48)})
				_, _ = u.Clients(), u.LastHeartbeat()
			}
		})
		wg.Go(func() {
			for range 5 {
				c, _, err := websocket.DefaultDialer.Dial(address(s), origin(s))
				if err != nil {
					continue // too many at the moment
				}
				_ = c.WriteMessage(websocket.TextMessage, []byte(`{"type":"heartbeat"}`)) // it may be cut off already
				_, _, _ = c.ReadMessage()
				c.Close()
			}
		})
	}
	wg.Wait()
	waitFor(t, "the pages to leave", func() bool { return u.Clients() == 0 })
	p := visit(t, s)
	if m := p.next(); m.Type != "hello" || m.Value.Greeting.Phase != livenessd.PhaseMove {
		t.Errorf("afterwards a page is greeted with %+v", m)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  ui.Config
		says string
	}{
		"too few pictures":  {ui.Config{PreviewFPS: -1}, "preview_fps is -1"},
		"too many pictures": {ui.Config{PreviewFPS: 31}, "preview_fps is 31"},
		"unknown language":  {ui.Config{Language: "xx"}, `language is "xx"`},
		"host with port":    {ui.Config{Hosts: []string{"http://door"}}, `hosts has "http://door"`},
		"empty host":        {ui.Config{Hosts: []string{""}}, `hosts has ""`},
		"no such languages": {ui.Config{LanguagesDir: "/nowhere"}, "/nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ui.New(c.cfg)
			if !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("New says %v, want ErrInvalid and %q", err, c.says)
			}
		})
	}
	if _, err := ui.New(ui.Config{AssetsDir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "index.html") {
		t.Errorf("an empty assets folder gives %v", err)
	}
}

// pages asks as the kiosk's watchdog does.
func pages(t *testing.T, s *httptest.Server) (p ui.Pages) {
	t.Helper()
	resp, err := http.Get(s.URL + "/pages")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}
