package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"livenessd"
)

// split reads data to its end or first error.
func split(r io.Reader) (pictures [][]byte, err error) {
	s := newSplitter(r)
	s.limit = 1 << 20
	for {
		p, _, err := s.next()
		if err != nil {
			return pictures, err
		}
		pictures = append(pictures, p)
	}
}

func TestSplitter(t *testing.T) {
	a, b := testJPEG(t, 24, 16, 1), testJPEG(t, 40, 32, 2)
	preview := insert(b, append([]byte{0xFF, 0xE1, 0, 8}, 0xFF, mSOI, 0xFF, mEOI, 0, 0))
	part := func(p []byte) []byte {
		return append(fmt.Appendf(nil, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", len(p)), p...)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	tests := []struct {
		name string
		in   []byte
		want [][]byte
		end  error
	}{
		{"nothing", nil, nil, io.EOF},
		{"one", a, [][]byte{a}, io.EOF},
		{"two", join(a, b), [][]byte{a, b}, io.EOF},
		{"multipart", join(part(a), []byte("\r\n"), part(b), []byte("\r\n--frame--\r\n")), [][]byte{a, b}, io.EOF},
		{"padding between", join(a, make([]byte, 1000), b), [][]byte{a, b}, io.EOF},
		{"preview", join(preview, a), [][]byte{preview, a}, io.EOF},
		{"no tables", join(withoutHuffman(t, a), b), [][]byte{a, b}, io.EOF},
		{"ends inside", join(a, b[:len(b)-9]), [][]byte{a}, io.ErrUnexpectedEOF},
		{"ends in a header", join(a, b[:30]), [][]byte{a}, io.ErrUnexpectedEOF},
		{"no picture for long", make([]byte, 2*maxJunk), nil, livenessd.ErrNoPicture},
		{"a segment without marker", insert(a, []byte("\xFF\xFE\x00\x02hello")), nil, livenessd.ErrNoPicture},
		{"endless data", join(a[:len(a)-2], bytes.Repeat([]byte{1}, 1<<20)), nil, livenessd.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := split(bytes.NewReader(tt.in))
			if !errors.Is(err, tt.end) {
				t.Errorf("ended with %v, want %v", err, tt.end)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("%d pictures, want %d", len(got), len(tt.want))
			}
			for i := range got {
				if tt.name == "no tables" && i == 0 {
					continue // mended: other bytes, see TestStandardHuffman
				}
				if !bytes.Equal(got[i], tt.want[i]) {
					t.Errorf("picture %d differs", i)
				}
			}
		})
	}
}

// How the bytes arrive makes no difference.
func TestSplitterChunks(t *testing.T) {
	data := append(testJPEG(t, 24, 16, 1), testJPEG(t, 40, 32, 2)...)
	got, err := split(iotest.OneByteReader(bytes.NewReader(data)))
	if !errors.Is(err, io.EOF) || len(got) != 2 {
		t.Errorf("%d pictures, %v", len(got), err)
	}
}

func FuzzSplitter(f *testing.F) {
	a := testJPEG(f, 16, 8, 1)
	f.Add(append(append([]byte("--x\r\n\r\n"), a...), a...))
	f.Add(a[:len(a)-1])
	f.Add([]byte{0xFF, mSOI, 0xFF, mSOS, 0, 2, 0xFF})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := split(bytes.NewReader(data))
		if err == nil {
			t.Fatal("it never ended")
		}
		n := 0
		for _, p := range got {
			if _, _, err := completeJPEG(p); err != nil {
				t.Fatalf("a picture that is none: %v", err)
			}
			n += len(p) - len(standardHuffman())
		}
		if n > len(data) {
			t.Fatalf("%d bytes of pictures from %d", n, len(data))
		}
	})
}
