package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"livenessd"
)

// Replaced says that a damaged file was set aside.
type Replaced struct {
	Path        string // where the damaged file lies now
	Reason      string // what is wrong with it, for a person
	Results     int    // how many results were carried over into the fresh file
	Pictures    int    // how many pictures
	Sessions    int    // how many sessions
	Jobs        int    // how many jobs
	Credentials int    // how many credentials: one whose removal was the last commit may be back
	Skipped     int    // how many damaged places were passed over while doing so
}

// The name of a file that was set aside ends in a mark and the time in UTC.
const (
	asideMark = ".damaged-"
	asideTime = "20060102T150405Z"
)

// jump is how far numbering skips ahead when nothing says which numbers a
// damaged store had given out.
const jump = 1_000_000

// openChecked returns the file at s.path, locked and sound. It makes the file
// when there is none and replaces it when it is damaged.
func (s *Store) openChecked() (*os.File, *Replaced, error) {
	if err := s.ids.load(); err != nil {
		return nil, nil, err
	}
	var replaced *Replaced
	// Once to find the file missing or damaged, once to open what was made;
	// more only while another process does the same.
	for range 5 {
		f, err := os.OpenFile(s.path, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			if err := s.makeNew(); err != nil {
				return nil, nil, err
			}
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("store: %w", err)
		}
		again, r, err := s.check(f)
		if r != nil {
			replaced = r
		}
		if err == nil && !again {
			return f, replaced, nil
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("store: another process keeps replacing %s: %w", s.path, livenessd.ErrBusy)
}

// check locks and inspects f and replaces it when it is damaged. again says
// that the path has another file now.
func (s *Store) check(f *os.File) (again bool, r *Replaced, err error) {
	if err := lockFile(f, true, s.o.Timeout); err != nil {
		return false, nil, err
	}
	if same, err := s.stillThere(f); err != nil || !same {
		return true, nil, err
	}
	err = inspectFile(f)
	if !isDamage(err) {
		return false, nil, err
	}
	r, err = s.replace(f, err.Error())
	return true, r, err
}

// stillThere says whether s.path still leads to f, which another process may
// have set aside while we waited for the lock.
func (s *Store) stillThere(f *os.File) (bool, error) {
	have, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	want, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	return os.SameFile(have, want), nil
}

// makeNew makes an empty store. Where a store was removed by hand, numbering
// goes on after the numbers that it may have given out.
func (s *Store) makeNew() error {
	base := s.ids.reserved // begin reserves what follows, once the store is there
	tmp, err := s.build(func(db *bbolt.DB) error {
		return db.Update(func(tx *bbolt.Tx) error { return layOut(tx, base) })
	})
	if err != nil {
		return err
	}
	return s.install(tmp)
}

// build makes a complete bbolt file beside s.path and returns its name, so that
// a half-made store is never found under the real name.
func (s *Store) build(fill func(*bbolt.DB) error) (string, error) {
	tmp := s.path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("store: %w", err)
	}
	db, err := bbolt.Open(tmp, 0o600, &bbolt.Options{Timeout: s.o.Timeout, NoSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return "", errors.Join(fmt.Errorf("store: making %s: %w", tmp, err), os.RemoveAll(tmp))
	}
	err = fill(db)
	if err == nil {
		err = db.Sync()
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("store: making %s: %w", tmp, err), os.RemoveAll(tmp))
	}
	return tmp, nil
}

func (s *Store) install(tmp string) error {
	if err := os.Rename(tmp, s.path); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := syncDir(filepath.Dir(s.path)); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// replace sets f, which lies damaged at s.path, aside and puts a fresh store
// with what could be saved in its place.
func (s *Store) replace(f *os.File, reason string) (*Replaced, error) {
	aside, err := s.asideName()
	if err != nil {
		return nil, err
	}
	r := &Replaced{Path: aside, Reason: reason}
	tmp, err := s.build(func(db *bbolt.DB) error { return s.salvage(f, db, r) })
	if err != nil {
		return nil, fmt.Errorf("store: %s is damaged (%s) and no fresh file could be made: %w", s.path, reason, err)
	}
	// A second name first, then the exchange: at no moment is there no file.
	// Where the file system has no hard links a power cut between the two
	// renames leaves the path empty, and the next start makes an empty store.
	if err := os.Link(s.path, aside); err != nil {
		if err := os.Rename(s.path, aside); err != nil {
			return nil, fmt.Errorf("store: setting the damaged file aside: %w", err)
		}
	}
	if err := s.install(tmp); err != nil {
		return nil, err
	}
	s.o.Log.Error("the store was damaged and has been replaced", "path", s.path, "aside", aside, "reason", reason,
		"results", r.Results, "pictures", r.Pictures, "sessions", r.Sessions, "jobs", r.Jobs, "credentials", r.Credentials, "skipped", r.Skipped)
	return r, nil
}

// asideName finds a name that is not taken.
func (s *Store) asideName() (string, error) {
	base := s.path + asideMark + s.o.Now().UTC().Format(asideTime)
	name := base
	for i := 2; i < 1000; i++ {
		_, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", fmt.Errorf("store: %w", err)
		}
		name = fmt.Sprintf("%s-%d", base, i)
	}
	return "", fmt.Errorf("store: too many damaged files beside %s; look at them and remove some: %w", s.path, livenessd.ErrInvalid)
}

// salvage fills db with what can still be read of f and notes in r how much.
func (s *Store) salvage(f *os.File, db *bbolt.DB, r *Replaced) error {
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { return layOut(tx, 0) }); err != nil {
		return err
	}
	w := &salvager{db: db, r: r}
	// Where no header page is sound there is no way to tell the present
	// records from erased ones, and nothing is carried over.
	if p, _ := openPages(f, fi.Size()); p != nil {
		p.lenient = true
		for _, names := range [][]string{{bucketMeta, bucketEvents, bucketResults, bucketSessions, bucketJobs, bucketCredentials}, {bucketPictures}} {
			p.restart()
			if err := w.pass(p, names); err != nil {
				return err
			}
		}
		r.Skipped = p.skipped
	}
	base := max(w.highest, s.ids.reserved)
	if s.ids.reserved == 0 {
		base = max(w.highest+jump, uint64(max(0, s.o.Now().UnixMilli())))
	}
	if err := s.ids.raise(base + 1); err != nil {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		c := counters{Event: base, Result: base, Session: base, Job: base, Results: r.Results, Pictures: r.Pictures, Sessions: r.Sessions,
			Jobs: r.Jobs, Credentials: r.Credentials}
		_, err := s.appendEvent(tx, &c, livenessd.Event{Type: livenessd.EventStoreReplaced, At: s.o.Now(),
			Detail: fmt.Sprintf("The store was damaged (%s). It was set aside as %s; %d results, %d pictures, %d sessions, %d jobs and %d credentials were carried over; look through the credentials.",
				r.Reason, r.Path, r.Results, r.Pictures, r.Sessions, r.Jobs, r.Credentials)}, 0)
		return errors.Join(err, putCounters(tx, c))
	})
}

// salvager copies records into a fresh store.
type salvager struct {
	db      *bbolt.DB
	r       *Replaced
	highest uint64 // number met
	tx      *bbolt.Tx
	pending int // bytes in tx
}

// salvageBatch is how many bytes go into one transaction, to bound memory.
const salvageBatch = 4 << 20

// pass copies the named buckets.
func (w *salvager) pass(p *pageFile, names []string) (err error) {
	if w.tx, err = w.db.Begin(true); err != nil {
		return err
	}
	err = p.walk(p.root, nil, nil, 0, func(depth int, isBucket bool, key, value []byte) error {
		for _, name := range names {
			if isBucket && string(key) == name {
				return p.bucket(name, depth, value, w.copier(name))
			}
		}
		return nil
	})
	if err != nil && w.tx != nil {
		return errors.Join(err, w.tx.Rollback())
	}
	if err != nil {
		return err
	}
	return w.tx.Commit()
}

func (w *salvager) copier(name string) leafFunc {
	return func(_ int, isBucket bool, key, value []byte) error {
		data, err := unseal(name, key, value)
		if isBucket || err != nil {
			return damaged("a record of %s is damaged", name)
		}
		if name == bucketMeta {
			w.note(key, data)
			return nil
		}
		if name == bucketCredentials {
			err = w.credential(key, data)
		} else {
			err = w.numbered(name, key, data)
		}
		if err != nil {
			return err
		}
		if w.pending += len(value); w.pending < salvageBatch {
			return nil
		}
		w.pending = 0
		done := w.tx
		w.tx = nil
		if err := done.Commit(); err != nil {
			return err
		}
		w.tx, err = w.db.Begin(true)
		return err
	}
}

// note takes the numbers given out from the old counters.
func (w *salvager) note(key, data []byte) {
	var c counters
	if string(key) == string(keyCounters) && json.Unmarshal(data, &c) == nil {
		w.highest = max(w.highest, c.highest())
	}
}

// credential copies an account: without it a caller could not ask any more.
func (w *salvager) credential(key, data []byte) error {
	var v livenessd.Credential
	err := json.Unmarshal(data, &v)
	if err == nil {
		err = checkCredential(&v)
	}
	if err != nil || v.Name != string(key) {
		return damaged("a credential cannot be read: %v", err)
	}
	if w.tx.Bucket([]byte(bucketCredentials)).Get(key) != nil {
		return nil
	}
	w.r.Credentials++
	return putData(w.tx, bucketCredentials, key, data)
}

func (w *salvager) numbered(name string, key, data []byte) error {
	n, err := parseNumber(name, key)
	if err != nil {
		return damaged("%v", err)
	}
	w.highest = max(w.highest, n)
	return w.record(name, n, key, data)
}

func (w *salvager) record(name string, n uint64, key, data []byte) error {
	switch name {
	case bucketResults:
		var v livenessd.Result
		id, err := [16]byte{}, json.Unmarshal(data, &v)
		if err == nil {
			id, err = resultKey(v.ID)
		}
		if err != nil {
			return damaged("a result cannot be read: %v", err)
		}
		return w.put(name, bucketResultIDs, id[:], n, data, &w.r.Results)
	case bucketSessions:
		var v livenessd.Session
		if err := json.Unmarshal(data, &v); err != nil || checkSessionID(v.ID) != nil {
			return damaged("a session cannot be read: %v", err)
		}
		return w.put(name, bucketSessionIDs, []byte(v.ID), n, data, &w.r.Sessions)
	case bucketJobs:
		var v livenessd.Job
		id, err := [16]byte{}, json.Unmarshal(data, &v)
		if err == nil {
			id, err = checkJob(&v)
		}
		if err != nil {
			return damaged("a job cannot be read: %v", err)
		}
		return w.put(name, bucketJobIDs, id[:], n, data, &w.r.Jobs)
	case bucketPictures:
		if w.tx.Bucket([]byte(bucketResults)).Get(key) == nil {
			return nil // its result is lost, nobody could ask for it or erase it
		}
		w.r.Pictures++
		return putData(w.tx, name, key, data)
	}
	return nil
}

func (w *salvager) put(name, index string, id []byte, n uint64, data []byte, count *int) error {
	if old, err := lookup(w.tx, index, id); err != nil || old != 0 {
		return err // a second record of the same name can only be an older one
	}
	*count++
	return errors.Join(putData(w.tx, name, number(n), data), putData(w.tx, index, id, number(n)))
}
