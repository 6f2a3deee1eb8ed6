// Package models knows which neural networks the pipeline runs: what each one
// is called, what it wants to be fed, what its numbers mean, how several
// texture networks are fused into one probability, and which bytes exactly are
// meant. It reads the weights from disk and checks them; it runs nothing.
//
// All of it is described by one set (set.json). No other folder knows the name
// of a network, so a network is replaced by a set and a file, without a build.
package models

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"livenessd"
)

// Role says what a network is for.
type Role string

// The roles a network can have.
const (
	RoleFace       Role = "face"       // finds faces and their five landmarks
	RoleTexture    Role = "texture"    // does the skin look like skin in front of the lens
	RoleAttributes Role = "attributes" // mask, sunglasses, hat: no network yet
)

// Spec describes one network.
type Spec struct {
	Name      string   `json:"name"`
	Role      Role     `json:"role"`
	File      string   `json:"file"`    // base name; looked for in the directories given to Load
	SHA256    string   `json:"sha256"`  // of the file, lower-case hex
	Runtime   string   `json:"runtime"` // "opencv"
	Input     Input    `json:"input"`
	Crop      *Crop    `json:"crop,omitempty"`    // texture only: which part of the picture it sees
	Decoder   string   `json:"decoder,omitempty"` // face only: "yunet"
	Outputs   []Output `json:"outputs"`
	Threshold float64  `json:"threshold"` // face: smallest score that is a face; texture: of this network alone, for reference
	Licence   string   `json:"licence"`
	Card      string   `json:"card"` // file in models/cards that tells where it is from and how good it is
}

// Input says how pixels become the network's input, a 1×3×Height×Width block
// of float32, one colour plane after the other: (value − mean) · scale.
type Input struct {
	Name   string     `json:"name"`
	Width  int        `json:"width"`
	Height int        `json:"height"`
	Colour string     `json:"colour"` // order of the planes: "bgr" or "rgb"
	Scale  float64    `json:"scale"`
	Mean   [3]float64 `json:"mean"` // in the order of Colour, in pixel values 0..255
}

// Crop says which part of the picture around a face box a network sees.
type Crop struct {
	Scale float64 `json:"scale"` // times the box
	Shape string  `json:"shape"` // "box": the box's own proportions; "square": its longer side both ways
}

// Output is one block of float32 that a network gives.
type Output struct {
	Name    string   `json:"name"`
	Shape   []int    `json:"shape"`             // without the leading batch of 1
	Classes []string `json:"classes,omitempty"` // texture: what each logit stands for, exactly one is "live"
}

// Len returns how many numbers the output has.
func (o Output) Len() int {
	n := 1
	for _, d := range o.Shape {
		n *= d
	}
	return n
}

// Live returns the place of the live class among o's logits, -1 without one.
func (o Output) Live() int { return slices.Index(o.Classes, "live") }

// Fusion makes one probability of the texture networks' live logits by a
// logistic regression; models/train/calibrate.py fits it.
type Fusion struct {
	Weights   []float64 `json:"weights"`          // one for each texture network, in their order, none negative
	Bias      float64   `json:"bias"`             //
	Clip      float64   `json:"clip"`             // a logit counts between −clip and +clip, so that one network alone cannot outvote all others
	Threshold float64   `json:"threshold"`        // live at or above it
	Note      string    `json:"note,omitempty"`   // what it was fitted on
	Networks  []string  `json:"fitted,omitempty"` // SHA-256 of the texture networks it was fitted for
}

// Probability returns the calibrated probability, 0..1, of a bona fide
// presentation. logits are log(p/(1−p)) of the live class of each texture
// network, in the set's order. A number that is not finite, or a count that is
// not the set's, gives 0: what cannot be computed is not a yes.
func (f Fusion) Probability(logits []float64) float64 {
	if len(logits) == 0 || len(logits) != len(f.Weights) {
		return 0
	}
	z := f.Bias
	for i, l := range logits {
		if math.IsNaN(l) || math.IsInf(l, 0) {
			return 0
		}
		z += f.Weights[i] * min(max(l, -f.Clip), f.Clip)
	}
	return 1 / (1 + math.Exp(-z))
}

// description is set.json.
type description struct {
	Face    Spec   `json:"face"`
	Texture []Spec `json:"texture"`
	Fusion  Fusion `json:"fusion"`
}

// Bounds of what a description may ask for. They keep a slip of the pen in a
// site's own set from becoming gigabytes, or a crash in OpenCV.
const (
	maxDescription = 1 << 20  // bytes
	maxNetwork     = 64 << 20 // bytes
	maxSide        = 1024     // pixels of an input
	maxNumbers     = 1 << 20  // of one output
	maxTexture     = 8        // networks
	maxCropScale   = 8
)

// parse reads and checks a description. Its errors wrap livenessd.ErrInvalid
// and name the field.
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
	if err := d.Face.check(RoleFace); err != nil {
		return d, fmt.Errorf("%w: face: %v", livenessd.ErrInvalid, err)
	}
	if n := len(d.Texture); n == 0 || n > maxTexture {
		return d, fmt.Errorf("%w: texture: %d networks, want 1 to %d", livenessd.ErrInvalid, n, maxTexture)
	}
	for i, s := range d.Texture {
		if err := s.check(RoleTexture); err != nil {
			return d, fmt.Errorf("%w: texture[%d]: %v", livenessd.ErrInvalid, i, err)
		}
	}
	if err := d.Fusion.check(d.Texture); err != nil {
		return d, fmt.Errorf("%w: fusion: %v", livenessd.ErrInvalid, err)
	}
	return d, nil
}

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
	case s.Runtime != "opencv":
		return fmt.Errorf("runtime %q is not known, want \"opencv\"", s.Runtime)
	case !(s.Threshold > 0 && s.Threshold < 1):
		return fmt.Errorf("threshold %v must lie between 0 and 1", s.Threshold)
	case len(s.Outputs) == 0:
		return errors.New("outputs is empty")
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
	return s.checkTexture()
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

func (s Spec) checkTexture() error {
	if s.Decoder != "" {
		return errors.New("decoder: a texture network has none")
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
	o, live := s.Outputs[0], 0
	for _, c := range o.Classes {
		if c == "live" {
			live++
		}
	}
	if len(o.Classes) < 2 || len(o.Classes) != o.Len() || live != 1 {
		return errors.New("outputs[0].classes must name each logit, and exactly one \"live\"")
	}
	return nil
}

func (in Input) check() error {
	switch {
	case in.Name == "":
		return errors.New("input.name is empty")
	case in.Width < 16 || in.Width > maxSide || in.Height < 16 || in.Height > maxSide:
		return fmt.Errorf("input is %d×%d, want 16 to %d each way", in.Width, in.Height, maxSide)
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
			return errors.New("it was fitted for other texture networks: fit it again with models/train/calibrate.py")
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
