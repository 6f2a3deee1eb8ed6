package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"livenessd"
)

var verihubsHeader = map[string]string{"App-ID": "u", "API-Key": "s", "Content-Type": "application/json"}

func verihubsCall(name, body string) call {
	return call{name, "POST", "/v1/face/liveness", verihubsHeader, body}
}

func verihubsAs(name, id, body string) call {
	return call{name, "POST", "/v1/face/liveness", map[string]string{"App-ID": id, "API-Key": "s", "Content-Type": "application/json"}, body}
}

// verihubsShow asks about the picture of this name, with flags.
func verihubsShow(name, picture, flags string) call {
	return verihubsCall(name, `{"image":"`+b64(jpegOf(picture))+`"`+flags+`}`)
}

var verihubsCases = []dialectCase{
	{verihubsShow("live", "live", ""), 200, "", livenessd.Live},
	{verihubsShow("spoof", "spoof", ""), 200, "", livenessd.NotLive},
	{verihubsShow("just-not", "nearly", ""), 200, "", livenessd.NotLive},
	{verihubsShow("just-live", "border-line", ""), 200, "", livenessd.Live},
	{verihubsShow("score-missing", "no-score", ""), 200, "", livenessd.Retry},
	{verihubsShow("score-not-a-number", "not-a-number", ""), 500, "INTERNAL_SERVER_ERROR", ""},
	{verihubsShow("no-quality-no-attribute", "live", `,"is_quality":false,"is_attribute":false`), 200, "", livenessd.Live},
	{verihubsShow("flags-null", "live", `,"is_quality":null,"is_attribute":null,"validate_quality":null,"validate_attribute":null,"validate_nface":null`), 200, "", livenessd.Live},
	{verihubsShow("all-validated", "live", `,"validate_quality":true,"validate_attribute":true,"validate_nface":true,"validate_liveness":true`), 200, "", livenessd.Live},
	{verihubsShow("unknown-field", "live", `,"validate_similarity":{"a":[1]}`), 200, "", livenessd.Live},
	{verihubsShow("hat-and-veil", "hat", `,"validate_attribute":true`), 200, "", livenessd.Live},
	{verihubsShow("rotated", "on-its-side", ""), 200, "", livenessd.Live},
	{verihubsShow("blurred", "blurred", ""), 200, "", livenessd.Retry},
	{verihubsShow("dark", "dark", ""), 200, "", livenessd.Retry},
	{verihubsShow("grayscale", "grey", ""), 200, "", livenessd.Live},
	{verihubsShow("sunglasses", "sunglasses", ""), 200, "", livenessd.Retry},
	{verihubsShow("mask", "mask", ""), 200, "", livenessd.Retry},
	{verihubsShow("two-faces", "several", ""), 200, "", livenessd.Retry},
	{verihubsShow("passer-by", "passer-by", `,"validate_nface":true`), 200, "", livenessd.Live},
	{verihubsShow("too-small", "too-far", ""), 200, "", livenessd.Retry},

	{verihubsShow("fail-on-1", "spoof", `,"validate_liveness":true`), 200, "FAIL_ON_1", livenessd.NotLive},
	{verihubsShow("fail-on-2-mask", "mask", `,"validate_attribute":true`), 200, "FAIL_ON_2", livenessd.Retry},
	{verihubsShow("fail-on-2-sunglasses", "sunglasses", `,"validate_attribute":true`), 200, "FAIL_ON_2", livenessd.Retry},
	{verihubsShow("fail-on-2-unknown", "no-attributes", `,"validate_attribute":true`), 200, "FAIL_ON_2", livenessd.Live},
	{verihubsShow("fail-on-4-blur", "blurred", `,"validate_quality":true`), 200, "FAIL_ON_4", livenessd.Retry},
	{verihubsShow("fail-on-4-dark", "dark", `,"validate_quality":true`), 200, "FAIL_ON_4", livenessd.Retry},
	{verihubsShow("fail-on-4-grayscale", "grey", `,"validate_quality":true`), 200, "FAIL_ON_4", livenessd.Live},
	{verihubsShow("fail-on-6", "mask-dark", `,"validate_quality":true,"validate_attribute":true`), 200, "FAIL_ON_6", livenessd.Retry},
	{verihubsShow("fail-on-7", "mask-dark", `,"validate_quality":true,"validate_attribute":true,"validate_liveness":true`), 200, "FAIL_ON_7", livenessd.Retry},
	{verihubsShow("fail-on-8", "several", `,"validate_nface":true`), 200, "FAIL_ON_8", livenessd.Retry},
	{verihubsShow("fail-on-10", "several-mask", `,"validate_nface":true,"validate_attribute":true`), 200, "FAIL_ON_10", livenessd.Retry},
	{verihubsShow("fail-on-12", "several-dark", `,"validate_nface":true,"validate_quality":true`), 200, "FAIL_ON_12", livenessd.Retry},
	{verihubsShow("fail-on-14", "all-wrong", `,"validate_nface":true,"validate_quality":true,"validate_attribute":true`), 200, "FAIL_ON_14", livenessd.Retry},

	{verihubsCall("payload-empty", ""), 400, "INVALID PAYLOAD", ""},
	{verihubsCall("payload-no-value", "{}"), 400, "INVALID PAYLOAD", ""},
	{verihubsCall("payload-two-empty-strings", `{"image":"","note":""}`), 400, "INVALID PAYLOAD", ""},
	{verihubsCall("payload-not-json", `{"image":`), 400, "INVALID PAYLOAD", ""},
	{verihubsCall("payload-flag-not-boolean", `{"image":"AA==","is_quality":"yes"}`), 400, "INVALID PAYLOAD", ""},
	{verihubsCall("image-missing", `{"is_quality":true}`), 400, "MISSING_PAYLOAD_IMAGE", ""},
	{verihubsCall("image-null", `{"image":null}`), 400, "MISSING_PAYLOAD_IMAGE", ""},
	{verihubsCall("image-empty", `{"image":""}`), 400, "INVALID_PAYLOAD_IMAGE_MISSING", ""},
	{verihubsCall("image-number", `{"image":7}`), 400, "INVALID_PAYLOAD_IMAGE_MISSING", ""},
	{verihubsCall("image-not-base64", `{"image":"*face*"}`), 400, "INVALID_PAYLOAD_IMAGE_MISSING", ""},
	{verihubsCall("image-empty-data-url", `{"image":"data:,"}`), 400, "INVALID_PAYLOAD_IMAGE_MISSING", ""},
	{verihubsCall("image-not-a-picture", `{"image":"`+b64("hello")+`"}`), 400, "INVALID_PAYLOAD_IMAGE_FORMAT", ""},
	{verihubsCall("image-gif", `{"image":"`+b64("GIF89a")+`"}`), 400, "INVALID_PAYLOAD_IMAGE_FORMAT", ""},
	{verihubsShow("image-broken", "broken", ""), 400, "INVALID_PAYLOAD_IMAGE_FORMAT", ""},
	{verihubsCall("image-url-not-allowed", `{"image":"https://pictures.example/face.jpg"}`), 400, "INVALID_PAYLOAD_IMAGE_FORMAT", ""},
	{verihubsShow("image-size", strings.Repeat("x", verihubsImage), ""), 400, "INVALID_PAYLOAD_IMAGE_SIZE", ""},
	{verihubsShow("image-size-body", strings.Repeat("x", verihubsBody*3/4), ""), 400, "INVALID_PAYLOAD_IMAGE_SIZE", ""},
	{verihubsShow("image-size-pixels", "many-pixels", ""), 400, "INVALID_PAYLOAD_IMAGE_SIZE", ""},
	{verihubsShow("no-face", "none", ""), 400, "FACE_NOT_DETECTED", livenessd.Retry},
	{verihubsShow("dependency-quality", "live", `,"is_quality":false,"validate_quality":true`), 400, "INVALID_PAYLOAD_QUALITY_VALIDATION_DEPENDENCY", ""},
	{verihubsShow("dependency-attribute", "live", `,"is_attribute":false,"validate_attribute":true`), 400, "INVALID_PAYLOAD_ATTRIBUTE_VALIDATION_DEPENDENCY", ""},

	{verihubsAs("quota", "poor", `{"image":"`+b64(jpegOf("live"))+`"}`), 403, "INSUFFICIENT_QUOTA_LIVENESS", ""},
	{verihubsAs("limit-dialect", "stranger", `{}`), 403, "FORBIDDEN", ""},
	{verihubsAs("limit-rate", "hasty", `{}`), 429, "TOO_MANY_REQUESTS", ""},
	{verihubsAs("limit-fault", "broken-store", `{}`), 500, "INTERNAL_SERVER_ERROR", ""},
	{verihubsAs("credential-wrong", "nobody", `{}`), 401, "UNAUTHORIZED", ""},
	{call{"credential-none", "POST", "/v1/face/liveness", jsonHeader, `{}`}, 401, "UNAUTHORIZED", ""},
	{verihubsShow("busy", "busy", ""), 503, "SERVICE_UNAVAILABLE", ""},
	{verihubsShow("not-ready", "not-ready", ""), 503, "SERVICE_UNAVAILABLE", ""},
	{verihubsShow("fault", "fault", ""), 500, "INTERNAL_SERVER_ERROR", ""},
	{verihubsShow("panic", "panic", ""), 500, "INTERNAL_SERVER_ERROR", ""},
	{verihubsShow("verdict-too-short", "too-few", ""), 500, "INTERNAL_SERVER_ERROR", ""},
}

func TestVerihubs(t *testing.T) { speakAll(t, "verihubs", Config{}, verihubsCases) }

// Ensure that what real clients of Verihubs put on the wire is understood.
func TestVerihubsWire(t *testing.T) {
	srv, _ := dialectServer(t, Config{})
	live, png := b64(jpegOf("live")), b64(pngOf("live"))
	request := func(head, body string) string {
		return "POST /v1/face/liveness HTTP/1.1\r\nHost: door.lan\r\n" + head + "Content-Length: " + itoa(len(body)) + "\r\n\r\n" + body
	}
	for name, bytes := range map[string]string{
		"bare base64":                 request("App-ID: u\r\nAPI-Key: s\r\nAccept: application/json\r\nContent-Type: application/json\r\n", `{"image":"`+live+`"}`),
		"canvas data URL, other case": request("app-id: u\r\nApi-Key: s\r\ncontent-type: application/json\r\nX-VH-SDKVER: 1\r\nX-VH-CHECKSUM: x\r\nX-Session-ID: y\r\n", `{"image":"data:image/png;base64,`+png+`","is_quality":true}`),
		"nulls of a PHP client":       request("App-ID: u\r\nAPI-Key: s\r\nContent-Type: application/json\r\n", `{"image":"`+strings.ReplaceAll(live, "/", `\/`)+`","is_quality":null,"is_attribute":null,"validate_quality":null,"validate_attribute":null,"validate_nface":null}`),
		"chunked": "POST /v1/face/liveness HTTP/1.1\r\nHost: door.lan\r\nApp-ID: u\r\nAPI-Key: s\r\nContent-Type: application/json; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"a\r\n{\"image\":\"\r\n" + hexOf(len(live)) + "\r\n" + live + "\r\n2\r\n\"}\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			a := wire(t, srv, bytes)
			var got verihubsAnswer
			if err := json.Unmarshal(a.body, &got); err != nil || a.status != http.StatusOK || got.Liveness == nil || !got.Liveness.Status {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// Ensure that the picture at an address that does not come in time has its own
// code.
func TestVerihubsTimeout(t *testing.T) {
	srv := slowImages(t)
	c := verihubsCall("image-timeout", `{"image":"https://pictures.example/face.jpg"}`)
	a := ask(t, srv, c)
	compareGoldenIn(t, "verihubs", c.name, transcript(c, a))
	if a.status != http.StatusBadRequest || !strings.Contains(string(a.body), `"INVALID_PAYLOAD_IMAGE_TIMEOUT"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func FuzzVerihubs(f *testing.F) {
	for _, c := range verihubsCases {
		if len(c.body) < 1000 {
			f.Add([]byte(c.body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, fault := decodeVerihubs(body)
		var std map[string]any
		if json.Unmarshal(body, &std) != nil && fault == nil {
			t.Fatal("what is not JSON was read")
		}
		if fault == nil && (len(q.image) == 0 || q.validQuality && !q.quality || q.validAttribute && !q.attribute) {
			t.Fatalf("accepted %+v", q)
		}
	})
}
