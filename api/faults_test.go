package api

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"livenessd"
)

// Ensure that an answer cut short by a panic does not look like a whole one.
func TestPanicHalfWay(t *testing.T) {
	log := new(logged)
	half := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "livenessd_results_total 1")
		panic(secret)
	})
	srv := serve(t, Config{Log: log.logger(), Metrics: half}, workingDeps())
	r, err := srv.Client().Get(srv.URL + "/metrics")
	if err == nil {
		defer r.Body.Close()
		var body []byte
		if body, err = io.ReadAll(r.Body); err == nil {
			t.Errorf("read %q to its end", body)
		}
	}
	if !strings.Contains(log.String(), secret) {
		t.Error("the log does not say why")
	}
}

// Ensure that a value that JSON cannot hold is a 500 and not half a result.
func TestUnencodable(t *testing.T) {
	d := workingDeps()
	f := d.Results.(fakeResults)
	f.result = func(string) (livenessd.Result, error) {
		r := fullResult()
		r.Stages[0].Score = math.NaN()
		return r, nil
	}
	d.Results = f
	srv := serve(t, Config{}, d)
	w := &witness{doc: parseDocument(t), seen: make(map[string]bool)}
	a := w.do(t, srv, call{method: "GET", target: "/v1/results/" + resultID})
	if e := a.error(t); a.status != http.StatusInternalServerError || e.Message != "internal error" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Ensure that bodies of unknown length are bounded and that one that breaks
// off starts nothing.
func TestBodyOnTheWire(t *testing.T) {
	for name, tc := range map[string]struct {
		framing, body, want string
	}{
		"chunked": {
			"Transfer-Encoding: chunked",
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", maxBody+1, strings.Repeat(" ", maxBody+1)),
			"HTTP/1.1 413 ",
		},
		"chunked, empty":     {"Transfer-Encoding: chunked", "0\r\n\r\n", "HTTP/1.1 201 "},
		"announced too long": {"Content-Length: 9999999999", "{", "HTTP/1.1 413 "},
		"broken off":         {"Content-Length: 100", `{"reference":`, "HTTP/1.1 400 "},
		"bad chunk":          {"Transfer-Encoding: chunked", "zz\r\n", "HTTP/1.1 400 "},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, Config{}, workingDeps())
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fprintf(conn, "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n%s\r\n\r\n%s", tc.framing, tc.body); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn)
			if err != nil {
				t.Logf("after the answer: %v", err) // the server may reset what it did not read
			}
			if !strings.HasPrefix(string(answer), tc.want) {
				t.Errorf("got %.80q, want %q", answer, tc.want)
			}
		})
	}
}

// every returns a call for each documented operation.
func every(d *openAPI) []call {
	var calls []call
	for path, methods := range d.Paths {
		for method := range methods {
			target := strings.Replace(path, "{id}", resultID, 1)
			calls = append(calls, call{name: method + " " + path, method: strings.ToUpper(method), target: target})
		}
	}
	return calls
}

func testForeignHostEverywhere(t *testing.T, w *witness) {
	srv := serve(t, Config{}, workingDeps())
	for _, c := range every(w.doc) {
		c.header = map[string]string{"Host": "evil.example"}
		if a := w.do(t, srv, c); a.status != http.StatusForbidden {
			t.Errorf("%s for a foreign host: %d", c.name, a.status)
		}
		c.header = map[string]string{"Origin": "http://evil.example"}
		if a := w.do(t, srv, c); a.status != http.StatusForbidden {
			t.Errorf("%s from a foreign page: %d", c.name, a.status)
		}
	}
	srv = serve(t, Config{Authorize: func(*http.Request) error { return errors.New("no such key: s3cret") }}, workingDeps())
	for _, c := range every(w.doc) {
		a := w.do(t, srv, c)
		if a.status != http.StatusForbidden || strings.Contains(string(a.body), "s3cret") {
			t.Errorf("%s without authority: %d %s", c.name, a.status, a.body)
		}
	}
}

// secret is what a fault says that no caller may read.
const secret = "/var/lib/livenessd/store.db: input/output error"

// Ensure that a fault inside, returned or thrown, is a plain 500 outside with
// nothing of its words, and that the log has all of them.
func testFaultsEverywhere(t *testing.T, w *witness) {
	fault := func() error { return errors.New(secret) }
	for _, how := range []string{"returned", "thrown"} {
		fail := fault
		if how == "thrown" {
			fail = func() error { panic(secret) }
		}
		log := new(logged)
		metrics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(secret) })
		srv := serve(t, Config{Log: log.logger(), Metrics: metrics}, failingDeps(fail))
		for _, c := range every(w.doc) {
			_, op, _ := w.doc.find(c.method, c.target)
			if _, ok := op.Responses["500"]; !ok {
				continue
			}
			before := len(log.String())
			c.header = jsonHeader
			a := w.do(t, srv, c)
			if a.status != http.StatusInternalServerError || a.error(t).Message != "internal error" {
				t.Errorf("%s, fault %s: %d %s", c.name, how, a.status, a.body)
			}
			if !strings.Contains(log.String()[before:], secret) {
				t.Errorf("%s, fault %s: the log does not say why", c.name, how)
			}
		}
	}
}

func failingDeps(fail func() error) Deps {
	return Deps{
		Journal: failingJournal{fail},
		Ready:   func() []Reason { panic(secret) },
		Kiosk: fakeKiosk{
			start:   func(SessionRequest) (livenessd.Session, error) { return livenessd.Session{}, fail() },
			session: func(string) (livenessd.Session, error) { return livenessd.Session{}, fail() },
			cancel:  func(string) error { return fail() },
		},
		Results: fakeResults{
			result:  func(string) (livenessd.Result, error) { return livenessd.Result{}, fail() },
			results: func(string, int, bool) ([]livenessd.Result, string, error) { return nil, "", fail() },
			delete:  func(string) error { return fail() },
		},
	}
}

type failingJournal struct{ fail func() error }

func (j failingJournal) Events(uint64, int) ([]livenessd.Event, error) { return nil, j.fail() }
func (j failingJournal) LastEvent() uint64                             { return 7 }
func (j failingJournal) Changed() <-chan struct{}                      { return nil }
