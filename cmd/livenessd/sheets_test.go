package main

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"livenessd"
	"livenessd/capture"
	"livenessd/challenge"
	"livenessd/pipeline"
)

// sheet is how a printed picture is held before a lens. Lengths are in
// distances between the eyes of the face on it, angles in radians.
type sheet struct {
	far         float64 // from the lens
	yaw, pitch  float64
	roll        float64
	curve       float64 // round a cylinder: one over its radius
	wave, phase float64 // flexed: height of a wave two and a half long
	axis, off   float64 // of the cylinder or the wave: its direction, and where it lies
	zoom, x, y  float64
	cut         bool // along the head's outline, before something that stays
}

// place is where the place u, v of the sheet comes to lie.
func (s *sheet) place(u, v float64) (x, y float64) {
	sin, cos := math.Sincos(s.axis)
	along, across := u*cos+v*sin-s.off, -u*sin+v*cos
	z := s.wave * math.Sin(2*math.Pi*along/2.5+s.phase)
	if math.Abs(s.curve) > 1e-6 {
		z += (1 - math.Cos(s.curve*along)) / s.curve
		along = math.Sin(s.curve*along) / s.curve
	}
	along += s.off
	x, y = along*cos-across*sin, along*sin+across*cos
	turn := func(a, b, by float64) (float64, float64) {
		sin, cos := math.Sincos(by)
		return a*cos - b*sin, a*sin + b*cos
	}
	x, z = turn(x, z, s.yaw)
	y, z = turn(y, z, s.pitch)
	x, y = turn(x, y, s.roll)
	f := s.zoom * s.far / (s.far + z)
	return x*f + s.x, y*f + s.y
}

// still is a picture of a person.
type still struct {
	img    *image.RGBA
	middle livenessd.Point // between eyes and mouth
	eyes   float64         // pixels between them
}

// held draws the still as the sheet s shows it. Its surface is drawn as small
// triangles, each with the pixels that it has.
func (p *still) held(s *sheet) *image.RGBA {
	b := p.img.Bounds()
	out := image.NewRGBA(b)
	for y := range b.Dy() { // a wall in slight light, which stays
		for x := range b.Dx() {
			g := uint8(95 + 40*x/b.Dx() + 20*y/b.Dy())
			out.SetRGBA(x, y, color.RGBA{g, g, g - 10, 255})
		}
	}
	const step = 8
	at := func(x, y int) (to [4]float64) { // in the picture, and on the sheet
		u, v := s.place((float64(x)-p.middle.X)/p.eyes, (float64(y)-p.middle.Y)/p.eyes)
		return [4]float64{u*p.eyes + p.middle.X, v*p.eyes + p.middle.Y, float64(x), float64(y)}
	}
	for y := 0; y+step < b.Dy(); y += step {
		for x := 0; x+step < b.Dx(); x += step {
			u, v := (float64(x+step/2)-p.middle.X)/p.eyes, (float64(y+step/2)-p.middle.Y)/p.eyes
			if s.cut && math.Hypot(u/1.25, (v+0.1)/1.75) > 1 {
				continue
			}
			p.triangle(out, at(x, y), at(x+step, y), at(x, y+step))
			p.triangle(out, at(x+step, y), at(x+step, y+step), at(x, y+step))
		}
	}
	return out
}

func (p *still) triangle(out *image.RGBA, a, b, c [4]float64) {
	area := (b[0]-a[0])*(c[1]-a[1]) - (c[0]-a[0])*(b[1]-a[1])
	if area <= 0 {
		return // it shows its back
	}
	size := out.Bounds()
	low := func(i int) int { return max(int(math.Ceil(min(a[i], b[i], c[i]))), 0) }
	high := func(i, top int) int { return min(int(math.Floor(max(a[i], b[i], c[i]))), top-1) }
	for y := low(1); y <= high(1, size.Dy()); y++ {
		for x := low(0); x <= high(0, size.Dx()); x++ {
			px, py := float64(x), float64(y)
			wb := ((px-a[0])*(c[1]-a[1]) - (c[0]-a[0])*(py-a[1])) / area
			wc := ((b[0]-a[0])*(py-a[1]) - (px-a[0])*(b[1]-a[1])) / area
			if wa := 1 - wb - wc; wa >= -1e-9 && wb >= -1e-9 && wc >= -1e-9 {
				out.SetRGBA(x, y, p.between(wa*a[2]+wb*b[2]+wc*c[2], wa*a[3]+wb*b[3]+wc*c[3]))
			}
		}
	}
}

// between is the still's colour at a place between its pixels.
func (p *still) between(x, y float64) color.RGBA {
	b := p.img.Bounds()
	x0, y0 := min(max(int(x), 0), b.Dx()-2), min(max(int(y), 0), b.Dy()-2)
	fx, fy := x-float64(x0), y-float64(y0)
	mix := func(i int) uint8 {
		at := func(dx, dy int) float64 { return float64(p.img.Pix[p.img.PixOffset(x0+dx, y0+dy)+i]) }
		return uint8((at(0, 0)*(1-fx)+at(1, 0)*fx)*(1-fy) + (at(0, 1)*(1-fx)+at(1, 1)*fx)*fy)
	}
	return color.RGBA{mix(0), mix(1), mix(2), 255}
}

// taken is what a camera makes of m: noise and compression.
func taken(t testing.TB, m *image.RGBA, rng *rand.Rand) livenessd.Frame {
	t.Helper()
	noise := 1 + 4*rng.Float64()
	for i, v := range m.Pix {
		m.Pix[i] = uint8(min(max(float64(v)+noise*rng.NormFloat64(), 0), 255))
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 70 + rng.IntN(26)}); err != nil {
		t.Fatal(err)
	}
	return livenessd.Frame{Width: m.Bounds().Dx(), Height: m.Bounds().Dy(), Format: livenessd.MJPEG, Data: b.Bytes()}
}

// stills are pictures of the people in the films and before the webcams, whose
// eyes are far enough apart to be judged.
func stills(t testing.TB, e eyes) (out []still) {
	t.Helper()
	add := func(f livenessd.Frame) {
		o, err := e.AnalyzeWith(f, pipeline.Need{})
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Faces) != 1 {
			return
		}
		p := still{img: image.NewRGBA(image.Rect(0, 0, f.Width, f.Height))}
		for i := range f.Width * f.Height {
			p.img.Pix[4*i], p.img.Pix[4*i+1], p.img.Pix[4*i+2], p.img.Pix[4*i+3] = f.Data[3*i+2], f.Data[3*i+1], f.Data[3*i], 255
		}
		l := o.Faces[0].Landmarks
		for _, i := range []livenessd.Landmark{livenessd.RightEye, livenessd.LeftEye, livenessd.RightMouth, livenessd.LeftMouth} {
			p.middle.X, p.middle.Y = p.middle.X+l[i].X/4, p.middle.Y+l[i].Y/4
		}
		p.eyes = math.Hypot(l[livenessd.LeftEye].X-l[livenessd.RightEye].X, l[livenessd.LeftEye].Y-l[livenessd.RightEye].Y)
		if p.eyes >= 45 {
			out = append(out, p)
		}
	}
	films, err := filepath.Glob(filepath.Join(needData(t, "clips"), "*.mp4"))
	if err != nil || len(films) == 0 {
		t.Fatalf("no films: %v", err)
	}
	for _, film := range films {
		src, err := capture.NewReplay(capture.ReplayConfig{Path: film})
		if err != nil {
			t.Fatal(err)
		}
		n := -1
		err = src.Stream(context.Background(), func(livenessd.Camera) {}, func(f livenessd.Frame) {
			if n++; n%120 != 0 {
				return
			}
			if f, err = pipeline.DecodePicture(f.Data, pipeline.DefaultLimits()); err != nil {
				t.Fatal(err)
			}
			add(f)
		})
		if !errors.Is(err, capture.ErrEnd) {
			t.Fatal(err)
		}
	}
	people, err := filepath.Glob(filepath.Join(needData(t, "nuaa-train", "Client"), "*", "*.jpg"))
	if err != nil || len(people) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	last := ""
	for _, name := range people {
		if recordingOf(name) == last {
			continue
		}
		last = recordingOf(name)
		f, err := readPicture(name)
		if err != nil {
			t.Fatal(err)
		}
		add(f)
	}
	return out
}

// holds are ways in which sheets are held, by name, as drawn from r, which
// gives -a to a.
var holds = []struct {
	name string
	hold func(s *sheet, r func(a float64) float64)
}{
	{"slid", func(s *sheet, r func(float64) float64) { s.x, s.y = r(0.5), r(0.5) }},
	{"zoomed", func(s *sheet, r func(float64) float64) { s.zoom = 1 + r(0.25) }},
	{"turned in its plane", func(s *sheet, r func(float64) float64) { s.yaw, s.pitch, s.roll = r(0.1), r(0.1), r(0.4) }},
	{"tilted", func(s *sheet, r func(float64) float64) { s.yaw, s.pitch, s.roll = r(0.65), r(0.65), r(0.1) }},
	{"shaken by hand", func(s *sheet, r func(float64) float64) {
		s.yaw, s.pitch, s.roll, s.x, s.y, s.zoom = r(0.12), r(0.12), r(0.08), r(0.1), r(0.1), 1+r(0.05)
	}},
	{"bent", func(s *sheet, r func(float64) float64) {
		s.curve, s.axis, s.off, s.yaw, s.pitch, s.roll = r(0.5), r(1.5), r(0.5), r(0.35), r(0.35), r(0.1)
	}},
	{"bent and turned", func(s *sheet, r func(float64) float64) { s.curve, s.yaw, s.pitch = 0.35+r(0.25), r(0.5), r(0.1) }},
	{"flexed", func(s *sheet, r func(float64) float64) {
		s.wave, s.phase, s.axis, s.yaw, s.pitch = r(0.06), r(3.14), r(1.5), r(0.35), r(0.35)
	}},
	{"cut out, tilted", func(s *sheet, r func(float64) float64) {
		s.cut, s.yaw, s.pitch, s.roll = true, r(0.65), r(0.65), r(0.1)
	}},
	{"cut out, bent and turned", func(s *sheet, r func(float64) float64) {
		s.cut, s.curve, s.yaw, s.pitch = true, 0.35+r(0.25), r(0.5), r(0.1)
	}},
}

// Ensure that pictures of people, printed and moved in all kinds of ways, are
// not heads. TEST_SHEETS says how many pairs of each kind there shall be; the
// people are those to whom the judgement was fitted, the sheets are not.
func TestSheets(t *testing.T) {
	each := 6
	if v := os.Getenv("TEST_SHEETS"); v != "" {
		var err error
		if each, err = strconv.Atoi(v); err != nil {
			t.Fatalf("TEST_SHEETS: %v", err)
		}
	}
	e := newEyes(t)
	people := stills(t, e)
	pairs, passed := 0, 0
	for k, h := range holds {
		rng := rand.New(rand.NewPCG(11, uint64(k)))
		take := func(p *still, far float64) known {
			s := sheet{far: far, zoom: 1}
			h.hold(&s, func(a float64) float64 { return a * (2*rng.Float64() - 1) })
			return knownOf(t, e, taken(t, p.held(&s), rng))
		}
		lost, judged, heads := 0, 0, 0
		for i := range each {
			p, far := &people[i%len(people)], 6+8*rng.Float64()
			then, now := take(p, far), take(p, far)
			if then.face.Empty() || now.face.Empty() {
				lost++
				continue
			}
			a, b := compare(t, &then, &now)
			if score, ok := challenge.MotionScore([]livenessd.Observation{a, b}); ok {
				judged++
				if score >= challenge.MotionThreshold {
					heads++
				}
			}
		}
		t.Logf("%-25s %d pairs: no face in %d, %d judged, %d heads", h.name, each, lost, judged, heads)
		pairs, passed = pairs+each, passed+heads
		if lost*2 > each {
			t.Errorf("%s: faces are not found: the check shows little", h.name)
		}
	}
	if passed*100 > 4*pairs {
		t.Errorf("%d of %d sheets are taken for heads", passed, pairs)
	}
}
