package api

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// refusedWith fails unless err is one of the answers that bad input may get.
func refusedWith(t *testing.T, err error, statuses ...int) {
	t.Helper()
	var r *refusal
	if !errors.As(err, &r) {
		t.Fatalf("not a refusal: %v", err)
	}
	for _, s := range statuses {
		if r.status == s && r.message != "" && utf8.RuneCountInString(r.field) <= 65 &&
			!strings.ContainsFunc(r.field, unicode.IsControl) {
			return
		}
	}
	t.Fatalf("refused with %d, field %q, %q", r.status, r.field, r.message)
}

// FuzzSessionRequest: what is accepted is within bounds and is what a
// standard decoder reads too; what is refused is the caller's fault.
func FuzzSessionRequest(f *testing.F) {
	for _, s := range []string{
		"", "{}", "null", "[]", `{"reference":"a","timeout_s":9}`, `{"reference":"\ud800"}`, `{"timeout_s":1e2}`, `{"reduced":true}`,
		`{"a":{"b":[1,2,{}]}}`, `{"reference":"a","reference":"b"}`, `{"reference":"a"} x`, "{\"reference\":\"\xff\"}", `{"":1}`,
		strings.Repeat(`{"a":`, 200),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := decodeSessionRequest(body)
		if err != nil {
			refusedWith(t, err, http.StatusBadRequest)
			return
		}
		if utf8.RuneCountInString(q.Reference) > maxReference || strings.ContainsFunc(q.Reference, unicode.IsControl) ||
			q.Timeout < 0 || q.Timeout > maxTimeout*time.Second || q.Timeout%time.Second != 0 {
			t.Fatalf("accepted %+v", q)
		}
		if body == nil {
			return
		}
		var std struct {
			Reference string `json:"reference"`
			Timeout   int    `json:"timeout_s"`
			Reduced   bool   `json:"reduced"`
		}
		if err := json.Unmarshal(body, &std); err != nil {
			t.Fatalf("accepted what is not JSON: %v", err)
		}
		if std.Reference != q.Reference || std.Reduced != q.Reduced || time.Duration(std.Timeout)*time.Second != q.Timeout {
			t.Fatalf("read %+v, others read %+v", q, std)
		}
	})
}

// FuzzQuery: the parameters of all paths that take some.
func FuzzQuery(f *testing.F) {
	f.Add("limit=5&order=oldest&cursor=c", "7")
	f.Add("limit=+5", "")
	f.Add("after=18446744073709551615", "-1")
	f.Add("after=1;limit=2&%zz", "0x1")
	f.Add(strings.Repeat("a", 2000), strings.Repeat("9", 30))
	s := &server{Deps: workingDeps()}
	last := s.Journal.LastEvent()
	f.Fuzz(func(t *testing.T, raw, lastEventID string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = raw
		r.Header.Set("Last-Event-ID", lastEventID)
		if p, err := decodePage(r); err != nil {
			refusedWith(t, err, http.StatusBadRequest)
		} else if p.limit < 1 || p.limit > maxLimit || len(p.cursor) > maxCursor || !utf8.ValidString(p.cursor) {
			t.Fatalf("accepted %+v", p)
		}
		if after, err := s.resumeAfter(r); err != nil {
			refusedWith(t, err, http.StatusBadRequest, http.StatusGone)
		} else if after > last {
			t.Fatalf("would wait for %d, the last is %d", after, last)
		}
	})
}

// FuzzHost: a Host header that is let through names this machine to another
// reader of it, too.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"localhost:80", "[::1%25lo]:80", "kiosk.lan.", "[::ffff:7f00:1]", "127.1", "localhost@evil:80", ":80", "[localhost]"} {
		f.Add(host)
	}
	g, err := newGuard([]string{"kiosk.lan"}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, host string) {
		u, err := url.Parse("http://" + host)
		if err != nil || !g.hostAllowed(host) {
			return
		}
		name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
		if ip := net.ParseIP(strings.Split(name, "%")[0]); name != "localhost" && name != "kiosk.lan" && !ip.IsLoopback() {
			t.Fatalf("host %q, which is %q, is allowed", host, name)
		}
	})
}
