package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"livenessd"
)

// description is set.json. What it does not name, or names as null, is taken
// from the built-in set. New texture networks need a fusion that was fitted
// for them; a fusion alone changes how the present ones are judged. The built-in
// network that confirms faces goes with the built-in one that finds them, whose
// answers it was made for: another one has its own, or none.
type description struct {
	Face       *Spec   `json:"face,omitempty"`
	Confirm    *Spec   `json:"confirm,omitempty"`
	Texture    []Spec  `json:"texture,omitempty"`
	Fusion     *Fusion `json:"fusion,omitempty"`
	Attributes *Spec   `json:"attributes,omitempty"`
	Without    []Role  `json:"without,omitempty"` // roles to do without; only "attributes" and "confirm" may be
}

// parse reads a description and checks each part that it names. Its errors
// wrap livenessd.ErrInvalid and name the field.
func parse(data []byte) (description, error) {
	var d description
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return d, fmt.Errorf("%w: %v", livenessd.ErrInvalid, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return d, fmt.Errorf("%w: something follows the closing brace", livenessd.ErrInvalid)
	}
	if err := d.check(); err != nil {
		return d, fmt.Errorf("%w: %w", livenessd.ErrInvalid, err)
	}
	return d, nil
}

func (d description) check() error {
	if d.Face != nil {
		if err := d.Face.check(RoleFace); err != nil {
			return fmt.Errorf("face: %w", err)
		}
	}
	if d.Confirm != nil {
		if err := d.Confirm.check(RoleConfirm); err != nil {
			return fmt.Errorf("confirm: %w", err)
		}
	}
	if n := len(d.Texture); n > maxTexture || (n == 0 && d.Texture != nil) {
		return fmt.Errorf("texture: %d networks, want 1 to %d", n, maxTexture)
	}
	for i, s := range d.Texture {
		if err := s.check(RoleTexture); err != nil {
			return fmt.Errorf("texture[%d]: %w", i, err)
		}
	}
	if d.Texture != nil && d.Fusion == nil {
		return errors.New("texture is named without a fusion: fit one for these networks with models/train/calibrate.py")
	}
	if d.Texture != nil {
		if err := d.Fusion.check(d.Texture); err != nil {
			return fmt.Errorf("fusion: %w", err)
		}
	}
	if d.Attributes != nil {
		if err := d.Attributes.check(RoleAttributes); err != nil {
			return fmt.Errorf("attributes: %w", err)
		}
	}
	for _, r := range d.Without {
		if r != RoleAttributes && r != RoleConfirm {
			return fmt.Errorf("without: %q cannot be left out, only %q and %q can", r, RoleAttributes, RoleConfirm)
		}
		if (r == RoleAttributes && d.Attributes != nil) || (r == RoleConfirm && d.Confirm != nil) {
			return fmt.Errorf("without: %q is named and left out at once", r)
		}
	}
	return nil
}

// over returns d with what it does not name taken from base.
func (d description) over(base description) (description, error) {
	if d.Face == nil {
		d.Face = base.Face
		if d.Confirm == nil && !slices.Contains(d.Without, RoleConfirm) {
			d.Confirm = base.Confirm
		}
	}
	if d.Texture == nil {
		d.Texture = base.Texture
	}
	if d.Fusion == nil {
		d.Fusion = base.Fusion
	}
	if d.Attributes == nil && !slices.Contains(d.Without, RoleAttributes) {
		d.Attributes = base.Attributes
	}
	if d.Face == nil || d.Texture == nil || d.Fusion == nil {
		return d, fmt.Errorf("%w: face, texture and fusion are needed", livenessd.ErrInvalid)
	}
	if err := d.Fusion.check(d.Texture); err != nil {
		return d, fmt.Errorf("%w: fusion: %w", livenessd.ErrInvalid, err)
	}
	return d, nil
}

// specs returns d's networks: face, confirm, texture, attributes.
func (d description) specs() []Spec {
	var specs []Spec
	if d.Face != nil {
		specs = append(specs, *d.Face)
	}
	if d.Confirm != nil {
		specs = append(specs, *d.Confirm)
	}
	specs = append(specs, d.Texture...)
	if d.Attributes != nil {
		specs = append(specs, *d.Attributes)
	}
	return specs
}

// builtinSet returns the set that holds where a site says nothing: set.json
// under what this build has of its own.
func builtinSet() (description, error) {
	d, err := parse(builtin)
	if err == nil && variant != nil {
		var own description
		if own, err = parse(variant); err == nil {
			d, err = own.over(d)
		}
	}
	if err == nil {
		d, err = d.over(description{})
	}
	if err != nil {
		return d, fmt.Errorf("built-in %s: %w", SetFile, err)
	}
	return d, nil
}
