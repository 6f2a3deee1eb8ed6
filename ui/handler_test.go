package ui_test

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"livenessd/ui"
)

func TestHostMustBeLoopbackOrNamed(t *testing.T) {
	u, err := ui.New(ui.Config{Hosts: []string{"Door.lan", "192.0.2.7", "2001:db8::7"}})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"localhost":                    http.StatusOK,
		"LOCALHOST:8080":               http.StatusOK,
		"localhost.":                   http.StatusOK,
		"127.0.0.1":                    http.StatusOK,
		"127.9.9.9:80":                 http.StatusOK,
		"[::1]:80":                     http.StatusOK,
		"[::ffff:127.0.0.1]":           http.StatusOK,
		"door.lan":                     http.StatusOK,
		"DOOR.LAN:8080":                http.StatusOK,
		"192.0.2.7:8080":               http.StatusOK,
		"[2001:db8::7]:8080":           http.StatusOK,
		"192.0.2.8":                    http.StatusForbidden,
		"evil.example":                 http.StatusForbidden,
		"localhost.evil.example":       http.StatusForbidden,
		"127.0.0.1.evil.example:80":    http.StatusForbidden,
		"xdoor.lan":                    http.StatusForbidden,
		"":                             http.StatusForbidden,
		"0.0.0.0":                      http.StatusForbidden,
		"[::]":                         http.StatusForbidden,
		"localhost@evil.example":       http.StatusForbidden,
		strings.Repeat("x", 10_000):    http.StatusForbidden,
		"2130706433":                   http.StatusForbidden, // 127.0.0.1 to some resolvers
		"localhost:80:80":              http.StatusForbidden,
		"[::1]evil.example":            http.StatusForbidden,
		"evil.example:127.0.0.1":       http.StatusForbidden,
		"[::1%25eth0.evil.example]:80": http.StatusForbidden,
	} {
		for _, path := range []string{"/", "/assets/page.js", "/languages/de.json"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = host
			w := httptest.NewRecorder()
			u.Handler().ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("Host %.40q at %s gives %d, want %d", host, path, w.Code, want)
			}
		}
	}
}

func TestOnlyTheOwnPageMayConnect(t *testing.T) {
	_, s := serve(t, ui.Config{Hosts: []string{"door.lan"}})
	own := strings.TrimPrefix(s.URL, "http://")
	for name, c := range map[string]struct {
		host   string
		origin []string
		ok     bool
	}{
		"own":              {own, []string{"http://" + own}, true},
		"own by name":      {"door.lan", []string{"http://DOOR.lan"}, true},
		"own behind TLS":   {"door.lan", []string{"https://door.lan"}, true},
		"none":             {own, nil, false},
		"two":              {own, []string{"http://" + own, "http://evil.example"}, false},
		"another site":     {own, []string{"http://evil.example"}, false},
		"another port":     {own, []string{"http://127.0.0.1:1"}, false},
		"another name":     {own, []string{"http://door.lan"}, false},
		"null":             {own, []string{"null"}, false},
		"empty":            {own, []string{""}, false},
		"file":             {own, []string{"file://" + own}, false},
		"prefix":           {own, []string{"http://" + own + ".evil.example"}, false},
		"rebound":          {"evil.example", []string{"http://evil.example"}, false},
		"no URL":           {own, []string{"http://[::1"}, false},
		"user information": {own, []string{"http://" + own + "@evil.example"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"Host": {c.host}}
			if c.origin != nil {
				h["Origin"] = c.origin
			}
			conn, r, err := websocket.DefaultDialer.Dial(address(s), h)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != c.ok {
				t.Fatalf("connected: %v, want %v (%v)", err == nil, c.ok, err)
			}
			if !c.ok && r.StatusCode != http.StatusForbidden {
				t.Errorf("refused with %d, want 403", r.StatusCode)
			}
		})
	}
}

func TestHeadersAndPaths(t *testing.T) {
	u, err := ui.New(ui.Config{Language: "ar", Version: `1"><script>`})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		code int
		kind string
	}{
		"/":                    {200, "text/html; charset=utf-8"},
		"/assets/page.js":      {200, "text/javascript; charset=utf-8"},
		"/assets/page.css":     {200, "text/css; charset=utf-8"},
		"/assets/icon.svg":     {200, "image/svg+xml"},
		"/languages/ar.json":   {200, "application/json"},
		"/languages/ar":        {404, ""},
		"/languages/xx.json":   {404, ""},
		"/assets/none.js":      {404, ""},
		"/assets/":             {404, ""},
		"/assets/../ui.go":     {307, ""},
		"/assets/..%2fui.go":   {404, ""},
		"/index.html":          {404, ""},
		"/languages/%2e%2e%2f": {404, ""},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, nil)
		r.Host = "localhost"
		u.Handler().ServeHTTP(w, r)
		if w.Code != want.code && !(want.code == 307 && w.Code/100 == 3) {
			t.Errorf("%s gives %d, want %d", path, w.Code, want.code)
		}
		if kind := w.Header().Get("Content-Type"); want.kind != "" && kind != want.kind {
			t.Errorf("%s is %q, want %q", path, kind, want.kind)
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, rule := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:", "connect-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, rule) {
				t.Errorf("%s: policy %q lacks %q", path, policy, rule)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: policy %q is too wide", path, policy)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || (w.Code == 200 && w.Header().Get("Cache-Control") != "no-store") {
			t.Errorf("%s: headers are %v", path, w.Header())
		}
		if path == "/" {
			body := w.Body.String()
			if !strings.Contains(body, `<html lang="ar" dir="rtl"`) || strings.Contains(body, "<script>") {
				t.Errorf("the page begins %.300s", body)
			}
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/", nil)
	r.Host = "localhost"
	u.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST / gives %d", w.Code)
	}
}

// The page must work where there is no network, and its policy forbids inline
// code and styles.
func TestAssetsNameNoOtherSite(t *testing.T) {
	elsewhere := regexp.MustCompile(`(?i)(https?:|wss?:)?//[a-z0-9.-]+\.[a-z]{2,}`)
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|<script>|\son[a-z]+=|javascript:|\beval\(|innerHTML`)
	files := 0
	for _, dir := range []string{"assets", "languages"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			s := strings.ReplaceAll(string(b), "http://www.w3.org/2000/svg", "") // a name, never fetched
			if found := elsewhere.FindString(s); found != "" {
				t.Errorf("%s names %q", path, found)
			}
			if found := inline.FindString(s); found != "" {
				t.Errorf("%s has %q, which the page's policy forbids", path, found)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 10 {
		t.Errorf("only %d files were looked at", files)
	}
}

func TestAssetsDirIsServedAsItIsNow(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one {{.Language}}")
	u, err := ui.New(ui.Config{AssetsDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(u.Handler())
	defer s.Close()
	for _, want := range []string{"one en", "two en"} {
		r, err := http.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || string(b) != want {
			t.Errorf("the page is %q (%v), want %q", b, err, want)
		}
		write("two {{.Language}}")
	}
}
