package challenge

import (
	"time"

	"livenessd"
)

// rest is what keeps one result from being followed by the next before anybody
// new is there. It ends when whoever the result was of has stepped away, or
// somebody else stands there, or its limit has passed. Each limit that passed
// without anybody stepping away doubles the next one: a portrait on the wall that
// is taken for a face must neither fill the store with results nor lock the
// kiosk by its failures, and a person who stays is told to step away.
type rest struct {
	cfg   *Config
	box   livenessd.Rect // whose result it was; zero when nobody was near
	away  time.Time      // that face not seen since; zero when it is
	stays int            // limits that passed in a row
}

// mostDoublings bounds the rest: 12 seconds become 13 minutes.
const mostDoublings = 6

// begin starts the rest after a result. face is who is near, nil for nobody.
func (r *rest) begin(face *livenessd.Face) {
	r.away, r.box = time.Time{}, livenessd.Rect{}
	if face != nil {
		r.box = face.Box
	}
}

// step takes the face that is near now, nil for nobody, also between a rest and
// the next session.
func (r *rest) step(at time.Time, face *livenessd.Face) {
	if face != nil && face.Box.IoU(r.box) >= r.cfg.MinIoU {
		r.box, r.away = face.Box, time.Time{}
		return
	}
	if r.away.IsZero() {
		r.away = at
	}
	if r.left(at) {
		r.stays = 0
	}
}

// left reports whether whom the result was of has stepped away.
func (r *rest) left(at time.Time) bool {
	return !r.away.IsZero() && at.Sub(r.away) >= r.cfg.AwayFor
}

// over reports whether the rest that began at since, after outcome, ends at at.
func (r *rest) over(at, since time.Time, outcome livenessd.Outcome) bool {
	if r.left(at) {
		return true
	}
	limit := r.cfg.RestLimit
	if outcome == livenessd.Retry {
		limit = r.cfg.RestRetry
	}
	if at.Sub(since) < limit<<min(r.stays, mostDoublings) {
		return false
	}
	r.stays++
	return true
}
