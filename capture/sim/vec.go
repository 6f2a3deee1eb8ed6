package sim

import "math"

// vec is a place or a direction in millimetres. x grows to the right of the
// picture, y upwards, z towards the camera.
type vec struct{ x, y, z float32 }

func (a vec) add(b vec) vec             { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) sub(b vec) vec             { return vec{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vec) scale(k float32) vec       { return vec{a.x * k, a.y * k, a.z * k} }
func (a vec) dot(b vec) float32         { return a.x*b.x + a.y*b.y + a.z*b.z }
func (a vec) mul(b vec) vec             { return vec{a.x * b.x, a.y * b.y, a.z * b.z} }
func (a vec) lerp(b vec, t float32) vec { return a.add(b.sub(a).scale(t)) }
func (a vec) cross(b vec) vec {
	return vec{a.y*b.z - a.z*b.y, a.z*b.x - a.x*b.z, a.x*b.y - a.y*b.x}
}
func (a vec) unit() vec {
	l := sqrt(a.dot(a))
	if l == 0 {
		return a
	}
	return a.scale(1 / l)
}

// mat is a rotation, by rows.
type mat [3]vec

func (m mat) apply(v vec) vec { return vec{m[0].dot(v), m[1].dot(v), m[2].dot(v)} }

// back applies the inverse of the rotation m.
func (m mat) back(v vec) vec {
	return m[0].scale(v.x).add(m[1].scale(v.y)).add(m[2].scale(v.z))
}

func (m mat) times(n mat) mat {
	var r mat
	for i := range r {
		r[i] = n[0].scale(m[i].x).add(n[1].scale(m[i].y)).add(n[2].scale(m[i].z))
	}
	return r
}

// rotation turns a head by degrees with the signs of livenessd.Pose.
func rotation(yaw, pitch, roll float32) mat {
	const rad = math.Pi / 180
	sy, cy := sincos(yaw * rad)
	sp, cp := sincos(pitch * rad)
	sr, cr := sincos(roll * rad)
	y := mat{{cy, 0, sy}, {0, 1, 0}, {-sy, 0, cy}}
	p := mat{{1, 0, 0}, {0, cp, sp}, {0, -sp, cp}}
	r := mat{{cr, sr, 0}, {-sr, cr, 0}, {0, 0, 1}}
	return y.times(p).times(r)
}

func sincos(a float32) (float32, float32) {
	s, c := math.Sincos(float64(a))
	return float32(s), float32(c)
}

func sqrt(a float32) float32   { return float32(math.Sqrt(float64(a))) }
func exp(a float32) float32    { return float32(math.Exp(float64(a))) }
func pow(a, b float32) float32 { return float32(math.Pow(float64(a), float64(b))) }
func abs(a float32) float32    { return float32(math.Abs(float64(a))) }
func floor(a float32) float32  { return float32(math.Floor(float64(a))) }

func clamp(a, lo, hi float32) float32 { return min(max(a, lo), hi) }

// smooth rises from 0 at a to 1 at b without a corner; a may be above b.
func smooth(a, b, x float32) float32 {
	t := clamp((x-a)/(b-a), 0, 1)
	return t * t * (3 - 2*t)
}

// bell is a Gaussian hill of height 1 at the origin of (x, y).
func bell(x, y, sx, sy float32) float32 {
	x, y = x/sx, y/sy
	q := x*x + y*y
	if q > 18 {
		return 0
	}
	return exp(-q / 2)
}

// curve is a table of (position, value) by rising position; between entries it
// is a monotone cubic through the two neighbours.
type curve [][2]float32

func (c curve) at(x float32) float32 {
	n := len(c)
	if x <= c[0][0] {
		return c[0][1]
	}
	if x >= c[n-1][0] {
		return c[n-1][1]
	}
	i := 1
	for c[i][0] < x {
		i++
	}
	h := c[i][0] - c[i-1][0]
	t := (x - c[i-1][0]) / h
	m0, m1 := c.slope(i-1)*h, c.slope(i)*h
	t2, t3 := t*t, t*t*t
	return (2*t3-3*t2+1)*c[i-1][1] + (t3-2*t2+t)*m0 + (3*t2-2*t3)*c[i][1] + (t3-t2)*m1
}

// slope is the harmonic mean of the neighbouring slopes (Fritsch and Butland
// 1984), 0 at a turning point, so that the curve never overshoots its table.
func (c curve) slope(i int) float32 {
	if i == 0 || i == len(c)-1 {
		j := max(i, 1)
		return (c[j][1] - c[j-1][1]) / (c[j][0] - c[j-1][0])
	}
	a := (c[i][1] - c[i-1][1]) / (c[i][0] - c[i-1][0])
	b := (c[i+1][1] - c[i][1]) / (c[i+1][0] - c[i][0])
	if a*b <= 0 {
		return 0
	}
	return 2 * a * b / (a + b)
}
