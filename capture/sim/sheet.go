package sim

import (
	"math"
	"math/rand/v2"

	"livenessd"
)

// sheet is a flat thing with a picture on it that is held into the camera: a
// print that can be bent, or a screen that shows a recording.
type sheet struct {
	kind       prop
	wide, high float32 // mm
	net        *mesh   // flat; x, y in mm from the middle of the sheet
	hands      []*mesh
	fig        *figure // who is in the picture
	inner      *canvas // the picture as it was taken
	innerRoom  room
	innerPose  pose
	seen       [livenessd.Landmarks]livenessd.Point // the face's landmarks on the sheet, mm
	flat       vec                                  // print: ink on white paper seen in good light; screen: its white
	near       float32                              // how much nearer it is held than a head would be, mm
	tilt       float32                              // how far a hand tilts it, of what the head would turn
}

// border is the white edge of the paper or the black one of the screen, mm.
const border = 9

// newSheet makes a print of, or a screen that shows, a person with looks l.
func newSheet(l look, r *rand.Rand, kind prop, detail float32) *sheet {
	s := &sheet{kind: kind, wide: 210, high: 297, fig: newFigure(l, detail), flat: vec{0.97, 0.98, 1.0}, tilt: 1, near: 200}
	if kind == screen {
		s.wide, s.high, s.flat, s.tilt = 200, 262, vec{0.94, 1.0, 1.12}, 0.06
	}
	h := max(int(560*detail), 48)
	if kind == screen { // drawn anew for each picture
		h = max(int(380*detail), 48)
	}
	w := int(float32(h) * s.wide / s.high)
	s.inner = newCanvas(w, h)
	s.inner.focal *= 1.05
	s.innerRoom = newRoom(r, w, h)
	s.innerPose = pose{at: vec{0, 8, -560}, lid: 1}
	tex := newTexture(w, h)
	if kind == screen {
		tex = newTexture(2*w, 2*h)
	}
	s.net = newMesh(25, 25, tex, func(u, v float32) vec {
		return vec{(u - 0.5) * s.wide, (0.5 - v) * s.high, 0}
	})
	for _, side := range []float32{-1, 1} {
		s.hands = append(s.hands, s.thumb(side, l.skin, detail))
	}
	if kind == paper {
		s.show(&s.innerPose)
	}
	return s
}

// thumb lies on the edge of the sheet; the rest of the hand is behind it.
func (s *sheet) thumb(side float32, skin vec, detail float32) *mesh {
	m := newMesh(max(int(24*detail), 10), max(int(24*detail), 10), newTexture(8, 8), func(u, v float32) vec {
		sa, ca := sincos(u * 2 * math.Pi)
		sb, cb := sincos(v * math.Pi)
		x, y, z := 10*pow(max(sb, 0), 0.6)*ca, 27*cb, -10*pow(max(sb, 0), 0.6)*sa
		return vec{side*(s.wide/2-4) + x*0.9 - 0.5*y*side, -0.22*s.high + 0.8*y + 0.4*x, z + 6}
	})
	m.paint(func(p vec) (vec, float32) { return skin.mul(vec{0.95, 0.85, 0.83}), 0.5 })
	bare(m)
	return m
}

// bare gives a mesh the light of a surface that nothing shades.
func bare(m *mesh) {
	m.light = make([][9]float32, len(m.pos))
	for i, n := range m.nrm {
		m.light[i] = bareLight(n)
	}
}

// bareLight is the transfer of an open surface: the harmonics folded with the
// cosine (Ramamoorthi and Hanrahan 2001), over pi.
func bareLight(n vec) [9]float32 {
	y := harmonics(n)
	for k := 1; k < 4; k++ {
		y[k] *= 2.0 / 3
	}
	for k := 4; k < 9; k++ {
		y[k] *= 0.25
	}
	return y
}

// show draws the picture that is on the sheet.
func (s *sheet) show(p *pose) {
	s.inner.reset(s.innerRoom.back)
	s.fig.draw(s.inner, p, &s.innerRoom.light)
	for i, q := range s.fig.visible(s.inner, p) {
		s.seen[i] = livenessd.Point{
			X: (q.X/float64(s.inner.w) - 0.5) * float64(s.wide-2*border),
			Y: (0.5 - q.Y/float64(s.inner.h)) * float64(s.high-2*border),
		}
	}
	t := s.net.tex
	bx, by := border/s.wide*float32(t.w), border/s.high*float32(t.h)
	kx, ky := float32(s.inner.w)/(float32(t.w)-2*bx), float32(s.inner.h)/(float32(t.h)-2*by)
	for y := range t.h {
		for x := range t.w {
			ix, iy := int((float32(x)-bx)*kx), int((float32(y)-by)*ky)
			if float32(x) < bx || float32(y) < by || ix >= s.inner.w || iy >= s.inner.h {
				s.margin(t, x, y)
				continue
			}
			q := s.inner.pix[3*(iy*s.inner.w+ix):]
			c := vec{q[0], q[1], q[2]}
			if s.kind == paper {
				t.set(x, y, ink(c, x, y), 0.15)
			} else {
				t.set(x, y, glow(c, x, y), 1)
			}
		}
	}
}

func (s *sheet) margin(t *texture, x, y int) {
	if s.kind == paper {
		t.set(x, y, vec{0.82, 0.82, 0.83}, 0.15)
		return
	}
	t.set(x, y, vec{0.012, 0.012, 0.013}, 1)
}

// ink is what a desktop printer makes of a colour: no deep black, less
// saturation, steeper middle, and a screen of dots in place of smooth tones.
func ink(c vec, x, y int) vec {
	grey := 0.3*c.x + 0.6*c.y + 0.1*c.z
	c = c.lerp(vec{grey, grey, grey}, 0.25)
	tone := func(v float32) float32 { return 0.055 + 0.70*smooth(-0.06, 0.95, v) }
	d := 0.05 * hash3(int32(x), int32(y), 5)
	d += 0.03 * float32((x+y)%2*2-1)
	line := 1 - 0.05*float32(y%3/2) // the head's passes
	return vec{tone(c.x) * 0.96, tone(c.y), tone(c.z) * 1.05}.scale((1 + d) * line)
}

// glow is what a screen shows: lifted black, bluish white, and the stripes of
// its pixels, which beat with the camera's own and make moiré.
func glow(c vec, x, y int) vec {
	c = vec{0.03 + 0.80*min(c.x, 1), 0.035 + 0.84*min(c.y, 1), 0.045 + 0.92*min(c.z, 1)}
	stripe := [3]vec{{1.14, 0.93, 0.93}, {0.93, 1.14, 0.93}, {0.93, 0.93, 1.14}}[x%3]
	if y%3 == 2 {
		stripe = stripe.scale(0.90)
	}
	return c.mul(stripe)
}

// draw implements body. A print follows the head it imitates as a whole: it
// is tilted, bent round an upright axis and slid. A screen hardly moves, the
// recording on it does.
func (s *sheet) draw(c *canvas, p *pose, light *lighting) {
	if s.kind == screen {
		in := s.innerPose
		in.yaw, in.pitch, in.roll, in.body = p.yaw, p.pitch, p.roll, p.body
		in.lid, in.gazeX, in.gazeY, in.breath = p.lid, p.gazeX, p.gazeY, p.breath
		s.show(&in)
	}
	m := s.turn(p)
	coef := light.rotated(m)
	for _, part := range append([]*mesh{s.net}, s.hands...) {
		c.reserve(len(part.pos))
		for i, v := range part.pos {
			n := part.nrm[i]
			if part == s.net {
				n = s.bend(p, v.x).normal
			}
			s.shade(c, part, i, p, m, m.apply(n), &coef, light)
		}
		c.fill(part)
	}
}

// turn is the rotation of the sheet as a whole.
func (s *sheet) turn(p *pose) mat {
	return rotation(p.yaw*s.tilt, p.pitch*s.tilt, p.roll)
}

// bent is a point of the bent sheet, and where its surface looks.
type bent struct{ at, normal vec }

// bend rolls the paper round an upright cylinder, the more the further it is
// turned; a screen stays flat.
func (s *sheet) bend(p *pose, x float32) bent {
	k := abs(p.yaw) / 30 / 260 // 1/mm
	if s.kind == screen || k < 1e-5 {
		return bent{vec{x, 0, 0}, vec{0, 0, 1}}
	}
	sn, cs := sincos(x * k)
	return bent{vec{sn / k, 0, (cs - 1) / k}, vec{sn, 0, cs}}
}

// place returns where a point of the sheet is in camera coordinates.
func (s *sheet) place(p *pose, m mat, v vec) vec {
	b := s.bend(p, v.x)
	q := vec{b.at.x, v.y, b.at.z + v.z}
	slide := vec{p.yaw * 0.5, p.pitch * 0.5, 0}.scale(s.tilt)
	return p.at.add(vec{0, -15, s.near}).add(slide).add(m.apply(q))
}

func (s *sheet) shade(c *canvas, part *mesh, i int, p *pose, m mat, n vec, coef *[3][9]float32, light *lighting) {
	o := &c.verts[i]
	at := s.place(p, m, part.pos[i])
	o.x, o.y, o.near = c.project(at)
	o.u, o.v = part.uv[i][0], part.uv[i][1]
	view := at.scale(-o.near).unit()
	var shine vec
	for _, lp := range light.lamps {
		h := max(n.dot(lp.dir.add(view).unit()), 0)
		h *= h
		h *= h
		h *= h
		shine = shine.add(lp.colour.scale(lp.shine * 0.10 * h * h))
	}
	if s.kind == screen && part == s.net { // it shines by itself, and the glass mirrors the room
		o.r, o.g, o.b = s.flat.x, s.flat.y, s.flat.z
		glare := bell(part.pos[i].x*0.7+part.pos[i].y*0.5-60, 0, 26, 1)
		o.shine = shine.scale(0.5).add(light.ambient.scale(0.03 + 0.16*glare))
		return
	}
	l := bareLight(m.back(n))
	var rgb [3]float32
	for ch := range rgb {
		for k, t := range l {
			rgb[ch] += t * coef[ch][k]
		}
	}
	o.r, o.g, o.b = rgb[0]*s.flat.x, rgb[1]*s.flat.y, rgb[2]*s.flat.z
	o.shine = shine
}

// visible implements body.
func (s *sheet) visible(c *canvas, p *pose) (pts [livenessd.Landmarks]livenessd.Point) {
	m := s.turn(p)
	for i, q := range s.seen {
		x, y, _ := c.project(s.place(p, m, vec{float32(q.X), float32(q.Y), 0}))
		pts[i] = livenessd.Point{X: float64(x), Y: float64(y)}
	}
	return pts
}
