package capture

import (
	"context"
	"sync"

	"livenessd"
)

// Slot holds the newest frame until somebody takes it. A frame that was
// replaced before anybody took it is a drop, and is counted. All methods may be
// called from any goroutine.
type Slot struct {
	filled chan struct{} // holds a token while there may be a frame

	mu     sync.Mutex // guards the rest
	frame  livenessd.Frame
	full   bool
	frames uint64
	drops  uint64
}

// NewSlot returns an empty slot.
func NewSlot() *Slot { return &Slot{filled: make(chan struct{}, 1)} }

// Put stores f, which the slot then owns, in place of the frame before it. It
// never blocks.
func (s *Slot) Put(f livenessd.Frame) {
	s.mu.Lock()
	if s.full {
		s.drops++
	}
	s.frame, s.full = f, true
	s.frames++
	s.mu.Unlock()
	select {
	case s.filled <- struct{}{}:
	default:
	}
}

// Take waits for a frame that nobody has taken and hands it over. It returns
// the context's error when ctx ends first, and always when it has ended.
func (s *Slot) Take(ctx context.Context) (livenessd.Frame, error) {
	for {
		if err := ctx.Err(); err != nil {
			return livenessd.Frame{}, err
		}
		if f, ok := s.take(); ok {
			return f, nil
		}
		select {
		case <-ctx.Done():
		case <-s.filled:
		}
	}
}

func (s *Slot) take() (livenessd.Frame, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.full {
		return livenessd.Frame{}, false
	}
	f := s.frame
	s.frame, s.full = livenessd.Frame{}, false
	return f, true
}

// Frames returns how many frames were ever put.
func (s *Slot) Frames() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frames
}

// Drops returns how many frames were replaced before anybody took them.
func (s *Slot) Drops() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drops
}
