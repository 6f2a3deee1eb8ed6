package store

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"livenessd"
)

// Bounds of what is stored and of one answer.
const (
	// MaxPicture is the greatest picture PutResult takes, in bytes.
	MaxPicture = 8 << 20
	// MaxPage is the greatest number of results or events in one answer; a
	// limit of 0 or less means DefaultPage.
	MaxPage     = 1000
	DefaultPage = 100

	maxRecord = 64 << 10 // bytes of JSON
)

func clampLimit(limit int) int {
	if limit <= 0 {
		return DefaultPage
	}
	return min(limit, MaxPage)
}

// uuid7 returns the 16 bytes of a canonical UUID of version 7. The error goes
// on a sentence.
func uuid7(id string) ([16]byte, error) {
	u, err := uuid.Parse(id)
	if err != nil || u.String() != id || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		return u, fmt.Errorf("%.60q is not a UUID of version 7 in lower case: %w", id, livenessd.ErrInvalid)
	}
	return u, nil
}

func resultKey(id string) ([16]byte, error) {
	u, err := uuid7(id)
	if err != nil {
		return u, fmt.Errorf("store: the result id %w", err)
	}
	return u, nil
}

// PutResult stores r, the picture when Options.KeepPictures is set and the
// picture is not empty, and the journal's event about it, all or nothing. They
// are on the disk when the error is nil; only then r.Seq and r.HasPicture are
// set. The returned event holds a copy of r.
//
// The error wraps livenessd.ErrInvalid when the id is not a UUID of version 7,
// is stored already, or the result has no outcome or time;
// livenessd.ErrTooLarge when the picture or the result is too large. Any other
// error is one of the disk: nothing is then announced as stored, though after a
// failed fsync Result may find it, and a second PutResult then says so.
func (s *Store) PutResult(r *livenessd.Result, picture []byte) (livenessd.Event, error) {
	id, err := checkResult(r, picture)
	if err != nil {
		return livenessd.Event{}, err
	}
	kept := *r
	kept.HasPicture = s.o.KeepPictures && len(picture) > 0
	var event livenessd.Event
	err = s.update(func(tx *bbolt.Tx) error {
		if old, err := lookup(tx, bucketResultIDs, id[:]); err != nil || old != 0 {
			return orInvalid(err, "store: the result %s is stored already", r.ID)
		}
		c, err := getCounters(tx)
		if err != nil {
			return err
		}
		c.Result++
		c.Results++
		kept.Seq = c.Result
		if err := putResult(tx, &kept, id[:]); err != nil {
			return err
		}
		if kept.HasPicture {
			c.Pictures++
			if err := putData(tx, bucketPictures, number(kept.Seq), picture); err != nil {
				return err
			}
		}
		event, err = s.appendEvent(tx, &c, livenessd.Event{Type: livenessd.EventResult, At: kept.At, Boot: kept.Boot, Session: kept.Session}, kept.Seq)
		if err != nil {
			return err
		}
		return putCounters(tx, c)
	})
	if err != nil {
		return livenessd.Event{}, err
	}
	r.Seq, r.HasPicture = kept.Seq, kept.HasPicture
	event.Result = &kept
	s.announce(event.ID)
	return event, nil
}

func checkResult(r *livenessd.Result, picture []byte) ([16]byte, error) {
	id, err := resultKey(r.ID)
	if err != nil {
		return id, err
	}
	switch r.Outcome {
	case livenessd.Live, livenessd.NotLive, livenessd.Retry:
	default:
		return id, fmt.Errorf("store: the result %s has the outcome %.20q; it must be live, not_live or retry: %w", r.ID, r.Outcome, livenessd.ErrInvalid)
	}
	if r.At.IsZero() {
		return id, fmt.Errorf("store: the result %s has no time (At): %w", r.ID, livenessd.ErrInvalid)
	}
	if len(picture) > MaxPicture {
		return id, fmt.Errorf("store: the picture of result %s has %d bytes; the limit is %d: %w", r.ID, len(picture), MaxPicture, livenessd.ErrTooLarge)
	}
	return id, nil
}

// orInvalid returns err when there is one and else an ErrInvalid that says what.
func orInvalid(err error, format string, a ...any) error {
	if err != nil {
		return err
	}
	return fmt.Errorf(format+": %w", append(a, livenessd.ErrInvalid)...)
}

func putResult(tx *bbolt.Tx, r *livenessd.Result, id []byte) error {
	if err := putJSON(tx, bucketResults, number(r.Seq), r); err != nil {
		return err
	}
	return putData(tx, bucketResultIDs, id, number(r.Seq))
}

// readResult decodes the result seq, and reports whether it is there.
func readResult(tx *bbolt.Tx, seq uint64, r *livenessd.Result) (bool, error) {
	ok, err := getJSON(tx, bucketResults, number(seq), r)
	// A picture may have been lost when a damaged file was replaced.
	r.HasPicture = tx.Bucket([]byte(bucketPictures)).Get(number(seq)) != nil
	return ok, err
}

// Result returns the result with this id, or an error that wraps
// livenessd.ErrNotFound, or livenessd.ErrInvalid when it is no id.
func (s *Store) Result(id string) (livenessd.Result, error) {
	var r livenessd.Result
	err := s.viewResult(id, func(tx *bbolt.Tx, seq uint64) error {
		_, err := readResult(tx, seq, &r)
		return err
	})
	return r, err
}

// Picture returns a copy of the picture kept with the result id. The error
// wraps livenessd.ErrNotFound when there is no such result or no picture of it.
func (s *Store) Picture(id string) ([]byte, error) {
	var picture []byte
	err := s.viewResult(id, func(tx *bbolt.Tx, seq uint64) error {
		data, err := getData(tx, bucketPictures, number(seq))
		if err != nil {
			return err
		}
		if data == nil {
			return fmt.Errorf("store: no picture was kept with result %s: %w", id, livenessd.ErrNotFound)
		}
		picture = append(picture, data...)
		return nil
	})
	return picture, err
}

func (s *Store) viewResult(id string, fn func(tx *bbolt.Tx, seq uint64) error) error {
	key, err := resultKey(id)
	if err != nil {
		return err
	}
	return s.view(func(tx *bbolt.Tx) error {
		seq, err := lookup(tx, bucketResultIDs, key[:])
		if err != nil {
			return err
		}
		if seq == 0 {
			return fmt.Errorf("store: no result %s: %w", id, livenessd.ErrNotFound)
		}
		return fn(tx, seq)
	})
}

// Results returns up to limit results in order of commitment, or the reverse,
// from cursor on. An empty cursor begins at that end. next is the cursor of the
// following page, empty when this page reaches the end. What is stored during a
// walk neither repeats nor hides a result; what is removed is left out. A
// cursor stays good for ever, over restarts too. One that is not from here, or
// from a walk the other way, is an error wrapping livenessd.ErrInvalid.
func (s *Store) Results(cursor string, limit int, newestFirst bool) (page []livenessd.Result, next string, err error) {
	err = s.walk(bucketResults, cursor, limit, newestFirst, func(tx *bbolt.Tx, seq uint64) error {
		var r livenessd.Result
		_, err := readResult(tx, seq, &r)
		page = append(page, r)
		return err
	}, &next)
	if err != nil {
		return nil, "", err
	}
	return page, next, nil
}

// walk calls read for up to limit numbers of bucket from cursor on and sets
// next to the cursor of the following page.
func (s *Store) walk(bucket, cursor string, limit int, newestFirst bool, read func(tx *bbolt.Tx, seq uint64) error, next *string) error {
	limit = clampLimit(limit)
	last, err := parseCursor(cursor, newestFirst)
	if err != nil {
		return err
	}
	return s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil { // read only, and an older program wrote the file
			return nil
		}
		c := b.Cursor()
		start, step := c.First, c.Next
		if newestFirst {
			start, step = c.Last, c.Prev
		}
		n, seq := 0, uint64(0)
		for key, _ := seek(c, start, last, newestFirst); key != nil; key, _ = step() {
			if n == limit {
				*next = formatCursor(seq, newestFirst)
				return nil
			}
			if seq, err = parseNumber(bucket, key); err != nil {
				return err
			}
			if err := read(tx, seq); err != nil {
				return err
			}
			n++
		}
		return nil
	})
}

// seek moves c behind number last in the direction of the walk; 0 is its start.
func seek(c *bbolt.Cursor, start func() (k, v []byte), last uint64, newestFirst bool) (k, v []byte) {
	switch {
	case last == 0:
		return start()
	case !newestFirst:
		return c.Seek(number(last + 1))
	}
	if k, _ := c.Seek(number(last)); k == nil {
		return c.Last()
	}
	return c.Prev()
}

func cursorMark(newestFirst bool) string {
	if newestFirst {
		return "n"
	}
	return "o"
}

func formatCursor(seq uint64, newestFirst bool) string {
	return cursorMark(newestFirst) + strconv.FormatUint(seq, 10)
}

func parseCursor(cursor string, newestFirst bool) (uint64, error) {
	if cursor == "" {
		return 0, nil
	}
	digits, ok := strings.CutPrefix(cursor, cursorMark(newestFirst))
	seq, err := strconv.ParseUint(digits, 10, 63)
	if !ok || err != nil || seq == 0 {
		return 0, fmt.Errorf("store: the cursor %.40q does not belong to this list and order; begin again without one: %w", cursor, livenessd.ErrInvalid)
	}
	return seq, nil
}

// Delete removes the result id, its picture and the record of its session. The
// journal keeps the entry, without the result. The error wraps
// livenessd.ErrNotFound when there is no such result.
func (s *Store) Delete(id string) error {
	key, err := resultKey(id)
	if err != nil {
		return err
	}
	err = s.update(func(tx *bbolt.Tx) error {
		seq, err := lookup(tx, bucketResultIDs, key[:])
		if err != nil {
			return err
		}
		if seq == 0 {
			return fmt.Errorf("store: no result %s: %w", id, livenessd.ErrNotFound)
		}
		c, err := getCounters(tx)
		if err != nil {
			return err
		}
		session, err := removeResult(tx, &c, seq)
		if err != nil {
			return err
		}
		n, err := lookup(tx, bucketSessionIDs, []byte(session))
		if err != nil {
			return err
		}
		if n != 0 {
			if err := removeSession(tx, &c, n); err != nil {
				return err
			}
		}
		return putCounters(tx, c)
	})
	if err != nil {
		return err
	}
	s.o.Log.Info("a result was erased", "result", id)
	s.announce(0)
	return nil
}

// removeResult removes the result seq with its index entry and picture and
// returns the id of its session.
func removeResult(tx *bbolt.Tx, c *counters, seq uint64) (session string, err error) {
	var r livenessd.Result
	if _, err := readResult(tx, seq, &r); err != nil {
		return "", err
	}
	key, err := resultKey(r.ID)
	if err != nil {
		return "", err
	}
	c.Results--
	if r.HasPicture {
		c.Pictures--
		if err := tx.Bucket([]byte(bucketPictures)).Delete(number(seq)); err != nil {
			return "", err
		}
	}
	if err := tx.Bucket([]byte(bucketResultIDs)).Delete(key[:]); err != nil {
		return "", err
	}
	return r.Session, tx.Bucket([]byte(bucketResults)).Delete(number(seq))
}
