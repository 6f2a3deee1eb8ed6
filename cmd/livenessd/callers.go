package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"livenessd"
	"livenessd/api"
	"livenessd/challenge"
)

var errStopping = fmt.Errorf("the daemon is stopping: %w", livenessd.ErrNotReady)

// do runs f on the loop's goroutine and waits for it.
func (t *terminal) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case t.commands <- func() { f(); close(done) }:
	case <-ctx.Done():
		return errStopping
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errStopping
	}
}

// callers is what the API may ask of the terminal.
type callers struct {
	*terminal
	ctx context.Context // ends with the loop
}

// Start begins a session that waits for a person.
func (c callers) Start(ctx context.Context, q api.SessionRequest) (livenessd.Session, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return livenessd.Session{}, err
	}
	wait := q.Timeout
	if wait == 0 {
		wait = defaultExpiry
	}
	now := time.Now()
	s := livenessd.Session{
		ID: id.String(), Reference: q.Reference, State: livenessd.SessionWaiting, Created: now, Expires: now.Add(wait),
	}
	if err2 := c.do(c.ctx, func() {
		if err = c.kiosk.Request(s.ID, s.Reference, q.Reduced, now, s.Expires); err != nil {
			return
		}
		if err = c.store.PutSession(s); errors.Is(err, errWaits) {
			err = nil
		} else if err != nil { // nobody could ask for it later
			if out, err2 := c.kiosk.Cancel(s.ID, now); err2 == nil {
				c.show(out)
			}
			return
		}
		c.sessions[s.ID] = s
	}); err2 != nil {
		return livenessd.Session{}, err2
	}
	return s, err
}

// Session returns a running session, or one of the store's.
func (c callers) Session(id string) (s livenessd.Session, err error) {
	found := false
	if err := c.do(c.ctx, func() { s, found = c.sessions[id] }); err != nil {
		return s, err
	}
	if found {
		return s, nil
	}
	s, err = c.store.Session(id)
	if err == nil && s.State != livenessd.SessionDone {
		// It was cut off by an end of the daemon: nobody will finish it.
		s.State, s.Outcome = livenessd.SessionDone, livenessd.Retry
	}
	return s, err
}

// Cancel ends a session as retry.
func (c callers) Cancel(id string) error {
	var err error
	if err2 := c.do(c.ctx, func() {
		var out challenge.Output
		if out, err = c.kiosk.Cancel(id, time.Now()); err == nil {
			c.show(out)
		}
	}); err2 != nil {
		return err2
	}
	if errors.Is(err, livenessd.ErrNotFound) {
		if _, err := c.store.Session(id); err != nil {
			return err
		}
		return nil // done already: its result stands
	}
	return err
}
