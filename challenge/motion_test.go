package challenge

import (
	"math"
	"math/rand/v2"
	"testing"

	"livenessd"
)

// thing gives the place, seen from afar, of what lies at x, y of a picture
// from the front; all in eye distances.
type thing func(x, y float64) livenessd.Point

// turned shows a surface of that depth turned by yaw and pitch, in degrees.
func turned(depth func(x, y float64) float64, yaw, pitch float64) thing {
	sy, cy := math.Sincos(yaw * math.Pi / 180)
	sp, cp := math.Sincos(pitch * math.Pi / 180)
	return func(x, y float64) livenessd.Point {
		z := depth(x, y)
		y, z = y*cp-z*sp, y*sp+z*cp
		return livenessd.Point{X: x*cy + z*sy, Y: y}
	}
}

// face is a head somewhat unlike the average one: its nose is longer.
func face(x, y float64) float64 {
	nose := 0.06 * math.Exp(-x*x/(2*0.15*0.15)) * math.Exp(-(y-0.12)*(y-0.12)/(2*0.2*0.2))
	return headDepth(livenessd.Point{X: x, Y: y}) + nose
}

// alive lets the skin of a face creep, as skin does.
func alive(p thing) thing {
	return func(x, y float64) livenessd.Point {
		q := p(x, y)
		return livenessd.Point{X: q.X + 0.007*math.Sin(5*x+3*y), Y: q.Y + 0.007*math.Cos(4*y-5*x)}
	}
}

func sheet(float64, float64) float64 { return 0 }

// bow is a sheet bent round an upright cylinder.
func bow(curve float64) func(x, y float64) float64 {
	return func(x, _ float64) float64 { return (math.Cos(curve*x) - 1) / curve }
}

// flowOf compares two pictures on the pipeline's grid; the second one lies
// where its corners are brought to those of the first, as landmarks would do.
func flowOf(then, now thing, noise float64, rng *rand.Rand) *livenessd.Flow {
	f := &livenessd.Flow{Eyes: 80}
	var o livenessd.Point
	for _, c := range [4][2]float64{{-.5, -.5}, {.5, -.5}, {-.43, .52}, {.43, .52}} {
		p, q := then(c[0], c[1]), now(c[0], c[1])
		o.X, o.Y = o.X+(q.X-p.X)/4, o.Y+(q.Y-p.Y)/4
	}
	for y := -1.2; y < 1.1; y += 2. / 15 {
		for x := -14. / 15; x < 0.95; x += 2. / 15 {
			eye := math.Hypot((math.Abs(x)-0.5)/0.24, (y+0.5)/0.15)
			if math.Hypot(x/0.95, (y+0.05)/1.15) >= 1 || eye < 1 {
				continue
			}
			p, q := then(x, y), now(x, y)
			f.Matches = append(f.Matches, livenessd.Match{
				At:    p,
				Move:  livenessd.Point{X: q.X - p.X - o.X + noise*rng.NormFloat64(), Y: q.Y - p.Y - o.Y + noise*rng.NormFloat64()},
				Error: noise,
			})
		}
	}
	return f
}

// Ensure that heads that turn are heads, that sheets are not, however they are
// held, and that nothing is said about what does not turn.
func TestJudgeFlow(t *testing.T) {
	slide := func(p thing, x, y, zoom float64) thing {
		return func(u, v float64) livenessd.Point {
			q := p(u, v)
			return livenessd.Point{X: zoom*q.X + x, Y: zoom*q.Y + y}
		}
	}
	near := func(yaw float64) thing { // a homography: one side is nearer to the lens
		sin, cos := math.Sincos(yaw * math.Pi / 180)
		return func(x, y float64) livenessd.Point {
			k := 7 / (7 - x*sin)
			return livenessd.Point{X: k * x * cos, Y: k * y}
		}
	}
	front := turned(sheet, 0, 0)
	head := turned(face, 0, 0)
	tests := []struct {
		name      string
		then, now thing
		known     bool // may be said
		live      bool
	}{
		{"a head turns left", head, alive(turned(face, 8, 0)), true, true},
		{"a head turns right", head, alive(turned(face, -12, 0)), true, true},
		{"a head turns far", head, alive(turned(face, 18, 0)), true, true},
		{"a head looks up", head, alive(turned(face, 0, 10)), true, true},
		{"a head looks down", head, alive(turned(face, 0, -10)), true, true},
		{"a head turns and comes nearer", head, slide(alive(turned(face, 10, 3)), 0.2, 0, 1.05), true, true},
		{"a head keeps still", head, head, false, false},
		{"a sheet is slid and zoomed", front, slide(front, 0.1, -0.1, 1.1), false, false},
		{"a sheet turns afar", front, turned(sheet, 30, 0), false, false},
		{"a sheet turns near by", front, near(35), false, false},
		{"a sheet turns back and forth near by", near(-25), near(25), false, false},
		{"a sheet is bent", front, turned(bow(0.4), 0, 0), false, false},
		{"a bent sheet turns", turned(bow(0.4), -8, 0), turned(bow(0.4), 8, 0), false, false},
		{"a bent sheet nods", turned(bow(0.3), 0, -8), turned(bow(0.3), 0, 8), false, false},
		{"a sheet is bent while it turns", turned(bow(0.1), -8, 0), turned(bow(0.4), 8, 0), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, 8))
			for range 20 {
				m := JudgeFlow(flowOf(tt.then, tt.now, 0.004, rng))
				if live := m.Known && m.Score >= MotionThreshold; live != tt.live || tt.known && !m.Known {
					t.Errorf("%+v", m)
				}
			}
		})
	}
}

// Ensure that the direction and the amount of a turn are read in the face's
// own frame.
func TestJudgeFlowDirection(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	tests := []struct{ yaw, pitch, want float64 }{{8, 0, 360}, {-8, 0, 180}, {0, 8, 90}, {0, -8, 270}, {6, 6, 45}}
	for _, tt := range tests {
		m := JudgeFlow(flowOf(turned(face, 0, 0), alive(turned(face, tt.yaw, tt.pitch)), 0.004, rng))
		if off := math.Abs(math.Remainder(direction(m.Turn)-tt.want, 360)); off > 15 {
			t.Errorf("%+v: %.0f, %+v", tt, direction(m.Turn), m)
		}
		if amount := degrees(math.Hypot(m.Turn.X, m.Turn.Y)); amount < 4 || amount > 16 {
			t.Errorf("%+v: %+v", tt, m)
		}
	}
}

// Ensure that nothing is said when there is too little to see, and that no
// number of a Flow makes a yes by itself.
func TestJudgeFlowOfLittle(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	whole := func() *livenessd.Flow { return flowOf(turned(face, 0, 0), alive(turned(face, 12, 0)), 0.004, rng) }
	tests := []struct {
		name   string
		change func(f *livenessd.Flow)
	}{
		{"no match", func(f *livenessd.Flow) { f.Matches = nil }},
		{"few", func(f *livenessd.Flow) { f.Matches = f.Matches[:leastMatches-1] }},
		{"a small face", func(f *livenessd.Flow) { f.Eyes = leastEyes - 1 }},
		{"no size", func(f *livenessd.Flow) { f.Eyes = math.NaN() }},
		{"none trusted", func(f *livenessd.Flow) {
			for i := range f.Matches {
				f.Matches[i].Error = 1
			}
		}},
		{"no numbers", func(f *livenessd.Flow) {
			for i := range f.Matches {
				f.Matches[i].Move.X = math.NaN()
			}
		}},
		{"all in one place", func(f *livenessd.Flow) {
			for i := range f.Matches {
				f.Matches[i] = livenessd.Match{}
			}
		}},
	}
	for _, tt := range tests {
		f := whole()
		tt.change(f)
		if m := JudgeFlow(f); m.Known || m.Score != 0 {
			t.Errorf("%s: %+v", tt.name, m)
		}
	}
	if m := JudgeFlow(whole()); !m.Known {
		t.Errorf("unchanged: %+v", m)
	}
}

// Ensure that observations with a Flow are judged by it alone.
func TestMotionScoreOfFlows(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	a := newActor()
	head := flowOf(turned(face, 0, 0), alive(turned(face, 12, 0)), 0.004, rng)
	still := flowOf(turned(face, 0, 0), turned(face, 0, 0), 0.004, rng)
	obs := []livenessd.Observation{*a.observe(1, epoch), *a.observe(2, epoch.Add(tick)), *a.observe(3, epoch.Add(2*tick))}
	obs[1].Flow, obs[2].Flow = still, head
	if score, ok := MotionScore(obs); !ok || score < MotionThreshold {
		t.Errorf("a head: %v %v", score, ok)
	}
	obs[2].Flow = still
	if score, ok := MotionScore(obs); ok || score != 0 {
		t.Errorf("a head that keeps still: %v %v", score, ok)
	}
}

func BenchmarkJudgeFlow(b *testing.B) {
	f := flowOf(turned(face, 0, 0), alive(turned(face, 12, 0)), 0.004, rand.New(rand.NewPCG(15, 16)))
	for b.Loop() {
		JudgeFlow(f)
	}
}

// Ensure that directions follow poses and flows, and that a head that keeps
// still has none.
func TestMoved(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	a := newActor()
	then := a.observe(1, epoch)
	tests := []struct {
		name       string
		yaw, pitch float64
		flow       *livenessd.Flow
		want       float64 // 0: none
	}{
		{"left by landmarks", 10, 0, nil, 360},
		{"up by landmarks", 0, 9, nil, 90},
		{"right by both", -8, 0, flowOf(turned(face, 0, 0), alive(turned(face, -8, 0)), 0.004, rng), 180},
		{"down, where landmarks say aside", -3, 0, flowOf(turned(face, 0, 0), alive(turned(face, 0, -12)), 0.004, rng), 256},
		{"far, where nothing could be followed", 30, 0, &livenessd.Flow{Eyes: 80}, 360},
		{"still", 1, -0.5, nil, 0},
		{"no number", math.NaN(), 0, nil, 0},
	}
	for _, tt := range tests {
		a.pose = livenessd.Pose{Yaw: tt.yaw, Pitch: tt.pitch}
		now := a.observe(2, epoch.Add(tick))
		now.Flow = tt.flow
		got, amount, ok := Moved(then, now)
		if ok != (tt.want != 0) || ok && (math.Abs(math.Remainder(got-tt.want, 360)) > 15 || amount < leastMoved) {
			t.Errorf("%s: %.0f, %.1f degrees, %v, want %.0f", tt.name, got, amount, ok, tt.want)
		}
	}
	if _, _, ok := Moved(then, &livenessd.Observation{}); ok {
		t.Error("nobody moved")
	}
}
