package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

var update = flag.Bool("update", false, "write testdata/*/*.golden anew")

// call is one request of a test.
type call struct {
	name   string
	method string
	target string
	header map[string]string
	body   string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) error(t *testing.T) errorDetail {
	t.Helper()
	var e errorBody
	if err := json.Unmarshal(a.body, &e); err != nil {
		t.Fatalf("not an error body: %v: %q", err, a.body)
	}
	return e.Error
}

// witness makes calls, holds every answer against the document and remembers
// which answers it has seen.
type witness struct {
	doc  *openAPI
	seen map[string]bool // "get /v1/results 200" and "code busy"
}

// find returns the documented operation that a path belongs to.
func (d *openAPI) find(method, path string) (string, operation, bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	parts := strings.Split(path, "/")
	for _, template := range slices.Sorted(maps.Keys(d.Paths)) {
		want := strings.Split(template, "/")
		same := slices.EqualFunc(want, parts, func(w, p string) bool {
			return w == p || strings.HasPrefix(w, "{") && p != ""
		})
		if op, ok := d.Paths[template][strings.ToLower(method)]; same && ok {
			return strings.ToLower(method) + " " + template, op, true
		}
	}
	return "", operation{}, false
}

func (w *witness) do(t *testing.T, srv *httptest.Server, c call) answer {
	t.Helper()
	q, err := http.NewRequest(c.method, srv.URL+c.target, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	q.Host = "localhost"
	q.Header.Set("X-Request-Id", "test")
	for k, v := range c.header {
		if k == "Host" {
			q.Host = v
			continue
		}
		q.Header.Set(k, v)
	}
	r, err := srv.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{r.StatusCode, r.Header, body}
	w.judge(t, c.method, q.URL.Path, a)
	return a
}

// judge compares one answer with the document.
func (w *witness) judge(t *testing.T, method, path string, r answer) {
	t.Helper()
	var value any
	body := r.body
	media, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
	isJSON := media == "application/json"
	if isJSON && method != http.MethodHead {
		if err := json.Unmarshal(body, &value); err != nil {
			t.Fatalf("body is not JSON: %v: %q", err, body)
		}
		if code, ok := errorCode(value); ok {
			w.seen["code "+code] = true
		}
	}
	name, op, ok := w.doc.find(method, path)
	if !ok { // no such path or method: always an error body
		for _, d := range w.doc.check(w.doc.Components.Schemas["Error"], value, "body") {
			t.Error(d)
		}
		return
	}
	status := fmt.Sprint(r.status)
	documented, ok := op.Responses[status]
	if !ok {
		t.Errorf("%s answered %s, which is not documented: %s", name, status, body)
		return
	}
	w.seen[name+" "+status] = true
	if documented.Content == nil {
		if len(body) > 0 {
			t.Errorf("%s %s: a body where none is documented: %q", name, status, body)
		}
		return
	}
	content, ok := documented.Content[media]
	if !ok {
		t.Errorf("%s %s: Content-Type %q is not documented", name, status, media)
		return
	}
	if isJSON && method != http.MethodHead {
		for _, d := range w.doc.check(content.Schema, value, "body") {
			t.Errorf("%s %s: %s", name, status, d)
		}
	}
}

func errorCode(v any) (string, bool) {
	m, _ := v.(map[string]any)
	e, _ := m["error"].(map[string]any)
	code, ok := e["code"].(string)
	return code, ok
}

// transcript is what a golden file holds. Long request bodies are left out.
func transcript(c call, a answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "> %s %s\n", c.method, c.target)
	for _, k := range slices.Sorted(maps.Keys(c.header)) {
		fmt.Fprintf(&b, "> %s: %s\n", k, c.header[k])
	}
	if len(c.body) > 1000 {
		fmt.Fprintf(&b, "> (%d bytes)\n", len(c.body))
	} else if strings.ContainsFunc(c.body, func(r rune) bool { return !unicode.IsPrint(r) }) {
		fmt.Fprintf(&b, "> %q\n", c.body)
	} else if c.body != "" {
		fmt.Fprintf(&b, "> %s\n", c.body)
	}
	fmt.Fprintf(&b, "\n< %d\n", a.status)
	for _, k := range slices.Sorted(maps.Keys(a.header)) {
		if k != "Date" && k != "Content-Length" {
			fmt.Fprintf(&b, "< %s: %s\n", k, strings.Join(a.header[k], ", "))
		}
	}
	b.Write(a.body)
	return b.String()
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	compareGoldenIn(t, "native", name, got)
}

func compareGoldenIn(t *testing.T, folder, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", folder, name+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run with -update to write it", err)
	}
	if got != string(want) {
		t.Errorf("%s differs, run with -update if that is meant\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

// patience is how long a test waits for what must happen; it is never the
// thing tested.
const patience = 30 * time.Second
