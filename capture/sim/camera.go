package sim

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"slices"
)

// sensor turns light on the canvas into the bytes of a webcam: exposure, white
// balance, tone curve, the softness of lens and colour mosaic, noise, JPEG.
type sensor struct {
	exposure float32
	balance  vec
	noise    float32 // standard deviation in the mid tones, of 255
	sharpen  float32 // overshoot that webcams add to edges
	quality  int     // of JPEG

	tone   [4096]float32
	grain  []float32 // a tile of noise, grainSide square, variance 1
	luma   []float32
	smooth []float32
	cb, cr []float32
	empty  [3][]float32 // luma, cb, cr of the room with nobody in it
	out    *image.YCbCr
	buf    bytes.Buffer
}

const grainSide = 512

func newSensor(w, h int, r *rand.Rand) *sensor {
	s := &sensor{
		exposure: 1, balance: vec{1.10, 1, 0.85}, noise: 3.0, sharpen: 0.35, quality: 87,
		luma: make([]float32, w*h), smooth: make([]float32, w*h),
		cb: make([]float32, ((w+1)/2)*((h+1)/2)), cr: make([]float32, ((w+1)/2)*((h+1)/2)),
		out:   image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420),
		grain: make([]float32, grainSide*grainSide),
	}
	white := make([]float32, len(s.grain))
	for i := range white {
		white[i] = float32(r.NormFloat64())
	}
	for i := range s.grain { // demosaicing makes neighbours alike
		n := len(white)
		s.grain[i] = 0.86*white[i] + 0.25*(white[(i+1)%n]+white[(i+n-1)%n]+white[(i+grainSide)%n]+white[(i+n-grainSide)%n])
	}
	for i := range s.tone {
		s.tone[i] = toneCurve(float32(i) / 2048)
	}
	return s
}

// toneCurve maps linear light (1 is white paper in good light) to 0..255: the
// sRGB curve with a shoulder instead of hard clipping and slightly deeper
// shadows, as consumer cameras have.
func toneCurve(x float32) float32 {
	if x > 0.7 {
		x = 0.7 + 0.3*(1-exp(-(x-0.7)/0.3))
	}
	var y float32
	if x <= 0.0031308 {
		y = 12.92 * x
	} else {
		y = 1.055*pow(x, 1/2.4) - 0.055
	}
	y += 0.08 * y * (1 - y) * (2*y - 1)
	return 255 * clamp(y, 0, 1)
}

// develop takes one picture of c. The bytes are the caller's.
func (s *sensor) develop(c *canvas, r *rand.Rand) []byte {
	copy(s.luma, s.empty[0])
	copy(s.cb, s.empty[1])
	copy(s.cr, s.empty[2])
	if c.x0 < c.x1 {
		s.expose(c, max(c.x0-1, 0)&^1, max(c.y0-1, 0)&^1, min((c.x1+2)&^1, c.w), min((c.y1+2)&^1, c.h))
	}
	s.soften(c)
	s.write(c, r)
	s.buf.Reset()
	if err := jpeg.Encode(&s.buf, s.out, &jpeg.Options{Quality: s.quality}); err != nil {
		// Only a size beyond JPEG's 65535 or a failing writer can do it: New
		// refuses the one and memory is not the other.
		panic("sim: cannot encode a picture: " + err.Error())
	}
	return bytes.Clone(s.buf.Bytes())
}

// settle exposes the empty room once, so that a picture costs only what has
// been drawn over it.
func (s *sensor) settle(c *canvas) {
	s.expose(c, 0, 0, c.w, c.h)
	s.empty = [3][]float32{slices.Clone(s.luma), slices.Clone(s.cb), slices.Clone(s.cr)}
}

// expose fills luma, full size, and cb and cr at half size, from x0, y0, which
// are even, up to x1, y1.
func (s *sensor) expose(c *canvas, x0, y0, x1, y1 int) {
	gain := s.balance.scale(s.exposure * 2048)
	hw := (c.w + 1) / 2
	const vignette = 0.22
	for y := y0; y < y1; y += 2 {
		clear(s.cb[y/2*hw+x0/2 : y/2*hw+(x1+1)/2])
		clear(s.cr[y/2*hw+x0/2 : y/2*hw+(x1+1)/2])
	}
	for y := y0; y < y1; y++ {
		dy := (float32(y) - float32(c.h)/2) / float32(c.w)
		for x := x0; x < x1; x++ {
			dx := float32(x)/float32(c.w) - 0.5
			i := y*c.w + x
			p := c.pix[3*i : 3*i+3 : 3*i+3]
			v := 1 - vignette*(dx*dx+dy*dy)
			r := s.tone[int(clamp(p[0]*gain.x*v, 0, 4095))]
			g := s.tone[int(clamp(p[1]*gain.y*v, 0, 4095))]
			b := s.tone[int(clamp(p[2]*gain.z*v, 0, 4095))]
			l := 0.299*r + 0.587*g + 0.114*b
			s.luma[i] = l
			k := (y/2)*hw + x/2
			s.cb[k] += 0.564 * (b - l) / 4
			s.cr[k] += 0.713 * (r - l) / 4
		}
	}
}

// soften blurs luma as a small lens does, within what was drawn (the rest is
// out of focus anyway), and adds the overshoot of a webcam's sharpening.
func (s *sensor) soften(c *canvas) {
	x0, y0, x1, y1 := max(c.x0-2, 1), max(c.y0-2, 1), min(c.x1+2, c.w-1), min(c.y1+2, c.h-1)
	l, w := s.luma, c.w
	for y := y0 - 1; y <= y1 && x0 < x1; y++ {
		copy(s.smooth[y*w+x0-1:y*w+x1+1], l[y*w+x0-1:y*w+x1+1])
	}
	for y := y0; y < y1; y++ {
		for i := y*w + x0; i < y*w+x1; i++ {
			s.smooth[i] = 0.25*l[i] + 0.125*(l[i-1]+l[i+1]+l[i-w]+l[i+w]) + 0.0625*(l[i-w-1]+l[i-w+1]+l[i+w-1]+l[i+w+1])
		}
	}
	m := s.smooth
	for y := y0; y < y1; y++ {
		for i := y*w + x0; i < y*w+x1; i++ {
			l[i] = m[i] + s.sharpen*(m[i]-0.25*(m[i-1]+m[i+1]+m[i-w]+m[i+w]))
		}
	}
}

// write rounds the planes to bytes with fresh noise on each.
func (s *sensor) write(c *canvas, r *rand.Rand) {
	at := func() int { return r.IntN(len(s.grain)) }
	k := at()
	const mask = grainSide*grainSide - 1
	for y := range c.h {
		row := s.out.Y[y*s.out.YStride : y*s.out.YStride+c.w]
		k = (k + 7919) & mask
		for x := range row {
			v := s.luma[y*c.w+x]
			// Photon noise grows in dark tones once the tone curve has lifted them.
			a := s.noise * (1.25 - v*(0.8/255))
			row[x] = toByte(v + a*s.grain[(k+x)&mask])
		}
	}
	hw, hh := (c.w+1)/2, (c.h+1)/2
	kb, kr := at(), at()
	a := s.noise * 0.7
	for y := range hh {
		for x := range hw {
			i := y*hw + x
			s.out.Cb[y*s.out.CStride+x] = toByte(128 + s.cb[i] + a*s.grain[(kb+y*grainSide+x)&mask])
			s.out.Cr[y*s.out.CStride+x] = toByte(128 + s.cr[i] + a*s.grain[(kr+y*grainSide+x)&mask])
		}
	}
}

func toByte(v float32) uint8 { return uint8(clamp(v+0.5, 0, 255)) }
