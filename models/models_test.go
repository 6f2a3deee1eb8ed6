package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livenessd"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The set in the repository is valid, every network has a card, and the fusion
// was fitted for these very networks.
func TestBuiltin(t *testing.T) {
	d, err := parse(builtin)
	must(t, err)
	for _, s := range append([]Spec{d.Face}, d.Texture...) {
		if _, err := os.Stat(filepath.Join("cards", s.Card)); err != nil {
			t.Errorf("%s has no card: %v", s.Name, err)
		}
		if s.Licence == "" {
			t.Errorf("%s has no licence", s.Name)
		}
	}
	if len(d.Fusion.Networks) != len(d.Texture) {
		t.Error("the fusion does not say which networks it was fitted for")
	}
}

// onnx is the least that passes for a model: a version and an empty graph.
var onnx = []byte{0x08, 0x08, 0x3a, 0x00}

// site writes a set of one face and one texture network, whose bytes are
// given, into a new folder.
func site(t *testing.T, face, texture []byte, edit func(d *description)) string {
	t.Helper()
	d, err := parse(builtin)
	must(t, err)
	sum := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	d.Texture = d.Texture[:1]
	d.Face.SHA256, d.Texture[0].SHA256 = sum(face), sum(texture)
	d.Fusion = Fusion{Weights: []float64{1}, Clip: 6, Threshold: 0.5}
	if edit != nil {
		edit(&d)
	}
	b, err := json.Marshal(d)
	must(t, err)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, SetFile), b, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, d.Face.File), face, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, d.Texture[0].File), texture, 0o600))
	return dir
}

func TestLoad(t *testing.T) {
	other := append(bytes.Clone(onnx), 0x12, 0x01, 'x')
	dir := site(t, onnx, other, nil)
	s, err := Load([]string{filepath.Join(dir, "missing"), dir})
	must(t, err)
	if !bytes.Equal(s.Face.Data, onnx) || len(s.Texture) != 1 || !bytes.Equal(s.Texture[0].Data, other) {
		t.Error("other bytes than those in the folder")
	}
	f, x := s.Digest(RoleFace), s.Digest(RoleTexture)
	if len(f) != 12 || len(x) != 12 || f == x || s.Digest(RoleAttributes) != "" {
		t.Errorf("digests %q %q %q", f, x, s.Digest(RoleAttributes))
	}
	s.Fusion.Bias++
	if s.Digest(RoleTexture) == x || s.Digest(RoleFace) != f {
		t.Error("the texture digest must change with the fusion, the face's not")
	}
}

// A damaged file in the first folder does not hide the right one in the second.
func TestLoadPassesOverDamaged(t *testing.T) {
	dir := site(t, onnx, onnx, nil)
	first := t.TempDir()
	must(t, os.WriteFile(filepath.Join(first, "yunet_n_320_320.onnx"), []byte("damaged"), 0o600))
	if _, err := Load([]string{first, dir}); err != nil {
		t.Error(err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		dirs func(t *testing.T) []string
		want []string // parts of the sentence
	}{
		{"nothing there", func(t *testing.T) []string { return []string{"/nonexistent/one", "/nonexistent/two"} },
			[]string{"face", "yunet_n_320_320.onnx", "/nonexistent/one", "/nonexistent/two", "put the file there"}},
		{"no directories", func(t *testing.T) []string { return nil }, []string{"face", "none is configured"}},
		{"damaged", func(t *testing.T) []string {
			dir := site(t, onnx, onnx, nil)
			must(t, os.WriteFile(filepath.Join(dir, "minifasnet_v2_2.7_80.onnx"), []byte("x"), 0o600))
			return []string{dir}
		}, []string{"texture", "minifasnet_v2_2.7_80.onnx", "damaged", "SHA-256"}},
		{"not ONNX", func(t *testing.T) []string { return []string{site(t, []byte("#!/bin/sh\n"), onnx, nil)} },
			[]string{"face", "not an ONNX model"}},
		{"empty", func(t *testing.T) []string { return []string{site(t, nil, onnx, nil)} }, []string{"face", "empty"}},
		{"a folder", func(t *testing.T) []string {
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, "yunet_n_320_320.onnx"), 0o700))
			return []string{dir}
		}, []string{"face", "not a regular file"}},
		{"bad set", func(t *testing.T) []string {
			return []string{site(t, onnx, onnx, func(d *description) { d.Texture[0].Crop = nil })}
		}, []string{SetFile, "crop.scale", "texture[0]"}},
	} {
		_, err := Load(c.dirs(t))
		if !errors.Is(err, livenessd.ErrNotReady) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", c.name, err, w)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	edit := func(f func(d *description)) []byte {
		d, err := parse(builtin)
		must(t, err)
		f(&d)
		b, err := json.Marshal(d)
		must(t, err)
		return b
	}
	for name, b := range map[string][]byte{
		"empty":              {},
		"not JSON":           []byte("hello"),
		"unknown field":      []byte(`{"faces": 1}`),
		"two documents":      append(bytes.Clone(builtin), "{}"...),
		"path as file":       edit(func(d *description) { d.Face.File = "../../etc/passwd" }),
		"hidden file":        edit(func(d *description) { d.Face.File = ".." }),
		"short digest":       edit(func(d *description) { d.Face.SHA256 = "abcd" }),
		"upper-case digest":  edit(func(d *description) { d.Face.SHA256 = strings.ToUpper(d.Face.SHA256) }),
		"wrong role":         edit(func(d *description) { d.Face.Role = RoleTexture }),
		"runtime":            edit(func(d *description) { d.Face.Runtime = "tensorrt" }),
		"decoder":            edit(func(d *description) { d.Face.Decoder = "retinaface" }),
		"odd face input":     edit(func(d *description) { d.Face.Input.Width = 321 }),
		"input of gigabytes": edit(func(d *description) { d.Texture[0].Input.Width = 1 << 20 }),
		"output of billions": edit(func(d *description) { d.Texture[0].Outputs[0].Shape = []int{1 << 30, 1 << 30} }),
		"no live class":      edit(func(d *description) { d.Texture[0].Outputs[0].Classes = []string{"a", "b", "c"} }),
		"two live classes":   edit(func(d *description) { d.Texture[0].Outputs[0].Classes = []string{"live", "live", "c"} }),
		"no texture":         edit(func(d *description) { d.Texture = nil }),
		"weights missing":    edit(func(d *description) { d.Fusion.Weights = d.Fusion.Weights[:1] }),
		"negative weight":    edit(func(d *description) { d.Fusion.Weights[0] = -1 }),
		"all weights 0":      edit(func(d *description) { d.Fusion.Weights = []float64{0, 0, 0} }),
		"threshold 0":        edit(func(d *description) { d.Fusion.Threshold = 0 }),
		"fitted for others":  edit(func(d *description) { d.Fusion.Networks = []string{"a", "b", "c"} }),
		"colour":             edit(func(d *description) { d.Face.Input.Colour = "yuv" }),
	} {
		if _, err := parse(b); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
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

func TestCheckONNX(t *testing.T) {
	for name, c := range map[string]struct {
		b  []byte
		ok bool
	}{
		"least":           {onnx, true},
		"with a producer": {append(bytes.Clone(onnx), 0x12, 2, 'a', 'b'), true},
		"no graph":        {[]byte{8, 8}, false},
		"no version":      {[]byte{0x3a, 0}, false},
		"two graphs":      {[]byte{8, 8, 0x3a, 0, 0x3a, 0}, false},
		"cut off":         {[]byte{8, 8, 0x3a, 5, 1}, false},
		"length of 2⁶³":   {[]byte{8, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, false},
		"text":            {[]byte("#!/bin/sh"), false},
		"nothing":         {nil, false},
	} {
		if err := checkONNX(c.b); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCheckONNX(f *testing.F) {
	f.Add(onnx)
	f.Add([]byte{8, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkONNX(b) == nil && len(b) < 4 {
			t.Error("too short to be anything")
		}
	})
}

// A description that passes stays within its bounds.
func FuzzParse(f *testing.F) {
	f.Add(builtin)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parse(b)
		if err != nil {
			if !errors.Is(err, livenessd.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		for _, s := range append([]Spec{d.Face}, d.Texture...) {
			if s.File != filepath.Base(s.File) || s.Input.Width*s.Input.Height > maxSide*maxSide {
				t.Fatalf("%+v", s)
			}
		}
	})
}

// The reference networks load, byte for byte.
func TestReferenceNetworks(t *testing.T) {
	dir := filepath.Join("..", "..", "shared", "reference-models")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED, not tested: %s is missing", dir)
	}
	s, err := Load([]string{dir})
	must(t, err)
	if len(s.Face.Data) == 0 || len(s.Texture) != len(s.Fusion.Weights) {
		t.Errorf("%d texture networks, %d weights", len(s.Texture), len(s.Fusion.Weights))
	}
}
