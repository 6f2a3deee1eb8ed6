package challenge

import (
	"time"

	"livenessd"
)

// prompter keeps one prompt on the screen long enough to be read and lets a
// new one in only when its cause has lasted.
type prompter struct {
	settle, show time.Duration

	current   livenessd.Prompt
	shownAt   time.Time
	candidate livenessd.Prompt
	since     time.Time
}

// want asks for p at the time given and returns what the screen shows.
func (p *prompter) want(next livenessd.Prompt, at time.Time) livenessd.Prompt {
	if next == p.current {
		p.candidate = next
		return p.current
	}
	if next != p.candidate {
		p.candidate, p.since = next, at
	}
	if at.Sub(p.since) >= p.settle && at.Sub(p.shownAt) >= p.show {
		p.current, p.shownAt = next, at
	}
	return p.current
}

// force puts next on the screen at once: for a change of phase, where waiting
// would tell the person something that is no longer so.
func (p *prompter) force(next livenessd.Prompt, at time.Time) livenessd.Prompt {
	if next != p.current {
		p.current, p.shownAt = next, at
	}
	p.candidate = next
	return p.current
}

// arrowOf returns where an arrow beside the prompt points, in the person's own
// left and right.
func arrowOf(p livenessd.Prompt) livenessd.Direction {
	switch p {
	case livenessd.PromptMoveLeft, livenessd.PromptTurnLeft:
		return livenessd.Left
	case livenessd.PromptMoveRight, livenessd.PromptTurnRight:
		return livenessd.Right
	case livenessd.PromptMoveUp, livenessd.PromptLookUp:
		return livenessd.Up
	case livenessd.PromptMoveDown, livenessd.PromptLookDown:
		return livenessd.Down
	}
	return ""
}

func promptOf(d livenessd.Direction) livenessd.Prompt {
	switch d {
	case livenessd.Left:
		return livenessd.PromptTurnLeft
	case livenessd.Right:
		return livenessd.PromptTurnRight
	case livenessd.Up:
		return livenessd.PromptLookUp
	}
	return livenessd.PromptLookDown
}

// byUrgency is the order in which flaws are told: what hides the others first.
var byUrgency = []livenessd.Reason{
	livenessd.NoFace,
	livenessd.SeveralFaces,
	livenessd.TooDark,
	livenessd.TooBright,
	livenessd.TooNear,
	livenessd.TooFar,
	livenessd.Cropped,
	livenessd.OffCentre,
	livenessd.Sunglasses,
	livenessd.Mask,
	livenessd.Occluded,
	livenessd.NotFrontal,
	livenessd.LowContrast,
	livenessd.Blurred,
}

// first returns the most urgent of rs, or "" when there is none.
func first(rs []livenessd.Reason) livenessd.Reason {
	for _, u := range byUrgency {
		for _, r := range rs {
			if r == u {
				return r
			}
		}
	}
	if len(rs) > 0 {
		return rs[0]
	}
	return ""
}

// flawOf returns the most urgent flaw of o, or "". Where no face was found and
// the picture says why, that is the flaw.
func flawOf(o *livenessd.Observation) livenessd.Reason {
	if len(o.Faces) > 0 {
		return first(o.Reasons())
	}
	for _, r := range o.Reasons() {
		if r == livenessd.TooDark || r == livenessd.TooBright {
			return r
		}
	}
	return livenessd.NoFace
}

// advice says what the person can do about the most urgent flaw of o.
func advice(o *livenessd.Observation) livenessd.Prompt {
	switch flawOf(o) {
	case livenessd.NoFace:
		return livenessd.PromptLookHere
	case "":
		return livenessd.PromptStill
	case livenessd.SeveralFaces:
		return livenessd.PromptOnePerson
	case livenessd.TooDark, livenessd.LowContrast:
		return livenessd.PromptMoreLight
	case livenessd.TooBright:
		return livenessd.PromptLessLight
	case livenessd.TooNear:
		return livenessd.PromptBack
	case livenessd.TooFar:
		return livenessd.PromptCloser
	case livenessd.Cropped, livenessd.OffCentre:
		return towardsMiddle(o)
	case livenessd.Sunglasses, livenessd.Mask, livenessd.Occluded:
		return livenessd.PromptUncover
	case livenessd.NotFrontal:
		return livenessd.PromptFaceCamera
	case livenessd.Blurred:
		return livenessd.PromptStill
	}
	return livenessd.PromptLookHere
}

// towardsMiddle names the side to move to. The picture is not mirrored, so a
// face left of the middle belongs to a person who must move to their own left.
func towardsMiddle(o *livenessd.Observation) livenessd.Prompt {
	c := o.Faces[0].Box.Center()
	dx := (c.X - float64(o.Width)/2) / float64(o.Width)
	dy := (c.Y - float64(o.Height)/2) / float64(o.Height)
	if max(dx, -dx) >= max(dy, -dy) {
		if dx < 0 {
			return livenessd.PromptMoveLeft
		}
		return livenessd.PromptMoveRight
	}
	if dy < 0 {
		return livenessd.PromptMoveDown
	}
	return livenessd.PromptMoveUp
}
