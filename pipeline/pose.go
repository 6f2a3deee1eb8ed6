package pipeline

import (
	"math"

	"livenessd"
)

// vec is a place in the head's own frame: x towards the person's left, y down,
// z out of the face; in units of the distance between the eyes.
type vec [3]float64

// headModel is where the detector's five landmarks lie on an average head
// whose pose is 0, 0, 0, fitted (bundle adjustment under scaled orthography,
// left and right symmetric) to the detector's landmarks on 2670 pictures of
// real people: webcams, public photographs and clips of moving heads. Pitch 0
// is the median of people at webcams. The residual is 1.5 % of the distance
// between the eyes.
var headModel = [livenessd.Landmarks]vec{
	livenessd.RightEye:   {-0.5, 0, 0},
	livenessd.LeftEye:    {0.5, 0, 0},
	livenessd.NoseTip:    {0, 0.591, 0.432},
	livenessd.RightMouth: {-0.434, 1.025, -0.208},
	livenessd.LeftMouth:  {0.434, 1.025, -0.208},
}

// EstimatePose returns the rotation of the head whose landmarks these are, in
// pixels: the pose at which headModel, seen from afar (scaled orthographic
// projection), fits them best by least squares. Yaw and pitch stay within
// ±90°, roll within ±180°. People differ from the average head, so yaw is good
// to a few degrees, and pitch has a zero of its own for each person and camera
// height. Landmarks that all lie in one place give the zero Pose.
func EstimatePose(lm [livenessd.Landmarks]livenessd.Point) livenessd.Pose {
	fit, ok := startFit(lm)
	if !ok {
		return livenessd.Pose{}
	}
	for range 15 {
		step, ok := fit.step(lm)
		if !ok {
			break
		}
		fit = fit.plus(step)
		if step.small() {
			break
		}
	}
	if !fit.finite() {
		return livenessd.Pose{}
	}
	const deg = 180 / math.Pi
	return livenessd.Pose{Yaw: fit[0] * deg, Pitch: fit[1] * deg, Roll: math.Remainder(fit[2], 2*math.Pi) * deg}
}

// poseFit is yaw, pitch and roll in radians, the logarithm of pixels a unit of
// the model (so that it cannot turn negative), and where the model's origin
// lies in the picture.
type poseFit [6]float64

// startFit takes roll, size and place from the eyes and mouth, and guesses
// yaw 0 and pitch 0: within ±90° the nose, which stands out of the plane of the
// other four, leads to the right one of the two poses that fit a flat face.
func startFit(lm [livenessd.Landmarks]livenessd.Point) (poseFit, bool) {
	r, l := lm[livenessd.RightEye], lm[livenessd.LeftEye]
	mouth := livenessd.Point{X: (lm[livenessd.RightMouth].X + lm[livenessd.LeftMouth].X) / 2, Y: (lm[livenessd.RightMouth].Y + lm[livenessd.LeftMouth].Y) / 2}
	eyes := livenessd.Point{X: (r.X + l.X) / 2, Y: (r.Y + l.Y) / 2}
	across, down := livenessd.Point{X: l.X - r.X, Y: l.Y - r.Y}, livenessd.Point{X: mouth.X - eyes.X, Y: mouth.Y - eyes.Y}
	// In a profile the eyes fall together and the way down to the mouth still
	// shows the roll: add both as directions.
	roll := math.Atan2(across.Y-down.X, across.X+down.Y)
	size := max(math.Hypot(across.X, across.Y), math.Hypot(down.X, down.Y))
	if !(size > 1e-6) {
		return poseFit{}, false
	}
	return poseFit{0, 0, roll, math.Log(size), eyes.X, eyes.Y}, true
}

// project returns where the model's point v falls, and the derivatives of that
// by yaw, pitch and roll. The head first nods about its own axis between the
// ears, then turns about its neck, then leans: R = Rz(roll)·Ry(yaw)·Rx(pitch).
func (f poseFit) project(v vec) (p livenessd.Point, d [3]livenessd.Point) {
	sy, cy := math.Sincos(f[0])
	sp, cp := math.Sincos(f[1])
	sr, cr := math.Sincos(f[2])
	s := math.Exp(f[3])
	// Pitch upwards brings a point out of the face (z) up (−y).
	y, z := v[1]*cp-v[2]*sp, v[1]*sp+v[2]*cp
	dy, dz := -z, y
	// Yaw to the person's left brings it to larger x.
	x := v[0]*cy + z*sy
	lean := func(x, y float64) livenessd.Point {
		return livenessd.Point{X: s * (x*cr - y*sr), Y: s * (x*sr + y*cr)}
	}
	p = lean(x, y)
	d[0] = lean(-v[0]*sy+z*cy, 0)
	d[1] = lean(dz*sy, dy)
	d[2] = livenessd.Point{X: -p.Y, Y: p.X}
	p.X, p.Y = p.X+f[4], p.Y+f[5]
	return p, d
}

// step returns the Gauss–Newton step towards lm, damped a little (Levenberg)
// so that it exists in any pose.
func (f poseFit) step(lm [livenessd.Landmarks]livenessd.Point) (poseFit, bool) {
	var a [6][7]float64 // normal equations, right-hand side last
	add := func(row poseFit, err float64) {
		for i := range row {
			for j := range row {
				a[i][j] += row[i] * row[j]
			}
			a[i][6] += row[i] * err
		}
	}
	for i, v := range headModel {
		p, d := f.project(v)
		add(poseFit{d[0].X, d[1].X, d[2].X, p.X - f[4], 1, 0}, lm[i].X-p.X)
		add(poseFit{d[0].Y, d[1].Y, d[2].Y, p.Y - f[5], 0, 1}, lm[i].Y-p.Y)
	}
	for i := range a {
		a[i][i] += 1e-3*a[i][i] + 1e-9
	}
	s, ok := solve(&a)
	// Far from the answer the linear step overshoots: a turn of at most 20°
	// at a time keeps it on this side of the head.
	if big := max(math.Abs(s[0]), math.Abs(s[1])); big > 0.35 {
		for i := range s {
			s[i] *= 0.35 / big
		}
	}
	return s, ok
}

// solve solves the equations in a by Gaussian elimination with pivoting.
func solve(a *[6][7]float64) (x poseFit, ok bool) {
	for c := range 6 {
		p := c
		for r := c + 1; r < 6; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[p][c]) {
				p = r
			}
		}
		if !(math.Abs(a[p][c]) > 0) {
			return x, false
		}
		a[c], a[p] = a[p], a[c]
		for r := c + 1; r < 6; r++ {
			k := a[r][c] / a[c][c]
			for j := c; j < 7; j++ {
				a[r][j] -= k * a[c][j]
			}
		}
	}
	for c := 5; c >= 0; c-- {
		x[c] = a[c][6]
		for j := c + 1; j < 6; j++ {
			x[c] -= a[c][j] * x[j]
		}
		x[c] /= a[c][c]
	}
	return x, true
}

func (f poseFit) plus(s poseFit) poseFit {
	for i := range f {
		f[i] += s[i]
	}
	f[0] = min(max(f[0], -math.Pi/2), math.Pi/2)
	f[1] = min(max(f[1], -math.Pi/2), math.Pi/2)
	return f
}

func (f poseFit) small() bool {
	return math.Abs(f[0])+math.Abs(f[1])+math.Abs(f[2]) < 1e-5
}

func (f poseFit) finite() bool {
	for _, v := range f {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
