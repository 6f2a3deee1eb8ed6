package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"livenessd"
)

func TestGuard(t *testing.T) {
	const loopback = "127.0.0.1:5000"
	for _, tc := range []struct {
		name, host, remote string
		header             map[string]string
		allow              bool // Authorize is set and says yes
		code               string
	}{
		{name: "localhost", host: "localhost", remote: loopback},
		{name: "localhost with port and dot", host: "LocalHost.:8080", remote: loopback},
		{name: "address", host: "127.0.0.1:8080", remote: loopback},
		{name: "another loopback address", host: "127.9.9.9", remote: loopback},
		{name: "IPv6", host: "[::1]:8080", remote: "[::1]:5000"},
		{name: "IPv6 without port", host: "[::1]", remote: "[::1]:5000"},
		{name: "mapped IPv4", host: "[::ffff:127.0.0.1]", remote: "[::ffff:127.0.0.1]:5000"},
		{name: "configured name", host: "Kiosk.lan:8080", remote: loopback},
		{name: "configured address", host: "192.0.2.7", remote: loopback},
		{name: "configured IPv6", host: "[2001:DB8:0::7]:80", remote: loopback},

		{name: "no host", host: "", remote: loopback, code: "host_refused"},
		{name: "rebound name", host: "evil.example", remote: loopback, code: "host_refused"},
		{name: "name that begins alike", host: "localhost.evil.example", remote: loopback, code: "host_refused"},
		{name: "name that ends alike", host: "xkiosk.lan", remote: loopback, code: "host_refused"},
		{name: "two ports", host: "localhost:80:80", remote: loopback, code: "host_refused"},
		{name: "all interfaces", host: "0.0.0.0:8080", remote: loopback, code: "host_refused"},
		{name: "decimal address", host: "2130706433", remote: loopback, code: "host_refused"},

		{name: "own page", host: "localhost:8080", remote: loopback, header: map[string]string{"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}},
		{name: "typed address", host: "localhost", remote: loopback, header: map[string]string{"Sec-Fetch-Site": "none"}},
		{name: "other port", host: "localhost:8080", remote: loopback, header: map[string]string{"Origin": "http://localhost:9090"}, code: "origin_refused"},
		{name: "other page", host: "localhost", remote: loopback, header: map[string]string{"Origin": "https://evil.example"}, code: "origin_refused"},
		{name: "page of a file", host: "localhost", remote: loopback, header: map[string]string{"Origin": "null"}, code: "origin_refused"},
		{name: "our name as a user", host: "localhost", remote: loopback, header: map[string]string{"Origin": "http://localhost@evil.example"}, code: "origin_refused"},
		{name: "our name as a path", host: "localhost", remote: loopback, header: map[string]string{"Origin": "http://evil.example/localhost"}, code: "origin_refused"},
		{name: "own page over TLS", host: "localhost:8443", remote: loopback, header: map[string]string{"Origin": "https://localhost:8443"}},
		{name: "link from another page", host: "localhost", remote: loopback, header: map[string]string{"Sec-Fetch-Site": "cross-site"}, code: "origin_refused"},
		{name: "same site only", host: "localhost", remote: loopback, header: map[string]string{"Sec-Fetch-Site": "same-site"}, code: "origin_refused"},

		{name: "from the LAN", host: "kiosk.lan", remote: "192.0.2.9:5000", code: "forbidden"},
		{name: "from the LAN, pretending", host: "localhost", remote: "192.0.2.9:5000", code: "forbidden"},
		{name: "unknown remote", host: "localhost", remote: "pipe", code: "forbidden"},
		{name: "authorised from the LAN", host: "kiosk.lan", remote: "192.0.2.9:5000", allow: true},
		{name: "authorised, foreign host", host: "evil.example", remote: "192.0.2.9:5000", allow: true, code: "host_refused"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var authorize func(*http.Request) error
			if tc.allow {
				authorize = func(*http.Request) error { return nil }
			}
			g, err := newGuard([]string{"kiosk.lan", "192.0.2.7", "[2001:db8::7]"}, authorize)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/healthz", nil)
			r.Host, r.RemoteAddr = tc.host, tc.remote
			for k, v := range tc.header {
				r.Header.Set(k, v)
			}
			code := ""
			if err := g.check(r); err != nil {
				code = refuse(err).code
			}
			if code != tc.code {
				t.Errorf("got %q, want %q", code, tc.code)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, h := range []string{"", "*", "*.lan", "http://kiosk", "kiosk:8080", "a b", "kiosk/", "-a", strings.Repeat("a", 254)} {
		_, err := New(Config{Hosts: []string{h}}, workingDeps())
		if !errors.Is(err, livenessd.ErrInvalid) || !strings.HasPrefix(err.Error(), "hosts: ") {
			t.Errorf("host %q: %v", h, err)
		}
	}
	if _, err := New(Config{}, Deps{}); !errors.Is(err, livenessd.ErrInvalid) {
		t.Errorf("no deps: %v", err)
	}
	if _, err := New(Config{Heartbeat: -1}, workingDeps()); !errors.Is(err, livenessd.ErrInvalid) {
		t.Errorf("negative heartbeat: %v", err)
	}
}

// Ensure that an id fit for a log line is kept and any other replaced.
func TestRequestID(t *testing.T) {
	for given, keep := range map[string]bool{
		"a-1_B.c": true, strings.Repeat("a", 64): true,
		"": false, "a b": false, "a\"b": false, strings.Repeat("a", 65): false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Request-Id", given)
		got := requestID(r)
		if (got == given) != keep || !isID(got, maxRequestID) {
			t.Errorf("%q became %q", given, got)
		}
	}
}
