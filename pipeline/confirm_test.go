package pipeline

import (
	"image"
	"math"
	"slices"
	"testing"

	"livenessd"
	"livenessd/models"
)

// told is a runner that always says the same, and counts how often.
type told struct {
	in  []float32
	out []float32
	n   int
}

func (r *told) input() []float32              { return r.in }
func (r *told) close()                        {}
func (r *told) forward() ([][]float32, error) { r.n++; return [][]float32{r.out}, nil }

// confirmerSaying has the log odds of a face for whatever it sees.
func confirmerSaying(odds float64) (*confirmer, *told) {
	spec := models.Spec{
		Role: models.RoleConfirm, Threshold: 0.7, Crop: &models.Crop{Scale: 1.3, Shape: "square"},
		Input: models.Input{Width: 16, Height: 16, Colour: "bgr", Scale: 1},
	}
	r := &told{in: make([]float32, 3*16*16), out: []float32{float32(odds)}}
	return &confirmer{spec, r}, r
}

// Ensure that what is no face to either network is none, whatever numbers it says
// that with, and that the score is of both.
func TestConfirmed(t *testing.T) {
	pic, err := newPicture(320, 240)
	must(t, err)
	defer pic.close()
	box := livenessd.Rect{X: 100, Y: 60, W: 80, H: 100}
	for name, c := range map[string]struct {
		score float64
		box   livenessd.Rect
		odds  float64
		want  float64 // 0: none
	}{
		"both sure":          {0.9, box, 2, math.Sqrt(0.9 / (1 + math.Exp(-2)))},
		"first doubts":       {0.5, box, 6, math.Sqrt(0.5 / (1 + math.Exp(-6)))},
		"second sees none":   {0.95, box, -3, 0},
		"first doubts much":  {0.45, box, 6, 0},
		"odds no number":     {0.95, box, math.NaN(), 0},
		"odds without end":   {0.95, box, math.Inf(-1), 0},
		"not in the picture": {0.95, livenessd.Rect{X: 100, Y: 60, W: 0.5, H: 0.5}, 6, 0},
	} {
		net, _ := confirmerSaying(c.odds)
		faces, err := net.confirmed(pic, []livenessd.Face{{Box: c.box, Score: c.score}})
		must(t, err)
		switch {
		case c.want == 0 && len(faces) != 0:
			t.Errorf("%s: %v", name, faces)
		case c.want != 0 && (len(faces) != 1 || math.Abs(faces[0].Score-c.want) > 1e-6 || faces[0].Box != c.box):
			t.Errorf("%s: %v, want the score %v", name, faces, c.want)
		}
	}
}

// Ensure that a picture in which everything looks like a face costs no more than
// a bounded number of looks.
func TestConfirmedIsBounded(t *testing.T) {
	pic, err := newPicture(320, 240)
	must(t, err)
	defer pic.close()
	net, r := confirmerSaying(6)
	faces, err := net.confirmed(pic, slices.Repeat([]livenessd.Face{{Box: livenessd.Rect{X: 10, Y: 10, W: 50, H: 50}, Score: 0.9}}, 100))
	must(t, err)
	if len(faces) != maxLooks || r.n != maxLooks {
		t.Errorf("%d faces after %d looks, want %d", len(faces), r.n, maxLooks)
	}
}

// Ensure that the network sees a face that the picture's edge cuts off where it
// is, with the edge going on beyond.
func TestFeedBeyondTheEdge(t *testing.T) {
	pic, err := newPicture(64, 64)
	must(t, err)
	defer pic.close()
	for i := range pic.pix {
		pic.pix[i] = byte(i / 3 % 64) // of its column
	}
	net, r := confirmerSaying(6)
	net.spec.Crop.Scale = 1
	seen, err := net.feed(pic, livenessd.Rect{X: -16, Y: 8, W: 32, H: 32})
	must(t, err)
	if !seen {
		t.Fatal("half a face is not seen")
	}
	for x, want := range []float64{0, 0, 0, 0, 0, 0, 0, 0, 0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 14.5} {
		if got := float64(r.in[16*5+x]); math.Abs(got-want) > 0.5 && want > 0 { // two columns are one, rounded either way
			t.Errorf("column %d is %v, want %v", x, got, want)
		} else if want == 0 && got > 1 {
			t.Errorf("column %d, beyond the edge, is %v", x, got)
		}
	}
}

// Ensure that what is seen lies around the box, whole or in part in the picture.
func TestAround(t *testing.T) {
	for _, c := range []struct {
		box  livenessd.Rect
		crop models.Crop
		want image.Rectangle
	}{
		{livenessd.Rect{X: 100, Y: 60, W: 80, H: 100}, models.Crop{Scale: 1.5, Shape: "square"}, image.Rect(65, 35, 215, 185)},
		{livenessd.Rect{X: 100, Y: 60, W: 80, H: 100}, models.Crop{Scale: 1.5, Shape: "box"}, image.Rect(80, 35, 200, 185)},
		{livenessd.Rect{X: -20, Y: -50, W: 80, H: 100}, models.Crop{Scale: 1, Shape: "square"}, image.Rect(-30, -50, 70, 50)},
	} {
		if got := around(c.box, c.crop); got != c.want {
			t.Errorf("%v %v: %v, want %v", c.box, c.crop, got, c.want)
		}
	}
}
