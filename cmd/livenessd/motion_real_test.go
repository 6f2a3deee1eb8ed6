package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"livenessd"
	"livenessd/capture"
	"livenessd/challenge"
)

// surfaces follows faces through pictures and counts what their surfaces say
// of them: each step-th picture is compared with the one taken before.
type surfaces struct {
	eyes           eyes
	face           follower
	pairs          int
	judged, passed int
}

func (s *surfaces) see(t testing.TB, f livenessd.Frame) {
	t.Helper()
	o, err := s.eyes.Follow(f, false, &s.face)
	if err != nil {
		t.Fatal(err)
	}
	s.face.hold()
	if o.Flow == nil {
		return
	}
	s.pairs++
	if m := challenge.JudgeFlow(o.Flow); m.Known {
		s.judged++
		if m.Score >= challenge.MotionThreshold {
			s.passed++
		}
	}
}

// Ensure that the surfaces of people who move their heads are heads', by pairs
// of pictures half a second apart. The bounds leave room below what fit.py saw
// of people left out: these clips were fitted to.
func TestSurfaceOfPeople(t *testing.T) {
	clips, err := filepath.Glob(filepath.Join(needData(t, "clips"), "*.mp4"))
	if err != nil || len(clips) == 0 {
		t.Fatalf("no clips: %v", err)
	}
	s := surfaces{eyes: newEyes(t)}
	for _, clip := range clips {
		s.face = follower{}
		src, err := capture.NewReplay(capture.ReplayConfig{Path: clip})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = src.Stream(context.Background(), func(livenessd.Camera) {}, func(f livenessd.Frame) {
			if n++; n%15 == 0 {
				s.see(t, f)
			}
		})
		if !errors.Is(err, capture.ErrEnd) {
			t.Fatal(err)
		}
	}
	t.Logf("%d pairs, %d judged, %d passed", s.pairs, s.judged, s.passed)
	if s.judged < 20 || s.passed*100 < s.judged*90 {
		t.Error("people are taken for sheets, or not judged")
	}
}

// Ensure that photographs moved and bent by hand are not heads.
func TestSurfaceOfPrintedPhotos(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(needData(t, "nuaa-train", "Imposter"), "*", "*.jpg"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	s := surfaces{eyes: newEyes(t)}
	take := ""
	for _, name := range names { // in the order of their names, which keeps a recording together
		if of := name[:strings.LastIndex(name, "_")]; of != take {
			s.face, take = follower{}, of
		}
		f, err := readPicture(name)
		if err != nil {
			t.Fatal(err)
		}
		s.see(t, f)
	}
	t.Logf("%d pairs, %d judged, %d passed", s.pairs, s.judged, s.passed)
	if s.pairs < 100 || s.passed*100 > s.pairs*4 {
		t.Error("photographs are taken for people")
	}
}
