package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"livenessd"
)

// tables has every dialect's table of requests.
var tables = map[livenessd.Dialect][]dialectCase{
	livenessd.DialectBioID: bioidCases, livenessd.DialectBWS3: bws3Cases, livenessd.DialectTrustmatic: trustmaticCases,
	livenessd.DialectGLAIR: glairCases, livenessd.DialectVerihubs: verihubsCases,
}

// Ensure that the dialects answer as the document says, on each of their
// paths, and that every answer and every code in the document is one that is
// given.
func TestDialectsAreDocumented(t *testing.T) {
	var added openAPI
	if err := json.Unmarshal(dialectDocument, &added); err != nil {
		t.Fatal(err)
	}
	w := &witness{doc: parseJoined(t), seen: make(map[string]bool)}
	srv, _ := dialectServer(t, Config{})
	listen := func(c call) {
		path, _, _ := strings.Cut(c.target, "?")
		w.judge(t, c.method, path, ask(t, srv, c))
	}
	for _, d := range dialects {
		for _, path := range d.paths {
			for _, tc := range tables[d.name] {
				if len(tc.body) > 1<<20 && tc.status != http.StatusRequestEntityTooLarge {
					continue // minutes of bytes, under the race detector, for codes that others have too
				}
				_, query, _ := strings.Cut(tc.target, "?")
				listen(at(tc.call, path+"?"+query))
			}
			w.judge(t, "POST", path, goneCall(t, d, path))
		}
	}
	for n := 1; n < 16; n++ { // each sum of failed checks
		flags := ""
		for bit, flag := range map[int]string{1: "liveness", 2: "attribute", 4: "quality", 8: "nface"} {
			if n&bit != 0 {
				flags += `,"validate_` + flag + `":true`
			}
		}
		c := verihubsShow("", "all-wrong", flags)
		if a := ask(t, srv, c); !strings.Contains(string(a.body), fmt.Sprintf(`"FAIL_ON_%d"`, n)) {
			t.Errorf("%d: %s", n, a.body)
		} else {
			w.judge(t, c.method, c.target, a)
		}
	}
	c := verihubsShow("", "many-pixels", "")
	w.judge(t, c.method, c.target, ask(t, srv, c))
	slow := slowImages(t)
	c = verihubsCall("", `{"image":"https://pictures.example/face.jpg"}`)
	w.judge(t, c.method, c.target, ask(t, slow, c))
	listenToOthers(t, w)

	for path, methods := range added.Paths {
		for method := range methods {
			for status := range w.doc.Paths[path][method].Responses {
				if name := method + " " + path + " " + status; !w.seen[name] {
					t.Errorf("%s is documented and was not seen", name)
				}
			}
		}
	}
	for name, s := range added.Components.Schemas {
		for property, p := range s.Properties {
			for _, v := range p.Enum {
				if value := name + "." + property + "=" + v; !w.doc.values[value] && !strings.HasSuffix(name, "Request") {
					t.Errorf("%s is documented and was not seen", value)
				}
			}
		}
	}
}

// listenToOthers hears what the dialects' document says of paths that are
// nobody's own.
func listenToOthers(t *testing.T, w *witness) {
	d := workingDeps()
	d.Access, d.Jobs, d.Judge = fakeAccess{}, &fakeJobs{}, fakeJudge{}
	for name, ready := range map[string]func() []Reason{
		"ready": func() []Reason { return nil }, "not ready": func() []Reason { return []Reason{{"camera_lost", "gone"}} },
		"fault": func() []Reason { panic("secret") },
	} {
		d.Ready = ready
		h, err := New(Config{Log: new(logged).logger()}, d)
		if err != nil {
			t.Fatal(err)
		}
		srv := serveHandler(t, t.Context(), h)
		for _, host := range []string{"localhost", "door.lan"} {
			for _, path := range []string{"/livez", "/readyz", "/openapi.json", "/docs"} {
				if a := w.do(t, srv, call{method: "GET", target: path, header: map[string]string{"Host": host}}); a.status >= 400 && path != "/readyz" {
					t.Errorf("%s, %s at %s: %d", name, path, host, a.status)
				}
			}
		}
	}
}

// goneCall is what a caller that went away would have been told.
func goneCall(t *testing.T, d *dialect, path string) answer {
	t.Helper()
	deps := workingDeps()
	jobs := &fakeJobs{}
	deps.Access, deps.Jobs, deps.Judge = fakeAccess{}, jobs, fakeJudge{}
	s, err := newServer(Config{Log: new(logged).logger()}, deps)
	if err != nil {
		t.Fatal(err)
	}
	c := tables[d.name][0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "POST", path, strings.NewReader(c.body))
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	s.whole(nil).ServeHTTP(rec, r)
	if j, n := jobs.last(); n != 1 || j.Status != clientGone || j.Outcome != "" {
		t.Errorf("%s: booked %+v", path, j)
	}
	return answer{rec.Code, rec.Header(), rec.Body.Bytes()}
}

// slowImages serves with a host of pictures that never answers.
func slowImages(t *testing.T) *httptest.Server {
	t.Helper()
	d := workingDeps()
	d.Access, d.Jobs, d.Judge = fakeAccess{}, &fakeJobs{}, fakeJudge{}
	s, err := newServer(Config{ImageHosts: []string{"pictures.example"}, Log: new(logged).logger()}, d)
	if err != nil {
		t.Fatal(err)
	}
	s.newID, s.now = func() string { return jobID }, func() time.Time { return noon }
	s.images.timeout = time.Millisecond
	s.images.client.Transport = silence{}
	return serveHandler(t, t.Context(), s.whole(nil))
}

// silence is a host that never answers.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// Ensure that the page shows every path and every type, and holds nothing that
// a browser would fetch from elsewhere.
func TestDocs(t *testing.T) {
	srv, _ := dialectServer(t, Config{})
	a := ask(t, srv, call{method: "GET", target: "/docs"})
	page := string(a.body)
	d := parseJoined(t)
	for path := range d.Paths {
		if !strings.Contains(page, `<span class="path">`+path+`</span>`) {
			t.Errorf("%s is not on the page", path)
		}
	}
	for name := range d.Components.Schemas {
		if !strings.Contains(page, `<section id="`+name+`">`) {
			t.Errorf("%s is not on the page", name)
		}
	}
	for _, bad := range []string{"<script", "http://", "src=", "@import", "ZgotmplZ"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if i := strings.Index(page, `href="http`); i >= 0 {
		t.Errorf("the page links elsewhere: %.80s", page[i:])
	}
}

// Ensure that every recorded answer and test that the tables in README.md name
// is there.
func TestReadmeTables(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, name := range source {
		code, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(code)
	}
	named := regexp.MustCompile("`((?:bioid|bws3|trustmatic|glair|verihubs)/[a-z0-9-]+|Test[A-Za-z0-9]+)`")
	found := 0
	for _, m := range named.FindAllStringSubmatch(string(b), -1) {
		found++
		if strings.HasPrefix(m[1], "Test") {
			if !strings.Contains(tests.String(), "func "+m[1]+"(") {
				t.Errorf("README.md names %s, which is no test", m[1])
			}
		} else if _, err := os.Stat(filepath.Join("testdata", m[1]+".golden")); err != nil {
			t.Errorf("README.md names %s: %v", m[1], err)
		}
	}
	if found < 100 {
		t.Errorf("only %d names were found", found)
	}
}
