package main

import (
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"livenessd"
)

const (
	maxDrift   = 2 * time.Second    // between two looks; more is a jump and not a clock that is slowed down or hurried
	farAhead   = 24 * time.Hour     // a jump ahead by which what is kept would seem old at once
	longAway   = 7 * 24 * time.Hour // as farAhead, from the newest entry of the journal to the start
	suspectFor = 24 * time.Hour     // how long a clock that went ahead is not believed, unless a time server says so
	timesync   = "/run/systemd/timesync/synchronized"
)

// clock knows how far the time of day can be trusted. Nothing is timed by it:
// all limits run on the monotonic clock, which nobody can set. Here that is a
// duration since the process began.
type clock struct {
	built time.Time              // no time before it can be right
	asked func() livenessd.Clock // of the kernel and systemd

	mu      sync.Mutex // guards what follows
	trust   livenessd.Clock
	wall    time.Time     // of the last look
	mono    time.Duration // of the last look
	suspect time.Duration // until when nothing is removed for its age
}

// newClock begins at wall and mono; newest is the time of the newest entry of the
// journal, zero when there is none.
func newClock(built time.Time, asked func() livenessd.Clock, wall time.Time, mono time.Duration, newest time.Time) *clock {
	c := &clock{built: built, asked: asked, wall: wall, mono: mono}
	if !newest.IsZero() && wall.Sub(newest) > longAway {
		c.suspect = mono + suspectFor
	}
	c.look(wall, mono)
	return c
}

// look takes the time of day and the monotonic clock and returns by how much
// somebody changed the first since the last look, 0 for less than maxDrift.
func (c *clock) look(wall time.Time, mono time.Duration) (jump time.Duration) {
	trust := c.asked()
	if wall.Before(c.built.Add(-24 * time.Hour)) { // built in another time zone's tomorrow
		trust = livenessd.ClockWrong
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	jump = wall.Round(0).Sub(c.wall.Round(0)) - (mono - c.mono) // Round(0) takes the monotonic part away
	c.wall, c.mono, c.trust = wall, mono, trust
	if jump > farAhead {
		c.suspect = mono + suspectFor
	}
	if jump.Abs() < maxDrift {
		return 0
	}
	return jump.Round(time.Millisecond)
}

// quality returns what is stored with results and events.
func (c *clock) quality() livenessd.Clock {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trust
}

// mayRemove reports whether the clock is good enough to call anything old: a
// battery that died must not erase what is kept.
func (c *clock) mayRemove(mono time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.trust {
	case livenessd.ClockWrong:
		return false
	case livenessd.ClockSynced:
		return true
	}
	return mono >= c.suspect
}

// askKernel returns what is known of a time server. Under systemd's
// ProtectClock the kernel may not be asked; then systemd-timesyncd's mark
// counts, and where there is none nobody knows.
func askKernel() livenessd.Clock {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err == nil && state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0 {
		return livenessd.ClockSynced
	}
	if _, e := os.Stat(timesync); e == nil {
		return livenessd.ClockSynced
	}
	if err == nil {
		return livenessd.ClockUnsynced
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		return livenessd.ClockUnknown
	}
	return livenessd.ClockUnsynced
}

// buildTime is when the source of this program was committed, else a day on
// which it certainly was not finished.
func buildTime() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key != "vcs.time" {
				continue
			}
			if at, err := time.Parse(time.RFC3339, s.Value); err == nil {
				return at
			}
		}
	}
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
}
