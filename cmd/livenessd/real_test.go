package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"livenessd"
	"livenessd/capture"
	"livenessd/challenge"
	"livenessd/store"
)

// needData returns a folder of real pictures, or skips.
func needData(t testing.TB, parts ...string) string {
	t.Helper()
	dir := filepath.Join(append([]string{"../../../shared/data"}, parts...)...)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: real pictures are not there: %v", err)
	}
	return dir
}

// observe plays a recording through the pipeline as fast as possible.
func observe(t testing.TB, path string, see func(*livenessd.Observation)) int {
	t.Helper()
	p := newEyes(t)
	src, err := capture.NewReplay(capture.ReplayConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = src.Stream(context.Background(), func(livenessd.Camera) {}, func(f livenessd.Frame) {
		n++
		if n%stride != 0 {
			return
		}
		o, err := p.Analyze(f, false)
		if err != nil {
			t.Fatal(err)
		}
		see(&o)
	})
	if !errors.Is(err, capture.ErrEnd) {
		t.Fatal(err)
	}
	return n
}

// Ensure that one person talking and turning in front of a camera is one track
// from the first frame to the last.
func TestClipsAreOneTrack(t *testing.T) {
	clips, err := filepath.Glob(filepath.Join(needData(t, "clips"), "*.mp4"))
	if err != nil || len(clips) == 0 {
		t.Fatalf("no clips: %v", err)
	}
	for _, clip := range clips {
		t.Run(filepath.Base(clip), func(t *testing.T) {
			track := challenge.NewTrack(challenge.DefaultConfig())
			without := 0
			n := observe(t, clip, func(o *livenessd.Observation) {
				if len(o.Faces) == 0 {
					without++
				}
				if why := track.Step(o); why != "" {
					t.Errorf("frame %d: the track broke: %s", o.Seq, why)
					track = challenge.NewTrack(challenge.DefaultConfig())
				}
			})
			t.Logf("%d frames, %d without a face", n, without)
			if n < 100 {
				t.Errorf("only %d frames were played", n)
			}
		})
	}
}

// Ensure that printed photographs in front of the camera never become live,
// whoever holds them and however they are moved, in the very daemon that runs.
func TestPrintedPhotosAreNeverLive(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(needData(t, "nuaa-train", "Imposter"), "*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no folders: %v", err)
	}
	outcomes := map[livenessd.Outcome]int{}
	for _, folder := range folders {
		for _, r := range replay(t, folder) {
			outcomes[r.Outcome]++
			if r.Outcome == livenessd.Live {
				t.Errorf("%s: a printed photograph is live: %+v", folder, r)
			}
		}
	}
	t.Logf("%d folders: %v", len(folders), outcomes)
	if outcomes[livenessd.NotLive] == 0 {
		t.Error("not one photograph was judged: the test shows nothing")
	}
}

// replay runs the daemon on a folder of pictures, as fast as they can be
// judged, and returns its results.
func replay(t testing.TB, path string) []livenessd.Result {
	t.Helper()
	cfg := defaultConfig()
	cfg.Camera.Source, cfg.Camera.ReplaySpeed, cfg.Camera.FPS = "replay:"+path, 0, 12
	cfg.Models.Dirs = []string{t.TempDir()}
	cfg.Store.Path = filepath.Join(t.TempDir(), "livenessd.db")
	cfg.Page.Listen = "127.0.0.1:0"
	cfg.Session.LockFailures = 0 // every picture shall have its chance
	if err := run(context.Background(), cfg, slog.New(slog.DiscardHandler), io.Discard, nil); err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenReadOnly(cfg.Store.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all []livenessd.Result
	cursor := ""
	for {
		page, next, err := s.Results(cursor, 100, false)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		cursor = next
	}
}
