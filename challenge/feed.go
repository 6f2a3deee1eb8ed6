package challenge

import (
	"time"

	"livenessd"
)

// A camera in front of a person never gives the same bytes twice: its sensor
// is noisy. Equal pictures mean that the feed stands still or is played again.

const (
	frozenFrames   = 3 // equal pictures in a row, together with Config.Frozen
	repeatedFrames = 3 // pictures of earlier in a row that are a recording and no accident
)

// feed watches that time and pictures move on.
type feed struct {
	frozenFor, maxPause time.Duration

	last     time.Time
	digest   uint64
	equal    int       // how many times digest came in a row
	since    time.Time // when digest came first
	repeated int
	seen     livenessd.Digests
}

// step returns the flaw of the feed that o completes, or "".
func (f *feed) step(o *livenessd.Observation) livenessd.Reason {
	defer func() { f.last = o.At }()
	if !f.last.IsZero() && (!o.At.After(f.last) || o.At.Sub(f.last) > f.maxPause) {
		f.restart(o)
		return livenessd.TimeJump
	}
	if o.Digest == f.digest && f.equal > 0 {
		f.equal++
		if f.equal >= frozenFrames && o.At.Sub(f.since) >= f.frozenFor {
			return livenessd.FrozenFeed
		}
		return ""
	}
	f.digest, f.equal, f.since = o.Digest, 1, o.At
	if f.seen.Has(o.Digest) {
		if f.repeated++; f.repeated >= repeatedFrames {
			return livenessd.RepeatedFeed
		}
		return ""
	}
	f.repeated = 0
	f.seen.Add(o.Digest)
	return ""
}

// moved reports whether o is another picture than the one before it. It comes
// before step.
func (f *feed) moved(o *livenessd.Observation) bool { return o.Digest != f.digest }

func (f *feed) restart(o *livenessd.Observation) {
	f.digest, f.equal, f.since = o.Digest, 1, o.At
}

// Track follows one face from frame to frame. A session's faces must all be
// of one unbroken track, so that nobody swaps in. NewTrack makes one.
type Track struct {
	maxGap time.Duration
	minIoU float64

	box     livenessd.Rect
	last    time.Time // when the face was last seen; zero before the first
	several int
}

// severalFrames is how many frames with a second face end a track: one alone
// may be a false detection.
const severalFrames = 2

// NewTrack returns a track that has seen nothing yet.
func NewTrack(cfg Config) Track { return Track{maxGap: cfg.MaxGap, minIoU: cfg.MinIoU} }

// Step takes the next observation and returns why the track broke with it, or
// "". After a break the track is of no more use.
func (t *Track) Step(o *livenessd.Observation) livenessd.Reason {
	if len(o.Faces) == 0 {
		t.several = 0
		if !t.last.IsZero() && o.At.Sub(t.last) > t.maxGap {
			return livenessd.FaceLost
		}
		return ""
	}
	if hasReason(o, livenessd.SeveralFaces) {
		if t.several++; t.several >= severalFrames {
			return livenessd.SeveralFaces
		}
	} else {
		t.several = 0
	}
	box := o.Faces[0].Box
	if !t.last.IsZero() {
		if o.At.Sub(t.last) > t.maxGap {
			return livenessd.FaceLost
		}
		if box.IoU(t.box) < t.minIoU {
			return livenessd.FaceChanged
		}
	}
	t.box, t.last = box, o.At
	return ""
}

func hasReason(o *livenessd.Observation, r livenessd.Reason) bool {
	for _, m := range o.Quality {
		if m.Reason == r {
			return true
		}
	}
	return false
}
