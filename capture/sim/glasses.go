package sim

import "math"

// glasses makes a thin frame: two rims, a bridge and two arms.
func glasses(l *look, detail float32) []*mesh {
	z := headFore.at(0) + 12
	rim := func(side float32) func(t float32) vec {
		return func(t float32) vec {
			s, c := sincos(t * 2 * math.Pi)
			x, y := 24*sign(c)*pow(abs(c), 0.75), 18*sign(s)*pow(abs(s), 0.8)
			return vec{side*33 + x, -4 + y, z - 0.006*sq(side*33+x)}
		}
	}
	arm := func(side float32) func(t float32) vec {
		return func(t float32) vec {
			return vec{side * (57 + (79*l.wide-57)*smooth(0, 0.25, t)), 4 - 6*t, z - 20 - t*(z+4)}
		}
	}
	bridge := func(t float32) vec { return vec{-10 + 20*t, 1 + 3*float32(math.Sin(float64(t)*math.Pi)), z - 0.5} }
	n := func(full int) int { return max(int(float32(full)*detail), 12) }
	parts := []*mesh{tube(rim(-1), n(48)), tube(rim(1), n(48)), tube(arm(-1), n(24)), tube(arm(1), n(24)), tube(bridge, n(12))}
	tex := newTexture(1, 1)
	tex.set(0, 0, vec{0.02, 0.018, 0.02}, 1.4)
	for _, m := range parts {
		m.tex = tex
		bare(m)
	}
	return parts
}

// tube lays a thin pipe of 1.1 mm radius along a line.
func tube(line func(t float32) vec, n int) *mesh {
	return newMesh(n, 8, nil, func(u, v float32) vec {
		p := line(u)
		along := line(u + 0.01).sub(line(u - 0.01)).unit()
		a := along.cross(vec{0.1, 0.3, 1}).unit()
		b := along.cross(a)
		s, c := sincos(v * 2 * math.Pi)
		return p.add(a.scale(1.3 * c)).add(b.scale(1.3 * s))
	})
}
