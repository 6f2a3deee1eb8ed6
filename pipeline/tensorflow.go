//go:build tensorflow

package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	tf "github.com/tensorflow/tensorflow/tensorflow/go"

	"livenessd"
	"livenessd/models"
)

// tensorFlow is one SavedModel loaded into TensorFlow, a runner. The file is
// the saved_model.pb alone, its weights are constants in it.
type tensorFlow struct {
	spec  models.Spec
	model *tf.SavedModel
	feed  tf.Output
	fetch []tf.Output
	shape []int64     // of the input tensor, batch of 1 included
	in    []float32   // planes, as a runner's input is
	fed   []float32   // in the network's own layout: in itself, or pixels
	outs  [][]float32 // each output
	held  collector
}

// newTensorFlow loads n, which has data, and runs it once on nothing.
func newTensorFlow(n models.Network) (runner, error) {
	w, err := openTensorFlow(n)
	if err != nil {
		return nil, fmt.Errorf("network %s (%s) cannot be loaded by TensorFlow: %w", n.Name, n.File, err)
	}
	if _, err := w.forward(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func openTensorFlow(n models.Network) (*tensorFlow, error) {
	if err := checkOperations(n.Data); err != nil {
		return nil, err
	}
	if err := loadTensorFlow(); err != nil {
		return nil, err
	}
	model, err := loadSavedModel(n.Data)
	if err != nil {
		return nil, err
	}
	w := &tensorFlow{spec: n.Spec, model: model}
	if err := w.connect(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// sessionConfig is a serialized tensorflow.ConfigProto (config.proto) that
// keeps a network in the goroutine that runs it: intra_op_parallelism_threads
// (field 2) is 1, inter_op_parallelism_threads (field 5) is -1, "in the
// caller's thread", and use_per_session_threads (field 9) is set, so that no
// pool is made for the whole process. Networks of this size gain nothing from
// more threads, and the camera needs the other core.
var sessionConfig = []byte{
	2 << 3, 1,
	5 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
	9 << 3, 1,
}

// loadSavedModel has TensorFlow read a saved_model.pb, which it does from a
// folder only. The folder is gone when loadSavedModel returns.
func loadSavedModel(data []byte) (model *tf.SavedModel, err error) {
	dir, err := os.MkdirTemp("", "livenessd-tensorflow-") // mode 0700
	if err != nil {
		return nil, err
	}
	defer func() {
		if gone := os.RemoveAll(dir); gone != nil && err == nil {
			err = errors.Join(gone, model.Session.Close())
		}
	}()
	if err := os.WriteFile(filepath.Join(dir, "saved_model.pb"), data, 0o600); err != nil {
		return nil, err
	}
	model, err = tf.LoadSavedModel(dir, []string{"serve"}, &tf.SessionOptions{Config: sessionConfig})
	if err != nil {
		// Nobody would find the folder that it speaks of.
		return nil, errors.New(strings.ReplaceAll(sentence(err).Error(), dir+"/", ""))
	}
	return model, nil
}

// connect finds the tensors that the spec names and makes room for them.
func (w *tensorFlow) connect() error {
	in := w.spec.Input
	w.shape = []int64{1, 3, int64(in.Height), int64(in.Width)}
	w.in = make([]float32, 3*in.Height*in.Width)
	w.fed = w.in
	if in.Layout == models.LayoutNHWC {
		w.shape = []int64{1, int64(in.Height), int64(in.Width), 3}
		w.fed = make([]float32, len(w.in))
	}
	var err error
	if w.feed, err = w.tensor(in.Name); err != nil {
		return fmt.Errorf("input %s: %w", in.Name, err)
	}
	if s := w.feed.Shape(); !admits(s, w.shape) {
		return fmt.Errorf("input %s: its shape is %v, the description says %v", in.Name, s, w.shape)
	}
	for _, o := range w.spec.Outputs {
		t, err := w.tensor(o.Name)
		if err != nil {
			return fmt.Errorf("output %s: %w", o.Name, err)
		}
		w.fetch = append(w.fetch, t)
		w.outs = append(w.outs, make([]float32, o.Len()))
	}
	return nil
}

// tensor finds what "operation:index", or "operation" for index 0, names. It
// is an error unless it holds float32.
func (w *tensorFlow) tensor(name string) (tf.Output, error) {
	of, number, found := strings.Cut(name, ":")
	index := 0
	if found {
		var err error
		if index, err = strconv.Atoi(number); err != nil {
			return tf.Output{}, fmt.Errorf("%w: want a name like operation:0", livenessd.ErrInvalid)
		}
	}
	op := w.model.Graph.Operation(of)
	if op == nil || index < 0 || index >= op.NumOutputs() {
		return tf.Output{}, errors.New("the network has no such tensor")
	}
	t := op.Output(index)
	if t.DataType() != tf.Float {
		return tf.Output{}, fmt.Errorf("it is of type %d, want float32 (%d)", t.DataType(), tf.Float)
	}
	return t, nil
}

// admits says whether a tensor of shape s can hold want: unknown sides, and an
// unknown number of sides, admit everything.
func admits(s tf.Shape, want []int64) bool {
	if s.NumDimensions() < 0 {
		return true
	}
	if s.NumDimensions() != len(want) {
		return false
	}
	for i, n := range want {
		if have := s.Size(i); have >= 0 && have != n {
			return false
		}
	}
	return true
}

func (w *tensorFlow) input() []float32 { return w.in }

func (w *tensorFlow) forward() ([][]float32, error) {
	if err := w.run(); err != nil {
		return nil, fmt.Errorf("network %s (%s) cannot be run by TensorFlow: %w", w.spec.Name, w.spec.File, err)
	}
	return w.outs, nil
}

func (w *tensorFlow) run() error {
	if w.spec.Input.Layout == models.LayoutNHWC {
		interleave(w.fed, w.in)
	}
	// A new tensor for every picture: the Go package cannot write to one again.
	t, err := tf.ReadTensor(tf.Float, w.shape, bytes.NewReader(asBytes(w.fed)))
	if err != nil {
		return err
	}
	w.held.add(4 * len(w.fed))
	got, err := w.model.Session.Run(map[tf.Output]*tf.Tensor{w.feed: t}, w.fetch, nil)
	if err != nil {
		return sentence(err)
	}
	for i, t := range got {
		if err := read(w.outs[i], t); err != nil {
			return fmt.Errorf("output %s: %w", w.spec.Outputs[i].Name, err)
		}
	}
	return nil
}

// read copies t into out when it is as large.
func read(out []float32, t *tf.Tensor) error {
	n := int64(1)
	for _, d := range t.Shape() {
		if d < 1 || n > int64(len(out))/d {
			n = -1
			break
		}
		n *= d
	}
	if n != int64(len(out)) || t.DataType() != tf.Float {
		return fmt.Errorf("its shape is %v, the description says %d numbers", t.Shape(), len(out))
	}
	var b bytes.Buffer
	if _, err := t.WriteContentsTo(&b); err != nil {
		return err
	}
	if copied := copy(asBytes(out), b.Bytes()); copied != 4*len(out) {
		return fmt.Errorf("%d bytes came, want %d", copied, 4*len(out))
	}
	return nil
}

// interleave writes three planes as pixels of three numbers.
func interleave(pixels, planes []float32) {
	n := len(planes) / 3
	a, b, c := planes[:n], planes[n:2*n], planes[2*n:3*n]
	for i := range a {
		pixels[3*i], pixels[3*i+1], pixels[3*i+2] = a[i], b[i], c[i]
	}
}

// asBytes is x as it lies in memory, which is how a tensor's content is given.
func asBytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

func (w *tensorFlow) close() {
	// The only error is that it was closed before.
	_ = w.model.Session.Close()
}

// sentence makes one bounded line of what TensorFlow says.
func sentence(err error) error {
	s := strings.Join(strings.Fields(err.Error()), " ")
	if len(s) > 400 {
		s = strings.ToValidUTF8(s[:400], "") + " …"
	}
	return errors.New(s)
}
