package models

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of what a description may ask for. They keep a slip of the pen in a
// site's own set from becoming gigabytes, or a crash in OpenCV.
const (
	maxDescription = 1 << 20  // bytes
	maxNetwork     = 64 << 20 // bytes
	maxSide        = 1024     // pixels of an input
	maxNumbers     = 1 << 20  // of one output
	maxOutputs     = 32       // of one network
	maxTexture     = 8        // networks
	maxCropScale   = 8
)

// check says what is wrong with the spec of a network that is to play role.
func (s Spec) check(role Role) error {
	sum, err := hex.DecodeString(s.SHA256)
	switch {
	case s.Name == "":
		return errors.New("name is empty")
	case s.Role != role:
		return fmt.Errorf("role is %q, want %q", s.Role, role)
	case s.File == "" || s.File != filepath.Base(s.File) || strings.HasPrefix(s.File, "."):
		return fmt.Errorf("file %q must be a plain file name", s.File)
	case err != nil || len(sum) != 32 || s.SHA256 != strings.ToLower(s.SHA256):
		return fmt.Errorf("sha256 %q must be 64 lower-case hex digits", s.SHA256)
	case s.Runtime != RuntimeOpenCV && s.Runtime != RuntimeTensorFlow:
		return fmt.Errorf("runtime %q is not known, want %q or %q", s.Runtime, RuntimeOpenCV, RuntimeTensorFlow)
	case s.Runtime == RuntimeOpenCV && s.Input.Layout == LayoutNHWC:
		return fmt.Errorf("input.layout %q is for runtime %q only", LayoutNHWC, RuntimeTensorFlow)
	case !(s.Threshold > 0 && s.Threshold < 1):
		return fmt.Errorf("threshold %v must lie between 0 and 1", s.Threshold)
	case len(s.Outputs) == 0 || len(s.Outputs) > maxOutputs:
		return fmt.Errorf("outputs: %d, want 1 to %d", len(s.Outputs), maxOutputs)
	case s.Candidate != 0 && role != RoleConfirm:
		return errors.New("candidate: only a network that confirms faces has it")
	case s.Thresholds != nil && role != RoleAttributes:
		return errors.New("thresholds: only an attributes network has them")
	}
	if err := s.Input.check(); err != nil {
		return err
	}
	for i, o := range s.Outputs {
		if err := o.check(); err != nil {
			return fmt.Errorf("outputs[%d]: %v", i, err)
		}
	}
	if role == RoleFace {
		return s.checkFace()
	}
	if err := s.checkCropped(); err != nil {
		return err
	}
	switch role {
	case RoleConfirm:
		return s.checkConfirm()
	case RoleTexture:
		return s.checkTexture()
	}
	return s.checkAttributes()
}

func (s Spec) checkFace() error {
	if s.Decoder != "yunet" {
		return fmt.Errorf("decoder %q is not known, want \"yunet\"", s.Decoder)
	}
	if s.Crop != nil {
		return errors.New("crop: a face network sees the whole picture")
	}
	if s.Input.Width%32 != 0 || s.Input.Height%32 != 0 {
		return errors.New("input: width and height must be multiples of 32, the largest stride")
	}
	return nil
}

// checkCropped checks what networks that see one face have in common.
func (s Spec) checkCropped() error {
	if s.Decoder != "" {
		return fmt.Errorf("decoder: a network for %s has none", s.Role)
	}
	if s.Crop == nil || !(s.Crop.Scale >= 1 && s.Crop.Scale <= maxCropScale) {
		return fmt.Errorf("crop.scale must lie between 1 and %d", maxCropScale)
	}
	if s.Crop.Shape != "box" && s.Crop.Shape != "square" {
		return fmt.Errorf("crop.shape %q is not known, want \"box\" or \"square\"", s.Crop.Shape)
	}
	if len(s.Outputs) != 1 {
		return fmt.Errorf("outputs: %d, want one", len(s.Outputs))
	}
	if o := s.Outputs[0]; len(o.Classes) != o.Len() {
		return fmt.Errorf("outputs[0].classes: %d names for %d logits", len(o.Classes), o.Len())
	}
	return nil
}

func (s Spec) checkConfirm() error {
	if c := s.Outputs[0].Classes; len(c) != 1 || c[0] != "face" {
		return fmt.Errorf("outputs[0].classes: %q, want \"face\" alone", c)
	}
	if !(s.Candidate > 0 && s.Candidate < 1) {
		return fmt.Errorf("candidate %v must lie between 0 and 1", s.Candidate)
	}
	return nil
}

func (s Spec) checkTexture() error {
	live := 0
	for _, c := range s.Outputs[0].Classes {
		if c == "live" {
			live++
		}
	}
	if len(s.Outputs[0].Classes) < 2 || live != 1 {
		return errors.New("outputs[0].classes must name two or more, and exactly one \"live\"")
	}
	return nil
}

func (s Spec) checkAttributes() error {
	seen := map[string]bool{}
	for _, c := range s.Outputs[0].Classes {
		if !slices.Contains(AttributeNames, c) || seen[c] {
			return fmt.Errorf("outputs[0].classes: %q is not known or comes twice, want some of %s", c, strings.Join(AttributeNames, ", "))
		}
		seen[c] = true
	}
	for c, v := range s.Thresholds {
		if !seen[c] {
			return fmt.Errorf("thresholds: %q is none of the classes", c)
		}
		if !(v > 0 && v <= 1) {
			return fmt.Errorf("thresholds: %s is %v, want more than 0 and at most 1", c, v)
		}
	}
	return nil
}

func (in Input) check() error {
	switch {
	case in.Name == "":
		return errors.New("input.name is empty")
	case in.Width < 16 || in.Width > maxSide || in.Height < 16 || in.Height > maxSide:
		return fmt.Errorf("input is %d×%d, want 16 to %d each way", in.Width, in.Height, maxSide)
	case in.Layout != "" && in.Layout != LayoutNCHW && in.Layout != LayoutNHWC:
		return fmt.Errorf("input.layout %q is not known, want %q or %q", in.Layout, LayoutNCHW, LayoutNHWC)
	case in.Colour != "bgr" && in.Colour != "rgb":
		return fmt.Errorf("input.colour %q is not known, want \"bgr\" or \"rgb\"", in.Colour)
	case !(in.Scale > 0 && in.Scale <= 1):
		return fmt.Errorf("input.scale %v must lie in (0, 1]", in.Scale)
	}
	for _, m := range in.Mean {
		if !(m >= 0 && m <= 255) {
			return fmt.Errorf("input.mean %v must lie in 0..255", in.Mean)
		}
	}
	return nil
}

func (o Output) check() error {
	if o.Name == "" || len(o.Shape) == 0 || len(o.Shape) > 4 {
		return errors.New("name is empty or shape has not 1 to 4 sides")
	}
	n := 1
	for _, d := range o.Shape {
		if d < 1 || d > maxNumbers || n > maxNumbers/d {
			return fmt.Errorf("shape %v is not within 1..%d numbers", o.Shape, maxNumbers)
		}
		n *= d
	}
	return nil
}

func (f Fusion) check(texture []Spec) error {
	if len(f.Weights) != len(texture) {
		return fmt.Errorf("%d weights for %d texture networks", len(f.Weights), len(texture))
	}
	sum := 0.0
	for _, w := range f.Weights {
		if !(w >= 0 && w <= 100) {
			return fmt.Errorf("weights %v must lie in 0..100", f.Weights)
		}
		sum += w
	}
	for i, sha := range f.Networks {
		if len(f.Networks) != len(texture) || sha != texture[i].SHA256 {
			return errors.New("it was fitted for other texture networks: take it out, then fit it again: `livenessd eval -calibrate` moves the border to a door, models/train/calibrate.py fits the weights of several networks")
		}
	}
	switch {
	case sum == 0:
		return errors.New("all weights are 0")
	case math.IsNaN(f.Bias) || math.Abs(f.Bias) > 100:
		return fmt.Errorf("bias %v must lie in -100..100", f.Bias)
	case !(f.Clip > 0 && f.Clip <= 100):
		return fmt.Errorf("clip %v must lie in (0, 100]", f.Clip)
	case !(f.Threshold > 0 && f.Threshold < 1):
		return fmt.Errorf("threshold %v must lie between 0 and 1", f.Threshold)
	}
	return nil
}
