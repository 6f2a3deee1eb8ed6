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
)

// book keeps the record of calls. It writes a few times a second what came
// since: a sync of the disk for each call would cost each caller as much as a
// network, and wear out a memory card. A power cut loses the records of that
// quarter of a second; quotas are kept by themselves and lose nothing.
type book struct {
	put func(...livenessd.Job) error
	log *slog.Logger

	mu    sync.Mutex // guards what follows
	jobs  []livenessd.Job
	open  bool  // run will write what is put
	wrong error // of the last write; nil when it went well
}

func newBook(put func(...livenessd.Job) error, log *slog.Logger) *book {
	return &book{put: put, log: log, open: true}
}

// PutJob records j. It is on the disk within bookEvery; at once when there is
// no room left, when the last write failed, or after the end of run. Only
// then an error says that it could not be written.
func (b *book) PutJob(j livenessd.Job) error {
	b.mu.Lock()
	if b.open && b.wrong == nil && len(b.jobs) < bookRoom {
		b.jobs = append(b.jobs, j)
		b.mu.Unlock()
		return nil
	}
	b.mu.Unlock()
	err := b.put(j)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.wrong = nil
	}
	return err
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
			b.open = false
			b.mu.Unlock()
			b.write()
			return nil
		}
	}
}

// write commits what has come. One record that the store refuses must not
// take the others with it; what a failing disk does not take is lost, said,
// and told to the callers that come next.
func (b *book) write() {
	b.mu.Lock()
	jobs := b.jobs
	b.jobs = nil
	b.mu.Unlock()
	if len(jobs) == 0 {
		return
	}
	err := b.put(jobs...)
	if errors.Is(err, livenessd.ErrInvalid) {
		err = b.each(jobs)
	}
	b.mu.Lock()
	b.wrong = err
	b.mu.Unlock()
	if err != nil {
		b.log.Error("calls of the API could not be recorded", "calls", len(jobs), "error", err)
	}
}

// each writes jobs one by one and returns the first error that is not about
// the job itself.
func (b *book) each(jobs []livenessd.Job) error {
	for _, j := range jobs {
		err := b.put(j)
		if errors.Is(err, livenessd.ErrInvalid) {
			b.log.Error("a call of the API could not be recorded", "job", j.ID, "error", err)
			continue
		}
		if err != nil {
			return fmt.Errorf("job %s: %w", j.ID, err)
		}
	}
	return nil
}
