//go:build tensorflow

package pipeline

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"livenessd"
)

// field is one field of a protocol-buffers message that has a length.
func field(number uint64, parts ...[]byte) []byte {
	value := slices.Concat(parts...)
	b := binary.AppendUvarint(nil, number<<3|2)
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

func node(op string) []byte { return field(1, field(1, []byte("name")), field(2, []byte(op))) }

func TestTensorFlowOperations(t *testing.T) {
	version := []byte{0x08, 0x01}
	graph := func(nodes ...[]byte) []byte { return field(2, field(2, nodes...)) }
	for name, c := range map[string]struct {
		data []byte
		want string // part of the error, "" for none
	}{
		"a network":            {slices.Concat(version, graph(node("Placeholder"), node("Conv2D"), node("Identity"))), ""},
		"reads a file":         {slices.Concat(version, graph(node("Placeholder"), node("ReadFile"))), `"ReadFile"`},
		"in a second graph":    {slices.Concat(version, graph(node("Const")), graph(node("WriteFile"))), `"WriteFile"`},
		"in a merged graph":    {field(2, field(2, node("Const")), field(2, node("WriteFile"))), `"WriteFile"`},
		"named twice":          {field(2, field(2, field(1, field(2, []byte("WriteFile")), field(2, []byte("Const"))))), `"WriteFile"`},
		"calls a function":     {graph(node("StatefulPartitionedCall")), `"StatefulPartitionedCall"`},
		"a function of itself": {graph(node("__inference_f_12")), `"__inference_f_12"`},
		"no name":              {graph(node("")), `""`},
		"a long name":          {graph(node(strings.Repeat("x", 100000))), "xxx"},
		"no graph":             {slices.Concat(version, field(2)), "no graph"},
		"nothing":              {nil, "no graph"},
		"text":                 {[]byte("hello, this is no network"), "damaged"},
		"too long a length":    {append(graph(node("Const")), 0x12, 0xff, 0xff, 0x01), "damaged"},
		"a group":              {append(graph(node("Const")), 0x0b), "damaged"},
		"field 0":              {append(graph(node("Const")), 0x00, 0x00), "damaged"},
		"cut in a number":      {append(graph(node("Const")), 0x0d, 0x01), "damaged"},
	} {
		err := checkOperations(c.data)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 400 {
			t.Errorf("%s: %v, want something about %s", name, err, c.want)
		}
	}
}

// Whatever the bytes, looking through them ends without a panic; and a file
// operation before them, or behind them where they are whole, is not overlooked.
func FuzzTensorFlowOperations(f *testing.F) {
	f.Add([]byte{0x08, 0x01})
	f.Add(field(2, field(2, node("Const"))))
	f.Add(field(2, field(2, field(1, field(2, []byte("ReadFile"))))))
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	bad := field(2, field(2, node("WriteFile")))
	f.Fuzz(func(t *testing.T, data []byte) {
		err := checkOperations(data)
		if err != nil && !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("%v does not wrap ErrInvalid", err)
		}
		if checkOperations(append(slices.Clone(bad), data...)) == nil {
			t.Errorf("%x passes behind a file operation", data)
		}
		if err == nil && checkOperations(append(slices.Clone(data), bad...)) == nil {
			t.Errorf("a file operation passes behind %x", data)
		}
	})
}
