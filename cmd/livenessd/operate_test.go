package main

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Ensure that whatever the daemon may say of itself is explained in
// docs/operate.md: every event, fault, reason, code, metric and exit code. And
// that nothing is explained which it never says.
func TestOperateExplainsEverything(t *testing.T) {
	b, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	explained := func(what, word string) {
		t.Helper()
		if !strings.Contains(text, "`"+word+"`") {
			t.Errorf("docs/operate.md does not explain the %s `%s`", what, word)
		}
	}
	nouns := constantsOf(t, "../../livenessd.go")
	for _, kind := range []string{"EventType", "CameraFault", "Reason", "Clock"} {
		if len(nouns[kind]) == 0 {
			t.Fatalf("no constants of %s were found", kind)
		}
		for _, word := range nouns[kind] {
			explained(kind, word)
		}
	}
	for _, code := range warningCodes {
		explained("code of /readyz", code)
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	metrics := regexp.MustCompile(`"(livenessd_[a-z_]+)"`)
	blames := regexp.MustCompile(`blame\("([a-z_]+)"`)
	var said []string
	for _, name := range append(sources, "../../api/metrics.go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range metrics.FindAllStringSubmatch(string(src), -1) {
			explained("metric", m[1])
			said = append(said, m[1])
		}
		for _, m := range blames.FindAllStringSubmatch(string(src), -1) {
			explained("code of /readyz", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`(livenessd_[a-z_]+)`").FindAllStringSubmatch(text, -1) {
		if !slices.Contains(said, m[1]) {
			t.Errorf("docs/operate.md explains %s, which there is not", m[1])
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+\\.[a-z_]+)` \\|").FindAllStringSubmatch(text, -1) {
		if !slices.Contains(nouns["EventType"], m[1]) {
			t.Errorf("docs/operate.md explains the event %s, which there is not", m[1])
		}
	}
	for _, code := range []int{exitOK, exitFailed, exitMisused, exitCamera} {
		if !strings.Contains(text, "\n| "+strconv.Itoa(code)+" | ") {
			t.Errorf("docs/operate.md does not explain exit code %d", code)
		}
	}
}

// constantsOf returns the typed string constants of a file, by type.
func constantsOf(t *testing.T, file string) map[string][]string {
	t.Helper()
	f, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		kind, ok := v.Type.(*ast.Ident)
		lit, isLit := v.Values[0].(*ast.BasicLit)
		if !ok || !isLit || lit.Kind != gotoken.STRING {
			return true
		}
		word, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		if word != "" {
			all[kind.Name] = append(all[kind.Name], word)
		}
		return true
	})
	return all
}
