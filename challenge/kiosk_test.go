package challenge

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"livenessd"
)

// Ensure that a person who does what is asked is live, whatever is drawn.
func TestPersonIsLive(t *testing.T) {
	for seed := range uint64(50) {
		th := newTheatre(t, seed, nil)
		th.react = obey(asAsked)
		r := th.result()
		if r.Outcome != livenessd.Live || len(r.Reasons) != 0 || r.Attempt != 1 {
			t.Fatalf("seed %d: %s %v in attempt %d, movements %v", seed, r.Outcome, r.Reasons, r.Attempt, r.Movements)
		}
		if r.Duration <= 0 || r.Duration > 15*time.Second {
			t.Errorf("seed %d took %v", seed, r.Duration)
		}
		if n := len(r.Movements); n < 2 || n > 3 {
			t.Errorf("seed %d: %d movements", seed, n)
		}
		for _, s := range r.Stages {
			if s.Outcome != livenessd.Live || s.Score < s.Threshold {
				t.Errorf("seed %d: stage %+v under a live result", seed, s)
			}
		}
	}
}

// Ensure that the surface of a head that turns and nods speaks for it.
func TestPersonWhoseSurfaceIsFollowed(t *testing.T) {
	for seed := range uint64(3) {
		th := newTheatre(t, seed, nil)
		th.react = obey(asAsked)
		th.a.surface = func(yaw, pitch float64) thing { return alive(turned(face, yaw, pitch)) }
		if r := th.result(); r.Outcome != livenessd.Live || r.Attempt != 1 {
			t.Errorf("seed %d: %s %v in attempt %d, movements %v", seed, r.Outcome, r.Reasons, r.Attempt, r.Movements)
		}
	}
}

// Ensure that who can hardly move the neck passes where a caller said so, and
// nowhere else; and that everything else of the challenge stays.
func TestReduced(t *testing.T) {
	slightly := func(d livenessd.Direction) (yaw, pitch float64) {
		yaw, pitch = asAsked(d)
		return yaw * 0.45, pitch * 0.5
	}
	for _, tt := range []struct {
		reduced bool
		angle   func(livenessd.Direction) (yaw, pitch float64)
		surface func(x, y float64) float64
		want    livenessd.Outcome
	}{
		{true, slightly, face, livenessd.Live},
		{false, slightly, face, livenessd.NotLive},
		{true, func(d livenessd.Direction) (yaw, pitch float64) { yaw, pitch = slightly(d); return -yaw, -pitch }, face, livenessd.NotLive},
		{true, slightly, bow(0.5), livenessd.NotLive},
	} {
		th := newTheatre(t, 11, func(c *Config) { c.OnRequest = true })
		th.react = obey(tt.angle)
		th.a.surface = func(yaw, pitch float64) thing { return alive(turned(tt.surface, yaw, pitch)) }
		if err := th.k.Request("r", "", tt.reduced, th.now, th.now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if r := th.result(); r.Outcome != tt.want || r.Reduced != tt.reduced {
			t.Errorf("reduced %v: %s %v, %v", tt.reduced, r.Outcome, r.Reasons, r.Movements)
		}
	}
}

// Ensure that the camera may look up or down at somebody, as at a child.
func TestStraightLookIsOnesOwn(t *testing.T) {
	for _, look := range []livenessd.Pose{{Pitch: 14}, {Pitch: -14, Yaw: 6}} {
		th := newTheatre(t, 5, nil)
		th.react = obey(asAsked)
		th.a.look = look
		if r := th.result(); r.Outcome != livenessd.Live || r.Attempt != 1 {
			t.Errorf("%+v: %s %v in attempt %d", look, r.Outcome, r.Reasons, r.Attempt)
		}
	}
}

// Ensure that nothing is asked of a head that sways all the time within the
// centre: what comes next would be no answer.
func TestMustRest(t *testing.T) {
	th := newTheatre(t, 3, nil)
	th.react = func(th *theatre) {
		th.a.pose = livenessd.Pose{}
		if th.view.Phase == livenessd.PhaseMove {
			th.a.pose.Yaw = 8 * math.Sin(7*th.now.Sub(epoch).Seconds())
		}
	}
	r := th.result()
	if r.Outcome != livenessd.NotLive || !slices.Contains(r.Reasons, livenessd.NoMovement) {
		t.Errorf("%s %v", r.Outcome, r.Reasons)
	}
	for _, v := range th.shown {
		if v.Arrow != "" {
			t.Errorf("asked to %s", v.Prompt)
		}
	}
}

// Ensure that each way to spoil a session ends in its own outcome and reason,
// and never in live.
func TestOutcomes(t *testing.T) {
	after := func(d time.Duration, then func(*theatre)) func(*theatre) {
		do := obey(asAsked)
		var start time.Time
		return func(th *theatre) {
			do(th)
			if th.view.Phase != livenessd.PhaseMove {
				return
			}
			if start.IsZero() {
				start = th.now
			}
			if th.now.Sub(start) >= d {
				then(th)
			}
		}
	}
	tests := []struct {
		name    string
		react   func(*theatre)
		actor   func(*actor)
		outcome livenessd.Outcome
		reason  livenessd.Reason
	}{
		{"texture of a print", obey(asAsked), func(a *actor) { a.texture = 0.1 }, livenessd.NotLive, livenessd.TextureRejected},
		{"no texture network", obey(asAsked), func(a *actor) { a.texture = -1 }, livenessd.Retry, livenessd.TooFewFrames},
		{"texture is not a number", obey(asAsked), func(a *actor) { a.texture = nan() }, livenessd.NotLive, livenessd.TextureRejected},
		{"stands still", obey(notAtAll), nil, livenessd.NotLive, livenessd.NoMovement},
		{"turns the wrong way", obey(theOtherWay), nil, livenessd.NotLive, livenessd.WrongMovement},
		{"bent sheet with a nose stuck on it", obey(asAsked), func(a *actor) {
			a.surface = func(yaw, pitch float64) thing { return turned(bow(0.5), yaw, pitch) }
		}, livenessd.NotLive, livenessd.FlatMotion},
		{"tilted sheet with a nose stuck on it", obey(asAsked), func(a *actor) {
			a.surface = func(yaw, pitch float64) thing { return turned(sheet, yaw, pitch) }
		}, livenessd.NotLive, livenessd.FlatMotion},
		{"flat thing turned as asked", obey(asAsked), func(a *actor) { a.flat = true }, livenessd.NotLive, livenessd.FlatMotion},
		{"two people from the start", obey(asAsked), func(a *actor) { a.second = true }, livenessd.Retry, livenessd.SeveralFaces},
		{"second face later", after(time.Second, func(th *theatre) { th.a.second = true }), nil, livenessd.Retry, livenessd.SeveralFaces},
		{"somebody else takes over", after(time.Second, func(th *theatre) { th.a.x = 80 }), nil, livenessd.Retry, livenessd.FaceChanged},
		{"another face in the same place", after(0, func(th *theatre) { th.a.blur = 0.05 }), func(a *actor) {
			a.surface = func(yaw, pitch float64) thing { return alive(turned(face, yaw, pitch)) }
		}, livenessd.Retry, livenessd.FaceChanged},
		{"walks away", after(time.Second, func(th *theatre) { th.a.absent = true }), nil, livenessd.Retry, livenessd.FaceLost},
		{"feed stands still", after(time.Second, func(th *theatre) { th.seq = 3000 }), nil, livenessd.Retry, livenessd.FrozenFeed},
		{"feed is played again", after(time.Second, func(th *theatre) {
			if th.seq > 12 {
				th.seq = 4
			}
		}), nil, livenessd.Retry, livenessd.RepeatedFeed},
		{"time jumps forward", after(time.Second, func(th *theatre) { th.now = th.now.Add(5 * time.Second) }), nil, livenessd.Retry, livenessd.TimeJump},
		{"time jumps back", after(time.Second, func(th *theatre) { th.now = th.now.Add(-time.Second) }), nil, livenessd.Retry, livenessd.TimeJump},
		{"too dark", obey(asAsked), func(a *actor) { a.flaw = livenessd.TooDark }, livenessd.Retry, livenessd.TooDark},
		{"too far", obey(asAsked), func(a *actor) { a.flaw = livenessd.TooFar }, livenessd.Retry, livenessd.TooFar},
		{"covered", obey(asAsked), func(a *actor) { a.flaw = livenessd.Occluded }, livenessd.Retry, livenessd.Occluded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			th := newTheatre(t, 7, nil)
			th.react = tt.react
			if tt.actor != nil {
				tt.actor(th.a)
			}
			r := th.result()
			if r.Outcome != tt.outcome || !slices.Contains(r.Reasons, tt.reason) {
				t.Errorf("%s %v, want %s with %s; stages %+v", r.Outcome, r.Reasons, tt.outcome, tt.reason, r.Stages)
			}
			if len(r.Stages) != 4 {
				t.Errorf("%d stages", len(r.Stages))
			}
		})
	}
}

// Ensure that the wrong way is forgiven once.
func TestSecondChance(t *testing.T) {
	th := newTheatre(t, 3, nil)
	wrong, right := obey(theOtherWay), obey(asAsked)
	again := false
	th.react = func(th *theatre) {
		if th.view.Prompt == livenessd.PromptTryAgain {
			again = true
			if th.view.Reason != livenessd.WrongMovement {
				t.Errorf("try again because of %q", th.view.Reason)
			}
		}
		if again {
			right(th)
		} else {
			wrong(th)
		}
	}
	if r := th.result(); r.Outcome != livenessd.Live || r.Attempt != 2 {
		t.Errorf("%s %v in attempt %d", r.Outcome, r.Reasons, r.Attempt)
	}
}

// Ensure that a movement that was under way before the prompt is no answer: a
// recording does not know when it will be asked.
func TestTooEarly(t *testing.T) {
	th := newTheatre(t, 3, nil)
	th.react = func(th *theatre) {
		m := th.k.session
		if m == nil || m.moves == nil {
			th.a.pose = livenessd.Pose{}
			return
		}
		if m.moves.asked { // knows it in the same instant
			th.a.pose.Yaw, th.a.pose.Pitch = asAsked(m.moves.steps[m.moves.i])
		} else {
			th.a.pose = livenessd.Pose{}
		}
	}
	r := th.result()
	if r.Outcome != livenessd.NotLive || !slices.Contains(r.Reasons, livenessd.TooEarly) {
		t.Errorf("%s %v", r.Outcome, r.Reasons)
	}
}

// Ensure that prompts can be read: none is replaced by another of the same
// phase before its time, however the flaws flicker.
func TestNoFlicker(t *testing.T) {
	th := newTheatre(t, 1, nil)
	flaws := []livenessd.Reason{livenessd.TooDark, livenessd.TooFar, "", livenessd.Blurred}
	th.react = func(th *theatre) { th.a.flaw = flaws[th.seq%4] }
	th.run(12 * time.Second)
	for i := 1; i < len(th.shown); i++ {
		a, b := th.shown[i-1], th.shown[i]
		if b.Reason != "" {
			t.Errorf("a reason, %s, beside the prompt %s", b.Reason, b.Prompt)
		}
		if a.Phase == b.Phase && th.times[i].Sub(th.times[i-1]) < DefaultConfig().PromptShow {
			t.Errorf("%s was replaced by %s after %v", a.Prompt, b.Prompt, th.times[i].Sub(th.times[i-1]))
		}
	}
}

// Ensure that the screen warns before a limit and not before that.
func TestWarning(t *testing.T) {
	th := newTheatre(t, 1, nil)
	th.a.flaw = livenessd.TooDark
	th.run(10 * time.Second)
	if th.view.Warning {
		t.Error("warned after 10 of 15 seconds")
	}
	th.run(4 * time.Second)
	if !th.view.Warning {
		t.Error("not warned after 14 of 15 seconds")
	}
}

// Ensure that the screen warns before the end of the whole session, too, and
// that it ends then, whatever its parts may still take.
func TestTotalLimit(t *testing.T) {
	th := newTheatre(t, 1, func(c *Config) { c.TotalLimit = 10 * time.Second })
	th.a.flaw = livenessd.TooDark
	th.run(6 * time.Second)
	if th.view.Warning {
		t.Error("warned after 6 of 10 seconds")
	}
	th.run(3 * time.Second)
	if !th.view.Warning {
		t.Error("not warned after 9 of 10 seconds")
	}
	begin := th.now
	r := th.result()
	if took := th.now.Sub(begin); r.Outcome != livenessd.Retry || !slices.Contains(r.Reasons, livenessd.TimedOut) || took > 2*time.Second {
		t.Errorf("%s %v after %v more", r.Outcome, r.Reasons, took)
	}
}

// Ensure that five failures lock the kiosk, and that the lock ends.
func TestLock(t *testing.T) {
	th := newTheatre(t, 1, func(c *Config) { c.LockFor = 30 * time.Second; c.RestLimit = time.Second })
	th.a.texture = 0.1
	for range 5 {
		if r := th.result(); r.Outcome != livenessd.NotLive {
			t.Fatal(r.Outcome)
		}
	}
	th.run(6 * time.Second)
	if th.view.Phase != livenessd.PhaseLocked || th.view.Until.IsZero() {
		t.Fatalf("after 5 failures: %+v", th.view)
	}
	if err := th.k.Request("x", "", false, th.now, th.now.Add(time.Minute)); !errors.Is(err, livenessd.ErrBusy) {
		t.Errorf("request while locked: %v", err)
	}
	th.take(th.k.NotReady(livenessd.CameraLost, th.now))
	th.frame()
	if th.view.Phase != livenessd.PhaseLocked {
		t.Error("a lost camera opens the lock")
	}
	th.run(30 * time.Second)
	if th.view.Phase == livenessd.PhaseLocked {
		t.Error("still locked after its time")
	}
	var types []livenessd.EventType
	for _, e := range th.log {
		if e.Type == livenessd.EventLocked || e.Type == livenessd.EventUnlocked {
			types = append(types, e.Type)
		}
	}
	if !slices.Equal(types, []livenessd.EventType{livenessd.EventLocked, livenessd.EventUnlocked}) {
		t.Errorf("events %v", types)
	}
}

// Ensure that bad light and leaving do not lock a kiosk out.
func TestNoLockForRetries(t *testing.T) {
	th := newTheatre(t, 1, nil)
	th.a.flaw = livenessd.TooDark
	for range 7 {
		th.result()
	}
	th.run(6 * time.Second)
	if th.view.Phase == livenessd.PhaseLocked {
		t.Error("locked by darkness")
	}
}

// Ensure that a session asked for waits, expires, can be cancelled, and is
// refused while another runs.
func TestRequest(t *testing.T) {
	th := newTheatre(t, 1, func(c *Config) { c.OnRequest = true })
	th.run(3 * time.Second)
	if th.view.Phase != livenessd.PhaseIdle {
		t.Fatalf("started without a request: %+v", th.view)
	}
	ask := func(id string) error { return th.k.Request(id, "ref", false, th.now, th.now.Add(10*time.Second)) }
	if err := ask("a"); err != nil {
		t.Fatal(err)
	}
	if err := ask("b"); !errors.Is(err, livenessd.ErrBusy) {
		t.Errorf("second request: %v", err)
	}
	th.react = obey(asAsked)
	if r := th.result(); r.Session != "a" || r.Reference != "ref" || r.Outcome != livenessd.Live {
		t.Errorf("%+v", r)
	}
	th.a.absent = true
	th.run(10 * time.Second)
	if err := ask("c"); err != nil {
		t.Fatal(err)
	}
	if r := th.result(); r.Session != "c" || r.Outcome != livenessd.Retry || !slices.Contains(r.Reasons, livenessd.TimedOut) {
		t.Errorf("expired: %+v", r)
	}
	th.run(10 * time.Second)
	if err := ask("d"); err != nil {
		t.Fatal(err)
	}
	if _, err := th.k.Cancel("x", th.now); !errors.Is(err, livenessd.ErrNotFound) {
		t.Errorf("cancel of another: %v", err)
	}
	out, err := th.k.Cancel("d", th.now)
	if err != nil || len(out.Events) != 1 || out.Events[0].Result.Outcome != livenessd.Retry {
		t.Errorf("cancel: %+v %v", out, err)
	}
}

// Ensure that a lost camera ends the session undecided and that the kiosk
// comes back.
func TestCameraLost(t *testing.T) {
	th := newTheatre(t, 1, nil)
	th.run(2 * time.Second)
	out := th.k.NotReady(livenessd.CameraLost, th.now)
	if len(out.Events) != 1 || out.Events[0].Result.Outcome != livenessd.Retry || out.View.Phase != livenessd.PhaseNotReady {
		t.Fatalf("%+v", out)
	}
	if err := th.k.Request("x", "", false, th.now, th.now.Add(time.Minute)); !errors.Is(err, livenessd.ErrNotReady) {
		t.Errorf("request without a camera: %v", err)
	}
	th.now = th.now.Add(10 * time.Second)
	th.react = obey(asAsked)
	if r := th.result(); r.Outcome != livenessd.Live {
		t.Errorf("after the camera came back: %s %v", r.Outcome, r.Reasons)
	}
}

// Ensure that a feed that stands still is seen without anybody in front.
func TestFrozenWhileIdle(t *testing.T) {
	th := newTheatre(t, 1, nil)
	th.a.absent = true
	th.run(time.Second)
	th.react = func(th *theatre) { th.seq = 500 }
	th.run(time.Second)
	if th.view.Phase != livenessd.PhaseNotReady || th.view.Reason != livenessd.FrozenFeed {
		t.Errorf("%+v", th.view)
	}
	th.react = nil
	th.run(time.Second)
	if th.view.Phase != livenessd.PhaseIdle {
		t.Errorf("after the thaw: %+v", th.view)
	}
}

// Ensure that a camera is known to be well again where judging one picture
// takes longer than the longest pause; and that one which stands still is not.
func TestBackOnASlowMachine(t *testing.T) {
	th := newTheatre(t, 1, nil)
	th.a.absent = true
	th.run(time.Second)
	slow := func() {
		th.now = th.now.Add(2 * DefaultConfig().MaxPause)
		th.frame()
	}
	th.take(th.k.NotReady(livenessd.FrozenFeed, th.now))
	for range 3 {
		th.seq-- // the picture before came again
		slow()
	}
	if th.view.Phase != livenessd.PhaseNotReady || th.view.Reason != livenessd.FrozenFeed {
		t.Errorf("standing still: %+v", th.view)
	}
	slow()
	if th.view.Phase != livenessd.PhaseIdle {
		t.Errorf("moving again: %+v", th.view)
	}
}

// Ensure that a result nobody could record is not shown as one.
func TestUnrecorded(t *testing.T) {
	th := newTheatre(t, 1, nil)
	th.react = obey(asAsked)
	th.result()
	if v := th.k.Unrecorded(th.now); v.Outcome != livenessd.Retry || v.Prompt != livenessd.PromptRetry {
		t.Errorf("%+v", v)
	}
}

// Ensure that the AND has no hole.
func TestCombine(t *testing.T) {
	names := []string{livenessd.StageQuality, livenessd.StageTexture, livenessd.StageMotion, livenessd.StageTrack}
	all := func(o livenessd.Outcome) []livenessd.Stage {
		var ss []livenessd.Stage
		for _, n := range names {
			ss = append(ss, livenessd.Stage{Name: n, Outcome: o})
		}
		return ss
	}
	if got := Combine(all(livenessd.Live)); got != livenessd.Live {
		t.Errorf("all live: %s", got)
	}
	if got := Combine(nil); got != livenessd.Retry {
		t.Errorf("none: %s", got)
	}
	for i, n := range names {
		ss := all(livenessd.Live)
		if got := Combine(slices.Delete(slices.Clone(ss), i, i+1)); got != livenessd.Retry {
			t.Errorf("without %s: %s", n, got)
		}
		for _, o := range []livenessd.Outcome{livenessd.NotLive, livenessd.Retry, "", "yes"} {
			ss[i].Outcome = o
			want := livenessd.Retry
			if o == livenessd.NotLive {
				want = o
			}
			if got := Combine(ss); got != want {
				t.Errorf("%s %q: %s", n, o, got)
			}
		}
	}
	twice := append(all(livenessd.Live), livenessd.Stage{Name: livenessd.StageTexture, Outcome: livenessd.Live})
	if got := Combine(twice); got != livenessd.Retry {
		t.Errorf("a stage told twice: %s", got)
	}
}

// Ensure that a thing on the wall that is taken for a face is judged less and
// less often and locks nobody out, that whoever steps up beside it is served
// at once, and that stepping away makes all as it was.
func TestThingOnTheWall(t *testing.T) {
	for name, thing := range map[string]func(a *actor){
		"a portrait":    func(a *actor) { a.texture = 0.1 },
		"a dark poster": func(a *actor) { a.flaw = livenessd.TooDark },
	} {
		t.Run(name, func(t *testing.T) {
			th := newTheatre(t, 1, nil)
			results := func() (n int) {
				for _, e := range th.log {
					if e.Result != nil {
						n++
					}
					if e.Type == livenessd.EventLocked {
						t.Fatalf("locked after %d results", n)
					}
				}
				return n
			}
			thing(th.a)
			th.a.x = 200
			th.run(time.Hour)
			if n := results(); n < 5 || n > 30 {
				t.Errorf("%d results in an hour", n)
			}
			if th.view.Phase != livenessd.PhaseRest {
				th.result()
				th.run(10 * time.Second)
			}

			wall := *th.a
			*th.a = *newActor()
			th.a.x, th.a.size = 400, 100 // a visitor, larger than the thing
			th.react = obey(asAsked)
			begin := th.now
			if r := th.result(); r.Outcome != livenessd.Live || th.now.Sub(begin) > 20*time.Second {
				t.Errorf("the visitor was %s after %v", r.Outcome, th.now.Sub(begin))
			}
			th.run(5 * time.Second)
			*th.a, th.react = wall, nil
			begin = th.now
			if th.result(); th.now.Sub(begin) > time.Minute {
				t.Errorf("the next one came after %v", th.now.Sub(begin))
			}
		})
	}
}
