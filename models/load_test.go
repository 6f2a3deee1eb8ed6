package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
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

// The program carries the networks of its set that are the project's own, and no
// others: the public ones are looked for in directories.
func TestEmbedded(t *testing.T) {
	s, err := Look("", nil)
	must(t, err)
	public, err := parse(reference)
	must(t, err)
	named := map[string]bool{}
	for _, n := range s.Networks {
		named[n.File] = true
		isPublic := slices.ContainsFunc(public.specs(), func(p Spec) bool { return p.SHA256 == n.SHA256 })
		if !isPublic && (n.Err != nil || n.From != Carried || !n.Builtin) {
			t.Errorf("%s comes from %q: %v", n.Name, n.From, n.Err)
		}
	}
	files, err := fs.Glob(weights, "weights/*.onnx")
	must(t, err)
	for _, f := range files {
		if !named[path.Base(f)] && variant == nil {
			t.Errorf("%s is carried and not used", f)
		}
	}
}

// onnx is the least that passes for a model: a version and an empty graph.
var onnx = []byte{0x08, 0x08, 0x3a, 0x00}

func digest(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }

// site writes a SetFile and the networks that it names into a new folder.
// edit may change both.
func site(t *testing.T, edit func(d *description, files map[string][]byte)) string {
	t.Helper()
	d, files := whole(), map[string][]byte{}
	for _, s := range d.specs() {
		files[s.File] = onnx
	}
	if edit != nil {
		edit(&d, files)
	}
	b, err := json.Marshal(d)
	must(t, err)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, SetFile), b, 0o600))
	for name, b := range files {
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	return dir
}

func TestLoad(t *testing.T) {
	other := append(bytes.Clone(onnx), 0x12, 0x01, 'x')
	dir := site(t, func(d *description, files map[string][]byte) {
		d.Texture[0].SHA256 = digest(other)
		files[d.Texture[0].File] = other
	})
	s, err := Load([]string{filepath.Join(dir, "missing"), dir})
	must(t, err)
	if !bytes.Equal(s.Face.Data, onnx) || len(s.Texture) != 1 || !bytes.Equal(s.Texture[0].Data, other) || s.Attributes == nil {
		t.Error("other bytes than those in the folder")
	}
	for _, n := range s.Networks() {
		if n.Builtin || n.From != filepath.Join(dir, n.File) {
			t.Errorf("%s: built-in %v, from %q", n.Name, n.Builtin, n.From)
		}
	}
	f, x, a := s.Digest(RoleFace), s.Digest(RoleTexture), s.Digest(RoleAttributes)
	if len(f) != 12 || len(x) != 12 || len(a) != 12 || f == x || f == a {
		t.Errorf("digests %q %q %q", f, x, a)
	}
	s.Confirm = nil
	if alone := s.Digest(RoleFace); alone == f {
		t.Error("the face digest must change with the network that confirms")
	} else {
		f = alone
	}
	s.Fusion.Bias++
	s.Attributes = nil
	if s.Digest(RoleTexture) == x || s.Digest(RoleFace) != f || s.Digest(RoleAttributes) != "" {
		t.Error("the texture digest must change with the fusion, the face's not, and what is not there has none")
	}
}

// What a site does not name stays built-in.
func TestPartialSets(t *testing.T) {
	base, err := builtinSet()
	must(t, err)
	own, builtIn := []Role{RoleFace, RoleConfirm, RoleTexture, RoleAttributes}, []Role{}
	for _, s := range base.specs() {
		if !slices.Contains(builtIn, s.Role) {
			builtIn = append(builtIn, s.Role)
		}
	}
	minus := func(roles []Role, those ...Role) []Role {
		return slices.DeleteFunc(slices.Clone(roles), func(x Role) bool { return slices.Contains(those, x) })
	}
	for _, c := range []struct {
		name string
		edit func(d *description)
		site []Role // roles that are the site's; those of rest are built-in
		rest []Role
	}{
		{"everything", func(d *description) {}, own, nil},
		{"face", func(d *description) { *d = description{Face: d.Face} }, []Role{RoleFace}, minus(builtIn, RoleFace, RoleConfirm)},
		{"face and confirm", func(d *description) { *d = description{Face: d.Face, Confirm: d.Confirm} }, []Role{RoleFace, RoleConfirm}, minus(builtIn, RoleFace, RoleConfirm)},
		{"confirm", func(d *description) { *d = description{Confirm: d.Confirm} }, []Role{RoleConfirm}, minus(builtIn, RoleConfirm)},
		{"no confirm", func(d *description) { *d = description{Without: []Role{RoleConfirm}} }, nil, minus(builtIn, RoleConfirm)},
		{"texture and fusion", func(d *description) { d.Face, d.Confirm, d.Attributes = nil, nil, nil }, []Role{RoleTexture}, minus(builtIn, RoleTexture)},
		{"attributes", func(d *description) { *d = description{Attributes: d.Attributes} }, []Role{RoleAttributes}, minus(builtIn, RoleAttributes)},
		{"no attributes", func(d *description) { *d = description{Without: []Role{RoleAttributes}} }, nil, minus(builtIn, RoleAttributes)},
		{"fusion", func(d *description) {
			f := *base.Fusion
			f.Threshold = 0.75
			*d = description{Fusion: &f}
		}, nil, builtIn},
		{"nothing", func(d *description) { *d = description{} }, nil, builtIn},
	} {
		dir := site(t, func(d *description, _ map[string][]byte) { c.edit(d) })
		s, err := Look("", []string{dir})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var theirs, rest []Role
		for _, n := range s.Networks {
			if n.Builtin && !slices.Contains(rest, n.Role) {
				rest = append(rest, n.Role)
			}
			if !n.Builtin {
				theirs = append(theirs, n.Role)
				if n.Err != nil {
					t.Errorf("%s: %v", c.name, n.Err)
				}
			}
		}
		if !slices.Equal(theirs, c.site) || !slices.Equal(rest, c.rest) {
			t.Errorf("%s: the site's %v, want %v; built-in %v, want %v", c.name, theirs, c.site, rest, c.rest)
		}
		if want := map[bool]float64{true: 0.75, false: 0.5}[c.name == "fusion"]; s.Fusion.Threshold != want {
			t.Errorf("%s: the fusion's threshold is %v", c.name, s.Fusion.Threshold)
		}
	}
}

// A description may lie anywhere and have any name; its files lie beside it.
func TestLookAtFile(t *testing.T) {
	dir := site(t, nil)
	path := filepath.Join(dir, "draft.json")
	must(t, os.Rename(filepath.Join(dir, SetFile), path))
	s, err := Look(path, nil)
	must(t, err)
	if s.SetFile != path {
		t.Errorf("set %q", s.SetFile)
	}
	for _, n := range s.Networks {
		if n.Err != nil {
			t.Error(n.Err)
		}
	}
	if _, err := Look(filepath.Join(dir, "none.json"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a description that is not there: %v", err)
	}
}

// A damaged file in the first folder does not hide the right one in the second.
func TestLoadPassesOverDamaged(t *testing.T) {
	dir := site(t, nil)
	first := t.TempDir()
	must(t, os.WriteFile(filepath.Join(first, "site_face.onnx"), []byte("damaged"), 0o600))
	must(t, os.Rename(filepath.Join(dir, SetFile), filepath.Join(first, SetFile)))
	if _, err := Load([]string{first, dir}); err != nil {
		t.Error(err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(d *description, files map[string][]byte)
		want []string // parts of the sentence
	}{
		{"not there", func(d *description, files map[string][]byte) { delete(files, "site_face.onnx") },
			[]string{"face", "site_face.onnx", "was not found", "/nonexistent/other", "put the file there"}},
		{"damaged", func(d *description, files map[string][]byte) { files["site_texture.onnx"] = []byte("x") },
			[]string{"texture", "site_texture.onnx", "damaged", "SHA-256"}},
		{"cut off", func(d *description, files map[string][]byte) {
			files["site_attributes.onnx"] = onnx[:3]
			d.Attributes.SHA256 = digest(onnx[:3])
		}, []string{"attributes", "not an ONNX model"}},
		{"not ONNX", func(d *description, files map[string][]byte) {
			files["site_face.onnx"] = []byte("#!/bin/sh\n")
			d.Face.SHA256 = digest(files["site_face.onnx"])
		}, []string{"face", "not an ONNX model"}},
		{"not a SavedModel", func(d *description, _ map[string][]byte) { d.Texture[0].Runtime = RuntimeTensorFlow },
			[]string{"texture", "not the saved_model.pb"}},
		{"empty", func(d *description, files map[string][]byte) { files["site_face.onnx"] = nil }, []string{"face", "empty"}},
		{"bad set", func(d *description, _ map[string][]byte) { d.Texture[0].Crop = nil },
			[]string{SetFile, "crop.scale", "texture[0]", "correct it, or remove it"}},
		{"fusion for others", func(d *description, _ map[string][]byte) {
			*d = description{Fusion: d.Fusion}
			d.Fusion.Networks = []string{digest(nil)}
		}, []string{SetFile, "fusion"}},
	} {
		_, err := Load([]string{site(t, c.edit), "/nonexistent/other"})
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

// What lies there under a network's name need not be a file.
func TestNotAFile(t *testing.T) {
	dir := site(t, func(d *description, files map[string][]byte) { delete(files, "site_face.onnx") })
	must(t, os.Mkdir(filepath.Join(dir, "site_face.onnx"), 0o700))
	if _, err := Load([]string{dir}); !errors.Is(err, livenessd.ErrNotReady) || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}

// The reference networks are found, byte for byte.
func TestReference(t *testing.T) {
	dir := filepath.Join("..", "..", "shared", "reference-models")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED, not tested: %s is missing", dir)
	}
	ns, err := Reference([]string{dir})
	must(t, err)
	d, err := parse(reference)
	must(t, err)
	if len(ns) != len(d.specs()) {
		t.Errorf("%d networks, want %d", len(ns), len(d.specs()))
	}
	ns, err = Reference([]string{t.TempDir()})
	if err != nil || len(ns) != 0 {
		t.Errorf("%d networks in an empty folder, %v", len(ns), err)
	}
}

// A site may use reference.json as it is for its own set.
func TestReferenceAsSet(t *testing.T) {
	shared := filepath.Join("..", "..", "shared", "reference-models")
	if _, err := os.Stat(shared); err != nil {
		t.Skipf("SKIPPED, not tested: %s is missing", shared)
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, SetFile), reference, 0o600))
	s, err := Load([]string{dir, shared})
	must(t, err)
	if s.Face.Name != "yunet-n-320" || len(s.Texture) != 3 {
		t.Errorf("face %s and %d for texture", s.Face.Name, len(s.Texture))
	}
}
