package sim

import "math/rand/v2"

// room is what a person stands in: the light that falls on the face and the
// blurred picture behind.
type room struct {
	light lighting
	back  []float32 // linear light, 3 numbers a pixel
}

// Colour of light by its source, in linear light with green 1: daylight, a
// neutral tube, a warm lamp. The camera's white balance takes out most of it.
var lights = []vec{{0.97, 1, 1.06}, {1, 1, 1}, {1.10, 1, 0.86}}

func newRoom(r *rand.Rand, w, h int) room {
	warm := lights[r.IntN(len(lights))]
	side := float32(1)
	if r.IntN(2) == 0 {
		side = -1
	}
	key := 0.45 + 0.3*r.Float32()
	var l lighting
	// Most light indoors comes from above: it is what shades a face that looks
	// down or up, and detectors read the nod from that too.
	l.ambient = warm.scale(0.16)
	l.lamps = []lamp{
		{vec{side * (0.35 + 0.45*r.Float32()), 0.5 + 0.3*r.Float32(), 0.8}.unit(), warm.scale(key), 1},
		{vec{-side * (0.6 + 0.3*r.Float32()), 0.25, 0.7}.unit(), lights[r.IntN(len(lights))].scale(0.30), 0.5},
		{vec{0.1 * side, 1, 0.35}.unit(), warm.scale(0.9), 0.5},
		{vec{0, -1, 0.4}.unit(), warm.mul(vec{1, 0.93, 0.85}).scale(0.08), 0},
	}
	return room{light: l, back: wall(r, w, h, side, warm)}
}

// wall paints a room out of focus: the wall, a door or window, things on a
// shelf, a lamp; then blurs it as a lens does that is focused on the face.
func wall(r *rand.Rand, w, h int, side float32, warm vec) []float32 {
	pix := make([]float32, 3*w*h)
	tone := 130 + 90*r.Float32()
	base := linear([3]float32{tone + 14*r.Float32(), tone + 10*r.Float32(), tone - 10 + 14*r.Float32()}).scale(0.85).mul(warm)
	key := r.Uint32()
	fw, fh := float32(w), float32(h)
	for y := range h {
		for x := range w {
			fx, fy := float32(x)/fw, float32(y)/fh
			g := 1 + 0.3*side*(fx-0.5) - 0.25*fy + 0.05*clouds(fx*3, fy*3, 2, key)
			put(pix, y*w+x, base.scale(g))
		}
	}
	box := func(x0, y0, x1, y1 float32, c vec) {
		for y := max(int(y0*fh), 0); y < min(int(y1*fh), h); y++ {
			for x := max(int(x0*fw), 0); x < min(int(x1*fw), w); x++ {
				put(pix, y*w+x, c.scale(1+0.12*clouds(float32(x)/fw*20, float32(y)/fh*20, 2, key+1)))
			}
		}
	}
	some := func() vec {
		return linear([3]float32{40 + 170*r.Float32(), 40 + 160*r.Float32(), 40 + 150*r.Float32()}).lerp(base, 0.45)
	}
	dx := r.Float32() * 0.7
	box(dx, 0.05+0.2*r.Float32(), dx+0.18+0.2*r.Float32(), 1, some()) // door or cupboard
	if r.IntN(2) == 0 {
		wx := float32(0.02)
		if side > 0 {
			wx = 0.72
		}
		box(wx, 0.05, wx+0.25, 0.55, vec{1.0, 1.02, 1.05}.scale(0.9)) // window
	}
	sy := 0.3 + 0.4*r.Float32()
	for x := r.Float32() * 0.1; x < 1; x += 0.03 + 0.12*r.Float32() {
		if r.IntN(3) == 0 {
			box(x, sy-0.05-0.15*r.Float32(), x+0.02+0.06*r.Float32(), sy, some())
		}
	}
	box(0, sy, 0.3+0.7*r.Float32(), sy+0.02, some().scale(0.6))
	radius := max(h/60, 1)
	for range 3 {
		blur(pix, w, h, radius)
	}
	return pix
}

func put(pix []float32, i int, c vec) { pix[3*i], pix[3*i+1], pix[3*i+2] = c.x, c.y, c.z }

// blur is one pass of a square mean filter, both ways; three passes come near
// a Gaussian.
func blur(pix []float32, w, h, radius int) {
	line := make([]float32, 3*max(w, h))
	pass := func(start, step, n int) {
		for ch := range 3 {
			get := func(i int) float32 { return pix[start+min(max(i, 0), n-1)*step+ch] }
			var sum float32
			for i := -radius; i <= radius; i++ {
				sum += get(i)
			}
			for i := range n {
				line[i] = sum / float32(2*radius+1)
				sum += get(i+radius+1) - get(i-radius)
			}
			for i := range n {
				pix[start+i*step+ch] = line[i]
			}
		}
	}
	for y := range h {
		pass(3*y*w, 3, w)
	}
	for x := range w {
		pass(3*x, 3*w, h)
	}
}
