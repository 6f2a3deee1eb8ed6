package sim

import "math"

// texture is what a surface looks like before light falls on it: four numbers
// a texel, the reflected share of red, green and blue and the gloss.
type texture struct {
	w, h int
	pix  []float32
}

func newTexture(w, h int) *texture { return &texture{w, h, make([]float32, 4*w*h)} }

func (t *texture) set(x, y int, c vec, gloss float32) {
	p := t.pix[4*(y*t.w+x):]
	p[0], p[1], p[2], p[3] = c.x, c.y, c.z, gloss
}

// mesh is a net of cols × rows points, closed or open, drawn as triangles.
type mesh struct {
	cols, rows int
	pos, nrm   []vec        // in the person's own frame, mm
	uv         [][2]float32 // in texels
	turn       []float32    // how far a point follows the head, 0..1
	tri        []int32      // three corners each, anticlockwise seen from outside
	light      [][9]float32 // see shade.go
	tex        *texture
}

// newMesh makes a net from a function of u (around, 0..1) and v (downwards,
// 0..1). u must run so that the outside is on the left of increasing v.
func newMesh(cols, rows int, tex *texture, at func(u, v float32) vec) *mesh {
	m := &mesh{cols: cols, rows: rows, tex: tex}
	for j := range rows {
		for i := range cols {
			u, v := float32(i)/float32(cols-1), float32(j)/float32(rows-1)
			m.pos = append(m.pos, at(u, v))
			m.turn = append(m.turn, 1)
			if tex != nil {
				m.uv = append(m.uv, [2]float32{u * float32(tex.w-1), v * float32(tex.h-1)})
			} else {
				m.uv = append(m.uv, [2]float32{})
			}
		}
	}
	for j := range rows - 1 {
		for i := range cols - 1 {
			a := int32(j*cols + i)
			b, c, d := a+1, a+int32(cols), a+int32(cols)+1
			m.tri = append(m.tri, a, c, b, b, c, d)
		}
	}
	m.normals()
	return m
}

// normals computes the normal of each point from the triangles around it and
// joins the two ends of a closed net.
func (m *mesh) normals() {
	m.nrm = make([]vec, len(m.pos))
	for t := 0; t < len(m.tri); t += 3 {
		a, b, c := m.tri[t], m.tri[t+1], m.tri[t+2]
		n := m.pos[b].sub(m.pos[a]).cross(m.pos[c].sub(m.pos[a]))
		m.nrm[a], m.nrm[b], m.nrm[c] = m.nrm[a].add(n), m.nrm[b].add(n), m.nrm[c].add(n)
	}
	for j := range m.rows {
		a, b := j*m.cols, j*m.cols+m.cols-1
		if d := m.pos[a].sub(m.pos[b]); d.dot(d) < 0.01 {
			n := m.nrm[a].add(m.nrm[b])
			m.nrm[a], m.nrm[b] = n, n
		}
	}
	for i := range m.nrm {
		m.nrm[i] = m.nrm[i].unit()
	}
}

// paint fills the texture by asking what the surface looks like at each place.
func (m *mesh) paint(at func(p vec) (vec, float32)) {
	for y := range m.tex.h {
		for x := range m.tex.w {
			c, g := at(m.place(float32(x), float32(y)))
			m.tex.set(x, y, c, g)
		}
	}
}

// place returns the point of the surface under a texel.
func (m *mesh) place(x, y float32) vec {
	fx := clamp(x/float32(m.tex.w-1)*float32(m.cols-1), 0, float32(m.cols)-1.001)
	fy := clamp(y/float32(m.tex.h-1)*float32(m.rows-1), 0, float32(m.rows)-1.001)
	i, j := int(fx), int(fy)
	tx, ty := fx-float32(i), fy-float32(j)
	k := j*m.cols + i
	return m.pos[k].lerp(m.pos[k+1], tx).lerp(m.pos[k+m.cols].lerp(m.pos[k+m.cols+1], tx), ty)
}

// ring is a point of a horizontal cross-section: half an ellipse of depth
// front before and of depth rear behind the axis, made squarer by a power
// above 2.
func ring(theta, wide, front, rear, power float32) (x, z float32) {
	s, c := sincos(theta)
	e := 2 / power
	x = wide * sign(s) * pow(abs(s), e)
	if c > 0 {
		return x, front * pow(c, e)
	}
	return x, -rear * pow(-c, e)
}

func sign(a float32) float32 {
	if a < 0 {
		return -1
	}
	return 1
}

// around maps 0..1 to an angle in -π..π with most of the points in front.
func around(u float32) float32 {
	s := 2*u - 1
	return math.Pi * s * (0.45 + 0.55*s*s)
}
