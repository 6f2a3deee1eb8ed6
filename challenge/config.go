// Package challenge decides. It knows the round of a kiosk (idle, position,
// hold still, move, result, rest), which head movements to ask for, whether
// they were made, and when a session is void.
//
// Everything here is a pure function of observations and the times they carry:
// no clock, no I/O, no goroutine. Randomness and identifiers come in. A value
// of this package is owned by one goroutine.
package challenge

import (
	"fmt"
	"time"

	"livenessd"
)

// Config holds every limit of the judgement. DefaultConfig documents the
// values; a zero field is refused by Validate rather than guessed.
type Config struct {
	// OnRequest makes sessions begin only when a caller asks for one, never
	// because somebody stepped up.
	OnRequest bool

	// Approach is the height of a face box as a share of the picture's height
	// from which on somebody counts as having stepped up.
	Approach    float64
	ApproachFor time.Duration // how long before a session starts by itself

	// Passive part: GoodFrames of OfFrames scored frames must be at or above
	// the texture threshold, and so must their mean.
	GoodFrames    int
	OfFrames      int
	SampleSpacing time.Duration // between two scored frames, so that they do not all show one instant

	// Active part.
	MinMovements int
	MaxMovements int
	Yaw          float64       // degrees from the person's own straight look that count as a turn
	Pitch        float64       // degrees that count as a look up or down
	ReducedYaw   float64       // the same where a caller said that the person can hardly move the neck
	ReducedPitch float64       //
	Centre       float64       // share of Yaw and Pitch within which the head is back at the centre
	Parallax     float64       // share of the nose's expected parallax that a movement must show, see parallax.go
	Smooth       time.Duration // of the head's pose, see smooth.go
	MinReaction  time.Duration // nobody reacts faster: a movement that starts earlier was not an answer
	Settle       time.Duration // at the centre before the next movement is asked for, at least
	SettleSpread time.Duration // up to so much longer, at random
	Confirm      time.Duration // a movement, right or wrong, counts when it lasts this long

	PositionLimit time.Duration
	HoldLimit     time.Duration
	MoveLimit     time.Duration // each movement, the way back to the centre included
	TotalLimit    time.Duration // everything, both attempts
	Warn          time.Duration // before a limit the screen says that time is nearly over

	// Prompts change only after the cause has lasted PromptSettle and the old
	// prompt has been readable for PromptShow.
	PromptSettle time.Duration
	PromptShow   time.Duration

	// The track.
	MaxGap   time.Duration // longest time without a face inside one track
	Leave    time.Duration // nobody there for this long while positioning: the person has left
	MinIoU   float64       // overlap of the face box from one frame to the next
	MaxPause time.Duration // longest time between two frames; more is a jump in time
	Frozen   time.Duration // equal pictures for this long are a frozen feed

	// After the decision.
	ShowResult time.Duration
	ShowRetry  time.Duration // "try again" before the second attempt
	AwayFor    time.Duration // nobody in front for this long ends the rest
	RestLimit  time.Duration // the rest ends even if somebody stays; twice as late each time
	RestRetry  time.Duration // the same after "try again", when the person may begin anew at once

	// Lockout.
	LockFailures int // 0 turns it off
	LockWindow   time.Duration
	LockFor      time.Duration
}

// DefaultConfig returns the values the product ships with. Five failures in
// three minutes follow the advice that cloud services give their integrators;
// the times were set so that an unhurried person is never warned.
func DefaultConfig() Config {
	return Config{
		Approach:    0.10,
		ApproachFor: 400 * time.Millisecond,

		GoodFrames:    8,
		OfFrames:      12,
		SampleSpacing: 80 * time.Millisecond,

		MinMovements: 2,
		MaxMovements: 3,
		Yaw:          15,
		Pitch:        10,
		ReducedYaw:   8,
		ReducedPitch: 6,
		Centre:       0.6,
		Parallax:     0.3,
		Smooth:       330 * time.Millisecond,
		MinReaction:  150 * time.Millisecond,
		Settle:       300 * time.Millisecond,
		SettleSpread: 700 * time.Millisecond,
		Confirm:      120 * time.Millisecond,

		PositionLimit: 15 * time.Second,
		HoldLimit:     8 * time.Second,
		MoveLimit:     7 * time.Second,
		TotalLimit:    2 * time.Minute,
		Warn:          3 * time.Second,

		PromptSettle: 250 * time.Millisecond,
		PromptShow:   700 * time.Millisecond,

		MaxGap:   500 * time.Millisecond,
		Leave:    4 * time.Second,
		MinIoU:   0.25,
		MaxPause: 1500 * time.Millisecond,
		Frozen:   700 * time.Millisecond,

		ShowResult: 4 * time.Second,
		ShowRetry:  2 * time.Second,
		AwayFor:    700 * time.Millisecond,
		RestLimit:  12 * time.Second,
		RestRetry:  2 * time.Second,

		LockFailures: 5,
		LockWindow:   3 * time.Minute,
		LockFor:      5 * time.Minute,
	}
}

// reduced returns the limits for somebody who can hardly move the neck: the
// movements are smaller and may take twice as long, never larger than those of
// everybody. All else is as it was: which way and when is drawn, the surface
// must be a head's, and so must the texture.
func (c Config) reduced() Config {
	c.Yaw, c.Pitch = min(c.Yaw, c.ReducedYaw), min(c.Pitch, c.ReducedPitch)
	c.MoveLimit *= 2
	return c
}

// Validate names the first value that cannot work. The error wraps
// livenessd.ErrInvalid.
func (c Config) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{livenessd.ErrInvalid}, args...)...)
	}
	if c.GoodFrames < 1 || c.OfFrames < c.GoodFrames || c.OfFrames > 200 {
		return bad("good_frames must be at least 1 and at most of_frames (at most 200), not %d of %d", c.GoodFrames, c.OfFrames)
	}
	if c.GoodFrames*2 < c.OfFrames {
		return bad("good_frames must be at least half of of_frames, not %d of %d: a minority of frames cannot decide", c.GoodFrames, c.OfFrames)
	}
	if c.MinMovements < 1 || c.MaxMovements < c.MinMovements || c.MaxMovements > 8 {
		return bad("movements must be between 1 and 8 and min_movements at most max_movements, not %d to %d", c.MinMovements, c.MaxMovements)
	}
	if c.LockFailures < 0 {
		return bad("lock_failures must be 0 (off) or more, not %d", c.LockFailures)
	}
	for _, f := range []struct {
		name     string
		v        float64
		low, top float64
	}{
		{"approach", c.Approach, 0.01, 1},
		{"yaw", c.Yaw, 5, 60},
		{"pitch", c.Pitch, 3, 45},
		{"reduced yaw", c.ReducedYaw, 5, 60},
		{"reduced pitch", c.ReducedPitch, 3, 45},
		{"centre", c.Centre, 0.05, 0.9},
		{"parallax", c.Parallax, 0, 1},
		{"min_iou", c.MinIoU, 0.01, 1},
	} {
		if !(f.v >= f.low && f.v <= f.top) { // also catches NaN
			return bad("%s must be between %v and %v, not %v", f.name, f.low, f.top, f.v)
		}
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{
		{"approach_for", c.ApproachFor}, {"sample_spacing", c.SampleSpacing}, {"smooth", c.Smooth}, {"min_reaction", c.MinReaction},
		{"settle", c.Settle}, {"settle_spread", c.SettleSpread}, {"confirm", c.Confirm}, {"position_limit", c.PositionLimit}, {"hold_limit", c.HoldLimit},
		{"move_limit", c.MoveLimit}, {"total_limit", c.TotalLimit}, {"warn", c.Warn}, {"prompt_settle", c.PromptSettle}, {"prompt_show", c.PromptShow},
		{"max_gap", c.MaxGap}, {"leave", c.Leave}, {"max_pause", c.MaxPause}, {"frozen", c.Frozen}, {"show_result", c.ShowResult},
		{"show_retry", c.ShowRetry}, {"away_for", c.AwayFor}, {"rest_limit", c.RestLimit}, {"rest_retry", c.RestRetry},
		{"lock_window", c.LockWindow}, {"lock_for", c.LockFor},
	} {
		if d.v <= 0 || d.v > 24*time.Hour {
			return bad("%s must be more than 0 and at most 24h, not %v", d.name, d.v)
		}
	}
	return nil
}
