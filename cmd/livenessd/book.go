package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"livenessd"
)

// Bounds of what the book holds in memory.
const (
	bookEvery = 250 * time.Millisecond // how often it is written
	bookRoom  = 1024                   // jobs; who comes then waits for the disk
	bookAgain = time.Second            // how often it is tried while the disk fails
)

// book keeps the record of calls. It writes a few times a second what came
// since: a sync of the disk for each call would cost each caller as much as a
// network, and wear out a memory card. A power cut loses the records of that
// quarter of a second; quotas are kept by themselves and lose nothing. While
// the disk cannot be written callers are answered and the records wait, until
// there is no room for more.
type book struct {
	put   func(...livenessd.Job) error
	first bool // each record before its answer, which then waits for the disk
	log   *slog.Logger

	mu    sync.Mutex // guards what follows
	jobs  []livenessd.Job
	open  bool  // run will write what is put
	wrong error // of the last write; nil when it went well

	tried time.Time // owned by run
}

func newBook(put func(...livenessd.Job) error, first bool, log *slog.Logger) *book {
	return &book{put: put, first: first, log: log, open: true}
}

// PutJob records j. It is on the disk within bookEvery; at once when each record
// comes first, when there is no room left, or after the end of run. Only in the
// last two cases an error says that it could not be written.
func (b *book) PutJob(j livenessd.Job) error {
	if b.first {
		if err := b.put(j); err == nil || errors.Is(err, livenessd.ErrInvalid) {
			return err
		}
	}
	b.mu.Lock()
	if b.open && len(b.jobs) < bookRoom {
		b.jobs = append(b.jobs, j)
		b.mu.Unlock()
		return nil
	}
	b.mu.Unlock()
	return b.put(j)
}

// waiting returns how many jobs are still to be written.
func (b *book) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.jobs)
}

// run writes until ctx ends, and then what is left.
func (b *book) run(ctx context.Context) error {
	tick := time.NewTicker(bookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.write()
		case <-ctx.Done():
			b.mu.Lock()
			b.open, b.wrong = false, nil
			b.mu.Unlock()
			b.write()
			if n := b.waiting(); n > 0 {
				b.log.Error("records of calls of the API are lost with this process", "calls", n)
			}
			return nil
		}
	}
}

// write commits what has come. One record that the store refuses must not
// take the others with it; what a failing disk does not take waits.
func (b *book) write() {
	b.mu.Lock()
	if len(b.jobs) == 0 || b.wrong != nil && time.Since(b.tried) < bookAgain {
		b.mu.Unlock()
		return
	}
	jobs := b.jobs
	b.jobs = nil
	b.mu.Unlock()
	b.tried = time.Now()
	left, err := jobs, b.put(jobs...)
	if errors.Is(err, livenessd.ErrInvalid) {
		left, err = b.each(jobs)
	}
	b.mu.Lock()
	first := b.wrong == nil
	if b.wrong = err; err != nil {
		b.jobs = append(left, b.jobs...)
	}
	b.mu.Unlock()
	if err != nil && first {
		b.log.Error("calls of the API could not be recorded, they wait", "calls", len(left), "error", err)
	}
	if err == nil && !first {
		b.log.Info("calls of the API are recorded again", "calls", len(jobs))
	}
}

// each writes jobs one by one. The first error that is not about the job itself
// ends that, with the jobs that are left.
func (b *book) each(jobs []livenessd.Job) (left []livenessd.Job, err error) {
	for i, j := range jobs {
		err := b.put(j)
		if errors.Is(err, livenessd.ErrInvalid) {
			b.log.Error("a call of the API could not be recorded", "job", j.ID, "error", err)
			continue
		}
		if err != nil {
			return jobs[i:], fmt.Errorf("job %s: %w", j.ID, err)
		}
	}
	return nil, nil
}
