package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"livenessd"
)

// Ensure that no more run than may, that all come in who wait, and that nobody
// stays inside.
func TestGateBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2, 30, time.Minute, &precedence{})
		var running, most, served atomic.Int64
		var group sync.WaitGroup
		for range 32 {
			group.Go(func() {
				leave, err := g.enter(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				defer leave()
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(40 * time.Millisecond)
				running.Add(-1)
				served.Add(1)
			})
		}
		synctest.Wait()
		_, err := g.enter(t.Context()) // the 33rd
		var again interface{ RetryAfter() time.Duration }
		if !errors.Is(err, livenessd.ErrOverloaded) || !errors.As(err, &again) || again.RetryAfter() <= 0 {
			t.Errorf("got %v", err)
		}
		group.Wait()
		if most.Load() != 2 || served.Load() != 32 || g.inside() != 0 {
			t.Errorf("%d at once, %d served, %d inside", most.Load(), served.Load(), g.inside())
		}
	})
}

func TestGatePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 2, 5*time.Second, &precedence{})
		leave, err := g.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := g.enter(t.Context()); !errors.Is(err, livenessd.ErrOverloaded) || time.Since(begin) != 5*time.Second {
			t.Errorf("got %v after %v", err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // the client goes away
		defer cancel()
		if _, err := g.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if g.inside() != 1 {
			t.Errorf("%d inside", g.inside())
		}
		leave()
		leave() // once is enough
		if leave, err = g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		leave()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.enter(gone); !errors.Is(err, context.Canceled) || g.inside() != 0 {
			t.Errorf("got %v, %d inside", err, g.inside())
		}
	})
}

// Ensure that an analysis does not begin while the camera's frame is judged,
// and that a camera which is never done does not shut everybody out.
func TestGateCameraFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		camera := &precedence{}
		g := newGate(1, 4, 5*time.Second, camera)
		for _, frame := range []time.Duration{22 * time.Millisecond, maxYield - 1} {
			camera.begin()
			time.AfterFunc(frame, camera.end)
			begin := time.Now()
			leave, err := g.enter(t.Context())
			if err != nil || time.Since(begin) != frame {
				t.Fatalf("began after %v of %v, %v", time.Since(begin), frame, err)
			}
			leave()
		}
		// The next frame arrives before this one has been judged.
		camera.begin()
		time.AfterFunc(10*time.Millisecond, camera.arrived)
		time.AfterFunc(20*time.Millisecond, camera.end)
		time.AfterFunc(21*time.Millisecond, camera.begin)
		time.AfterFunc(40*time.Millisecond, camera.end)
		begin := time.Now()
		leave, err := g.enter(t.Context())
		if err != nil || time.Since(begin) != 40*time.Millisecond {
			t.Fatalf("began after %v, %v", time.Since(begin), err)
		}
		leave()
		camera.arrived() // and the loop never comes to it
		begin = time.Now()
		leave, err = g.enter(t.Context())
		if err != nil || time.Since(begin) != maxYield {
			t.Fatalf("began after %v, %v", time.Since(begin), err)
		}
		leave()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := g.enter(ctx); !errors.Is(err, context.DeadlineExceeded) || g.inside() != 0 {
			t.Errorf("got %v, %d inside", err, g.inside())
		}
	})
}
