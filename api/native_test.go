package api

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"livenessd"
)

var jsonHeader = map[string]string{"Content-Type": "application/json"}

// goldens are answers kept byte for byte: a change of one is a change of the
// API, to be made on purpose.
var goldens = []call{
	{"session-start", "POST", "/v1/sessions", jsonHeader, `{"reference":"Auftrag 7 ✓","timeout_s":90}`},
	{"session-start-no-body", "POST", "/v1/sessions", nil, ""},
	{"session-start-unknown-field", "POST", "/v1/sessions", jsonHeader, `{"refrence":"x"}`},
	{"session-start-form", "POST", "/v1/sessions", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, `reference=x`},
	{"session-start-too-large", "POST", "/v1/sessions", jsonHeader, `{"reference":"` + strings.Repeat("x", maxBody) + `"}`},
	{"session-get", "GET", "/v1/sessions/" + sessionID, nil, ""},
	{"session-get-unknown", "GET", "/v1/sessions/" + unknownID, nil, ""},
	{"session-cancel", "DELETE", "/v1/sessions/" + sessionID, nil, ""},
	{"session-cancel-unknown", "DELETE", "/v1/sessions/" + unknownID, nil, ""},
	{"results", "GET", "/v1/results", nil, ""},
	{"results-oldest-page", "GET", "/v1/results?order=oldest&limit=1", nil, ""},
	{"results-next-page", "GET", "/v1/results?order=oldest&limit=1&cursor=c1", nil, ""},
	{"results-end", "GET", "/v1/results?cursor=end", nil, ""},
	{"results-bad-cursor", "GET", "/v1/results?cursor=nonsense", nil, ""},
	{"result-get", "GET", "/v1/results/" + resultID, nil, ""},
	{"result-get-bare", "GET", "/v1/results/" + bareID, nil, ""},
	{"result-get-unknown", "GET", "/v1/results/" + unknownID, nil, ""},
	{"result-erase", "DELETE", "/v1/results/" + resultID, nil, ""},
	{"result-erase-unknown", "DELETE", "/v1/results/" + unknownID, nil, ""},
	{"events-newer-than-last", "GET", "/v1/events?after=99", nil, ""},
	{"healthz", "GET", "/healthz", nil, ""},
	{"readyz", "GET", "/readyz", nil, ""},
	{"unknown-path", "GET", "/v2/sessions", nil, ""},
	{"wrong-method", "PUT", "/v1/results/" + resultID, nil, "{}"},
}

// badRequests are refused with exactly this sentence.
var badRequests = []struct {
	call
	status  int
	field   string
	message string
}{
	{call{"empty array", "POST", "/v1/sessions", jsonHeader, `[]`}, 400, "", "the body must be one JSON object"},
	{call{"null", "POST", "/v1/sessions", jsonHeader, `null`}, 400, "", "the body must be one JSON object"},
	{call{"blank", "POST", "/v1/sessions", jsonHeader, ` `}, 400, "", "the body must be one JSON object"},
	{call{"cut off", "POST", "/v1/sessions", jsonHeader, `{"reference":"x"`}, 400, "", "the body must be one JSON object"},
	{call{"two values", "POST", "/v1/sessions", jsonHeader, `{}{}`}, 400, "", "the body must be one JSON object"},
	{call{"not UTF-8", "POST", "/v1/sessions", jsonHeader, "{\"reference\":\"\xff\"}"}, 400, "", "the body must be one JSON object"},
	{call{"other case", "POST", "/v1/sessions", jsonHeader, `{"Reference":"x"}`}, 400, "Reference", "unknown field; this request knows reference, timeout_s and reduced"},
	{call{"unprintable name", "POST", "/v1/sessions", jsonHeader, `{"a\u0000b":1}`}, 400, "a?b", "unknown field; this request knows reference, timeout_s and reduced"},
	{call{"long name", "POST", "/v1/sessions", jsonHeader, `{"` + strings.Repeat("n", 65) + `":1}`}, 400, strings.Repeat("n", 64) + "…", "unknown field; this request knows reference, timeout_s and reduced"},
	{call{"twice", "POST", "/v1/sessions", jsonHeader, `{"timeout_s":1,"timeout_s":2}`}, 400, "timeout_s", "the field is given twice"},
	{call{"number", "POST", "/v1/sessions", jsonHeader, `{"reference":7}`}, 400, "reference", "must be a string"},
	{call{"null field", "POST", "/v1/sessions", jsonHeader, `{"reference":null}`}, 400, "reference", "must be a string"},
	{call{"long", "POST", "/v1/sessions", jsonHeader, `{"reference":"` + strings.Repeat("ü", 129) + `"}`}, 400, "reference", "must have at most 128 characters"},
	{call{"newline", "POST", "/v1/sessions", jsonHeader, `{"reference":"a\nb"}`}, 400, "reference", "must be plain text without control characters"},
	{call{"half a surrogate pair", "POST", "/v1/sessions", jsonHeader, `{"reference":"\ud800"}`}, 400, "reference", "must be plain text without control characters"},
	{call{"reduced text", "POST", "/v1/sessions", jsonHeader, `{"reduced":"true"}`}, 400, "reduced", "must be true or false"},
	{call{"reduced null", "POST", "/v1/sessions", jsonHeader, `{"reduced":null}`}, 400, "reduced", "must be true or false"},
	{call{"timeout 0", "POST", "/v1/sessions", jsonHeader, `{"timeout_s":0}`}, 400, "timeout_s", "must be a whole number of seconds from 1 to 600"},
	{call{"timeout negative", "POST", "/v1/sessions", jsonHeader, `{"timeout_s":-1}`}, 400, "timeout_s", "must be a whole number of seconds from 1 to 600"},
	{call{"timeout too long", "POST", "/v1/sessions", jsonHeader, `{"timeout_s":601}`}, 400, "timeout_s", "must be a whole number of seconds from 1 to 600"},
	{call{"timeout fraction", "POST", "/v1/sessions", jsonHeader, `{"timeout_s":1.5}`}, 400, "timeout_s", "must be a whole number of seconds from 1 to 600"},
	{call{"timeout text", "POST", "/v1/sessions", jsonHeader, `{"timeout_s":"9"}`}, 400, "timeout_s", "must be a whole number of seconds from 1 to 600"},
	{call{"no type", "POST", "/v1/sessions", nil, `{}`}, 415, "Content-Type", "send the body as JSON with the header Content-Type: application/json"},
	{call{"gzip", "POST", "/v1/sessions", map[string]string{"Content-Type": "application/json", "Content-Encoding": "gzip"}, `{}`}, 415, "Content-Encoding", "send the body without Content-Encoding"},
	{call{"parameter", "POST", "/v1/sessions?a=1", nil, ""}, 400, "a", "unknown parameter; this path knows none"},
	{call{"limit 0", "GET", "/v1/results?limit=0", nil, ""}, 400, "limit", "must be a whole number from 1 to 200"},
	{call{"limit 201", "GET", "/v1/results?limit=201", nil, ""}, 400, "limit", "must be a whole number from 1 to 200"},
	{call{"limit empty", "GET", "/v1/results?limit=", nil, ""}, 400, "limit", "must be a whole number from 1 to 200"},
	{call{"limit twice", "GET", "/v1/results?limit=1&limit=2", nil, ""}, 400, "limit", "the parameter is given twice"},
	{call{"order", "GET", "/v1/results?order=desc", nil, ""}, 400, "order", "must be newest or oldest"},
	{call{"misspelt", "GET", "/v1/results?limits=1", nil, ""}, 400, "limits", "unknown parameter; this path knows cursor, limit, order"},
	{call{"long cursor", "GET", "/v1/results?cursor=" + strings.Repeat("c", 257), nil, ""}, 400, "cursor", `must be the "next" of an earlier page`},
	{call{"malformed query", "GET", "/v1/results?limit=%zz", nil, ""}, 400, "", "the query is not well formed"},
	{call{"long query", "GET", "/v1/results?a=" + strings.Repeat("c", 1024), nil, ""}, 400, "", "the query is longer than 1024 bytes"},
	{call{"parameter of a result", "GET", "/v1/results/" + resultID + "?x=1", nil, ""}, 400, "x", "unknown parameter; this path knows none"},
	{call{"parameter of an erasure", "DELETE", "/v1/results/" + resultID + "?dry=1", nil, ""}, 400, "dry", "unknown parameter; this path knows none"},
	{call{"parameter of a session", "GET", "/v1/sessions/" + sessionID + "?x=1", nil, ""}, 400, "x", "unknown parameter; this path knows none"},
	{call{"parameter of a cancel", "DELETE", "/v1/sessions/" + sessionID + "?x=1", nil, ""}, 400, "x", "unknown parameter; this path knows none"},
	{call{"odd id", "GET", "/v1/results/a%20b", nil, ""}, 404, "id", "this cannot be the id of a result"},
	{call{"long id", "GET", "/v1/sessions/" + strings.Repeat("a", 65), nil, ""}, 404, "id", "this cannot be the id of a session"},
	{call{"id with a slash", "GET", "/v1/sessions/a%2fb", nil, ""}, 404, "id", "this cannot be the id of a session"},
	{call{"slash at the end", "GET", "/v1/results/", nil, ""}, 404, "", "there is nothing at this path; GET /openapi.json lists what there is"},
	{call{"unclean path", "GET", "/v1//results", nil, ""}, 404, "", "there is nothing at this path; GET /openapi.json lists what there is"},
	{call{"dots", "GET", "/v1/results/%2e%2e/sessions", nil, ""}, 404, "", "there is nothing at this path; GET /openapi.json lists what there is"},
	{call{"two slashes", "GET", "//", nil, ""}, 404, "", "there is nothing at this path; GET /openapi.json lists what there is"},
	{call{"after", "GET", "/v1/events?after=-1", nil, ""}, 400, "after", "must be the id of an event, a whole number; 0 is before the first"},
	{call{"after too big", "GET", "/v1/events?after=18446744073709551616", nil, ""}, 400, "after", "must be the id of an event, a whole number; 0 is before the first"},
	{call{"Last-Event-ID", "GET", "/v1/events?after=1", map[string]string{"Last-Event-ID": "x"}, ""}, 400, "Last-Event-ID", "must be the id of an event, a whole number; 0 is before the first"},
	{call{"body", "GET", "/v1/events", nil, "x"}, 400, "", "this path takes no body"},
}

// Ensure that the server answers as recorded and as the document says, and
// that every documented answer is one it gives.
func TestNative(t *testing.T) {
	w := &witness{doc: parseDocument(t), seen: make(map[string]bool)}
	srv := serve(t, Config{}, workingDeps())
	for _, c := range goldens {
		t.Run("golden/"+c.name, func(t *testing.T) {
			a := w.do(t, srv, c)
			compareGolden(t, c.name, transcript(c, a))
		})
	}
	for _, c := range badRequests {
		t.Run("bad/"+c.name, func(t *testing.T) {
			a := w.do(t, srv, c.call)
			e := a.error(t)
			if a.status != c.status || e.Field != c.field || e.Message != c.message {
				t.Errorf("got  %d %q %q\nwant %d %q %q", a.status, e.Field, e.Message, c.status, c.field, c.message)
			}
		})
	}
	t.Run("document", func(t *testing.T) {
		a := w.do(t, srv, call{method: "GET", target: "/openapi.json"})
		if !bytes.Equal(a.body, document) {
			t.Error("the document is not served as it is")
		}
		if a = w.do(t, srv, call{method: "GET", target: "/docs"}); strings.Contains(string(a.body), "BioID") {
			t.Error("the page shows dialects that are not served")
		}
		a = w.do(t, srv, call{method: "GET", target: "/metrics"})
		if a.status != http.StatusNotFound {
			t.Errorf("metrics without a handler: %d", a.status)
		}
	})
	t.Run("kiosk", func(t *testing.T) { testKioskRefusals(t, w) })
	t.Run("metrics", func(t *testing.T) { testMetrics(t, w) })
	t.Run("streams", func(t *testing.T) { testStreamAnswers(t, w) })
	t.Run("guard", func(t *testing.T) { testForeignHostEverywhere(t, w) })
	t.Run("faults", func(t *testing.T) { testFaultsEverywhere(t, w) })
	t.Run("everything documented was seen", func(t *testing.T) {
		for path, methods := range w.doc.Paths {
			for method, op := range methods {
				for status := range op.Responses {
					if name := method + " " + path + " " + status; !w.seen[name] {
						t.Errorf("%s is documented and was not seen", name)
					}
				}
			}
		}
		for _, code := range w.doc.Components.Schemas["ErrorDetail"].Properties["code"].Enum {
			if !w.seen["code "+code] {
				t.Errorf("error code %s is documented and was not seen", code)
			}
		}
	})
}

func testKioskRefusals(t *testing.T, w *witness) {
	d := workingDeps()
	reasons := []Reason{{"camera_lost", "the camera at /dev/video0 does not answer; check its cable"}}
	d.Ready = func() []Reason { return reasons }
	var startErr error
	k := d.Kiosk.(fakeKiosk)
	k.start = func(SessionRequest) (livenessd.Session, error) { return livenessd.Session{}, startErr }
	d.Kiosk = k
	srv := serve(t, Config{}, d)

	for name, err := range map[string]error{
		"session-start-busy":      fmt.Errorf("session %s is running: %w", sessionID, livenessd.ErrBusy),
		"session-start-not-ready": fmt.Errorf("the camera is lost: %w", livenessd.ErrNotReady),
	} {
		startErr = err
		c := call{method: "POST", target: "/v1/sessions"}
		compareGolden(t, name, transcript(c, w.do(t, srv, c)))
	}
	c := call{method: "GET", target: "/readyz"}
	compareGolden(t, "readyz-not-ready", transcript(c, w.do(t, srv, c)))
}

func testMetrics(t *testing.T, w *witness) {
	reg := prometheus.NewRegistry()
	h := promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	srv := serve(t, Config{Registerer: reg, Metrics: h}, workingDeps())
	for _, target := range []string{"/v1/results/" + resultID, "/v1/results/" + unknownID, "/nothing/" + unknownID} {
		w.do(t, srv, call{method: "GET", target: target})
	}
	w.do(t, srv, call{method: "PATCH", target: "/v1/results"})
	text := string(w.do(t, srv, call{method: "GET", target: "/metrics"}).body)
	for _, line := range []string{
		`livenessd_http_requests_total{code="200",route="GET /v1/results/{id}"} 1`,
		`livenessd_http_requests_total{code="404",route="GET /v1/results/{id}"} 1`,
		`livenessd_http_requests_total{code="404",route="other"} 1`,
		`livenessd_http_requests_total{code="405",route="/v1/results"} 1`,
		`livenessd_http_request_seconds_count{route="GET /v1/results/{id}"} 2`,
		`livenessd_http_event_streams 0`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
	if strings.Contains(text, unknownID) {
		t.Error("metrics hold what a caller typed")
	}
	if _, err := New(Config{Registerer: reg}, workingDeps()); err == nil {
		t.Error("a second registration of the same metrics was not refused")
	}
}
