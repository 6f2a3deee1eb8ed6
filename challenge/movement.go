package challenge

import (
	"math/rand/v2"
	"time"

	"livenessd"
)

// sequence draws which movements to ask for: unpredictable in number and
// order, never the same twice in a row, so that "nothing happened" cannot pass
// for an answer.
func sequence(cfg *Config, rng *rand.Rand) []livenessd.Direction {
	all := []livenessd.Direction{livenessd.Left, livenessd.Right, livenessd.Up, livenessd.Down}
	n := cfg.MinMovements + rng.IntN(cfg.MaxMovements-cfg.MinMovements+1)
	var seq []livenessd.Direction
	for len(seq) < n {
		d := all[rng.IntN(len(all))]
		if len(seq) == 0 || seq[len(seq)-1] != d {
			seq = append(seq, d)
		}
	}
	return seq
}

// rests draws how long the head must rest at the centre before each of n
// movements is asked for: a recording of somebody's earlier answers does not
// know when the prompts will come.
func rests(cfg *Config, n int, rng *rand.Rand) []time.Duration {
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = cfg.Settle + time.Duration(rng.Int64N(int64(cfg.SettleSpread)+1))
	}
	return out
}

// movements follows the answers to a sequence of prompts.
type movements struct {
	cfg   *Config
	steps []livenessd.Direction
	rests []time.Duration // at the centre before each of them
	base  livenessd.Pose  // the person's own straight look
	now   smooth
	from  livenessd.Pose // what turns are counted from: the head when the last movement was asked for, base before
	rest  shape          // landmarks of the last moment at the centre

	i       int  // steps done
	asked   bool // a movement is asked for; else the way back to the centre
	since   time.Time
	centred time.Time      // at the centre since; zero when not
	still   livenessd.Pose // where it came to rest there
	same    []float64      // Motion.Sharp of the rest
	early   int            // frames that answered faster than anybody can
	right   run            // the movement that was asked for lasts
	wrong   run            // another one lasts
	surface []float64      // scores of JudgeFlow since the movement was asked for
	frames  int
}

// newMovements starts with the way to the centre. hold are the poses of the
// passive part, during which the person looked straight ahead: what a pose
// estimate calls 0 differs from face to face by several degrees.
func newMovements(cfg *Config, seq []livenessd.Direction, rests []time.Duration, hold []livenessd.Pose, at time.Time) *movements {
	base := median(hold)
	return &movements{cfg: cfg, steps: seq, rests: rests, base: base, from: base, now: smooth{window: cfg.Smooth}, since: at}
}

// done reports whether every movement was made.
func (m *movements) done() bool { return m.i == len(m.steps) }

// deadline is when the present step ends as not made.
func (m *movements) deadline() time.Time { return m.since.Add(m.cfg.MoveLimit) }

// prompt is what the person is asked for now.
func (m *movements) prompt() livenessd.Prompt {
	if m.asked && !m.done() {
		return promptOf(m.steps[m.i])
	}
	return livenessd.PromptBackToCentre
}

// step takes one observation and returns why the answer failed, or "". A frame
// without a face says nothing here: the track decides how long that may last.
func (m *movements) step(o *livenessd.Observation) livenessd.Reason {
	if m.done() {
		return ""
	}
	if o.At.After(m.deadline()) {
		return livenessd.NoMovement
	}
	if len(o.Faces) == 0 {
		return ""
	}
	m.frames++
	var mo Motion
	if o.Flow != nil {
		mo = JudgeFlow(o.Flow)
	}
	now := moment{at: o.At, pose: o.Pose, shape: o.Faces[0].Landmarks}
	now.yaw, now.pitch = headTurn(m.from, o.Pose, &mo)
	smoothed := m.now.add(now)
	if !m.asked {
		return m.centre(&smoothed, &mo)
	}
	if r := m.tooEarly(&now); r != "" {
		return r
	}
	m.follow(&mo, &smoothed)
	return m.answer(&smoothed)
}

// centre waits until the head rests at the centre, then asks.
func (m *movements) centre(now *moment, mo *Motion) livenessd.Reason {
	// Since the straight look, not since the last rest: many rests a little
	// aside would lead away.
	yaw, pitch := headTurn(m.base, m.from, &Motion{})
	yaw, pitch = yaw+now.yaw, pitch+now.pitch
	if d, amount := m.turned(yaw, pitch); amount > m.cfg.Centre || d == "" {
		m.centred, m.same = time.Time{}, nil
		return ""
	}
	// One that is on its way has not been asked yet.
	if _, drift := m.turned(yaw-m.still.Yaw, pitch-m.still.Pitch); drift > resting || m.centred.IsZero() {
		m.centred, m.still = now.at, livenessd.Pose{Yaw: yaw, Pitch: pitch}
	}
	if mo.Followed {
		m.same = append(m.same, mo.Sharp)
	}
	if now.at.Sub(m.centred) < m.rests[m.i] {
		return ""
	}
	if len(m.same) >= surfaceFrames && middle(m.same) < sameFace {
		return livenessd.FaceChanged
	}
	m.asked, m.since, m.early = true, now.at, 0
	m.right, m.wrong, m.surface, m.same = run{}, run{}, nil, nil
	m.from, m.rest, m.now.last = now.pose, now.shape, nil
	return ""
}

const (
	// resting is how far, as a share of what is asked for, a head may drift
	// while it rests.
	resting = 0.3
	// sameFace is how much of a face must be found again while it rests, of
	// what it was when the last movement was asked for, or at the end of the
	// hold. Of 500 pairs of pictures of fourteen people 6° and less apart, half
	// of them made small and noisy, 99 in 100 have more than 0.45; of 500 pairs
	// of two people 95 in 100 have less than 0.49. Here it is the median of a
	// rest.
	sameFace = 0.45
)

// justAsked reports whether the face of the moment given is the rest that the
// movement to come is counted from.
func (m *movements) justAsked(at time.Time) bool { return m.asked && m.since.Equal(at) }

// stage reports the motion stage: how many of the movements were made.
func (m *movements) stage() livenessd.Stage {
	s := livenessd.Stage{Name: livenessd.StageMotion, Threshold: 1, Frames: m.frames, Outcome: livenessd.Retry}
	if m.done() && len(m.steps) > 0 {
		s.Outcome = livenessd.Live
	}
	if len(m.steps) > 0 {
		s.Score = float64(m.i) / float64(len(m.steps))
	}
	return s
}
