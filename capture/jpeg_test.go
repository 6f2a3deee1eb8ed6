package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"livenessd"
)

// testJPEG encodes a small picture whose content depends on seed.
func testJPEG(t testing.TB, w, h, seed int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x*7 + seed*31), uint8(y*5 + seed), uint8(x * y), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// segments splits a JPEG's header into its segments, each with its marker.
func segments(t testing.TB, data []byte) (head [][]byte, rest []byte) {
	t.Helper()
	for i := 2; ; {
		if data[i+1] == mSOS {
			return head, data[i:]
		}
		n := 2 + int(binary.BigEndian.Uint16(data[i+2:]))
		head = append(head, data[i:i+n])
		i += n
	}
}

// withoutHuffman takes the tables out, as many cameras do.
func withoutHuffman(t testing.TB, data []byte) []byte {
	t.Helper()
	head, rest := segments(t, data)
	out := []byte{0xFF, mSOI}
	for _, s := range head {
		if s[1] != mDHT {
			out = append(out, s...)
		}
	}
	return append(out, rest...)
}

// insert puts segment after SOI.
func insert(data, segment []byte) []byte {
	return append(append([]byte{0xFF, mSOI}, segment...), data[2:]...)
}

func TestCompleteJPEG(t *testing.T) {
	whole := testJPEG(t, 40, 24, 1)
	grey := func() []byte {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 8)), nil); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}()
	sof := bytes.Index(whole, []byte{0xFF, 0xC0})
	patched := func(at int, v ...byte) []byte {
		out := bytes.Clone(whole)
		copy(out[at:], v)
		return out
	}
	preview := insert(whole, append([]byte{0xFF, 0xE1, 0, 8}, 0xFF, mSOI, 0xFF, mEOI, 0, 0))
	tests := []struct {
		name string
		in   []byte
		w, h int
		want error
	}{
		{"whole", whole, 40, 24, nil},
		{"grey", grey, 16, 8, nil},
		{"padded", append(bytes.Clone(whole), make([]byte, 500)...), 40, 24, nil},
		{"fill bytes", insert(whole, []byte{0xFF, 0xFF, 0xFE, 0, 2}), 40, 24, nil},
		{"preview in a segment", preview, 40, 24, nil},
		{"no tables", withoutHuffman(t, whole), 40, 24, nil},
		{"empty", nil, 0, 0, livenessd.ErrNoPicture},
		{"zeros", make([]byte, 1000), 0, 0, livenessd.ErrNoPicture},
		{"no SOI", whole[2:], 0, 0, livenessd.ErrNoPicture},
		{"only SOI", whole[:2], 0, 0, livenessd.ErrNoPicture},
		{"cut in the header", whole[:sof+6], 0, 0, livenessd.ErrNoPicture},
		{"cut in the data", whole[:len(whole)-20], 40, 24, livenessd.ErrNoPicture},
		{"ends before a scan", []byte{0xFF, mSOI, 0xFF, mEOI}, 0, 0, livenessd.ErrNoPicture},
		{"no width", patched(sof+7, 0, 0), 0, 24, livenessd.ErrNoPicture},
		{"far too wide", patched(sof+7, 0xFF, 0xFF), 0xFFFF, 24, livenessd.ErrTooLarge},
		{"12 bits", patched(sof+4, 12), 40, 24, livenessd.ErrNoPicture},
		{"segment of length 1", insert(whole, []byte{0xFF, 0xFE, 0, 1}), 0, 0, livenessd.ErrNoPicture},
		{"too many bytes", append(bytes.Clone(whole), make([]byte, maxPicture)...), 0, 0, livenessd.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := bytes.Clone(tt.in)
			out, h, err := completeJPEG(tt.in)
			if !errors.Is(err, tt.want) || h.width != tt.w || h.height != tt.h {
				t.Fatalf("got %d x %d, error %v; want %d x %d, %v", h.width, h.height, err, tt.w, tt.h, tt.want)
			}
			if !bytes.Equal(before, tt.in) {
				t.Error("the input was changed")
			}
			if err != nil {
				return
			}
			if !bytes.HasSuffix(out, []byte{0xFF, mEOI}) {
				t.Error("it does not end with the end marker")
			}
			m, err := jpeg.Decode(bytes.NewReader(out))
			if err != nil {
				t.Fatalf("a decoder does not read it: %v", err)
			}
			if m.Bounds().Dx() != tt.w || m.Bounds().Dy() != tt.h {
				t.Errorf("a decoder sees %v", m.Bounds())
			}
		})
	}
}

// The standard tables are the right ones: a picture that lost them decodes to
// the very same pixels.
func TestStandardHuffman(t *testing.T) {
	whole := testJPEG(t, 64, 48, 3)
	mended, _, err := completeJPEG(withoutHuffman(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	a, err := jpeg.Decode(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	b, err := jpeg.Decode(bytes.NewReader(mended))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.(*image.YCbCr).Y, b.(*image.YCbCr).Y) || !bytes.Equal(a.(*image.YCbCr).Cb, b.(*image.YCbCr).Cb) {
		t.Error("the mended picture differs")
	}
}

func FuzzJPEG(f *testing.F) {
	whole := testJPEG(f, 24, 16, 1)
	f.Add(whole)
	f.Add(withoutHuffman(f, whole))
	f.Add(whole[:40])
	f.Add([]byte{0xFF, mSOI, 0xFF, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, data []byte) {
		out, h, err := completeJPEG(data)
		if err != nil {
			if !errors.Is(err, livenessd.ErrNoPicture) && !errors.Is(err, livenessd.ErrTooLarge) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if h.width < 1 || h.width > maxSide || h.height < 1 || h.height > maxSide {
			t.Fatalf("accepted %d x %d", h.width, h.height)
		}
		again, h2, err := completeJPEG(out)
		if err != nil || h2.width != h.width || h2.height != h.height || !bytes.Equal(again, out) {
			t.Fatalf("what it made does not pass again: %v", err)
		}
		if cfg, err := jpeg.DecodeConfig(bytes.NewReader(out)); err == nil && (cfg.Width != h.width || cfg.Height != h.height) {
			t.Fatalf("a decoder says %d x %d, we say %d x %d", cfg.Width, cfg.Height, h.width, h.height)
		}
	})
}
