//go:build tensorflow

package pipeline

import (
	"encoding/binary"
	"fmt"

	"livenessd"
)

// A SavedModel is a program: TensorFlow has operations that read and write
// files and open connections, and it runs some of a graph's at loading. So a
// graph is looked through before TensorFlow sees it, and has nothing but
// operations that make numbers of numbers.

// operations are those that a graph may have. Functions, variables and
// whatever calls either are not among them: a network is one frozen graph.
var operations = map[string]bool{
	"Add": true, "AddV2": true, "AvgPool": true, "BatchMatMulV2": true, "BiasAdd": true, "Cast": true,
	"Concat": true, "ConcatV2": true, "Const": true, "Conv2D": true, "DepthwiseConv2dNative": true, "Div": true,
	"Elu": true, "Exp": true, "ExpandDims": true, "FusedBatchNorm": true, "FusedBatchNormV2": true,
	"FusedBatchNormV3": true, "Identity": true, "LeakyRelu": true, "Log": true, "MatMul": true, "Max": true,
	"MaxPool": true, "Maximum": true, "Mean": true, "Min": true, "Minimum": true, "MirrorPad": true, "Mul": true,
	"Neg": true, "NoOp": true, "Pack": true, "Pad": true, "PadV2": true, "Placeholder": true, "Prod": true,
	"RealDiv": true, "Relu": true, "Relu6": true, "Reshape": true, "ResizeBilinear": true,
	"ResizeNearestNeighbor": true, "Rsqrt": true, "Selu": true, "Shape": true, "Sigmoid": true, "Slice": true,
	"Softmax": true, "Softplus": true, "Split": true, "Sqrt": true, "Square": true, "SquaredDifference": true,
	"Squeeze": true, "StridedSlice": true, "Sub": true, "Sum": true, "Tanh": true, "Tile": true,
	"Transpose": true, "Unpack": true,
}

// Numbers of the fields on the way to an operation's name, in
// tensorflow/core/protobuf and tensorflow/core/framework.
const (
	savedModelMetaGraphs = 2 // saved_model.proto, SavedModel
	metaGraphGraphDef    = 2 // meta_graph.proto, MetaGraphDef
	graphDefNode         = 1 // graph.proto, GraphDef
	nodeDefOp            = 2 // node_def.proto, NodeDef
)

// checkOperations refuses a saved_model.pb that has an operation which is not
// one of operations, and one whose operations cannot be told. Its errors wrap
// livenessd.ErrInvalid. A field that comes several times is looked at each
// time, since TensorFlow merges them.
func checkOperations(data []byte) error {
	nodes := 0
	err := eachMessage(data, []uint64{savedModelMetaGraphs, metaGraphGraphDef, graphDefNode, nodeDefOp}, func(op []byte) error {
		nodes++
		if !operations[string(op)] {
			return fmt.Errorf("%w: it has the operation %.60q, which is not one that a network needs; freeze it into one graph without variables and functions", livenessd.ErrInvalid, op)
		}
		return nil
	})
	if err == nil && nodes == 0 {
		err = fmt.Errorf("%w: it has no graph", livenessd.ErrInvalid)
	}
	return err
}

var errNoMessage = fmt.Errorf("%w: it is damaged, or no SavedModel", livenessd.ErrInvalid)

// eachMessage calls see with every field that lies at path: path[0] in b,
// path[1] in those, and so on.
func eachMessage(b []byte, path []uint64, see func([]byte) error) error {
	if len(path) == 0 {
		return see(b)
	}
	for len(b) > 0 {
		number, value, rest, err := nextField(b)
		if err != nil {
			return err
		}
		if b = rest; number != path[0] || value == nil {
			continue
		}
		if err := eachMessage(value, path[1:], see); err != nil {
			return err
		}
	}
	return nil
}

// nextField splits the first field off a protocol-buffers message. value is
// nil unless the field is one of a length and as many bytes.
func nextField(b []byte) (number uint64, value, rest []byte, err error) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
		return 0, nil, nil, errNoMessage
	}
	b = b[n:]
	size := 0
	switch tag & 7 {
	case 0: // a varint
		if _, size = binary.Uvarint(b); size <= 0 {
			return 0, nil, nil, errNoMessage
		}
	case 1: // 64 bits
		size = 8
	case 2: // a length, and as many bytes
		l, n := binary.Uvarint(b)
		if n <= 0 || l > uint64(len(b)-n) {
			return 0, nil, nil, errNoMessage
		}
		return tag >> 3, b[n : n+int(l) : n+int(l)], b[n+int(l):], nil
	case 5: // 32 bits
		size = 4
	default:
		return 0, nil, nil, errNoMessage
	}
	if size > len(b) {
		return 0, nil, nil, errNoMessage
	}
	return tag >> 3, nil, b[size:], nil
}
