package sim

import "livenessd"

// figure is one person's body, built once from a look.
type figure struct {
	look  look
	parts []*mesh
	head  *mesh
	eyes  [2]eyePatch // person's own right, left
	marks [livenessd.Landmarks]vec
}

// eyePatch is the part of the head's texture that a blink or a glance changes.
type eyePatch struct {
	x0, y0, w, h int
	skin         []float32 // what the texture holds without an eye, 4 a texel
	place        []vec     // the point of the head under each texel
	lid, gx, gy  float32   // what is painted now
}

// pose is where a figure stands and what its face does.
type pose struct {
	at               vec // of the head's origin in camera coordinates, mm
	yaw, pitch, roll float32
	body             float32 // yaw of the shoulders
	lid              float32 // 1 open, 0 shut
	gazeX, gazeY     float32 // of both eyes, mm
	breath           float32 // how far the chest is raised, mm
}

// newFigure builds a person; detail 1 is right for 480 lines, less for smaller
// pictures.
func newFigure(l look, detail float32) *figure {
	n := func(full int) int { return max(int(float32(full)*detail), 12) }
	f := &figure{look: l}
	f.head = newMesh(n(132), n(128), newTexture(n(640), n(560)), l.headShape)
	body := newMesh(n(72), n(70), newTexture(n(320), n(320)), l.bodyShape)
	for i, p := range body.pos {
		body.turn[i] = smooth(-185, -95, p.y)
	}
	f.parts = []*mesh{f.head, body}
	f.parts = append(f.parts, l.ear(-1, n), l.ear(1, n))
	if l.long {
		f.parts = append(f.parts, l.mane(n))
	}
	f.head.paint(l.headAt)
	body.paint(l.bodyAt)
	transfer(f.parts, 56)
	if l.glasses {
		f.parts = append(f.parts, glasses(&l, detail)...)
	}
	for i, side := range []float32{-1, 1} {
		f.eyes[i] = f.newEye(side)
	}
	f.marks[livenessd.RightEye] = f.onFace(-eyeX, eyeY+0.6)
	f.marks[livenessd.LeftEye] = f.onFace(eyeX, eyeY+0.6)
	f.marks[livenessd.NoseTip] = f.onFace(0, -38.3)
	f.marks[livenessd.RightMouth] = f.onFace(-26.5, lipY)
	f.marks[livenessd.LeftMouth] = f.onFace(26.5, lipY)
	return f
}

// ear makes one ear; side is 1 for the person's own left, n scales counts.
func (l *look) ear(side float32, n func(int) int) *mesh {
	shape := l.earShape(side)
	m := newMesh(n(20), n(16), newTexture(16, 16), func(u, v float32) vec {
		if side > 0 { // mirrored, so that the outside stays outside
			u = 1 - u
		}
		return shape(u, v)
	})
	m.paint(func(p vec) (vec, float32) {
		return l.skin.mul(vec{0.95, 0.78, 0.78}).scale(1 - 0.45*bell(p.y+22, p.z+8, 11, 6)), 0.4
	})
	return m
}

// mane makes long hair; n scales counts.
func (l *look) mane(n func(int) int) *mesh {
	m := newMesh(n(64), n(40), newTexture(n(512), n(128)), l.maneShape)
	m.paint(func(p vec) (vec, float32) {
		a := p.x / 2.2
		s := 0.6*noise(a, p.y/60, l.key+161) + 0.5*noise(a*2.7, p.y/40, l.key+162)
		return l.hair.scale(1 + 0.45*s), 0.3
	})
	return m
}

// onFace returns the place of the face at (x, y) seen from in front, as deep as
// the nearest point of its mesh.
func (f *figure) onFace(x, y float32) vec {
	z, d := float32(0), float32(1e9)
	for _, p := range f.head.pos {
		if q := sq(p.x-x) + sq(p.y-y*f.look.tall); p.z > 20 && q < d {
			z, d = p.z, q
		}
	}
	return vec{x, y * f.look.tall, z}
}

// newEye finds the texels about one eye and remembers what they hold.
func (f *figure) newEye(side float32) eyePatch {
	t := f.head.tex
	e := eyePatch{x0: t.w, y0: t.h, lid: -1}
	x1, y1 := 0, 0
	for y := range t.h {
		for x := range t.w {
			p := f.head.place(float32(x), float32(y))
			if p.z > 20 && abs(p.x-side*eyeX) < 19 && abs(p.y/f.look.tall-eyeY) < 14 {
				e.x0, e.y0, x1, y1 = min(e.x0, x), min(e.y0, y), max(x1, x+1), max(y1, y+1)
			}
		}
	}
	e.w, e.h = max(x1-e.x0, 0), max(y1-e.y0, 0)
	for y := range e.h {
		at := 4 * ((e.y0+y)*t.w + e.x0)
		e.skin = append(e.skin, t.pix[at:at+4*e.w]...)
		for x := range e.w {
			e.place = append(e.place, f.head.place(float32(e.x0+x), float32(e.y0+y)))
		}
	}
	return e
}

// setEyes paints both eyes unless they look so already.
func (f *figure) setEyes(lid, gx, gy float32) {
	t := f.head.tex
	glint := vec{2.2, 2.2, 2.2}
	for i := range f.eyes {
		e := &f.eyes[i]
		if e.lid == lid && abs(e.gx-gx) < 0.15 && abs(e.gy-gy) < 0.15 {
			continue
		}
		e.lid, e.gx, e.gy = lid, gx, gy
		side := float32(2*i - 1)
		for k, p := range e.place {
			x, y := (p.x-side*eyeX)*side, p.y/f.look.tall-eyeY
			col, gloss, cover := f.look.eyeAt(x, y, lid, gx*side, gy, glint)
			s := e.skin[4*k : 4*k+4]
			t.set(e.x0+k%e.w, e.y0+k/e.w, vec{s[0], s[1], s[2]}.lerp(col, cover), s[3]+(gloss-s[3])*cover)
		}
	}
}

// place returns where a point of the body is in camera coordinates; turn says
// how far it follows the head.
func (p *pose) place(head, body mat, v vec, turn float32) vec {
	h := head.apply(v.sub(pivot))
	if turn < 1 {
		b := body.apply(v.sub(pivot))
		b.y += p.breath * (1 - turn)
		h = b.lerp(h, turn)
	}
	return p.at.add(pivot).add(h)
}

// draw paints the figure on c in the given light.
func (f *figure) draw(c *canvas, p *pose, light *lighting) {
	f.setEyes(p.lid, p.gazeX, p.gazeY)
	head := rotation(p.yaw, p.pitch, p.roll)
	body := rotation(p.body, 0, 0)
	coef := light.rotated(head)
	for _, m := range f.parts {
		c.reserve(len(m.pos))
		for i := range m.pos {
			f.shade(c, m, i, p, head, body, &coef, light)
		}
		c.fill(m)
	}
}

// shade places one point on the canvas and lights it.
func (f *figure) shade(c *canvas, m *mesh, i int, p *pose, head, body mat, coef *[3][9]float32, light *lighting) {
	turn := m.turn[i]
	at := p.place(head, body, m.pos[i], turn)
	o := &c.verts[i]
	o.x, o.y, o.near = c.project(at)
	o.u, o.v = m.uv[i][0], m.uv[i][1]
	n := head.apply(m.nrm[i])
	if turn < 0.5 {
		n = body.apply(m.nrm[i])
	}
	view := at.scale(-o.near).unit()
	if n.dot(view) < -0.3 {
		o.shine = vec{}
		return
	}
	l := &m.light[i]
	var r, g, b float32
	for k, t := range l {
		r += t * coef[0][k]
		g += t * coef[1][k]
		b += t * coef[2][k]
	}
	o.r, o.g, o.b = max(r, 0.02), max(g, 0.02), max(b, 0.02)
	open := clamp(l[0]/0.25, 0, 1) // how little the point is hidden
	var shine vec
	for _, lp := range light.lamps {
		h := lp.dir.add(view).unit()
		s := max(n.dot(h), 0)
		s *= s
		s *= s
		s *= s // 8
		broad := s * s
		s = broad * broad // 32
		shine = shine.add(lp.colour.scale(lp.shine * (0.03*broad + 0.10*s)))
	}
	edge := 1 - max(n.dot(view), 0)
	edge *= edge
	shine = shine.add(light.ambient.scale(0.12 * edge * edge))
	o.shine = shine.scale(open)
}

// visible returns the face's landmarks on the canvas.
func (f *figure) visible(c *canvas, p *pose) (pts [livenessd.Landmarks]livenessd.Point) {
	head := rotation(p.yaw, p.pitch, p.roll)
	for i, v := range f.marks {
		x, y, _ := c.project(p.place(head, head, v, 1))
		pts[i] = livenessd.Point{X: float64(x), Y: float64(y)}
	}
	return pts
}
