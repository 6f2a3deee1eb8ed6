package store

import "go.etcd.io/bbolt"

// write is a change that may share its commit with others. Calls of the API
// come many at a time, and a commit costs a sync of the disk.
type write struct {
	// apply returns a refusal before it has changed anything, or a failure
	// that undoes the whole commit.
	apply func(tx *bbolt.Tx, c *counters) (refused, failed error)

	done bool  // under Store.turn
	err  error // under Store.turn
}

// share commits apply, together with all that others asked for meanwhile: who
// comes while a commit runs waits for its end, and then one commits for all
// who waited.
func (s *Store) share(apply func(tx *bbolt.Tx, c *counters) (refused, failed error)) error {
	w := &write{apply: apply}
	s.queueMu.Lock()
	s.queue = append(s.queue, w)
	s.queueMu.Unlock()

	s.turn.Lock()
	defer s.turn.Unlock()
	if !w.done {
		s.queueMu.Lock()
		all := s.queue
		s.queue = nil
		s.queueMu.Unlock()
		s.commitAll(all)
	}
	return w.err
}

// commitAll commits what can be and tells each how it went.
func (s *Store) commitAll(all []*write) {
	err := s.update(func(tx *bbolt.Tx) error {
		c, err := getCounters(tx)
		if err != nil {
			return err
		}
		changed := false
		for _, w := range all {
			var failed error
			if w.err, failed = w.apply(tx, &c); failed != nil {
				return failed
			}
			changed = changed || w.err == nil
		}
		if !changed {
			return errNothing
		}
		if err := s.ids.raise(c.highest()); err != nil {
			return err
		}
		return putCounters(tx, c)
	})
	for _, w := range all {
		w.done = true
		if w.err == nil && err != errNothing {
			w.err = err
		}
	}
}
