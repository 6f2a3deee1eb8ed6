// Package sim is a camera that needs no camera: it makes the pictures of a
// person who stands at the kiosk, obeys the prompts on the screen and leaves,
// and of people who try to get past it. The pictures are drawn in pure Go: a
// head in three dimensions, a room behind it, and the lens, sensor and JPEG of
// a webcam. They are good enough for face detectors and texture networks, and
// the truth about each is known.
//
// It knows how a person looks and moves. It does not know how a picture is
// judged.
package sim

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"livenessd"
)

// Config says what the simulated camera shows.
type Config struct {
	Scene  string // a name from Scenes; "" is "person"
	Seed   int64  // decides who comes, in what room, and each small movement
	Width  int    // pixels, 64..1920; 0 is 640
	Height int    // pixels, 48..1080; 0 is 480
	FPS    int    // pictures a second of Stream, 1..60; 0 is 15
}

// Truth is what a picture really shows.
type Truth struct {
	At       time.Time
	Present  bool           // the one whom the scene is about is in front of the lens, arriving and leaving included
	Settled  bool           // and has arrived and not begun to leave
	Person   int            // who it is: another number is another person, or another sheet
	Pose     livenessd.Pose // of a head; of the sheet for a print; of the recorded head for a tablet
	Position [3]float64     // of the head or sheet in mm: right of, above and beyond (negative) the lens
	// Landmarks are where the face's landmarks are in the picture, whether or
	// not the head hides them.
	Landmarks [livenessd.Landmarks]livenessd.Point
	Frozen    bool // the bytes are those of an earlier picture
}

// Sim is the simulated camera.
type Sim struct {
	cfg   Config
	scene Scene

	inboxMu sync.Mutex // guards inbox
	inbox   []shown

	mu     sync.Mutex // guards what follows
	start  time.Time  // of the first picture
	last   time.Time
	seq    uint64
	actors []*actor
	room   room
	canvas *canvas
	sensor *sensor
	noise  *rand.Rand
	truth  Truth
	frozen []byte  // sent again and again while not nil
	thaw   float64 // when the feed moves on
	froze  int     // the person before whom the feed froze last
	people int     // bodies made so far
}

type shown struct {
	view livenessd.View
	at   time.Time
}

// maxShown bounds what is kept of views that no picture has been asked for since.
const maxShown = 256

// body is something with a face that can be drawn.
type body interface {
	draw(c *canvas, p *pose, light *lighting)
	visible(c *canvas, p *pose) [livenessd.Landmarks]livenessd.Point
}

// actor is a mind and the body it has on its present visit.
type actor struct {
	mind  *mind
	looks *rand.Rand
	body  body
	visit int // the one that body was made for
	who   int // Truth.Person
}

// New makes a simulated camera. An unknown scene or a size out of range is an
// error that wraps livenessd.ErrInvalid.
func New(cfg Config) (*Sim, error) {
	if cfg.Scene == "" {
		cfg.Scene = "person"
	}
	scene, err := findScene(cfg.Scene)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name           string
		value          *int
		usual, lo, top int
	}{{"width", &cfg.Width, 640, 64, 1920}, {"height", &cfg.Height, 480, 48, 1080}, {"fps", &cfg.FPS, 15, 1, 60}} {
		if *f.value == 0 {
			*f.value = f.usual
		}
		if *f.value < f.lo || *f.value > f.top {
			return nil, fmt.Errorf("%w: simulated camera: %s is %d, it must lie between %d and %d", livenessd.ErrInvalid, f.name, *f.value, f.lo, f.top)
		}
	}
	source := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(uint64(cfg.Seed), n)) }
	s := &Sim{cfg: cfg, scene: scene, noise: source(1), canvas: newCanvas(cfg.Width, cfg.Height)}
	s.sensor = newSensor(cfg.Width, cfg.Height, source(2))
	s.room = newRoom(source(3), cfg.Width, cfg.Height)
	if scene.light > 0 {
		s.sensor.exposure = scene.light
		s.sensor.noise *= 1.8 // the camera has turned up its gain
	}
	s.canvas.reset(s.room.back)
	s.sensor.settle(s.canvas)
	if scene.prop != empty {
		s.actors = append(s.actors, &actor{mind: newMind(source(4), &s.scene, 1), looks: source(5)})
	}
	switch {
	case scene.second:
		beside := &Scene{stubborn: true, scripted: true, spot: vec{-185, -15, -130}}
		s.actors = append(s.actors, &actor{mind: newMind(source(6), beside, 1.4), looks: source(7)})
	case scene.swap:
		other := &Scene{hurry: true}
		s.actors = append(s.actors, &actor{mind: newMind(source(6), other, math.Inf(1)), looks: source(7)})
	}
	for _, a := range s.actors {
		a.prepare(s) // now, so that the first visit does not halt the stream
	}
	return s, nil
}

// detail is how fine a body must be for this picture's size.
func (s *Sim) detail() float32 { return clamp(float32(s.cfg.Height)/480, 0.3, 1.5) }

// prepare makes the body for the next visit.
func (a *actor) prepare(s *Sim) {
	a.visit++
	s.people++
	a.who = s.people
	l := newLook(a.looks)
	if s.scene.prop == nothing {
		a.body = newFigure(l, s.detail())
		return
	}
	a.body = newSheet(l, a.looks, s.scene.prop, s.detail())
}

// Show tells the person what the screen shows from at on. It may be called
// from any goroutine and does not wait for a picture being drawn.
func (s *Sim) Show(v livenessd.View, at time.Time) {
	s.inboxMu.Lock()
	defer s.inboxMu.Unlock()
	if len(s.inbox) == maxShown {
		s.inbox = s.inbox[1:]
	}
	s.inbox = append(s.inbox, shown{v, at})
}

// Truth returns what the last picture shows.
func (s *Sim) Truth() Truth {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.truth
}

// Frame takes the picture of the moment at: JPEG bytes that the caller owns.
// Moments must not run backwards; one that does counts as the last one. The
// first is the beginning of the simulation. Equal seeds and equal sequences of
// Show and Frame give equal pictures.
func (s *Sim) Frame(at time.Time) livenessd.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.start.IsZero() {
		s.start = at
	}
	if at.Before(s.last) {
		at = s.last
	}
	s.last = at
	t := at.Sub(s.start).Seconds()
	s.advance(at, t)
	f := livenessd.Frame{Seq: s.seq, At: at, Width: s.cfg.Width, Height: s.cfg.Height, Format: livenessd.MJPEG}
	s.seq++
	if t >= s.thaw {
		s.frozen = nil
	}
	if s.frozen != nil {
		s.truth.At, s.truth.Frozen = at, true
		f.Data = append([]byte(nil), s.frozen...)
		return f
	}
	s.draw(at, t)
	f.Data = s.sensor.develop(s.canvas, s.noise)
	s.maybeFreeze(t, f.Data)
	return f
}

// advance hands the views that were shown until now to the actors and lets
// them live until t.
func (s *Sim) advance(at time.Time, t float64) {
	s.inboxMu.Lock()
	n := 0
	for n < len(s.inbox) && !s.inbox[n].at.After(at) {
		n++
	}
	news := append([]shown(nil), s.inbox[:n]...)
	s.inbox = s.inbox[n:]
	s.inboxMu.Unlock()
	for _, v := range news {
		vt := v.at.Sub(s.start).Seconds()
		for _, a := range s.actors {
			a.mind.advance(vt)
			a.mind.see(v.view, vt)
		}
	}
	for _, a := range s.actors {
		a.mind.advance(t)
		if a.mind.stage == away && a.visit == a.mind.visits {
			a.prepare(s)
		}
	}
	if s.scene.swap {
		s.takeOver(t)
	}
}

// takeOver lets the second actor step in while the first still walks off,
// and keeps the first away meanwhile.
func (s *Sim) takeOver(t float64) {
	first, second := s.actors[0].mind, s.actors[1].mind
	if first.stage == leaving && first.moves == 2 && second.stage == away && second.visits < first.visits {
		second.next, second.from = t, first.side
	} else if second.stage == away {
		second.next = math.Inf(1)
	} else if first.stage == away {
		first.next = max(first.next, t+0.5)
	}
}

// draw paints the room and everybody in it, and notes the truth about the one
// whom the scene is about: the first, or whoever has taken over.
func (s *Sim) draw(at time.Time, t float64) {
	s.canvas.reset(s.room.back)
	s.truth = Truth{At: at}
	for i, a := range s.actors {
		if a.mind.stage == away {
			continue
		}
		p := a.mind.pose(t)
		a.body.draw(s.canvas, &p, &s.room.light)
		if i > 0 && s.truth.Present && !s.scene.swap {
			continue
		}
		s.truth = Truth{
			At: at, Present: true, Settled: a.mind.stage == present, Person: a.who,
			Pose:      livenessd.Pose{Yaw: float64(p.yaw), Pitch: float64(p.pitch), Roll: float64(p.roll)},
			Position:  [3]float64{float64(p.at.x), float64(p.at.y), float64(p.at.z)},
			Landmarks: a.body.visible(s.canvas, &p),
		}
	}
	s.canvas.feather()
}

// maybeFreeze holds the feed still for four seconds once in each visit: after
// the first movement, or after ten seconds without any.
func (s *Sim) maybeFreeze(t float64, data []byte) {
	if !s.scene.freeze || s.truth.Person == s.froze || !s.truth.Settled {
		return
	}
	m := s.actors[0].mind
	if m.moves > 0 && t > m.movedAt+m.span || t > m.arrivedAt+10 {
		s.frozen, s.thaw, s.froze = append([]byte(nil), data...), t+4, s.truth.Person
	}
}

// Stream delivers pictures in real time until ctx ends, which is not an error.
// Pictures that cannot be drawn in time are left out; Seq shows the gap.
func (s *Sim) Stream(ctx context.Context, opened func(livenessd.Camera), deliver func(livenessd.Frame)) error {
	opened(livenessd.Camera{
		Name: "sim", Driver: "sim", Card: "simulated presenter: " + s.scene.Name, Simulated: true,
		Format: string(livenessd.MJPEG), Width: s.cfg.Width, Height: s.cfg.Height,
	})
	tick := time.NewTicker(time.Second / time.Duration(s.cfg.FPS))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C: // a slow reader of a ticker loses ticks, it does not lag
		}
		deliver(s.Frame(time.Now()))
	}
}
