package challenge

import (
	"math/rand/v2"
	"time"

	"livenessd"
)

// attempts is how often a person may try within one session.
const attempts = 2

// maxPoses bounds what the hold phase remembers of the straight look.
const maxPoses = 120

// session is one person's check, from the first frame with a face to the
// result. Every stage must agree; whatever is missing is not a yes.
type session struct {
	cfg       *Config
	rng       *rand.Rand
	id        string
	reference string
	reduced   bool      // smaller movements, as in Config.ReducedYaw
	expires   time.Time // of a session that a caller asked for and nobody stepped up to

	started time.Time // zero until somebody steps up
	attempt int
	phase   livenessd.Phase
	since   time.Time // of the phase
	again   time.Time // until when "try again" is shown
	prompts *prompter
	track   Track
	passive passive
	poses   []livenessd.Pose
	moves   *movements
	steps   []livenessd.Direction    // of the last challenge, for the result
	anchor  time.Time                // of the face that later ones are compared with
	frames  int                      // tracked without a break
	ready   time.Time                // position is good since
	seen    time.Time                // somebody was last seen
	flaw    livenessd.Reason         // most urgent flaw of the last frame
	flaws   map[livenessd.Reason]int // frames with each, since the attempt began
	failure livenessd.Reason         // of the first attempt
}

func newSession(cfg *Config, rng *rand.Rand, prompts *prompter, id, reference string, at time.Time) *session {
	s := &session{cfg: cfg, rng: rng, prompts: prompts, id: id, reference: reference, attempt: 1}
	s.position(at)
	return s
}

// reduce makes the movements to come small. It must come before the first step.
func (s *session) reduce() {
	cfg := s.cfg.reduced()
	s.cfg, s.reduced, s.passive.cfg = &cfg, true, &cfg
}

// position begins, or begins again, with nothing kept of what came before: what
// is judged later must all come from one unbroken track.
func (s *session) position(at time.Time) {
	s.phase, s.since = livenessd.PhasePosition, at
	s.track = NewTrack(*s.cfg)
	s.passive = passive{cfg: s.cfg}
	s.poses, s.moves, s.frames, s.ready, s.anchor = nil, nil, 0, time.Time{}, time.Time{}
	s.flaws = map[livenessd.Reason]int{}
}

// step takes one observation; fault is what the feed or the track of pictures
// did wrong. It returns the finished result, or nil.
func (s *session) step(o *livenessd.Observation, fault livenessd.Reason) *livenessd.Result {
	if len(o.Faces) > 0 {
		s.seen = o.At
		if s.started.IsZero() {
			s.started, s.since = o.At, o.At
		}
	}
	if s.started.IsZero() {
		return s.waiting(o)
	}
	if fault != "" {
		return s.void(o.At, fault)
	}
	if o.At.Sub(s.started) > s.cfg.TotalLimit {
		return s.retry(o.At, s.mainFlaw(), livenessd.TimedOut)
	}
	if o.At.Before(s.again) {
		s.since = o.At
		return nil
	}
	s.flaw = flawOf(o)
	s.flaws[s.flaw]++
	switch s.phase {
	case livenessd.PhasePosition:
		return s.positioning(o)
	case livenessd.PhaseHold:
		return s.holding(o)
	}
	return s.moving(o)
}

// waiting is before anybody stepped up to a session that a caller asked for.
func (s *session) waiting(o *livenessd.Observation) *livenessd.Result {
	s.prompts.want(livenessd.PromptLookHere, o.At)
	if o.At.Before(s.expires) {
		return nil
	}
	return s.retry(o.At, livenessd.NoFace, livenessd.TimedOut)
}

func (s *session) positioning(o *livenessd.Observation) *livenessd.Result {
	if o.At.Sub(s.seen) > s.cfg.Leave {
		return s.retry(o.At, livenessd.FaceLost)
	}
	if o.At.Sub(s.since) > s.cfg.PositionLimit {
		return s.failed(o.At, s.mainFlaw(), livenessd.TimedOut)
	}
	s.prompts.want(advice(o), o.At)
	if s.flaw != "" {
		s.ready = time.Time{}
		return nil
	}
	if s.ready.IsZero() {
		s.ready = o.At
	}
	if o.At.Sub(s.ready) >= s.cfg.PromptSettle {
		s.phase, s.since = livenessd.PhaseHold, o.At
		s.prompts.force(livenessd.PromptStill, o.At)
	}
	return nil
}

func (s *session) holding(o *livenessd.Observation) *livenessd.Result {
	switch r := s.track.Step(o); r {
	case "":
		s.frames++
	case livenessd.SeveralFaces:
		return s.void(o.At, r)
	default: // nothing was decided yet: whoever is there now starts anew
		since := s.since
		s.position(o.At)
		s.since = since // but not the clock
		return nil
	}
	if o.At.Sub(s.since) > s.cfg.HoldLimit {
		return s.failed(o.At, s.mainFlaw(), livenessd.TooFewFrames)
	}
	s.prompts.want(advice(o), o.At)
	if !good(o) {
		return nil
	}
	s.passive.add(o)
	s.anchor = o.At
	if len(s.poses) < maxPoses {
		s.poses = append(s.poses, o.Pose)
	}
	switch s.passive.decided() {
	case livenessd.Live:
		s.phase, s.since = livenessd.PhaseMove, o.At
		s.steps = sequence(s.cfg, s.rng)
		s.moves = newMovements(s.cfg, s.steps, rests(s.cfg, len(s.steps), s.rng), s.poses, o.At)
	case livenessd.NotLive:
		return s.result(o.At)
	}
	return nil
}

func (s *session) moving(o *livenessd.Observation) *livenessd.Result {
	switch r := s.track.Step(o); r {
	case "":
		s.frames++
	case livenessd.FaceLost:
		return s.failed(o.At, r)
	default:
		return s.void(o.At, r)
	}
	switch r := s.moves.step(o); r {
	case "":
	case livenessd.FaceChanged:
		return s.void(o.At, r)
	default:
		return s.wrong(o.At, r)
	}
	if s.moves.justAsked(o.At) {
		s.anchor = o.At
	}
	s.prompts.force(s.moves.prompt(), o.At)
	if s.moves.done() {
		return s.result(o.At)
	}
	return nil
}

// mainFlaw is what was in the way most of the time, "" when nothing was: the
// last frame alone may be an exception.
func (s *session) mainFlaw() (flaw livenessd.Reason) {
	for r, n := range s.flaws {
		if r != "" && (n > s.flaws[flaw] || flaw == "" || (n == s.flaws[flaw] && r < flaw)) {
			flaw = r
		}
	}
	return flaw
}

// failed uses up an attempt for something the person may not be guilty of.
func (s *session) failed(at time.Time, rs ...livenessd.Reason) *livenessd.Result {
	if s.attempt < attempts {
		s.tryAgain(at, first(rs))
		return nil
	}
	return s.retry(at, rs...)
}

// wrong uses up an attempt for a movement that was not the answer. The second
// time it is a no: a person can do it, a picture cannot.
func (s *session) wrong(at time.Time, r livenessd.Reason) *livenessd.Result {
	if s.attempt < attempts {
		s.tryAgain(at, r)
		return nil
	}
	stages := s.stages()
	motion := &stages[stageAt(stages, livenessd.StageMotion)]
	motion.Outcome, motion.Reasons = livenessd.NotLive, []livenessd.Reason{r}
	return s.finish(at, stages)
}

func (s *session) tryAgain(at time.Time, why livenessd.Reason) {
	s.attempt++
	s.position(at)
	s.failure = why
	s.again = at.Add(s.cfg.ShowRetry)
	s.prompts.force(livenessd.PromptTryAgain, at)
}

// void ends the session at once, whatever was reached.
func (s *session) void(at time.Time, r livenessd.Reason) *livenessd.Result {
	stages := s.stages()
	track := &stages[stageAt(stages, livenessd.StageTrack)]
	track.Outcome, track.Score, track.Reasons = livenessd.Retry, 0, []livenessd.Reason{r}
	return s.finish(at, stages)
}

// retry ends the session undecided.
func (s *session) retry(at time.Time, rs ...livenessd.Reason) *livenessd.Result {
	stages := s.stages()
	quality := &stages[stageAt(stages, livenessd.StageQuality)]
	quality.Outcome = livenessd.Retry
	quality.Reasons = nil
	for _, r := range rs {
		if r != "" {
			quality.Reasons = livenessd.AddReason(quality.Reasons, r)
		}
	}
	return s.finish(at, stages)
}

// result ends the session with what the stages say.
func (s *session) result(at time.Time) *livenessd.Result { return s.finish(at, s.stages()) }

// stages reports every stage as it stands. All four are always there.
func (s *session) stages() []livenessd.Stage {
	quality := livenessd.Stage{
		Name: livenessd.StageQuality, Frames: len(s.passive.values), Threshold: 1, Outcome: livenessd.Retry,
		Score: min(1, float64(len(s.passive.values))/float64(s.cfg.OfFrames)),
	}
	if len(s.passive.values) >= s.cfg.OfFrames {
		quality.Outcome = livenessd.Live
	}
	track := livenessd.Stage{Name: livenessd.StageTrack, Frames: s.frames, Threshold: 1, Outcome: livenessd.Retry}
	if s.frames > 0 {
		track.Outcome, track.Score = livenessd.Live, 1
	}
	motion := livenessd.Stage{Name: livenessd.StageMotion, Threshold: 1, Outcome: livenessd.Retry}
	if s.moves != nil {
		motion = s.moves.stage()
	}
	return []livenessd.Stage{quality, s.passive.stage(), motion, track}
}

func stageAt(stages []livenessd.Stage, name string) int {
	for i := range stages {
		if stages[i].Name == name {
			return i
		}
	}
	panic("challenge: no stage " + name) // stages() makes all four
}

func (s *session) finish(at time.Time, stages []livenessd.Stage) *livenessd.Result {
	started := s.started
	if started.IsZero() {
		started = at
	}
	r := &livenessd.Result{
		Session: s.id, Reference: s.reference, Started: started, At: at, Duration: at.Sub(started),
		Outcome: Combine(stages), Stages: stages, Quality: s.passive.best, Movements: s.steps, Reduced: s.reduced, Attempt: s.attempt,
	}
	for _, st := range stages {
		if st.Outcome != livenessd.Live && st.Outcome == r.Outcome {
			for _, reason := range st.Reasons {
				r.Reasons = livenessd.AddReason(r.Reasons, reason)
			}
		}
	}
	return r
}

// Combine is the AND of the stages: live only when all four are there and all
// are live; not live when one says so; retry otherwise.
func Combine(stages []livenessd.Stage) livenessd.Outcome {
	live := map[string]bool{}
	for _, s := range stages {
		if s.Outcome == livenessd.NotLive {
			return livenessd.NotLive
		}
		live[s.Name] = s.Outcome == livenessd.Live
	}
	for _, name := range []string{livenessd.StageQuality, livenessd.StageTexture, livenessd.StageMotion, livenessd.StageTrack} {
		if !live[name] {
			return livenessd.Retry
		}
	}
	if len(stages) != len(live) { // one stage told twice: something is wrong
		return livenessd.Retry
	}
	return livenessd.Live
}

// view is what the screen shows while the session runs.
func (s *session) view(at time.Time) livenessd.View {
	v := livenessd.View{Phase: s.phase, Prompt: s.prompts.current, Arrow: arrowOf(s.prompts.current)}
	if v.Prompt == livenessd.PromptTryAgain { // elsewhere the prompt says it, and the flaw of a frame flickers
		v.Reason = s.failure
	}
	limit := s.since.Add(s.cfg.PositionLimit)
	switch s.phase {
	case livenessd.PhasePosition:
		v.Progress = 0.05
		if s.started.IsZero() {
			limit = s.expires
		}
	case livenessd.PhaseHold:
		limit = s.since.Add(s.cfg.HoldLimit)
		v.Progress = 0.1 + 0.4*min(1, float64(len(s.passive.values))/float64(s.cfg.OfFrames))
	case livenessd.PhaseMove:
		limit = s.moves.deadline()
		v.Steps = len(s.moves.steps)
		v.Step = min(s.moves.i+1, v.Steps)
		v.Progress = 0.5 + 0.5*float64(s.moves.i)/float64(max(1, v.Steps))
	}
	if end := s.started.Add(s.cfg.TotalLimit); !s.started.IsZero() && end.Before(limit) {
		limit = end
	}
	v.Warning = limit.Sub(at) < s.cfg.Warn
	v.Until = limit
	return v
}
