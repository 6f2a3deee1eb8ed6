package livenessd_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Ensure that a folder knows the nouns and its own trade; only cmd knows the
// folders, pipeline its models, and the test of the appliance the simulated person.
func TestImports(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || (name != "." && strings.HasPrefix(d.Name(), "."))) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, "cmd/") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		here := path.Dir(name)
		seen[here] = true
		for _, spec := range file.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			to, ours := strings.CutPrefix(p, "livenessd/")
			if ours && to != here && !(here == "pipeline" && to == "models") && !(here == "appliance" && to == "capture/sim") {
				t.Errorf("%s imports %s", name, p)
			}
			if p == "C" && here != "pipeline" {
				t.Errorf("%s uses cgo: only pipeline may", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{".", "api", "appliance", "appliance/guest", "capture", "capture/sim", "challenge", "evaluate", "models", "packaging/licences", "pipeline", "store", "ui"} {
		if !seen[dir] {
			t.Errorf("no Go file was read in %s: the test looks in the wrong place", dir)
		}
	}
}
