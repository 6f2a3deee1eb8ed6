package challenge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"livenessd"
)

// actor is a person, or a thing, in front of a camera that is never drawn:
// only what the pipeline would say about it.
type actor struct {
	pose    livenessd.Pose // against look
	look    livenessd.Pose // what landmarks say of the straight look
	flat    bool           // the landmarks move as those of a sheet of paper
	x, size float64
	absent  bool
	second  bool
	flaw    livenessd.Reason
	texture float64                        // -1: not computed
	surface func(yaw, pitch float64) thing // what is followed from the straight look on; nil: nothing is
	blur    float64                        // how badly it is found again, in eye distances
}

func newActor() *actor { return &actor{size: 90, x: 320, texture: 0.9} }

// observe projects five points of a head: units are inter-eye distances, x to
// the right of the picture, y down, z towards the lens; the camera is 8 away.
func (a *actor) observe(seq uint64, at time.Time) *livenessd.Observation {
	o := &livenessd.Observation{Seq: seq, At: at, Width: 640, Height: 480, Digest: seq + 1, Pose: a.pose}
	o.Pose.Yaw, o.Pose.Pitch = o.Pose.Yaw+a.look.Yaw, o.Pose.Pitch+a.look.Pitch
	if a.absent {
		return o
	}
	depth := noseDepth
	if a.flat {
		depth = 0
	}
	var f livenessd.Face
	model := [livenessd.Landmarks][3]float64{{-.5, 0, 0}, {.5, 0, 0}, {0, .55, depth}, {-.4, 1.05, 0}, {.4, 1.05, 0}}
	sy, cy := math.Sincos(a.pose.Yaw * math.Pi / 180)
	sp, cp := math.Sincos(a.pose.Pitch * math.Pi / 180)
	for i, p := range model {
		x, z := p[0]*cy+p[2]*sy, -p[0]*sy+p[2]*cy
		y, z := p[1]*cp-z*sp, p[1]*sp+z*cp
		k := 8 / (8 - z) * a.size
		f.Landmarks[i] = livenessd.Point{X: a.x + x*k, Y: 200 + y*k}
	}
	f.Box = livenessd.Rect{X: a.x - a.size, Y: 140, W: 2 * a.size, H: 2.5 * a.size}
	f.Score = 0.95
	o.Faces = []livenessd.Face{f}
	o.Quality = []livenessd.Measure{{Name: livenessd.SingleFacePresent, Score: 100}, {Name: livenessd.Sharpness, Score: 80}}
	if a.second {
		o.Faces = append(o.Faces, livenessd.Face{Box: livenessd.Rect{X: 10, Y: 100, W: 150, H: 200}, Score: 0.9})
		o.Quality[0].Score, o.Quality[0].Reason = 0, livenessd.SeveralFaces
	}
	if a.flaw != "" {
		o.Quality[1].Score, o.Quality[1].Reason = 10, a.flaw
	}
	if a.texture != -1 {
		o.Texture = &livenessd.Score{Value: a.texture, Threshold: 0.5, Model: "m"}
	}
	if a.surface != nil {
		rng := rand.New(rand.NewPCG(seq, 3))
		o.Flow = flowOf(a.surface(0, 0), a.surface(a.pose.Yaw, a.pose.Pitch), 0.004+a.blur, rng)
	}
	return o
}

// theatre runs a kiosk against an actor at 15 frames a second of invented time.
type theatre struct {
	t     *testing.T
	k     *Kiosk
	a     *actor
	now   time.Time
	seq   uint64
	log   []livenessd.Event
	view  livenessd.View
	shown []livenessd.View // each change of prompt, phase or reason
	times []time.Time

	react func(th *theatre) // moves the actor before each frame
}

const tick = time.Second / 15

var epoch = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func newTheatre(t *testing.T, seed uint64, change func(*Config)) *theatre {
	t.Helper()
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	n := 0
	k, err := NewKiosk(cfg, rand.New(rand.NewPCG(seed, 1)), func() string { n++; return fmt.Sprintf("s%d", n) })
	if err != nil {
		t.Fatal(err)
	}
	return &theatre{t: t, k: k, a: newActor(), now: epoch}
}

func (th *theatre) frame() {
	if th.react != nil {
		th.react(th)
	}
	th.seq++
	th.take(th.k.Step(th.a.observe(th.seq, th.now)))
	th.now = th.now.Add(tick)
}

func (th *theatre) take(o Output) {
	th.log = append(th.log, o.Events...)
	if n := len(th.shown); n == 0 || th.shown[n-1].Prompt != o.View.Prompt || th.shown[n-1].Phase != o.View.Phase || th.shown[n-1].Reason != o.View.Reason {
		th.shown, th.times = append(th.shown, o.View), append(th.times, th.now)
	}
	th.view = o.View
}

func (th *theatre) run(d time.Duration) {
	for end := th.now.Add(d); th.now.Before(end); {
		th.frame()
	}
}

// result runs until the next result, for two minutes at most.
func (th *theatre) result() *livenessd.Result {
	th.t.Helper()
	for end := th.now.Add(2 * time.Minute); th.now.Before(end); {
		n := len(th.log)
		th.frame()
		for _, e := range th.log[n:] {
			if e.Result != nil {
				return e.Result
			}
		}
	}
	th.t.Fatalf("no result in two minutes; the screen shows %+v", th.view)
	return nil
}

// obey turns the head as the prompt says, 350 ms after it came, at 60 degrees
// a second.
func obey(angle func(livenessd.Direction) (yaw, pitch float64)) func(*theatre) {
	var prompt livenessd.Prompt
	var at time.Time
	return func(th *theatre) {
		if th.view.Prompt != prompt {
			prompt, at = th.view.Prompt, th.now
		}
		if th.now.Sub(at) < 350*time.Millisecond {
			return
		}
		var yaw, pitch float64
		if th.view.Phase == livenessd.PhaseMove && prompt != livenessd.PromptBackToCentre {
			yaw, pitch = angle(arrowOf(prompt))
		}
		step := 60 * tick.Seconds()
		th.a.pose.Yaw += min(step, max(-step, yaw-th.a.pose.Yaw))
		th.a.pose.Pitch += min(step, max(-step, pitch-th.a.pose.Pitch))
	}
}

func asAsked(d livenessd.Direction) (yaw, pitch float64) {
	switch d {
	case livenessd.Left:
		return 25, 0
	case livenessd.Right:
		return -25, 0
	case livenessd.Up:
		return 0, 16
	case livenessd.Down:
		return 0, -16
	}
	return 0, 0
}

func theOtherWay(d livenessd.Direction) (yaw, pitch float64) {
	yaw, pitch = asAsked(d)
	return -yaw, -pitch
}

func notAtAll(livenessd.Direction) (yaw, pitch float64) { return 0, 0 }
