package challenge

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"livenessd"
)

func nan() float64 { return math.NaN() }

// Ensure that a plane has no parallax however it is moved, and that a head has
// about as much as its nose is deep.
func TestParallax(t *testing.T) {
	for _, p := range []livenessd.Pose{{Yaw: 30}, {Yaw: -30}, {Pitch: 20}, {Pitch: -20}, {Yaw: 15, Pitch: -9}} {
		rest, moved := newActor(), newActor()
		moved.pose = p
		head, ok := parallax(&rest.observe(1, epoch).Faces[0].Landmarks, &moved.observe(2, epoch).Faces[0].Landmarks)
		if !ok {
			t.Fatalf("%+v: no homography", p)
		}
		wantX, wantY := noseDepth*math.Sin(p.Yaw*math.Pi/180), -noseDepth*math.Sin(p.Pitch*math.Pi/180)
		if math.Abs(head.X-wantX) > 0.06 || math.Abs(head.Y-wantY) > 0.06 {
			t.Errorf("%+v: parallax %.3f %.3f, want about %.3f %.3f", p, head.X, head.Y, wantX, wantY)
		}
		rest.flat, moved.flat, moved.x, moved.size = true, true, 250, 110
		paper, _ := parallax(&rest.observe(1, epoch).Faces[0].Landmarks, &moved.observe(2, epoch).Faces[0].Landmarks)
		if math.Abs(paper.X) > 1e-6 || math.Abs(paper.Y) > 1e-6 {
			t.Errorf("%+v: a plane shows parallax %v", p, paper)
		}
	}
	var point shape // all landmarks in one place
	if _, ok := parallax(&point, &point); ok {
		t.Error("a point has a homography")
	}
	line := shape{{X: 0}, {X: 90}, {X: 45}, {X: 10}, {X: 80}}
	if _, ok := parallax(&line, &line); ok {
		t.Error("a line fixes a homography")
	}
}

// Ensure that sequences are as long as configured, never repeat a direction at
// once, and use every direction.
func TestSequence(t *testing.T) {
	cfg := DefaultConfig()
	rng := rand.New(rand.NewPCG(1, 2))
	seen, lengths := map[livenessd.Direction]int{}, map[int]int{}
	for range 1000 {
		s := sequence(&cfg, rng)
		lengths[len(s)]++
		for i, d := range s {
			seen[d]++
			if i > 0 && s[i-1] == d {
				t.Fatalf("%v", s)
			}
		}
	}
	if len(seen) != 4 || len(lengths) != 2 || lengths[2] < 400 || lengths[3] < 400 {
		t.Errorf("directions %v, lengths %v", seen, lengths)
	}
	for d, n := range seen {
		if n < 500 {
			t.Errorf("%s came only %d times", d, n)
		}
	}
}

// Ensure what N of M means.
func TestPassive(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		want   livenessd.Outcome
	}{
		{"too few", rep(0.9, 11), ""},
		{"all good", rep(0.9, 12), livenessd.Live},
		{"8 of 12", append(rep(0.9, 8), rep(0.3, 4)...), livenessd.Live},
		{"7 of 12 waits", append(rep(0.9, 7), rep(0.4, 5)...), ""},
		{"8 of 12 but a low mean waits", append(rep(0.51, 8), rep(0, 4)...), ""},
		{"never", rep(0.4, 24), livenessd.NotLive},
		{"a photo's lucky frames", append(rep(0.2, 18), rep(0.99, 6)...), livenessd.NotLive},
		{"recovers", append(rep(0.3, 6), rep(0.9, 18)...), livenessd.Live},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := DefaultConfig()
			p := passive{cfg: &cfg}
			a := newActor()
			for i, v := range tt.values {
				a.texture = v
				p.add(a.observe(uint64(i), epoch.Add(time.Duration(i)*cfg.SampleSpacing)))
			}
			if got := p.decided(); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func rep(v float64, n int) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// Ensure that a changed model or threshold cannot slip into a session.
func TestPassiveKeepsItsModel(t *testing.T) {
	cfg := DefaultConfig()
	p := passive{cfg: &cfg}
	a := newActor()
	p.add(a.observe(1, epoch))
	o := a.observe(2, epoch.Add(time.Second))
	o.Texture.Threshold = 0.1
	p.add(o)
	if len(p.values) != 1 {
		t.Error("a score of another threshold was taken")
	}
}

// Ensure that advice names the side the person must move to.
func TestTowardsMiddle(t *testing.T) {
	for x, want := range map[float64]livenessd.Prompt{120: livenessd.PromptMoveLeft, 540: livenessd.PromptMoveRight} {
		a := newActor()
		a.x, a.flaw = x, livenessd.OffCentre
		if got := advice(a.observe(1, epoch)); got != want {
			t.Errorf("face at %v: %s, want %s", x, got, want)
		}
	}
}

// Ensure that values that cannot work are refused by name.
func TestValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"good_frames":  func(c *Config) { c.GoodFrames = 0 },
		"half":         func(c *Config) { c.GoodFrames, c.OfFrames = 2, 12 },
		"movements":    func(c *Config) { c.MinMovements = 4 },
		"yaw":          func(c *Config) { c.Yaw = nan() },
		"move_limit":   func(c *Config) { c.MoveLimit = 0 },
		"total_limit":  func(c *Config) { c.TotalLimit = 0 },
		"lock_for":     func(c *Config) { c.LockFor = -time.Second },
		"max_pause":    func(c *Config) { c.MaxPause = 48 * time.Hour },
		"lock_failure": func(c *Config) { c.LockFailures = -1 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ensure that the memory of pictures is bounded and forgets the oldest first.
func TestFeedForgets(t *testing.T) {
	f := feed{frozenFor: time.Second, maxPause: time.Second}
	o := &livenessd.Observation{At: epoch}
	for i := range livenessd.MaxDigests + 10 {
		o.Digest, o.At = uint64(i+1), o.At.Add(tick)
		if r := f.step(o); r != "" {
			t.Fatal(r)
		}
	}
	remembered := 0
	for i := range uint64(livenessd.MaxDigests + 10) {
		if f.seen.Has(i + 1) {
			remembered++
		}
	}
	if remembered != livenessd.MaxDigests {
		t.Errorf("remembers %d", remembered)
	}
	if f.seen.Has(1) {
		t.Error("remembers the first")
	}
}

// Ensure that darkness is told even where no face can be made out in it, and
// that what was in the way most of the time is the reason.
func TestDarkness(t *testing.T) {
	a := newActor()
	a.absent = true
	o := a.observe(1, epoch)
	if got := advice(o); got != livenessd.PromptLookHere {
		t.Errorf("nobody there: %s", got)
	}
	o.Quality = []livenessd.Measure{{Name: livenessd.SingleFacePresent, Reason: livenessd.NoFace}, {Name: livenessd.LuminanceMean, Reason: livenessd.TooDark}}
	if got := advice(o); got != livenessd.PromptMoreLight {
		t.Errorf("nobody to be seen in the dark: %s", got)
	}
	s := &session{flaws: map[livenessd.Reason]int{"": 90, livenessd.TooDark: 40, livenessd.NoFace: 3}}
	if got := s.mainFlaw(); got != livenessd.TooDark {
		t.Errorf("main flaw %q", got)
	}
	if got := (&session{}).mainFlaw(); got != "" {
		t.Errorf("main flaw of nothing %q", got)
	}
}

// Ensure that nobody can foresee when a movement is asked for.
func TestRests(t *testing.T) {
	cfg := DefaultConfig()
	seen := map[time.Duration]bool{}
	for seed := range uint64(20) {
		for _, d := range rests(&cfg, 3, rand.New(rand.NewPCG(seed, 1))) {
			if d < cfg.Settle || d > cfg.Settle+cfg.SettleSpread {
				t.Errorf("%v", d)
			}
			seen[d.Round(50*time.Millisecond)] = true
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d different rests in sixty", len(seen))
	}
}
