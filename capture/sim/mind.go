package sim

import (
	"math"
	"math/rand/v2"

	"livenessd"
)

// Where a mind is in its visit.
type stage int

const (
	away    stage = iota // out of the picture until next
	coming               // walking up until next
	present              // does what it is asked
	leaving              // walking off until next
)

// home is a good place for a head: in the middle, 59 cm from the lens.
var home = [3]float64{0, 22, -592}

// mind moves one head through one visit after another. It reads no clock: all
// times are seconds since the simulation began, and come in rising order.
type mind struct {
	r     *rand.Rand
	scene *Scene
	stage stage
	next  float64 // when the stage ends, or the next scripted movement begins
	side  float64 // where it comes from: -1 or 1 in x
	from  float64 // where it shall come from next, -1 or 1; 0 to choose

	x, y, z, yaw, pitch, roll glide

	view      livenessd.View
	order     livenessd.View // what it is about to do
	orderAt   float64        // when; not before a human reaction time; +Inf for nothing
	again     float64        // when it steps once more if still asked to; +Inf for never
	leaveAt   float64        // when it goes; +Inf for not yet
	moves     int            // movements of this visit
	movedAt   float64        // when the last one began
	arrivedAt float64
	blinkAt   float64
	reaction  [2]float64 // shortest, longest
	span      float64    // of a turn of the head
	reach     float64    // share of a full turn
	visits    int
}

func newMind(r *rand.Rand, s *Scene, first float64) *mind {
	m := &mind{r: r, scene: s, stage: away, next: first, orderAt: math.Inf(1), again: math.Inf(1), leaveAt: math.Inf(1)}
	m.character()
	m.x.jump(4000)
	return m
}

// character draws what differs between visitors.
func (m *mind) character() {
	m.reaction = [2]float64{0.25, 0.60}
	m.span, m.reach = 0.5+0.3*m.r.Float64(), 1
	if m.scene.limited {
		m.reaction = [2]float64{0.45, 0.90}
		m.span, m.reach = 1.0+0.4*m.r.Float64(), 0.55
	}
}

func (m *mind) between(lo, hi float64) float64 { return lo + (hi-lo)*m.r.Float64() }

// see takes in what the screen shows from time t on.
func (m *mind) see(v livenessd.View, t float64) {
	same := v.Phase == m.view.Phase && v.Prompt == m.view.Prompt && v.Arrow == m.view.Arrow
	m.view = v
	if !same && m.stage == present {
		m.notice(t)
	}
}

// notice makes up its mind about the present view, and acts after a human
// reaction time.
func (m *mind) notice(t float64) {
	m.order, m.orderAt = m.view, t+m.between(m.reaction[0], m.reaction[1])
	m.again = math.Inf(1)
}

// advance lets time pass until t.
func (m *mind) advance(t float64) {
	for range 64 { // an interval without pictures may hold several events
		due := min(m.next, m.orderAt, m.again, m.leaveAt)
		if m.stage == away || m.stage == leaving {
			due = m.next
		}
		if due > t {
			return
		}
		switch {
		case due == m.next:
			m.turnPage(due)
		case due == m.leaveAt:
			m.leave(due)
		case due == m.orderAt:
			m.orderAt = math.Inf(1)
			m.obey(due)
		default:
			m.again = math.Inf(1)
			m.obey(due)
		}
	}
}

// turnPage ends the present stage.
func (m *mind) turnPage(t float64) {
	switch m.stage {
	case away:
		if m.view.Phase == livenessd.PhaseRest || m.view.Phase == livenessd.PhaseResult || m.view.Phase == livenessd.PhaseLocked {
			m.next = t + 0.5 // it waits for its turn
			return
		}
		m.arrive(t)
	case coming:
		m.stage, m.next, m.arrivedAt = present, math.Inf(1), t
		m.notice(t)
		if m.scene.scripted {
			m.next = t + m.between(1, 2)
		}
	case present: // only a recording has a next movement of its own
		m.recorded(t)
	case leaving:
		m.stage, m.next = away, t+m.between(1.5, 2.5)
	}
}

// arrive starts a visit: from the side and from further off to a good place.
func (m *mind) arrive(t float64) {
	m.visits++
	m.character()
	m.stage, m.moves = coming, 0
	m.orderAt, m.again, m.leaveAt = math.Inf(1), math.Inf(1), math.Inf(1)
	m.side = 1
	if m.r.IntN(2) == 0 {
		m.side = -1
	}
	if m.from != 0 {
		m.side, m.from = m.from, 0
	}
	walk, far := m.between(1.6, 2.3), 1.0
	if m.scene.hurry {
		walk, far = m.between(0.8, 1.0), 0
	}
	m.next = t + walk
	m.blinkAt = t + m.between(0.5, 2)
	m.x.jump(m.side * (550 + 600*far))
	m.y.jump(home[1] - 15)
	m.z.jump(home[2] - 700*far)
	m.yaw.jump(-20 * m.side)
	m.pitch.jump(0)
	m.roll.jump(0)
	s := m.scene.spot
	m.x.head(t, home[0]+m.between(-8, 8)+float64(s.x), walk)
	m.y.head(t, home[1]+m.between(-8, 8)+float64(s.y), walk)
	m.z.head(t, home[2]+m.between(-25, 15)+float64(s.z), walk)
	m.yaw.head(t, m.between(-2, 2), walk)
	m.pitch.head(t, m.between(-2, 2), walk)
	m.roll.head(t, m.between(-2, 2), walk)
}

// leave walks out of the picture.
func (m *mind) leave(t float64) {
	walk := m.between(1.1, 1.6)
	if m.scene.swap {
		walk = m.between(0.8, 1.0)
	}
	m.stage, m.next = leaving, t+walk
	m.leaveAt = math.Inf(1)
	m.x.head(t, -m.side*1100, walk)
	m.z.head(t, home[2]-250, walk)
	m.yaw.head(t, -55*m.side, walk*0.6)
	m.pitch.head(t, 0, walk)
}

// obey carries out the order.
func (m *mind) obey(t float64) {
	v := m.order
	switch {
	case v.Phase == livenessd.PhaseResult || v.Phase == livenessd.PhaseRest || v.Phase == livenessd.PhaseLocked || v.Prompt == livenessd.PromptStepAway:
		if math.IsInf(m.leaveAt, 1) {
			m.leaveAt = t + m.between(0.6, 1.3)
		}
		return
	case m.scene.scripted:
		return
	}
	if d, ok := movement(v); ok {
		m.moves++
		m.movedAt = t
		if (m.scene.leaves || m.scene.swap) && m.moves == 2 {
			m.leave(t)
			return
		}
		m.turn(t, d)
		return
	}
	if dx, dy, dz := step(v.Prompt); dx != 0 || dy != 0 || dz != 0 {
		if !m.scene.stubborn {
			k := m.between(0.8, 1.2)
			m.x.head(t, clamp64(m.x.to+k*dx, -300, 300), 0.8)
			m.y.head(t, clamp64(m.y.to+k*dy, -200, 200), 0.8)
			m.z.head(t, clamp64(m.z.to+k*dz, -1500, -330), 0.8)
		}
		m.again = t + 0.8 + m.between(0.5, 0.8)
		return
	}
	m.centre(t)
}

// turn makes one head movement of the size a person makes when asked.
func (m *mind) turn(t float64, d livenessd.Direction) {
	k := 1.0
	if m.scene.flip {
		k = -1
	}
	yaw, pitch := 0.0, 0.0
	switch d {
	case livenessd.Left:
		yaw = k * m.reach * m.between(25, 30)
	case livenessd.Right:
		yaw = -k * m.reach * m.between(25, 30)
	case livenessd.Up:
		pitch = k * m.reach * m.between(16, 20)
	case livenessd.Down:
		pitch = -k * m.reach * m.between(16, 20)
	}
	m.yaw.head(t, yaw+m.between(-1.5, 1.5), m.span)
	m.pitch.head(t, pitch+m.between(-1.5, 1.5), m.span)
	m.roll.head(t, -yaw*0.07+m.between(-1, 1), m.span)
}

// centre looks straight into the lens again, if it does not yet.
func (m *mind) centre(t float64) {
	if max(math.Abs(m.yaw.to), math.Abs(m.pitch.to)) < 4 {
		return
	}
	m.yaw.head(t, m.between(-2, 2), m.span)
	m.pitch.head(t, m.between(-2, 2), m.span)
	m.roll.head(t, m.between(-2, 2), m.span)
}

// recorded plays the next movement of a recording: left, centre, right,
// centre, up, centre, down, centre, over and over.
func (m *mind) recorded(t float64) {
	dirs := [...]livenessd.Direction{livenessd.Left, livenessd.Right, livenessd.Up, livenessd.Down}
	if m.moves%2 == 0 {
		m.turn(t, dirs[m.moves/2%len(dirs)])
	} else {
		m.centre(t)
	}
	m.moves++
	m.next = t + m.between(1.2, 2)
}

// movement says which way a view asks the head to turn.
func movement(v livenessd.View) (livenessd.Direction, bool) {
	switch v.Prompt {
	case livenessd.PromptTurnLeft:
		return livenessd.Left, true
	case livenessd.PromptTurnRight:
		return livenessd.Right, true
	case livenessd.PromptLookUp:
		return livenessd.Up, true
	case livenessd.PromptLookDown:
		return livenessd.Down, true
	}
	return "", false
}

// step says where a prompt asks the person to go, in mm of the camera's frame.
func step(p livenessd.Prompt) (dx, dy, dz float64) {
	switch p {
	case livenessd.PromptCloser:
		return 0, 0, 80
	case livenessd.PromptBack:
		return 0, 0, -80
	case livenessd.PromptMoveLeft:
		return 45, 0, 0
	case livenessd.PromptMoveRight:
		return -45, 0, 0
	case livenessd.PromptMoveUp:
		return 0, 35, 0
	case livenessd.PromptMoveDown:
		return 0, -35, 0
	}
	return 0, 0, 0
}

func clamp64(a, lo, hi float64) float64 { return min(max(a, lo), hi) }

// pose returns how the head stands at t; it must have advanced to t.
func (m *mind) pose(t float64) pose {
	get := func(g *glide) float64 { p, _, _ := g.at(t); return p }
	sway := func(a, f, ph float64) float64 {
		return a * (math.Sin(t*f+ph*1.7) + 0.5*math.Sin(t*f*2.3+ph))
	}
	ph := float64(m.visits)
	p := pose{
		at: vec{
			float32(get(&m.x) + sway(2, 0.9, ph)),
			float32(get(&m.y) + sway(0.8, 1.5, ph+1)),
			float32(get(&m.z) + sway(2, 0.7, ph+2)),
		},
		yaw:    float32(get(&m.yaw) + sway(0.6, 1.1, ph+3)),
		pitch:  float32(get(&m.pitch) + sway(0.4, 1.3, ph+4)),
		roll:   float32(get(&m.roll) + sway(0.4, 0.8, ph+5)),
		breath: float32(2 * math.Sin(t*1.6+ph)),
		lid:    1,
	}
	p.body = p.yaw * 0.12
	if m.stage == leaving || m.stage == coming {
		p.body = p.yaw * 0.8
	}
	// The eyes stay on the screen for part of the way.
	p.gazeX = clamp(-0.10*p.yaw, -3, 3)
	p.gazeY = clamp(-0.06*p.pitch, -1.5, 1.5)
	p.lid = m.lid(t) * (1 + 0.012*clamp(p.pitch, -15, 8))
	return p
}

// lid blinks: shut within 80 ms, open again within 140 ms.
func (m *mind) lid(t float64) float32 {
	for t > m.blinkAt+0.26 {
		m.blinkAt += m.between(2, 5)
	}
	s := t - m.blinkAt
	switch {
	case s < 0:
		return 1
	case s < 0.08:
		return float32(1 - s/0.08)
	case s < 0.12:
		return 0
	case s < 0.26:
		return float32((s - 0.12) / 0.14)
	}
	return 1
}
