package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"livenessd"
)

// eventsPattern is the route that metrics do not time.
const eventsPattern = "GET /v1/events"

const (
	// eventBatch bounds what is read and written at one time.
	eventBatch = 64
	// retryMillis is how long a browser waits before it connects again.
	retryMillis = 2000
	// retryStreams is when a caller may try again after too many streams:
	// streams end when their followers do.
	retryStreams = 10
)

// followEvents streams the journal as server-sent events (WHATWG HTML,
// section 9.2). Everything that can be refused is refused before the stream
// begins; afterwards an error ends it and the follower resumes.
func (s *server) followEvents(w http.ResponseWriter, r *http.Request) error {
	after, err := s.resumeAfter(r)
	if err != nil {
		return err
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return &refusal{
			status: http.StatusServiceUnavailable, code: "too_many_streams", retryAfter: retryStreams,
			message: fmt.Sprintf("%d event streams are open already; close one", cap(s.streams)),
		}
	}
	if r.Method == http.MethodHead {
		startStream(w)
		return nil
	}
	f := follower{
		journal: s.Journal, after: after, idle: s.heartbeat,
		out: streamWriter{w: w, c: http.NewResponseController(w), timeout: s.writeTimeout},
	}
	// A server's ReadTimeout is for requests. On a stream it would end the
	// context while nothing is wrong.
	if err := f.out.c.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	first, changed, err := f.read()
	if err != nil {
		return err
	}
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	startStream(w)
	err = f.run(r.Context(), first, changed)
	if end := (*streamEnd)(nil); errors.As(err, &end) {
		s.logger(r).Info("event stream cut off", "after", f.after, "err", end.cause)
		return nil
	}
	return err
}

func startStream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
}

// resumeAfter returns the id of the last event the follower has. A browser
// that reconnects sends Last-Event-ID with the address it began with, so the
// header counts more than the parameter. Neither means: from now on.
func (s *server) resumeAfter(r *http.Request) (uint64, error) {
	v, err := query(r, "after")
	if err != nil {
		return 0, err
	}
	if r.ContentLength != 0 {
		return 0, invalid("", "this path takes no body")
	}
	text, given := v["after"]
	field := "after"
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		text, given, field = id, true, "Last-Event-ID"
	}
	last := s.Journal.LastEvent()
	if !given {
		return last, nil
	}
	after, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, invalid(field, "must be the id of an event, a whole number; 0 is before the first")
	}
	if after > last {
		// The journal was replaced. Waiting for that id would lose all until then.
		return 0, gone(field, oldestEvent(s.Journal, 0), fmt.Errorf("event %d is newer than the last, %d: %w", after, last, livenessd.ErrGone))
	}
	return after, nil
}

// gone refuses an id from which the journal cannot go on without a gap.
func gone(field string, oldest uint64, cause error) error {
	return &refusal{
		status: http.StatusGone, code: "gone", field: field, oldest: oldest, cause: cause,
		message: fmt.Sprintf("the events after this id are not kept here; the oldest kept is %d, follow with ?after=%d", oldest, oldest-1),
	}
}

// oldestEvent finds the id of the oldest event kept that is newer than after,
// of the next one to come when none is. It searches rather than asks, which
// spares Journal a method; some sixty reads of one event at most.
func oldestEvent(j Journal, after uint64) uint64 {
	low, high := after, max(after, j.LastEvent())
	for low < high {
		middle := low + (high-low)/2
		if _, err := j.Events(middle, 1); errors.Is(err, livenessd.ErrGone) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low + 1
}

// follower walks the journal for one client.
type follower struct {
	journal Journal
	after   uint64 // id of the last event written
	idle    time.Duration
	out     streamWriter
}

// read returns the next events, each exactly one after the other, and the
// channel that tells of more. The channel is taken first: what is committed
// between the two calls closes it.
func (f *follower) read() ([]livenessd.Event, <-chan struct{}, error) {
	changed := f.journal.Changed()
	events, err := f.journal.Events(f.after, eventBatch)
	if errors.Is(err, livenessd.ErrGone) {
		return nil, nil, gone("after", oldestEvent(f.journal, f.after), err)
	}
	if err != nil {
		return nil, nil, err
	}
	for i, e := range events {
		if want := f.after + 1 + uint64(i); e.ID != want {
			return nil, nil, fmt.Errorf("journal has a gap: event %d where %d belongs", e.ID, want)
		}
	}
	return events, changed, nil
}

// run writes events and, while there are none, heartbeats, until ctx ends,
// the client is gone or too slow, or the journal fails. An ended context is
// the normal end.
func (f *follower) run(ctx context.Context, events []livenessd.Event, changed <-chan struct{}) error {
	// The id without data makes a browser resume from here even if it is cut
	// off before the first event.
	if err := f.out.write(fmt.Appendf(nil, "retry: %d\nid: %d\n\n", retryMillis, f.after)); err != nil {
		return err
	}
	heartbeat := time.NewTimer(f.idle)
	defer heartbeat.Stop()
	for {
		if ctx.Err() != nil {
			// The limit of the last write may be over; the end of the body
			// needs one of its own.
			return f.out.allow()
		}
		if len(events) > 0 {
			if err := f.send(events); err != nil {
				return err
			}
			heartbeat.Reset(f.idle)
		} else {
			select {
			case <-ctx.Done():
				continue
			case <-changed:
			case <-heartbeat.C:
				if err := f.out.write([]byte(": still here\n\n")); err != nil {
					return err
				}
				heartbeat.Reset(f.idle)
			}
		}
		var err error
		if events, changed, err = f.read(); err != nil {
			return err
		}
	}
}

// send writes events and remembers how far the client is.
func (f *follower) send(events []livenessd.Event) error {
	var b bytes.Buffer
	for _, e := range events {
		if e.Result != nil {
			whole := complete(*e.Result)
			e.Result = &whole
		}
		data, err := encode(e)
		if err != nil {
			return fmt.Errorf("event %d: %w", e.ID, err)
		}
		fmt.Fprintf(&b, "id: %d\nevent: %s\ndata: %s\n", e.ID, e.Type, data)
	}
	if err := f.out.write(b.Bytes()); err != nil {
		return err
	}
	f.after = events[len(events)-1].ID
	return nil
}

// streamWriter gives each write a time limit, so that a client that does not
// read is cut off and holds nothing for longer.
type streamWriter struct {
	w       http.ResponseWriter
	c       *http.ResponseController
	timeout time.Duration
}

// allow gives what is written next its time limit.
func (s streamWriter) allow() error {
	if err := s.c.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return &streamEnd{err}
	}
	return nil
}

func (s streamWriter) write(b []byte) error {
	if err := s.allow(); err != nil {
		return err
	}
	if _, err := s.w.Write(b); err != nil {
		return &streamEnd{err}
	}
	if err := s.c.Flush(); err != nil {
		return &streamEnd{err}
	}
	return nil
}

// streamEnd says that the client is gone or too slow, which is its affair.
type streamEnd struct{ cause error }

func (e *streamEnd) Error() string { return "event stream ended: " + e.cause.Error() }
func (e *streamEnd) Unwrap() error { return e.cause }
