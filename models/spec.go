// Package models knows which neural networks the pipeline runs: what each one
// is called, what it wants to be fed, what its numbers mean, how several
// texture networks are fused into one probability, and which bytes exactly are
// meant. It carries the program's own networks, reads others from disk and
// checks them; it runs nothing.
//
//	set.json     the built-in set, of the networks in weights/
//	DIR/set.json a site's own: what it names stands for that part of the built-in set
//	reference.json  well-known public networks, which are not carried
//
// No other folder knows the name of a network, so a network is replaced by a
// set and a file, without a build.
package models

import (
	"math"
	"slices"
)

// Role says what a network is for.
type Role string

// The roles a network can have.
const (
	RoleFace       Role = "face"       // finds faces and their five landmarks
	RoleConfirm    Role = "confirm"    // looks closer at what may be a face: is it one
	RoleTexture    Role = "texture"    // does the skin look like skin in front of the lens
	RoleAttributes Role = "attributes" // what covers the face: see AttributeNames
)

// Runtimes that a network can be run by.
const (
	RuntimeOpenCV     = "opencv"     // OpenCV's DNN module; the file is ONNX
	RuntimeTensorFlow = "tensorflow" // TensorFlow's C library, in a build that has it; the file is a SavedModel's saved_model.pb with its weights inside
)

// Layouts of a network's input.
const (
	LayoutNCHW = "nchw" // one colour plane after the other
	LayoutNHWC = "nhwc" // the three colours of each pixel together; RuntimeTensorFlow only
)

// AttributeNames are what an attributes network may say of a face, as in
// livenessd.Observation.
var AttributeNames = []string{"mask", "sunglasses", "hat", "veil", "occlusion"}

// Spec describes one network.
type Spec struct {
	Name    string   `json:"name"`
	Role    Role     `json:"role"`
	File    string   `json:"file"`    // base name
	SHA256  string   `json:"sha256"`  // of the file, lower-case hex
	Runtime string   `json:"runtime"` // RuntimeOpenCV or RuntimeTensorFlow
	Input   Input    `json:"input"`
	Crop    *Crop    `json:"crop,omitempty"`    // all but face: which part of the picture it sees
	Decoder string   `json:"decoder,omitempty"` // face only: "yunet"
	Outputs []Output `json:"outputs"`
	// Threshold is for face the smallest score that is a face. For confirm it is
	// that of the geometric mean of the face network's score and its own. For texture it
	// is that of this network alone, and for attributes the probability from
	// which on a class counts as there; both are for reference.
	Threshold float64 `json:"threshold"`
	// Candidate is, for confirm only, the face network's score from which on it is
	// asked, in place of the face network's Threshold.
	Candidate float64 `json:"candidate,omitempty"`
	// Thresholds are, for attributes only and by class, the probabilities above
	// which a picture is not good enough, in place of pipeline.Quality's; 1 is
	// never.
	Thresholds map[string]float64 `json:"thresholds,omitempty"`
	Licence    string             `json:"licence"`
	Card       string             `json:"card"` // file in models/cards that tells where it is from and how good it is
}

// Input says how pixels become the network's input, a 1×3×Height×Width block
// of float32: (value − mean) · scale.
type Input struct {
	Name   string     `json:"name"` // TensorFlow: with the output's index, "serving_default_input:0"
	Width  int        `json:"width"`
	Height int        `json:"height"`
	Layout string     `json:"layout,omitempty"` // LayoutNCHW (also when empty) or LayoutNHWC
	Colour string     `json:"colour"`           // order of the planes: "bgr" or "rgb"
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
	Name  string `json:"name"`
	Shape []int  `json:"shape"` // without the leading batch of 1
	// Classes says what each logit stands for. Texture: exactly one is "live",
	// and all together are a softmax. Attributes: of AttributeNames, each a
	// logit of its own. Confirm: "face" alone.
	Classes []string `json:"classes,omitempty"`
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
