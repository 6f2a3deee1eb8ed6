package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"livenessd"
)

func bws3Call(name, body string) call {
	return call{name, "POST", "/api/v1/livenessdetection", map[string]string{
		"Authorization": "Bearer u", "Content-Type": "application/json", "Reference-Number": "bws-cli-restful-638",
	}, body}
}

func bws3Live(picture, tags string) string {
	return `{"image":"` + b64(jpegOf(picture)) + `","tags":[` + tags + `]}`
}

func bws3One(name, picture string) call {
	return bws3Call(name, `{"liveImages":[`+bws3Live(picture, "")+`]}`)
}

// bws3Two asks about two pictures, the second with tags.
func bws3Two(name, first, second, tags string) call {
	return bws3Call(name, `{"liveImages":[`+bws3Live(first, "")+`,`+bws3Live(second, tags)+`]}`)
}

var bws3Cases = []dialectCase{
	{bws3One("one-live", "live"), 200, "", livenessd.Live},
	{bws3One("one-spoof", "spoof"), 200, "RejectedByPassiveLiveDetection", livenessd.NotLive},
	{bws3One("one-no-face", "none"), 200, "FaceNotFound", livenessd.Retry},
	{bws3One("one-several", "several"), 200, "MultipleFacesFound", livenessd.Retry},
	{bws3One("one-passer-by", "passer-by"), 200, "", livenessd.Live},
	{bws3One("one-cropped", "cropped"), 200, "ThumbnailExtractionFailed", livenessd.Retry},
	{bws3One("one-too-near", "too-near"), 200, "ThumbnailExtractionFailed", livenessd.Retry},
	{bws3One("one-too-small", "too-far"), 200, "FaceNotFound", livenessd.Retry},
	{bws3One("one-profile", "turned"), 200, "FaceNotFound", livenessd.Retry},
	{bws3One("one-dark-mask", "mask-dark"), 200, "FaceNotFound", livenessd.Retry},
	{bws3One("one-no-score", "no-score"), 200, "FaceNotFound", livenessd.Retry},
	{bws3One("one-rotated", "on-its-side"), 200, "", livenessd.Live},
	{bws3Call("one-tagged", `{"liveImages":[`+bws3Live("live", `"left"`)+`]}`), 200, "", livenessd.Live},

	{bws3Two("two-live", "live", "turn-left", ""), 200, "", livenessd.Live},
	{bws3Two("two-turned-far", "live", "turned", ""), 200, "", livenessd.Live},
	{bws3Two("two-flat", "live", "flat", ""), 200, "RejectedByActiveLiveDetection", livenessd.NotLive},
	{bws3Two("two-still", "live", "still", ""), 200, "RejectedByActiveLiveDetection", livenessd.Retry},
	{bws3Two("two-spoofs", "spoof", "spoof", ""), 200, "RejectedByPassiveLiveDetection", livenessd.NotLive},
	{bws3Two("two-first-without-face", "none", "turn-left", `"left"`), 200, "FaceNotFound", livenessd.Retry},
	{bws3Two("two-second-cropped", "live", "cropped", ""), 200, "ThumbnailExtractionFailed", livenessd.Retry},
	{bws3Two("two-first-turned", "turned", "live", ""), 200, "FaceNotFound", livenessd.Retry},

	{bws3Two("challenge-left", "live", "turn-left", `"left"`), 200, "", livenessd.Live},
	{bws3Two("challenge-right", "live", "turn-right", `"RIGHT"`), 200, "", livenessd.Live},
	{bws3Two("challenge-up", "live", "turn-up", `"up"`), 200, "", livenessd.Live},
	{bws3Two("challenge-down", "live", "turn-down", `" down "`), 200, "", livenessd.Live},
	{bws3Two("challenge-any-of", "live", "turn-left", `"right","left"`), 200, "", livenessd.Live},
	{bws3Two("challenge-wrong", "live", "turn-left", `"right"`), 200, "RejectedByChallengeResponse", livenessd.NotLive},
	{bws3Two("challenge-still", "live", "still", `"up"`), 200, "RejectedByActiveLiveDetection", livenessd.Retry},
	{bws3Two("challenge-wrong-and-flat", "live", "flat", `"right"`), 200, "RejectedByActiveLiveDetection", livenessd.NotLive},
	{bws3Two("challenge-unknown-tags", "live", "turn-left", `"","neutral"`), 200, "", livenessd.Live},

	{bws3Call("reference-none", `{"live_images":[{"image":"`+strings.TrimRight(b64(jpegOf("live")), "=")+`"}],"other":{"a":[]}}`), 200, "", livenessd.Live},
	{with(bws3One("reference-long", "live"), "Reference-Number", strings.Repeat("r", 300)), 200, "", livenessd.Live},
	{with(bws3One("content-type-charset", "live"), "Content-Type", "application/vnd.x+json; charset=utf-8"), 200, "", livenessd.Live},

	{with(bws3One("content-type-other", "live"), "Content-Type", "text/plain"), 400, "Unable to read the request as JSON because the request content type 'text/plain' is not a known JSON content type.", ""},
	{with(bws3One("content-type-none", "live"), "Content-Type", ""), 400, "Unable to read the request as JSON because the request content type '' is not a known JSON content type.", ""},
	{bws3Call("malformed", `{"liveImages":[`), 400, "Request JSON payload is not correctly formatted.", ""},
	{bws3Call("malformed-images", `{"liveImages":{}}`), 400, "Request JSON payload is not correctly formatted.", ""},
	{bws3Call("malformed-image", `{"liveImages":["x"]}`), 400, "Request JSON payload is not correctly formatted.", ""},
	{bws3Call("malformed-tags", `{"liveImages":[{"image":"AA==","tags":"up"}]}`), 400, "Request JSON payload is not correctly formatted.", ""},
	{bws3Call("malformed-tag", `{"liveImages":[{"image":"AA==","tags":[1]}]}`), 400, "Request JSON payload is not correctly formatted.", ""},
	{bws3Call("empty", ``), 400, "Request JSON payload is not correctly formatted.", ""},
	{bws3Call("no-images", `{}`), 400, "One or two live images are required, 0 were sent.", ""},
	{bws3Call("three-images", `{"liveImages":[`+bws3Live("live", "")+`,`+bws3Live("live", "")+`,`+bws3Live("live", "")+`]}`), 400, "One or two live images are required, 3 were sent.", ""},
	{bws3Call("image-missing", `{"liveImages":[{"tags":[]}]}`), 400, "Live image 1 is empty.", ""},
	{bws3Call("image-empty", `{"liveImages":[`+bws3Live("live", "")+`,{"image":""}]}`), 400, "Live image 2 is empty.", ""},
	{bws3Call("image-not-base64", `{"liveImages":[{"image":"*"}]}`), 400, "Live image 1 is not valid base64.", ""},
	{bws3Call("image-data-url", `{"liveImages":[{"image":"`+dataURL("live")+`"}]}`), 400, "Live image 1 is not valid base64.", ""},
	{bws3Two("image-broken", "live", "broken", ""), 400, "Live image 2 could not be decoded.", ""},
	{bws3One("image-pixels", "many-pixels"), 400, "Live image 1 is too large.", ""},
	{bws3One("image-large", strings.Repeat("x", bws3Image)), 400, "Live image 1 has more than 16777216 bytes.", ""},
	{bws3One("request-large", strings.Repeat("x", bws3Body*3/4)), 400, "The request is too large.", ""},

	{with(bws3One("credential-none", "live"), "Authorization", ""), 401, "", ""},
	{with(bws3One("credential-wrong", "live"), "Authorization", "Bearer nobody"), 401, "", ""},
	{with(bws3One("limit-dialect", "live"), "Authorization", "Bearer stranger"), 403, "", ""},
	{with(bws3One("limit-rate", "live"), "Authorization", "Bearer hasty"), 429, "", ""},
	{with(bws3One("quota", "live"), "Authorization", "Bearer poor"), 429, "The quota is used up.", ""},
	{bws3One("busy", "busy"), 503, "Too many requests are waiting.", ""},
	{bws3One("not-ready", "not-ready"), 503, "The service is currently unavailable.", ""},
	{bws3One("fault", "fault"), 500, "The server experienced some unexpected behaviour.", ""},
	{bws3One("panic", "panic"), 500, "The server experienced some unexpected behaviour.", ""},
}

func TestBWS3(t *testing.T) { speakAll(t, "bws3", Config{}, bws3Cases) }

// Ensure that each answer is live with no errors or not live with one at
// least, and that 0 means what the vendor says it means.
func TestBWS3Answers(t *testing.T) {
	srv, _ := dialectServer(t, Config{})
	for _, tc := range bws3Cases {
		if tc.status != http.StatusOK {
			continue
		}
		var a bws3Answer
		if err := json.Unmarshal(ask(t, srv, tc.call).body, &a); err != nil {
			t.Fatal(err)
		}
		if a.Live != (len(a.Errors) == 0) || a.Live && a.Score < bws3Boundary || a.Live != (tc.outcome == livenessd.Live) {
			t.Errorf("%s: %+v", tc.name, a)
		}
		var scores []float64
		for _, p := range a.Properties {
			for _, f := range p.Faces {
				if f.RightEye.X >= f.LeftEye.X {
					t.Errorf("%s: the right eye is not to the left", tc.name)
				}
				for _, v := range []float64{f.Texture, f.Motion} {
					if v > 0 {
						scores = append(scores, v)
					}
				}
			}
		}
		if got, want := fmt.Sprintf("%.4f", a.Score), fmt.Sprintf("%.4f", mean(scores)); got != want {
			t.Errorf("%s: the score is %s, the mean of its parts %s", tc.name, got, want)
		}
	}
}

// Ensure that what the vendor's own clients put on the wire is understood.
func TestBWS3Wire(t *testing.T) {
	srv, _ := dialectServer(t, Config{})
	live, up := b64(jpegOf("live")), b64(jpegOf("turn-up"))
	web := strings.TrimRight(base64.URLEncoding.EncodeToString([]byte(jpegOf("live"))), "=")
	for _, tc := range []struct {
		name, head, body string
		chunked          bool
	}{
		{"C# JsonContent", "Content-Type: application/json; charset=utf-8\r\nReference-Number: bws-cli-restful-638\r\n", `{"liveImages":[{"image":"` + live + `","tags":[]},{"image":"` + up + `","tags":["up"]}]}`, true},
		{"python", "Content-Type: application/json\r\nAccept-Encoding: gzip, deflate\r\n", `{"liveImages": [{"image": "` + live + `", "tags": []}, {"image": "` + up + `", "tags": []}]}`, false},
		{"PowerShell", "Content-Type: application/json\r\n", "{\r\n  \"liveImages\": [\r\n    {\r\n      \"image\": \"" + live + "\",\r\n      \"tags\": [\r\n        \"\"\r\n      ]\r\n    }\r\n  ]\r\n}", false},
		{"Keycloak", "Content-Type: application/json; charset=UTF-8\r\n", `{"liveImages":[{"image":"` + live + `","tags":["neutral"]},{"image":"` + up + `","tags":["up"]}]}`, true},
		{"URL-safe base64", "Content-Type: application/json\r\n", `{"live_images":[{"image":"` + web + `"}]}`, false},
		{"escaped slashes", "Content-Type: application/json\r\n", `{"liveImages":[{"image":"` + strings.ReplaceAll(live, "/", `\u002f`) + `","tags":null}]}`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			request := "POST /api/v1/livenessdetection HTTP/1.1\r\nHost: door.lan\r\nauthorization: bearer u\r\n" + tc.head
			if tc.chunked {
				half := len(tc.body) / 2
				request += "Transfer-Encoding: chunked\r\n\r\n" + hexOf(half) + "\r\n" + tc.body[:half] + "\r\n" + hexOf(len(tc.body)-half) + "\r\n" + tc.body[half:] + "\r\n0\r\n\r\n"
			} else {
				request += "Content-Length: " + itoa(len(tc.body)) + "\r\n\r\n" + tc.body
			}
			a := wire(t, srv, request)
			var got bws3Answer
			if err := json.Unmarshal(a.body, &got); err != nil || a.status != http.StatusOK || !got.Live || got.Status != "SUCCEEDED" {
				t.Errorf("%d %s", a.status, a.body)
			}
			if a.header.Get("jobid") != jobID || a.header.Get("bws-version") == "" || a.header.Get("Date") == "" ||
				strings.Contains(tc.head, "Reference-Number") != (a.header.Get("reference-number") == "bws-cli-restful-638") {
				t.Errorf("headers %v", a.header)
			}
		})
	}
}

// Ensure that the vendor's health checks, which show no credentials, are
// answered, and that our own readiness stays for those who may read it.
func TestBWS3Health(t *testing.T) {
	d := workingDeps()
	var reasons []Reason
	d.Ready = func() []Reason { return reasons }
	d.Access, d.Jobs, d.Judge = fakeAccess{}, &fakeJobs{}, fakeJudge{}
	h, err := New(Config{Log: new(logged).logger()}, d)
	if err != nil {
		t.Fatal(err)
	}
	srv := serveHandler(t, t.Context(), h)
	for _, tc := range []struct {
		target, host string
		reasons      []Reason
		status       int
		body         string
	}{
		{"/livez", "door.lan", []Reason{{"camera_lost", "gone"}}, 200, "Healthy"},
		{"/readyz", "door.lan", nil, 200, "Healthy"},
		{"/readyz", "door.lan", []Reason{{"camera_lost", "gone"}}, 503, "Unhealthy"},
		{"/readyz", "localhost", nil, 200, `{"ready":true,"reasons":[],"warnings":[]}` + "\n"},
		{"/readyz", "localhost", []Reason{{"camera_lost", "gone"}}, 503, `{"ready":false,"reasons":[{"code":"camera_lost","detail":"gone"}],"warnings":[]}` + "\n"},
	} {
		reasons = tc.reasons
		q, err := http.NewRequest("GET", srv.URL+tc.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Host = tc.host
		r, err := srv.Client().Do(q)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 200)
		n, _ := r.Body.Read(b)
		r.Body.Close()
		if r.StatusCode != tc.status || string(b[:n]) != tc.body {
			t.Errorf("%s at %s: %d %q", tc.target, tc.host, r.StatusCode, b[:n])
		}
	}
	// What else the services have is not here, and is said to be not here.
	for _, target := range []string{"/api/v1/videolivenessdetection", "/api/v1/photoverify", "/face/v1/match", "/face/v1/active-liveness", "/extension/qualitycheck"} {
		if a := ask(t, srv, call{method: "POST", target: target, body: "{}"}); a.status != http.StatusNotFound || !json.Valid(a.body) {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	for _, p := range append(DialectPaths(), "/v1/sessions") {
		if a := ask(t, srv, call{method: "GET", target: p}); strings.HasSuffix(p, "/") && a.status != http.StatusNotFound ||
			!strings.HasSuffix(p, "/") && p != "/livez" && p != "/v1/sessions" && (a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST") ||
			p == "/v1/sessions" && a.status != http.StatusForbidden {
			t.Errorf("GET %s: %d %v", p, a.status, a.header)
		}
	}
}

func TestBWS3Followed(t *testing.T) {
	for _, tc := range []struct {
		heading float64
		want    string
	}{
		{360, "right"}, {0.1, "right"}, {44, "right"}, {46, "up"}, {90, "up"}, {134, "up"}, {136, "left"}, {180, "left"}, {224, "left"},
		{226, "down"}, {270, "down"}, {314, "down"}, {316, "right"}, {0, ""},
	} {
		for tag := range bws3Directions {
			if bws3Followed(tc.heading, []string{tag}) != (tag == tc.want) {
				t.Errorf("%v° for %s", tc.heading, tag)
			}
		}
	}
}

// FuzzBWS3: what is accepted is one or two pictures and known tags.
func FuzzBWS3(f *testing.F) {
	for _, c := range bws3Cases {
		if len(c.body) < 1000 {
			f.Add(c.header["Content-Type"], []byte(c.body))
		}
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		q, err := decodeBWS3(contentType, body)
		if err != nil {
			if e := (*bws3Invalid)(nil); !errors.As(err, &e) || troubleOf(err) != troubleRequest || e.message == "" {
				t.Fatal(err)
			}
			return
		}
		if !json.Valid(body) || len(q.images) < 1 || len(q.images) > 2 || len(q.tags) > 4 {
			t.Fatalf("accepted %+v", q)
		}
		for _, image := range q.images {
			if len(image) == 0 || len(image) > len(body) {
				t.Fatalf("an image of %d bytes", len(image))
			}
		}
		for _, tag := range q.tags {
			if !slices.Contains([]string{"up", "down", "left", "right"}, tag) {
				t.Fatalf("tag %q", tag)
			}
		}
	})
}
