package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"livenessd"
)

// sourceFunc makes a Source of a function.
type sourceFunc func(context.Context, func(livenessd.Camera), func(livenessd.Frame)) error

func (f sourceFunc) Stream(ctx context.Context, opened func(livenessd.Camera), deliver func(livenessd.Frame)) error {
	return f(ctx, opened, deliver)
}

// script is a Source whose attempts are given one after the other: run for a
// time after opening (0: the opening fails), then fail with err. After the last
// it streams until ctx ends.
type script struct {
	attempts []attempt
	n        int
}

type attempt struct {
	run time.Duration
	err error
}

func (s *script) Stream(ctx context.Context, opened func(livenessd.Camera), deliver func(livenessd.Frame)) error {
	a := attempt{run: time.Hour * 24 * 365}
	if s.n < len(s.attempts) {
		a = s.attempts[s.n]
	}
	s.n++
	if a.run == 0 {
		return a.err
	}
	opened(livenessd.Camera{Name: fmt.Sprint("opening ", s.n)})
	deliver(livenessd.Frame{Seq: uint64(s.n)})
	if !sleep(ctx, a.run) {
		return nil
	}
	return a.err
}

// keep runs a Keeper that mends nothing. A script gives one frame an opening,
// so it always falls silent: that is left out.
func keep(ctx context.Context, src Source, retry time.Duration, notify func(Status), deliver func(livenessd.Frame)) error {
	return NewKeeper(src, KeeperConfig{Retry: retry, Deliver: deliver, Notify: func(s Status) {
		if s.Fault != livenessd.FaultSilent || !s.Ready {
			notify(s)
		}
	}}).Run(ctx)
}

func TestKeep(t *testing.T) {
	lost, away, busy := errors.New("unplugged"), errors.New("not there"), errors.New("busy")
	ended := fmt.Errorf("recording x: %w", ErrEnd)
	many := func(n int, err error) []attempt { return slices.Repeat([]attempt{{0, err}}, n) }
	tests := []struct {
		name     string
		attempts []attempt
		want     []string // what notify was told
		err      error
		frames   int
	}{
		{"just works", nil, []string{"ready 1/0"}, nil, 1},
		{"comes late", many(50, away), []string{"not there 0/0", "ready 1/0"}, nil, 1},
		{"lost and back", slices.Concat([]attempt{{time.Second, lost}}, many(50, away)),
			[]string{"ready 1/0", "unplugged 1/1", "not there 1/1", "ready 2/1"}, nil, 2},
		{"reasons take turns", slices.Concat(many(20, away), many(20, busy), many(20, away), many(20, busy)),
			[]string{"not there 0/0", "busy 0/0", "ready 1/0"}, nil, 1},
		{"a reason for a moment", slices.Concat(many(20, away), many(9, busy), many(20, away)),
			[]string{"not there 0/0", "ready 1/0"}, nil, 1},
		{"the same loss twice is two losses", []attempt{{time.Second, lost}, {time.Second, lost}},
			[]string{"ready 1/0", "unplugged 1/1", "ready 2/1", "unplugged 2/2", "ready 3/2"}, nil, 3},
		{"stops without a reason", []attempt{{time.Second, nil}},
			[]string{"ready 1/0", "the source stopped without giving a reason 1/1", "ready 2/1"}, nil, 2},
		{"recording", []attempt{{time.Second, ended}},
			[]string{"ready 1/0", ended.Error() + " 1/0"}, ErrEnd, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				var got []string
				frames := 0
				err := keep(ctx, &script{attempts: tt.attempts}, 0, func(s Status) {
					what := "ready"
					if !s.Ready {
						what = s.Err.Error()
					} else if s.Err != nil {
						t.Errorf("ready, yet with error %v", s.Err)
					}
					got = append(got, fmt.Sprintf("%s %d/%d", what, s.Opens, s.Losses))
				}, func(livenessd.Frame) { frames++ })
				if !errors.Is(err, tt.err) {
					t.Errorf("Keep returned %v", err)
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("told %q\nwant %q", got, tt.want)
				}
				if frames != tt.frames {
					t.Errorf("%d frames, want %d", frames, tt.frames)
				}
			})
		})
	}
}

func TestKeepSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		src := &script{attempts: []attempt{{0, errors.New("a")}, {10 * time.Second, errors.New("b")}, {time.Second, errors.New("c")}}}
		var since []time.Duration
		if err := keep(ctx, src, time.Second, func(s Status) { since = append(since, s.Since.Sub(begin)) }, func(livenessd.Frame) {}); err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{0, time.Second, 11 * time.Second, 12 * time.Second, 13 * time.Second, 14 * time.Second}
		if !slices.Equal(since, want) {
			t.Errorf("since %v, want %v", since, want)
		}
	})
}

// An error text that never repeats must not fill the log.
func TestKeepBoundsReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		told, n := 0, 0
		src := sourceFunc(func(context.Context, func(livenessd.Camera), func(livenessd.Frame)) error {
			n++
			return fmt.Errorf("failure number %d", n/steady)
		})
		if err := keep(ctx, src, 0, func(Status) { told++ }, func(livenessd.Frame) {}); err != nil {
			t.Fatal(err)
		}
		if told != maxReasons || n < 1000 {
			t.Errorf("told %d times in %d attempts", told, n)
		}
	})
}

func TestKeepEndsWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		src := &script{attempts: []attempt{{0, errors.New("away")}}}
		err := keep(ctx, src, time.Hour, func(Status) { cancel() }, func(livenessd.Frame) {})
		if err != nil || time.Since(begin) != 0 {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}
