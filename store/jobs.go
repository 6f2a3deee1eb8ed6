package store

import (
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"livenessd"
)

// PutJobs stores records of calls of the API, in this order and in one commit;
// their Seq is given here. They are on the disk when the error is nil. The
// error wraps livenessd.ErrInvalid, and none is stored, when an id is not a
// UUID of version 7 or is stored already, a dialect is none, a time is missing,
// an outcome is no outcome or a text is longer than livenessd.MaxJobText.
func (s *Store) PutJobs(jobs ...livenessd.Job) error {
	ids := make([][16]byte, len(jobs))
	for i := range jobs {
		var err error
		if ids[i], err = checkJob(&jobs[i]); err != nil {
			return err
		}
	}
	return s.share(func(tx *bbolt.Tx, c *counters) (refused, failed error) {
		for i, id := range ids {
			old, err := lookup(tx, bucketJobIDs, id[:])
			if err != nil {
				return nil, err
			}
			if old != 0 || slices.Contains(ids[:i], id) {
				return fmt.Errorf("store: the job %s is stored already: %w", jobs[i].ID, livenessd.ErrInvalid), nil
			}
		}
		for i, j := range jobs {
			c.Job++
			c.Jobs++
			j.Seq = c.Job
			if err := putJSON(tx, bucketJobs, number(j.Seq), j); err != nil {
				return nil, err
			}
			if err := putData(tx, bucketJobIDs, ids[i][:], number(j.Seq)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

func checkJob(j *livenessd.Job) ([16]byte, error) {
	id, err := uuid7(j.ID)
	if err != nil {
		return id, fmt.Errorf("store: the job id %w", err)
	}
	bad := func(format string, a ...any) error {
		return fmt.Errorf("store: the job "+j.ID+" "+format+": %w", append(a, livenessd.ErrInvalid)...)
	}
	switch {
	case !slices.Contains(livenessd.Dialects, j.Dialect):
		return id, bad("has the dialect %.20q, which there is not", j.Dialect)
	case j.At.IsZero():
		return id, bad("has no time (At)")
	case !slices.Contains([]livenessd.Outcome{"", livenessd.Live, livenessd.NotLive, livenessd.Retry}, j.Outcome):
		return id, bad("has the outcome %.20q; it must be live, not_live, retry or none", j.Outcome)
	}
	for _, text := range []string{j.Credential, j.Reference, j.Client, j.Code} {
		if len(text) > livenessd.MaxJobText {
			return id, bad("holds a text of %d bytes; the limit is %d", len(text), livenessd.MaxJobText)
		}
	}
	for _, score := range []*livenessd.Score{j.Texture, j.Motion} {
		if score != nil && !(score.Value >= 0 && score.Value <= 1 && score.Threshold >= 0 && score.Threshold <= 1) {
			return id, bad("has the score %v with the threshold %v, outside 0..1", score.Value, score.Threshold)
		}
	}
	return id, nil
}

// Job returns the job with this id, or an error that wraps
// livenessd.ErrNotFound, or livenessd.ErrInvalid when it is no id.
func (s *Store) Job(id string) (livenessd.Job, error) {
	var j livenessd.Job
	key, err := uuid7(id)
	if err != nil {
		return j, fmt.Errorf("store: the job id %w", err)
	}
	err = s.view(func(tx *bbolt.Tx) error {
		seq, err := lookup(tx, bucketJobIDs, key[:])
		if err != nil {
			return err
		}
		if seq == 0 {
			return fmt.Errorf("store: no job %s: %w", id, livenessd.ErrNotFound)
		}
		_, err = getJSON(tx, bucketJobs, number(seq), &j)
		return err
	})
	return j, err
}

// Jobs returns up to limit jobs in order of commitment, or the reverse, from
// cursor on. Cursors are as in Results.
func (s *Store) Jobs(cursor string, limit int, newestFirst bool) (page []livenessd.Job, next string, err error) {
	err = s.walk(bucketJobs, cursor, limit, newestFirst, func(tx *bbolt.Tx, seq uint64) error {
		var j livenessd.Job
		_, err := getJSON(tx, bucketJobs, number(seq), &j)
		page = append(page, j)
		return err
	}, &next)
	if err != nil {
		return nil, "", err
	}
	return page, next, nil
}

// removeJob removes job number n and its index entry.
func removeJob(tx *bbolt.Tx, c *counters, n uint64) error {
	var j livenessd.Job
	if _, err := getJSON(tx, bucketJobs, number(n), &j); err != nil {
		return err
	}
	key, err := uuid7(j.ID)
	if err != nil {
		return err
	}
	c.Jobs--
	if err := tx.Bucket([]byte(bucketJobIDs)).Delete(key[:]); err != nil {
		return err
	}
	return tx.Bucket([]byte(bucketJobs)).Delete(number(n))
}
