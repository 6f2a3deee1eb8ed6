package sim

import "math"

// skinAt returns reflectance and gloss of bare skin at a place of the head.
func (l *look) skinAt(p vec) (vec, float32) {
	x, y, ax := p.x, drawn(p.y/l.tall), abs(p.x)
	c := l.skin
	// Blood shows in cheeks, nose, ears and chin, less on the forehead.
	red := 0.30*bell(ax-38, y+36, 17, 15) + 0.34*bell(x, y+44, 11, 9) + 0.12*bell(x, y+108, 15, 9) - 0.10*bell(x, y-40, 40, 18)
	red += 0.16 * clouds(x/13, y/13, 3, l.key+11)
	c = c.mul(vec{1 + 0.05*red, 1 - 0.28*red, 1 - 0.26*red})
	// Dull skin under and beside the eyes.
	dull := 0.22*bell(ax-29, y+13, 12, 5) + 0.18*bell(ax-17, y-2, 5, 7) + 0.12*bell(ax-eyeX, y-8, 15, 5)
	c = c.mul(vec{1 - 0.8*dull, 1 - dull, 1 - 0.85*dull})
	// Blotches, pores and fine hair, from coarse to fine.
	tone := 1 + 0.045*clouds(x/22, y/22, 2, l.key+21) + 0.035*clouds(x/3.1, y/3.1, 2, l.key+31) + 0.05*noise(x/0.9, y/0.9, l.key+41)
	c = c.scale(tone)
	if l.freckle > 0.1 {
		f := smooth(0.52, 0.75, noise(x/2.6, y/2.6, l.key+51)) * l.freckle * (bell(ax-30, y+28, 26, 18) + bell(x, y+25, 12, 16))
		c = c.mul(vec{1 - 0.35*f, 1 - 0.5*f, 1 - 0.55*f})
	}
	for k := range uint32(4) { // a few moles
		mx, my := 52*hash3(int32(k), 1, l.key), -30+70*hash3(int32(k), 2, l.key)
		f := 0.7 * bell(x-mx, y-my, 1.1, 1.1)
		c = c.mul(vec{1 - 0.6*f, 1 - 0.75*f, 1 - 0.8*f})
	}
	if l.stubble > 0 {
		b := smooth(-52, -72, y) * smooth(100, 60, -y+ax*0.1-30) * (1 - bell(x, y+76, 20, 6)) * (0.75 + 0.25*noise(x/1.1, y/1.1, l.key+61))
		b += 0.6 * bell(x, y+64, 18, 4)
		c = c.lerp(c.mul(vec{0.55, 0.58, 0.66}), clamp(b*l.stubble, 0, 1))
	}
	// Where no light gets in: nostrils, corners, the line between the lips.
	c, dark := l.noseAt(c, p.z, x, y)
	c, dark = l.lipsAt(c, x, y, dark)
	c = c.mul(vec{1 - 0.8*dark, 1 - 0.92*dark, 1 - 0.92*dark})
	gloss := 0.6 + 0.5*bell(x, y+35, 9, 22) + 0.5*bell(x, y-45, 30, 16) + 0.3*bell(ax-36, y+24, 12, 10) + 0.6*bell(x, y+82, 12, 3)
	gloss *= 1 + 0.35*noise(x/1.3, y/1.3, l.key+71)
	return c, gloss * (1 - clamp(dark, 0, 1))
}

// noseAt gives the nose over c its tip in the middle, which is what detectors
// look for, and returns how dark nostrils and creases are. The nostrils lie on
// its underside: z keeps them round there, when the head looks up.
func (l *look) noseAt(c vec, z, x, y float32) (vec, float32) {
	ax := abs(x)
	out := (z - noseFoot) / l.nose
	dark := 0.9 * bell(ax-6.8, out-13, 3, 5) * smooth(-48, -51, y) * smooth(-60, -57, y)
	dark += 0.40 * bell(ax-18.5, y+50, 2, 5)  // outside the wings
	dark += 0.25 * bell(ax-8.5, y+44, 1.8, 4) // between tip and wings
	dark += 0.25 * bell(x, y+66, 9, 6)        // its shadow on the lip
	return c.scale(1 + 0.14*bell(x, y+43, 4.5, 4.5) - 0.10*bell(ax-13, y+30, 4.5, 14)), dark
}

// lipsAt lays the red of the lips over c and returns how dark the mouth's line is.
func (l *look) lipsAt(c vec, x, y, dark float32) (vec, float32) {
	ax := abs(x)
	half := float32(27.5)
	if ax > half+4 {
		return c, dark
	}
	t := clamp(ax/half, 0, 1)
	round := 1 - t*t
	line := mouthY + 1.2*t*t - 0.7*bell(x, 0, 5, 1)
	top := line + l.lip*(6.8*round-1.6*bell(x, 0, 3, 1)+0.6*bell(ax-6, 0, 4, 1))
	low := line - l.lip*8.6*pow(round, 0.8)
	in := smooth(top+1.2, top-1.4, y) * smooth(low-1.6, low+1.6, y) * smooth(half+1, half-3, ax)
	wrinkle := 1 + 0.10*noise(x/1.1, y/5, l.key+81)
	c = c.lerp(l.lips.scale(wrinkle), 0.85*in)
	dark += 0.9*exp(-sq((y-line)/1.2))*smooth(half+2, half-6, ax) + 0.8*bell(ax-half+1, y-line-1.2, 4.5, 3.5)
	dark += 0.12 * bell(x, y+92, 15, 3)
	return c, dark
}

// browAt returns how much of the skin the brows cover.
func (l *look) browAt(x, y float32) float32 {
	ax := abs(x)
	t := (ax - 11) / 40
	if t < -0.1 || t > 1.1 {
		return 0
	}
	mid := 13 + 6.5*float32(math.Sin(float64(clamp(t, 0, 1))*2.5)) - 3*t
	half := 4.2 - 2.6*t
	d := (y - mid) / half
	stroke := 0.78 + 0.22*noise(ax/0.9-y/2.2, y/3, l.key+91)
	return exp(-d*d*d*d-0.5*d*d) * smooth(-0.06, 0.06, t) * smooth(1.06, 0.8, t) * stroke * l.brow
}

// headAt paints the head: skin, brows and hair, but not the eyes.
func (l *look) headAt(p vec) (vec, float32) {
	c, g := l.skinAt(p)
	if p.z > 20 {
		b := l.browAt(p.x, p.y/l.tall)
		c, g = c.lerp(l.hair.scale(0.8), 0.92*b), g*(1-b)
	}
	q := p
	q.y /= l.tall
	if h := l.hairline(q); h > 0 {
		hc, hg := l.hairAt(p)
		c, g = c.lerp(hc, h), g+(hg-g)*h
	}
	return c, g
}

// hairAt paints strands that run backwards over the head.
func (l *look) hairAt(p vec) (vec, float32) {
	a := float32(math.Atan2(float64(p.x), float64(p.y+40)))
	s := 0.5*noise(a*70, p.z/40, l.key+101) + 0.5*noise(a*23, p.z/60, l.key+102) + 0.4*noise(a*160, p.z/25, l.key+103)
	return l.hair.scale(1 + 0.45*s), 0.35 + 0.3*max(s, 0)
}

// bodyAt paints neck and clothes.
func (l *look) bodyAt(p vec) (vec, float32) {
	collar := -178 + 0.35*min(p.z, 20) - 0.25*abs(p.x)*0.3
	if p.z > 10 {
		collar -= 10 * bell(p.x, 0, 34, 1)
	}
	c := l.skin.mul(vec{0.97, 0.93, 0.92}).scale(1 + 0.05*clouds(p.x/12, p.y/9, 3, l.key+111))
	cloth := l.shirt.scale(1 + 0.16*clouds(p.x/38+p.y/90, p.y/60, 3, l.key+121) + 0.05*noise(p.x/1.2, p.y/1.2, l.key+131))
	seam := exp(-sq((p.y-collar+5)/1.2)) * 0.3
	t := smooth(collar+1, collar-1, p.y)
	return c.lerp(cloth.scale(1-seam), t), 0.5 * (1 - t)
}

// eyeAt paints one eye at (x, y) mm from its middle, x growing towards the
// temple; lid is 1 open, 0 shut; gaze is where the iris stands, mm. cover says
// how much of the skin underneath it hides.
func (l *look) eyeAt(x, y, lid, gazeX, gazeY float32, glint vec) (c vec, gloss, cover float32) {
	const half = 14.6
	t := clamp(abs(x)/half, 0, 1)
	arch := 1 - t*t
	tilt := 0.05 * x
	low := tilt - 3.9*arch*(1+0.1*x/half)
	top := low + 0.4 + lid*l.eye*(9.2*pow(arch, 0.8)-0.3)
	lash := exp(-sq((y-top-0.5)/1.2)) * smooth(half+1.5, half-2, abs(x)) * (0.75 + 0.2*x/half)
	lashLow := 0.6 * exp(-sq((y-low+0.3)/0.7)) * smooth(half+1, half-3, abs(x))
	crease := 0.35 * lid * exp(-sq((y-top-4.2)/1.1)) * smooth(half+2, half-4, abs(x))
	open := smooth(top+0.35, top-0.35, y) * smooth(low-0.35, low+0.35, y) * smooth(half+0.2, half-0.6, abs(x))

	// The ball: white, red at the inner corner, the iris with its dark rim.
	white := vec{0.56, 0.50, 0.47}.scale(0.9 - 0.35*t*t)
	white = white.lerp(vec{0.50, 0.22, 0.19}, smooth(-half+4.5, -half+1.5, x))
	dx, dy := x-gazeX, y-gazeY
	r := sqrt(dx*dx + dy*dy)
	iris := l.iris.scale(0.85 + 0.5*noise(float32(math.Atan2(float64(dy), float64(dx)))*6, r/3, l.key+141) + 0.25*smooth(0, -5, dy))
	iris = iris.scale(1 - 0.65*smooth(4.6, 5.9, r))
	ball := white.lerp(iris, smooth(6.4, 5.5, r))
	ball = ball.lerp(vec{0.006, 0.006, 0.007}, smooth(2.5, 1.9, r))
	ball = ball.scale(1 - 0.6*exp(-max(top-y, 0)/1.7)) // shadow of the upper lid
	ball = ball.add(glint.scale(bell(dx-1.6, dy-1.9, 0.75, 0.75)))
	c = l.hair.scale(0.35).lerp(ball, open)
	skinDark := clamp(lash+lashLow+crease*0.8, 0, 0.95)
	cover = max(open, skinDark)
	if lash+lashLow < crease {
		c = l.skin.scale(0.25).lerp(ball, open)
	}
	return c, 0.2, cover
}
