// Package capture knows where frames come from: a V4L2 camera or a recording.
//
// A Source is one attempt at delivering frames: it opens, delivers, and comes
// back with an error when something fails. A Keeper is the patience around it:
// it names what is wrong with the pictures, tries again until its context ends,
// resets a camera that does not mend, and says what changed. A Slot stands
// between the two speeds of camera and judging: the newest frame wins, what
// nobody took is counted.
//
//	Keeper ── Source.Stream ── deliver ──► Slot.Put │ Slot.Take ──► judging
//
// The package starts no goroutine that outlives the call that started it.
package capture

import (
	"context"
	"errors"

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
