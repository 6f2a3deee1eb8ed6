package challenge

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"livenessd"
)

// moving is a sequence of an actor whose pose, place and size swing.
func moving(n int, change func(a *actor, phase float64)) []livenessd.Observation {
	a := newActor()
	var obs []livenessd.Observation
	for i := range n {
		change(a, math.Sin(2*math.Pi*float64(i)/20))
		obs = append(obs, *a.observe(uint64(i), epoch.Add(time.Duration(i)*tick)))
	}
	return obs
}

// Ensure that heads and flat things that turn are told apart, and that nothing
// is said about what does not turn.
func TestMotionScore(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	tests := []struct {
		name      string
		obs       []livenessd.Observation
		low, high float64
		ok        bool
	}{
		{"a head shakes", moving(60, func(a *actor, p float64) { a.pose.Yaw = 25 * p }), 0.6, 1, true},
		{"a head nods", moving(60, func(a *actor, p float64) { a.pose.Pitch = 20 * p }), 0.6, 1, true},
		{"a head turns and comes nearer", moving(60, func(a *actor, p float64) { a.pose.Yaw, a.size = 20*p, 90+20*p }), 0.6, 1, true},
		{"a sheet turns", moving(60, func(a *actor, p float64) { a.flat, a.pose.Yaw = true, 50*p }), 0, 0.05, true},
		{"a sheet is tilted and slid", moving(60, func(a *actor, p float64) { a.flat, a.pose.Pitch, a.x = true, 45*p, 300+90*p }), 0, 0.05, true},
		{"a head keeps still", moving(60, func(a *actor, p float64) { a.pose.Yaw = 2 * p }), 0, 0, false},
		{"a sheet is slid and zoomed", moving(60, func(a *actor, p float64) { a.flat, a.x, a.size = true, 300+90*p, 90+30*p }), 0, 0, false},
		{"landmarks tremble", tremble(moving(60, func(a *actor, _ float64) { a.flat = true }), rng, 0.02), 0, 0, false},
		{"nobody", moving(60, func(a *actor, _ float64) { a.absent = true }), 0, 0, false},
		{"one frame", moving(1, func(*actor, float64) {}), 0, 0, false},
		{"nothing", nil, 0, 0, false},
		{"no numbers", tremble(moving(9, func(*actor, float64) {}), rng, math.NaN()), 0, 0, false},
		{"all in one point", moving(9, func(a *actor, _ float64) { a.size = 0 }), 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			score, ok := MotionScore(tt.obs)
			if ok != tt.ok || !(score >= tt.low && score <= tt.high) {
				t.Errorf("%.3f %v, want %v to %v %v", score, ok, tt.low, tt.high, tt.ok)
			}
		})
	}
}

// tremble adds noise to landmarks, its standard deviation in eye distances.
func tremble(obs []livenessd.Observation, rng *rand.Rand, share float64) []livenessd.Observation {
	for i := range obs {
		for k := range obs[i].Faces[0].Landmarks {
			p := &obs[i].Faces[0].Landmarks[k]
			p.X, p.Y = p.X+90*share*rng.NormFloat64(), p.Y+90*share*rng.NormFloat64()
		}
	}
	return obs
}

// Ensure that two frames are a sequence, and that a jump of one frame's
// landmarks among many is not a movement.
func TestMotionScoreOfFewAndOfJumps(t *testing.T) {
	two := moving(2, func(*actor, float64) {})
	turned := newActor()
	turned.pose.Yaw = 30
	two[1] = *turned.observe(2, epoch.Add(tick))
	if score, ok := MotionScore(two); !ok || score < 0.6 {
		t.Errorf("two frames of a head: %v %v", score, ok)
	}
	jump := moving(30, func(*actor, float64) {})
	jump[12].Faces[0].Landmarks[livenessd.NoseTip].X += 60
	if score, ok := MotionScore(jump); ok {
		t.Errorf("one bad landmark in thirty frames: %v", score)
	}
}

// Ensure that better frames count more and that what is no probability is no
// yes.
func TestWeightedScore(t *testing.T) {
	var s WeightedScore
	if s.Value() != 0 {
		t.Error("no frame has a score")
	}
	a := newActor()
	a.texture = 1
	s.Add(a.observe(1, epoch)) // worst measure 80
	a.texture, a.flaw = 0, livenessd.TooDark
	s.Add(a.observe(2, epoch)) // worst measure 10
	if want := 0.8 / 0.9; math.Abs(s.Value()-want) > 1e-12 {
		t.Errorf("%v, want %v", s.Value(), want)
	}
	a.texture = nan()
	if v, w := s.Add(a.observe(3, epoch)); v != 0 || w != 0.1 || !(s.Value() < 0.8/0.9) {
		t.Errorf("not a number was taken as %v with weight %v, mean %v", v, w, s.Value())
	}
}
