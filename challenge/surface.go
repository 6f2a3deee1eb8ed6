package challenge

import (
	"math"

	"livenessd"
)

// surface fits how a face's surface moved between two pictures. Seen from
// afar (scaled orthography) a rigid thing that turns moves each of its points by
//
//	A·(x, y) + t + z(x, y)·g
//
// where z is how far the point stands out and g says how the thing turned:
// sin yaw to the right, sin pitch upwards. For a sheet z is a plane and
// vanishes in A; for a sheet that is bent round a cylinder, or seen from near
// (a homography), what is left is nearly all of second order in x and y, and
// the rest of third. A head has a nose and sockets, which are neither.
type surface struct {
	x, y, z []float64         // places, and how far an average head stands out there
	move    []livenessd.Point //
	weight  []float64         // of a match before anything is fitted
	sharp   float64           // share of the places sought that were found again well
}

const (
	leastMatches = 30   // fewer say nothing
	trustedMiss  = 0.01 // eye distances: half weight
	sharpMiss    = 0.03 // found again well
	worstMiss    = 0.1  // of no use
	widestMove   = 0.6  // no head does that between two aligned pictures
	mouthWeight  = 0.3  // the mouth moves by itself
	sharpest     = 0.003
)

// newSurface takes the matches that can be used; ok is false when they are too
// few.
func newSurface(f *livenessd.Flow) (s surface, ok bool) {
	for _, m := range f.Matches {
		if m.Error < sharpMiss {
			s.sharp += 1 / float64(max(f.Sought, len(f.Matches)))
		}
		if !(m.Error <= worstMiss && math.Abs(m.Move.X) < widestMove && math.Abs(m.Move.Y) < widestMove) {
			continue // also what is no number
		}
		if !(math.Abs(m.At.X) < 1.2 && math.Abs(m.At.Y) < 1.5) {
			continue
		}
		w := 1 / (1 + (m.Error/trustedMiss)*(m.Error/trustedMiss))
		if math.Hypot(m.At.X/0.55, (m.At.Y-0.55)/0.28) < 1 {
			w *= mouthWeight
		}
		s.x, s.y, s.z = append(s.x, m.At.X), append(s.y, m.At.Y), append(s.z, headDepth(m.At))
		s.move, s.weight = append(s.move, m.Move), append(s.weight, w)
	}
	return s, len(s.x) >= leastMatches
}

// base is a set of functions over the face, by point.
type base [][]float64

// base returns the polynomials in x and y up to the order, 1 to 3, and the
// head's depth as the last function when deep.
func (s *surface) base(order int, deep bool) base {
	b := make(base, len(s.x))
	for i, x := range s.x {
		y := s.y[i]
		row := []float64{1, x, y}
		if order >= 2 {
			row = append(row, x*x, x*y, y*y)
		}
		if order >= 3 {
			row = append(row, x*x*x, x*x*y, x*y*y, y*y*y)
		}
		if deep {
			row = append(row, s.z[i])
		}
		b[i] = row
	}
	return b
}

// fit is the outcome of a robust fit.
type fit struct {
	of     []livenessd.Point // coefficients
	rest   []livenessd.Point // what is left at each point
	weight []float64         // what each point counted in the end
	spread float64           // of the rest, one coordinate's standard deviation, robust
}

// fit fits b to the movement by iterated least squares: what is off by more
// than twice the spread loses weight (Cauchy's function), as what is in front
// of the face, blinks or speaks.
func (s *surface) fit(b base) (fit, bool) {
	f := fit{rest: make([]livenessd.Point, len(b)), weight: append([]float64(nil), s.weight...)}
	size := make([]float64, len(b))
	for range 6 {
		var ok bool
		if f.of, ok = leastSquares(b, s.move, f.weight); !ok {
			return f, false
		}
		f.residuals(b, s.move)
		for i, r := range f.rest {
			size[i] = r.X*r.X + r.Y*r.Y
		}
		f.spread = max(1.48*math.Sqrt(middle(append([]float64(nil), size...))/2), sharpest)
		for i := range f.weight {
			f.weight[i] = s.weight[i] / (1 + size[i]/(4*f.spread*f.spread))
		}
	}
	return f, true
}

func (f *fit) residuals(b base, move []livenessd.Point) {
	for i, row := range b {
		r := move[i]
		for k, c := range f.of {
			r.X, r.Y = r.X-row[k]*c.X, r.Y-row[k]*c.Y
		}
		f.rest[i] = r
	}
}

// leastSquares solves the weighted normal equations by Cholesky's method.
func leastSquares(b base, move []livenessd.Point, weight []float64) ([]livenessd.Point, bool) {
	n := len(b[0])
	var a [11][11]float64 // what base makes at most
	v := make([]livenessd.Point, n)
	for i, row := range b {
		for j := range n {
			wj := weight[i] * row[j]
			for k := range j + 1 {
				a[j][k] += wj * row[k]
			}
			v[j].X, v[j].Y = v[j].X+wj*move[i].X, v[j].Y+wj*move[i].Y
		}
	}
	for j := range n {
		a[j][j] += 1e-6
		for k := range j + 1 {
			sum := a[j][k]
			for m := range k {
				sum -= a[j][m] * a[k][m]
			}
			if j > k {
				a[j][k] = sum / a[k][k]
				continue
			}
			if !(sum > 0) {
				return nil, false
			}
			a[j][j] = math.Sqrt(sum)
		}
	}
	for j := range n {
		for k := range j {
			v[j].X, v[j].Y = v[j].X-a[j][k]*v[k].X, v[j].Y-a[j][k]*v[k].Y
		}
		v[j].X, v[j].Y = v[j].X/a[j][j], v[j].Y/a[j][j]
	}
	for j := n - 1; j >= 0; j-- {
		for k := j + 1; k < n; k++ {
			v[j].X, v[j].Y = v[j].X-a[k][j]*v[k].X, v[j].Y-a[k][j]*v[k].Y
		}
		v[j].X, v[j].Y = v[j].X/a[j][j], v[j].Y/a[j][j]
	}
	return v, true
}
