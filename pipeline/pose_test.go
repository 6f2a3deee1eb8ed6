package pipeline

import (
	"math"
	"math/rand/v2"
	"testing"

	"livenessd"
)

// pointsOf projects the head model at a pose, size pixels between the eyes.
func pointsOf(p livenessd.Pose, size, x, y float64) (lm [livenessd.Landmarks]livenessd.Point) {
	const rad = math.Pi / 180
	f := poseFit{p.Yaw * rad, p.Pitch * rad, p.Roll * rad, math.Log(size), x, y}
	for i, v := range headModel {
		lm[i], _ = f.project(v)
	}
	return lm
}

func TestPoseIsRecovered(t *testing.T) {
	for yaw := -60.0; yaw <= 60; yaw += 15 {
		for pitch := -40.0; pitch <= 40; pitch += 10 {
			for _, roll := range []float64{-60, -20, 0, 10, 45} {
				want := livenessd.Pose{Yaw: yaw, Pitch: pitch, Roll: roll}
				got := EstimatePose(pointsOf(want, 80, 320, 240))
				if d := apart(got, want); d > 0.1 {
					t.Errorf("got %+v, want %+v", got, want)
				}
			}
		}
	}
}

func apart(a, b livenessd.Pose) float64 {
	return max(math.Abs(a.Yaw-b.Yaw), math.Abs(a.Pitch-b.Pitch), math.Abs(a.Roll-b.Roll))
}

// The signs, told by what one sees and not by the code under test.
func TestPoseSigns(t *testing.T) {
	front := pointsOf(livenessd.Pose{}, 100, 300, 200)
	moved := func(l livenessd.Landmark, dx, dy float64) [livenessd.Landmarks]livenessd.Point {
		lm := front
		lm[l].X += dx
		lm[l].Y += dy
		return lm
	}
	if p := EstimatePose(moved(livenessd.NoseTip, 20, 0)); p.Yaw < 10 {
		t.Errorf("nose towards the person's left, the right of the picture: yaw %v, want clearly positive", p.Yaw)
	}
	if p := EstimatePose(moved(livenessd.NoseTip, 0, -12)); p.Pitch < 5 {
		t.Errorf("nose up: pitch %v, want clearly positive", p.Pitch)
	}
	lower := front
	lower[livenessd.LeftEye].Y += 15
	lower[livenessd.RightEye].Y -= 15
	if p := EstimatePose(lower); p.Roll < 3 {
		t.Errorf("left eye lower than the right: roll %v, want positive", p.Roll)
	}
	// A leaning head that turns: yaw is of the head's own axis.
	if p := EstimatePose(pointsOf(livenessd.Pose{Yaw: 30, Roll: 25}, 100, 0, 0)); math.Abs(p.Pitch) > 0.5 {
		t.Errorf("a leaning head that only turns has pitch %v", p.Pitch)
	}
}

// A pixel of noise at a small face must stay a few degrees.
func TestPoseNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	want := livenessd.Pose{Yaw: 15, Pitch: -5, Roll: 3}
	var sum, n float64
	for range 500 {
		lm := pointsOf(want, 60, 320, 240)
		for i := range lm {
			lm[i].X += r.NormFloat64()
			lm[i].Y += r.NormFloat64()
		}
		d := apart(EstimatePose(lm), want)
		sum, n = sum+d*d, n+1
	}
	if rms := math.Sqrt(sum / n); rms > 5 {
		t.Errorf("1 pixel of noise at 60 pixels between the eyes: %.1f° of error", rms)
	}
}

// Nothing that a detector can give makes a number that is not one.
func FuzzEstimatePose(f *testing.F) {
	f.Add(0., 0., 0., 0., 0., 0., 0., 0., 0., 0.)
	f.Add(1., 2., 3., 4., 5., 6., 7., 8., 9., 10.)
	f.Add(math.NaN(), 2., 3., 4., math.Inf(1), 6., 7., 8., 9., 1e300)
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g, h, i, j, k float64) {
		p := EstimatePose([livenessd.Landmarks]livenessd.Point{{X: a, Y: b}, {X: c, Y: d}, {X: e, Y: g}, {X: h, Y: i}, {X: j, Y: k}})
		if !(math.Abs(p.Yaw) <= 90.001) || !(math.Abs(p.Pitch) <= 90.001) || !(math.Abs(p.Roll) <= 180.001) {
			t.Errorf("pose %+v", p)
		}
	})
}
