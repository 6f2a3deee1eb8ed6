//go:build !tensorflow

package pipeline

import (
	"fmt"

	"livenessd"
	"livenessd/models"
)

// newTensorFlow is for builds that have TensorFlow.
func newTensorFlow(n models.Network) (runner, error) {
	return nil, fmt.Errorf("%w: network %s (%s) is for TensorFlow, which this build does not have: use one that was built with `-tags tensorflow`, or a network for OpenCV",
		livenessd.ErrNotReady, n.Name, n.File)
}
