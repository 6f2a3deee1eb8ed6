package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"livenessd"
)

func dataURL(picture string) string { return "data:image/png;base64," + b64(jpegOf(picture)) }

func bioidCall(name, contentType, body string) call {
	h := map[string]string{"Authorization": basicHeader("u"), "Content-Type": contentType}
	if contentType == "" {
		delete(h, "Content-Type")
	}
	return call{name, "POST", "/extension/passivelivedetection?state=kiosk-7", h, body}
}

func bioidShow(name, picture string) call { return bioidCall(name, "text/plain", dataURL(picture)) }

// bioidPair asks about two pictures.
func bioidPair(name, target, first, second string) call {
	return at(bioidCall(name, "application/json;charset=utf-8", `{"liveimage1":"`+dataURL(first)+`","liveimage2":"`+dataURL(second)+`"}`), target)
}

const details = "/livedetection?state=details"

var bioidCases = []dialectCase{
	{bioidShow("live", "live"), 200, "", livenessd.Live},
	{at(bioidShow("no-state", "live"), "/passivelivedetection"), 200, "", livenessd.Live},
	{at(bioidShow("state-strange", "live"), "/passivelivedetection?state=%00%C3%BC%3C&other=1&state=second"), 200, "", livenessd.Live},
	{bioidShow("spoof", "spoof"), 200, "LiveDetectionFailed", livenessd.NotLive},
	{bioidShow("cropped", "cropped"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("too-near", "too-near"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("too-small", "too-far"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("turned", "turned"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("blurred", "blurred"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("dark", "dark"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("under-exposed", "under-exposed"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("bright", "bright"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("over-exposed", "over-exposed"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("low-contrast", "low-contrast"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("sunglasses", "sunglasses"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("mask", "mask"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("no-score", "no-score"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidShow("no-face", "none"), 400, "NoFaceFound", livenessd.Retry},
	{bioidShow("several-faces", "several"), 400, "MultipleFacesFound", livenessd.Retry},

	{bioidPair("two-live", details, "live", "turn-left"), 200, "", livenessd.Live},
	{bioidPair("two-live-extension", "/extension"+details, "live", "turn-left"), 200, "", livenessd.Live},
	{bioidPair("two-live-bare", "/livedetection", "live", "turn-left"), 200, "", livenessd.Live},
	{bioidPair("two-turned", details, "live", "turned"), 200, "", livenessd.Live},
	{bioidPair("two-flat", details, "live", "flat"), 200, "LiveDetectionFailed", livenessd.NotLive},
	{bioidPair("two-flat-bare", "/extension/livedetection", "live", "flat"), 200, "LiveDetectionFailed", livenessd.NotLive},
	{bioidPair("two-still", details, "live", "still"), 200, "LiveDetectionFailed", livenessd.Retry},
	{bioidPair("two-spoof", details, "spoof", "spoof"), 200, "LiveDetectionFailed", livenessd.NotLive},
	{bioidPair("two-no-face", details, "live", "none"), 400, "NoFaceFound", livenessd.Retry},
	{bioidPair("two-busy", details, "live", "busy"), 503, "ServiceUnavailable", ""},
	{bioidPair("two-fault", details, "live", "fault"), 500, "InternalServerError", ""},
	{at(bioidCall("two-one-missing", "application/json", `{"liveimage1":"`+dataURL("live")+`"}`), details), 400, "MissingData", ""},
	{at(bioidCall("two-one-text", "text/plain", dataURL("live")), details), 415, "UnsupportedMediaType", ""},

	{bioidCall("missing", "text/plain", ""), 400, "MissingData", ""},
	{bioidCall("missing-data-url", "text/plain", "data:,"), 400, "MissingData", ""},
	{bioidCall("missing-json", "application/json", `{"picture":"x"}`), 400, "MissingData", ""},
	{bioidCall("missing-part", "multipart/form-data; boundary=xyz", "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--xyz--\r\n"), 400, "MissingData", ""},
	{bioidCall("invalid-text", "text/plain", "hello world"), 400, "InvalidSampleData", ""},
	{bioidCall("invalid-url", "text/plain", "https://pictures.example/face.jpg"), 400, "InvalidSampleData", ""},
	{bioidCall("invalid-json", "application/json", `{"image":`), 400, "InvalidSampleData", ""},
	{bioidShow("invalid-picture", "broken"), 400, "InvalidSampleData", ""},
	{bioidShow("invalid-pixels", "many-pixels"), 400, "InvalidSampleData", ""},
	{bioidShow("body-large", strings.Repeat("x", bioidBody*3/4)), 413, "RequestTooLarge", ""},
	{bioidCall("media-type-missing", "", `{"image":"x"}`), 415, "UnsupportedMediaType", ""},
	{bioidCall("media-type-unknown", "application/pdf", "%PDF"), 415, "UnsupportedMediaType", ""},

	{with(bioidShow("credential-wrong", "live"), "Authorization", basicHeader("nobody")), 401, "", ""},
	{with(bioidShow("credential-none", "live"), "Authorization", ""), 401, "", ""},
	{with(bioidShow("limit-dialect", "live"), "Authorization", basicHeader("stranger")), 403, "", ""},
	{with(bioidShow("limit-rate", "live"), "Authorization", basicHeader("hasty")), 429, "", ""},
	{with(bioidShow("quota", "live"), "Authorization", basicHeader("poor")), 429, "QuotaExceeded", ""},
	{bioidShow("busy", "busy"), 503, "ServiceUnavailable", ""},
	{bioidShow("not-ready", "not-ready"), 503, "ServiceUnavailable", ""},
	{bioidShow("fault", "fault"), 500, "InternalServerError", ""},
	{bioidShow("panic", "panic"), 500, "InternalServerError", ""},
}

func TestBioID(t *testing.T) { speakAll(t, "bioid", Config{}, bioidCases) }

// Ensure that each form of the body that a real client of the classic API
// sends is understood.
func TestBioIDWire(t *testing.T) {
	srv, jobs := dialectServer(t, Config{})
	live := "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString([]byte(jpegOf("live")))
	plus := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xfflive")) // has a '/', and below a '+'
	send := func(target, head, body string, chunked bool) answer {
		request := "POST " + target + " HTTP/1.1\r\nHost: bws.door.lan\r\nAuthorization: " + basicHeader("u") + "\r\n" + head
		if chunked {
			request += "Transfer-Encoding: chunked\r\n\r\n" + hexOf(len(body)) + "\r\n" + body + "\r\n0\r\n\r\n"
		} else {
			request += "Content-Length: " + itoa(len(body)) + "\r\n\r\n" + body
		}
		return wire(t, srv, request)
	}
	for _, tc := range []struct {
		name, head, body string
		chunked          bool
	}{
		{"quality-check client", "Content-Type: text/plain\r\n", live, false},
		{"Android", "Content-Type: text/plain; charset=utf-8\r\n", live + "\n", true},
		{"jQuery", "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nX-Requested-With: XMLHttpRequest\r\n", plus, false},
		{"iOS", "Content-Type: application/x-www-form-urlencoded\r\n", live, false},
		{"no Content-Type", "", live, false},
		{"python requests", "Content-Type: multipart/form-data; boundary=0a1b\r\n",
			"--0a1b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"image\"\r\n\r\n" + live + "\r\n--0a1b--\r\n", false},
		{"multipart with the file", "Content-Type: multipart/form-data; boundary=0a1b\r\n",
			"--0a1b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n" + jpegOf("live") + "\r\n--0a1b--\r\n", false},
		{"JSON string", "Content-Type: application/json\r\n", `"` + live + `"`, true},
		{"JSON object", "Content-Type: application/json; charset=utf-8\r\n", `{"liveimage":"` + live + `"}`, true},
		{"JSON object of the other call", "Content-Type: application/json\r\n", `{"liveimage1":"` + live + `"}`, false},
		{"form", "Content-Type: application/x-www-form-urlencoded\r\n", "image=" + url.QueryEscape(live), false},
		{"the picture itself", "Content-Type: image/jpeg\r\n", jpegOf("live"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := send("/passivelivedetection?state=s", tc.head, tc.body, tc.chunked)
			var r bioidResult
			if err := json.Unmarshal(a.body, &r); err != nil || a.status != http.StatusOK || !r.Success || r.State != "s" {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	pair := func(first, second string) string {
		return `{"liveimage1":"` + dataURL(first) + `","liveimage2":"` + dataURL(second) + `"}`
	}
	for name, tc := range map[string]struct{ target, head, body, want string }{
		"Go client":      {"/extension/livedetection", "Content-Type: application/json;charset=utf-8\r\n", pair("live", "turn-up"), "true\n"},
		"Go, spoof":      {"/extension/livedetection", "Content-Type: application/json;charset=utf-8\r\n", pair("live", "spoof"), "false\n"},
		"C# JsonContent": {"/livedetection?state=details", "Content-Type: application/json; charset=utf-8\r\n", pair("live", "turn-up"), `{"Success":true,`},
		"form": {"/livedetection?state=true", "Content-Type: application/x-www-form-urlencoded\r\n",
			"liveimage1=" + url.QueryEscape(dataURL("live")) + "&liveimage2=" + url.QueryEscape(dataURL("turn-up")), `{"Success":true,`},
	} {
		t.Run(name, func(t *testing.T) {
			if a := send(tc.target, tc.head, tc.body, strings.HasPrefix(name, "C#")); a.status != http.StatusOK || !strings.HasPrefix(string(a.body), tc.want) {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	t.Run("ISO-8859-1 credentials", func(t *testing.T) {
		head := "POST /passivelivedetection HTTP/1.1\r\nHost: x\r\nAuthorization: " + basicHeader("\xfc") + "\r\nContent-Type: text/plain\r\nContent-Length: " + itoa(len(live)) + "\r\n\r\n"
		if a := wire(t, srv, head+live); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
		if j, _ := jobs.last(); j.Credential != "cred-fc" {
			t.Errorf("booked for %q", j.Credential)
		}
	})
	t.Run("leave to send", func(t *testing.T) { // curl asks for it before a long body
		head := "POST /passivelivedetection HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n"
		if a := wire(t, srv, head); a.status != http.StatusUnauthorized {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// FuzzBioID: whatever comes as a body, under whatever type, is pictures or a
// refusal that the dialect has words for.
func FuzzBioID(f *testing.F) {
	for _, c := range bioidCases {
		if len(c.body) < 1000 {
			f.Add(c.header["Content-Type"], []byte(c.body), strings.Contains(c.target, bioidTwo))
		}
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte, two bool) {
		n := 1
		if two {
			n = 2
		}
		texts, err := bioidImages(contentType, body, n)
		if err == nil && len(texts) != n {
			t.Fatalf("%d texts", len(texts))
		}
		for _, text := range texts {
			if len(text) > 3*len(body) {
				t.Fatal("a text is longer than the body")
			}
		}
		if err != nil && !errors.Is(err, errMediaType) && !errors.Is(err, errNotForm) && troubleOf(err) != troubleNoImage && troubleOf(err) != troubleRequest {
			t.Fatal(err)
		}
	})
}
