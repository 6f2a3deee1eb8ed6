package models

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"livenessd"
)

// The built-in set moved names the fusion alone, and holds for its networks.
func TestMoved(t *testing.T) {
	b, err := Moved("", nil, -1.25, "our door")
	must(t, err)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, SetFile), b, 0o600))
	was, err := Load(nil)
	must(t, err)
	is, err := Load([]string{dir})
	must(t, err)
	if got := is.Fusion.Bias - was.Fusion.Bias; math.Abs(got+1.25) > 1e-12 || is.Fusion.Note != "our door" || len(is.Fusion.Networks) != len(is.Texture) {
		t.Errorf("%+v of %+v", is.Fusion, was.Fusion)
	}
	d, err := parse(b)
	must(t, err)
	if d.Face != nil || d.Texture != nil || d.Attributes != nil {
		t.Errorf("%s", b)
	}
	// Moved again it starts from where it is.
	again, err := Moved("", []string{dir}, 1.25, "")
	must(t, err)
	if d, err = parse(again); err != nil || math.Abs(d.Fusion.Bias-was.Fusion.Bias) > 1e-12 {
		t.Errorf("%s %v", again, err)
	}
	if _, err := Moved("", nil, 1000, ""); !errors.Is(err, livenessd.ErrInvalid) {
		t.Error(err)
	}
}

// What a site names stays named.
func TestMovedSite(t *testing.T) {
	dir := site(t, func(*description, map[string][]byte) {})
	b, err := Moved("", []string{dir}, 0.5, "")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, SetFile), b, 0o600))
	set, err := Load([]string{dir})
	must(t, err)
	if set.Face.Name != "site-face" || set.Texture[0].Name != "site-texture" || set.Fusion.Bias != 0.5 {
		t.Errorf("%+v", set.Fusion)
	}
}
