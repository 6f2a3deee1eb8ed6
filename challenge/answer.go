package challenge

import (
	"math"
	"slices"
	"time"

	"livenessd"
)

// run is a condition that has held from frame to frame.
type run struct {
	since    time.Time
	n        int
	parallax float64 // sum, in the direction of the movement
}

func (r *run) hold(at time.Time, parallax float64) {
	if r.n == 0 {
		r.since = at
	}
	r.n++
	r.parallax += parallax
}

// lasted: two frames at least, or one bad pair of landmarks would decide.
func (r *run) lasted(at time.Time, d time.Duration) bool { return r.n >= 2 && at.Sub(r.since) >= d }

// follow keeps what the surface says. One that was followed and did not turn
// while the landmarks did is a sheet's.
func (m *movements) follow(mo *Motion, now *moment) {
	switch {
	case mo.Known:
		m.surface = append(m.surface, mo.Score)
	case mo.Followed && mo.Eyes >= leastEyes:
		if _, amount := m.turned(now.yaw, now.pitch); amount >= 1 {
			m.surface = append(m.surface, 0)
		}
	}
}

// tooEarly finds a movement that was nearly complete before anybody could have
// answered the prompt. It looks at the frames as they are: smoothing lags.
func (m *movements) tooEarly(now *moment) livenessd.Reason {
	if _, amount := m.turned(now.yaw, now.pitch); amount >= nearly && now.at.Sub(m.since) < m.cfg.MinReaction {
		m.early++
	}
	if m.early >= 2 {
		return livenessd.TooEarly
	}
	return ""
}

// answer judges a moment while a movement is asked for.
func (m *movements) answer(now *moment) livenessd.Reason {
	want := m.steps[m.i]
	got, amount := m.turned(now.yaw, now.pitch)
	if amount < 1 {
		m.right, m.wrong = run{}, run{}
		return ""
	}
	if got != want {
		m.right = run{}
		m.wrong.hold(now.at, 0)
		// Twice as long as for a right one: on the way a nod may lean aside.
		if m.wrong.lasted(now.at, 2*m.cfg.Confirm) {
			return livenessd.WrongMovement
		}
		return ""
	}
	m.wrong = run{}
	m.right.hold(now.at, m.depth(want, &now.shape))
	if !m.right.lasted(now.at, m.cfg.Confirm) {
		return ""
	}
	if m.flat(want) {
		// The angle is there, the depth is not. Given time it may still come:
		// landmarks lag behind on a fast turn.
		if m.right.lasted(now.at, 6*m.cfg.Confirm) {
			return livenessd.FlatMotion
		}
		return ""
	}
	m.i++
	m.asked, m.since, m.centred = false, now.at, time.Time{}
	return ""
}

// nearly is how much of a movement nobody has made before MinReaction.
const nearly = 0.75

const (
	// surfaceFrames is how many frames must have told of the surface before it
	// speaks for or against a movement.
	surfaceFrames = 3
	// doubt is the score below which the surface speaks against a turn that
	// the nose speaks for. It refuses 2 of 100 pairs of people, where
	// MotionThreshold refuses 4; of bent sheets that turn it lets 4 of 100
	// pass and not 2, but they have the nose still to come.
	doubt = 0.2
	// grave is the same where the nose stands out as far as a head's does, which
	// a sheet's cannot unless it is folded or has a nose stuck on.
	grave = 0.05
)

// flat reports whether the movement that was made lacks the depth of a head:
// the surface moved as a sheet does, or the nose did not leave the plane of the
// face. Of nods landmarks see too little to ask the nose where the surface
// could be followed; where it could not be the nose alone decides.
func (m *movements) flat(want livenessd.Direction) bool {
	nod := want == livenessd.Up || want == livenessd.Down
	nose, head := m.right.parallax/float64(m.right.n), noseDepth*math.Sin(m.angle(want))
	if len(m.surface) >= surfaceFrames {
		score := middle(slices.Clone(m.surface))
		if nod {
			return score < MotionThreshold
		}
		if score < grave || score < doubt && nose < head {
			return true
		}
	}
	return nose < m.cfg.Parallax*head
}

// turned returns the main direction of a turn in degrees and how far it went,
// 1 being what is asked for; "" when it is not a number.
func (m *movements) turned(yaw, pitch float64) (livenessd.Direction, float64) {
	yaw, pitch = yaw/m.cfg.Yaw, pitch/m.cfg.Pitch
	switch {
	case math.IsNaN(yaw) || math.IsNaN(pitch):
		return "", 0
	case math.Abs(yaw) >= math.Abs(pitch) && yaw >= 0:
		return livenessd.Left, yaw
	case math.Abs(yaw) >= math.Abs(pitch):
		return livenessd.Right, -yaw
	case pitch >= 0:
		return livenessd.Up, pitch
	}
	return livenessd.Down, -pitch
}

// angle is what is asked for in direction d, in radians, as landmarks see it.
func (m *movements) angle(d livenessd.Direction) float64 {
	if d == livenessd.Left || d == livenessd.Right {
		return radians(m.cfg.Yaw)
	}
	return radians(m.cfg.Pitch * nodShare)
}

// depth is the parallax of the nose in the direction of d. The person's left
// is the right of the picture.
func (m *movements) depth(d livenessd.Direction, now *shape) float64 {
	p, ok := parallax(&m.rest, now)
	if !ok {
		return 0
	}
	switch d {
	case livenessd.Left:
		return p.X
	case livenessd.Right:
		return -p.X
	case livenessd.Up:
		return -p.Y
	}
	return p.Y
}
