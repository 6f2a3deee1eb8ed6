package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"livenessd"
	"livenessd/api"
	"livenessd/capture"
	"livenessd/challenge"
)

// analyzer says what one picture shows.
type analyzer interface {
	Follow(f livenessd.Frame, texture bool, w *follower) (livenessd.Observation, error)
}

// recorder keeps what happened.
type recorder interface {
	PutResult(r *livenessd.Result, picture []byte) (livenessd.Event, error)
	PutEvent(e livenessd.Event) (livenessd.Event, error)
	PutSession(s livenessd.Session) error
	Session(id string) (livenessd.Session, error)
}

// How long the loop waits for a frame before it looks at everything else, and
// how long a camera that claims to deliver may bring nothing that can be judged.
const (
	turn       = 200 * time.Millisecond
	blindAfter = 2500 * time.Millisecond
)

// defaultExpiry is how long a requested session waits for a person.
const defaultExpiry = time.Minute

// terminal is the kiosk's loop: frame → observation → view and events → store
// → screen. Run owns everything below commands; other goroutines reach it
// through the channels or the mutex.
type terminal struct {
	log      *slog.Logger
	kiosk    *challenge.Kiosk
	camera   *camera
	analyzer analyzer
	first    *precedence // over callers of the API
	store    *ledger
	screen   func(livenessd.View)
	metrics  *metrics
	sup      supervisor
	software string
	boot     string
	clock    *clock
	pictures bool // the operator wants a picture kept with each result

	commands chan func()
	statuses chan capture.Status
	told     capture.Status // owned by notify, whose calls do not overlap

	status   capture.Status
	phase    livenessd.Phase       // on the screen
	decided  time.Time             // when the last frame was judged
	seen     livenessd.Observation // the newest, for the operator who asks
	picture  []byte                // the best frame of the running session, only when pictures are kept
	face     follower              // during the movements
	sessions map[string]livenessd.Session
	broken   error // of the store, that only a restart mends

	mu      sync.Mutex // guards what readiness reads
	reasons map[string]string
}

// run turns until ctx ends.
func (t *terminal) run(ctx context.Context) error {
	t.show(t.kiosk.NotReady(livenessd.CameraLost, time.Now()))
	t.decided = time.Now()
	fed := time.Time{}
	for ctx.Err() == nil {
		if t.broken != nil {
			return t.broken
		}
		t.serve()
		t.store.flush(false)
		t.look(ctx)
		if t.sup.every > 0 && time.Since(fed) >= t.sup.every && t.alive() {
			fed = time.Now()
			if err := t.sup.tell("WATCHDOG=1"); err != nil {
				t.log.Error("the watchdog cannot be fed", "error", err)
			}
		}
	}
	t.show(t.kiosk.NotReady(livenessd.Cancelled, time.Now())) // whoever stands there gets a result
	return nil
}

// alive reports whether the watchdog may be fed: frames are being decided, or
// there is no camera to take them from, which a restart would not mend.
func (t *terminal) alive() bool {
	return !t.status.Ready || time.Since(t.decided) < blindAfter
}

// serve does what others asked for since the last turn.
func (t *terminal) serve() {
	for {
		select {
		case f := <-t.commands:
			f()
		case s := <-t.statuses:
			t.cameraStatus(s)
		default:
			return
		}
	}
}

// look judges the newest frame, or finds that there is none.
func (t *terminal) look(ctx context.Context) {
	wait, cancel := context.WithTimeout(ctx, turn)
	defer cancel()
	f, err := t.camera.frames.Take(wait)
	if err != nil {
		t.checkSight()
		return
	}
	if t.blocked() {
		t.decided = time.Now() // that nothing is to be judged is a decision too
		if t.phase != livenessd.PhaseNotReady && t.phase != livenessd.PhaseLocked {
			t.show(t.kiosk.NotReady(t.status.Fault.Reason(), t.decided))
		}
		return
	}
	texture := t.kiosk.WantsTexture()
	begin := time.Now()
	t.first.begin()
	o, err := t.analyzer.Follow(f, texture, t.face.wanted(t.kiosk))
	t.first.end()
	t.metrics.analysed(time.Since(begin), time.Since(f.At), err)
	if err != nil {
		t.log.Warn("a frame could not be analysed", "error", err)
		t.checkSight()
		return
	}
	t.decided, t.seen = time.Now(), o
	t.excuse("sight")
	t.keepBest(f, &o)
	out := t.kiosk.Step(&o)
	t.face.turn(t.kiosk)
	t.show(out)
}

// checkSight ends a session when nothing could be judged for too long,
// whatever the camera says of itself.
func (t *terminal) checkSight() {
	if !t.status.Ready || time.Since(t.decided) < blindAfter {
		return
	}
	t.blame("sight", fmt.Sprintf("no picture could be judged for %v", blindAfter))
	t.show(t.kiosk.NotReady(livenessd.CameraLost, time.Now()))
}

// show commits what happened and only then puts it on the screen.
func (t *terminal) show(out challenge.Output) {
	view := out.View
	for _, e := range out.Events {
		if e.Result == nil {
			t.session(e)
			t.record(e)
			continue
		}
		if err := t.result(e.Result); err != nil {
			t.damaged(err)
			t.log.Error("a result could not be recorded; the person is told to try again", "session", e.Session, "error", err)
			view = t.kiosk.Unrecorded(e.At)
		}
	}
	if !t.blocked() && view.Phase == livenessd.PhaseNotReady && (view.Reason == livenessd.FrozenFeed || view.Reason == livenessd.RepeatedFeed) {
		t.blame("feed", "the camera gives the same pictures again and again: check it, then plug it in anew")
	} else {
		t.excuse("feed")
	}
	view.Notice = t.notice(view)
	t.phase = view.Phase
	t.metrics.phase(view.Phase)
	t.screen(view)
	if t.camera.show != nil {
		t.camera.show(view, time.Now())
	}
}

// result completes r with what only this machine knows and commits it.
func (t *terminal) result(r *livenessd.Result) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	r.ID, r.Boot, r.Clock, r.Camera, r.Software = id.String(), t.boot, t.clock.quality(), t.status.Camera, t.software
	picture := t.picture
	s := t.sessions[r.Session]
	t.picture = nil
	delete(t.sessions, r.Session)
	_, err = t.store.PutResult(r, picture)
	waits := errors.Is(err, errWaits)
	if err != nil && !waits {
		return err
	}
	t.metrics.result(r)
	t.log.Info("result", "id", r.ID, "session", r.Session, "outcome", r.Outcome, "reasons", r.Reasons,
		"duration", r.Duration.Round(time.Millisecond), "attempt", r.Attempt, "recorded", !waits)
	s.ID, s.State, s.Result, s.Outcome = r.Session, livenessd.SessionDone, r.ID, r.Outcome
	s.Reference, s.Unrecorded = r.Reference, waits
	if s.Created.IsZero() {
		s.Created = r.Started
	}
	if err := t.store.PutSession(s); err != nil && !errors.Is(err, errWaits) { // the result stands; only its session cannot be asked for
		t.log.Error("a finished session could not be recorded", "session", s.ID, "error", err)
	}
	return nil
}

// session follows sessions from their first frame on.
func (t *terminal) session(e livenessd.Event) {
	if e.Type != livenessd.EventSessionStarted {
		return
	}
	s, ok := t.sessions[e.Session]
	if !ok {
		s = livenessd.Session{ID: e.Session, Created: e.At, Expires: e.At}
	}
	s.State = livenessd.SessionRunning
	t.sessions[e.Session] = s
}

func (t *terminal) record(e livenessd.Event) {
	e.Boot, e.Clock = t.boot, t.clock.quality()
	if _, err := t.store.PutEvent(e); err != nil && !errors.Is(err, errWaits) {
		t.damaged(err)
		t.log.Error("an event could not be recorded", "type", e.Type, "error", err)
	}
}

// storeState says on /readyz what the ledger says of the disk.
func (t *terminal) storeState(why error, waiting int, full bool) {
	t.excuse("store")
	t.excuse("store_full")
	switch {
	case full:
		t.blame("store_full", "nobody is judged, because nothing more can be kept: "+why.Error())
	case why != nil:
		t.blame("store", fmt.Sprintf("%d entries wait in memory, for the disk cannot be written: %v", waiting, why))
	}
}

// damaged ends the loop when the store has given up for good: at the next
// start it is checked and mended.
func (t *terminal) damaged(err error) {
	if errors.Is(err, livenessd.ErrNotReady) {
		t.broken = fmt.Errorf("store.path: %w", err)
	}
}

// keepBest holds on to a frame of a running session for as long as it runs,
// and only when the operator turned that on.
func (t *terminal) keepBest(f livenessd.Frame, o *livenessd.Observation) {
	if !t.pictures || f.Format != livenessd.MJPEG || o.Texture == nil {
		return
	}
	if t.picture == nil || len(o.Reasons()) == 0 {
		t.picture = f.Data
	}
}

// blame and excuse keep what /readyz says. The kiosk's own reasons are there
// under "kiosk".
func (t *terminal) blame(what, why string) {
	t.mu.Lock()
	t.reasons[what] = why
	t.mu.Unlock()
}

func (t *terminal) excuse(what string) {
	t.mu.Lock()
	delete(t.reasons, what)
	t.mu.Unlock()
}

// warningCodes are what does not keep the terminal from judging, in the order
// in which it is listed.
var warningCodes = []string{"camera_slow", "camera_unpinned", "store", "disk", "clock"}

// ready returns what keeps the terminal from judging.
func (t *terminal) ready() []api.Reason {
	return t.blamed(func(c string) bool { return !slices.Contains(warningCodes, c) })
}

// warnings returns what should be mended although the terminal judges.
func (t *terminal) warnings() []api.Reason {
	return t.blamed(func(c string) bool { return slices.Contains(warningCodes, c) })
}

func (t *terminal) blamed(which func(code string) bool) []api.Reason {
	t.mu.Lock()
	defer t.mu.Unlock()
	var rs []api.Reason
	for _, code := range slices.Sorted(maps.Keys(t.reasons)) {
		if which(code) {
			rs = append(rs, api.Reason{Code: code, Detail: t.reasons[code]})
		}
	}
	return rs
}

// summary is one line for who looks after the machine.
func (t *terminal) summary() string {
	var whys []string
	for _, r := range t.ready() {
		whys = append(whys, r.Detail)
	}
	if len(whys) != 0 {
		return "Not ready: " + strings.Join(whys, "; ")
	}
	for _, r := range t.warnings() {
		whys = append(whys, r.Detail)
	}
	if len(whys) != 0 {
		return "Ready, but " + strings.Join(whys, "; ")
	}
	return "Ready"
}
