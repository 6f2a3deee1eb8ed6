package sim

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"testing"
	"time"

	"livenessd"
)

// cue is a view that is shown at a time in seconds.
type cue struct {
	at     float64
	phase  livenessd.Phase
	prompt livenessd.Prompt
}

const (
	idle = livenessd.PhaseIdle
	hold = livenessd.PhaseHold
	move = livenessd.PhaseMove
)

var began = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// play runs a small simulation and takes a picture at each of the times, which
// are seconds from its beginning, and calls see after each.
func play(t *testing.T, cfg Config, times []float64, cues []cue, see func(at float64, f livenessd.Frame, tr Truth)) {
	t.Helper()
	cfg.Width, cfg.Height = 96, 72
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Frame(began)
	for _, at := range times {
		now := moment(at)
		for len(cues) > 0 && cues[0].at <= at {
			s.Show(livenessd.View{Phase: cues[0].phase, Prompt: cues[0].prompt}, moment(cues[0].at))
			cues = cues[1:]
		}
		f := s.Frame(now)
		see(at, f, s.Truth())
	}
}

func moment(at float64) time.Time { return began.Add(time.Duration(at * float64(time.Second))) }

// span counts from one time to another in steps.
func span(from, to, step float64) (times []float64) {
	for i := 0; from+float64(i)*step < to; i++ {
		times = append(times, from+float64(i)*step)
	}
	return times
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Scene: "hologram"}, "hologram"},
		{Config{Width: 63}, "width"},
		{Config{Width: 1921}, "width"},
		{Config{Height: 47}, "height"},
		{Config{Height: -480}, "height"},
		{Config{FPS: 61}, "fps"},
	} {
		_, err := New(c.cfg)
		if !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want ErrInvalid about %s", c.cfg, err, c.want)
		}
	}
	_, err := New(Config{Scene: "hologram"})
	for _, s := range Scenes() {
		if !strings.Contains(err.Error(), s.Name) {
			t.Errorf("the refusal does not name the scene %q: %v", s.Name, err)
		}
	}
}

func TestEverySceneGivesPictures(t *testing.T) {
	for _, sc := range Scenes() {
		if sc.Name == "" || sc.About == "" {
			t.Errorf("scene without words: %+v", sc)
		}
		var arrived bool
		play(t, Config{Scene: sc.Name, Seed: 3}, span(0.5, 4.5, 0.5), nil, func(at float64, f livenessd.Frame, tr Truth) {
			if tr.Settled {
				arrived = true
			}
			if f.Format != livenessd.MJPEG || f.Width != 96 || f.Height != 72 || f.Seq != uint64(at*2+0.5) {
				t.Fatalf("%s: frame at %.1f s: %s %dx%d seq %d", sc.Name, at, f.Format, f.Width, f.Height, f.Seq)
			}
			img, err := jpeg.Decode(bytes.NewReader(f.Data))
			if err != nil || img.Bounds() != image.Rect(0, 0, 96, 72) {
				t.Fatalf("%s: frame at %.1f s does not decode: %v", sc.Name, at, err)
			}
		})
		if arrived == (sc.Name == "nobody") {
			t.Errorf("%s: somebody arrived: %v", sc.Name, arrived)
		}
	}
}

// script asks for one prompt at 5 s.
func script(p livenessd.Prompt) []cue {
	return []cue{{0, idle, livenessd.PromptApproach}, {4, hold, livenessd.PromptStill}, {5, move, p}}
}

func TestObeysInItsOwnLeftAndRight(t *testing.T) {
	type change struct{ yaw, pitch, x, y, z float64 } // from 5 s to 7 s
	noseTo := func(tr Truth) (dx, dy float64) {       // the nose against the eyes, in eye distances
		r, l, n := tr.Landmarks[livenessd.RightEye], tr.Landmarks[livenessd.LeftEye], tr.Landmarks[livenessd.NoseTip]
		d := l.X - r.X
		return (n.X - (l.X+r.X)/2) / d, (n.Y - (l.Y+r.Y)/2) / d
	}
	for _, c := range []struct {
		scene  string
		prompt livenessd.Prompt
		lo, hi change
		noseX  float64 // which way the nose goes in the picture: -1, 1 or 0 for not asked
		noseY  float64
	}{
		{"person", livenessd.PromptTurnLeft, change{yaw: 20, pitch: -6, x: -20, y: -20, z: -20}, change{36, 6, 20, 20, 20}, 1, 0},
		{"person", livenessd.PromptTurnRight, change{yaw: -36, pitch: -6, x: -20, y: -20, z: -20}, change{-20, 6, 20, 20, 20}, -1, 0},
		{"person", livenessd.PromptLookUp, change{-6, 12, -20, -20, -20}, change{6, 25, 20, 20, 20}, 0, -1},
		{"person", livenessd.PromptLookDown, change{-6, -25, -20, -20, -20}, change{6, -12, 20, 20, 20}, 0, 1},
		{"person", livenessd.PromptCloser, change{-6, -6, -20, -20, 50}, change{6, 6, 20, 20, 220}, 0, 0},
		{"person", livenessd.PromptBack, change{-6, -6, -20, -20, -220}, change{6, 6, 20, 20, -50}, 0, 0},
		{"person", livenessd.PromptMoveLeft, change{-6, -6, 25, -20, -20}, change{6, 6, 140, 20, 20}, 0, 0},
		{"person", livenessd.PromptMoveRight, change{-6, -6, -140, -20, -20}, change{6, 6, -25, 20, 20}, 0, 0},
		{"person", livenessd.PromptMoveUp, change{-6, -6, -20, 18, -20}, change{6, 6, 20, 110, 20}, 0, 0},
		{"person", livenessd.PromptMoveDown, change{-6, -6, -20, -110, -20}, change{6, 6, 20, -18, 20}, 0, 0},
		{"person-limited", livenessd.PromptTurnLeft, change{9, -6, -20, -20, -20}, change{20, 6, 20, 20, 20}, 1, 0},
		{"wrong-way", livenessd.PromptTurnLeft, change{-36, -6, -20, -20, -20}, change{-20, 6, 20, 20, 20}, -1, 0},
		{"print", livenessd.PromptTurnLeft, change{20, -6, -20, -20, -20}, change{36, 6, 20, 20, 20}, 0, 0},
		{"too-near", livenessd.PromptBack, change{-6, -6, -20, -20, -20}, change{6, 6, 20, 20, 20}, 0, 0},
		{"too-far", livenessd.PromptCloser, change{-6, -6, -20, -20, -20}, change{6, 6, 20, 20, 20}, 0, 0},
		{"off-centre", livenessd.PromptMoveRight, change{-6, -6, -20, -20, -20}, change{6, 6, 20, 20, 20}, 0, 0},
	} {
		var before, after Truth
		play(t, Config{Scene: c.scene, Seed: 11}, []float64{5, 7}, script(c.prompt), func(at float64, f livenessd.Frame, tr Truth) {
			if at == 5 {
				before = tr
			}
			after = tr
		})
		got := change{after.Pose.Yaw - before.Pose.Yaw, after.Pose.Pitch - before.Pose.Pitch,
			after.Position[0] - before.Position[0], after.Position[1] - before.Position[1], after.Position[2] - before.Position[2]}
		in := func(v, lo, hi float64) bool { return lo <= v && v <= hi }
		if !in(got.yaw, c.lo.yaw, c.hi.yaw) || !in(got.pitch, c.lo.pitch, c.hi.pitch) ||
			!in(got.x, c.lo.x, c.hi.x) || !in(got.y, c.lo.y, c.hi.y) || !in(got.z, c.lo.z, c.hi.z) {
			t.Errorf("%s, %s: changed by %+v, want within %+v .. %+v", c.scene, c.prompt, got, c.lo, c.hi)
		}
		bx, by := noseTo(before)
		ax, ay := noseTo(after)
		if c.noseX != 0 && (ax-bx)*c.noseX < 0.08 || c.noseY != 0 && (ay-by)*c.noseY < 0.08 {
			t.Errorf("%s, %s: the nose went %.2f, %.2f eye distances in the picture", c.scene, c.prompt, ax-bx, ay-by)
		}
	}
}

func TestTabletDoesNotKnowThePrompts(t *testing.T) {
	var with, without []livenessd.Pose
	play(t, Config{Scene: "tablet", Seed: 4}, span(4, 9, 0.2), script(livenessd.PromptLookDown), func(_ float64, _ livenessd.Frame, tr Truth) {
		with = append(with, tr.Pose)
	})
	moved := false
	play(t, Config{Scene: "tablet", Seed: 4}, span(4, 9, 0.2), nil, func(_ float64, _ livenessd.Frame, tr Truth) {
		without = append(without, tr.Pose)
		moved = moved || tr.Settled && tr.Pose.Yaw > 20
	})
	if !moved {
		t.Error("the recording shows no turn of the head")
	}
	for i := range with {
		if with[i].Pitch < -10 && without[i].Pitch > -5 {
			t.Fatalf("picture %d of the recording looks down as it was asked", i)
		}
	}
}

func TestEqualSeedsEqualPictures(t *testing.T) {
	shoot := func(seed int64) (all [][]byte) {
		play(t, Config{Seed: seed}, span(0.5, 7, 0.5), script(livenessd.PromptTurnLeft), func(_ float64, f livenessd.Frame, _ Truth) {
			all = append(all, f.Data)
		})
		return all
	}
	a, b, c := shoot(5), shoot(5), shoot(6)
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			t.Fatalf("picture %d differs between two runs of one seed", i)
		}
		if bytes.Equal(a[i], c[i]) {
			t.Fatalf("picture %d is the same for two seeds", i)
		}
	}
}

func TestOnlyFrozenRepeatsBytes(t *testing.T) {
	for _, scene := range []string{"person", "nobody", "print", "tablet", "frozen"} {
		seen := map[string]bool{}
		repeats, marked, last := 0, 0, false
		play(t, Config{Scene: scene, Seed: 2}, span(4, 13, 0.2), script(livenessd.PromptTurnRight), func(_ float64, f livenessd.Frame, tr Truth) {
			last = seen[string(f.Data)]
			if last {
				repeats++
			}
			if tr.Frozen {
				marked++
			}
			seen[string(f.Data)] = true
		})
		if repeats != marked || (repeats > 10) != (scene == "frozen") || last {
			t.Errorf("%s: %d repeated pictures, %d said to be frozen, the last one repeated: %v", scene, repeats, marked, last)
		}
	}
}

func TestComesLeavesAndComesAgain(t *testing.T) {
	cues := append(script(livenessd.PromptTurnLeft), cue{7, livenessd.PhaseResult, livenessd.PromptLive},
		cue{8.5, livenessd.PhaseRest, livenessd.PromptStepAway}, cue{15, idle, livenessd.PromptApproach})
	first, second := 0, 0
	play(t, Config{Seed: 8}, span(0.2, 20, 0.2), cues, func(at float64, _ livenessd.Frame, tr Truth) {
		switch {
		case at < 0.95 && tr.Present:
			t.Fatalf("somebody is there at %.1f s already", at)
		case at > 4 && at < 7.3 && !tr.Settled:
			t.Fatalf("nobody is there at %.1f s, in the middle of the session", at)
		case at > 11.5 && at < 15 && tr.Present:
			t.Fatalf("somebody is still there at %.1f s, though asked to step away", at)
		}
		if tr.Settled && at < 7 {
			first = tr.Person
		}
		if tr.Settled && at > 15 {
			second = tr.Person
		}
	})
	if first == 0 || second == 0 || first == second {
		t.Errorf("first person %d, then %d; want two different ones", first, second)
	}
}

func TestSpoiledSessions(t *testing.T) {
	cues := append(script(livenessd.PromptTurnLeft), cue{6.5, move, livenessd.PromptBackToCentre}, cue{8, move, livenessd.PromptLookUp})
	for _, scene := range []string{"leaves", "swap"} {
		var before, after Truth
		play(t, Config{Scene: scene, Seed: 9}, span(4, 10.2, 0.3), cues, func(at float64, _ livenessd.Frame, tr Truth) {
			if at < 8 {
				before = tr
			}
			after = tr
		})
		switch scene {
		case "leaves":
			if !before.Settled || after.Present {
				t.Errorf("leaves: %+v, then %+v", before, after)
			}
		case "swap":
			if !after.Settled || before.Person == after.Person {
				t.Errorf("swap: person %d, then %+v", before.Person, after)
			}
		}
	}
}

func TestLightOfScenes(t *testing.T) {
	mean := func(scene string) (m float64) {
		play(t, Config{Scene: scene, Seed: 1}, []float64{4.5}, nil, func(_ float64, f livenessd.Frame, _ Truth) {
			img, err := jpeg.Decode(bytes.NewReader(f.Data))
			if err != nil {
				t.Fatal(err)
			}
			var sum, n float64
			for y := 24; y < 48; y++ {
				for x := 36; x < 60; x++ {
					sum += float64(color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y)
					n++
				}
			}
			m = sum / n
		})
		return m
	}
	if dark, good := mean("too-dark"), mean("person"); dark > 45 || good < 80 || good > 210 {
		t.Errorf("mean brightness of the middle: %.0f in the dark, %.0f in good light", dark, good)
	}
}

func TestStreamWhileTheScreenChanges(t *testing.T) {
	s, err := New(Config{Width: 96, Height: 72, FPS: 60})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			p := livenessd.PromptTurnLeft
			if i%2 == 0 {
				p = livenessd.PromptBackToCentre
			}
			s.Show(livenessd.View{Phase: move, Prompt: p}, time.Now())
			s.Truth()
			time.Sleep(time.Millisecond)
		}
	}()
	var cam livenessd.Camera
	var frames []livenessd.Frame
	err = s.Stream(ctx, func(c livenessd.Camera) { cam = c }, func(f livenessd.Frame) {
		if frames = append(frames, f); len(frames) == 12 {
			cancel()
		}
	})
	cancel()
	<-done
	if err != nil {
		t.Fatalf("Stream ended with %v", err)
	}
	if !cam.Simulated || cam.Driver != "sim" || cam.Width != 96 || cam.Height != 72 {
		t.Errorf("camera: %+v", cam)
	}
	for i := 1; i < len(frames); i++ {
		if !frames[i].At.After(frames[i-1].At) || frames[i].Seq <= frames[i-1].Seq {
			t.Errorf("frame %d does not come after the one before", i)
		}
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	s, err := New(Config{Width: 96, Height: 72})
	if err != nil {
		t.Fatal(err)
	}
	a := s.Frame(began.Add(5 * time.Second))
	b := s.Frame(began)
	if b.At.Before(a.At) || bytes.Equal(a.Data, b.Data) {
		t.Errorf("a picture asked for in the past is dated %v after one of %v", b.At, a.At)
	}
}
