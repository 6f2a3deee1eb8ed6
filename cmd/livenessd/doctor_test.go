package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livenessd"
	"livenessd/capture"
)

// unpack reads a bundle.
func unpack(t *testing.T, file string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	gz, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		parts[strings.TrimPrefix(h.Name, "livenessd/")] = string(data)
	}
}

// Ensure that the doctor speaks with the running daemon, and that what is sent
// to somebody else has no picture, no reference and no secret in it.
func TestDoctor(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, "a-token-that-is-long-enough-0001")
	d := start(t, append([]string{"-camera", "sim:nobody", "-set", "store.keep_pictures=true", "-set", "lan.listen=127.0.0.1:0", "-set", "lan.token_file=" + token}, quick...)...)
	code, out, errs := cli(t, "key", "add", "-store", d.store, "-for", "glair", "porch")
	if code != exitOK {
		t.Fatalf("%s%s", out, errs)
	}
	var secrets []string
	for _, word := range strings.Fields(out) {
		if len(word) >= 20 {
			secrets = append(secrets, word)
		}
	}
	if len(secrets) == 0 {
		t.Fatalf("no secret in %q", out)
	}
	// A session whose reference a support engineer has no business with.
	r, err := http.Post(d.page+"v1/sessions", "application/json", strings.NewReader(`{"reference":"Mrs Miller","timeout_s":1}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	d.results(t) // waits for its end

	file := filepath.Join(t.TempDir(), "b.tar.gz")
	code, out, errs = cli(t, "doctor", "-store", d.store, "-bundle", file) // what was set for the daemon alone counts
	if code != exitOK {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	for _, want := range []string{"ok       daemon", "ok       ready", "ok       networks", "warning  face", "ok       store", "clock", "ok       certificate", "ok       token"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	parts := unpack(t, file)
	for _, name := range []string{"findings.txt", "findings.json", "status.json", "config.toml", "system.txt", "events.jsonl", "metrics.txt"} {
		if len(parts[name]) < 100 {
			t.Errorf("%s holds %q; missing.txt says %q", name, parts[name], parts["missing.txt"])
		}
	}
	if !strings.Contains(parts["events.jsonl"], string(livenessd.EventStarted)) || !strings.Contains(parts["metrics.txt"], "livenessd_camera_ready 1") {
		t.Errorf("%.500s\n%.500s", parts["events.jsonl"], parts["metrics.txt"])
	}
	for name, data := range parts {
		for _, bad := range append(secrets, "Miller", "\xff\xd8\xff", "a-token-that-is-long-enough", "PRIVATE KEY", "$argon2id$") {
			if strings.Contains(data, bad) {
				t.Errorf("%s holds %q", name, bad)
			}
		}
	}
}

func TestDoctorWithoutACamera(t *testing.T) {
	store := filepath.Join(t.TempDir(), "l.db")
	code, out, _ := cli(t, "doctor", "-json", "-store", store, "-set", "camera.source=usb-Nobody_Has_This-video-index0")
	var findings []finding
	if err := json.Unmarshal([]byte(out), &findings); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range findings {
		got[f.About] = f.State
		if f.State != findOK && f.Do == "" {
			t.Errorf("%+v does not say what to do", f)
		}
	}
	if code != exitFailed || got["camera.source"] != findFault || got["picture"] != findFault || got["daemon"] != findWarning || got["store"] != findOK {
		t.Errorf("exit code %d, %v", code, got)
	}
}

func TestDoctorJudgesThePicture(t *testing.T) {
	camera := livenessd.Camera{Format: "MJPEG", Width: 640, Height: 480, FPS: 30}
	face := sighting{Ready: true, Camera: camera, Rate: 30, Mean: 120, High: 200, Faces: 1, Eyes: 80, Distance: .45, Sharp: &livenessd.Measure{Score: 90}}
	for name, tt := range map[string]struct {
		change func(*sighting)
		want   string // what is not ok
	}{
		"fine":           {func(*sighting) {}, ""},
		"slow":           {func(v *sighting) { v.Rate = 12 }, "warning rate"},
		"dark":           {func(v *sighting) { v.Mean = 20 }, "warning light"},
		"glaring":        {func(v *sighting) { v.Mean = 240 }, "warning light"},
		"far":            {func(v *sighting) { v.Eyes = 20 }, "warning face"},
		"nobody":         {func(v *sighting) { v.Faces = 0 }, "warning face"},
		"blurred":        {func(v *sighting) { v.Sharp = &livenessd.Measure{Reason: livenessd.Blurred} }, "warning sharpness"},
		"frozen":         {func(v *sighting) { v.Fault = livenessd.FaultFrozen }, "fault picture"},
		"no picture":     {func(v *sighting) { *v = sighting{Detail: "gone"} }, "fault picture"},
		"lost before":    {func(v *sighting) { v.Losses = 1 }, "warning camera"},
		"rate is unsaid": {func(v *sighting) { v.Camera.FPS, v.Rate = 0, 9 }, ""},
	} {
		v := face
		tt.change(&v)
		d := &doctor{cfg: defaultConfig()}
		d.judge(v)
		got := ""
		for _, f := range d.findings {
			if f.State != findOK {
				got += f.State + " " + f.About
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestSight(t *testing.T) {
	o := livenessd.Observation{At: built, Width: 640, Height: 480, Faces: []livenessd.Face{{}}}
	o.Faces[0].Landmarks[livenessd.RightEye] = livenessd.Point{X: 100, Y: 100}
	o.Faces[0].Landmarks[livenessd.LeftEye] = livenessd.Point{X: 170, Y: 100}
	v := sight(capture.Status{Ready: true, Rate: 30, Camera: livenessd.Camera{FPS: 30}}, &o)
	if v.Eyes != 70 || v.Distance != 0.5 || !strings.Contains(v.line(), "30.0 of 30 fps") || !strings.Contains(v.line(), "0.50 m") {
		t.Errorf("%+v: %s", v, v.line())
	}
	v = sight(capture.Status{Fault: livenessd.FaultGone, Detail: "unplugged"}, nil)
	if v.line() != "no pictures: gone: unplugged" {
		t.Error(v.line())
	}
}
