// Package api is the daemon's REST side: it starts and cancels sessions, lets
// callers read and erase results, and streams the journal of events.
//
// It knows HTTP: routes, limits, errors as JSON, who may ask. It does not know
// how a face is judged or where results lie; those come in as the small
// interfaces declared here. Each dialect of the API is one file: it lists its
// routes and translates between its own words and those interfaces. native.go
// and events.go are the product's own; openapi.json describes them, README.md
// shows them with curl.
package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"livenessd"
)

// Results is where finished checks are kept.
type Results interface {
	// Result returns the result with this id, or an error that wraps
	// livenessd.ErrNotFound.
	Result(id string) (livenessd.Result, error)
	// Results returns at most limit results that follow cursor ("" starts) and
	// the cursor of the next page, "" when there is none. A cursor it did not
	// give is an error that wraps livenessd.ErrInvalid.
	Results(cursor string, limit int, newestFirst bool) ([]livenessd.Result, string, error)
	// Delete erases a result for good, with its picture.
	Delete(id string) error
}

// Journal is the gapless list of events.
type Journal interface {
	// Events returns at most limit events in order, the first with id after+1.
	// No event yet is an empty list. When after+1 is no longer kept the error
	// wraps livenessd.ErrGone.
	Events(after uint64, limit int) ([]livenessd.Event, error)
	// LastEvent returns the id of the newest event, 0 when there was never one.
	LastEvent() uint64
	// Changed returns a channel that is closed at the next commit. Taken before
	// Events is called, it misses nothing.
	Changed() <-chan struct{}
}

// Kiosk runs sessions, one at a time.
type Kiosk interface {
	// Start begins a session that waits for a person. The session outlives
	// ctx, which bounds the call only. Errors wrap livenessd.ErrBusy while
	// another one runs and livenessd.ErrNotReady when the kiosk cannot judge.
	Start(ctx context.Context, q SessionRequest) (livenessd.Session, error)
	// Session returns a session, running or past, or livenessd.ErrNotFound.
	Session(id string) (livenessd.Session, error)
	// Cancel ends a session as retry. For one that is done already it does
	// nothing and returns nil: its result stands.
	Cancel(id string) error
}

// SessionRequest is what a caller may say about the session it starts.
type SessionRequest struct {
	Reference string        // the caller's own number, at most 128 characters, none a control character
	Timeout   time.Duration // how long to wait for a person, whole seconds up to 600; 0 leaves it to the kiosk
	Reduced   bool          // the person can hardly move the neck
}

// Reason is one thing that keeps the kiosk from judging anybody, or that should
// be mended.
type Reason struct {
	Code   string `json:"code"`   // for programs, e.g. "camera_lost"
	Detail string `json:"detail"` // one sentence for the operator
}

// Deps is what the API speaks for.
type Deps struct {
	Results Results
	Journal Journal
	Kiosk   Kiosk
	// Ready returns what keeps the kiosk from judging, nothing when it can. It
	// is called for every GET /readyz and must not wait.
	Ready func() []Reason
	// Warnings returns what the operator should mend although the kiosk judges;
	// nil: nothing ever. It must not wait either.
	Warnings func() []Reason
	// Access, Jobs and Judge are what the dialects of other services need.
	// Without any of them those dialects are not served; all other fields are
	// required.
	Access Access
	Jobs   Jobs
	Judge  Judge
}

// Config says who may ask and how patient the API is. The zero value serves
// programs on the same machine.
type Config struct {
	// Hosts are names and addresses, without a port, by which this machine may
	// be addressed besides localhost and the loopback addresses. A request for
	// any other host is refused, which is what stops DNS rebinding.
	Hosts []string
	// Authorize returns why a request is not allowed, nil when it is. Its error
	// is logged and never shown to the caller. When Authorize is nil only
	// clients on a loopback address are served, whatever the listener accepts;
	// behind a proxy on this machine everybody looks like one of those.
	Authorize func(*http.Request) error
	// Metrics answers GET /metrics. When nil that path is not found.
	Metrics http.Handler
	// Registerer takes the API's own metrics. When nil they are not published.
	Registerer prometheus.Registerer
	// Log is slog.Default() when nil.
	Log *slog.Logger
	// Heartbeat is the longest silence on an event stream; 15 s when 0.
	Heartbeat time.Duration
	// WriteTimeout is how long a follower of events may leave one write
	// standing before it is cut off; 10 s when 0.
	WriteTimeout time.Duration
	// MaxStreams bounds the event streams open at one time; 16 when 0.
	MaxStreams int

	// What follows is for the dialects of other services.

	// Origins are those of web pages that may call the dialects, as browsers
	// write them ("https://desk.example"). None by default.
	Origins []string
	// ImageHosts are the hosts that pictures may be fetched from when a caller
	// gives an address instead of a picture: "name" or "name:port", over https.
	// None by default, and then nothing is fetched.
	ImageHosts []string
	// MaxBodies bounds the bytes of requests that are held at one time; 192 MiB
	// when 0. A body takes twice its length.
	MaxBodies int64
	// Version is told to callers of BWS 3; "livenessd" when empty.
	Version string
}

// server holds what the handlers share. Nothing in it changes after New.
type server struct {
	Deps
	log          *slog.Logger
	guard        guard
	metrics      *metrics
	heartbeat    time.Duration
	writeTimeout time.Duration
	streams      chan struct{} // one token for each open event stream

	describing *describing

	origins []string
	version string
	budget  *budget
	images  *fetcher
	now     func() time.Time
	newID   func() string
}

// route is one line of a dialect's table.
type route struct {
	method string
	path   string // as net/http patterns write it
	handle func(http.ResponseWriter, *http.Request) error
}

// New returns the handler of the whole API. It owns /v1/, /healthz, /readyz,
// /metrics, /openapi.json and /docs, with Deps.Judge also the paths of the dialects
// (DialectPaths), and answers 404 for every other path. The error names the setting
// that cannot be used.
//
// The http.Server it is put into should set ReadHeaderTimeout and ReadTimeout,
// and a BaseContext that ends with the daemon: that is what ends the event
// streams, which Shutdown alone would wait for.
func New(c Config, d Deps) (http.Handler, error) {
	s, err := newServer(c, d)
	if err != nil {
		return nil, err
	}
	return s.whole(c.Metrics), nil
}

// newServer checks c and d.
func newServer(c Config, d Deps) (*server, error) {
	if d.Results == nil || d.Journal == nil || d.Kiosk == nil || d.Ready == nil {
		return nil, fmt.Errorf("api: Deps must be complete: %w", livenessd.ErrInvalid)
	}
	if dialects := d.Judge != nil; dialects != (d.Access != nil) || dialects != (d.Jobs != nil) {
		return nil, fmt.Errorf("api: Deps needs all of Access, Jobs and Judge, or none: %w", livenessd.ErrInvalid)
	}
	if c.Heartbeat < 0 || c.WriteTimeout < 0 || c.MaxStreams < 0 || c.MaxBodies < 0 {
		return nil, fmt.Errorf("api: Heartbeat, WriteTimeout, MaxStreams and MaxBodies must not be negative: %w", livenessd.ErrInvalid)
	}
	g, err := newGuard(c.Hosts, c.Authorize)
	if err != nil {
		return nil, err
	}
	if err := checkOrigins(c.Origins); err != nil {
		return nil, err
	}
	described, err := newDescribing(d.Judge != nil)
	if err != nil {
		return nil, err
	}
	images, err := newFetcher(c.ImageHosts)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, fmt.Errorf("api: register metrics: %w", err)
	}
	s := &server{
		Deps:         d,
		log:          c.Log,
		guard:        g,
		metrics:      m,
		heartbeat:    orDefault(c.Heartbeat, 15*time.Second),
		writeTimeout: orDefault(c.WriteTimeout, 10*time.Second),
		streams:      make(chan struct{}, orDefault(c.MaxStreams, 16)),

		describing: described,

		origins: c.Origins,
		version: c.Version,
		budget:  newBudget(orDefault(c.MaxBodies, 192<<20), 5*time.Second),
		images:  images,
		now:     time.Now,
		newID:   func() string { return uuid.Must(uuid.NewV7()).String() },
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.version == "" {
		s.version = "livenessd"
	}
	return s, nil
}

// whole joins what the guard protects and the dialects, which have
// credentials of their own.
func (s *server) whole(metrics http.Handler) http.Handler {
	own := s.admit(s.mux(append(s.native(), s.health(metrics)...)))
	if s.Judge == nil {
		return s.observe(own)
	}
	return s.observe(s.withDialects(own))
}

func orDefault[T int | int64 | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// mux serves the routes and answers everything else in JSON: the standard mux
// would say 404 and 405 in plain text. Two equal routes panic here, at start.
func (s *server) mux(routes []route) http.Handler {
	m := http.NewServeMux()
	allowed := make(map[string][]string)
	for _, r := range routes {
		m.Handle(r.method+" "+r.path, s.handler(r.handle))
		allowed[r.path] = append(allowed[r.path], r.method)
		if r.method == http.MethodGet {
			allowed[r.path] = append(allowed[r.path], http.MethodHead)
		}
	}
	for p, methods := range allowed {
		slices.Sort(methods)
		m.Handle(p, s.only(strings.Join(methods, ", ")))
	}
	notFound := s.nothing()
	m.Handle("/", notFound)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The standard mux redirects an unclean path with a page of HTML. No
		// caller of an API means such a path.
		if !clean(r.URL.Path) {
			notFound.ServeHTTP(w, r)
			return
		}
		m.ServeHTTP(w, r)
	})
}

// nothing answers for a path that is none.
func (s *server) nothing() http.Handler {
	return s.handler(func(http.ResponseWriter, *http.Request) error {
		return &refusal{
			status: http.StatusNotFound, code: "not_found",
			message: "there is nothing at this path; GET /openapi.json lists what there is",
		}
	})
}

// only refuses every method but those of allow.
func (s *server) only(allow string) http.Handler {
	return s.handler(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", allow)
		return &refusal{
			status: http.StatusMethodNotAllowed, code: "method_not_allowed",
			message: "this path answers " + allow + " only",
		}
	})
}

// clean tells whether p is rooted and free of empty, "." and ".." elements; a
// slash at the end is allowed.
func clean(p string) bool {
	c := path.Clean("/" + p)
	return p == c || c != "/" && p == c+"/"
}
