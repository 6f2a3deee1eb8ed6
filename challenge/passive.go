package challenge

import (
	"time"

	"livenessd"
)

// passive collects texture scores of good frames until N of M decide.
type passive struct {
	cfg *Config

	values []float64
	score  WeightedScore
	last   time.Time

	threshold float64
	model     string
	best      []livenessd.Measure // quality of the best frame
	bestScore float64
}

// good reports whether o may be scored: a face, nothing to complain about, and
// a texture score. A frame without a score never counts as a good one.
func good(o *livenessd.Observation) bool {
	return len(o.Faces) > 0 && o.Texture != nil && len(o.Reasons()) == 0
}

// add takes the score of a good frame. Frames that come closer together than
// the sample spacing, and scores made by other networks than the first, are
// left out.
func (p *passive) add(o *livenessd.Observation) {
	if !p.last.IsZero() && o.At.Sub(p.last) < p.cfg.SampleSpacing {
		return
	}
	if p.model == "" {
		p.model, p.threshold = o.Texture.Model, o.Texture.Threshold
	}
	if o.Texture.Model != p.model || o.Texture.Threshold != p.threshold || len(p.values) >= 2*p.cfg.OfFrames {
		return
	}
	p.last = o.At
	v, _ := p.score.Add(o)
	p.values = append(p.values, v)
	if w := worst(o.Quality); p.best == nil || w > p.bestScore {
		p.best, p.bestScore = o.Quality, w
	}
}

// decided returns Live, NotLive, or "" when more frames are needed. N of M
// frames and their weighted mean must reach the threshold; when the first M
// are not enough for a yes, as many again are taken before it is a no.
func (p *passive) decided() livenessd.Outcome {
	n := len(p.values)
	if n < p.cfg.OfFrames {
		return ""
	}
	pass := 0
	for _, v := range p.values {
		if v >= p.threshold {
			pass++
		}
	}
	if pass*p.cfg.OfFrames >= p.cfg.GoodFrames*n && p.score.Value() >= p.threshold {
		return livenessd.Live
	}
	if n >= 2*p.cfg.OfFrames {
		return livenessd.NotLive
	}
	return ""
}

// stage reports the texture stage. Undecided is never a yes.
func (p *passive) stage() livenessd.Stage {
	s := livenessd.Stage{
		Name: livenessd.StageTexture, Score: p.score.Value(), Threshold: p.threshold,
		Model: p.model, Frames: len(p.values), Outcome: p.decided(),
	}
	switch s.Outcome {
	case "":
		s.Outcome, s.Reasons = livenessd.Retry, []livenessd.Reason{livenessd.TooFewFrames}
	case livenessd.NotLive:
		s.Reasons = []livenessd.Reason{livenessd.TextureRejected}
	}
	return s
}

// worst returns the lowest score of ms, 0 when there is none: an unmeasured
// frame is not a good one.
func worst(ms []livenessd.Measure) float64 {
	if len(ms) == 0 {
		return 0
	}
	w := 100.0
	for _, m := range ms {
		w = min(w, m.Score)
	}
	return w
}
