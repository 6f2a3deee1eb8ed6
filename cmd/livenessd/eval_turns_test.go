package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livenessd"
)

// Ensure that a file of turns is taken as it is meant, and that what is wrong
// in it is named by its line.
func TestReadTurns(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "turns.csv")
	tests := []struct{ text, want string }{
		{"folder,direction\npeople/a,left\npeople/b,45.5\n", "180 45.5 0"},
		{filepath.Join(dir, "people", "c") + "/,up\n", "0 0 90"},
		{"", "0 0 0"},
		{"people/a,sideways\n", "line 1: direction is \"sideways\""},
		{"people/a,0\n", "line 1: direction is \"0\""},
		{"people/a,NaN\n", "line 1: direction is \"NaN\""},
		{"people/a,up\npeople/x,up\n", "line 2: \"people/x\" is no folder"},
		{"people/a,up\npeople/a,up\n", "line 2: \"people/a\" comes a second time"},
		{"people/a\n", "wrong number of fields"},
	}
	for _, tt := range tests {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var jobs []evalJob
		for _, name := range []string{"a", "b", "c"} {
			jobs = append(jobs, evalJob{evalFiles: evalFiles{name: filepath.Join(dir, "people", name)}})
		}
		err := readTurns(file, jobs)
		got := fmt.Sprint(jobs[0].truth, " ", jobs[1].truth, " ", jobs[2].truth)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) || err != nil && !strings.Contains(got, file) {
			t.Errorf("%q: %s, want %s", tt.text, got, tt.want)
		}
	}
	if err := os.Truncate(file, maxTurnsBytes+1); err != nil {
		t.Fatal(err)
	}
	if err := readTurns(file, nil); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("a file that is too large: %v", err)
	}
	if err := readTurns(filepath.Join(dir, "none"), nil); err == nil || !strings.Contains(err.Error(), "-turns") {
		t.Errorf("no file: %v", err)
	}
}

// Ensure that a presentation tells where the head turned in the picture that
// is turned most, and nothing where it kept still.
func TestFarthest(t *testing.T) {
	look := func(yaw, pitch float64) livenessd.Observation {
		return livenessd.Observation{Faces: make([]livenessd.Face, 1), Pose: livenessd.Pose{Yaw: yaw, Pitch: pitch}}
	}
	for _, tt := range []struct {
		moves []livenessd.Observation
		want  float64 // 0: nowhere
	}{
		{[]livenessd.Observation{look(0, 0), look(6, 0), look(-20, 0), look(1, 0)}, 180},
		{[]livenessd.Observation{look(5, 0), look(20, 0)}, 360},
		{[]livenessd.Observation{look(5, 5), look(5, 20)}, 90},
		{[]livenessd.Observation{look(5, 5), look(5.5, 5)}, 0},
		{[]livenessd.Observation{look(5, 5)}, 0},
	} {
		got := farthest(tt.moves)
		if (got == 0) != (tt.want == 0) || math.Abs(math.Remainder(got-tt.want, 360)) > 1 {
			t.Errorf("%v, want %v", got, tt.want)
		}
	}
}

func FuzzParseTurns(f *testing.F) {
	f.Add("folder,direction\na,left\n")
	f.Add("\"a\nb\",1e1\n")
	f.Add("a,-0\n")
	f.Fuzz(func(t *testing.T, text string) {
		err := parseTurns(strings.NewReader(text), func(folder string, towards float64) error {
			if !(towards > 0 && towards <= 360) {
				t.Errorf("%q: %v", folder, towards)
			}
			return nil
		})
		if err != nil && err.Error() == "" {
			t.Error("an error without a word")
		}
	})
}
