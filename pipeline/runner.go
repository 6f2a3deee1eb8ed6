package pipeline

import (
	"fmt"

	"livenessd"
	"livenessd/models"
)

// runner is one loaded network, whatever runs it. It is used by one goroutine
// at a time, and closed.
type runner interface {
	// input returns the memory that forward reads: 3×height×width, one plane
	// after the other in the order of the spec's Input.Colour, whatever the
	// network's own layout is.
	input() []float32
	// forward runs the network on input. It gives one slice for each of the
	// spec's Outputs, of that output's Len, valid until the next call.
	forward() ([][]float32, error)
	// close frees the network; a second call does nothing.
	close()
}

// newRunner loads n into the runtime that its spec names, and has it run once,
// so that a network which cannot be run is an error at start and not at the
// first face.
func newRunner(n models.Network) (runner, error) {
	if len(n.Data) == 0 {
		return nil, fmt.Errorf("%w: network %s has no data", livenessd.ErrInvalid, n.Name)
	}
	switch n.Runtime {
	case models.RuntimeOpenCV:
		return newOpenCV(n)
	case models.RuntimeTensorFlow:
		return newTensorFlow(n)
	}
	return nil, fmt.Errorf("%w: network %s: runtime %q is not known", livenessd.ErrInvalid, n.Name, n.Runtime)
}
