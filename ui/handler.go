package ui

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

//go:embed assets languages
var embedded embed.FS

func embeddedAssets() fs.FS {
	sub, err := fs.Sub(embedded, "assets")
	if err != nil {
		panic("should not happen: " + err.Error()) // "assets" is a valid path
	}
	return sub
}

// headers go with every answer. Nothing comes from outside, nothing may frame
// the page, and the page may use neither camera nor microphone: the daemon has
// the camera. Nothing is cached: the daemon is on the same machine, and a
// kiosk's flash wears out.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
	"Permissions-Policy":           "camera=(), microphone=(), geolocation=(), display-capture=()",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"Cache-Control":                "no-store",
}

// Handler serves the page at /, its files below /assets/ and /languages/, and
// its WebSocket at /ws; /pages says whether a page is painting. It refuses
// requests whose Host is neither loopback nor in Config.Hosts. Let its server's
// ReadHeaderTimeout be set: the handler cannot bound what comes before it.
func (u *UI) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", u.serveIndex)
	mux.Handle("GET /assets/{file}", http.StripPrefix("/assets", http.FileServerFS(u.assets)))
	mux.HandleFunc("GET /languages/{file}", u.serveLanguage)
	mux.HandleFunc("GET /ws", u.serveWS)
	mux.HandleFunc("GET /pages", u.servePages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for k, v := range headers {
			w.Header().Set(k, v)
		}
		if err := u.checkHost(r); err != nil {
			u.refuse(w, r, http.StatusForbidden, err.Error())
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (u *UI) serveIndex(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	if err := u.writeIndex(&b); err != nil {
		u.log.Error("page not served", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(b.Bytes()) // an error means that nobody is there any more
}

func (u *UI) serveLanguage(w http.ResponseWriter, r *http.Request) {
	code, ok := strings.CutSuffix(r.PathValue("file"), ".json")
	text := u.languages.text[code]
	if !ok || text == nil {
		http.NotFound(w, r)
		return
	}
	b, err := json.Marshal(text)
	if err != nil {
		u.log.Error("language not served", "language", code, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b) // an error means that nobody is there any more
}

// Pages says whether there is a screen that works: the answer of GET /pages.
type Pages struct {
	Connected int `json:"connected"`
	// PaintedMS is how long ago, in milliseconds, a page last said that it is
	// painting; -1 when none has since the daemon started.
	PaintedMS int64 `json:"painted_ms"`
}

func (u *UI) servePages(w http.ResponseWriter, _ *http.Request) {
	p := Pages{Connected: u.Clients(), PaintedMS: -1}
	if at := u.LastHeartbeat(); !at.IsZero() {
		p.PaintedMS = time.Since(at).Milliseconds()
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(p); err != nil {
		u.log.Debug("page state not sent", "error", err)
	}
}

func (u *UI) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	u.log.Warn("page refused", "remote", r.RemoteAddr, "path", r.URL.Path, "why", why)
	http.Error(w, why, status)
}

// checkHost keeps out names that somebody else's DNS points at this machine
// (DNS rebinding): to the browser such a page would be of our own origin.
func (u *UI) checkHost(r *http.Request) error {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = canonicalHost(host)
	if isLoopback(host) || u.hosts[host] {
		return nil
	}
	return fmt.Errorf("host %.100q is not allowed: use a loopback address, or add it to hosts in the page's configuration", r.Host)
}

// checkOrigin lets only our own page in. Browsers always send Origin with a
// WebSocket; whoever sends none is no page.
func checkOrigin(r *http.Request) error {
	values := r.Header.Values("Origin")
	if len(values) != 1 {
		return fmt.Errorf("%d Origin headers instead of one: only the page itself may connect", len(values))
	}
	o, err := url.Parse(values[0])
	if err != nil || (o.Scheme != "http" && o.Scheme != "https") || !strings.EqualFold(o.Host, r.Host) {
		return fmt.Errorf("origin %.100q is not this page's own", values[0])
	}
	return nil
}

// canonicalHost drops brackets, a final dot and the case of a host name.
func canonicalHost(h string) string {
	h = strings.TrimSuffix(strings.TrimPrefix(h, "["), "]")
	return strings.ToLower(strings.TrimSuffix(h, "."))
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Zone() == "" && a.Unmap().IsLoopback()
}
