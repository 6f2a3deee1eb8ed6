package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"livenessd"
)

// disk is a recorder that can be full.
type disk struct {
	err     error
	entries []string
}

func (d *disk) put(format string, a ...any) error {
	if d.err != nil {
		return d.err
	}
	d.entries = append(d.entries, fmt.Sprintf(format, a...))
	return nil
}

func (d *disk) PutResult(r *livenessd.Result, picture []byte) (livenessd.Event, error) {
	if r.ID == "twice" {
		return livenessd.Event{}, fmt.Errorf("stored already: %w", livenessd.ErrInvalid)
	}
	return livenessd.Event{}, d.put("result %s %d", r.ID, len(picture))
}

func (d *disk) PutEvent(e livenessd.Event) (livenessd.Event, error) {
	return e, d.put("event %s", e.Type)
}

func (d *disk) PutSession(s livenessd.Session) error {
	return d.put("session %s %s unrecorded %v", s.ID, s.State, s.Unrecorded)
}

func (d *disk) Session(id string) (livenessd.Session, error) {
	return livenessd.Session{}, livenessd.ErrNotFound
}

func newLedger(d *disk) (l *ledger, now *time.Time, said *[]string) {
	now, said = new(time.Time), new([]string)
	*now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &ledger{
		store: d, log: slog.New(slog.DiscardHandler), now: func() time.Time { return *now },
		state: func(why error, waiting int, full bool) {
			*said = append(*said, fmt.Sprint(why, " ", waiting, " ", full))
		},
	}, now, said
}

func TestLedger(t *testing.T) {
	d := &disk{}
	l, now, said := newLedger(d)
	result := func(id string, want error) {
		t.Helper()
		if _, err := l.PutResult(&livenessd.Result{ID: id}, []byte("picture")); !errors.Is(err, want) {
			t.Errorf("result %s: %v", id, err)
		}
	}
	result("a", nil)
	d.err = errors.New("no space left on device")
	result("b", errWaits)
	if err := l.PutSession(livenessd.Session{ID: "s", State: livenessd.SessionDone, Unrecorded: true}); !errors.Is(err, errWaits) {
		t.Error(err)
	}
	if s, err := l.Session("s"); err != nil || !s.Unrecorded {
		t.Errorf("%+v, %v", s, err)
	}
	result("twice", errWaits)
	l.flush(false) // too early
	*now = now.Add(2 * time.Second)
	l.flush(false) // still full
	d.err = nil
	result("c", errWaits) // behind the others
	l.flush(false)
	if n, _ := l.counts(); n != 5 {
		t.Errorf("%d wait", n)
	}
	*now = now.Add(2 * time.Second)
	l.flush(false)
	result("d", nil)
	want := []string{"result a 7", "event store.failed", "result b 7", "session s done unrecorded false", "result c 7", "event store.back", "result d 7"}
	if !slices.Equal(d.entries, want) {
		t.Errorf("written %q\nwant %q", d.entries, want)
	}
	if got, want := strings.Join(*said, ", "), "no space left on device 1 false, no space left on device 4 false, <nil> 0 false"; got != want {
		t.Errorf("said %s\nwant %s", got, want)
	}
}

// What is wrong with the entry itself, and a store that only a restart mends,
// are told at once.
func TestLedgerRefuses(t *testing.T) {
	for _, kind := range []error{livenessd.ErrInvalid, livenessd.ErrTooLarge, livenessd.ErrNotReady} {
		l, _, _ := newLedger(&disk{err: kind})
		if _, err := l.PutResult(&livenessd.Result{ID: "a"}, nil); !errors.Is(err, kind) {
			t.Errorf("%v: %v", kind, err)
		}
		if n, _ := l.counts(); n != 0 {
			t.Errorf("%v: %d wait", kind, n)
		}
	}
}

func TestLedgerIsBounded(t *testing.T) {
	l, _, said := newLedger(&disk{err: errors.New("full")})
	for range ledgerRoom {
		if _, err := l.PutEvent(livenessd.Event{Type: livenessd.EventStarted}); err != nil && !errors.Is(err, errWaits) && !errors.Is(err, livenessd.ErrOverloaded) {
			t.Fatal(err)
		}
	}
	if _, err := l.PutResult(&livenessd.Result{ID: "a"}, nil); !errors.Is(err, livenessd.ErrOverloaded) {
		t.Error(err)
	}
	if n, _ := l.counts(); n != ledgerRoom || !strings.HasSuffix((*said)[len(*said)-1], "true") {
		t.Errorf("%d wait, said %q", n, *said)
	}
	l, _, _ = newLedger(&disk{err: errors.New("full")})
	kept := 0
	for range 100 {
		if _, err := l.PutResult(&livenessd.Result{ID: "a"}, make([]byte, 1<<20)); errors.Is(err, errWaits) {
			kept++
		}
	}
	if kept != 32 {
		t.Errorf("%d pictures of a MiB wait", kept)
	}
}
