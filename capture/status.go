package capture

import (
	"context"
	"time"

	"livenessd"
)

// Status is what a Keeper knows about its source. Nobody writes to it
// afterwards.
type Status struct {
	Ready  bool                  // frames are coming
	Fault  livenessd.CameraFault // what is wrong, "" when nothing is; before the first picture FaultGone
	Detail string                // a sentence about Fault for the operator
	Camera livenessd.Camera      // the last one that was opened; zero before that
	Err    error                 // why it is not ready; nil when it is
	Since  time.Time             // when Ready last changed, or when Run began
	Opens  uint64                // how often frames began to come
	Losses uint64                // how often they stopped without being told to

	Reopens  uint64 // how often a camera that is there was tried again after it failed
	Resets   uint64 // how often its USB device was switched off and on
	ResetErr error  // why the last reset did not work; nil when it did

	Rate  float64 // frames in the last second
	Light Light   // of a recent frame; zero before the first was looked at
}

// Resetter is a Source whose device can be switched off and on. Reset is
// never called while Stream runs.
type Resetter interface {
	Reset(ctx context.Context) error
}

// KeeperConfig says what a Keeper does. The zero value of Retry stands for
// DefaultRetry.
type KeeperConfig struct {
	Retry time.Duration

	// Silence is how long no picture may come before that is named; 0 means
	// a second.
	Silence time.Duration

	// Mend is for cameras: a stream of frozen or repeated pictures is ended and
	// opened again, and what does not help is followed by the next step, up to
	// Last. Without it faults are only named.
	Mend bool
	Last Step

	// Notify is told when frames begin to come, when they stop, when Fault or
	// Resets change, and, while frames stay away, once for each other reason
	// that has stood for ten attempts in a row. So a camera that is gone for a
	// week costs a line or two of the log, and what is seen for a moment while
	// devices come and go costs none. Calls do not overlap.
	Notify func(Status)

	// Deliver gets the frames, as Source.Stream's deliver does.
	Deliver func(livenessd.Frame)
}
