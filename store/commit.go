package store

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"livenessd"
)

// This file stands between the store's methods and bbolt: every transaction
// goes through view or update.

// attach gives an already locked and checked f to bbolt, so that nobody can
// exchange the file between the check and its use. bbolt owns f from here on,
// also when it fails.
func (s *Store) attach(f *os.File, readOnly bool) error {
	return s.guard(func() error {
		db, err := bbolt.Open(s.path, 0o600, &bbolt.Options{
			Timeout:      s.o.Timeout,
			ReadOnly:     readOnly,
			FreelistType: bbolt.FreelistMapType,
			OpenFile:     func(string, int, os.FileMode) (*os.File, error) { return f, nil },
		})
		if err != nil {
			return fmt.Errorf("store: opening %s: %w", s.path, err)
		}
		s.db = db
		return nil
	})
}

// view runs fn in a read transaction.
func (s *Store) view(fn func(*bbolt.Tx) error) error {
	s.dbMu.RLock()
	defer s.dbMu.RUnlock()
	if err := s.usable(); err != nil {
		return err
	}
	return s.guard(func() error { return s.db.View(fn) })
}

// update runs fn in a write transaction. A failed commit leaves the file as it
// was before; bbolt's memory of it may not be, so the file is opened again.
func (s *Store) update(fn func(*bbolt.Tx) error) error {
	committing, err := s.tryUpdate(fn)
	if err != nil && committing {
		if again := s.reopen(); again != nil {
			return errors.Join(err, again)
		}
	}
	return err
}

func (s *Store) tryUpdate(fn func(*bbolt.Tx) error) (committing bool, err error) {
	if err := s.revive(); err != nil {
		return false, err
	}
	s.dbMu.RLock()
	defer s.dbMu.RUnlock()
	if err := s.usable(); err != nil {
		return false, err
	}
	if s.ids == nil {
		return false, fmt.Errorf("store: %s is open for reading only: %w", s.path, livenessd.ErrNotReady)
	}
	err = s.guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			committing = false
			if err := fn(tx); err != nil {
				return err
			}
			committing = true
			return nil
		})
	})
	if err != nil && committing {
		err = fmt.Errorf("store: writing %s failed; check the disk and its free space: %w", s.path, err)
	}
	return committing, err
}

// usable says whether s.db may be used; dbMu is held.
func (s *Store) usable() error {
	switch {
	case s.closed:
		return fmt.Errorf("store: %s is closed: %w", s.path, livenessd.ErrNotReady)
	case s.broken.Load():
		return fmt.Errorf("store: %s became unreadable; restart the daemon, which sets a damaged file aside: %w", s.path, livenessd.ErrNotReady)
	case s.db == nil:
		return fmt.Errorf("store: %s could not be opened again after a failed write; check the disk", s.path)
	}
	return nil
}

// guard turns a panic of bbolt, or a fault while it reads the mapped file (a
// failing disk, a file that somebody cut short), into an error and closes the
// store to further use: bbolt's state cannot be trusted after either.
func (s *Store) guard(fn func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("store: reading %s failed (%v); restart the daemon, which sets a damaged file aside: %w", s.path, r, livenessd.ErrNotReady)
			s.broken.Store(true)
		}
	}()
	return fn()
}

// revive opens the file again where an earlier failure left none open, or one
// that can only be read.
func (s *Store) revive() error {
	s.dbMu.RLock()
	open := s.db != nil && !s.fallback || s.closed || s.broken.Load()
	s.dbMu.RUnlock()
	if open {
		return nil
	}
	if err := s.reopen(); err != nil {
		return err
	}
	s.dbMu.RLock()
	readOnly := s.fallback
	s.dbMu.RUnlock()
	if readOnly {
		return fmt.Errorf("store: %s can only be read: make room on the disk, or mount it writable", s.path)
	}
	s.dbMu.Lock()
	begin := s.unbegun
	s.unbegun = false
	s.dbMu.Unlock()
	if begin {
		if err := s.begin(); err != nil {
			s.dbMu.Lock()
			s.unbegun = true
			s.dbMu.Unlock()
			return err
		}
	}
	return nil
}

// reopen closes the file after a failed commit and opens it again, for reading
// only where the disk allows no more. The pages were checked by Open and bbolt
// never writes over a page in use, so they are not all read again here.
func (s *Store) reopen() error {
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	if s.closed || s.broken.Load() {
		return nil
	}
	if s.fallback && s.db != nil && probe(s.path) != nil {
		return nil // nothing has changed: who reads is not disturbed
	}
	if s.db != nil {
		err := s.db.Close()
		s.db = nil
		if err != nil {
			s.o.Log.Error("closing the store after a failed write", "path", s.path, "err", err)
		}
	}
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	s.fallback = isDisk(err)
	if s.fallback {
		f, err = os.Open(s.path)
	}
	if err != nil {
		return fmt.Errorf("store: opening again after a failed write: %w", err)
	}
	if err := lockFile(f, !s.fallback, s.o.Timeout); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := s.attach(f, s.fallback); err != nil {
		return err
	}
	return s.guard(func() error { return s.db.View(s.loadLast) })
}

// isDisk reports whether err is of a disk that can be read and not written.
func isDisk(err error) bool {
	return errors.Is(err, unix.EROFS) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}
