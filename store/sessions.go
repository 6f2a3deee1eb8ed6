package store

import (
	"fmt"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"livenessd"
)

// maxSessionID bounds the id of a session, in bytes.
const maxSessionID = 128

func checkSessionID(id string) error {
	if id == "" || len(id) > maxSessionID {
		return fmt.Errorf("store: a session id has %d bytes; it must have 1 to %d: %w", len(id), maxSessionID, livenessd.ErrInvalid)
	}
	if !utf8.ValidString(id) { // JSON would change it, and the index would not fit
		return fmt.Errorf("store: the session id %.60q is not UTF-8: %w", id, livenessd.ErrInvalid)
	}
	return nil
}

// PutSession stores v, in place of an earlier state of the same session. It is
// on the disk when the error is nil. The error wraps livenessd.ErrInvalid when
// the id does not do.
func (s *Store) PutSession(v livenessd.Session) error {
	if err := checkSessionID(v.ID); err != nil {
		return err
	}
	err := s.update(func(tx *bbolt.Tx) error {
		n, err := lookup(tx, bucketSessionIDs, []byte(v.ID))
		if err != nil {
			return err
		}
		if n != 0 {
			return putJSON(tx, bucketSessions, number(n), v)
		}
		c, err := getCounters(tx)
		if err != nil {
			return err
		}
		c.Session++
		c.Sessions++
		if err := s.ids.raise(c.highest()); err != nil {
			return err
		}
		if err := putJSON(tx, bucketSessions, number(c.Session), v); err != nil {
			return err
		}
		if err := putData(tx, bucketSessionIDs, []byte(v.ID), number(c.Session)); err != nil {
			return err
		}
		return putCounters(tx, c)
	})
	if err != nil {
		return err
	}
	s.announce(0)
	return nil
}

// Session returns the latest state of the session id. The error wraps
// livenessd.ErrNotFound when it is not, or no longer, there.
func (s *Store) Session(id string) (livenessd.Session, error) {
	var v livenessd.Session
	if err := checkSessionID(id); err != nil {
		return v, err
	}
	err := s.view(func(tx *bbolt.Tx) error {
		n, err := lookup(tx, bucketSessionIDs, []byte(id))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("store: no session %q: %w", id, livenessd.ErrNotFound)
		}
		_, err = getJSON(tx, bucketSessions, number(n), &v)
		return err
	})
	return v, err
}

// removeSession removes session number n and its index entry.
func removeSession(tx *bbolt.Tx, c *counters, n uint64) error {
	var v livenessd.Session
	if _, err := getJSON(tx, bucketSessions, number(n), &v); err != nil {
		return err
	}
	c.Sessions--
	if err := tx.Bucket([]byte(bucketSessionIDs)).Delete([]byte(v.ID)); err != nil {
		return err
	}
	return tx.Bucket([]byte(bucketSessions)).Delete(number(n))
}
