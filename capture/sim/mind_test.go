package sim

import (
	"math"
	"math/rand/v2"
	"testing"

	"livenessd"
)

func TestReactionTimeIsHuman(t *testing.T) {
	for seed := range uint64(60) {
		for _, sc := range []string{"person", "person-limited", "print", "wrong-way"} {
			scene, err := findScene(sc)
			if err != nil {
				t.Fatal(err)
			}
			m := newMind(rand.New(rand.NewPCG(seed, 1)), &scene, 1)
			m.advance(5)
			if m.stage != present {
				t.Fatalf("seed %d, %s: not there after 5 s", seed, sc)
			}
			rest := m.yaw.to
			m.see(livenessd.View{Phase: livenessd.PhaseMove, Prompt: livenessd.PromptTurnLeft}, 5)
			started := math.Inf(1)
			for at := 5.0; at < 7; at += 0.01 {
				m.advance(at)
				if p, _, _ := m.yaw.at(at); math.Abs(p-rest) > 0.05 && at < started {
					started = at
				}
			}
			if d := started - 5; d < 0.2 || d > 1.2 {
				t.Errorf("seed %d, %s: the movement began %.2f s after the prompt", seed, sc, d)
			}
		}
	}
}

func TestSameViewAgainChangesNothing(t *testing.T) {
	scene := scenes[0]
	m := newMind(rand.New(rand.NewPCG(1, 1)), &scene, 1)
	m.advance(5)
	v := livenessd.View{Phase: livenessd.PhaseMove, Prompt: livenessd.PromptTurnLeft}
	for at := 5.0; at < 8; at += 0.05 { // the screen is told often, with progress only
		v.Progress = at / 10
		m.see(v, at)
		m.advance(at)
	}
	if m.moves != 1 {
		t.Errorf("one prompt, told often, made %d movements", m.moves)
	}
}

func TestGlide(t *testing.T) {
	var g glide
	g.jump(3)
	g.head(10, 23, 0.8)
	top := 0.0
	for at := 10.0; at < 11; at += 0.001 {
		p, v, _ := g.at(at)
		if p < 3-1e-9 || p > 23+1e-9 || v < -1e-9 {
			t.Fatalf("at %.3f: %v, speed %v: left the way between 3 and 23", at, p, v)
		}
		top = max(top, v)
	}
	if p, v, a := g.at(10.8); p != 23 || v != 0 || a != 0 {
		t.Errorf("arrived at %v with speed %v and acceleration %v", p, v, a)
	}
	// The peak speed of a minimum-jerk movement is 1.875 times the mean.
	if want := 1.875 * 20 / 0.8; math.Abs(top-want) > 0.01*want {
		t.Errorf("peak speed %v, want %v", top, want)
	}
	// A new order half-way neither jumps nor changes speed at once.
	p0, v0, _ := g.at(10.4)
	g.head(10.4, -5, 0.6)
	p1, v1, _ := g.at(10.4)
	if p0 != p1 || v0 != v1 {
		t.Errorf("a new order moved %v to %v and speed %v to %v", p0, p1, v0, v1)
	}
	if p, _, _ := g.at(11.0001); p != -5 {
		t.Errorf("ended at %v, want -5", p)
	}
}

func TestRotationSigns(t *testing.T) {
	for _, c := range []struct {
		name             string
		yaw, pitch, roll float32
		in, want         vec
	}{
		{"yaw 90 looks to the person's own left, the picture's right", 90, 0, 0, vec{0, 0, 1}, vec{1, 0, 0}},
		{"pitch 90 looks up", 0, 90, 0, vec{0, 0, 1}, vec{0, 1, 0}},
		{"roll 90 lays the crown on the own left shoulder", 0, 0, 90, vec{0, 1, 0}, vec{1, 0, 0}},
	} {
		m := rotation(c.yaw, c.pitch, c.roll)
		got := m.apply(c.in)
		if d := got.sub(c.want); d.dot(d) > 1e-6 {
			t.Errorf("%s: got %v", c.name, got)
		}
		if d := m.back(got).sub(c.in); d.dot(d) > 1e-6 {
			t.Errorf("%s: back does not undo apply: %v", c.name, m.back(got))
		}
	}
}

func TestLightOfABareSurface(t *testing.T) {
	// Even light from everywhere lights every surface alike, and a mesh that
	// nothing shades gets what the closed form says.
	even := lighting{ambient: vec{1, 1, 1}}
	c := even.rotated(rotation(0, 0, 0))
	m := newMesh(40, 30, newTexture(1, 1), func(u, v float32) vec {
		sa, ca := sincos(u * 2 * math.Pi)
		sb, cb := sincos(v * math.Pi)
		return vec{60 * sb * sa, 60 * cb, 60 * sb * ca}
	})
	transfer([]*mesh{m}, 400)
	for i, n := range m.nrm {
		want := bareLight(m.pos[i].unit())
		if n.dot(m.pos[i]) < 50 { // the poles of the net
			continue
		}
		var lit float32
		for k := range want {
			lit += m.light[i][k] * c[1][k]
			if d := abs(m.light[i][k] - want[k]); d > 0.06 {
				t.Fatalf("point %d, harmonic %d: %v, want %v", i, k, m.light[i][k], want[k])
			}
		}
		if lit < 0.93 || lit > 1.07 {
			t.Fatalf("point %d gets %v of even light", i, lit)
		}
	}
}
