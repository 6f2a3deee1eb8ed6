package main

import (
	"testing"
	"time"

	"livenessd"
)

var built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func says(c livenessd.Clock) func() livenessd.Clock { return func() livenessd.Clock { return c } }

func TestClockTrust(t *testing.T) {
	now := built.AddDate(0, 5, 0)
	for _, tt := range []struct {
		says livenessd.Clock
		now  time.Time
		want livenessd.Clock
	}{
		{livenessd.ClockSynced, now, livenessd.ClockSynced},
		{livenessd.ClockUnsynced, now, livenessd.ClockUnsynced},
		{livenessd.ClockUnknown, now, livenessd.ClockUnknown},
		{livenessd.ClockSynced, time.Unix(0, 0), livenessd.ClockWrong},
		{livenessd.ClockUnsynced, time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC), livenessd.ClockWrong},
	} {
		if got := newClock(built, says(tt.says), tt.now, 0, time.Time{}).quality(); got != tt.want {
			t.Errorf("%s at %v: %s", tt.says, tt.now, got)
		}
	}
}

func TestClockJumps(t *testing.T) {
	now := built.AddDate(0, 5, 0)
	c := newClock(built, says(livenessd.ClockUnsynced), now, 0, now.Add(-time.Hour))
	for i, tt := range []struct {
		wall time.Duration // since now
		mono time.Duration
		want time.Duration
		may  bool // remove what is old
	}{
		{5 * time.Second, 5 * time.Second, 0, true},
		{11 * time.Second, 10 * time.Second, 0, true}, // a clock that is hurried
		{time.Hour + 16*time.Second, 15 * time.Second, time.Hour, true},
		{21 * time.Second, 20 * time.Second, -time.Hour, true},
		{10000*time.Hour + 26*time.Second, 25 * time.Second, 10000 * time.Hour, false},
		{10023 * time.Hour, 23 * time.Hour, 0, false},
		{10025 * time.Hour, 25 * time.Hour, 0, true},
	} {
		if got := c.look(now.Add(tt.wall), tt.mono); got != tt.want {
			t.Errorf("%d: by %v, want %v", i, got, tt.want)
		}
		if got := c.mayRemove(tt.mono); got != tt.may {
			t.Errorf("%d: may remove %v", i, got)
		}
	}
}

func TestClockRemoval(t *testing.T) {
	now := built.AddDate(0, 5, 0)
	for _, tt := range []struct {
		name  string
		trust livenessd.Clock
		away  time.Duration // since the newest entry
		up    time.Duration
		want  bool
	}{
		{"runs by itself", livenessd.ClockUnsynced, time.Hour, 0, true},
		{"a month off", livenessd.ClockUnsynced, 30 * 24 * time.Hour, time.Hour, false},
		{"a month off, a day ago", livenessd.ClockUnknown, 30 * 24 * time.Hour, 25 * time.Hour, true},
		{"a month off, and a server says so", livenessd.ClockSynced, 30 * 24 * time.Hour, time.Hour, true},
		{"entries from the future", livenessd.ClockUnsynced, -30 * 24 * time.Hour, 0, true},
	} {
		if got := newClock(built, says(tt.trust), now, 0, now.Add(-tt.away)).mayRemove(tt.up); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if newClock(built, says(livenessd.ClockSynced), time.Unix(0, 0), 0, time.Time{}).mayRemove(time.Hour) {
		t.Error("a clock that cannot be right may remove")
	}
}

func TestAskKernel(t *testing.T) {
	if got := askKernel(); got != livenessd.ClockSynced && got != livenessd.ClockUnsynced && got != livenessd.ClockUnknown {
		t.Errorf("%q", got)
	} else {
		t.Logf("this machine's clock: %s; the program was built after %v", got, buildTime())
	}
}
