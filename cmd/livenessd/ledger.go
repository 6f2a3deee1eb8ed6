package main

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"livenessd"
)

// Bounds of what the ledger holds in memory.
const (
	ledgerRoom     = 4096     // entries; of a day's visitors rather than of an hour's
	ledgerPictures = 32 << 20 // bytes of pictures
	ledgerEvery    = time.Second
)

// ledger writes what was decided, and keeps it in memory while the disk cannot
// be written, in order, until it can. What waits is announced as recorded to
// nobody: it is in no list and no event before it is on the disk.
type ledger struct {
	store recorder
	log   *slog.Logger
	now   func() time.Time

	// state is told when the disk stops to take entries (why is not nil) and
	// when it has taken all of them. full: nothing more can wait.
	state func(why error, waiting int, full bool)

	mu       sync.Mutex // guards what follows; held while writing, so that order is kept
	waiting  []entry
	pictures int // bytes in waiting
	since    time.Time
	tried    time.Time
	failures uint64
	lost     int // events for which there was no room
}

// entry is one thing to write; exactly one of the pointers is set.
type entry struct {
	result  *livenessd.Result
	picture []byte
	event   *livenessd.Event
	session *livenessd.Session
}

// errWaits says that something is kept in memory until the disk takes it.
var errWaits = errors.New("it waits in memory until the disk can be written")

// PutResult records r, now or later: then the error is errWaits and r has no
// Seq yet. Any other error says that it is not kept at all.
func (l *ledger) PutResult(r *livenessd.Result, picture []byte) (livenessd.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		e, err := l.store.PutResult(r, picture)
		if err == nil || !waitable(err) {
			return e, err
		}
		l.fail(err)
	}
	kept := *r
	return livenessd.Event{}, l.wait(entry{result: &kept, picture: picture})
}

// PutEvent is PutResult for events.
func (l *ledger) PutEvent(e livenessd.Event) (livenessd.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		out, err := l.store.PutEvent(e)
		if err == nil || !waitable(err) {
			return out, err
		}
		l.fail(err)
	}
	if e.At.IsZero() {
		e.At = l.now()
	}
	return e, l.wait(entry{event: &e})
}

// PutSession is PutResult for sessions; a session that waits is found.
func (l *ledger) PutSession(s livenessd.Session) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		err := l.store.PutSession(s)
		if err == nil || !waitable(err) {
			return err
		}
		l.fail(err)
	}
	return l.wait(entry{session: &s})
}

// Session returns the newest state of a session, written or waiting.
func (l *ledger) Session(id string) (livenessd.Session, error) {
	l.mu.Lock()
	for i := len(l.waiting) - 1; i >= 0; i-- {
		if s := l.waiting[i].session; s != nil && s.ID == id {
			l.mu.Unlock()
			return *s, nil
		}
	}
	l.mu.Unlock()
	return l.store.Session(id)
}

// waitable reports whether err is of the disk: it may be over later. What is
// refused for itself, and a store that only a restart mends, are not.
func waitable(err error) bool {
	return !errors.Is(err, livenessd.ErrInvalid) && !errors.Is(err, livenessd.ErrTooLarge) && !errors.Is(err, livenessd.ErrNotReady)
}

// fail takes down that the disk does not take entries any more, before the
// first of them waits.
func (l *ledger) fail(err error) {
	l.failures++
	l.since = l.now()
	l.tried = l.since
	l.log.Error("nothing can be recorded: what is decided waits in memory", "error", err)
	l.waiting = append(l.waiting, entry{event: &livenessd.Event{Type: livenessd.EventStoreFailed, At: l.since, Detail: err.Error()}})
	l.state(err, len(l.waiting), false)
}

// wait keeps e, if there is room.
func (l *ledger) wait(e entry) error {
	full := len(l.waiting) >= ledgerRoom || l.pictures+len(e.picture) > ledgerPictures && len(e.picture) > 0
	if full && e.result == nil {
		l.lost++
		return fmt.Errorf("%d entries wait already: %w", len(l.waiting), livenessd.ErrOverloaded)
	}
	if full {
		err := fmt.Errorf("the disk cannot be written, and %d entries wait in memory already: %w", len(l.waiting), livenessd.ErrOverloaded)
		l.state(err, len(l.waiting), true)
		return err
	}
	l.waiting = append(l.waiting, e)
	l.pictures += len(e.picture)
	return errWaits
}

// flush writes what waits, as far as the disk takes it, not more often than
// every ledgerEvery unless it must.
func (l *ledger) flush(must bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if len(l.waiting) == 0 || !must && now.Sub(l.tried) < ledgerEvery {
		return
	}
	l.tried = now
	total := len(l.waiting)
	for len(l.waiting) > 0 {
		if err := l.write(l.waiting[0]); err != nil {
			l.failures++
			l.state(err, len(l.waiting), false)
			return
		}
		l.pictures -= len(l.waiting[0].picture)
		l.waiting = l.waiting[1:]
	}
	l.waiting, l.pictures = nil, 0
	what := fmt.Sprintf("%d entries waited, the first since %s", total, l.since.UTC().Format(time.RFC3339))
	if l.lost > 0 {
		what += fmt.Sprintf("; for %d events there was no room", l.lost)
		l.lost = 0
	}
	l.log.Info("the disk takes records again", "what", what)
	if _, err := l.store.PutEvent(livenessd.Event{Type: livenessd.EventStoreBack, At: now, Detail: what}); err != nil {
		l.log.Error("the end of the store's failure could not be recorded", "error", err)
	}
	l.state(nil, 0, false)
}

// write commits e. What the store refuses for itself must not hold up the rest:
// after a failed sync a result may be there already.
func (l *ledger) write(e entry) error {
	var err error
	switch {
	case e.result != nil:
		_, err = l.store.PutResult(e.result, e.picture)
	case e.event != nil:
		_, err = l.store.PutEvent(*e.event)
	case e.session != nil:
		s := *e.session
		s.Unrecorded = false
		err = l.store.PutSession(s)
	}
	if err != nil && !waitable(err) && !errors.Is(err, livenessd.ErrNotReady) {
		l.log.Error("an entry that waited was refused by the store", "error", err)
		return nil
	}
	return err
}

// close tries a last time and says what is lost with the memory.
func (l *ledger) close() {
	l.flush(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) > 0 {
		l.log.Error("entries that waited for the disk are lost with this process", "entries", len(l.waiting))
	}
}

// counts returns how many entries wait, and how often the disk refused.
func (l *ledger) counts() (waiting int, failures uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting), l.failures
}
