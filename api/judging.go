package api

import (
	"fmt"
	"math"
	"slices"

	"livenessd"
)

// judgement is a Verdict under the rules that all dialects share. What the
// kiosk would not judge is not judged here either: a picture with a reason
// against it has no texture score, whatever the networks said of it.
type judgement struct {
	Verdict
	// textures has the score of each picture, nil where it was not judged.
	textures []*livenessd.Score
	// unfit has the reasons why a picture was not judged.
	unfit   [][]livenessd.Reason
	outcome livenessd.Outcome
	reasons []livenessd.Reason // of outcome
}

// rules are what a dialect changes in them.
type rules struct {
	// motion: the movement between the pictures is judged too.
	motion bool
	// tolerate lists the reasons for which picture i is judged all the same.
	tolerate func(i int) []livenessd.Reason
}

// offCentre is of no weight in any dialect: it concerns the kiosk's screen.
// Nobody who sends a picture is shown where to stand.
const offCentre = livenessd.OffCentre

// decide applies the rules to v. All pictures must be judged and live, and the
// movement must be a head's where it is asked for.
func decide(v Verdict, pictures int, r rules) (judgement, error) {
	if len(v.Pictures) != pictures || pictures == 0 {
		return judgement{}, fmt.Errorf("the verdict shows %d pictures of %d", len(v.Pictures), pictures)
	}
	j := judgement{
		Verdict: v, outcome: livenessd.Live,
		textures: make([]*livenessd.Score, pictures), unfit: make([][]livenessd.Reason, pictures),
	}
	for i := range v.Pictures {
		tolerated := []livenessd.Reason{offCentre}
		if r.tolerate != nil {
			tolerated = append(tolerated, r.tolerate(i)...)
		}
		o := &v.Pictures[i].Observation
		j.unfit[i] = against(o, tolerated)
		if len(j.unfit[i]) > 0 {
			j.add(livenessd.Retry, j.unfit[i]...)
			continue
		}
		if !sound(o.Texture) {
			return judgement{}, fmt.Errorf("picture %d has the score %+v", i, *o.Texture)
		}
		j.textures[i] = o.Texture
		if !passes(o.Texture) {
			j.add(livenessd.NotLive, livenessd.TextureRejected)
		}
	}
	switch {
	case !r.motion:
	case v.Motion == nil:
		j.add(livenessd.Retry, livenessd.NoMovement)
	case !sound(v.Motion):
		return judgement{}, fmt.Errorf("the movement has the score %+v", *v.Motion)
	case !passes(v.Motion):
		j.add(livenessd.NotLive, livenessd.FlatMotion)
	}
	return j, nil
}

// add makes j at least as bad as o. A judgement is worse than none: what one
// picture shows to be no live person stays so when another cannot be judged.
func (j *judgement) add(o livenessd.Outcome, why ...livenessd.Reason) {
	if o == livenessd.NotLive || j.outcome == livenessd.Live {
		j.outcome = o
	}
	for _, r := range why {
		j.reasons = livenessd.AddReason(j.reasons, r)
	}
}

// against returns why o is not judged; nothing when it is.
func against(o *livenessd.Observation, tolerated []livenessd.Reason) []livenessd.Reason {
	if len(o.Faces) == 0 {
		return livenessd.AddReason(o.Reasons(), livenessd.NoFace)
	}
	rs := slices.DeleteFunc(o.Reasons(), func(r livenessd.Reason) bool { return slices.Contains(tolerated, r) })
	if len(rs) == 0 && o.Texture == nil {
		if cutOff(o) {
			return []livenessd.Reason{livenessd.Cropped}
		}
		return []livenessd.Reason{livenessd.TooFewFrames}
	}
	return rs
}

// cutOff tells whether an eye, the nose or the mouth lies outside the picture.
// A detector may squeeze the box of such a face into the picture, so that the
// measures of its margins see nothing.
func cutOff(o *livenessd.Observation) bool {
	return slices.ContainsFunc(o.Faces[0].Landmarks[:], func(p livenessd.Point) bool {
		return p.X < 0 || p.Y < 0 || p.X >= float64(o.Width) || p.Y >= float64(o.Height)
	})
}

// sound tells whether a score is one. What is none is a fault of a network and
// no judgement, not even a bad one.
func sound(s *livenessd.Score) bool {
	return s.Value >= 0 && s.Value <= 1 && s.Threshold > 0 && s.Threshold <= 1
}

// passes tells whether a score is there and reaches its threshold.
func passes(s *livenessd.Score) bool { return s != nil && s.Value >= s.Threshold }

// faces returns those that count: one, unless somebody else stands as near.
// Passers-by in the background do not count, as at the kiosk.
func (s *Shown) faces() []livenessd.Face {
	if len(s.Faces) > 1 && !slices.Contains(s.Reasons(), livenessd.SeveralFaces) {
		return s.Faces[:1]
	}
	return s.Faces
}

// measure returns the measure of this name.
func (s *Shown) measure(name string) (livenessd.Measure, bool) {
	for _, m := range s.Quality {
		if m.Name == name {
			return m, true
		}
	}
	return livenessd.Measure{}, false
}

// steps is the precision of the scores that are sent.
const steps = 1e5

func roundedDown(v float64) float64 { return math.Floor(v*steps) / steps }
func rounded(v float64) float64     { return math.Round(v*steps) / steps }

// scaled moves a score so that its threshold comes to lie at boundary: callers
// compare scores with a number of their vendor's and know nothing of ours. The
// value is rounded down and is below boundary exactly when s does not pass;
// it is 0 for no score and never 0 for one, since 0 means "not computed". s must
// be sound.
func scaled(s *livenessd.Score, boundary float64) float64 {
	if s == nil {
		return 0
	}
	if !passes(s) {
		v := min(boundary*s.Value/s.Threshold, boundary-1/steps)
		return max(roundedDown(v), 1/steps)
	}
	v := boundary
	if s.Threshold < 1 {
		v += (1 - boundary) * (s.Value - s.Threshold) / (1 - s.Threshold)
	}
	return max(roundedDown(v), boundary)
}

// tenth is a coordinate as precise as a detector is.
func tenth(v float64) float64 { return math.Round(v*10) / 10 }

// mean returns the mean of vs, 0 of none.
func mean(vs []float64) float64 {
	sum := 0.0
	for _, v := range vs {
		sum += v
	}
	return sum / float64(max(len(vs), 1))
}
