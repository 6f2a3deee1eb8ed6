package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livenessd"
)

func basicHeader(user string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":s"))
}

const boundary = "----formdata-undici-0123"

// glairForm is the form of the vendor's Node SDK around a picture.
func glairForm(image string) string {
	return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"image\"; filename=\"blob\"\r\nContent-Type: application/octet-stream\r\n\r\n" +
		image + "\r\n--" + boundary + "--\r\n"
}

func glairCall(name, body string) call {
	return call{name, "POST", "/face/v1/passive-liveness", map[string]string{
		"Authorization": basicHeader("u"), "x-api-key": "k", "Content-Type": "multipart/form-data; boundary=" + boundary,
	}, body}
}

func glairShow(name, picture string) call { return glairCall(name, glairForm(jpegOf(picture))) }

// with changes one header of c; "" takes it away.
func with(c call, header, value string) call {
	h := make(map[string]string)
	for k, v := range c.header {
		h[k] = v
	}
	h[header] = value
	if value == "" {
		delete(h, header)
	}
	c.header = h
	return c
}

var glairCases = []dialectCase{
	{glairShow("low", "live"), 200, "LOW", livenessd.Live},
	{glairShow("moderate", "border-line"), 200, "MODERATE", livenessd.Live},
	{glairShow("high", "spoof"), 200, "HIGH", livenessd.NotLive},
	{glairShow("high-just", "nearly"), 200, "HIGH", livenessd.NotLive},
	{glairShow("no-face", "none"), 200, "face not detected", livenessd.Retry},
	{glairShow("many-faces", "several"), 200, "too many faces detected", livenessd.Retry},
	{glairShow("passer-by", "passer-by"), 200, "LOW", livenessd.Live},
	{glairShow("too-dark", "dark"), 200, "face not detected", livenessd.Retry},
	{glairShow("mask", "mask"), 200, "face not detected", livenessd.Retry},
	{glairShow("no-score", "no-score"), 200, "face not detected", livenessd.Retry},
	{glairCall("png", glairForm(pngOf("live"))), 200, "LOW", livenessd.Live},
	{with(glairShow("request-id", "live"), "x-request-id", "mine-7"), 200, "LOW", livenessd.Live},
	{with(glairShow("request-id-strange", "live"), "x-request-id", "a b"), 200, "LOW", livenessd.Live},

	{glairCall("image-missing", "--"+boundary+"\r\nContent-Disposition: form-data; name=\"gesture-code\"\r\n\r\nHAND\r\n--"+boundary+"--\r\n"), 400, "enter valid base64 for captured image", ""},
	{glairCall("image-empty", glairForm("")), 400, "enter valid base64 for captured image", ""},
	{glairCall("form-cut-off", glairForm(jpegOf("live"))[:150]), 400, "enter valid base64 for captured image", ""},
	{glairCall("body-empty", ""), 400, "enter valid base64 for captured image", ""},
	{glairCall("image-not-a-picture", glairForm("GIF89a")), 400, "enter valid format image for captured image", ""},
	{glairShow("image-broken", "broken"), 400, "enter valid format image for captured image", ""},
	{glairShow("image-large", strings.Repeat("x", glairBody)), 413, "image too large", ""},
	{glairShow("image-pixels", "many-pixels"), 413, "image too large", ""},
	{with(glairShow("media-type", "live"), "Content-Type", "application/json"), 415, "send the image as multipart/form-data", ""},

	{with(glairShow("credential-wrong", "live"), "Authorization", basicHeader("nobody")), 401, "", ""},
	{with(glairShow("credential-none", "live"), "Authorization", ""), 401, "", ""},
	{with(glairShow("key-wrong", "live"), "x-api-key", "x"), 401, "", ""},
	{with(glairShow("key-none", "live"), "x-api-key", ""), 401, "", ""},
	{with(glairShow("limit-dialect", "live"), "Authorization", basicHeader("stranger")), 403, "", ""},
	{with(glairShow("limit-rate", "live"), "Authorization", basicHeader("hasty")), 429, "", ""},
	{with(glairShow("quota", "live"), "Authorization", basicHeader("poor")), 429, "quota exceeded", ""},
	{glairShow("busy", "busy"), 503, "service unavailable", ""},
	{glairShow("not-ready", "not-ready"), 503, "service unavailable", ""},
	{glairShow("fault", "fault"), 500, "internal server error", ""},
	{glairShow("panic", "panic"), 500, "internal server error", ""},
}

func TestGLAIR(t *testing.T) { speakAll(t, "glair", Config{}, glairCases) }

// Ensure that what the vendor's other clients put on the wire is understood.
func TestGLAIRWire(t *testing.T) {
	srv, _ := dialectServer(t, Config{})
	body := func(name, filename, part, extra string) string {
		return "--xyz\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"" + filename + "\"\r\n" + part + "\r\n" + jpegOf("live") + "\r\n" + extra + "--xyz--\r\n"
	}
	for name, form := range map[string]string{
		"Go SDK":   body("image", "face.jpeg", "Content-Type: application/octet-stream\r\n", ""),
		"Java SDK": body("image", "face.jpg", "Content-Type: image/jpeg\r\nContent-Transfer-Encoding: binary\r\n", ""),
		"Postman":  "--xyz\r\nContent-Disposition: form-data; name=\"gesture-code\"\r\n\r\nHAND_00000\r\n" + body("image", "a.png", "Content-Type: image/png\r\n", ""),
		"no type":  body("image", "blob", "", "--xyz\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			head := "POST /face/v1/passive-liveness HTTP/1.1\r\nHost: door.lan\r\nUser-Agent: go/GLAIR-Vision-SDK\r\nauthorization: " + basicHeader("u") +
				"\r\nX-Api-Key: k\r\nContent-Type: multipart/form-data; boundary=xyz\r\n"
			for _, request := range []string{
				head + "Content-Length: " + itoa(len(form)) + "\r\n\r\n" + form,
				head + "Transfer-Encoding: chunked\r\n\r\n" + hexOf(len(form)) + "\r\n" + form + "\r\n0\r\n\r\n",
			} {
				if a := wire(t, srv, request); a.status != http.StatusOK || string(a.body) != `{"status":"success","result":{"spoof_percentage":0.175,"status":"LOW"}}`+"\n" {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
}

// Ensure that the vendor's own client, as npm has it, works unmodified.
func TestGLAIRClient(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: node is missing: apt-get install nodejs npm")
	}
	if _, err := os.Stat("e2e/node_modules/@glair/vision/package.json"); err != nil {
		t.Skip("SKIPPED: @glair/vision is not installed: run make test-deps, or npm ci in api/e2e")
	}
	srv, _ := dialectServer(t, Config{})
	dir := t.TempDir()
	args, want := []string{"glair.mjs", srv.URL}, []string(nil)
	for _, tc := range []struct{ picture, user, want string }{
		{"live", "u", `resolved {"status":"success","result":{"spoof_percentage":0.175,"status":"LOW"}}`},
		{"spoof", "u", `resolved {"status":"success","result":{"spoof_percentage":0.925,"status":"HIGH"}}`},
		{"none", "u", `resolved {"status":"failed","result":{"spoof_percentage":1,"status":"face not detected"}}`},
		{"several", "u", `resolved {"status":"failed","result":{"spoof_percentage":1,"status":"too many faces detected"}}`},
		{"broken", "u", `rejected {"status":"failed","error_message":"enter valid format image for captured image"}`},
		{"live", "nobody", `rejected {"error":"Access to this API has been disallowed"}`},
		{"live", "hasty", `rejected {"status":"failed","error_message":"too many requests"}`},
		{"fault", "u", `rejected {"status":"failed","error_message":"internal server error"}`},
	} {
		file := filepath.Join(dir, tc.picture+".jpg")
		if err := os.WriteFile(file, []byte(jpegOf(tc.picture)), 0o600); err != nil {
			t.Fatal(err)
		}
		args, want = append(args, tc.user+":s:k", file), append(want, tc.want)
	}
	c := exec.CommandContext(t.Context(), node, args...)
	c.Dir, c.Stderr = "e2e", os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got []string
	for line := range strings.Lines(string(out)) { // the client logs between them
		if strings.HasPrefix(line, "resolved ") || strings.HasPrefix(line, "rejected ") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Ensure that HIGH is exactly what is not live, whatever the score, and that
// the number and the word agree.
func TestGLAIRScale(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 10000 {
		s := livenessd.Score{Value: rng.Float64(), Threshold: max(rng.Float64(), 1e-9)}
		if rng.IntN(4) == 0 {
			s.Value = s.Threshold
		}
		v, _ := scene("live")
		v.Texture = &s
		j, err := decide(Verdict{Pictures: []Shown{v}}, 1, rules{})
		if err != nil {
			t.Fatal(err)
		}
		r := glairSay(&j).Result
		word := "LOW"
		if r.Spoof >= glairHigh {
			word = "HIGH"
		} else if r.Spoof >= glairModerate {
			word = "MODERATE"
		}
		if r.Status != word || (word == "HIGH") == (j.outcome == livenessd.Live) || r.Spoof < 0 || r.Spoof > 1 {
			t.Fatalf("%+v of %+v", r, s)
		}
	}
	if b, err := json.Marshal(fraction(1)); err != nil || string(b) != "1.0" {
		t.Errorf("%s %v", b, err)
	}
}

// FuzzForm: what is found in a form is what the form's writer put there, and
// nothing else brings the reader down.
func FuzzForm(f *testing.F) {
	f.Add("multipart/form-data; boundary="+boundary, []byte(glairForm("abc")))
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\n\r\n--x--"))
	f.Add("multipart/form-data", []byte(""))
	f.Add("text/plain", []byte("data:,"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		b, err := formPart(contentType, body, "image")
		if err != nil && !errors.Is(err, errNotForm) && !errors.Is(err, errNoImage) && !errors.Is(err, errBody) {
			t.Fatal(err)
		}
		if len(b) > len(body) || err == nil && len(b) == 0 {
			t.Fatalf("%d bytes of %d", len(b), len(body))
		}
		var form strings.Builder
		w := multipart.NewWriter(&form)
		part, err := w.CreateFormFile("image", "blob")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(part, "x%s", body)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if b, err := formPart(w.FormDataContentType(), []byte(form.String()), "image"); err != nil || string(b) != "x"+string(body) {
			t.Fatalf("%q, %v", b, err)
		}
	})
}
