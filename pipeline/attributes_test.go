package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"livenessd"
	"livenessd/models"
)

// small is one of the networks that models/testdata/networks.py made, for role
// and with the classes given.
func small(t testing.TB, name string, role models.Role, classes ...string) models.Network {
	t.Helper()
	file := name + ".onnx"
	b, err := os.ReadFile(filepath.Join("..", "models", "testdata", file))
	must(t, err)
	sum := sha256.Sum256(b)
	return models.Network{Data: b, From: file, Spec: models.Spec{
		Name: name, Role: role, File: file, SHA256: hex.EncodeToString(sum[:]), Runtime: models.RuntimeOpenCV, Threshold: 0.5,
		Input:   models.Input{Name: "input", Width: 16, Height: 16, Colour: "rgb", Scale: 1.0 / 255},
		Crop:    &models.Crop{Scale: 1.5, Shape: "square"},
		Outputs: []models.Output{{Name: "output", Shape: []int{len(classes)}, Classes: classes}},
	}}
}

// plain is a picture of one colour; the caller closes it.
func plain(t testing.TB, c color.RGBA) *picture {
	t.Helper()
	p, err := newPicture(64, 64)
	must(t, err)
	copy(p.pix, painted(64, 64, func(int, int) color.RGBA { return c }))
	return p
}

var middle = livenessd.Rect{X: 16, Y: 16, W: 30, H: 30}

// Ensure that each logit becomes the probability of its own class, and that the
// right ones become reasons.
func TestAttributes(t *testing.T) {
	a, err := newAttributeJudge(small(t, "colours", models.RoleAttributes, "mask", "sunglasses", "hat", "veil", "occlusion"))
	must(t, err)
	defer a.close()
	for _, c := range []struct {
		name   string
		colour color.RGBA
		want   map[string]float64 // logits
		why    []livenessd.Reason
	}{
		{"nothing", color.RGBA{0, 0, 0, 255}, map[string]float64{"mask": -10, "sunglasses": -10, "hat": -10, "veil": -3, "occlusion": -30}, nil},
		{"mask", color.RGBA{255, 0, 0, 255}, map[string]float64{"mask": 10, "sunglasses": -10, "hat": -10, "veil": -3, "occlusion": -10}, []livenessd.Reason{livenessd.Mask}},
		{"sunglasses", color.RGBA{0, 255, 0, 255}, map[string]float64{"mask": -10, "sunglasses": 10, "hat": -10, "veil": -3, "occlusion": -10}, []livenessd.Reason{livenessd.Sunglasses}},
		{"hat", color.RGBA{0, 0, 255, 255}, map[string]float64{"mask": -10, "sunglasses": -10, "hat": 10, "veil": -3, "occlusion": -10}, nil},
		{"all", color.RGBA{255, 255, 255, 255}, map[string]float64{"mask": 10, "sunglasses": 10, "hat": 10, "veil": -3, "occlusion": 30}, []livenessd.Reason{livenessd.Sunglasses, livenessd.Mask}},
	} {
		pic := plain(t, c.colour)
		p, err := a.probabilities(pic, middle)
		pic.close()
		must(t, err)
		if len(p) != len(c.want) {
			t.Errorf("%s: %v", c.name, p)
		}
		for class, logit := range c.want {
			if want := 1 / (1 + math.Exp(-logit)); math.Abs(p[class]-want) > 1e-4 {
				t.Errorf("%s: %s is %v, want %v", c.name, class, p[class], want)
			}
		}
		o := livenessd.Observation{Quality: DefaultQuality().uncovered(p, nil)}
		if got := o.Reasons(); !slices.Equal(got, c.why) {
			t.Errorf("%s: %v, want %v", c.name, got, c.why)
		}
	}
}

func TestUncovered(t *testing.T) {
	refuseAll := DefaultQuality()
	refuseAll.MaxOcclusion, refuseAll.MaxMask, refuseAll.MaxSunglasses = 0.5, 0.5, 0.5
	for _, c := range []struct {
		name   string
		q      Quality
		p, own map[string]float64
		want   []livenessd.Measure
	}{
		{"no network", DefaultQuality(), nil, nil, nil},
		{"below", DefaultQuality(), map[string]float64{"mask": 0.25}, nil,
			[]livenessd.Measure{{Name: "MouthOcclusionPrevention", Value: 0.25, Score: 75}}},
		{"above", DefaultQuality(), map[string]float64{"mask": 0.9375}, nil,
			[]livenessd.Measure{{Name: "MouthOcclusionPrevention", Value: 0.9375, Score: 6.25, Reason: livenessd.Mask}}},
		{"a hat and a veil are worn, not refused", refuseAll, map[string]float64{"hat": 1, "veil": 1}, nil, nil},
		{"occlusion refuses nobody", DefaultQuality(), map[string]float64{"occlusion": 1}, nil,
			[]livenessd.Measure{{Name: "FaceOcclusionPrevention", Value: 1}}},
		{"unless it is to", refuseAll, map[string]float64{"occlusion": 1}, nil,
			[]livenessd.Measure{{Name: "FaceOcclusionPrevention", Value: 1, Reason: livenessd.Occluded}}},
		{"the network's own limit is wider", refuseAll, map[string]float64{"sunglasses": 0.75}, map[string]float64{"sunglasses": 1},
			[]livenessd.Measure{{Name: "EyesVisible", Value: 0.75, Score: 25}}},
		{"the network's own limit is narrower", DefaultQuality(), map[string]float64{"sunglasses": 0.5}, map[string]float64{"sunglasses": 0.25},
			[]livenessd.Measure{{Name: "EyesVisible", Value: 0.5, Score: 50, Reason: livenessd.Sunglasses}}},
	} {
		if got := c.q.uncovered(c.p, c.own); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// Ensure that numbers which are none are neither a yes nor an uncovered face.
func TestNotANumber(t *testing.T) {
	pic := plain(t, color.RGBA{100, 100, 100, 255})
	defer pic.close()

	skin, err := newTextureJudge(&models.Set{
		Texture: []models.Network{small(t, "nan", models.RoleTexture, "live", "spoof")},
		Fusion:  models.Fusion{Weights: []float64{1}, Bias: 5, Clip: 6, Threshold: 0.5},
	})
	must(t, err)
	defer skin.close()
	s, err := skin.score(pic, middle)
	must(t, err)
	if s.Value != 0 {
		t.Errorf("texture that is not a number scores %v", s.Value)
	}

	a, err := newAttributeJudge(small(t, "nan", models.RoleAttributes, "mask", "hat"))
	must(t, err)
	defer a.close()
	p, err := a.probabilities(pic, middle)
	must(t, err)
	if p["mask"] != 1 || p["hat"] != 1 {
		t.Errorf("attributes that are not numbers: %v", p)
	}
}

func TestSigmoid(t *testing.T) {
	for logit, want := range map[float64]float64{0: 0.5, math.Inf(1): 1, math.Inf(-1): 0, -800: 0, 800: 1} {
		if got := sigmoid(logit); got != want {
			t.Errorf("%v: %v, want %v", logit, got, want)
		}
	}
}
