//go:build tensorflow

package pipeline

/*
#cgo LDFLAGS: -ldl
#include "tensorflow_load.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync"
)

// loadTensorFlow makes TensorFlow's C library usable, once for the process.
// Nothing of the Go package may be called before it has succeeded.
var loadTensorFlow = sync.OnceValue(func() error {
	var msg message
	if C.lv_tensorflow_load(msg.ptr(), msg.len()) != 0 {
		return fmt.Errorf("TensorFlow's library is not usable (%w): run scripts/tensorflow.sh, or name the folder it lies in with LD_LIBRARY_PATH", msg.err())
	}
	return nil
})

// collector bounds the tensors that wait to be freed. The Go package frees
// them when the garbage collector finds them, which knows nothing of the
// memory behind them: on a quiet machine hundreds of megabytes would gather
// between two collections. The zero value is ready.
type collector struct {
	bytes int
	cycle uint64 // garbage collections up to the last look
}

// heldBytes is how much may gather unless a garbage collection has come by
// itself: two seconds' worth of 3×160×160 float32, 30 times a second.
const heldBytes = 20 << 20

// add counts one more tensor.
func (c *collector) add(bytes int) {
	if c.bytes += bytes; c.bytes < heldBytes {
		return
	}
	c.bytes = 0
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	if now := sample[0].Value.Uint64(); now != c.cycle {
		c.cycle = now
		return
	}
	runtime.GC()
	metrics.Read(sample)
	c.cycle = sample[0].Value.Uint64()
}
