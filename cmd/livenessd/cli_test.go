package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"livenessd"
)

// cli runs the program in this process and returns what it said.
func cli(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	code = dispatch(ctx, args, &o, &e)
	return code, o.String(), e.String()
}

// Ensure that bad input is refused by name, with the right exit code, and
// without a stack trace.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	write(t, filepath.Join(dir, "typo.toml"), "[camera]\n\nsourze = \"auto\"\n")
	write(t, filepath.Join(dir, "notes.jpg"), "these are no pixels")
	write(t, filepath.Join(dir, "file"), "")
	missing := siteWith(t, attributesSpec("gone"), nil)
	models := "models.dirs=" + t.TempDir()
	fine := []string{"-set", models, "-store", filepath.Join(dir, "l.db"), "-listen", "127.0.0.1:0"}

	tests := []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"no command", nil, 2, []string{"Usage: livenessd COMMAND"}},
		{"no such command", []string{"runn"}, 2, []string{`there is no command "runn"`}},
		{"no such flag", []string{"run", "-loud"}, 2, []string{"-loud"}},
		{"config typo", []string{"config", filepath.Join(dir, "typo.toml")}, 2, []string{"typo.toml", "line 3", `"camera.sourze"`, `"camera.source"`}},
		{"config file missing", []string{"config", "/nowhere.toml"}, 2, []string{"/nowhere.toml", "no such file"}},
		{"network missing", []string{"run", "-camera", "sim", "-set", "models.dirs=" + missing + "," + t.TempDir()}, 1, []string{"[models]", missing, "gone.onnx", "was not found"}},
		{"folder of the store missing", append([]string{"run", "-camera", "sim"}, "-set", models, "-store", "/nowhere/l.db"), 1, []string{"store.path", "/nowhere"}},
		{"folder of the store is a file", append([]string{"run", "-camera", "sim"}, "-set", models, "-store", filepath.Join(dir, "file", "l.db")), 1, []string{"store.path", filepath.Join(dir, "file")}},
		{"port taken", append(append([]string{"run", "-camera", "sim"}, fine...), "-listen", taken.Addr().String()), 1, []string{"page.listen", "address already in use"}},
		{"page for everybody", append(append([]string{"run", "-camera", "sim"}, fine...), "-listen", "0.0.0.0:0"), 2, []string{"page.listen", "loopback"}},
		{"no such scene", append([]string{"run", "-camera", "sim:ghost"}, fine...), 1, []string{"camera.source", "ghost", "two-people"}},
		{"no such recording", append([]string{"run", "-camera", "replay:/nowhere.mp4"}, fine...), 1, []string{"/nowhere.mp4"}},
		{"lan key without certificate", append([]string{"run", "-camera", "sim", "-set", "lan.listen=127.0.0.1:0", "-set", "lan.key=" + filepath.Join(dir, "file")}, fine...), 2, []string{"lan.certificate and lan.key go together"}},
		{"lan certificate is none", append([]string{"run", "-camera", "sim", "-set", "lan.listen=127.0.0.1:0", "-set", "lan.key=" + filepath.Join(dir, "file"), "-set", "lan.certificate=" + filepath.Join(dir, "file")}, fine...), 1, []string{"lan.certificate, lan.key", "file"}},
		{"key without a verb", []string{"key"}, 2, []string{"Usage: livenessd key add"}},
		{"key of a store that is not", []string{"key", "list", "-store", filepath.Join(dir, "none.db")}, 2, []string{"store.path", "none.db"}},
		{"jobs of a store that is not", []string{"jobs", "-store", filepath.Join(dir, "none.db")}, 1, []string{"none.db"}},
		{"no pictures named", []string{"check", "-set", models}, 2, []string{"name the pictures"}},
		{"no picture", []string{"check", "-set", models, filepath.Join(dir, "notes.jpg")}, 2, []string{"notes.jpg", "not a picture"}},
		{"picture missing", []string{"check", "-set", models, "/nowhere.jpg"}, 2, []string{"/nowhere.jpg", "no such file"}},
		{"picture is a folder", []string{"check", "-set", models, dir}, 2, []string{dir, "folder"}},
		{"results of nothing", []string{"results", "-store", filepath.Join(dir, "none.db")}, 1, []string{"none.db"}},
		{"results of something else", []string{"results", "-store", filepath.Join(dir, "notes.jpg")}, 1, []string{"notes.jpg"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := cli(t, tt.args...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, w := range tt.want {
				if !strings.Contains(errs, w) {
					t.Errorf("%q is not in: %s", w, errs)
				}
			}
			if strings.Contains(errs+out, "goroutine ") {
				t.Errorf("a stack trace: %s", errs)
			}
		})
	}
}

// Ensure that a folder nobody may write to is named. Root may write anywhere,
// so the folder is on a file system that cannot be written.
func TestStoreNotWritable(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() == 0 {
		dir = "/proc"
	} else if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	code, _, errs := cli(t, "run", "-camera", "sim", "-set", "models.dirs="+t.TempDir(), "-listen", "127.0.0.1:0", "-store", filepath.Join(dir, "l.db"))
	if code != 1 || !strings.Contains(errs, "store.path") || !strings.Contains(errs, dir) {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

// Ensure that a camera that is not there is waited for and named, on /readyz
// and on the way out of it too.
func TestCameraMissing(t *testing.T) {
	d := start(t, "-camera", "usb-Nobody_Has_This-video-index0")
	var ready struct {
		Ready   bool
		Reasons []struct{ Code, Detail string }
	}
	for range 50 {
		if d.get(t, "/readyz", &ready) == http.StatusServiceUnavailable && len(ready.Reasons) > 0 && strings.Contains(ready.Reasons[0].Detail, "Nobody_Has_This") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if ready.Ready || len(ready.Reasons) == 0 || ready.Reasons[0].Code != "camera_gone" || !strings.Contains(ready.Reasons[0].Detail, "Nobody_Has_This") {
		t.Errorf("readyz: %+v", ready)
	}
	resp, err := http.Post(d.page+"v1/sessions", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a session without a camera: %s", resp.Status)
	}
	d.stop(t)
	if strings.Count(d.log.String(), "Nobody_Has_This") > 6 {
		t.Errorf("the log repeats itself:\n%s", d.log)
	}
}

// Ensure that two daemons do not share a store, and that results are read
// from the running daemon as well as from the file.
func TestResultsCommand(t *testing.T) {
	d := start(t, append([]string{"-camera", "sim:too-far", "-set", "camera.simulation_seed=9"}, append(patient, quick...)...)...)
	listen := strings.TrimSuffix(strings.TrimPrefix(d.page, "http://"), "/")
	code, _, errs := cli(t, "run", "-camera", "sim", "-listen", "127.0.0.1:0", "-store", d.store, "-set", "models.dirs="+t.TempDir())
	if code != 1 || !strings.Contains(errs, d.store) || !strings.Contains(errs, "busy") {
		t.Errorf("a second daemon: exit code %d, %s", code, errs)
	}
	resp, err := http.Post(d.page+"v1/sessions", "application/json", strings.NewReader(`{"reference":"order 7"}`))
	if err != nil {
		t.Fatal(err)
	}
	var s livenessd.Session
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s %v", resp.Status, err)
	}
	resp.Body.Close()
	for range 600 {
		if d.get(t, "/v1/sessions/"+s.ID, &s); s.State == livenessd.SessionDone {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	var r livenessd.Result
	if s.Result == "" || d.get(t, "/v1/results/"+s.Result, &r) != http.StatusOK || r.Reference != "order 7" || r.Outcome != livenessd.Retry {
		t.Fatalf("session %+v, result %+v", s, r)
	}
	code, running, errs := cli(t, "results", "-json", "-store", d.store, "-set", "page.listen="+listen)
	if code != 0 || !strings.Contains(running, s.Result) {
		t.Errorf("from the daemon: %d %s %s", code, running, errs)
	}
	d.stop(t)
	code, stopped, errs := cli(t, "results", "-json", "-store", d.store)
	if code != 0 || !strings.Contains(stopped, s.Result) {
		t.Errorf("from the file: %d %s %s", code, stopped, errs)
	}
	if code, text, _ := cli(t, "results", "-store", d.store); code != 0 || !strings.Contains(text, "too_far") {
		t.Errorf("for a person: %d %s", code, text)
	}
}

// Ensure that check says what each file is, a line each, with the exit codes
// that scripts rely on.
func TestCheckReal(t *testing.T) {
	models := "models.dirs=" + t.TempDir()
	person := firstFile(t, needData(t, "nuaa-train", "Client"))
	photo := firstFile(t, needData(t, "nuaa-train", "Imposter"))
	empty := filepath.Join(t.TempDir(), "empty.png")
	writePNG(t, empty)

	code, out, errs := cli(t, "check", "-json", "-set", models, person)
	if code != 0 {
		t.Errorf("a person: exit code %d: %s%s", code, out, errs)
	}
	code, out, errs = cli(t, "check", "-json", "-set", models, person, photo, empty)
	if code != 1 {
		t.Errorf("exit code %d: %s", code, errs)
	}
	want := []livenessd.Outcome{livenessd.Live, livenessd.NotLive, livenessd.Retry}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines: %s", len(lines), out)
	}
	for i, line := range lines {
		var j judgement
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			t.Fatal(err)
		}
		if j.Outcome != want[i] {
			t.Errorf("%s: %s %v, want %s", j.File, j.Outcome, j.Reasons, want[i])
		}
		if _, scored := j.Scores["texture"]; scored != (len(j.Faces) > 0) || j.Quality == nil {
			t.Errorf("%s: %+v", j.File, j)
		}
	}
	if code, _, _ := cli(t, "check", "-set", models, person, "/nowhere.jpg"); code != 2 {
		t.Errorf("with a file that is not there: exit code %d", code)
	}
}

func firstFile(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.jpg"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pictures in %s: %v", dir, err)
	}
	return files[0]
}

// writePNG makes a picture of a wall.
func writePNG(t *testing.T, name string) {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 320, 240))
	for i := range img.Pix {
		img.Pix[i] = uint8(100 + i%320/4)
	}
	img.SetGray(3, 3, color.Gray{Y: 250})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	write(t, name, b.String())
}

// Ensure that systemd is told ready, how it stands, fed, and told stopping, and that SIGTERM
// is the normal end.
func TestSupervisor(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", name)
	t.Setenv("WATCHDOG_USEC", "1500000")
	d := start(t, "-camera", "sim:nobody")
	heard := map[string]int{}
	listen := func(until string) {
		if heard[until] > 0 && until != "WATCHDOG=1" {
			return // it came while another was waited for
		}
		b := make([]byte, 200)
		for heard[until] < 2 {
			conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			n, err := conn.Read(b)
			if err != nil {
				t.Fatalf("waiting for %s: %v, heard %v", until, err, heard)
			}
			what, _, _ := strings.Cut(string(b[:n]), ",") // after it: warnings, of which a test's machine may have some
			if heard[what]++; until == what && until != "WATCHDOG=1" {
				return
			}
		}
	}
	listen("READY=1")
	listen("STATUS=Ready")
	listen("WATCHDOG=1")
	begin := time.Now()
	d.cmd.Process.Signal(syscall.SIGTERM)
	listen("STOPPING=1")
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("SIGTERM is not the normal end: %v", err)
	}
	t.Logf("stopped after %v", time.Since(begin))
}
