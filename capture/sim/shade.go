package sim

import "math"

// Light is handled as precomputed radiance transfer (Sloan, Kautz and Snyder
// 2002): for each point of a figure nine numbers say how much light it gets
// from each of the first nine spherical harmonics, shadows of the figure on
// itself included. A frame then needs nine products a point and colour, and
// all shadows are soft as indoors.

// harmonics returns the first nine real spherical harmonics of a direction.
func harmonics(d vec) [9]float32 {
	return [9]float32{
		0.282095,
		0.488603 * d.y, 0.488603 * d.z, 0.488603 * d.x,
		1.092548 * d.x * d.y, 1.092548 * d.y * d.z, 0.315392 * (3*d.z*d.z - 1), 1.092548 * d.x * d.z,
		0.546274 * (d.x*d.x - d.y*d.y),
	}
}

// lamp is one soft light: where it is seen from the person, and its colour.
type lamp struct {
	dir    vec
	colour vec
	shine  float32 // share of it that gives highlights: small for a broad light
}

// lighting is all the light in a room.
type lighting struct {
	lamps   []lamp
	ambient vec
}

// rotated returns the light as a head turned by m sees it, as harmonics by
// colour. Red light wanders further below the skin than blue, so its shading
// is softer; the three factors stand for that.
func (l *lighting) rotated(m mat) [3][9]float32 {
	var c [3][9]float32
	add := func(y [9]float32, col vec) {
		for k := range y {
			c[0][k] += y[k] * col.x
			c[1][k] += y[k] * col.y
			c[2][k] += y[k] * col.z
		}
	}
	add([9]float32{0.282095 * 4 * math.Pi}, l.ambient)
	for _, p := range l.lamps {
		add(harmonics(m.back(p.dir)), p.colour.scale(math.Pi))
	}
	soft := [3][2]float32{{0.94, 0.80}, {1, 0.97}, {1.02, 1}}
	for i := range c {
		for k := 1; k < 9; k++ {
			c[i][k] *= soft[i][min((k-1)/3, 1)]
		}
	}
	return c
}

// transfer fills mesh.light of all meshes, which shade each other, from dirs
// directions on the sphere.
func transfer(all []*mesh, dirs int) {
	const n = 192 // cells of the depth picture
	for _, m := range all {
		m.light = make([][9]float32, len(m.pos))
	}
	depth := make([]float32, n*n)
	for k := range dirs {
		// Spiral of equal areas on the sphere.
		z := 1 - (2*float32(k)+1)/float32(dirs)
		s, c := sincos(float32(k) * 2.399963)
		r := sqrt(1 - z*z)
		d := vec{r * c, z, r * s}
		side := vec{d.z, 0, -d.x}
		if side.dot(side) < 1e-4 {
			side = vec{1, 0, 0}
		}
		side = side.unit()
		up := d.cross(side)
		// 2.4 mm a cell about the head; what falls outside is not shaded.
		to := func(p vec) (float32, float32, float32) {
			p.y += 30
			return p.dot(side)/2.4 + n/2, p.dot(up)/2.4 + n/2, p.dot(d)
		}
		for i := range depth {
			depth[i] = -1e9
		}
		for _, m := range all {
			for t := 0; t < len(m.tri); t += 3 {
				ax, ay, az := to(m.pos[m.tri[t]])
				bx, by, bz := to(m.pos[m.tri[t+1]])
				cx, cy, cz := to(m.pos[m.tri[t+2]])
				fillDepth(depth, n, ax, ay, az, bx, by, bz, cx, cy, cz)
			}
		}
		y := harmonics(d)
		for _, m := range all {
			for i, p := range m.pos {
				cos := m.nrm[i].dot(d)
				if cos <= 0 {
					continue
				}
				x, yy, zz := to(p.add(m.nrm[i].scale(3)))
				cos *= lit(depth, n, x, yy, zz) * 4 / float32(dirs)
				for h := range y {
					m.light[i][h] += y[h] * cos
				}
			}
		}
	}
}

// lit returns the share of the four cells about (x, y) that nothing covers.
func lit(depth []float32, n int, x, y, z float32) float32 {
	x0, y0 := int(x-0.5), int(y-0.5)
	if x < 1 || y < 1 || x0 >= n-1 || y0 >= n-1 {
		return 1
	}
	tx, ty := x-0.5-float32(x0), y-0.5-float32(y0)
	var s float32
	for j := range 2 {
		for i := range 2 {
			if depth[(y0+j)*n+x0+i] <= z+1 {
				wx, wy := 1-tx, 1-ty
				if i == 1 {
					wx = tx
				}
				if j == 1 {
					wy = ty
				}
				s += wx * wy
			}
		}
	}
	return s
}

// fillDepth draws one triangle into a depth picture that keeps the largest z.
func fillDepth(depth []float32, n int, ax, ay, az, bx, by, bz, cx, cy, cz float32) {
	area := (bx-ax)*(cy-ay) - (cx-ax)*(by-ay)
	if abs(area) < 1e-6 {
		return
	}
	x0, x1 := max(int(min(ax, bx, cx)), 0), min(int(max(ax, bx, cx))+1, n-1)
	y0, y1 := max(int(min(ay, by, cy)), 0), min(int(max(ay, by, cy))+1, n-1)
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			px, py := float32(x)+0.5, float32(y)+0.5
			wb := ((px-ax)*(cy-ay) - (cx-ax)*(py-ay)) / area
			wc := ((bx-ax)*(py-ay) - (px-ax)*(by-ay)) / area
			if wb < 0 || wc < 0 || wb+wc > 1 {
				continue
			}
			if z := az + wb*(bz-az) + wc*(cz-az); z > depth[y*n+x] {
				depth[y*n+x] = z
			}
		}
	}
}
