// Package evaluate knows how well presentation attacks are told from people:
// the error rates of ISO/IEC 30107-3, how sure they are, and how to show them.
// It is pure statistics and the rendering of reports: no picture, no network,
// no clock, no randomness.
//
// A presentation is one person, or one attack instrument, in front of the
// camera once. Each has a score, 0 to 1; it counts as bona fide when its score
// is at or above the threshold. A presentation without a score is a
// non-response: it is counted and reported by itself and is in no other rate.
//
// Every interval holds for presentations that do not depend on each other. Ten
// recordings of one person in one room are less than ten presentations, and
// the true rate may then lie outside more often than the interval says.
package evaluate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"livenessd"
)

// Class says what a presentation really was.
type Class string

const (
	BonaFide Class = "bona_fide" // a person in front of the lens
	Attack   Class = "attack"    // a photo, a screen, a mask
)

// Presentation is one presentation as it was judged.
type Presentation struct {
	Path    string  // where it lies; for the list of scores
	Class   Class   //
	Species string  // which kind of attack, a key of Setup.Species; empty for BonaFide
	Scored  bool    // false: a non-response
	Score   float64 // 0..1, live at or above the threshold; only if Scored
	Looks   []Look  // what Score is the weighted mean of; for Calibrate alone
	Frames  int     // pictures that gave the score
	Of      int     // pictures looked at
	Reason  string  // why it has no score; only if not Scored
	Truth   float64 // where the head truly turned, in degrees above 0 and at most 360; 0: that is not known
	Turned  float64 // where it was seen to turn, likewise; 0: it was not
}

// Setup is what a report says about how it was made.
type Setup struct {
	Version   string            // of the software
	JudgedBy  string            // "texture" or "motion"
	Level     string            // "frame" or "sequence"
	Gate      bool              // pictures of poor quality were not scored
	Threshold float64           // in use, above 0 and at most 1
	Models    map[string]string // digests by role
	Species   map[string]string // folder of each attack species, by its name
}

// Judge makes the report on ps, whose order does not matter.
//
// The error wraps livenessd.ErrInvalid when the threshold is none, when a
// presentation has a score outside 0..1, a direction outside 0..360, a class or
// species that is not known, or when no bona fide presentation or no attack has a score: there is
// nothing to compare then, and the error says why there is no score.
func Judge(setup Setup, ps []Presentation) (*Report, error) {
	if !(setup.Threshold > 0 && setup.Threshold <= 1) {
		return nil, fmt.Errorf("%w: threshold is %v, want more than 0 and at most 1", livenessd.ErrInvalid, setup.Threshold)
	}
	bona, species := &group{}, map[string]*group{}
	for name := range setup.Species {
		species[name] = &group{}
	}
	for i := range ps {
		p := &ps[i]
		g := bona
		if p.Class == Attack {
			g = species[p.Species]
		}
		if g == nil || (p.Class != BonaFide && p.Class != Attack) {
			return nil, fmt.Errorf("%w: %s: class %q, species %q is not known", livenessd.ErrInvalid, p.Path, p.Class, p.Species)
		}
		if p.Scored && !(p.Score >= 0 && p.Score <= 1) {
			return nil, fmt.Errorf("%w: %s: score %v is not between 0 and 1", livenessd.ErrInvalid, p.Path, p.Score)
		}
		for _, angle := range []float64{p.Truth, p.Turned} {
			if !(angle >= 0 && angle <= 360) {
				return nil, fmt.Errorf("%w: %s: direction %v is not between 0 and 360", livenessd.ErrInvalid, p.Path, angle)
			}
		}
		g.add(p)
	}
	attack := pool(slices.Collect(maps.Values(species)))
	if err := bona.enough("bona fide presentation"); err != nil {
		return nil, err
	}
	if err := attack.enough("attack presentation"); err != nil {
		return nil, err
	}
	bona.sort()
	attack.sort()
	for _, g := range species {
		g.sort()
	}
	r := newReport(setup, bona, attack, species)
	r.Direction = directions(ps)
	return r, nil
}

// group is presentations of one kind.
type group struct {
	scores  []float64 // of those that have one; ascending once sort was called
	silent  int       // non-responses
	reasons map[string]int
}

func (g *group) add(p *Presentation) {
	if p.Scored {
		g.scores = append(g.scores, p.Score)
		return
	}
	g.silent++
	if g.reasons == nil {
		g.reasons = map[string]int{}
	}
	g.reasons[p.Reason]++
}

func (g *group) all() int { return len(g.scores) + g.silent }

func (g *group) sort() { slices.Sort(g.scores) }

// below returns how many scores are below t: errors, if these are people.
func (g *group) below(t float64) int {
	n, _ := slices.BinarySearch(g.scores, t)
	return n
}

// atLeast returns how many scores are t or more: errors, if these are attacks.
func (g *group) atLeast(t float64) int { return len(g.scores) - g.below(t) }

func (g *group) enough(what string) error {
	if len(g.scores) > 0 {
		return nil
	}
	if g.silent == 0 {
		return fmt.Errorf("%w: there is no %s: name a folder that has some", livenessd.ErrInvalid, what)
	}
	return fmt.Errorf("%w: not one %s of %d gave a score (%s): there is nothing to compare", livenessd.ErrInvalid, what, g.silent, list(g.reasons))
}

// pool puts groups together.
func pool(gs []*group) *group {
	all := &group{reasons: map[string]int{}}
	for _, g := range gs {
		all.scores = append(all.scores, g.scores...)
		all.silent += g.silent
		for r, n := range g.reasons {
			all.reasons[r] += n
		}
	}
	return all
}

// list writes counted reasons, the most frequent first.
func list(reasons map[string]int) string {
	names := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(reasons[b], reasons[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, reasons[name])
	}
	return strings.Join(names, ", ")
}
