package pipeline

import (
	"math"
	"math/rand/v2"
	"testing"

	"livenessd"
)

// canvas draws a surface of smooth blots: at gives the grey of each place.
func canvas(t testing.TB, w, h int, at func(x, y float64) float64) *picture {
	t.Helper()
	p, err := newPicture(w, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	for y := range h {
		for x := range w {
			g := byte(min(max(at(float64(x), float64(y)), 0), 255))
			copy(p.pix[3*(y*w+x):], []byte{g, g, g})
		}
	}
	return p
}

// blots is a surface that can be followed everywhere, the same for each seed.
func blots(seed uint64) func(x, y float64) float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	type wave struct{ fx, fy, phase, size float64 }
	var waves []wave
	for range 40 {
		waves = append(waves, wave{0.25 * rng.NormFloat64(), 0.25 * rng.NormFloat64(), 7 * rng.Float64(), 8 + 8*rng.Float64()})
	}
	return func(x, y float64) float64 {
		g := 128.0
		for _, w := range waves {
			g += w.size * math.Sin(w.fx*x+w.fy*y+w.phase)
		}
		return g
	}
}

// landmarksAt places headModel's landmarks.
func landmarksAt(x, y, eyes, lean float64) (lm [livenessd.Landmarks]livenessd.Point) {
	sin, cos := math.Sincos(lean * math.Pi / 180)
	for i, v := range headModel {
		u, w := eyes*v[0], eyes*(v[1]-0.5)
		lm[i] = livenessd.Point{X: x + u*cos - w*sin, Y: y + u*sin + w*cos}
	}
	return lm
}

// Ensure that what was slid, zoomed and leant is found where it was, and what
// moved within the face is found where it went, in eye distances.
func TestTrack(t *testing.T) {
	surface := blots(1)
	first := landmarksAt(160, 130, 60, 0)
	a := cutOut(canvas(t, 320, 240, surface), &first)
	sin, cos := math.Sincos(0.2)
	tests := []struct {
		name         string
		w, h         int
		face         [livenessd.Landmarks]livenessd.Point
		from         func(x, y float64) (float64, float64) // where a place of the second picture lay in the first
		wantX, wantY float64
	}{
		{"the same", 320, 240, first, func(x, y float64) (float64, float64) { return x, y }, 0, 0},
		{"slid", 320, 240, landmarksAt(190, 110, 60, 0), func(x, y float64) (float64, float64) { return x - 30, y + 20 }, 0, 0},
		{"twice as large", 640, 480, landmarksAt(320, 260, 120, 0), func(x, y float64) (float64, float64) { return x / 2, y / 2 }, 0, 0},
		{"leant", 320, 240, landmarksAt(160, 130, 60, 0.2*180/math.Pi), func(x, y float64) (float64, float64) {
			x, y = x-160, y-130
			return 160 + x*cos + y*sin, 130 - x*sin + y*cos
		}, 0, 0},
		{"moved within the face", 320, 240, first, func(x, y float64) (float64, float64) { return x - 9, y + 6 }, 0.15, -0.1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := cutOut(canvas(t, tt.w, tt.h, func(x, y float64) float64 { return surface(tt.from(x, y)) }), &tt.face)
			flow, err := Track(&a, &b)
			if err != nil {
				t.Fatal(err)
			}
			good := 0
			for _, m := range flow.Matches {
				if math.Hypot(m.Move.X-tt.wantX, m.Move.Y-tt.wantY) < 0.01 && m.Error < 0.01 {
					good++
				}
			}
			if good*10 < len(trackGrid)*9 {
				t.Errorf("%d of %d places moved by %v, %v", good, len(trackGrid), tt.wantX, tt.wantY)
			}
		})
	}
}

// Ensure that landmarks of all kinds give a cutout or none, and never more.
func TestCutOutOfAnything(t *testing.T) {
	pic := canvas(t, 64, 48, blots(3))
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name string
		lm   [livenessd.Landmarks]livenessd.Point
		ok   bool
	}{
		{"a face", landmarksAt(32, 24, 20, 0), true},
		{"a face beside the picture", landmarksAt(-500, 24, 20, 0), true},
		{"upside down", landmarksAt(32, 24, 20, 180), true},
		{"much larger than the picture", landmarksAt(32, 24, 4000, 0), true},
		{"too small", landmarksAt(32, 24, 8, 0), false},
		{"all in one place", landmarksAt(32, 24, 0, 0), false},
		{"far away", landmarksAt(1e9, 24, 20, 0), false},
		{"not a number", landmarksAt(nan, 24, 20, 0), false},
		{"infinite", landmarksAt(32, 24, inf, 0), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := cutOut(pic, &tt.lm)
			if c.Empty() == tt.ok {
				t.Fatalf("empty: %v", c.Empty())
			}
			flow, err := Track(&c, &c)
			if (err == nil) != tt.ok {
				t.Errorf("%v %v", flow, err)
			}
		})
	}
}

// Ensure that a picture without a face leaves no cutout of an earlier one.
func TestNeedCutout(t *testing.T) {
	p := open(t)
	face := fileFrame(t, some(t, 1, shared(t, "data", "faces"), "*.jpg")[0])
	grey := livenessd.Frame{Width: 64, Height: 64, Format: livenessd.GREY, Data: make([]byte, 64*64)}
	var c Cutout
	if o, err := p.AnalyzeWith(face, Need{Cutout: &c}); err != nil || len(o.Faces) == 0 || c.Empty() {
		t.Fatalf("%d faces, empty: %v, %v", len(o.Faces), c.Empty(), err)
	}
	if _, err := p.AnalyzeWith(grey, Need{Cutout: &c}); err != nil || !c.Empty() {
		t.Errorf("empty: %v, %v", c.Empty(), err)
	}
}

// BenchmarkTrack is what following one face in a 640×480 picture costs beside
// its analysis.
func BenchmarkTrack(b *testing.B) {
	face := landmarksAt(320, 240, 100, 0)
	pic := canvas(b, 640, 480, blots(4))
	a := cutOut(pic, &face)
	for b.Loop() {
		c := cutOut(pic, &face)
		if _, err := Track(&a, &c); err != nil {
			b.Fatal(err)
		}
	}
}
