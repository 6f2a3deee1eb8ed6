package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livenessd"
)

// Each set in the repository is whole and valid, every network has a card and a
// licence, and the fusion was fitted for these very networks.
func TestOwnSets(t *testing.T) {
	for name, b := range map[string][]byte{SetFile: builtin, "reference.json": reference} {
		d, err := parse(b)
		must(t, err)
		_, err = d.over(description{})
		must(t, err)
		for _, s := range d.specs() {
			if _, err := os.Stat(filepath.Join("cards", s.Card)); err != nil {
				t.Errorf("%s: %s has no card: %v", name, s.Name, err)
			}
			if s.Licence == "" {
				t.Errorf("%s: %s has no licence", name, s.Name)
			}
		}
		if len(d.Fusion.Networks) != len(d.Texture) {
			t.Errorf("%s: the fusion does not say which networks it was fitted for", name)
		}
	}
	_, err := builtinSet() // with what this build has of its own
	must(t, err)
}

// whole is a description that names everything: one network of each
// role, the bytes of each being onnx.
func whole() description {
	spec := func(role Role) *Spec {
		return &Spec{
			Name: "site-" + string(role), Role: role, File: "site_" + string(role) + ".onnx", SHA256: digest(onnx), Runtime: RuntimeOpenCV,
			Input: Input{Name: "input", Width: 64, Height: 64, Colour: "rgb", Scale: 1}, Threshold: 0.5, Licence: "ours", Card: "none.md",
		}
	}
	d := description{
		Face: spec(RoleFace), Confirm: spec(RoleConfirm), Texture: []Spec{*spec(RoleTexture)}, Attributes: spec(RoleAttributes),
	}
	d.Face.Decoder, d.Face.Outputs = "yunet", []Output{{Name: "a", Shape: []int{64, 1}}}
	d.Confirm.Crop, d.Confirm.Outputs, d.Confirm.Candidate = &Crop{1.3, "square"}, []Output{{Name: "o", Shape: []int{1}, Classes: []string{"face"}}}, 0.4
	d.Texture[0].Crop, d.Texture[0].Outputs = &Crop{2, "box"}, []Output{{Name: "o", Shape: []int{2}, Classes: []string{"live", "spoof"}}}
	d.Attributes.Crop, d.Attributes.Outputs = &Crop{1.8, "square"}, []Output{{Name: "o", Shape: []int{2}, Classes: []string{"mask", "hat"}}}
	d.Attributes.Thresholds = map[string]float64{"mask": 0.9, "hat": 1}
	d.Fusion = &Fusion{Weights: []float64{1}, Clip: 6, Threshold: 0.5}
	return d
}

func TestParseRefuses(t *testing.T) {
	edit := func(f func(d *description)) []byte {
		d := whole()
		f(&d)
		b, err := json.Marshal(d)
		must(t, err)
		return b
	}
	if _, err := parse(edit(func(*description) {})); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty":              {},
		"not JSON":           []byte("hello"),
		"unknown field":      []byte(`{"faces": 1}`),
		"unknown deeper":     bytes.Replace(builtin, []byte(`"colour"`), []byte(`"color"`), 1),
		"two documents":      append(bytes.Clone(builtin), "{}"...),
		"empty texture":      []byte(`{"texture": [], "fusion": {}}`),
		"without face":       []byte(`{"without": ["face"]}`),
		"path as file":       edit(func(d *description) { d.Face.File = "../../etc/passwd" }),
		"hidden file":        edit(func(d *description) { d.Face.File = ".." }),
		"short digest":       edit(func(d *description) { d.Face.SHA256 = "abcd" }),
		"upper-case digest":  edit(func(d *description) { d.Face.SHA256 = strings.ToUpper(d.Face.SHA256) }),
		"wrong role":         edit(func(d *description) { d.Face.Role = RoleTexture }),
		"runtime":            edit(func(d *description) { d.Face.Runtime = "tensorrt" }),
		"layout":             edit(func(d *description) { d.Texture[0].Input.Layout = "chw" }),
		"layout of OpenCV":   edit(func(d *description) { d.Texture[0].Input.Layout = LayoutNHWC }),
		"decoder":            edit(func(d *description) { d.Face.Decoder = "retinaface" }),
		"odd face input":     edit(func(d *description) { d.Face.Input.Width = 321 }),
		"input of gigabytes": edit(func(d *description) { d.Texture[0].Input.Width = 1 << 20 }),
		"output of billions": edit(func(d *description) { d.Texture[0].Outputs[0].Shape = []int{1 << 30, 1 << 30} }),
		"outputs in hundreds": edit(func(d *description) {
			d.Face.Outputs = slices.Repeat(d.Face.Outputs, 200)
		}),
		"no live class":      edit(func(d *description) { d.Texture[0].Outputs[0].Classes = []string{"a", "b"} }),
		"two live classes":   edit(func(d *description) { d.Texture[0].Outputs[0].Classes = []string{"live", "live"} }),
		"a class too few":    edit(func(d *description) { d.Texture[0].Outputs[0].Classes = []string{"live"} }),
		"no fusion":          edit(func(d *description) { d.Fusion = nil }),
		"weights missing":    edit(func(d *description) { d.Fusion.Weights = nil }),
		"negative weight":    edit(func(d *description) { d.Fusion.Weights[0] = -1 }),
		"all weights 0":      edit(func(d *description) { d.Fusion.Weights = []float64{0} }),
		"threshold 0":        edit(func(d *description) { d.Fusion.Threshold = 0 }),
		"fitted for others":  edit(func(d *description) { d.Fusion.Networks = []string{"a"} }),
		"colour":             edit(func(d *description) { d.Face.Input.Colour = "yuv" }),
		"unknown attribute":  edit(func(d *description) { d.Attributes.Outputs[0].Classes = []string{"mask", "beard"} }),
		"attribute twice":    edit(func(d *description) { d.Attributes.Outputs[0].Classes = []string{"mask", "mask"} }),
		"attributes uncut":   edit(func(d *description) { d.Attributes.Crop = nil }),
		"threshold for none": edit(func(d *description) { d.Attributes.Thresholds = map[string]float64{"veil": 0.5} }),
		"threshold of 2":     edit(func(d *description) { d.Attributes.Thresholds = map[string]float64{"mask": 2} }),
		"thresholds of face": edit(func(d *description) { d.Face.Thresholds = map[string]float64{"mask": 1} }),
		"confirm uncut":      edit(func(d *description) { d.Confirm.Crop = nil }),
		"confirms what":      edit(func(d *description) { d.Confirm.Outputs[0].Classes = []string{"cat"} }),
		"no candidate":       edit(func(d *description) { d.Confirm.Candidate = 0 }),
		"candidate of face":  edit(func(d *description) { d.Face.Candidate = 0.5 }),
		"confirm in and out": edit(func(d *description) { d.Without = []Role{RoleConfirm} }),
		"without and with":   edit(func(d *description) { d.Without = []Role{RoleAttributes} }),
	} {
		if _, err := parse(b); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A description that passes stays within its bounds, alone and over another.
func FuzzParse(f *testing.F) {
	f.Add(builtin)
	f.Add(reference)
	f.Add([]byte("{}"))
	b, err := json.Marshal(whole())
	must(f, err)
	f.Add(b)
	base, err := builtinSet()
	must(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parse(b)
		if err == nil {
			d, err = d.over(base)
		}
		if err != nil {
			if !errors.Is(err, livenessd.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		for _, s := range d.specs() {
			if s.File != filepath.Base(s.File) || s.Input.Width*s.Input.Height > maxSide*maxSide {
				t.Fatalf("%+v", s)
			}
		}
		if len(d.Fusion.Weights) != len(d.Texture) {
			t.Fatalf("%d weights for %d networks", len(d.Fusion.Weights), len(d.Texture))
		}
	})
}

func TestProbability(t *testing.T) {
	f := Fusion{Weights: []float64{1, 0.5}, Bias: -1, Clip: 6, Threshold: 0.5}
	sigmoid := func(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		logits []float64
		want   float64
	}{
		{[]float64{1, 0}, 0.5}, {[]float64{2, 2}, sigmoid(2)}, {[]float64{100, -100}, sigmoid(6 - 3 - 1)},
		{[]float64{nan, 5}, 0}, {[]float64{inf, 5}, 0}, {[]float64{5}, 0}, {nil, 0}, {[]float64{5, 5, 5}, 0},
	} {
		if got := f.Probability(c.logits); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %v, want %v", c.logits, got, c.want)
		}
	}
}
