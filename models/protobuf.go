package models

import (
	"encoding/binary"
	"errors"
)

var (
	errNotONNX       = errors.New("it is not an ONNX model")
	errNotSavedModel = errors.New("it is not the saved_model.pb of a TensorFlow SavedModel")
)

// checkONNX says whether b can be an ONNX model (onnx.proto, ModelProto): one
// ir_version, field 1, and one graph, field 7. It looks no deeper.
func checkONNX(b []byte) error {
	versions, graphs := 0, 0
	ok := eachField(b, func(number, wire uint64) {
		switch {
		case number == 1 && wire == wireVarint:
			versions++
		case number == 7 && wire == wireBytes:
			graphs++
		}
	})
	if !ok || versions != 1 || graphs != 1 {
		return errNotONNX
	}
	return nil
}

// checkSavedModel says whether b can be a SavedModel (saved_model.proto): one
// schema version, field 1, and at least one meta graph, field 2.
func checkSavedModel(b []byte) error {
	versions, graphs := 0, 0
	ok := eachField(b, func(number, wire uint64) {
		switch {
		case number == 1 && wire == wireVarint:
			versions++
		case number == 2 && wire == wireBytes:
			graphs++
		}
	})
	if !ok || versions != 1 || graphs == 0 {
		return errNotSavedModel
	}
	return nil
}

// Wire types of protocol buffers.
const (
	wireVarint = 0
	wireBytes  = 2
)

// eachField walks the outermost fields of a protocol-buffers message. False
// means that b is no such message: a length reaches beyond it, or a field has
// a type that does not exist.
func eachField(b []byte, see func(number, wire uint64)) bool {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return false
		}
		b = b[n:]
		size := 0
		switch tag & 7 {
		case wireVarint:
			if _, size = binary.Uvarint(b); size <= 0 {
				return false
			}
		case 1: // 64 bits
			size = 8
		case wireBytes:
			l, n := binary.Uvarint(b)
			if n <= 0 || l > uint64(len(b)-n) {
				return false
			}
			size = n + int(l)
		case 5: // 32 bits
			size = 4
		default:
			return false
		}
		if size > len(b) {
			return false
		}
		b = b[size:]
		see(tag>>3, tag&7)
	}
	return true
}
