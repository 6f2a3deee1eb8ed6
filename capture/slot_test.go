package capture

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"livenessd"
)

func TestSlotNewestWins(t *testing.T) {
	s := NewSlot()
	for i := range 3 {
		s.Put(livenessd.Frame{Seq: uint64(i + 1)})
	}
	f, err := s.Take(t.Context())
	if err != nil || f.Seq != 3 {
		t.Errorf("took %d, %v", f.Seq, err)
	}
	if s.Frames() != 3 || s.Drops() != 2 {
		t.Errorf("%d frames, %d drops", s.Frames(), s.Drops())
	}
}

func TestSlotTakeEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlot()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := s.Take(ctx)
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		s.Put(livenessd.Frame{})
		if _, err := s.Take(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a frame was given after the end: %v", err)
		}
	})
}

// Every frame is taken once or dropped, whoever puts and takes.
func TestSlotConcurrent(t *testing.T) {
	const putters, each = 4, 2000
	s := NewSlot()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	taken := map[uint64]bool{}
	var takers, puts sync.WaitGroup
	for range 3 {
		takers.Go(func() {
			for {
				f, err := s.Take(ctx)
				if err != nil {
					return
				}
				mu.Lock()
				if taken[f.Seq] {
					t.Errorf("frame %d was taken twice", f.Seq)
				}
				taken[f.Seq] = true
				mu.Unlock()
			}
		})
	}
	for p := range putters {
		puts.Go(func() {
			for i := range each {
				s.Put(livenessd.Frame{Seq: uint64(p*each + i + 1)})
			}
		})
	}
	puts.Wait()
	for { // what is left in the slot is taken sooner or later
		mu.Lock()
		n := uint64(len(taken))
		mu.Unlock()
		if n+s.Drops() == s.Frames() {
			break
		}
	}
	cancel()
	takers.Wait()
	if s.Frames() != putters*each {
		t.Errorf("%d frames", s.Frames())
	}
}
