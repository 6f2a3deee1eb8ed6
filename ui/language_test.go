package ui_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"livenessd"
	"livenessd/ui"
)

var shipped = []string{"ar", "de", "en", "es", "fr", "id"}

func readLanguage(t *testing.T, code string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("languages", code+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var text map[string]string
	if err := json.Unmarshal(b, &text); err != nil {
		t.Fatalf("%s: %v", code, err)
	}
	return text
}

// constants returns the values of livenessd.go's typed constants of one type.
func constants(t *testing.T, kind string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../livenessd.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != kind {
			return true
		}
		for _, v := range spec.Values {
			s, err := strconv.Unquote(v.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			if s != "" {
				values = append(values, s)
			}
		}
		return true
	})
	if len(values) < 3 {
		t.Fatalf("livenessd.go has only %d constants of type %s: is it still written as this test reads it?", len(values), kind)
	}
	return values
}

// Whoever adds a word to livenessd.go has to say it in all six languages.
func TestEveryWordHasTextInEveryLanguage(t *testing.T) {
	var keys []string
	for prefix, kind := range map[string]string{"prompt.": "Prompt", "reason.": "Reason", "phase.": "Phase", "outcome.": "Outcome"} {
		for _, v := range constants(t, kind) {
			keys = append(keys, prefix+v)
		}
	}
	english := readLanguage(t, "en")
	for key := range english {
		if strings.HasPrefix(key, "ui.") || strings.HasPrefix(key, "language.") {
			keys = append(keys, key)
		} else if !slices.Contains(keys, key) {
			t.Errorf("en.json has %q, which livenessd.go does not", key)
		}
	}
	for _, code := range shipped {
		text := readLanguage(t, code)
		for _, key := range keys {
			if strings.TrimSpace(text[key]) == "" {
				t.Errorf("%s.json lacks %q", code, key)
			}
			// Short names of languages may be alike, sentences may not.
			if code != "en" && text[key] == english[key] && strings.HasPrefix(key, "prompt.") {
				t.Errorf("%s.json: %q is still English", code, key)
			}
		}
		if len(text) != len(keys) {
			t.Errorf("%s.json has %d texts, want %d", code, len(text), len(keys))
		}
	}
}

// The page's code must not ask for a text that does not exist.
func TestPageAsksForTextsThatExist(t *testing.T) {
	english := readLanguage(t, "en")
	js, err := os.ReadFile("assets/page.js")
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`"(ui\.\w+)"`).FindAllStringSubmatch(string(js), -1)
	for _, m := range asked {
		if english[m[1]] == "" {
			t.Errorf("page.js asks for %q", m[1])
		}
	}
	for key := range english {
		if strings.HasPrefix(key, "ui.") && !bytes.Contains(js, []byte(`"`+key+`"`)) {
			t.Errorf("nobody asks for %q", key)
		}
	}
}

func TestDirection(t *testing.T) {
	for _, code := range shipped {
		want := "ltr"
		if code == "ar" {
			want = "rtl"
		}
		if got := readLanguage(t, code)["language.direction"]; got != want {
			t.Errorf("%s is written %q, want %q", code, got, want)
		}
	}
}

// site writes language files into a folder of their own.
func site(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func served(t *testing.T, u *ui.UI, code string) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/languages/"+code+".json", nil)
	r.Host = "localhost"
	u.Handler().ServeHTTP(w, r)
	var text map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &text); err != nil {
		t.Fatalf("%s: %d %s", code, w.Code, w.Body)
	}
	return text
}

func TestSiteReplacesAndAddsLanguages(t *testing.T) {
	var log bytes.Buffer
	u, err := ui.New(ui.Config{
		Language: "tlh",
		LanguagesDir: site(t, map[string]string{
			"de.json":   `{"prompt.closer": "Näher!"}`,
			"tlh.json":  `{"language.name": "tlhIngan Hol", "language.short": "TLH", "prompt.closer": "HIghoS"}`,
			"notes.txt": "not a language",
		}),
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	de, own := served(t, u, "de"), readLanguage(t, "de")
	if de["prompt.closer"] != "Näher!" || de["prompt.back"] != own["prompt.back"] {
		t.Errorf("German says %q and %q", de["prompt.closer"], de["prompt.back"])
	}
	tlh, en := served(t, u, "tlh"), readLanguage(t, "en")
	if tlh["prompt.closer"] != "HIghoS" || tlh["prompt.back"] != en["prompt.back"] {
		t.Errorf("the new language says %q and %q", tlh["prompt.closer"], tlh["prompt.back"])
	}
	if s := log.String(); !strings.Contains(s, "tlh.json") || !strings.Contains(s, "prompt.back") || strings.Contains(s, "de.json") {
		t.Errorf("the log says %s", s)
	}
}

func TestBadLanguageFileIsRefusedByName(t *testing.T) {
	for name, c := range map[string]struct{ file, text, says string }{
		"unknown key":        {"de.json", `{"prompt.closr": "x"}`, `key "prompt.closr" is not known`},
		"twice":              {"de.json", `{"prompt.back": "x", "prompt.back": "y"}`, `key "prompt.back" is there twice`},
		"number":             {"de.json", `{"prompt.back": 7}`, `key "prompt.back" is not a text`},
		"nested":             {"de.json", `{"prompt": {"back": "x"}}`, `key "prompt" is not a text`},
		"empty text":         {"de.json", `{"prompt.back": " "}`, `key "prompt.back": the text is empty`},
		"control":            {"de.json", `{"prompt.back": "a\u0007b"}`, `control character`},
		"long":               {"de.json", `{"prompt.back": "` + strings.Repeat("é", 301) + `"}`, `301 characters`},
		"placeholder lost":   {"de.json", `{"ui.step": "Schritt {step}"}`, `key "ui.step" must have the placeholders`},
		"placeholder more":   {"de.json", `{"prompt.back": "{step} zurück"}`, `key "prompt.back" must have the placeholders`},
		"direction":          {"de.json", `{"language.direction": "up"}`, `"language.direction" is "up"`},
		"no object":          {"de.json", `["x"]`, "not a JSON object"},
		"nothing":            {"de.json", ``, "not a JSON object"},
		"cut off":            {"de.json", `{"prompt.back": "x"`, "de.json"},
		"something behind":   {"de.json", `{} {}`, "something follows"},
		"no UTF-8":           {"de.json", "{\"prompt.back\": \"\xff\"}", "not UTF-8"},
		"too large":          {"de.json", strings.Repeat(" ", 70_000) + "{}", "more than 65536 bytes"},
		"name":               {"German.json", `{}`, "language tag"},
		"name with a folder": {"..json", `{}`, "language tag"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ui.New(ui.Config{LanguagesDir: site(t, map[string]string{c.file: c.text})})
			if !errors.Is(err, livenessd.ErrInvalid) {
				t.Fatalf("New says %v, want ErrInvalid", err)
			}
			if s := err.Error(); !strings.Contains(s, c.says) || !strings.Contains(s, c.file) {
				t.Errorf("New says %q, want %q and %q in it", s, c.file, c.says)
			}
		})
	}
}
