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
	base, err := builtinSet()
	if err != nil {
		return nil, err
	}
	path, site, err := describe(set, dirs)
	if err != nil {
		return nil, err
	}
	d, err := site.over(base)
	if err != nil {
		return nil, fmt.Errorf("%w: networks: %s: %w", livenessd.ErrNotReady, path, err)
	}
	f := *d.Fusion
	f.Bias, f.Note, f.Networks = f.Bias+shift, note, nil
	for _, s := range d.Texture {
		f.Networks = append(f.Networks, s.SHA256)
	}
	if err := f.check(d.Texture); err != nil {
		return nil, fmt.Errorf("%w: fusion moved by %v: %w", livenessd.ErrInvalid, shift, err)
	}
	site.Fusion = &f
	b, err := json.MarshalIndent(site, "", "  ")
	return append(b, '\n'), err
}
