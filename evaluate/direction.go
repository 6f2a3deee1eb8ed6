package evaluate

import "math"

// Directions are angles in the upright picture: 360 is to its right, 90 up, 180
// to its left, 270 down.
const (
	sector   = 45 // degrees off that are the same direction, as in the dialect that asks for one
	opposite = 90 // and more than that is the other way
)

// Direction is how often heads were seen to turn where they truly did, among
// the presentations of which that is known.
type Direction struct {
	Wrong    Proportion `json:"wrong"`    // more than 45 degrees off, or not seen to turn at all
	Opposite int        `json:"opposite"` // of these: more than 90 degrees off
	Unseen   int        `json:"unseen"`   // of these: not seen to turn
}

// directions returns nil where no turn is known.
func directions(ps []Presentation) *Direction {
	d, wrong, known := &Direction{}, 0, 0
	for i := range ps {
		p := &ps[i]
		if p.Truth == 0 {
			continue
		}
		known++
		if p.Turned == 0 {
			wrong++
			d.Unseen++
			continue
		}
		off := math.Abs(math.Remainder(p.Turned-p.Truth, 360))
		if off > sector {
			wrong++
		}
		if off > opposite {
			d.Opposite++
		}
	}
	if known == 0 {
		return nil
	}
	d.Wrong = proportion(wrong, known)
	return d
}
