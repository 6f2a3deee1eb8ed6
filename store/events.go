package store

import (
	"fmt"

	"go.etcd.io/bbolt"

	"livenessd"
)

// GoneError says that events after the id asked for are no longer kept, or that
// the id asked for was never given out. It wraps livenessd.ErrGone.
type GoneError struct {
	After  uint64 // as asked for
	Oldest uint64 // the oldest event kept, or the next one where none is; ask with after = Oldest-1 to go on
}

func (e *GoneError) Error() string {
	return fmt.Sprintf("store: the events that follow %d are not here; the oldest kept is %d: %v", e.After, e.Oldest, livenessd.ErrGone)
}

// Unwrap returns livenessd.ErrGone.
func (e *GoneError) Unwrap() error { return livenessd.ErrGone }

// storedEvent is an entry of the journal on the disk. The result is named and
// not held, so that it is in one place when it has to be erased.
type storedEvent struct {
	livenessd.Event
	ResultSeq uint64 `json:"result_seq,omitempty"`
}

// resultGone is the Detail of an event whose result was removed.
const resultGone = "The result was erased or is no longer kept."

// PutEvent appends e to the journal and returns it with its ID, and its time
// where At was zero. It is on the disk when the error is nil. Events about
// results come from PutResult alone; giving one is an error wrapping
// livenessd.ErrInvalid.
func (s *Store) PutEvent(e livenessd.Event) (livenessd.Event, error) {
	if e.Type == "" || e.Type == livenessd.EventResult || e.Result != nil {
		return livenessd.Event{}, fmt.Errorf("store: an event of type %.40q cannot be put by itself: %w", e.Type, livenessd.ErrInvalid)
	}
	if e.At.IsZero() {
		e.At = s.o.Now()
	}
	err := s.update(func(tx *bbolt.Tx) error {
		c, err := getCounters(tx)
		if err != nil {
			return err
		}
		if e, err = s.appendEvent(tx, &c, e, 0); err != nil {
			return err
		}
		return putCounters(tx, c)
	})
	if err != nil {
		return livenessd.Event{}, err
	}
	s.announce(e.ID)
	return e, nil
}

// appendEvent gives e the next id and stores it; the caller stores c.
func (s *Store) appendEvent(tx *bbolt.Tx, c *counters, e livenessd.Event, resultSeq uint64) (livenessd.Event, error) {
	c.Event++
	c.Events++
	e.ID = c.Event
	if err := s.ids.raise(c.highest()); err != nil {
		return e, err
	}
	return e, putJSON(tx, bucketEvents, number(e.ID), storedEvent{Event: e, ResultSeq: resultSeq})
}

// Events returns up to limit events with ids above after, oldest first; none
// when after is the newest. Result is filled in as it is stored now, and nil
// with a Detail that says so where the result was removed. The error is a
// *GoneError when events after that id were removed, or when after was never
// given out, as after a store was lost.
func (s *Store) Events(after uint64, limit int) ([]livenessd.Event, error) {
	limit = clampLimit(limit)
	var events []livenessd.Event
	err := s.view(func(tx *bbolt.Tx) error {
		count, err := getCounters(tx)
		if err != nil {
			return err
		}
		if oldest := oldestEvent(count); after+1 < oldest || after > count.Event {
			return &GoneError{After: after, Oldest: oldest}
		}
		c := tx.Bucket([]byte(bucketEvents)).Cursor()
		for key, value := c.Seek(number(after + 1)); key != nil && len(events) < limit; key, value = c.Next() {
			e, err := readEvent(tx, key, value)
			if err != nil {
				return err
			}
			events = append(events, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// oldestEvent is the id of the oldest event kept; the journal has no gaps.
func oldestEvent(c counters) uint64 { return c.Event + 1 - uint64(c.Events) }

func readEvent(tx *bbolt.Tx, key, value []byte) (livenessd.Event, error) {
	var e storedEvent
	data, err := unseal(bucketEvents, key, value)
	if err != nil {
		return e.Event, err
	}
	if err := decode(bucketEvents, key, data, &e); err != nil || e.ResultSeq == 0 {
		return e.Event, err
	}
	var r livenessd.Result
	ok, err := readResult(tx, e.ResultSeq, &r)
	if ok {
		e.Event.Result = &r
	} else {
		e.Event.Detail = resultGone
	}
	return e.Event, err
}
