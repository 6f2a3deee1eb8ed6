package models

import (
	"encoding/json"
	"fmt"

	"livenessd"
)

// Moved returns a SetFile for the networks that Look(set, dirs) finds, judging
// as they do with shift added to the fusion's bias; note says what it was fitted
// on. What the site's own description names is in it too. It holds for these
// very texture networks: with others it is refused.
//
// Errors are those of Look, and wrap livenessd.ErrInvalid when the bias would be
// none.
func Moved(set string, dirs []string, shift float64, note string) ([]byte, error) {
	l, err := holding(set, dirs)
	if err != nil {
		return nil, err
	}
	f := *l.whole.Fusion
	f.Bias, f.Note, f.Networks = f.Bias+shift, note, nil
	for _, s := range l.whole.Texture {
		f.Networks = append(f.Networks, s.SHA256)
	}
	if err := f.check(l.whole.Texture); err != nil {
		return nil, fmt.Errorf("%w: fusion moved by %v: %w", livenessd.ErrInvalid, shift, err)
	}
	l.site.Fusion = &f
	b, err := json.MarshalIndent(l.site, "", "  ")
	return append(b, '\n'), err
}
