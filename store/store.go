package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"livenessd"
)

// Defaults of Options.
const (
	DefaultMaxAge     = 30 * 24 * time.Hour
	DefaultMaxResults = 100_000
	DefaultMaxEvents  = 100_000
	DefaultMaxJobs    = 100_000
	DefaultTimeout    = time.Second
)

// Options say what a Store keeps. The zero value of each field stands for its
// default.
type Options struct {
	// MaxAge is how long results, pictures, sessions, events and jobs are kept;
	// default DefaultMaxAge. There is no "for ever".
	MaxAge time.Duration
	// MaxResults bounds the number of results, and that of sessions; default
	// DefaultMaxResults. A result with four stages and all
	// measures takes about 2.5 KiB, and its picture what the picture takes.
	MaxResults int
	// MaxEvents bounds the journal; default DefaultMaxEvents.
	MaxEvents int
	// MaxJobs bounds the jobs; default DefaultMaxJobs. One takes about 0.5 KiB.
	MaxJobs int
	// KeepPictures lets PutResult store the picture it is given. Default: no
	// picture reaches the disk.
	KeepPictures bool
	// Timeout is how long Open waits for another process to let go of the
	// file; default DefaultTimeout.
	Timeout time.Duration
	// Now gives the time; default time.Now. It names a file that is set aside
	// and dates events that come without a time.
	Now func() time.Time
	// Log is told of removals and of damage; default: nothing is logged.
	Log *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.MaxAge < 0 || o.MaxResults < 0 || o.MaxEvents < 0 || o.MaxJobs < 0 || o.Timeout < 0 {
		return o, fmt.Errorf("store: MaxAge, MaxResults, MaxEvents, MaxJobs and Timeout must not be negative: %w", livenessd.ErrInvalid)
	}
	if o.MaxAge == 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.MaxResults == 0 {
		o.MaxResults = DefaultMaxResults
	}
	if o.MaxEvents == 0 {
		o.MaxEvents = DefaultMaxEvents
	}
	if o.MaxJobs == 0 {
		o.MaxJobs = DefaultMaxJobs
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Store is one open file. Its methods may be used by several goroutines.
type Store struct {
	path string
	o    Options
	ids  *idFile // nil when read only; used inside write transactions only

	dbMu     sync.RWMutex // held for writing while what follows is exchanged
	db       *bbolt.DB    // nil after Close, or while a failed write has left no usable file
	fallback bool         // db can only be read because the disk cannot be written
	unbegun  bool         // it could not be written since Open: begin is still to come
	closed   bool

	broken atomic.Bool // set once reading the mapped file faulted; final

	queueMu sync.Mutex
	queue   []*write   // waiting for a shared commit
	turn    sync.Mutex // held by who commits for all

	newsMu  sync.Mutex
	changed chan struct{} // closed and replaced at each commit
	last    uint64        // id of the newest event
}

// Open opens the store at path or makes a new one, whose mode is 0600. The
// directory must exist and be writable. Replaced is non-nil when the file was
// damaged and had to be set aside; the fresh file's journal then begins with an
// event that says so.
//
// A sound file on a disk that is full or read only is opened all the same: it
// can be read, and every write tries the disk anew until it can be written.
// Readable tells.
//
// The error wraps livenessd.ErrBusy when another process has the file open, and
// livenessd.ErrInvalid when somebody has to mend the path or when the file was
// written by a newer version of this program. The whole file is read, so
// Open takes as long as the disk needs for that: BenchmarkOpen100k.
func Open(path string, o Options) (*Store, *Replaced, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	path, err = checkPlace(path)
	if err != nil {
		return nil, nil, err
	}
	s := &Store{path: path, o: o, ids: newIDFile(path + ".ids"), changed: make(chan struct{})}
	replaced, err := s.openWritable()
	if isDisk(err) {
		s.o.Log.Error("the store can only be read", "path", path, "err", err)
		if err2 := s.openReadable(); err2 != nil {
			return nil, nil, errors.Join(err, err2)
		}
		return s, replaced, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return s, replaced, nil
}

// openWritable is Open on a disk that can be written. After an error nothing
// is open.
func (s *Store) openWritable() (*Replaced, error) {
	if err := probe(s.path); err != nil {
		return nil, err
	}
	f, replaced, err := s.openChecked()
	if err != nil {
		return nil, err
	}
	if err := s.attach(f, false); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		if s.db != nil {
			err = errors.Join(err, s.db.Close())
			s.db = nil
		}
		return nil, err
	}
	return replaced, nil
}

// openReadable opens a sound file for reading until it can be written.
func (s *Store) openReadable() error {
	if err := s.ids.load(); err != nil {
		return err
	}
	f, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := lockFile(f, false, s.o.Timeout); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := inspectFile(f); err != nil {
		return errors.Join(fmt.Errorf("store: %s is not sound, and on this disk it cannot be replaced: %w", s.path, err), f.Close())
	}
	s.fallback, s.unbegun = true, true
	if err := s.attach(f, true); err != nil {
		return err
	}
	return s.view(s.loadLast)
}

// Readable reports whether the file can be read and, for the time being, not
// written.
func (s *Store) Readable() bool {
	s.dbMu.RLock()
	defer s.dbMu.RUnlock()
	return s.fallback
}

// OpenReadOnly opens an existing store for reading while no daemon holds it.
// It changes nothing on the disk. A damaged file is an error and is left where
// it is. Every method that writes returns an error.
func OpenReadOnly(path string) (*Store, error) {
	o, err := Options{}.withDefaults()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: there is no file %s: %w", path, livenessd.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := lockFile(f, false, o.Timeout); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := inspectFile(f); err != nil {
		err = fmt.Errorf("store: %s is not sound; the daemon sets it aside at its next start: %w", path, err)
		return nil, errors.Join(err, f.Close())
	}
	s := &Store{path: path, o: o, changed: make(chan struct{})}
	if err := s.attach(f, true); err != nil {
		return nil, err
	}
	if err := s.view(s.loadLast); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// checkPlace returns path with symbolic links followed, after checking that a
// file can live there.
func checkPlace(path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("store: the path of the store is empty; set one: %w", livenessd.ErrInvalid)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("store: the directory %s cannot be used (%v); create it and give it to the daemon's user: %w", filepath.Dir(path), err, livenessd.ErrInvalid)
	}
	path = filepath.Join(dir, filepath.Base(path))
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to
	}
	fi, err := os.Stat(path)
	if err == nil && !fi.Mode().IsRegular() {
		return "", fmt.Errorf("store: %s is not a regular file (%s); name another path or move it away: %w", path, fi.Mode().Type(), livenessd.ErrInvalid)
	}
	return path, nil
}

// probe returns why nothing can be written beside path, or nil.
func probe(path string) error {
	f, err := os.OpenFile(path+".probe", os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("store: the directory %s cannot be written (%w); make room, mount it writable or give it to the daemon's user: %w", filepath.Dir(path), err, livenessd.ErrInvalid)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// begin brings the schema up to date and reads where
// the journal stands.
func (s *Store) begin() error {
	return s.update(func(tx *bbolt.Tx) error {
		if err := migrate(tx); err != nil {
			return err
		}
		c, err := getCounters(tx)
		if err != nil {
			return err
		}
		if err := s.ids.raise(c.highest()); err != nil {
			return err
		}
		return s.loadLast(tx)
	})
}

func (s *Store) loadLast(tx *bbolt.Tx) error {
	c, err := getCounters(tx)
	s.newsMu.Lock()
	s.last = c.Event
	s.newsMu.Unlock()
	return err
}

// Close waits for running calls and closes the file. Followers that wait on
// Changed are woken. After a fault while reading the file it leaves the file to
// the end of the process, because bbolt's locks may then be held for ever.
func (s *Store) Close() error {
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.announce(0)
	if s.db == nil || s.broken.Load() {
		return nil
	}
	db := s.db
	s.db = nil
	if err := db.Close(); err != nil {
		return fmt.Errorf("store: closing %s: %w", s.path, err)
	}
	return nil
}

// Changed returns a channel that is closed at the next commit or at Close. Take
// the channel first, then read, then wait: nothing is missed so.
func (s *Store) Changed() <-chan struct{} {
	s.newsMu.Lock()
	defer s.newsMu.Unlock()
	return s.changed
}

// LastEvent returns the id of the newest event ever written, 0 before the first.
func (s *Store) LastEvent() uint64 {
	s.newsMu.Lock()
	defer s.newsMu.Unlock()
	return s.last
}

// announce wakes followers; event 0 leaves LastEvent as it is.
func (s *Store) announce(event uint64) {
	s.newsMu.Lock()
	defer s.newsMu.Unlock()
	s.last = max(s.last, event)
	close(s.changed)
	s.changed = make(chan struct{})
}
