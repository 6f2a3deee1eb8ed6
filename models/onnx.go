package models

import (
	"encoding/binary"
	"errors"
)

// Field numbers of ONNX's ModelProto (onnx.proto).
const (
	onnxVersion = 1 // ir_version, varint
	onnxGraph   = 7 // graph, message
)

var errNotONNX = errors.New("it is not an ONNX model")

// checkONNX walks the outermost fields of a protocol-buffers message and says
// whether they can be those of an ONNX model: all lengths inside the data, a
// version and exactly one graph. It looks no deeper.
func checkONNX(b []byte) error {
	versions, graphs := 0, 0
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return errNotONNX
		}
		b = b[n:]
		size := 0
		switch tag & 7 {
		case 0: // varint
			_, size = binary.Uvarint(b)
			if size <= 0 {
				return errNotONNX
			}
		case 1:
			size = 8
		case 2: // length, then as many bytes
			l, n := binary.Uvarint(b)
			if n <= 0 || l > uint64(len(b)-n) {
				return errNotONNX
			}
			size = n + int(l)
		case 5:
			size = 4
		default:
			return errNotONNX
		}
		if size > len(b) {
			return errNotONNX
		}
		b = b[size:]
		switch tag {
		case onnxVersion << 3: // wire type 0
			versions++
		case onnxGraph<<3 | 2:
			graphs++
		}
	}
	if versions != 1 || graphs != 1 {
		return errNotONNX
	}
	return nil
}
