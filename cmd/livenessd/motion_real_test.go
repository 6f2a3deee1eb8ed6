package main

import (
	"context"
	"encoding/csv"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"livenessd"
	"livenessd/capture"
	"livenessd/challenge"
	"livenessd/pipeline"
)

// known is a picture whose face is told from those of the same recording.
type known struct {
	seen livenessd.Observation
	face pipeline.Cutout
	nose livenessd.Point // where it truly points, as sines; zero in a photograph
}

func knownOf(t testing.TB, e eyes, f livenessd.Frame) (k known) {
	t.Helper()
	var err error
	if k.seen, err = e.AnalyzeWith(f, pipeline.Need{Cutout: &k.face}); err != nil {
		t.Fatal(err)
	}
	return k
}

// compare returns then and now with the Flow from the one to the other.
func compare(t testing.TB, then, now *known) (a, b livenessd.Observation) {
	t.Helper()
	a, b = then.seen, now.seen
	var err error
	if b.Flow, err = pipeline.Track(&then.face, &now.face); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// truths reads where noses point: challenge/fit/README.md says by what. The
// keys are paths within the folder of data, and a frame's number.
func truths(t testing.TB) map[string]map[int]livenessd.Point {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "challenge", "fit", "turns.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]map[int]livenessd.Point{}
	for _, row := range rows[1:] {
		frame, err1 := strconv.Atoi(row[1])
		yaw, err2 := strconv.ParseFloat(row[2], 64)
		pitch, err3 := strconv.ParseFloat(row[3], 64)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		if of[row[0]] == nil {
			of[row[0]] = map[int]livenessd.Point{}
		}
		of[row[0]][frame] = livenessd.Point{X: math.Sin(yaw * math.Pi / 180), Y: -math.Sin(pitch * math.Pi / 180)}
	}
	return of
}

// people returns the recordings of people whose turns are known.
func people(t testing.TB) map[string][]known {
	t.Helper()
	needData(t, "clips")
	e := newEyes(t)
	recordings := map[string][]known{}
	truths := truths(t)
	for _, name := range slices.Sorted(maps.Keys(truths)) {
		noses := truths[name]
		path := filepath.Join(needData(t), filepath.FromSlash(name))
		see := func(f livenessd.Frame, i int) {
			nose, ok := noses[i]
			if k := knownOf(t, e, f); ok && !k.face.Empty() {
				k.nose = nose
				recordings[recordingOf(name)] = append(recordings[recordingOf(name)], k)
			}
		}
		if !strings.HasSuffix(name, ".mp4") {
			f, err := readPicture(path)
			if err != nil {
				t.Fatal(err)
			}
			see(f, 0)
			continue
		}
		src, err := capture.NewReplay(capture.ReplayConfig{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		n := -1
		err = src.Stream(context.Background(), func(livenessd.Camera) {}, func(f livenessd.Frame) {
			if n++; n%(4*stride) == 0 { // every second one is known
				see(f, n)
			}
		})
		if !errors.Is(err, capture.ErrEnd) {
			t.Fatal(err)
		}
	}
	return recordings
}

// recordingOf names the film, or what a picture's name has before its number.
func recordingOf(name string) string {
	if i := strings.LastIndex(name, "_"); i >= 0 {
		return name[:i]
	}
	return name
}

// Ensure that two pictures of a person whose head turned by five degrees and
// more, by another measure, tell where it turned and that it was a head. What
// was judged was fitted to these people; challenge/fit/README.md says what it
// said of those that were left out. d10.mp4 is told apart: its brows move the
// other measure.
func TestTurnsOfPeople(t *testing.T) {
	type count struct{ pairs, right, opposite, judged, passed int }
	counts := map[string]*count{"clips": {}, "d10.mp4": {}, "webcams": {}}
	rng := rand.New(rand.NewPCG(1, 2))
	recordings := people(t)
	for _, name := range slices.Sorted(maps.Keys(recordings)) {
		seen := recordings[name]
		c := counts["webcams"]
		switch {
		case strings.HasSuffix(name, "d10.mp4"):
			c = counts["d10.mp4"]
		case strings.HasSuffix(name, ".mp4"):
			c = counts["clips"]
		}
		for range 3 * len(seen) {
			then, now := &seen[rng.IntN(len(seen))], &seen[rng.IntN(len(seen))]
			turn := livenessd.Point{X: now.nose.X - then.nose.X, Y: now.nose.Y - then.nose.Y}
			if math.Hypot(turn.X, turn.Y) < math.Sin(5*math.Pi/180) {
				continue
			}
			a, b := compare(t, then, now)
			c.pairs++
			if towards, _, ok := challenge.Moved(&a, &b); ok {
				off := math.Abs(math.Remainder(towards-math.Atan2(-turn.Y, turn.X)*180/math.Pi, 360))
				if off <= 45 {
					c.right++
				}
				if off > 90 {
					c.opposite++
				}
			}
			if score, ok := challenge.MotionScore([]livenessd.Observation{a, b}); ok {
				c.judged++
				if score >= challenge.MotionThreshold {
					c.passed++
				}
			}
		}
	}
	var all count
	for name, c := range counts {
		t.Logf("%s: of %d pairs 5° and more apart %d within 45° of the direction, %d beyond 90°; %d judged, %d heads",
			name, c.pairs, c.right, c.opposite, c.judged, c.passed)
		if name != "d10.mp4" {
			all = count{all.pairs + c.pairs, all.right + c.right, all.opposite + c.opposite, all.judged + c.judged, all.passed + c.passed}
		}
	}
	if all.pairs < 100 || all.right*100 < all.pairs*96 || all.passed*100 < all.pairs*92 {
		t.Errorf("directions are wrong, or people are taken for sheets: %+v", all)
	}
}

// Ensure that photographs moved and bent by hand are not heads.
func TestSurfaceOfPrintedPhotos(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(needData(t, "nuaa-train", "Imposter"), "*", "*.jpg"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	e := newEyes(t)
	takes := map[string][]known{}
	for _, name := range names {
		f, err := readPicture(name)
		if err != nil {
			t.Fatal(err)
		}
		if k := knownOf(t, e, f); !k.face.Empty() {
			takes[recordingOf(name)] = append(takes[recordingOf(name)], k)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	pairs, judged, passed := 0, 0, 0
	for _, name := range slices.Sorted(maps.Keys(takes)) {
		seen := takes[name]
		for range 20 {
			i, j := rng.IntN(len(seen)), rng.IntN(len(seen))
			if i == j {
				continue
			}
			a, b := compare(t, &seen[i], &seen[j])
			pairs++
			if score, ok := challenge.MotionScore([]livenessd.Observation{a, b}); ok {
				judged++
				if score >= challenge.MotionThreshold {
					passed++
				}
			}
		}
	}
	t.Logf("%d pairs of photographs moved by hand: %d judged, %d heads", pairs, judged, passed)
	if pairs < 100 || passed*100 > pairs*4 {
		t.Error("photographs are taken for people")
	}
}
