package pipeline

import (
	"image"
	"math"
	"testing"

	"livenessd"
	"livenessd/models"
)

func TestLetterbox(t *testing.T) {
	for _, c := range []struct{ w, h, ww, wh int }{
		{640, 480, 320, 240}, {480, 640, 240, 320}, {320, 320, 320, 320}, {160, 120, 320, 240}, {1280, 720, 320, 180},
		{8192, 32, 320, 1}, {32, 8192, 1, 320}, {321, 319, 320, 318},
	} {
		if w, h, _ := letterbox(c.w, c.h, 320, 320); w != c.ww || h != c.wh {
			t.Errorf("%d×%d: %d×%d, want %d×%d", c.w, c.h, w, h, c.ww, c.wh)
		}
	}
}

func TestFill(t *testing.T) {
	p, err := newPicture(2, 1)
	must(t, err)
	defer p.close()
	copy(p.pix, []byte{1, 2, 3, 4, 5, 6})
	in := models.Input{Width: 3, Height: 2, Colour: "rgb", Scale: 0.5, Mean: [3]float64{1, 0, 0}}
	dst := make([]float32, 3*3*2)
	fill(dst, p, in)
	want := []float32{1, 2.5, -0.5, -0.5, -0.5, -0.5, 1, 2.5, 0, 0, 0, 0, 0.5, 2, 0, 0, 0, 0}
	for i := range want {
		if dst[i] != want[i] {
			t.Fatalf("%v, want %v", dst, want)
		}
	}
}

// outputsOf is what YuNet says of nothing at w×h.
func outputsOf(w, h int) [][]float32 {
	var outs [][]float32
	for _, k := range yunetKinds {
		for _, s := range strides {
			outs = append(outs, make([]float32, w/s*(h/s)*k.per))
		}
	}
	return outs
}

func emptyOutputs() [][]float32 { return outputsOf(64, 64) }

// A network that is wider than high has more cells in a row than in a column.
func TestWideYuNet(t *testing.T) {
	spec := models.Spec{Name: "wide", Input: models.Input{Width: 320, Height: 256}}
	for i, o := range outputsOf(320, 256) {
		k := yunetKinds[i/len(strides)]
		spec.Outputs = append(spec.Outputs, models.Output{Name: k.name, Shape: []int{len(o) / k.per, k.per}})
	}
	must(t, checkYuNet(spec))
	spec.Input.Width, spec.Input.Height = 288, 288
	if checkYuNet(spec) == nil {
		t.Error("outputs for 320×256 pass for 288×288")
	}
	if w, h, _ := letterbox(640, 480, 320, 256); w != 320 || h != 240 {
		t.Errorf("640×480 becomes %d×%d", w, h)
	}
	if w, h, _ := letterbox(480, 640, 320, 256); w != 192 || h != 256 {
		t.Errorf("480×640 becomes %d×%d", w, h)
	}

	outs := outputsOf(320, 256)
	cell := 3*20 + 17 // stride 16: 20 cells a row, column 17, row 3
	outs[1][cell], outs[4][cell] = 1, 1
	faces := decodeYuNet(outs, 320, 256, 0.7)
	if len(faces) != 1 || faces[0].Landmarks[livenessd.NoseTip] != (livenessd.Point{X: 17 * 16, Y: 3 * 16}) {
		t.Errorf("%+v", faces)
	}
}

func TestDecodeYuNet(t *testing.T) {
	outs := emptyOutputs()
	// Stride 16 has 4×4 cells; cell 6 is column 2, row 1.
	outs[1][6], outs[4][6] = 0.9, 0.81
	copy(outs[7][4*6:], []float32{0.5, 0.25, float32(math.Log(2)), float32(math.Log(1.5))})
	copy(outs[10][10*6:], []float32{0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1})
	faces := decodeYuNet(outs, 64, 64, 0.7)
	if len(faces) != 1 {
		t.Fatalf("%d faces", len(faces))
	}
	f := faces[0]
	if math.Abs(f.Score-math.Sqrt(0.9*0.81)) > 1e-6 {
		t.Errorf("score %v", f.Score)
	}
	if b := f.Box; math.Abs(b.X-24)+math.Abs(b.Y-8)+math.Abs(b.W-32)+math.Abs(b.H-24) > 1e-4 {
		t.Errorf("box %+v, want 24 8 32 24", b)
	}
	if p := f.Landmarks[livenessd.LeftMouth]; p != (livenessd.Point{X: 48, Y: 32}) {
		t.Errorf("left mouth %+v", p)
	}
	if n := len(decodeYuNet(outs, 64, 64, 0.9)); n != 0 {
		t.Errorf("%d faces above 0.9", n)
	}
}

// Numbers that a broken network may give are no faces.
func TestDecodeYuNetBroken(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, set := range map[string]func(o [][]float32){
		"score NaN":     func(o [][]float32) { o[1][6] = nan },
		"size infinite": func(o [][]float32) { o[7][4*6+2] = inf },
		"size huge":     func(o [][]float32) { o[7][4*6+2] = 30 },
		"size nothing":  func(o [][]float32) { o[7][4*6+3] = -30 },
		"place NaN":     func(o [][]float32) { o[7][4*6] = nan },
		"landmark NaN":  func(o [][]float32) { o[10][10*6+3] = nan },
		"landmark far":  func(o [][]float32) { o[10][10*6+3] = 1e9 },
	} {
		outs := emptyOutputs()
		outs[1][6], outs[4][6] = 1, 1
		if len(decodeYuNet(outs, 64, 64, 0.7)) != 1 {
			t.Fatal("the sound one is no face")
		}
		set(outs)
		if n := len(decodeYuNet(outs, 64, 64, 0.7)); n != 0 {
			t.Errorf("%s: %d faces", name, n)
		}
	}
}

func TestSuppress(t *testing.T) {
	at := func(x, score float64) livenessd.Face {
		return livenessd.Face{Box: livenessd.Rect{X: x, Y: 0, W: 100, H: 100}, Score: score}
	}
	got := suppress([]livenessd.Face{at(0, 0.8), at(10, 0.9), at(200, 0.75), at(20, 0.85)}, 0.7)
	if len(got) != 2 || got[0].Score != 0.9 || got[1].Score != 0.75 {
		t.Errorf("%+v", got)
	}
}

func TestCropRect(t *testing.T) {
	box := models.Crop{Scale: 2, Shape: "box"}
	square := models.Crop{Scale: 2, Shape: "square"}
	for _, c := range []struct {
		name string
		face livenessd.Rect
		crop models.Crop
		want image.Rectangle
	}{
		{"in the middle", livenessd.Rect{X: 300, Y: 200, W: 40, H: 60}, box, image.Rect(280, 170, 361, 291)},
		{"square", livenessd.Rect{X: 300, Y: 200, W: 40, H: 60}, square, image.Rect(260, 170, 381, 291)},
		{"shifted in on the left", livenessd.Rect{X: -10, Y: 200, W: 40, H: 60}, box, image.Rect(0, 170, 81, 291)},
		{"shifted in at the bottom right", livenessd.Rect{X: 610, Y: 440, W: 40, H: 60}, box, image.Rect(559, 359, 640, 480)},
		{"made smaller", livenessd.Rect{X: 200, Y: 100, W: 200, H: 320}, box, image.Rect(150, 0, 450, 480)},
	} {
		got, ok := cropRect(c.face, c.crop, 640, 480)
		if !ok || got != c.want {
			t.Errorf("%s: %v %v, want %v", c.name, got, ok, c.want)
		}
	}
	for _, r := range []livenessd.Rect{{}, {W: -5, H: 5}, {X: math.NaN(), W: 50, H: 50}, {W: math.Inf(1), H: 50}, {W: math.NaN(), H: 50}, {X: 5, Y: 5, W: 2, H: 2}} {
		if got, ok := cropRect(r, box, 640, 480); ok {
			t.Errorf("%+v gives %v", r, got)
		}
	}
}

func FuzzCropRect(f *testing.F) {
	f.Add(10., 10., 50., 60., 2.7, 640, 480, true)
	f.Fuzz(func(t *testing.T, x, y, w, h, scale float64, width, height int, square bool) {
		if !(scale >= 1 && scale <= 8) || width < 16 || height < 16 || width > 8192 || height > 8192 {
			return
		}
		c := models.Crop{Scale: scale, Shape: "box"}
		if square {
			c.Shape = "square"
		}
		r, ok := cropRect(livenessd.Rect{X: x, Y: y, W: w, H: h}, c, width, height)
		if ok && (r.Empty() || !r.In(image.Rect(0, 0, width, height))) {
			t.Errorf("%v of %d×%d", r, width, height)
		}
	})
}

func TestLogOdds(t *testing.T) {
	for _, c := range []struct {
		x    []float32
		i    int
		want float64
	}{
		{[]float32{0, 0}, 0, 0}, {[]float32{3, 1}, 0, 2}, {[]float32{1, 3}, 0, -2},
		{[]float32{0, 0, 0}, 1, -math.Log(2)}, {[]float32{500, 1000, 500}, 1, 500 - math.Log(2)},
	} {
		if got := logOdds(c.x, c.i); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v: %v, want %v", c.x, got, c.want)
		}
	}
}

func TestTexturable(t *testing.T) {
	for name, c := range map[string]struct {
		f    livenessd.Face
		want bool
	}{
		"good": {faceAt(0, 0, 1), true}, "small": {faceAt(0, 0, 0.2), false}, "outside": {faceAt(310, 0, 1), false},
	} {
		if got := texturable(c.f, 640, 480, 20); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Ensure that landmarks are the mean of the candidates that agree, weighted by
// score, and that a neighbour's do not count, nor those that the network doubts,
// unless there are no others.
func TestConsensus(t *testing.T) {
	face := func(x, nose, score float64) livenessd.Face {
		f := livenessd.Face{Box: livenessd.Rect{X: x, W: 100, H: 100}, Score: score}
		for i := range f.Landmarks {
			f.Landmarks[i] = livenessd.Point{X: nose, Y: 2 * nose}
		}
		return f
	}
	got := suppress([]livenessd.Face{face(0, 50, 0.9), face(5, 60, 0.8), face(60, 500, 0.85), face(300, 350, 0.8), face(5, 200, 0.5), face(600, 640, 0.5)}, 0.7)
	if len(got) != 4 { // the third overlaps too little to be the same face
		t.Fatalf("%d faces", len(got))
	}
	want := (0.9*50 + 0.8*60) / 1.7
	if p := got[0].Landmarks[livenessd.NoseTip]; math.Abs(p.X-want) > 1e-9 || math.Abs(p.Y-2*want) > 1e-9 {
		t.Errorf("nose at %v, want %v", p, want)
	}
	for i, x := range map[int]float64{1: 500, 2: 350, 3: 640} {
		if p := got[i].Landmarks[livenessd.NoseTip]; math.Abs(p.X-x) > 1e-9 {
			t.Errorf("face %d: nose at %v, want %v", i, p.X, x)
		}
	}
}
