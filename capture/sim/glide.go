package sim

// glide is one coordinate on its way: the quintic that leaves with the present
// speed and acceleration and arrives at rest. From rest it is the minimum-jerk
// curve that human movements follow (Flash and Hogan 1985). Times are seconds.
type glide struct {
	start, span    float64
	from, vel, acc float64
	to             float64
}

// at returns place, speed and acceleration at time t.
func (g *glide) at(t float64) (p, v, a float64) {
	if t >= g.start+g.span {
		return g.to, 0, 0
	}
	s := max(t-g.start, 0)
	T := g.span
	d := g.to - g.from
	c3 := (20*d - 12*g.vel*T - 3*g.acc*T*T) / (2 * T * T * T)
	c4 := (-30*d + 16*g.vel*T + 3*g.acc*T*T) / (2 * T * T * T * T)
	c5 := (12*d - 6*g.vel*T - g.acc*T*T) / (2 * T * T * T * T * T)
	p = g.from + s*(g.vel+s*(g.acc/2+s*(c3+s*(c4+s*c5))))
	v = g.vel + s*(g.acc+s*(3*c3+s*(4*c4+s*5*c5)))
	a = g.acc + s*(6*c3+s*(12*c4+s*20*c5))
	return p, v, a
}

// head sets a new target that is reached span seconds after t.
func (g *glide) head(t, to, span float64) {
	p, v, a := g.at(t)
	*g = glide{start: t, span: max(span, 0.05), from: p, vel: v, acc: a, to: to}
}

// jump puts the coordinate at rest at p.
func (g *glide) jump(p float64) { *g = glide{from: p, to: p} }
