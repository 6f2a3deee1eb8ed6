package capture

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"livenessd"
)

// beat is how long one wait for a picture lasts, and so how long the end of a
// context can go unnoticed.
const beat = 100 * time.Millisecond

// pump turns what a camera gives into frames, drops what is broken, and takes
// silence for a failure.
type pump struct {
	layout  layout
	silence time.Duration
	refused *atomic.Uint64              // counts broken pictures
	opened  func(first livenessd.Frame) // called once, with the first good frame
	deliver func(livenessd.Frame)

	first  livenessd.Frame // its size is what every later frame must have; Data is not kept
	last   time.Time       // At of the newest frame
	seq    uint64
	driver uint32 // the driver's own count of the newest picture
	broken int    // pictures refused since the last good one
	reason error  // why the last of them was
}

// run delivers what next gives until ctx ends (nil) or next fails. next waits
// for at most the time it is given and returns errNothing when that is over.
func (p *pump) run(ctx context.Context, next func(wait time.Duration) (picture, error)) error {
	good := time.Now().Add(p.silence) // the first picture may take twice as long
	for ctx.Err() == nil {
		pic, err := next(beat)
		switch {
		case errors.Is(err, errNothing):
		case err != nil:
			return err
		case p.take(pic):
			good = time.Now()
		}
		if time.Since(good) >= p.silence {
			return p.silent()
		}
	}
	return nil
}

// take delivers pic if it is good.
func (p *pump) take(pic picture) bool {
	p.count(pic.seq)
	f, err := p.frame(pic)
	if err != nil {
		p.broken++
		p.refused.Add(1)
		p.reason = err
		return false
	}
	f.Seq, f.At = p.seq, pic.at
	if !f.At.After(p.last) {
		// The driver's stamp stood still or went back. Now is later than any
		// moment given before, because those were never in the future.
		f.At = time.Now()
	}
	p.last, p.broken = f.At, 0
	if p.first.Width == 0 {
		p.first = f
		p.first.Data = nil
		p.opened(f)
	}
	p.deliver(f)
	return true
}

func (p *pump) frame(pic picture) (livenessd.Frame, error) {
	if pic.broken {
		return livenessd.Frame{}, fmt.Errorf("the driver marks it as damaged: %w", livenessd.ErrNoPicture)
	}
	f, err := p.layout.frame(pic.data)
	if err == nil && p.first.Width != 0 && (f.Width != p.first.Width || f.Height != p.first.Height) {
		err = fmt.Errorf("it has %d x %d pixels where those before had %d x %d: %w", f.Width, f.Height, p.first.Width, p.first.Height, livenessd.ErrNoPicture)
	}
	return f, err
}

// count follows the driver's count, which wraps at 32 bits. A driver that does
// not count, or begins anew, is counted for.
func (p *pump) count(driver uint32) {
	step := driver - p.driver
	if p.seq == 0 || step == 0 || step > 1<<31 {
		step = 1
	}
	p.seq += uint64(step)
	p.driver = driver
}

// errSilent says that a camera which streams gives no good picture.
var errSilent = errors.New("the camera is silent")

func (p *pump) silent() error {
	if p.broken > 0 {
		return fmt.Errorf("only broken pictures for %v (%d of them; the last: %v): %w", p.silence, p.broken, p.reason, errSilent)
	}
	return fmt.Errorf("no picture for %v: %w", p.silence, errSilent)
}
