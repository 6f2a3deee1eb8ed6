package models

import (
	"bytes"
	"testing"
)

func TestCheckONNX(t *testing.T) {
	for name, c := range map[string]struct {
		b  []byte
		ok bool
	}{
		"least":           {onnx, true},
		"with a producer": {append(bytes.Clone(onnx), 0x12, 2, 'a', 'b'), true},
		"no graph":        {[]byte{8, 8}, false},
		"no version":      {[]byte{0x3a, 0}, false},
		"two graphs":      {[]byte{8, 8, 0x3a, 0, 0x3a, 0}, false},
		"cut off":         {[]byte{8, 8, 0x3a, 5, 1}, false},
		"length of 2⁶³":   {[]byte{8, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, false},
		"text":            {[]byte("#!/bin/sh"), false},
		"nothing":         {nil, false},
	} {
		if err := checkONNX(c.b); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckSavedModel(t *testing.T) {
	for name, c := range map[string]struct {
		b  []byte
		ok bool
	}{
		"least":      {[]byte{8, 1, 0x12, 0}, true},
		"two graphs": {[]byte{8, 1, 0x12, 0, 0x12, 1, 0}, true},
		"no graph":   {[]byte{8, 1}, false},
		"no version": {[]byte{0x12, 0}, false},
		"cut off":    {[]byte{8, 1, 0x12, 9, 0}, false},
		"ONNX":       {onnx, false},
	} {
		if err := checkSavedModel(c.b); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCheckFile(f *testing.F) {
	f.Add(onnx)
	f.Add([]byte{8, 1, 0x12, 0})
	f.Add([]byte{8, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if (checkONNX(b) == nil || checkSavedModel(b) == nil) && len(b) < 4 {
			t.Error("too short to be anything")
		}
	})
}
