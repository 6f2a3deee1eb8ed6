package challenge

import (
	"math"

	"livenessd"
)

// noseDepth is how far the tip of the nose stands out of the plane through
// the eyes and the corners of the mouth, in inter-eye distances: the five-point
// face models in common use put it between 0.4 and 0.6.
const noseDepth = 0.45

// shape is a set of landmarks, in pixels.
type shape = [livenessd.Landmarks]livenessd.Point

// corners are the landmarks that lie nearly in one plane.
var corners = [4]livenessd.Landmark{livenessd.RightEye, livenessd.LeftEye, livenessd.RightMouth, livenessd.LeftMouth}

// parallax returns how far the nose of now lies from where it would lie if
// then and now showed one flat thing, in inter-eye distances of then; x grows
// to the right of the picture, y downwards. Four points of a plane fix its
// homography between two pictures, so a sheet of paper that is slid, zoomed,
// tilted or turned gives 0 up to the noise of the landmarks, while a head that
// turns by a gives about noseDepth·sin a. ok is false when the four points do
// not fix a homography.
func parallax(then, now *shape) (d livenessd.Point, ok bool) {
	ied := math.Hypot(then[livenessd.LeftEye].X-then[livenessd.RightEye].X, then[livenessd.LeftEye].Y-then[livenessd.RightEye].Y)
	if !(ied > 1) {
		return d, false
	}
	// Work in units of the inter-eye distance around the nose: better
	// conditioned than pixels.
	var a, b shape
	o, p := then[livenessd.NoseTip], now[livenessd.NoseTip]
	for i := range then {
		a[i] = livenessd.Point{X: (then[i].X - o.X) / ied, Y: (then[i].Y - o.Y) / ied}
		b[i] = livenessd.Point{X: (now[i].X - p.X) / ied, Y: (now[i].Y - p.Y) / ied}
	}
	h, ok := homography(&a, &b)
	if !ok {
		return d, false
	}
	// The old nose lies at 0, 0: its image is the last column of h, and the
	// new nose lies at 0, 0 too.
	return livenessd.Point{X: -h[2], Y: -h[5]}, true
}

// homography solves for the h (h[8] = 1) that maps the four corners of a onto
// those of b: two linear equations a point (Hartley and Zisserman, Multiple
// View Geometry, section 4.1, with the last element fixed).
func homography(a, b *shape) (h [8]float64, ok bool) {
	var m [8][9]float64
	for i, c := range corners {
		x, y, u, v := a[c].X, a[c].Y, b[c].X, b[c].Y
		m[2*i] = [9]float64{x, y, 1, 0, 0, 0, -u * x, -u * y, u}
		m[2*i+1] = [9]float64{0, 0, 0, x, y, 1, -v * x, -v * y, v}
	}
	for col := range 8 {
		pivot := col
		for r := col + 1; r < 8; r++ {
			if math.Abs(m[r][col]) > math.Abs(m[pivot][col]) {
				pivot = r
			}
		}
		if !(math.Abs(m[pivot][col]) > 1e-9) {
			return h, false
		}
		m[col], m[pivot] = m[pivot], m[col]
		for r := range 8 {
			if r == col {
				continue
			}
			f := m[r][col] / m[col][col]
			for k := col; k < 9; k++ {
				m[r][k] -= f * m[col][k]
			}
		}
	}
	for i := range h {
		h[i] = m[i][8] / m[i][i]
	}
	return h, true
}
