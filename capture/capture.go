// Package capture knows where frames come from: a V4L2 camera or a recording.
//
// A Source is one attempt at delivering frames: it opens, delivers, and comes
// back with an error when something fails. Keep is the patience around it: it
// tries again until its context ends and says what changed. A Slot stands
// between the two speeds of camera and judging: the newest frame wins, what
// nobody took is counted.
//
//	Keep ── Source.Stream ── deliver ──► Slot.Put │ Slot.Take ──► judging
//
// The package starts no goroutine that outlives the call that started it.
package capture

import (
	"context"
	"errors"
	"slices"
	"time"

	"livenessd"
)

// ErrEnd says that a recording is finished. A camera never returns it.
var ErrEnd = errors.New("the recording is at its end")

// Source is one attempt at delivering frames.
type Source interface {
	// Stream opens the source and calls deliver for each frame, in order and
	// from the calling goroutine, until ctx ends (then it returns nil) or
	// something fails (then the error names the device or file and says what
	// to do about it). A finished recording returns an error that wraps ErrEnd.
	//
	// opened is called once, when the first good frame is there and before it
	// is delivered, with what the device really is: a camera that opens but
	// shows nothing was never opened. deliver owns the frame; while it runs no
	// other frame is read, so a camera's deliver has to be quick.
	Stream(ctx context.Context, opened func(livenessd.Camera), deliver func(livenessd.Frame)) error
}

// DefaultRetry is the pause between two attempts: short enough to have frames
// again well within two seconds of a camera's return.
const DefaultRetry = 300 * time.Millisecond

// Status is what Keep knows about its source. Nobody writes to it afterwards.
type Status struct {
	Ready  bool             // frames are coming
	Camera livenessd.Camera // the last one that was opened; zero before that
	Err    error            // why it is not ready; nil when it is
	Since  time.Time        // when Ready last changed, or when Keep began
	Opens  uint64           // how often frames began to come
	Losses uint64           // how often they stopped without being told to
}

// Keep runs src until ctx ends (it returns nil) or a recording is finished (it
// returns an error that wraps ErrEnd). After any other error it waits for retry
// (DefaultRetry when that is not positive) and tries again.
//
// notify is called from the same goroutine: when frames begin to come, when
// they stop, and, while they stay away, once for each other reason that has
// stood for ten attempts in a row. So a camera that is gone for a week costs a
// line or two of the log, and what is seen for a moment while devices come and
// go costs none.
func Keep(ctx context.Context, src Source, retry time.Duration, notify func(Status), deliver func(livenessd.Frame)) error {
	if retry <= 0 {
		retry = DefaultRetry
	}
	k := keeper{notify: notify, status: Status{Since: time.Now()}}
	for {
		err := k.attempt(ctx, src, deliver)
		if ctx.Err() != nil {
			return nil
		}
		k.failed(err)
		if errors.Is(err, ErrEnd) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retry):
		}
	}
}

const (
	steady     = 10 // attempts in a row that make a new reason worth saying
	maxReasons = 8  // how many are said in one outage
)

type keeper struct {
	notify func(Status)
	status Status
	said   []string // reasons given since frames stopped
	last   string   // the reason of the newest failed attempt
	row    int      // how many attempts in a row gave it
}

// attempt is one run of src, with what it opened taken down.
func (k *keeper) attempt(ctx context.Context, src Source, deliver func(livenessd.Frame)) error {
	err := src.Stream(ctx, func(c livenessd.Camera) {
		k.said = k.said[:0]
		k.status.Ready, k.status.Camera, k.status.Err = true, c, nil
		k.status.Since = time.Now()
		k.status.Opens++
		k.notify(k.status)
	}, deliver)
	if err == nil && ctx.Err() == nil {
		return errors.New("the source stopped without giving a reason")
	}
	return err
}

// failed takes down that an attempt ended with err, and says it if it is news.
func (k *keeper) failed(err error) {
	if k.status.Ready {
		k.status.Ready, k.status.Since = false, time.Now()
		if !errors.Is(err, ErrEnd) {
			k.status.Losses++
		}
	}
	k.status.Err = err
	if k.last == err.Error() {
		k.row++
	} else {
		k.last, k.row = err.Error(), 1
	}
	first := len(k.said) == 0
	if first || k.row == steady && len(k.said) < maxReasons && !slices.Contains(k.said, k.last) {
		k.said = append(k.said, k.last)
		k.notify(k.status)
	}
}
