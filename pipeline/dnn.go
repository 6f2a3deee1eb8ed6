package pipeline

/*
#cgo pkg-config: opencv4
#cgo CXXFLAGS: -std=c++11 -O2
#include <stdlib.h>
#include "dnn.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unsafe"

	"livenessd/models"
)

// network is one network loaded into OpenCV, a runner.
//
// gocv's own Net is not used: an exception in it ends the process, and its
// ForwardLayers leaves the names of the outputs behind in C memory at every
// call, some 50 MB an hour at 30 frames a second.
type network struct {
	spec models.Spec
	net  *C.lv_net
	in   []float32   // 3×height×width, planes in the order of spec.Input.Colour
	out  []float32   // all outputs, one after the other
	outs [][]float32 // each output, views into out
}

// newOpenCV loads n, which has data, and runs it once on nothing.
func newOpenCV(n models.Network) (*network, error) {
	input := C.CString(n.Input.Name)
	defer C.free(unsafe.Pointer(input))
	var msg message
	net := C.lv_net_new(unsafe.Pointer(&n.Data[0]), C.size_t(len(n.Data)), input,
		C.int(n.Input.Width), C.int(n.Input.Height), msg.ptr(), msg.len())
	if net == nil {
		return nil, fmt.Errorf("network %s (%s) cannot be loaded by OpenCV: %w", n.Name, n.File, msg.err())
	}
	w := &network{spec: n.Spec, net: net, in: make([]float32, 3*n.Input.Width*n.Input.Height)}
	total := 0
	for _, o := range n.Outputs {
		name := C.CString(o.Name)
		failed := C.lv_net_output(net, name, C.size_t(o.Len()), msg.ptr(), msg.len())
		C.free(unsafe.Pointer(name))
		if failed != 0 {
			w.close()
			return nil, fmt.Errorf("network %s: output %s: %w", n.Name, o.Name, msg.err())
		}
		total += o.Len()
	}
	w.out = make([]float32, total)
	for rest := w.out; len(w.outs) < len(n.Outputs); {
		size := n.Outputs[len(w.outs)].Len()
		w.outs = append(w.outs, rest[:size:size])
		rest = rest[size:]
	}
	if _, err := w.forward(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *network) input() []float32 { return w.in }

func (w *network) forward() ([][]float32, error) {
	var msg message
	if C.lv_net_forward(w.net, (*C.float)(&w.in[0]), C.size_t(len(w.in)),
		(*C.float)(&w.out[0]), C.size_t(len(w.out)), msg.ptr(), msg.len()) != 0 {
		return nil, fmt.Errorf("network %s (%s) cannot be run by OpenCV: %w", w.spec.Name, w.spec.File, msg.err())
	}
	return w.outs, nil
}

func (w *network) close() {
	if w.net != nil {
		C.lv_net_free(w.net)
		w.net = nil
	}
}

// setup bounds OpenCV's threads and keeps it from writing to stderr, for the
// whole process.
func setup(threads int) { C.lv_setup(C.int(threads)) }

// message is room for what went wrong in C++.
type message [2048]byte

func (m *message) ptr() *C.char  { return (*C.char)(unsafe.Pointer(&m[0])) }
func (m *message) len() C.size_t { return C.size_t(len(m)) }
func (m *message) err() error    { return errors.New(plainly(C.GoString(m.ptr()))) }

// where matches what an OpenCV exception says of OpenCV's own source code.
var where = regexp.MustCompile(`OpenCV\(\S+\) \S+ error: \(-\d+:[^)]*\)|in function '[^']*'`)

// plainly makes one line of the message of an OpenCV exception and leaves out
// the places in OpenCV, which nobody at a door can look up.
func plainly(s string) string {
	return strings.Join(strings.Fields(where.ReplaceAllString(s, "")), " ")
}
