package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"livenessd"
)

const trustmaticSession = "bbbf9002-c3a2-4308-b103-d80b9f5a2b84"

func trustmaticCall(name, body string) call {
	return call{name, "POST", "/api/v1/face/liveness", map[string]string{"Authorization": basicHeader("u"), "Content-Type": "application/json"}, body}
}

func trustmaticShow(name, picture string) call {
	return trustmaticCall(name, `{"sessionId":"`+trustmaticSession+`","faceImageBase":"data:image/png;base64,`+b64(jpegOf(picture))+`"}`)
}

func at(c call, target string) call { c.target = target; return c }

var trustmaticCases = []dialectCase{
	{trustmaticShow("passed", "live"), 200, "", livenessd.Live},
	{trustmaticShow("not-passed", "spoof"), 200, "", livenessd.NotLive},
	{trustmaticShow("not-passed-just", "nearly"), 200, "", livenessd.NotLive},
	{trustmaticShow("passed-just", "border-line"), 200, "", livenessd.Live},
	{trustmaticShow("mask-allowed", "mask"), 200, "", livenessd.Live},
	{trustmaticShow("passer-by", "passer-by"), 200, "", livenessd.Live},
	{trustmaticShow("off-centre", "off-centre"), 200, "", livenessd.Live},
	{at(trustmaticShow("basic-path", "live"), "/api/v1/basic/face/liveness"), 200, "", livenessd.Live},
	{trustmaticCall("bare-base64", `{"faceImageBase":"`+b64(pngOf("live"))+`","sessionId":"s"}`), 200, "", livenessd.Live},
	{trustmaticCall("no-session", `{"faceImageBase":"`+b64(jpegOf("live"))+`"}`), 200, "", livenessd.Live},
	{trustmaticCall("long-session", `{"faceImageBase":"`+b64(jpegOf("live"))+`","sessionId":"`+strings.Repeat("s", 200)+`\n"}`), 200, "", livenessd.Live},

	{trustmaticShow("face-too-close", "too-near"), 200, "FACE_TOO_CLOSE", livenessd.Retry},
	{trustmaticShow("face-close-to-border", "near-border"), 200, "FACE_CLOSE_TO_BORDER", livenessd.Retry},
	{trustmaticShow("face-cropped", "cropped"), 200, "FACE_CROPPED", livenessd.Retry},
	{trustmaticShow("face-cut-off", "cut-off"), 200, "FACE_CROPPED", livenessd.Retry},
	{trustmaticShow("face-is-occluded-sunglasses", "sunglasses"), 200, "FACE_IS_OCCLUDED", livenessd.Retry},
	{trustmaticShow("face-is-occluded", "occluded"), 200, "FACE_IS_OCCLUDED", livenessd.Retry},
	{trustmaticShow("face-is-occluded-refused", "occluded-refused"), 200, "FACE_IS_OCCLUDED", livenessd.Retry},
	{trustmaticShow("face-not-found", "none"), 200, "FACE_NOT_FOUND", livenessd.Retry},
	{trustmaticShow("too-many-faces", "several"), 200, "TOO_MANY_FACES", livenessd.Retry},
	{trustmaticShow("face-too-small", "too-far"), 200, "FACE_TOO_SMALL", livenessd.Retry},
	{trustmaticShow("face-angle-too-large", "turned"), 200, "FACE_ANGLE_TOO_LARGE", livenessd.Retry},
	{trustmaticShow("too-blurry", "blurred"), 200, "IMAGE_TOO_BLURRY", livenessd.Retry},
	{trustmaticShow("too-dark", "dark"), 200, "IMAGE_TOO_DARK", livenessd.Retry},
	{trustmaticShow("too-dark-with-mask", "mask-dark"), 200, "IMAGE_TOO_DARK", livenessd.Retry},
	{trustmaticShow("too-bright", "bright"), 200, "IMAGE_TOO_BRIGHT", livenessd.Retry},
	{trustmaticShow("contrast-too-low", "low-contrast"), 200, "IMAGE_CONTRAST_TOO_LOW", livenessd.Retry},
	{trustmaticShow("not-scored", "no-score"), 200, "FACE_NOT_SCORED", livenessd.Retry},

	{trustmaticShow("image-broken", "broken"), 200, "INVALID_IMAGE", ""},
	{trustmaticCall("image-not-base64", `{"sessionId":"s","faceImageBase":"*"}`), 200, "INVALID_IMAGE", ""},
	{trustmaticCall("image-empty-data-url", `{"sessionId":"s","faceImageBase":"data:,"}`), 200, "INVALID_IMAGE", ""},
	{trustmaticCall("image-url-not-allowed", `{"sessionId":"s","faceImageBase":"http://127.0.0.1/face.jpg"}`), 200, "INVALID_IMAGE", ""},
	{trustmaticShow("image-pixels", "many-pixels"), 413, "IMAGE_TOO_LARGE", ""},
	{trustmaticShow("image-large", strings.Repeat("x", trustmaticImage)), 413, "IMAGE_TOO_LARGE", ""},
	{trustmaticShow("body-large", strings.Repeat("x", trustmaticBody*3/4)), 413, "IMAGE_TOO_LARGE", ""},
	{trustmaticCall("image-missing", `{"sessionId":"s"}`), 400, "MISSING_FACE_IMAGE", ""},
	{trustmaticCall("image-empty", `{"sessionId":"s","faceImageBase":""}`), 400, "MISSING_FACE_IMAGE", ""},
	{trustmaticCall("image-number", `{"sessionId":"s","faceImageBase":1}`), 400, "INVALID_REQUEST", ""},
	{trustmaticCall("session-number", `{"sessionId":1,"faceImageBase":"AA=="}`), 400, "INVALID_REQUEST", ""},
	{trustmaticCall("not-json", `faceImageBase=AA`), 400, "INVALID_REQUEST", ""},
	{trustmaticCall("array", `[]`), 400, "INVALID_REQUEST", ""},

	{with(trustmaticShow("credential-wrong", "live"), "Authorization", basicHeader("nobody")), 401, "UNAUTHORIZED", ""},
	{with(trustmaticShow("credential-none", "live"), "Authorization", ""), 401, "UNAUTHORIZED", ""},
	{with(trustmaticShow("credential-not-basic", "live"), "Authorization", "Bearer token"), 401, "UNAUTHORIZED", ""},
	{with(trustmaticShow("limit-dialect", "live"), "Authorization", basicHeader("stranger")), 403, "FORBIDDEN", ""},
	{with(trustmaticShow("limit-rate", "live"), "Authorization", basicHeader("hasty")), 429, "TOO_MANY_REQUESTS", ""},
	{with(trustmaticShow("quota", "live"), "Authorization", basicHeader("poor")), 429, "QUOTA_EXCEEDED", ""},
	{trustmaticShow("busy", "busy"), 503, "SERVICE_UNAVAILABLE", ""},
	{trustmaticShow("not-ready", "not-ready"), 503, "SERVICE_UNAVAILABLE", ""},
	{trustmaticShow("fault", "fault"), 500, "INTERNAL_ERROR", ""},
	{trustmaticShow("panic", "panic"), 500, "INTERNAL_ERROR", ""},
}

func TestTrustmatic(t *testing.T) { speakAll(t, "trustmatic", Config{}, trustmaticCases) }

// Ensure that what the vendor's client puts on the wire is understood, and
// that every answer is what that client can read: an error, or a score.
func TestTrustmaticWire(t *testing.T) {
	srv, _ := dialectServer(t, Config{})
	body := `{"sessionId":"` + trustmaticSession + `","faceImageBase":"data:image/png;base64,` + b64(pngOf("live")) + `"}`
	head := "POST /api/v1/face/liveness HTTP/1.1\r\nHost: door.lan\r\nContent-Type: application/json\r\nAccept: application/json\r\nAuthorization: " + basicHeader("u") + "\r\n"
	for name, request := range map[string]string{
		"browser": head + "Origin: https://app.example\r\nSec-Fetch-Site: cross-site\r\nContent-Length: " + itoa(len(body)) + "\r\n\r\n" + body,
		"chunked": head + "Transfer-Encoding: chunked\r\n\r\n" + hexOf(len(body)) + "\r\n" + body + "\r\n0\r\n\r\n",
	} {
		if a := wire(t, srv, request); a.status != http.StatusOK || string(a.body) != `{"sessionId":"`+trustmaticSession+`","score":0.875,"hasError":false}`+"\n" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// Ensure that each answer holds a score or an error and never both.
func TestTrustmaticAnswers(t *testing.T) {
	srv, _ := dialectServer(t, Config{})
	for _, tc := range trustmaticCases {
		var a struct {
			Session *string `json:"sessionId"`
			Score   *float64
			Has     *bool `json:"hasError"`
			Error   *string
		}
		if err := json.Unmarshal(ask(t, srv, tc.call).body, &a); err != nil {
			t.Fatal(err)
		}
		if a.Session == nil || a.Has == nil || *a.Has != (a.Error != nil) || *a.Has == (a.Score != nil) {
			t.Errorf("%s: %+v", tc.name, a)
		}
		if a.Score != nil && (*a.Score >= 0.5) != (tc.outcome == livenessd.Live) {
			t.Errorf("%s: %v is %s", tc.name, *a.Score, tc.outcome)
		}
	}
}

func FuzzTrustmatic(f *testing.F) {
	for _, c := range trustmaticCases {
		if len(c.body) < 1000 {
			f.Add([]byte(c.body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := decodeTrustmatic(body)
		var std struct {
			Session *string         `json:"sessionId"`
			Other   json.RawMessage `json:"faceImageBase"`
		}
		if err == nil {
			var all map[string]json.RawMessage
			if e := json.Unmarshal(body, &all); e != nil {
				t.Fatalf("read what is not JSON: %v", e)
			}
			// Field names are exact here and not in encoding/json.
			if e := json.Unmarshal(all["sessionId"], &std.Session); len(all["sessionId"]) > 0 && (e != nil || std.Session != nil && *std.Session != q.session) {
				t.Fatalf("session %q: %v", q.session, e)
			}
		}
	})
}
