package api

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"livenessd"
)

// memoryJournal is a Journal with the store's manners: it keeps the last
// events, says ErrGone for older ones and closes a channel at each commit.
type memoryJournal struct {
	mu      sync.Mutex // guards what follows
	first   uint64     // id of events[0], or of the next event
	events  []livenessd.Event
	changed chan struct{}
}

func newMemoryJournal() *memoryJournal {
	return &memoryJournal{first: 1, changed: make(chan struct{})}
}

func (j *memoryJournal) add(e livenessd.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.ID = j.first + uint64(len(j.events))
	j.events = append(j.events, e)
	close(j.changed)
	j.changed = make(chan struct{})
}

// forget drops all events before id.
func (j *memoryJournal) forget(id uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = j.events[id-j.first:]
	j.first = id
}

func (j *memoryJournal) Events(after uint64, limit int) ([]livenessd.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if after+1 < j.first {
		return nil, fmt.Errorf("events after %d: %w", after, livenessd.ErrGone)
	}
	from := int(min(after+1-j.first, uint64(len(j.events))))
	return slices.Clone(j.events[from:min(from+limit, len(j.events))]), nil
}

func (j *memoryJournal) LastEvent() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.first + uint64(len(j.events)) - 1
}

func (j *memoryJournal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

type fakeKiosk struct {
	start   func(SessionRequest) (livenessd.Session, error)
	session func(string) (livenessd.Session, error)
	cancel  func(string) error
}

func (k fakeKiosk) Start(_ context.Context, q SessionRequest) (livenessd.Session, error) {
	return k.start(q)
}
func (k fakeKiosk) Session(id string) (livenessd.Session, error) { return k.session(id) }
func (k fakeKiosk) Cancel(id string) error                       { return k.cancel(id) }

type fakeResults struct {
	result  func(string) (livenessd.Result, error)
	results func(string, int, bool) ([]livenessd.Result, string, error)
	delete  func(string) error
}

func (f fakeResults) Result(id string) (livenessd.Result, error) { return f.result(id) }
func (f fakeResults) Delete(id string) error                     { return f.delete(id) }
func (f fakeResults) Results(cursor string, limit int, newestFirst bool) ([]livenessd.Result, string, error) {
	return f.results(cursor, limit, newestFirst)
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	sessionID = "01956f3e-0000-7000-8000-000000000001"
	resultID  = "01956f3e-0000-7000-8000-000000000002"
	bareID    = "01956f3e-0000-7000-8000-000000000003"
	unknownID = "01956f3e-0000-7000-8000-00000000dead"
)

// fullResult has every field set, so that a field nobody documented shows.
func fullResult() livenessd.Result {
	return livenessd.Result{
		ID: resultID, Session: sessionID, Reference: "order 7 <b>", Seq: 12, Boot: "b7",
		Started: noon, At: noon.Add(9 * time.Second), Duration: 9 * time.Second,
		Outcome: livenessd.NotLive, Reasons: []livenessd.Reason{livenessd.FlatMotion},
		Stages: []livenessd.Stage{{
			Name: livenessd.StageMotion, Outcome: livenessd.NotLive, Score: 0.25, Threshold: 0.5,
			Model: "sha256:00", Frames: 40, Reasons: []livenessd.Reason{livenessd.FlatMotion},
		}},
		Quality: []livenessd.Measure{{Name: livenessd.Sharpness, Score: 71, Value: 310.5, Reason: livenessd.Blurred}},
		Camera: livenessd.Camera{
			Name: "door", Device: "/dev/v4l/by-id/cam", Driver: "uvcvideo", Card: "Cam", Bus: "usb-1",
			Format: "MJPEG", Width: 1280, Height: 720, Simulated: true,
		},
		Movements: []livenessd.Direction{livenessd.Left, livenessd.Up}, Attempt: 2, Software: "1.0.0", HasPicture: true,
	}
}

// bareResult is what a session leaves that ended before a frame was judged.
func bareResult() livenessd.Result {
	return livenessd.Result{
		ID: bareID, Session: sessionID, Seq: 13, Started: noon, At: noon, Outcome: livenessd.Retry,
		Reasons: []livenessd.Reason{livenessd.Cancelled}, Camera: livenessd.Camera{Name: "door"}, Attempt: 1,
	}
}

// workingDeps are a kiosk that is free, two results and three events.
func workingDeps() Deps {
	waiting := livenessd.Session{ID: sessionID, State: livenessd.SessionWaiting, Created: noon, Expires: noon.Add(time.Minute)}
	j := newMemoryJournal()
	full, bare := fullResult(), bareResult()
	j.add(livenessd.Event{Type: livenessd.EventStarted, At: noon, Boot: "b7", Detail: "version 1.0.0"})
	j.add(livenessd.Event{Type: livenessd.EventResult, At: noon, Boot: "b7", Session: sessionID, Result: &full})
	j.add(livenessd.Event{Type: livenessd.EventResult, At: noon, Session: sessionID, Result: &bare})
	return Deps{
		Journal: j,
		Ready:   func() []Reason { return nil },
		Kiosk: fakeKiosk{
			start: func(q SessionRequest) (livenessd.Session, error) {
				s := waiting
				s.Reference = q.Reference
				if q.Timeout > 0 {
					s.Expires = s.Created.Add(q.Timeout)
				}
				return s, nil
			},
			session: func(id string) (livenessd.Session, error) {
				if id != sessionID {
					return livenessd.Session{}, fmt.Errorf("session %s: %w", id, livenessd.ErrNotFound)
				}
				s := waiting
				s.State, s.Result, s.Outcome, s.Reference = livenessd.SessionDone, resultID, livenessd.NotLive, "order 7"
				return s, nil
			},
			cancel: func(id string) error {
				if id != sessionID {
					return fmt.Errorf("session %s: %w", id, livenessd.ErrNotFound)
				}
				return nil
			},
		},
		Results: fakeResults{
			result: func(id string) (livenessd.Result, error) {
				switch id {
				case resultID:
					return fullResult(), nil
				case bareID:
					return bareResult(), nil
				}
				return livenessd.Result{}, fmt.Errorf("result %s: %w", id, livenessd.ErrNotFound)
			},
			results: func(cursor string, limit int, newestFirst bool) ([]livenessd.Result, string, error) {
				all := []livenessd.Result{fullResult(), bareResult()}
				if newestFirst {
					slices.Reverse(all)
				}
				switch cursor {
				case "":
				case "c1":
					all = all[1:]
				case "end":
					all = nil
				default:
					return nil, "", fmt.Errorf("cursor %q is not one of ours: %w", cursor, livenessd.ErrInvalid)
				}
				if len(all) > limit {
					return all[:limit], "c1", nil
				}
				return all, "", nil
			},
			delete: func(id string) error {
				if id != resultID {
					return fmt.Errorf("result %s: %w", id, livenessd.ErrNotFound)
				}
				return nil
			},
		},
	}
}

// logged collects what is logged, for tests and their goroutines.
type logged struct {
	mu  sync.Mutex
	buf strings.Builder // guarded by mu
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// serve runs the API on a loopback port. Its context ends with the test.
func serve(t *testing.T, c Config, d Deps) *httptest.Server {
	t.Helper()
	if c.Log == nil {
		c.Log = new(logged).logger()
	}
	h, err := New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	return serveHandler(t, context.Background(), h)
}

func serveHandler(t *testing.T, ctx context.Context, h http.Handler) *httptest.Server {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	srv := httptest.NewUnstartedServer(h)
	srv.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Start()
	t.Cleanup(func() {
		cancel()
		srv.Close()
	})
	return srv
}
