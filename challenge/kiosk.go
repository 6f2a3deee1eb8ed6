package challenge

import (
	"fmt"
	"math/rand/v2"
	"time"

	"livenessd"
)

// Output is what one step did: what the screen shows now, and what happened,
// in order. A result must be committed before its view is shown.
type Output struct {
	View   livenessd.View
	Events []livenessd.Event // IDs and everything about the machine are set by others
}

// Kiosk is the round of one terminal. It is owned by one goroutine. The times
// it is given come from the frames and never run backwards within a session:
// if they do, the session is void.
type Kiosk struct {
	cfg   Config
	rng   *rand.Rand
	newID func() string

	feed    feed
	prompts prompter
	phase   livenessd.Phase
	since   time.Time
	now     time.Time // of the last step
	reason  livenessd.Reason

	face     time.Time // somebody near enough since; zero when not
	rest     rest
	session  *session
	outcome  livenessd.Outcome // of the result on the screen
	failures []time.Time
	until    time.Time // end of the lock
}

// NewKiosk returns an idle kiosk. rng decides the movements: it must be seeded
// from a cryptographic source. newID names sessions that nobody asked for.
func NewKiosk(cfg Config, rng *rand.Rand, newID func() string) (*Kiosk, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	k := &Kiosk{cfg: cfg, rng: rng, newID: newID, phase: livenessd.PhaseIdle}
	k.rest = rest{cfg: &k.cfg}
	k.feed = feed{frozenFor: cfg.Frozen, maxPause: cfg.MaxPause}
	k.prompts = prompter{settle: cfg.PromptSettle, show: cfg.PromptShow}
	return k, nil
}

// WantsTexture reports whether the next frame's texture score can matter: the
// movements are judged without it.
func (k *Kiosk) WantsTexture() bool {
	return k.session != nil && k.session.phase != livenessd.PhaseMove
}

// WantsFace reports whether the face of the next frame may be one that others
// are compared with.
func (k *Kiosk) WantsFace() bool {
	return k.session != nil && (k.session.phase == livenessd.PhaseHold || k.session.phase == livenessd.PhaseMove)
}

// WantsFlow reports whether the next frame's Flow can matter: it is compared
// with the last frame after which Anchored was true.
func (k *Kiosk) WantsFlow() bool {
	return k.session != nil && k.session.phase == livenessd.PhaseMove
}

// Anchored reports whether frames to come are compared with that of the last
// step: the last good one of the hold, and those at which a movement was asked
// for.
func (k *Kiosk) Anchored() bool {
	return k.session != nil && k.session.anchor.Equal(k.now)
}

// Request starts a session for whoever steps up before expires; reduced asks
// for the small movements of Config.ReducedYaw. The error wraps
// livenessd.ErrBusy or ErrNotReady.
func (k *Kiosk) Request(id, reference string, reduced bool, at, expires time.Time) error {
	switch k.phase {
	case livenessd.PhaseIdle, livenessd.PhaseRest:
	case livenessd.PhaseLocked:
		return fmt.Errorf("the kiosk is locked after too many failures until %s: %w", k.until.Format(time.RFC3339), livenessd.ErrBusy)
	case livenessd.PhaseNotReady:
		return fmt.Errorf("the kiosk cannot judge now (%s): %w", k.reason, livenessd.ErrNotReady)
	default:
		return fmt.Errorf("a session is running: %w", livenessd.ErrBusy)
	}
	k.begin(at, id, reference)
	k.session.expires = expires
	if reduced {
		k.session.reduce()
	}
	return nil
}

// Cancel ends the session named id as retry. It returns an error that wraps
// livenessd.ErrNotFound when no such session runs.
func (k *Kiosk) Cancel(id string, at time.Time) (Output, error) {
	if k.session == nil || k.session.id != id {
		return Output{}, fmt.Errorf("no session %q is running: %w", id, livenessd.ErrNotFound)
	}
	var out Output
	k.conclude(&out, k.session.retry(at, livenessd.Cancelled), at)
	out.View = k.view()
	return out, nil
}

// NotReady tells that frames cannot be judged, and why. A running session ends
// as retry. The next Step ends it.
func (k *Kiosk) NotReady(why livenessd.Reason, at time.Time) Output {
	var out Output
	k.now = at
	if k.session != nil {
		k.conclude(&out, k.session.void(at, why), at)
	}
	if k.phase != livenessd.PhaseLocked { // a lock outlives a lost camera
		k.enter(livenessd.PhaseNotReady, livenessd.PromptWait, at)
	}
	k.reason = why
	out.View = k.view()
	return out
}

// Unrecorded tells that the result could not be committed: what nobody can
// read later was not decided.
func (k *Kiosk) Unrecorded(at time.Time) livenessd.View {
	k.outcome, k.reason = livenessd.Retry, livenessd.Internal
	k.prompts.force(livenessd.PromptRetry, at)
	return k.view()
}

// View returns what the screen shows since the last step.
func (k *Kiosk) View() livenessd.View { return k.view() }

// Step takes one observation and moves the round on.
func (k *Kiosk) Step(o *livenessd.Observation) Output {
	var out Output
	moved := k.feed.moved(o)
	fault := k.feed.step(o)
	k.now = o.At
	// After a pause a new picture shows that the camera is well again, too: where
	// judging one takes longer than the longest pause, each comes after one.
	if k.phase == livenessd.PhaseNotReady && (fault == "" || fault == livenessd.TimeJump && moved) {
		k.enter(livenessd.PhaseIdle, livenessd.PromptApproach, o.At)
	}
	switch k.phase {
	case livenessd.PhaseLocked:
		k.locked(&out, o)
	case livenessd.PhaseIdle, livenessd.PhaseNotReady:
		k.idle(&out, o, fault)
	case livenessd.PhaseResult:
		k.showing(&out, o)
	case livenessd.PhaseRest:
		k.resting(o)
	default:
		if r := k.session.step(o, fault); r != nil {
			k.conclude(&out, r, o.At)
		} else {
			k.announce(&out, o.At)
		}
	}
	out.View = k.view()
	return out
}

func (k *Kiosk) idle(out *Output, o *livenessd.Observation, fault livenessd.Reason) {
	if fault == livenessd.FrozenFeed || fault == livenessd.RepeatedFeed {
		k.face = time.Time{}
		if k.phase != livenessd.PhaseNotReady {
			k.enter(livenessd.PhaseNotReady, livenessd.PromptWait, o.At)
		}
		k.reason = fault
		return
	}
	face := k.near(o)
	k.rest.step(o.At, face)
	if fault != "" || face == nil {
		k.face = time.Time{}
		return
	}
	if k.lock(out, o.At) { // a camera that was lost meanwhile does not wipe the count
		return
	}
	if k.face.IsZero() {
		k.face = o.At
	}
	if !k.cfg.OnRequest && o.At.Sub(k.face) >= k.cfg.ApproachFor {
		k.begin(o.At, k.newID(), "")
		k.session.step(o, "")
		k.announce(out, o.At)
	}
}

// near returns the face of whoever stands in front rather than passing by, nil
// when nobody does.
func (k *Kiosk) near(o *livenessd.Observation) *livenessd.Face {
	if len(o.Faces) == 0 || o.Faces[0].Box.H < k.cfg.Approach*float64(o.Height) {
		return nil
	}
	return &o.Faces[0]
}

func (k *Kiosk) begin(at time.Time, id, reference string) {
	k.session = newSession(&k.cfg, k.rng, &k.prompts, id, reference, at)
	k.phase, k.since = livenessd.PhasePosition, at
	k.reason, k.face = "", time.Time{}
	k.prompts.force(livenessd.PromptLookHere, at)
}

// announce tells once that a session has a person.
func (k *Kiosk) announce(out *Output, at time.Time) {
	if s := k.session; s.started.Equal(at) {
		out.Events = append(out.Events, livenessd.Event{Type: livenessd.EventSessionStarted, At: at, Session: s.id})
	}
}

// conclude puts the result on the screen, and counts it if it was a failure.
func (k *Kiosk) conclude(out *Output, r *livenessd.Result, at time.Time) {
	k.session = nil
	out.Events = append(out.Events, livenessd.Event{Type: livenessd.EventResult, At: at, Session: r.Session, Result: r})
	k.outcome, k.reason = r.Outcome, first(r.Reasons)
	k.enter(livenessd.PhaseResult, map[livenessd.Outcome]livenessd.Prompt{
		livenessd.Live:    livenessd.PromptLive,
		livenessd.NotLive: livenessd.PromptNotLive,
		livenessd.Retry:   livenessd.PromptRetry,
	}[r.Outcome], at)
	if suspicious(r) {
		k.failures = append(k.failures, at)
	}
}

// suspicious reports whether r counts towards the lock: a no, and a feed or a
// face that was exchanged. Bad light or a person who left does not.
func suspicious(r *livenessd.Result) bool {
	if r.Outcome == livenessd.NotLive {
		return true
	}
	for _, why := range r.Reasons {
		switch why {
		case livenessd.FrozenFeed, livenessd.RepeatedFeed, livenessd.FaceChanged:
			return true
		}
	}
	return false
}

func (k *Kiosk) showing(out *Output, o *livenessd.Observation) {
	if o.At.Sub(k.since) < k.cfg.ShowResult || k.lock(out, o.At) {
		return
	}
	k.enter(livenessd.PhaseRest, livenessd.PromptStepAway, o.At)
	k.rest.begin(k.near(o))
}

func (k *Kiosk) resting(o *livenessd.Observation) {
	k.rest.step(o.At, k.near(o))
	if k.rest.over(o.At, k.since, k.outcome) {
		k.enter(livenessd.PhaseIdle, livenessd.PromptApproach, o.At)
	}
}

// lock locks the kiosk when the failures of the window are too many, and
// forgets older ones. It reports whether it did.
func (k *Kiosk) lock(out *Output, at time.Time) bool {
	kept := k.failures[:0]
	for _, f := range k.failures {
		if at.Sub(f) < k.cfg.LockWindow {
			kept = append(kept, f)
		}
	}
	k.failures = kept
	if k.cfg.LockFailures == 0 || len(kept) < k.cfg.LockFailures {
		return false
	}
	k.until = at.Add(k.cfg.LockFor)
	k.enter(livenessd.PhaseLocked, livenessd.PromptLocked, at)
	out.Events = append(out.Events, livenessd.Event{
		Type: livenessd.EventLocked, At: at,
		Detail: fmt.Sprintf("%d failures within %v; locked until %s", len(kept), k.cfg.LockWindow, k.until.UTC().Format(time.RFC3339)),
	})
	return true
}

func (k *Kiosk) locked(out *Output, o *livenessd.Observation) {
	if o.At.Before(k.until) {
		return
	}
	k.failures = nil
	out.Events = append(out.Events, livenessd.Event{Type: livenessd.EventUnlocked, At: o.At})
	k.enter(livenessd.PhaseIdle, livenessd.PromptApproach, o.At)
}

func (k *Kiosk) enter(p livenessd.Phase, prompt livenessd.Prompt, at time.Time) {
	k.phase, k.since = p, at
	k.prompts.force(prompt, at)
	if p == livenessd.PhaseIdle {
		k.outcome, k.reason, k.face = "", "", time.Time{}
	}
}

func (k *Kiosk) view() livenessd.View {
	if k.session != nil {
		return k.session.view(k.now)
	}
	v := livenessd.View{Phase: k.phase, Prompt: k.prompts.current}
	switch k.phase {
	case livenessd.PhaseResult:
		v.Outcome, v.Reason, v.Progress = k.outcome, k.reason, 1
	case livenessd.PhaseNotReady:
		v.Reason = k.reason
	case livenessd.PhaseLocked:
		v.Until = k.until
	}
	return v
}
