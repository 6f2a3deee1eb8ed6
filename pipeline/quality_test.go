package pipeline

import (
	"errors"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"livenessd"
)

// faceAt is a frontal face, 80 pixels between the eyes, its box in the middle
// of 640×480 moved by dx, dy, everything times zoom.
func faceAt(dx, dy, zoom float64) livenessd.Face {
	x, y := 320+dx, 240+dy
	return livenessd.Face{
		Box:       livenessd.Rect{X: x - 85*zoom, Y: y - 115*zoom, W: 170 * zoom, H: 230 * zoom},
		Landmarks: pointsOf(livenessd.Pose{}, 80*zoom, x, y-25*zoom),
		Score:     0.9,
	}
}

var goodSkin = patch{mean: 110, deviation: 30, entropy: 6.5, uniformity: 0.8, sharpness: 0.008}

func goodScene() scene {
	return scene{width: 640, height: 480, faces: []livenessd.Face{faceAt(0, 0, 1)}, skin: goodSkin}
}

func TestQuality(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(s *scene)
		want []livenessd.Reason
	}{
		{"good", func(*scene) {}, nil},
		{"a second face as near", func(s *scene) { s.faces = append(s.faces, faceAt(200, 0, 0.9)) }, []livenessd.Reason{livenessd.SeveralFaces}},
		{"a passer-by", func(s *scene) { s.faces = append(s.faces, faceAt(200, 0, 0.4)) }, nil},
		{"far", func(s *scene) { s.faces[0] = faceAt(0, 0, 0.25) }, []livenessd.Reason{livenessd.TooFar}},
		{"near", func(s *scene) { s.faces[0] = faceAt(0, 0, 1.95) }, []livenessd.Reason{livenessd.TooNear}},
		{"aside", func(s *scene) { s.faces[0] = faceAt(200, 0, 1) }, []livenessd.Reason{livenessd.OffCentre}},
		{"partly outside", func(s *scene) { s.faces[0] = faceAt(-260, 0, 1) }, []livenessd.Reason{livenessd.OffCentre, livenessd.Cropped}},
		{"top cut", func(s *scene) { s.faces[0] = faceAt(0, -132, 1.3) }, []livenessd.Reason{livenessd.Cropped}},
		{"turned left", func(s *scene) { s.pose.Yaw = 30 }, []livenessd.Reason{livenessd.NotFrontal}},
		{"turned right", func(s *scene) { s.pose.Yaw = -30 }, []livenessd.Reason{livenessd.NotFrontal}},
		{"looking up and leaning", func(s *scene) { s.pose.Pitch, s.pose.Roll = 30, 40 }, []livenessd.Reason{livenessd.NotFrontal}},
		{"a little turned", func(s *scene) { s.pose = livenessd.Pose{Yaw: 12, Pitch: -10, Roll: 8} }, nil},
		{"no pose", func(s *scene) { s.pose.Yaw = math.NaN() }, []livenessd.Reason{livenessd.NotFrontal}},
		{"blurred", func(s *scene) { s.skin.sharpness = 0.0004 }, []livenessd.Reason{livenessd.Blurred}},
		{"dark", func(s *scene) { s.skin.mean, s.skin.under = 15, 0.8 }, []livenessd.Reason{livenessd.TooDark}},
		{"dark skin", func(s *scene) { s.skin.mean, s.skin.deviation, s.skin.under = 45, 12, 0.1 }, nil},
		{"bright", func(s *scene) { s.skin.mean, s.skin.over = 235, 0.5 }, []livenessd.Reason{livenessd.TooBright}},
		{"flat", func(s *scene) { s.skin.deviation, s.skin.entropy = 3, 2 }, []livenessd.Reason{livenessd.LowContrast}},
		{"light from the side", func(s *scene) { s.skin.uniformity = 0.2 }, nil},
		{"nothing measured", func(s *scene) { s.skin = patch{} }, []livenessd.Reason{livenessd.Blurred, livenessd.TooDark, livenessd.LowContrast}},
	} {
		s := goodScene()
		c.set(&s)
		o := livenessd.Observation{Quality: DefaultQuality().judge(s)}
		if got := o.Reasons(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		seen := map[string]bool{}
		for _, m := range o.Quality {
			if !(m.Score >= 0 && m.Score <= 100) || seen[m.Name] {
				t.Errorf("%s: %+v is out of 0..100 or comes twice", c.name, m)
			}
			seen[m.Name] = true
		}
		if len(seen) != 19 {
			t.Errorf("%s: %d measures, want all 19", c.name, len(seen))
		}
	}
}

// Better pictures must not score worse.
func TestScoresFollowValues(t *testing.T) {
	scoreOf := func(s scene, name string) float64 {
		for _, m := range DefaultQuality().judge(s) {
			if m.Name == name {
				return m.Score
			}
		}
		t.Fatalf("no measure %s", name)
		return 0
	}
	for _, c := range []struct {
		name          string
		better, worse func(s *scene)
	}{
		{livenessd.Sharpness, func(s *scene) { s.skin.sharpness = 0.006 }, func(s *scene) { s.skin.sharpness = 0.002 }},
		{livenessd.LuminanceMean, func(s *scene) { s.skin.mean = 120 }, func(s *scene) { s.skin.mean = 30 }},
		{livenessd.LuminanceMean, func(s *scene) { s.skin.mean = 120 }, func(s *scene) { s.skin.mean = 240 }},
		{livenessd.UnderExposure, func(s *scene) { s.skin.under = 0.1 }, func(s *scene) { s.skin.under = 0.7 }},
		{livenessd.OverExposure, func(s *scene) { s.skin.over = 0 }, func(s *scene) { s.skin.over = 0.2 }},
		{livenessd.HeadPoseYaw, func(s *scene) { s.pose.Yaw = -3 }, func(s *scene) { s.pose.Yaw = 20 }},
		{livenessd.FacePosition, func(s *scene) {}, func(s *scene) { s.faces[0] = faceAt(100, 0, 1) }},
		{livenessd.InterEyeDistance, func(s *scene) {}, func(s *scene) { s.faces[0] = faceAt(0, 0, 0.5) }},
		{livenessd.HeadSize, func(s *scene) {}, func(s *scene) { s.faces[0] = faceAt(0, 0, 0.3) }},
		{livenessd.NaturalColour, func(s *scene) {}, func(s *scene) { s.skin.colour = 20 }},
		{livenessd.IlluminationUniformity, func(s *scene) {}, func(s *scene) { s.skin.uniformity = 0.3 }},
	} {
		a, b := goodScene(), goodScene()
		c.better(&a)
		c.worse(&b)
		if scoreOf(a, c.name) <= scoreOf(b, c.name) {
			t.Errorf("%s: %v is not more than %v", c.name, scoreOf(a, c.name), scoreOf(b, c.name))
		}
	}
}

func TestQualityCheck(t *testing.T) {
	must(t, DefaultConfig().Check())
	bad := DefaultConfig()
	bad.Quality.MinSharpness = math.NaN()
	if err := bad.Check(); !errors.Is(err, livenessd.ErrInvalid) {
		t.Error(err)
	}
	bad = DefaultConfig()
	bad.Threads = 0
	if err := bad.Check(); !errors.Is(err, livenessd.ErrInvalid) {
		t.Error(err)
	}
}

// painted returns a w×h BGR picture of f.
func painted(w, h int, f func(x, y int) color.RGBA) []byte {
	b := make([]byte, 0, 3*w*h)
	for y := range h {
		for x := range w {
			c := f(x, y)
			b = append(b, c.B, c.G, c.R)
		}
	}
	return b
}

func TestMeasure(t *testing.T) {
	near := func(name string, got, want, tol float64) {
		t.Helper()
		if !(math.Abs(got-want) <= tol) {
			t.Errorf("%s: %v, want %v ± %v", name, got, want, tol)
		}
	}
	grey := func(v byte) color.RGBA { return color.RGBA{v, v, v, 255} }
	flat := measure(painted(32, 32, func(int, int) color.RGBA { return grey(100) }), 32, 32)
	near("flat mean", flat.mean, 100, 0.01)
	near("flat deviation", flat.deviation, 0, 0.01)
	near("flat entropy", flat.entropy, 0, 1e-9)
	near("flat sharpness", flat.sharpness, 0, 0)
	near("flat uniformity", flat.uniformity, 1, 1e-9)

	half := measure(painted(32, 32, func(x, _ int) color.RGBA { return grey([]byte{10, 250}[x/16]) }), 32, 32)
	near("half mean", half.mean, 130, 0.01)
	near("half deviation", half.deviation, 120, 0.01)
	near("half entropy", half.entropy, 1, 1e-9)
	near("half under", half.under, 0.5, 1e-9)
	near("half over", half.over, 0.5, 1e-9)
	near("half uniformity", half.uniformity, 0, 1e-9)

	ramp := measure(painted(256, 8, func(x, _ int) color.RGBA { return grey(byte(x)) }), 256, 8)
	near("ramp entropy", ramp.entropy, 8, 1e-9)
	near("red is far from skin", measure(painted(8, 8, func(int, int) color.RGBA { return color.RGBA{255, 0, 0, 255} }), 8, 8).colour, math.Hypot(80.1-25, 67.2-35), 0.5)
	near("skin is skin", measure(painted(8, 8, func(int, int) color.RGBA { return color.RGBA{198, 134, 110, 255} }), 8, 8).colour, 0, 0)
}

// Sharpness falls with blur and hardly moves with contrast or brightness.
func TestSharpness(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const side = 64
	base := make([]float64, side*side)
	for i := range base {
		x, y := float64(i%side), float64(i/side)
		base[i] = 128 + 40*math.Sin(x/6)*math.Cos(y/7) + 10*r.NormFloat64()
	}
	asBGR := func(g []float64, gain, lift float64) []byte {
		return painted(side, side, func(x, y int) color.RGBA {
			v := byte(min(max((g[y*side+x]-128)*gain+128+lift, 0), 255))
			return color.RGBA{v, v, v, 255}
		})
	}
	sharp := measure(asBGR(base, 1, 0), side, side).sharpness
	if dull := measure(asBGR(base, 0.5, -20), side, side).sharpness; math.Abs(dull/sharp-1) > 0.1 {
		t.Errorf("half the contrast: %v, was %v", dull, sharp)
	}
	last, g := sharp, base
	for range 4 {
		g = soften(soften(g, side, side), side, side)
		now := measure(asBGR(g, 1, 0), side, side).sharpness
		if now >= last {
			t.Errorf("more blur, more sharpness: %v after %v", now, last)
		}
		last = now
	}
}

func TestInnerFaceOutside(t *testing.T) {
	p, err := newPicture(64, 48)
	must(t, err)
	defer p.close()
	for _, f := range []livenessd.Face{faceAt(5000, 0, 1), faceAt(0, -5000, 1), {}} {
		if got := samplePatch(p, f); got != (patch{}) {
			t.Errorf("a face outside the picture has skin: %+v", got)
		}
	}
	if r := innerFace(faceAt(0, 0, 1)); !r.In(image.Rect(235, 115, 405, 355)) {
		t.Errorf("inner face %v reaches out of the face", r)
	}
}
