package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"livenessd"
)

// FuzzJSON: what is read is what the standard decoder reads, apart from names
// that come twice, broken text and depth.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		"", "{}", "[]", " { } ", "null", `{"a":1}`, `{"a":"b","c":[1,2,{"d":null}],"e":true}`, `{"a":"\u00e9\n\"","b":"\ud83d\ude00"}`,
		`{"a":1,"a":2}`, `{"a":1,}`, `{"a" 1}`, `{a:1}`, `{"a":01}`, `{"a":1e5}`, `{"a":tru}`, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", `{"a":"\q"}`,
		`{"a":[1,]}`, `{"a":"b`, `{"a":"b\`, `{"a":{}}x`, `{"\u0061":1,"a":2}`, strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40),
		`{"a":-}`, `{"a":"x"]`, `[1,"a",{"b":[]}]`, `{"a": [ ] , "b" : { } }`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		members, err := jsonObject(b)
		var std map[string]json.RawMessage
		stdErr := json.Unmarshal(b, &std)
		if err == nil {
			if stdErr != nil || len(std) != len(members) {
				t.Fatalf("read %q: %v", b, stdErr)
			}
			for name, v := range members {
				if !bytes.Equal(v, std[name]) {
					t.Fatalf("%q: %q is not %q", name, v, std[name])
				}
				var text *string
				if s, err := jsonText(v); err == nil {
					if json.Unmarshal(v, &text) != nil || text == nil || *text != string(s) {
						t.Fatalf("text %q of %q", s, v)
					}
				} else if json.Unmarshal(v, &text) == nil && text != nil {
					t.Fatalf("%q is a string", v)
				}
				var list []json.RawMessage
				if l, err := jsonArray(v); err == nil {
					if json.Unmarshal(v, &list) != nil || len(list) != len(l) {
						t.Fatalf("array of %d, not %d: %q", len(l), len(list), v)
					}
				} else if json.Unmarshal(v, &list) == nil && list != nil {
					t.Fatalf("%q is an array", v)
				}
			}
			return
		}
		// What only we refuse must have a reason.
		if stdErr == nil && std != nil && !strings.ContainsRune(string(b), '\uFFFD') {
			if d := json.NewDecoder(bytes.NewReader(b)); countMembers(d) == len(std) && deepest(b) < maxDepth {
				t.Fatalf("refused %q", b)
			}
		}
	})
}

// countMembers returns how many members the object has, those that come twice
// counted twice; -1 when it cannot tell.
func countMembers(d *json.Decoder) int {
	if _, err := d.Token(); err != nil {
		return -1
	}
	n := 0
	for ; d.More(); n++ {
		var v json.RawMessage
		if _, err := d.Token(); err != nil {
			return -1
		}
		if err := d.Decode(&v); err != nil {
			return -1
		}
	}
	return n
}

func deepest(b []byte) int {
	return bytes.Count(b, []byte("[")) + bytes.Count(b, []byte("{"))
}

func TestImageBytes(t *testing.T) {
	raw := string([]byte{0xfb, 0xff, 0xfe, 1, 2})
	std, web := base64.StdEncoding.EncodeToString([]byte(raw)), base64.URLEncoding.EncodeToString([]byte(raw))
	for _, tc := range []struct {
		text, want string
		err        error
	}{
		{std, raw, nil},
		{web, raw, nil},
		{strings.TrimRight(std, "="), raw, nil},
		{strings.TrimRight(web, "="), raw, nil},
		{" \n" + std[:4] + "\r\n" + std[4:] + "\n", raw, nil},
		{"data:image/png;base64," + std, raw, nil},
		{"DATA:;BASE64," + web, raw, nil},
		{"data:image/jpeg;name=a.jpg;base64," + std, raw, nil},
		{"data:image/jpeg;base64," + strings.ReplaceAll(std, "+", "%2B"), raw, nil},
		{"data:image/png,%FB%FF%FE%01%02", raw, nil},
		{"", "", errNoImage},
		{"  ", "", errNoImage},
		{"====", "", errNoImage},
		{"data:,", "", errNoImage},
		{"data:image/png;base64,", "", errNoImage},
		{"data:image/png;base64", "", errImageText},
		{"data:image/png;base64,*", "", errImageText},
		{"data:,%zz", "", errImageText},
		{"+-+-", "", errImageText},
		{"A", "", errImageText},
		{"not base64!", "", errImageText},
		{"ftp://x", "", errImageText},
	} {
		got, err := imageBytes([]byte(tc.text))
		if !errors.Is(err, tc.err) || string(got) != tc.want {
			t.Errorf("%q: %q, %v; want %q, %v", tc.text, got, err, tc.want, tc.err)
		}
	}
}

// FuzzImageBytes: what comes out goes back in, and is never longer.
func FuzzImageBytes(f *testing.F) {
	for _, s := range []string{"", "AA==", "data:,", "data:image/png;base64,AAEC", "-_-_", "data:,%41", "DATA:x;BASE64,%41A", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		b, err := imageBytes(text)
		if !bytes.Equal(text, before) {
			t.Fatal("the text was written to")
		}
		if err != nil {
			if !errors.Is(err, errNoImage) && !errors.Is(err, errImageText) {
				t.Fatal(err)
			}
			return
		}
		if len(b) > len(text) {
			t.Fatalf("%d bytes out of %d", len(b), len(text))
		}
		for _, again := range []string{base64.StdEncoding.EncodeToString(b), "data:x;base64," + base64.RawURLEncoding.EncodeToString(b)} {
			if c, err := imageBytes([]byte(again)); len(b) > 0 && (err != nil || !bytes.Equal(c, b)) {
				t.Fatalf("%q does not come back: %v", again, err)
			}
		}
	})
}

// Ensure that bodies of all callers together stay within the budget, and that
// whoever does not fit is told so and leaves nothing behind.
func TestBudget(t *testing.T) {
	b := newBudget(1<<20, 300*time.Millisecond)
	read := func(h *holding, body io.Reader, length, limit int64) ([]byte, error) {
		r := httptest.NewRequest("POST", "/", body)
		r.ContentLength = length
		return h.read(httptest.NewRecorder(), r, limit)
	}
	big := strings.Repeat("x", 400<<10)
	first := &holding{b: b}
	if got, err := read(first, strings.NewReader(big), int64(len(big)), 1<<20); err != nil || string(got) != big {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for name, length := range map[string]int64{"with a length": int64(len(big)), "chunked": -1} {
		second := &holding{b: b}
		if _, err := read(second, strings.NewReader(big), length, 1<<20); !errors.Is(err, livenessd.ErrOverloaded) {
			t.Errorf("%s: no room was left, yet: %v", name, err)
		}
		second.release()
	}
	first.release()
	for _, length := range []int64{int64(len(big)), -1} {
		h := &holding{b: b}
		if got, err := read(h, strings.NewReader(big), length, 1<<20); err != nil || string(got) != big {
			t.Errorf("length %d: %d bytes, %v", length, len(got), err)
		}
		h.release()
		if _, err := read(h, strings.NewReader(big), length, int64(len(big))-1); !errors.Is(err, livenessd.ErrTooLarge) {
			t.Errorf("length %d: a byte too many: %v", length, err)
		}
		h.release()
		if got, err := read(h, strings.NewReader(big), length, int64(len(big))); err != nil || string(got) != big {
			t.Errorf("length %d: just as many as allowed: %d bytes, %v", length, len(got), err)
		}
		h.release()
	}
	h := &holding{b: b}
	if _, err := read(h, io.MultiReader(strings.NewReader("a"), brokenReader{}), -1, 10); !errors.Is(err, errBody) {
		t.Errorf("a broken body: %v", err)
	}
	h.release()
	if !b.bytes.TryAcquire(b.whole) {
		t.Error("something is still held")
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("cable cut") }

// Ensure that callers who need more room than there is, all at once, each get
// an answer.
func TestBudgetConcurrently(t *testing.T) {
	b := newBudget(1<<20, 20*time.Millisecond)
	body := strings.Repeat("x", 300<<10)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			if i%2 == 0 {
				r.ContentLength = -1
			}
			h := &holding{b: b}
			defer h.release()
			if got, err := h.read(httptest.NewRecorder(), r, 1<<20); !errors.Is(err, livenessd.ErrOverloaded) && (err != nil || len(got) != len(body)) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	if !b.bytes.TryAcquire(b.whole) {
		t.Error("something is still held")
	}
}

func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.215.14": true, "2606:2800:21f:cb07:6820:80da:af6b:8b2c": true, "1.1.1.1": true, "::ffff:1.1.1.1": true,
		"127.0.0.1": false, "::1": false, "::ffff:127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"0.0.0.0": false, "0.1.2.3": false, "::": false, "100.64.1.1": false, "198.18.0.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"fe80::1": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "::7f00:1": false,
		"2001:0:7f00:1::": false, "fec0::1": false, "::ffff:10.0.0.1": false,
	} {
		if public(netip.MustParseAddr(address)) != want {
			t.Errorf("%s: public %t", address, !want)
		}
	}
}

// Ensure that pictures are fetched from listed hosts over https and from
// nowhere else, redirects and resolved addresses included.
func TestFetch(t *testing.T) {
	mux := http.NewServeMux()
	srv := httptest.NewTLSServer(mux)
	defer srv.Close()
	host := srv.Listener.Addr().String()
	mux.HandleFunc("/face", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("picture")) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	mux.HandleFunc("/circle", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/circle", http.StatusFound) })
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })

	f, err := newFetcher([]string{host, "pictures.example"})
	if err != nil {
		t.Fatal(err)
	}
	strict := f.client.Transport
	f.client.Transport = srv.Client().Transport // trusts the test's certificate, and dials loopback
	for _, tc := range []struct {
		address string
		err     error
	}{
		{"https://" + host + "/face", nil},
		{"HTTPS://" + host + "/face", nil},
		{"https://" + host + "/away?to=/face", nil},
		{"https://" + host + "/missing", errFetch},
		{"https://" + host + "/circle", errFetch},
		{"https://" + host + "/away?to=http://" + host + "/face", errFetch},
		{"https://" + host + "/away?to=https://127.0.0.1/face", errFetch},
		{"https://" + host + "/away?to=file:///etc/passwd", errFetch},
		{"http://" + host + "/face", errFetch},
		{"https://user@" + host + "/face", errFetch},
		{"https://other.example/face", errFetch},
		{"https://pictures.example:444/face", errFetch},
		{"https://pictures.example@other.example/", errFetch},
		{"https://", errFetch},
		{"https://%zz", errFetch},
	} {
		b, err := f.get(t.Context(), tc.address, 100)
		if !errors.Is(err, tc.err) || tc.err == nil && string(b) != "picture" {
			t.Errorf("%s: %q, %v", tc.address, b, err)
		}
	}
	if _, err := f.get(t.Context(), "https://"+host+"/face", 6); !errors.Is(err, livenessd.ErrTooLarge) {
		t.Errorf("a byte too many: %v", err)
	}
	f.timeout = 20 * time.Millisecond
	if _, err := f.get(t.Context(), "https://"+host+"/slow", 6); !errors.Is(err, errFetchTimeout) {
		t.Errorf("no answer: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.get(gone, "https://"+host+"/slow", 6); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller went away: %v", err)
	}
	f.timeout = patience
	f.client.Transport = strict
	if _, err := f.get(t.Context(), "https://"+host+"/face", 100); !errors.Is(err, errFetch) || !strings.Contains(err.Error(), "not a public address") {
		t.Errorf("a loopback address was dialled: %v", err)
	}

	none, err := newFetcher(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.get(t.Context(), "https://pictures.example/", 100); !errors.Is(err, errFetch) {
		t.Errorf("no host is listed, yet: %v", err)
	}
	for _, bad := range []string{"https://a.example", "a.example/x", "", "a b", "*.example", "a.example:99999x"} {
		if _, err := newFetcher([]string{bad}); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("host %q was taken", bad)
		}
	}
}

// Ensure that the scores sent lie on the right side of the boundary, however
// near, and never fall to the 0 that means "not computed".
func TestScaled(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	check := func(value, threshold, boundary float64) {
		s := &livenessd.Score{Value: value, Threshold: threshold}
		v := scaled(s, boundary)
		if (v >= boundary) != (value >= threshold) || !(v > 0 && v <= 1) {
			t.Errorf("%v against %v at %v: %v", value, threshold, boundary, v)
		}
	}
	for _, boundary := range []float64{0.3, 0.5} {
		for range 10000 {
			threshold := max(rng.Float64(), 1e-9)
			check(rng.Float64(), threshold, boundary)
			check(threshold, threshold, boundary)
			check(math.Nextafter(threshold, 0), threshold, boundary)
		}
		check(0, 0.5, boundary)
		check(1, 1, boundary)
		check(0.9999999999, 1, boundary)
		check(1, 1e-300, boundary)
	}
	if scaled(nil, 0.5) != 0 {
		t.Error("no score has a value")
	}
	if v := scaled(&livenessd.Score{Value: 1, Threshold: 0.6}, 0.5); v != 1 {
		t.Errorf("the best score is %v", v)
	}
}

// Ensure that a verdict is live only when everything in it says so.
func TestDecide(t *testing.T) {
	verdict := func(motion *livenessd.Score, names ...string) Verdict {
		v := Verdict{Motion: motion}
		for _, n := range names {
			s, ok := scene(n)
			if !ok {
				t.Fatalf("no scene %q", n)
			}
			v.Pictures = append(v.Pictures, s)
		}
		return v
	}
	head, flat := &livenessd.Score{Value: 0.8, Threshold: 0.5}, &livenessd.Score{Value: 0.2, Threshold: 0.5}
	mask := func(int) []livenessd.Reason { return []livenessd.Reason{livenessd.Mask} }
	for i, tc := range []struct {
		v    Verdict
		n    int
		r    rules
		want livenessd.Outcome
		why  string
	}{
		{verdict(nil, "live"), 1, rules{}, livenessd.Live, "[]"},
		{verdict(nil, "off-centre"), 1, rules{}, livenessd.Live, "[]"},
		{verdict(nil, "spoof"), 1, rules{}, livenessd.NotLive, "[texture_rejected]"},
		{verdict(nil, "none"), 1, rules{}, livenessd.Retry, "[no_face]"},
		{verdict(nil, "no-score"), 1, rules{}, livenessd.Retry, "[too_few_frames]"},
		{verdict(nil, "mask"), 1, rules{}, livenessd.Retry, "[mask]"},
		{verdict(nil, "mask"), 1, rules{tolerate: mask}, livenessd.Live, "[]"},
		{verdict(nil, "mask-dark"), 1, rules{tolerate: mask}, livenessd.Retry, "[too_dark]"},
		{verdict(head, "live", "live"), 2, rules{motion: true}, livenessd.Live, "[]"},
		{verdict(flat, "live", "live"), 2, rules{motion: true}, livenessd.NotLive, "[flat_motion]"},
		{verdict(nil, "live", "live"), 2, rules{motion: true}, livenessd.Retry, "[no_movement]"},
		{verdict(head, "live", "spoof"), 2, rules{motion: true}, livenessd.NotLive, "[texture_rejected]"},
		{verdict(head, "blurred", "spoof"), 2, rules{motion: true}, livenessd.NotLive, "[blurred texture_rejected]"},
		{verdict(nil, "spoof", "none"), 2, rules{motion: true}, livenessd.NotLive, "[texture_rejected no_face no_movement]"},
	} {
		j, err := decide(tc.v, tc.n, tc.r)
		if err != nil || j.outcome != tc.want || fmt.Sprint(j.reasons) != tc.why {
			t.Errorf("%d: %v %v %v", i, j.outcome, j.reasons, err)
		}
	}
	for i, v := range []Verdict{{}, verdict(nil, "live"), verdict(nil, "live", "live", "live"), verdict(&livenessd.Score{Value: math.NaN(), Threshold: 0.5}, "live", "live"), verdict(head, "live", "not-a-number")} {
		if j, err := decide(v, 2, rules{motion: true}); err == nil {
			t.Errorf("%d: %v", i, j.outcome)
		}
	}
}

// Ensure that only pages of listed origins may read what a dialect says.
func TestOrigins(t *testing.T) {
	srv, _ := dialectServer(t, Config{Origins: []string{"https://desk.example"}})
	for _, tc := range []struct {
		origin string
		shared bool
	}{{"https://desk.example", true}, {"https://evil.example", false}, {"null", false}, {"", false}} {
		h := map[string]string{"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "app-id"}
		if tc.origin != "" {
			h["Origin"] = tc.origin
		}
		a := ask(t, srv, call{method: "OPTIONS", target: "/v1/face/liveness", header: h})
		got := a.header.Get("Access-Control-Allow-Origin")
		if a.status != http.StatusNoContent || tc.shared != (got == tc.origin && got != "") || !tc.shared && got != "" {
			t.Errorf("preflight from %q: %d %v", tc.origin, a.status, a.header)
		}
		delete(h, "Access-Control-Request-Method")
		a = ask(t, srv, call{method: "POST", target: "/v1/face/liveness", header: h})
		got = a.header.Get("Access-Control-Allow-Origin")
		if a.status != http.StatusUnauthorized || tc.shared != (got == tc.origin && got != "") || !tc.shared && got != "" {
			t.Errorf("request from %q: %d %v", tc.origin, a.status, a.header)
		}
	}
	a := ask(t, srv, call{method: "OPTIONS", target: "/v1/face/liveness", header: verihubsHeader, body: `{}`})
	if a.status != http.StatusNoContent || a.header.Get("Allow") != "POST" || len(a.body) > 0 {
		t.Errorf("OPTIONS by no page: %d %v %s", a.status, a.header, a.body)
	}
	for _, bad := range []string{"*", "desk.example", "https://desk.example/", "https://", "null"} {
		if _, err := New(Config{Origins: []string{bad}}, workingDeps()); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("origin %q was taken", bad)
		}
	}
}

// Ensure that what a caller is told is in the book, and that it is told
// nothing when the book cannot be written.
func TestBook(t *testing.T) {
	srv, jobs := dialectServer(t, Config{})
	c := verihubsShow("", "spoof", "")
	ask(t, srv, c)
	j, _ := jobs.last()
	want := livenessd.Job{
		ID: jobID, At: noon, Dialect: livenessd.DialectVerihubs, Credential: "cred-75", Client: "test", Status: 200,
		Outcome: livenessd.NotLive, Reasons: []livenessd.Reason{livenessd.TextureRejected}, Texture: &livenessd.Score{Value: 0.15, Threshold: 0.6, Model: "m1"}, Pictures: 1,
	}
	if got, want := fmt.Sprintf("%+v %+v", j, *j.Texture), fmt.Sprintf("%+v %+v", want, *want.Texture); stripPointers(got) != stripPointers(want) {
		t.Errorf("booked\n%s, want\n%s", got, want)
	}
	jobs.err = errors.New("secret disk full")
	if a := ask(t, srv, verihubsShow("", "live", "")); a.status != http.StatusInternalServerError || bytes.Contains(a.body, []byte("probability")) || bytes.Contains(a.body, []byte("secret")) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Ensure that a call costs its quota exactly when it was judged or held no
// picture: not when there was no room for it, nor for a fault of ours.
func TestRefund(t *testing.T) {
	d := workingDeps()
	purse := &purse{}
	d.Access, d.Jobs, d.Judge = purse, &fakeJobs{}, fakeJudge{}
	h, err := New(Config{Log: new(logged).logger()}, d)
	if err != nil {
		t.Fatal(err)
	}
	srv := serveHandler(t, t.Context(), h)
	for picture, cost := range map[string]int{"live": 1, "spoof": 1, "none": 1, "broken": 1, "busy": 0, "not-ready": 0, "fault": 0} {
		purse.spent = 0
		ask(t, srv, verihubsShow("", picture, ""))
		if purse.spent != cost {
			t.Errorf("%s cost %d", picture, purse.spent)
		}
	}
	purse.spent = 0
	ask(t, srv, verihubsCall("", `{"image":""}`))
	if purse.spent != 0 {
		t.Error("a request that is not well formed cost something")
	}
}

// purse counts what calls cost. It is used by one call after another.
type purse struct {
	fakeAccess
	spent int
}

func (p *purse) Spend(string) error { p.spent++; return nil }
func (p *purse) Refund(string)      { p.spent-- }

// stripPointers leaves the addresses out of printed structs.
func stripPointers(s string) string {
	parts := strings.Split(s, "0x")
	for i := range parts[1:] {
		parts[i+1] = strings.TrimLeft(parts[i+1], "0123456789abcdef")
	}
	return strings.Join(parts, "")
}

// Ensure that a caller that goes away ends its analysis and is booked so.
func TestClientGone(t *testing.T) {
	d := workingDeps()
	jobs, judge := &fakeJobs{}, &arrivals{entered: make(chan struct{})}
	d.Access, d.Jobs, d.Judge = fakeAccess{}, jobs, judge
	h, err := New(Config{Log: new(logged).logger()}, d)
	if err != nil {
		t.Fatal(err)
	}
	srv := serveHandler(t, t.Context(), h)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, "POST", srv.URL+"/v1/face/liveness", strings.NewReader(`{"image":"`+b64(jpegOf("leaves"))+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("App-ID", "u")
	q.Header.Set("API-Key", "s")
	go func() {
		<-judge.entered
		cancel()
	}()
	if r, err := srv.Client().Do(q); err == nil {
		r.Body.Close()
		t.Fatal("an answer came")
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if j, n := jobs.last(); n == 1 {
			if j.Status != clientGone || j.Outcome != "" {
				t.Errorf("booked %+v", j)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("nothing was booked")
		}
	}
}

// arrivals tells when its first call has come.
type arrivals struct {
	fakeJudge
	entered chan struct{}
}

func (a *arrivals) Judge(ctx context.Context, q Inquiry) (Verdict, error) {
	close(a.entered)
	return a.fakeJudge.Judge(ctx, q)
}
