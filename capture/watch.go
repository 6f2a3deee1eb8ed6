package capture

import (
	"fmt"
	"time"

	"livenessd"
)

// A camera in front of a room never gives the same bytes twice: its sensor is
// noisy. Equal pictures mean that the feed stands still or is played again.
const (
	silentAfter    = time.Second
	frozenAfter    = 700 * time.Millisecond
	frozenFrames   = 3                      // at least so many equal pictures, for cameras that are slow
	repeatedFrames = 3                      // so many of earlier in a row are a recording and no accident
	freshFrames    = 10                     // so many new ones in a row end that
	blackSamples   = 2                      // in a row
	blackAfter     = 300 * time.Millisecond // a hand that passes is none
	rateWindow     = time.Second
	slowShare      = 0.6  // of the rate agreed on
	briskShare     = 0.75 // ends slowness
	leastRate      = 4    // pictures a second: below that a rate of one second says nothing
)

// watch judges pictures as they come, without looking at more of them than
// their digest and their light. It is pure: times come in.
type watch struct {
	silence time.Duration // that is a fault
	rate    float64       // agreed on; 0 when nobody says

	begin    time.Time // of watching: the first picture
	last     time.Time
	arrivals []time.Time // of the last rateWindow
	slow     bool

	digest   uint64
	equal    int       // how many times digest came in a row
	since    time.Time // when it came first
	repeated int
	fresh    int
	seen     livenessd.Digests

	dark      int // black samples in a row
	darkSince time.Time
}

func newWatch(silence time.Duration) *watch { return &watch{silence: silence} }

// opened begins anew with a camera that agreed on rate pictures a second.
// Pictures are remembered: a recording does not become new by being restarted.
func (w *watch) opened(rate float64) {
	w.rate, w.begin, w.last, w.slow = rate, time.Time{}, time.Time{}, false
	w.arrivals = w.arrivals[:0]
	w.equal, w.repeated, w.fresh, w.dark = 0, 0, 0, 0
}

// frame takes a picture that came at this moment.
func (w *watch) frame(digest uint64, at time.Time) {
	if w.begin.IsZero() {
		w.begin = at
	}
	w.last = at
	w.arrivals = append(w.expire(at), at)
	if w.equal > 0 && digest == w.digest {
		w.equal++
		return
	}
	w.digest, w.equal, w.since = digest, 1, at
	if w.seen.Has(digest) {
		w.repeated++
		w.fresh = 0
		return
	}
	if w.fresh++; w.fresh >= freshFrames || w.repeated < repeatedFrames {
		w.repeated = 0
	}
	w.seen.Add(digest)
}

// expire drops what came before the window that ends now.
func (w *watch) expire(now time.Time) []time.Time {
	i := 0
	for i < len(w.arrivals) && now.Sub(w.arrivals[i]) >= rateWindow {
		i++
	}
	return append(w.arrivals[:0], w.arrivals[i:]...)
}

// light takes how bright a picture was at this moment.
func (w *watch) light(l Light, at time.Time) {
	if !l.Black() {
		w.dark = 0
		return
	}
	if w.dark++; w.dark == 1 {
		w.darkSince = at
	}
}

// measured returns the pictures a second of the last window.
func (w *watch) measured(now time.Time) float64 {
	w.arrivals = w.expire(now)
	return float64(len(w.arrivals)) / rateWindow.Seconds()
}

// judge returns what is wrong now, the worst first, and a sentence about it.
// Before the first picture nothing is.
func (w *watch) judge(now time.Time) (livenessd.CameraFault, string) {
	if w.begin.IsZero() {
		return "", ""
	}
	rate := w.measured(now)
	switch silence := now.Sub(w.last); {
	case silence >= w.silence:
		return livenessd.FaultSilent, fmt.Sprintf("no picture for %.1f s", silence.Seconds())
	case w.dark >= blackSamples && now.Sub(w.darkSince) >= blackAfter:
		return livenessd.FaultBlack, "the pictures are black or of one colour: uncover the lens, or put on some light"
	case w.equal >= frozenFrames && now.Sub(w.since) >= frozenAfter:
		return livenessd.FaultFrozen, fmt.Sprintf("the same picture for %.1f s", now.Sub(w.since).Seconds())
	case w.repeated >= repeatedFrames:
		return livenessd.FaultRepeated, "pictures of earlier come again, as from a recording"
	case w.isSlow(now):
		return livenessd.FaultSlow, fmt.Sprintf("%.0f pictures a second, %.3g were agreed on: more light helps, or another USB port, or exposure_dynamic_framerate=0", rate, w.rate)
	}
	return "", ""
}

// isSlow judges the pace of the last window without its longest gap, so that a
// single halt is not taken for slowness.
func (w *watch) isSlow(now time.Time) bool {
	if w.rate < leastRate || now.Sub(w.begin) < rateWindow {
		return false
	}
	before, longest := now.Add(-rateWindow), time.Duration(0)
	for _, at := range append(w.arrivals, now) {
		longest = max(longest, at.Sub(before))
		before = at
	}
	share := 1.0
	if rest := rateWindow - longest; rest > 0 {
		share = float64(len(w.arrivals)) / (w.rate * rest.Seconds())
	}
	if w.slow {
		w.slow = share < briskShare
	} else {
		w.slow = share < slowShare
	}
	return w.slow
}
