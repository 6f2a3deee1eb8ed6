package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"livenessd"
)

// block is one server-sent event, or a comment.
type block struct {
	id, event, data, comment, retry string
}

// stream reads server-sent events as a client does.
type stream struct {
	r    *http.Response
	scan *bufio.Scanner
}

func follow(ctx context.Context, srv *httptest.Server, target, lastEventID string) (*stream, error) {
	q, err := http.NewRequestWithContext(ctx, "GET", srv.URL+target, nil)
	if err != nil {
		return nil, err
	}
	if lastEventID != "" {
		q.Header.Set("Last-Event-ID", lastEventID)
	}
	r, err := srv.Client().Do(q)
	if err != nil {
		return nil, err
	}
	return newStream(r), nil
}

func newStream(r *http.Response) *stream {
	s := &stream{r, bufio.NewScanner(r.Body)}
	s.scan.Buffer(nil, 1<<20)
	return s
}

// next returns the next block, io.EOF at the end of the stream.
func (s *stream) next() (block, error) {
	var b block
	for s.scan.Scan() {
		line := s.scan.Text()
		if line == "" {
			return b, nil
		}
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "id":
			b.id = value
		case "event":
			b.event = value
		case "data":
			b.data = value
		case "retry":
			b.retry = value
		case "":
			b.comment = value
		default:
			return b, fmt.Errorf("unknown line %q", line)
		}
	}
	if err := s.scan.Err(); err != nil {
		return b, err
	}
	return b, io.EOF
}

func mustFollow(t *testing.T, srv *httptest.Server, target, lastEventID string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	s, err := follow(ctx, srv, target, lastEventID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.r.Body.Close() })
	if s.r.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(s.r.Body)
		t.Fatalf("status %d: %s", s.r.StatusCode, body)
	}
	return s
}

func (s *stream) mustNext(t *testing.T) block {
	t.Helper()
	b, err := s.next()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testStreamAnswers covers what the document says of GET /v1/events.
func testStreamAnswers(t *testing.T, w *witness) {
	d := workingDeps()
	srv := serve(t, Config{MaxStreams: 1}, d)
	var got strings.Builder
	s := mustFollow(t, srv, "/v1/events?after=0", "")
	w.judge(t, "GET", "/v1/events", answer{s.r.StatusCode, s.r.Header, nil})
	for range 4 {
		b := s.mustNext(t)
		fmt.Fprintf(&got, "retry=%s id=%s event=%s data=%s\n", b.retry, b.id, b.event, b.data)
		if b.data == "" {
			continue
		}
		var value any
		if err := json.Unmarshal([]byte(b.data), &value); err != nil {
			t.Fatal(err)
		}
		for _, diff := range w.doc.check(w.doc.Components.Schemas["Event"], value, "event") {
			t.Error(diff)
		}
	}
	compareGolden(t, "events-stream", got.String())

	c := call{method: "GET", target: "/v1/events"}
	compareGolden(t, "events-too-many", transcript(c, w.do(t, srv, c)))
	s.r.Body.Close()
	// The server learns of the closed connection in its own time.
	for until := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if a := w.do(t, srv, call{method: "HEAD", target: "/v1/events"}); a.status == http.StatusOK {
			break
		}
		if time.Now().After(until) {
			t.Fatal("a closed stream keeps its place")
		}
	}

	d.Journal.(*memoryJournal).forget(3)
	c = call{method: "GET", target: "/v1/events?after=0"}
	a := w.do(t, srv, c)
	compareGolden(t, "events-gone", transcript(c, a))
	if e := a.error(t); e.Oldest != 3 {
		t.Errorf("oldest %d, want 3", e.Oldest)
	}
	if a := w.do(t, srv, call{method: "GET", target: "/v1/events?after=1"}); a.error(t).Oldest != 3 {
		t.Errorf("oldest after 1: %s", a.body)
	}
}

// Ensure that followers that come and go while events are written get each
// event once and in order.
func TestFollowWhileWriting(t *testing.T) {
	const total, followers = 1500, 4
	d := workingDeps()
	j := newMemoryJournal()
	d.Journal = j
	srv := serve(t, Config{Heartbeat: time.Hour}, d) // no heartbeat hides a missed wake-up
	seed := rand.Uint64()
	t.Logf("seed %d", seed)

	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		r := rand.New(rand.NewPCG(seed, 0))
		for range total {
			j.add(livenessd.Event{Type: livenessd.EventCameraLost, At: noon})
			if r.IntN(8) == 0 {
				time.Sleep(time.Duration(r.IntN(500)) * time.Microsecond)
			}
		}
	})
	for n := range followers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(n)+1))
			if err := followAll(srv, total, r); err != nil {
				t.Errorf("follower %d: %v", n, err)
			}
		})
	}
}

// followAll reads events 1 to total over many connections, each cut after a
// random number of events.
func followAll(srv *httptest.Server, total uint64, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	last := uint64(0)
	for last < total {
		// The address stays as it was, as a browser keeps it; the header leads.
		s, err := follow(ctx, srv, "/v1/events?after=0", strconv.FormatUint(last, 10))
		if err != nil {
			return err
		}
		err = s.count(&last, total, 1+r.IntN(200))
		s.r.Body.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// count reads up to n events, which must follow *last without a gap.
func (s *stream) count(last *uint64, total uint64, n int) error {
	if s.r.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", s.r.StatusCode)
	}
	for n > 0 && *last < total {
		b, err := s.next()
		if err != nil {
			return fmt.Errorf("after %d: %w", *last, err)
		}
		if b.data == "" {
			continue
		}
		var e livenessd.Event
		if err := json.Unmarshal([]byte(b.data), &e); err != nil {
			return err
		}
		if e.ID != *last+1 || b.id != strconv.FormatUint(e.ID, 10) || b.event != string(e.Type) {
			return fmt.Errorf("event %d (id line %s, event line %s) after %d", e.ID, b.id, b.event, *last)
		}
		*last = e.ID
		n--
	}
	return nil
}

// Ensure that a follower without an id begins now and yet can resume: the
// stream names the id it began at before anything happens.
func TestFollowFromNow(t *testing.T) {
	d := workingDeps()
	srv := serve(t, Config{}, d)
	s := mustFollow(t, srv, "/v1/events", "")
	first := s.mustNext(t)
	if first.id != "3" || first.data != "" || first.retry != "2000" {
		t.Fatalf("first block %+v", first)
	}
	s.r.Body.Close()
	j := d.Journal.(*memoryJournal)
	j.add(livenessd.Event{Type: livenessd.EventCameraLost, At: noon}) // while nobody follows
	s = mustFollow(t, srv, "/v1/events", first.id)
	s.mustNext(t)
	if b := s.mustNext(t); b.id != "4" {
		t.Errorf("resumed with %+v, want event 4", b)
	}
	j.add(livenessd.Event{Type: livenessd.EventCameraBack, At: noon}) // while it waits
	if b := s.mustNext(t); b.id != "5" || b.event != "camera.back" {
		t.Errorf("got %+v, want event 5", b)
	}
}

// Ensure that the end of the server's context ends streams, so that Shutdown
// returns.
func TestFollowEndsWithContext(t *testing.T) {
	h, err := New(Config{Log: new(logged).logger()}, workingDeps())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv := serveHandler(t, ctx, h)
	s := mustFollow(t, srv, "/v1/events", "")
	s.mustNext(t)
	cancel()
	if b, err := s.next(); err != io.EOF {
		t.Errorf("after the end: %+v, %v", b, err)
	}
	stop, done := context.WithTimeout(context.Background(), patience)
	defer done()
	if err := srv.Config.Shutdown(stop); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// Ensure that a server's ReadTimeout, which is for requests, leaves streams
// alone.
func TestFollowOutlivesReadTimeout(t *testing.T) {
	d := workingDeps()
	h, err := New(Config{Log: new(logged).logger(), Heartbeat: 20 * time.Millisecond}, d)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ReadTimeout = 50 * time.Millisecond
	srv.Config.WriteTimeout = 50 * time.Millisecond
	srv.Start()
	defer srv.Close()
	s := mustFollow(t, srv, "/v1/events", "")
	for range 10 { // 200 ms at the least
		s.mustNext(t)
	}
	s.r.Body.Close()
}

// brokenJournal changes what another one answers.
type brokenJournal struct {
	*memoryJournal
	events func([]livenessd.Event, error) ([]livenessd.Event, error)
}

func (j brokenJournal) Events(after uint64, limit int) ([]livenessd.Event, error) {
	return j.events(j.memoryJournal.Events(after, limit))
}

// Ensure that a stream ends rather than leave something out.
func TestFollowNeverSkips(t *testing.T) {
	for name, tc := range map[string]struct {
		events func([]livenessd.Event, error) ([]livenessd.Event, error)
		log    string
	}{
		"gap": {func(es []livenessd.Event, err error) ([]livenessd.Event, error) {
			if len(es) > 1 {
				es = append(es[:1:1], es[2:]...)
			}
			return es, err
		}, "journal has a gap: event 6 where 5 belongs"},
		"gone": {func(es []livenessd.Event, err error) ([]livenessd.Event, error) {
			if len(es) > 0 {
				return nil, fmt.Errorf("pruned: %w", livenessd.ErrGone)
			}
			return es, err
		}, "the oldest kept is"},
		"fault": {func(es []livenessd.Event, err error) ([]livenessd.Event, error) {
			if len(es) > 0 {
				return nil, fmt.Errorf("disk on fire")
			}
			return es, err
		}, "disk on fire"},
	} {
		t.Run(name, func(t *testing.T) {
			d := workingDeps()
			j := d.Journal.(*memoryJournal)
			d.Journal = brokenJournal{j, tc.events}
			log := new(logged)
			srv := serve(t, Config{Log: log.logger()}, d)
			s := mustFollow(t, srv, "/v1/events?after=3", "")
			s.mustNext(t)
			j.mu.Lock() // three at once, so that one read sees them all
			for id := uint64(4); id <= 6; id++ {
				j.events = append(j.events, livenessd.Event{ID: id, Type: livenessd.EventCameraLost, At: noon})
			}
			close(j.changed)
			j.changed = make(chan struct{})
			j.mu.Unlock()
			if b, err := s.next(); err != io.EOF {
				t.Errorf("got %+v, %v; want the end of the stream", b, err)
			}
			if !strings.Contains(log.String(), tc.log) {
				t.Errorf("log lacks %q:\n%s", tc.log, log)
			}
		})
	}
}
