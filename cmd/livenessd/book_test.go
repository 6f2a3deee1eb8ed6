package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"livenessd"
)

// Ensure that jobs are written a few times a second together, in order, and
// that none is left when the daemon ends.
func TestBook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var commits [][]string
		b := newBook(func(js ...livenessd.Job) error {
			var ids []string
			for _, j := range js {
				ids = append(ids, j.ID)
			}
			commits = append(commits, ids)
			return nil
		}, false, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.run(ctx) }()
		for i := range 10 {
			if err := b.PutJob(livenessd.Job{ID: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
			time.Sleep(60 * time.Millisecond)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := b.PutJob(livenessd.Job{ID: "late"}); err != nil {
			t.Error(err)
		}
		if got := fmt.Sprint(commits); got != "[[0 1 2 3 4] [5 6 7 8] [9] [late]]" {
			t.Errorf("got %s", got)
		}
	})
}

// Ensure that a failing disk makes records wait, that a full book is felt by
// who comes next, and that one record which is refused does not take others
// with it.
func TestBookTrouble(t *testing.T) {
	var broken error
	written := 0
	b := newBook(func(js ...livenessd.Job) error {
		if broken != nil {
			return broken
		}
		for _, j := range js {
			if j.ID == "odd" {
				return livenessd.ErrInvalid
			}
		}
		written += len(js)
		return nil
	}, false, slog.New(slog.DiscardHandler))
	for i := range bookRoom + 5 {
		j := livenessd.Job{ID: "fine"}
		if i == 7 {
			j.ID = "odd"
		}
		if err := b.PutJob(j); err != nil {
			t.Fatal(err)
		}
	}
	if written != 5 {
		t.Errorf("%d written before their time", written)
	}
	if b.write(); written != bookRoom+4 {
		t.Errorf("%d written", written)
	}
	broken = errors.New("no space left")
	for range bookRoom {
		if err := b.PutJob(livenessd.Job{}); err != nil {
			t.Fatal(err)
		}
	}
	b.write()
	if n := b.waiting(); n != bookRoom {
		t.Errorf("%d wait", n)
	}
	if err := b.PutJob(livenessd.Job{}); !errors.Is(err, broken) {
		t.Errorf("without room: %v", err)
	}
	broken = nil
	if b.write(); written != bookRoom+4 {
		t.Errorf("%d written, tried again too soon", written)
	}
	b.tried = b.tried.Add(-bookAgain)
	if b.write(); written != 2*bookRoom+4 || b.waiting() != 0 {
		t.Errorf("%d written, %d wait", written, b.waiting())
	}
}

// Ensure that records that come first are written before PutJob returns, and
// wait like others while the disk fails.
func TestBookFirst(t *testing.T) {
	var broken error
	written := 0
	b := newBook(func(js ...livenessd.Job) error {
		if broken == nil {
			written += len(js)
		}
		return broken
	}, true, slog.New(slog.DiscardHandler))
	if err := b.PutJob(livenessd.Job{}); err != nil || written != 1 {
		t.Errorf("%d written, %v", written, err)
	}
	broken = errors.New("no space left")
	if err := b.PutJob(livenessd.Job{}); err != nil || b.waiting() != 1 {
		t.Errorf("%d wait, %v", b.waiting(), err)
	}
	broken = nil
	if b.write(); written != 2 || b.waiting() != 0 {
		t.Errorf("%d written, %d wait", written, b.waiting())
	}
}
