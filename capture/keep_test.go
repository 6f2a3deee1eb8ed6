package capture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"livenessd"
)

// feed is a Source that gives 20 grey pictures a second for as long as what
// says, then fails with err; it goes on with the next part when it is opened
// again.
type feed struct {
	parts  []part
	opens  int
	resets int
	reset  error
	n      uint64 // of pictures
}

type part struct {
	kind string // "good", "frozen", "black", "slow", "silent", "looped"
	for_ time.Duration
	err  error // ends the part; nil goes on with the next without being opened again
}

const feedRate = 20

func (f *feed) Stream(ctx context.Context, opened func(livenessd.Camera), deliver func(livenessd.Frame)) error {
	f.opens++
	told := false
	for len(f.parts) > 0 {
		p := &f.parts[0]
		if p.for_ <= 0 {
			err := p.err
			f.parts = f.parts[1:]
			if err != nil {
				return err
			}
			continue
		}
		if !told && p.kind != "silent" {
			told = true
			opened(livenessd.Camera{FPS: feedRate})
			sleep(ctx, 7*time.Millisecond) // so that no picture comes just when the faults are looked at
		}
		pause := time.Second / feedRate
		switch p.kind {
		case "slow":
			pause *= 4
			deliver(f.picture(f.next(), 200))
		case "good":
			deliver(f.picture(f.next(), 200))
		case "looped":
			deliver(f.picture(f.next()%40+1_000_000, 200))
		case "black":
			deliver(f.picture(f.next(), 5))
		case "frozen":
			deliver(f.picture(7, 200))
		}
		p.for_ -= pause
		if !sleep(ctx, pause) {
			return nil
		}
	}
	<-ctx.Done()
	return nil
}

func (f *feed) next() uint64 { f.n++; return f.n }

// picture is 16 x 16 pixels, dark on the left and this bright on the right,
// with a number in a corner that is not looked at.
func (f *feed) picture(n uint64, bright byte) livenessd.Frame {
	data := make([]byte, 256)
	for i := range data {
		if i%16 >= 8 {
			data[i] = bright
		}
	}
	binary.BigEndian.PutUint64(data[16:], n) // line 1: the grid has lines 0, 4, 8 and 12
	return livenessd.Frame{Width: 16, Height: 16, Format: livenessd.GREY, Data: data, At: time.Now()}
}

func (f *feed) Reset(context.Context) error { f.resets++; return f.reset }

// told is what Notify heard: seconds, fault, and the counts of steps.
func runFeed(t *testing.T, f *feed, last Step, most time.Duration) (told []string, end error) {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	k := NewKeeper(f, KeeperConfig{Mend: true, Last: last, Deliver: func(livenessd.Frame) {}, Notify: func(s Status) {
		fault := s.Fault
		if fault == "" {
			fault = "well"
		}
		line := fmt.Sprintf("%.1f %s", time.Since(begin).Seconds(), fault)
		if s.Resets > 0 {
			line += fmt.Sprintf(" resets %d", s.Resets)
		}
		told = append(told, line)
	}})
	return told, k.Run(ctx)
}

func TestFaultsAreNamedWithinASecond(t *testing.T) {
	for _, tt := range []struct {
		parts []part
		want  string
	}{
		{[]part{{"good", 20 * time.Second, nil}}, "0.0 well"},
		{[]part{{"good", 5 * time.Second, nil}, {"frozen", 2 * time.Second, nil}, {"good", 5 * time.Second, nil}}, "0.0 well, 5.8 frozen, 7.1 well"},
		{[]part{{"good", 5 * time.Second, nil}, {"black", 2 * time.Second, nil}, {"good", 5 * time.Second, nil}}, "0.0 well, 5.6 black, 7.4 well"},
		{[]part{{"good", 5 * time.Second, nil}, {"slow", 4 * time.Second, nil}, {"good", 5 * time.Second, nil}}, "0.0 well, 5.8 slow, 9.5 well"},
		{[]part{{"good", 5 * time.Second, nil}, {"looped", 4 * time.Second, nil}, {"good", 5 * time.Second, nil}}, "0.0 well, 7.2 repeated, 9.5 well"},
		{[]part{{"good", 5 * time.Second, nil}, {"silent", 1500 * time.Millisecond, nil}, {"good", 5 * time.Second, nil}}, "0.0 well, 6.0 silent, 6.6 well"},
	} {
		synctest.Test(t, func(t *testing.T) {
			told, err := runFeed(t, &feed{parts: tt.parts}, GiveUp, 12*time.Second)
			if got := strings.Join(told, ", "); err != nil || got != tt.want {
				t.Errorf("%s: %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestMending(t *testing.T) {
	broken := errors.New("input/output error")
	gone := fmt.Errorf("no such camera: %w", livenessd.ErrNotFound)
	fails := func(n int, err error) []part { return slices.Repeat([]part{{"silent", 0, err}}, n) }
	for _, tt := range []struct {
		name  string
		parts []part
		last  Step
		reset error
		want  string
		err   error
	}{
		{"a frozen camera is opened again",
			[]part{{"good", time.Second, nil}, {"frozen", 3900 * time.Millisecond, nil}, {"good", time.Minute, nil}}, GiveUp, nil, "opens 2 resets 0", nil},
		{"and then reset", []part{{"frozen", time.Hour, nil}}, ResetUSB, nil, "opens 36 resets 3", nil},
		{"and then given up", []part{{"frozen", time.Hour, nil}}, GiveUp, nil, "opens 19 resets 3", ErrGaveUp},
		{"a failing camera is given up", fails(1000, broken), GiveUp, nil, "opens 201 resets 3", ErrGaveUp},
		{"a camera that cannot be reset is given up", fails(1000, broken), GiveUp, errors.New("not allowed"), "opens 201 resets 1", ErrGaveUp},
		{"unless that is not wanted", fails(1000, broken), Reopen, nil, "opens 401 resets 0", nil},
		{"a camera that is not there is waited for", fails(1000, gone), GiveUp, nil, "opens 401 resets 0", nil},
		{"a black camera is left alone", []part{{"black", time.Hour, nil}}, GiveUp, nil, "opens 1 resets 0", nil},
		{"a slow camera is left alone", []part{{"slow", time.Hour, nil}}, GiveUp, nil, "opens 1 resets 0", nil},
		{"two short failures are no outage", []part{{"good", 30 * time.Second, broken}, {"good", 30 * time.Second, broken}, {"good", time.Hour, nil}}, GiveUp, nil, "opens 3 resets 0", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &feed{parts: tt.parts, reset: tt.reset}
				_, err := runFeed(t, f, tt.last, 2*time.Minute)
				if got := fmt.Sprintf("opens %d resets %d", f.opens, f.resets); got != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("%s, %v\nwant %s, %v", got, err, tt.want, tt.err)
				}
			})
		})
	}
}

// A fault that reopening does not mend stays one fault: nobody is told that
// all is well in between.
func TestFaultStaysOverReopening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told, _ := runFeed(t, &feed{parts: []part{{"good", 5 * time.Second, nil}, {"frozen", time.Hour, nil}}}, Reopen, 20*time.Second)
		for _, line := range told[1:] {
			if !strings.HasSuffix(line, "frozen") {
				t.Errorf("%q in %q", line, told)
			}
		}
	})
}

func TestStatusWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		k := NewKeeper(&feed{parts: []part{{"good", time.Minute, nil}}}, KeeperConfig{Notify: func(Status) {}, Deliver: func(livenessd.Frame) {}})
		if s := k.Status(); s.Fault != livenessd.FaultGone || s.Ready {
			t.Errorf("before: %+v", s)
		}
		go func() {
			time.Sleep(4*time.Second + time.Millisecond)
			s := k.Status()
			if !s.Ready || s.Fault != "" || s.Rate != feedRate || s.Light != (Light{Mean: 100, Low: 0, High: 200}) {
				t.Errorf("%+v", s)
			}
		}()
		if err := k.Run(ctx); err != nil {
			t.Error(err)
		}
	})
}
