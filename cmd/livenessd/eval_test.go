package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"livenessd"
	"livenessd/capture/sim"
	"livenessd/evaluate"
)

// Ensure that folders belong to the flag before them, wherever flags stand.
func TestEvalFolders(t *testing.T) {
	tests := []struct {
		args         string
		live, attack string
		want         string // in the error
	}{
		{"-live a -attack b", "a", "b", ""},
		{"-live a -attack b c d -json", "a", "b c d", ""},
		{"-attack b -html x c -live a d -attack e", "a d", "b c e", ""},
		{"-live a b -attack=c d", "a b", "c d", ""},
		{"a -live b", "", "", "put -live or -attack before it"},
		{"-live a -attack b -loud", "", "", "-loud"},
	}
	for _, tt := range tests {
		var e evalFolders
		f := newFlags(&environment{err: &bytes.Buffer{}}, "eval", "")
		f.Func("live", "", e.add(&e.live))
		f.Func("attack", "", e.add(&e.attack))
		f.Bool("json", false, "")
		f.String("html", "", "")
		err := e.parse(f, strings.Fields(tt.args))
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v", tt.args, err)
			}
			continue
		}
		if err != nil || strings.Join(e.live, " ") != tt.live || strings.Join(e.attack, " ") != tt.attack {
			t.Errorf("%s: live %v, attack %v, %v", tt.args, e.live, e.attack, err)
		}
	}
}

// Ensure that species have short names that differ.
func TestSpeciesNames(t *testing.T) {
	for _, tt := range []struct{ dirs, want string }{
		{"/data/print /data/screen/", "print screen"},
		{"/a/print /b/print /b/screen", "a/print b/print b/screen"},
		{"/print /b/print", "print b/print"},
		{"/x/a/print /y/a/print", "x/a/print y/a/print"},
	} {
		if got := strings.Join(speciesNames(strings.Fields(tt.dirs)), " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.dirs, got, tt.want)
		}
	}
	if got := speciesNames([]string{"."}); got[0] != "livenessd" {
		t.Errorf("the folder that one is in is called %q", got[0])
	}
}

// Ensure that what cannot be measured is refused before any work, by name.
func TestEvalRefuses(t *testing.T) {
	people, attacks := tree(t, "a.jpg"), tree(t, "print/1.jpg", "video/clip.mp4")
	inside, file := filepath.Join(attacks, "print"), filepath.Join(people, "a.jpg")
	both := []string{"-live", people, "-attack", attacks}
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"no folders", nil, []string{"-live DIR", "-attack DIR"}},
		{"no attack", []string{"-live", people}, []string{"-attack DIR"}},
		{"missing", []string{"-live", people, "-attack", "/nowhere"}, []string{"/nowhere"}},
		{"a file", []string{"-live", file, "-attack", attacks}, []string{file, "folder that it lies in"}},
		{"the same twice", []string{"-live", people, "-attack", people}, []string{people, "the same pictures"}},
		{"one in the other", []string{"-live", attacks, "-attack", inside}, []string{inside, "the same pictures"}},
		{"no pictures", []string{"-live", people, "-attack", filepath.Join(attacks, "video")}, []string{"clip.mp4", "videos"}},
		{"level", append(both, "-level", "video"), []string{"-level", "video"}},
		{"motion of a frame", append(both, "-motion", "-level", "frame"), []string{"-motion"}},
		{"motion behind the gate", append(both, "-motion", "-gate"), []string{"-gate", "-motion"}},
		{"turns without motion", append(both, "-turns", file), []string{"-turns", "-motion"}},
		{"turns", append(both, "-motion", "-turns", "/nowhere"), []string{"-turns", "/nowhere"}},
		{"calibrate with motion", append(both, "-motion", "-calibrate", "set.json"), []string{"-calibrate", "-motion"}},
		{"calibrate another threshold", append(both, "-threshold", "0.4", "-calibrate", "set.json"), []string{"-calibrate", "-threshold"}},
		{"calibrate to a folder", append(both, "-calibrate", people), []string{"-calibrate", people}},
		{"threshold", append(both, "-threshold", "NaN"), []string{"-threshold"}},
		{"models", append(both, "-models", "/nowhere"), []string{"-models", "/nowhere"}},
		{"page", append(both, "-html", "/nowhere/r.html"), []string{"-html", "/nowhere"}},
		{"scores", append(both, "-scores", people), []string{"-scores", people}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := cli(t, append([]string{"eval"}, tt.args...)...)
			if code != exitMisused || out != "" {
				t.Errorf("exit code %d, %q", code, out)
			}
			for _, w := range tt.want {
				if !strings.Contains(errs, w) {
					t.Errorf("%q is not in: %s", w, errs)
				}
			}
		})
	}
	if left, err := filepath.Glob(filepath.Join(people, ".livenessd*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// fakeEyes sees what a test says it sees.
type fakeEyes func(n int) (livenessd.Observation, error)

func (f *fakeEyes) Follow(o livenessd.Frame, _ bool, _ *follower) (livenessd.Observation, error) {
	return (*f)(int(o.Seq))
}

// seen is an observation of a face of that quality; a score below 0 is none.
func seen(score, quality float64, reason livenessd.Reason) livenessd.Observation {
	o := livenessd.Observation{Faces: []livenessd.Face{{}}, Quality: []livenessd.Measure{{Score: quality, Reason: reason}}}
	if score >= 0 {
		o.Texture = &livenessd.Score{Value: score, Threshold: 0.5}
	}
	return o
}

// Ensure what a presentation's score is, and why it has none.
func TestEvalScore(t *testing.T) {
	nobody := livenessd.Observation{}
	tests := []struct {
		name   string
		sees   []livenessd.Observation // of each file; the last file cannot be read if there is one fewer
		files  int
		gate   bool
		motion bool
		score  float64
		frames int
		reason string
	}{
		{"one frame", []livenessd.Observation{seen(0.7, 50, "")}, 1, false, false, 0.7, 1, ""},
		{"better pictures count more", []livenessd.Observation{seen(1, 90, ""), seen(0, 30, "")}, 2, false, false, 0.75, 2, ""},
		{"poor ones count without the gate", []livenessd.Observation{seen(1, 50, ""), seen(0, 50, livenessd.TooDark)}, 2, false, false, 0.5, 2, ""},
		{"and do not with it", []livenessd.Observation{seen(1, 50, ""), seen(0, 50, livenessd.TooDark)}, 2, true, false, 1, 1, ""},
		{"none good enough", []livenessd.Observation{seen(1, 1, livenessd.Blurred), seen(1, 1, livenessd.TooDark), seen(1, 1, livenessd.TooDark)}, 3, true, false, 0, 0, "too_dark"},
		{"nobody", []livenessd.Observation{nobody, nobody}, 2, false, false, 0, 0, "no_face"},
		{"too small", []livenessd.Observation{seen(-1, 50, "")}, 1, false, false, 0, 0, "too_small"},
		{"unreadable", nil, 1, false, false, 0, 0, "unreadable"},
		{"one of two unreadable", []livenessd.Observation{seen(0.6, 50, "")}, 2, false, false, 0.6, 1, ""},
		{"motion of one", []livenessd.Observation{seen(-1, 50, "")}, 1, false, true, 0, 0, "too_few_frames"},
		{"no motion", []livenessd.Observation{seen(-1, 50, ""), seen(-1, 50, "")}, 2, false, true, 0, 0, "no_movement"},
		{"motion of nobody", []livenessd.Observation{nobody, nobody}, 2, false, true, 0, 0, "no_face"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			e := evalFiles{name: dir}
			for i := range tt.files {
				name := filepath.Join(dir, fmt.Sprint(i, ".png"))
				if writePNG(t, name); i >= len(tt.sees) {
					write(t, name, "no pixels")
				}
				e.files = append(e.files, name)
			}
			eyes := fakeEyes(func(n int) (livenessd.Observation, error) { return tt.sees[n], nil })
			complaints, steps := 0, 0
			s := evalScorer{eyes: &eyes, gate: tt.gate, motion: tt.motion, complain: func(error) { complaints++ }, step: func() { steps++ }}
			p, err := s.score(context.Background(), e)
			if err != nil {
				t.Fatal(err)
			}
			if p.Scored != (tt.reason == "") || p.Score != tt.score || p.Frames != tt.frames || p.Reason != tt.reason || p.Of != tt.files {
				t.Errorf("%+v", p)
			}
			if steps != tt.files || complaints != tt.files-len(tt.sees) {
				t.Errorf("%d steps, %d complaints", steps, complaints)
			}
		})
	}
}

// Ensure that a network that fails ends the measurement, and that nobody takes
// its silence for a non-response.
func TestEvalScoreFails(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.png")
	writePNG(t, name)
	broken := errors.New("network failed")
	eyes := fakeEyes(func(int) (livenessd.Observation, error) { return livenessd.Observation{}, broken })
	s := evalScorer{eyes: &eyes, complain: func(error) {}, step: func() {}}
	if _, err := s.score(context.Background(), evalFiles{name, []string{name}}); !errors.Is(err, broken) || !strings.Contains(err.Error(), name) {
		t.Errorf("%v", err)
	}
}

// Ensure that an interrupted evaluation says so and writes nothing.
func TestEvalStops(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.png")
	writePNG(t, name)
	ctx, cancel := context.WithCancel(context.Background())
	eyes := fakeEyes(func(int) (livenessd.Observation, error) { cancel(); return seen(0.5, 50, ""), nil })
	o := &evalOptions{level: "frame"}
	ps, err := o.judge(ctx, &bytes.Buffer{}, &eyes, []evalJob{{evalFiles{name, []string{name, name}}, evaluate.BonaFide, "", 0}})
	if ps != nil || err == nil || !strings.Contains(err.Error(), "stopped after 1 of 2") {
		t.Errorf("%v %v", ps, err)
	}
	dir := tree(t, "live/1.jpg", "print/1.jpg")
	page := filepath.Join(dir, "r.html")
	code, err := evalCommand(ctx, &environment{out: &bytes.Buffer{}, err: &bytes.Buffer{}}, []string{"-live", filepath.Join(dir, "live"), "-attack", filepath.Join(dir, "print"), "-html", page})
	if code != exitFailed || !errors.Is(err, context.Canceled) {
		t.Errorf("exit code %d, %v", code, err)
	}
	if _, err := os.Stat(page); err == nil {
		t.Error("a page was written")
	}
}

// Ensure the bar, and that it is for terminals only.
func TestProgress(t *testing.T) {
	for _, tt := range []struct {
		done, total int
		elapsed     time.Duration
		want        string
	}{
		{0, 100, 0, "[..............................] 0 of 100 pictures, --:-- left"},
		{50, 100, time.Minute, "[###############...............] 50 of 100 pictures, 01:00 left"},
		{100, 100, time.Minute, "[##############################] 100 of 100 pictures, 00:00 left"},
		{1, 1000, 10 * time.Second, "[..............................] 1 of 1000 pictures, 166:30 left"},
	} {
		if got := bar(tt.done, tt.total, tt.elapsed); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	var b bytes.Buffer
	p := newProgress(&b, 10)
	p.show(10)
	p.clear()
	if b.Len() > 0 {
		t.Errorf("wrote %q to what is no terminal", b.String())
	}
}

// drawFrames draws a scene into a folder.
func drawFrames(t *testing.T, dir, scene string, n int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := sim.New(sim.Config{Scene: scene, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.Frame(at)
	for i := range n {
		// Four seconds on, whoever comes has come.
		write(t, filepath.Join(dir, fmt.Sprintf("frame_%d.jpg", i)), string(s.Frame(at.Add(4*time.Second+time.Duration(i)*time.Second/15)).Data))
	}
}

// Ensure the whole command on drawn people: every output, and that the counts
// are those of the folders.
func TestEvalCommand(t *testing.T) {
	models := t.TempDir()
	dir := t.TempDir()
	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	drawFrames(t, in("live", "one"), "person", 3)
	drawFrames(t, in("live"), "person", 1)
	drawFrames(t, in("attacks", "print", "one"), "print", 3)
	drawFrames(t, in("attacks", "tablet"), "tablet", 2)
	writePNG(t, in("attacks", "print", "wall.png"))
	write(t, in("live", "damaged.jpg"), "no pixels")
	args := []string{"eval", "-models", models, "-live", in("live"), "-attack", in("attacks", "print"), in("attacks", "tablet")}

	code, out, errs := cli(t, append(args, "-json", "-html", in("r.html"), "-scores", in("r.csv"))...)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	if !strings.Contains(errs, "damaged.jpg") || strings.Contains(errs, "\r") {
		t.Errorf("said %q", errs)
	}
	var r evaluate.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Presentations != (evaluate.Counts{Total: 7, BonaFide: 3, Attack: 4}) || r.NonResponse.BonaFideReasons["unreadable"] != 1 || r.NonResponse.AttackReasons["no_face"] != 1 {
		t.Errorf("%+v %+v", r.Presentations, r.NonResponse)
	}
	if r.APCER["print"].Of != 1 || r.APCER["tablet"].Of != 2 || r.BPCER.Of != 2 || r.Models["texture"] == "" || r.Threshold == 0 || r.Level != "sequence" {
		t.Errorf("%+v", r)
	}
	file, err := os.Open(in("r.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil || len(lines) != 8 || !slices.Equal(lines[3][1:], []string{"bona_fide", "", lines[3][3], "3", ""}) {
		t.Errorf("scores %v %v", lines, err)
	}
	if page, err := os.ReadFile(in("r.html")); err != nil || !bytes.Contains(page, []byte("<svg")) {
		t.Errorf("page of %d bytes, %v", len(page), err)
	}

	code, out, errs = cli(t, append(args, "-level", "frame", "-threshold", "0.9")...)
	if code != exitOK || !strings.Contains(out, "5 bona fide and 6 attack presentations, judged by texture at threshold 0.9") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	// These people stand still and the sheets too: nothing to judge, no guess.
	code, out, errs = cli(t, append(args, "-motion")...)
	if code != exitMisused || out != "" || !strings.Contains(errs, "no_movement") {
		t.Errorf("-motion: exit code %d: %s%s", code, out, errs)
	}
}

// Ensure that a door's own pictures make a set.json that the daemon takes, that
// judges as the report says, and that too few make none, and still the report.
func TestEvalCalibrate(t *testing.T) {
	dir := t.TempDir()
	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	drawFrames(t, in("live"), "person", 10)
	drawFrames(t, in("print"), "print", 10)
	args := []string{"eval", "-live", in("live"), "-attack", in("print"), "-json", "-models"}
	judge := func(args ...string) (r evaluate.Report) {
		t.Helper()
		code, out, errs := cli(t, args...)
		if code != exitOK {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	none := t.TempDir()
	if err := os.Mkdir(in("set"), 0o700); err != nil {
		t.Fatal(err)
	}
	before := judge(append(args, none, "-calibrate", in("set", "set.json"))...)
	c := before.Calibration
	if c == nil || c.Shift == 0 || !(c.ShiftLow < c.Shift && c.Shift < c.ShiftHigh) {
		t.Fatalf("%+v", c)
	}
	if code, out, errs := cli(t, "model", "-check", in("set")); code != exitOK {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	after := judge(append(args, in("set"))...)
	if after.BPCER != c.BPCER || after.APCERPooled != c.APCERPooled || after.Models["texture"] == before.Models["texture"] || after.Calibration != nil {
		t.Errorf("%+v, judged with it %+v", c, after)
	}

	if err := os.Remove(in("live", "frame_0.jpg")); err != nil {
		t.Fatal(err)
	}
	code, out, errs := cli(t, append(args, none, "-calibrate", in("few.json"))...)
	if code != exitMisused || !strings.Contains(out, `"bpcer"`) || strings.Contains(out, "calibration") || !strings.Contains(errs, "9 bona fide and 10 attack presentations") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	if left, err := filepath.Glob(in("*few*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// Ensure that real people and printed photos are told apart as the card of the
// networks says, by a command that anybody can run.
func TestEvalReal(t *testing.T) {
	models := t.TempDir()
	few := func(source string) string {
		dir := t.TempDir()
		folders, err := filepath.Glob(filepath.Join(needData(t, "nuaa-train", source), "*"))
		if err != nil || len(folders) == 0 {
			t.Fatalf("no folders: %v", err)
		}
		for _, folder := range folders {
			names, err := filepath.Glob(filepath.Join(folder, "*.jpg"))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names[:min(len(names), 2)] {
				data, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				to := filepath.Join(dir, filepath.Base(folder), filepath.Base(name))
				if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, to, string(data))
			}
		}
		return dir
	}
	code, out, errs := cli(t, "eval", "-json", "-models", models, "-live", few("Client"), "-attack", few("Imposter"))
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var r evaluate.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.BPCER.Of != 9 || r.APCERPooled.Of != 9 || r.AUC.Rate < 0.95 {
		t.Errorf("BPCER %+v, APCER %+v, AUC %+v", r.BPCER, r.APCERPooled, r.AUC)
	}
}
