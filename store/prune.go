package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// pruneBatch is how many records of a kind one transaction removes, so that a
// result that is being stored waits for milliseconds only.
const pruneBatch = 500

// Pruned counts what Prune removed.
type Pruned struct {
	Results, Pictures, Sessions, Events, Jobs int
	Aside                                     int // damaged files that had been set aside
}

// Prune removes what is older than Options.MaxAge at now, and the oldest of
// what exceeds the bounds in number, in batches between which others may write.
// Files that were set aside longer than MaxAge ago go too: everything in them
// is older still. The file of the store does not shrink. Call it every hour or
// so, and with an error in between the counts say what was removed until then.
//
// A time from before 2020 or after tomorrow shows that the device's clock was
// wrong when the record was made. Such a record goes together with the next one
// committed after it whose time makes sense.
func (s *Store) Prune(now time.Time) (Pruned, error) {
	var all Pruned
	for {
		done, err := s.pruneSome(now)
		all.Results += done.Results
		all.Pictures += done.Pictures
		all.Sessions += done.Sessions
		all.Events += done.Events
		all.Jobs += done.Jobs
		if err != nil || done == (Pruned{}) {
			var asideErr error
			all.Aside, asideErr = s.pruneAside(now)
			if all != (Pruned{}) {
				s.o.Log.Info("old records were removed", "results", all.Results, "pictures", all.Pictures,
					"sessions", all.Sessions, "events", all.Events, "jobs", all.Jobs, "files_aside", all.Aside)
				s.announce(0)
			}
			return all, errors.Join(err, asideErr)
		}
	}
}

// pruneSome removes one batch of each kind.
func (s *Store) pruneSome(now time.Time) (done Pruned, err error) {
	cutoff := now.Add(-s.o.MaxAge)
	err = s.update(func(tx *bbolt.Tx) error {
		c, err := getCounters(tx)
		if err != nil {
			return err
		}
		before := c
		for _, kind := range []struct {
			bucket string
			excess int
			remove func(n uint64) error
		}{
			{bucketResults, c.Results - s.o.MaxResults, func(n uint64) error { _, err := removeResult(tx, &c, n); return err }},
			{bucketSessions, c.Sessions - s.o.MaxResults, func(n uint64) error { return removeSession(tx, &c, n) }},
			{bucketEvents, c.Events - s.o.MaxEvents, func(n uint64) error {
				c.Events--
				return tx.Bucket([]byte(bucketEvents)).Delete(number(n))
			}},
			{bucketJobs, c.Jobs - s.o.MaxJobs, func(n uint64) error { return removeJob(tx, &c, n) }},
		} {
			doomed, err := oldest(tx, kind.bucket, kind.excess, cutoff, now)
			if err != nil {
				return err
			}
			for _, n := range doomed {
				if err := kind.remove(n); err != nil {
					return err
				}
			}
		}
		done = Pruned{Results: before.Results - c.Results, Pictures: before.Pictures - c.Pictures,
			Sessions: before.Sessions - c.Sessions, Events: before.Events - c.Events, Jobs: before.Jobs - c.Jobs}
		if done == (Pruned{}) {
			return errNothing
		}
		return putCounters(tx, c)
	})
	if errors.Is(err, errNothing) {
		return Pruned{}, nil
	}
	if err != nil {
		return Pruned{}, err
	}
	return done, nil
}

// errNothing rolls back a transaction that has nothing to write.
var errNothing = errors.New("nothing to do")

// plausible says whether the clock can have been right when it showed at.
func plausible(at, now time.Time) bool {
	return at.Year() >= 2020 && !at.After(now.Add(24*time.Hour))
}

// oldest returns the numbers of up to pruneBatch records from the beginning of
// bucket: the first excess ones and those before cutoff.
func oldest(tx *bbolt.Tx, bucket string, excess int, cutoff, now time.Time) ([]uint64, error) {
	var met []uint64
	doomed := 0 // how many of met
	c := tx.Bucket([]byte(bucket)).Cursor()
	for key, value := c.First(); key != nil && len(met) < pruneBatch; key, value = c.Next() {
		data, err := unseal(bucket, key, value)
		if err != nil {
			return nil, err
		}
		var when struct { // results, events and jobs have the one, a session the other
			At      time.Time `json:"at"`
			Created time.Time `json:"created"`
		}
		if err := decode(bucket, key, data, &when); err != nil {
			return nil, err
		}
		n, err := parseNumber(bucket, key)
		if err != nil {
			return nil, err
		}
		at := when.At
		if at.IsZero() {
			at = when.Created
		}
		met = append(met, n)
		sane := plausible(at, now)
		switch {
		case len(met) <= excess || (sane && at.Before(cutoff)):
			doomed = len(met)
		case sane:
			return met[:doomed], nil
		}
	}
	return met[:doomed], nil
}

// pruneAside removes files that were set aside before now less MaxAge.
func (s *Store) pruneAside(now time.Time) (removed int, err error) {
	if s.ids == nil {
		return 0, nil
	}
	dir, prefix := filepath.Split(s.path + asideMark)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("store: looking for files that were set aside: %w", err)
	}
	for _, e := range entries {
		stamp, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok || !asideExpired(stamp, now.Add(-s.o.MaxAge), now) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("store: removing a file that was set aside: %w", err)
		}
		removed++
	}
	return removed, nil
}

// asideExpired says whether a file with this time in its name holds nothing
// that may still be kept.
func asideExpired(stamp string, cutoff, now time.Time) bool {
	if len(stamp) < len(asideTime) {
		return false
	}
	at, err := time.Parse(asideTime, stamp[:len(asideTime)])
	return err == nil && plausible(at, now) && at.Before(cutoff)
}

// Stats is the state of the store in numbers.
type Stats struct {
	Results, Pictures, Sessions, Events int
	Jobs, Credentials                   int
	LastSeq                             uint64 // of the newest result
	LastEvent                           uint64
	OldestEvent                         uint64 // LastEvent+1 when the journal is empty
	FileBytes                           int64  // on the disk; never shrinks
	FreeBytes                           int64  // of these, to be used again; 0 when open for reading only
}

// Stats reads the counts, which are kept with the records.
func (s *Store) Stats() (Stats, error) {
	var st Stats
	err := s.view(func(tx *bbolt.Tx) error {
		c, err := getCounters(tx)
		if err != nil {
			return err
		}
		free := tx.DB().Stats()
		pages := int64(free.FreePageN + free.PendingPageN)
		st = Stats{Results: c.Results, Pictures: c.Pictures, Sessions: c.Sessions, Events: c.Events,
			Jobs: c.Jobs, Credentials: c.Credentials,
			LastSeq: c.Result, LastEvent: c.Event, OldestEvent: oldestEvent(c),
			FreeBytes: pages * int64(tx.DB().Info().PageSize)}
		return nil
	})
	if err != nil {
		return Stats{}, err
	}
	fi, err := os.Stat(s.path)
	if err != nil {
		return Stats{}, fmt.Errorf("store: %w", err)
	}
	st.FileBytes = fi.Size()
	return st, nil
}
