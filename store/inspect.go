package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"livenessd"
)

// lockPoll is how often a lock that somebody else holds is tried again.
const lockPoll = 20 * time.Millisecond

// lockFile takes the lock that bbolt takes too, so that the file can be checked
// before bbolt sees it.
func lockFile(f *os.File, exclusive bool, timeout time.Duration) error {
	how := unix.LOCK_SH | unix.LOCK_NB
	if exclusive {
		how = unix.LOCK_EX | unix.LOCK_NB
	}
	for left := timeout; ; left -= lockPoll {
		err := unix.Flock(int(f.Fd()), how)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("store: locking %s: %w", f.Name(), err)
		case left <= 0:
			return fmt.Errorf("store: another process has %s open; stop it (systemctl stop livenessd) and try again: %w", f.Name(), livenessd.ErrBusy)
		}
		time.Sleep(lockPoll)
	}
}

// survey is what a walk over a sound file found.
type survey struct {
	schema  int
	records map[string]int    // by bucket
	first   map[string][]byte // lowest key by bucket
	last    map[string][]byte // highest key by bucket
	count   counters
}

// inspectFile is inspect of an open file.
func inspectFile(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	_, err = inspect(f, fi.Size())
	return err
}

// inspect reads the whole file and returns nil only when every page is sound,
// every checksum holds and the buckets agree with each other. An error is a
// damage, or wraps livenessd.ErrInvalid when a newer program wrote the file.
func inspect(r io.ReaderAt, size int64) (*survey, error) {
	p, err := openPages(r, size)
	if p == nil {
		return nil, err
	}
	if newer := checkSchema(p); newer != nil {
		return nil, newer
	}
	if err != nil {
		return nil, err
	}
	s := &survey{records: map[string]int{}, first: map[string][]byte{}, last: map[string][]byte{}}
	p.restart()
	if err := p.walk(p.root, nil, nil, 0, s.visit(p)); err != nil {
		return nil, err
	}
	if err := p.account(); err != nil {
		return nil, err
	}
	return s, s.agree()
}

// visit checks the buckets and their records.
func (s *survey) visit(p *pageFile) leafFunc {
	return func(depth int, isBucket bool, key, value []byte) error {
		name := string(key)
		if !isBucket || !slices.Contains(bucketsOf[Schema], name) {
			return damaged("there is an unknown entry %.40q beside the buckets", name)
		}
		s.records[name] = 0
		return p.bucket(name, depth, value, func(_ int, isBucket bool, key, value []byte) error {
			if isBucket {
				return damaged("there is a bucket within the bucket %s", name)
			}
			data, err := unseal(name, key, value)
			if err != nil {
				return damaged("%v", err)
			}
			if s.records[name] == 0 {
				s.first[name] = slices.Clone(key)
			}
			s.records[name]++
			s.last[name] = append(s.last[name][:0], key...)
			if name == bucketMeta && string(key) == string(keySchema) {
				s.schema, err = strconv.Atoi(string(data))
				if err != nil {
					return damaged("the schema version is not a number: %v", err)
				}
			}
			if name == bucketMeta && string(key) == string(keyCounters) {
				if err := decode(name, key, data, &s.count); err != nil {
					return damaged("%v", err)
				}
			}
			return nil
		})
	}
}

// agree checks what has to hold between buckets: each was written in one
// transaction with its index, and the journal has no gaps.
func (s *survey) agree() error {
	for _, name := range bucketsOf[Schema] {
		if _, ok := s.records[name]; ok != slices.Contains(bucketsOf[s.schema], name) {
			return damaged("the bucket %s is missing, or does not belong to schema %d", name, s.schema)
		}
	}
	if s.records[bucketMeta] != 2 {
		return damaged("the bucket meta has %d entries instead of 2", s.records[bucketMeta])
	}
	for name, want := range map[string]int{
		bucketResults: s.count.Results, bucketResultIDs: s.count.Results,
		bucketSessions: s.count.Sessions, bucketSessionIDs: s.count.Sessions,
		bucketPictures: s.count.Pictures, bucketEvents: s.count.Events,
		bucketJobs: s.count.Jobs, bucketJobIDs: s.count.Jobs, bucketCredentials: s.count.Credentials,
	} {
		if s.records[name] != want {
			return damaged("%s has %d entries instead of %d", name, s.records[name], want)
		}
	}
	for name, highest := range map[string]uint64{bucketResults: s.count.Result, bucketSessions: s.count.Session, bucketPictures: s.count.Result, bucketEvents: s.count.Event, bucketJobs: s.count.Job} {
		if s.records[name] == 0 {
			continue
		}
		last, err := parseNumber(name, s.last[name])
		if err != nil || last > highest {
			return damaged("the last key of %s is %x, above the highest number given out, %d", name, s.last[name], highest)
		}
	}
	return s.journal()
}

func (s *survey) journal() error {
	n := uint64(s.records[bucketEvents])
	if n == 0 {
		return nil
	}
	first, err := parseNumber(bucketEvents, s.first[bucketEvents])
	if err != nil {
		return damaged("%v", err)
	}
	if first+n-1 != s.count.Event {
		return damaged("the journal begins at %d, has %d entries and should end at %d", first, n, s.count.Event)
	}
	return nil
}

// checkSchema looks for the schema version alone and returns an error only when
// a newer program wrote the file. What else is wrong the walk will tell.
func checkSchema(p *pageFile) error {
	version := 0
	p.lenient = true
	p.restart()
	err := p.walk(p.root, nil, nil, 0, func(depth int, isBucket bool, key, value []byte) error {
		if !isBucket || string(key) != bucketMeta {
			return nil
		}
		return p.bucket(bucketMeta, depth, value, func(_ int, isBucket bool, key, value []byte) error {
			if data, err := unseal(bucketMeta, key, value); err == nil && !isBucket && string(key) == string(keySchema) {
				version, err = strconv.Atoi(string(data))
				return err
			}
			return nil
		})
	})
	p.lenient = false
	if err != nil {
		return damaged("the schema version is not a number: %v", err)
	}
	if version > Schema {
		return fmt.Errorf("store: the file has schema %d and this program knows up to %d; install the newer livenessd again, or move the file away to start afresh: %w", version, Schema, livenessd.ErrInvalid)
	}
	return nil
}
