package capture

import (
	"bytes"
	"errors"
	"testing"

	"livenessd"
)

func TestLayoutFrame(t *testing.T) {
	whole := testJPEG(t, 40, 24, 1)
	tests := []struct {
		name string
		l    layout
		in   []byte
		want string
		err  error
	}{
		{"YUYV", layout{livenessd.YUYV, 2, 2, 4}, []byte("abcdefgh"), "abcdefgh", nil},
		{"YUYV with padded lines", layout{livenessd.YUYV, 2, 3, 6}, []byte("abcd..efgh..ijkl.."), "abcdefghijkl", nil},
		{"last padding left out", layout{livenessd.YUYV, 2, 3, 6}, []byte("abcd..efgh..ijkl"), "abcdefghijkl", nil},
		{"YUYV too short", layout{livenessd.YUYV, 2, 2, 4}, []byte("abcdefg"), "", livenessd.ErrNoPicture},
		{"padded and too short", layout{livenessd.YUYV, 2, 3, 6}, []byte("abcd..efgh..ijk"), "", livenessd.ErrNoPicture},
		{"longer buffer", layout{livenessd.GREY, 2, 2, 2}, []byte("abcdXX"), "abcd", nil},
		{"GREY of odd width", layout{livenessd.GREY, 3, 2, 4}, []byte("abc.def."), "abcdef", nil},
		{"NV12", layout{livenessd.NV12, 2, 2, 2}, []byte("abcdUV"), "abcdUV", nil},
		{"NV12 with padded lines", layout{livenessd.NV12, 2, 2, 4}, []byte("ab..cd..UV.."), "abcdUV", nil},
		{"nothing", layout{livenessd.GREY, 2, 2, 2}, nil, "", livenessd.ErrNoPicture},
		{"MJPEG", layout{livenessd.MJPEG, 640, 480, 0}, append(bytes.Clone(whole), 0, 0), string(whole), nil},
		{"not MJPEG", layout{livenessd.MJPEG, 640, 480, 0}, []byte("abcdefgh"), "", livenessd.ErrNoPicture},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.l.check(); err != nil {
				t.Fatal(err)
			}
			f, err := tt.l.frame(bytes.Clone(tt.in))
			if !errors.Is(err, tt.err) || string(f.Data) != tt.want {
				t.Fatalf("%q, %v; want %q, %v", f.Data, err, tt.want, tt.err)
			}
			if err != nil {
				return
			}
			if tt.l.format == livenessd.MJPEG {
				tt.l.width, tt.l.height = 40, 24 // the JPEG knows better
			}
			if f.Width != tt.l.width || f.Height != tt.l.height || f.Format != tt.l.format {
				t.Errorf("%d x %d %s", f.Width, f.Height, f.Format)
			}
		})
	}
}

func TestLayoutCheck(t *testing.T) {
	for _, tt := range []struct {
		l   layout
		err error
	}{
		{layout{livenessd.YUYV, 640, 480, 1280}, nil},
		{layout{livenessd.YUYV, 640, 480, 640}, livenessd.ErrInvalid},
		{layout{livenessd.YUYV, 641, 480, 1282}, livenessd.ErrInvalid},
		{layout{livenessd.NV12, 640, 481, 640}, livenessd.ErrInvalid},
		{layout{livenessd.GREY, 640, 480, 1 << 30}, livenessd.ErrInvalid},
		{layout{livenessd.GREY, 0, 480, 0}, livenessd.ErrInvalid},
		{layout{livenessd.GREY, maxSide + 1, 1, maxSide + 1}, livenessd.ErrInvalid},
		{layout{livenessd.YUYV, maxSide, maxSide, 8 * maxSide}, livenessd.ErrTooLarge},
		{layout{livenessd.BGR, 640, 480, 1920}, livenessd.ErrInvalid},
		{layout{livenessd.MJPEG, 0, 0, 0}, livenessd.ErrInvalid},
	} {
		if err := tt.l.check(); !errors.Is(err, tt.err) {
			t.Errorf("%+v: %v, want %v", tt.l, err, tt.err)
		}
	}
}

func TestChoose(t *testing.T) {
	size := func(w, h int, rates ...float64) Size { return Size{Width: w, Height: h, Rates: rates} }
	mjpeg := func(s ...Size) Format { return Format{"MJPG", livenessd.MJPEG, s} }
	yuyv := func(s ...Size) Format { return Format{"YUYV", livenessd.YUYV, s} }
	nv12 := func(s ...Size) Format { return Format{"NV12", livenessd.NV12, s} }
	grey := func(s ...Size) Format { return Format{"GREY", livenessd.GREY, s} }
	vga := want{width: 640, height: 480, fps: 30}
	pinned := vga
	pinned.format = livenessd.YUYV
	tests := []struct {
		name    string
		formats []Format
		want    want
		best    mode
		ok      bool
	}{
		{"nothing", nil, vga, mode{}, false},
		{"nothing of use", []Format{{FourCC: "H264"}}, vga, mode{}, false},
		{"MJPEG before YUYV", []Format{yuyv(size(640, 480, 30)), mjpeg(size(640, 480, 30, 15))}, vga, mode{livenessd.MJPEG, 640, 480, 30}, true},
		{"YUYV before NV12", []Format{nv12(size(640, 480, 30)), yuyv(size(640, 480, 30))}, vga, mode{livenessd.YUYV, 640, 480, 30}, true},
		{"rate before format", []Format{mjpeg(size(640, 480, 5)), yuyv(size(640, 480, 30))}, vga, mode{livenessd.YUYV, 640, 480, 30}, true},
		{"rate before size", []Format{yuyv(size(640, 480, 5), size(800, 600, 30))}, vga, mode{livenessd.YUYV, 800, 600, 30}, true},
		{"29.97 is 30", []Format{mjpeg(size(640, 480, 29.97)), yuyv(size(640, 480, 30))}, vga, mode{livenessd.MJPEG, 640, 480, 29.97}, true},
		{"the exact size before the format", []Format{mjpeg(size(1280, 720, 30)), yuyv(size(640, 480, 30))}, vga, mode{livenessd.YUYV, 640, 480, 30}, true},
		{"the next larger", []Format{mjpeg(size(1920, 1080, 30), size(800, 600, 30), size(320, 240, 30))}, vga, mode{livenessd.MJPEG, 800, 600, 30}, true},
		{"else the largest", []Format{mjpeg(size(160, 120, 30), size(320, 240, 30))}, vga, mode{livenessd.MJPEG, 320, 240, 30}, true},
		{"grey only at last", []Format{grey(size(640, 480, 30)), yuyv(size(320, 240, 10))}, vga, mode{livenessd.YUYV, 320, 240, 10}, true},
		{"grey when there is nothing else", []Format{grey(size(640, 480, 30))}, vga, mode{livenessd.GREY, 640, 480, 30}, true},
		{"pinned", []Format{mjpeg(size(640, 480, 30)), yuyv(size(640, 480, 30))}, pinned, mode{livenessd.YUYV, 640, 480, 30}, true},
		{"pinned, not there", []Format{mjpeg(size(640, 480, 30))}, pinned, mode{}, false},
		{"rates unknown", []Format{mjpeg(size(640, 480))}, vga, mode{livenessd.MJPEG, 640, 480, 0}, true},
		{"sizes unknown", []Format{mjpeg()}, vga, mode{livenessd.MJPEG, 640, 480, 0}, true},
		{"a range of sizes", []Format{yuyv(Size{32, 32, 4096, 2160, 64, 16, []float64{60}})}, vga, mode{livenessd.YUYV, 672, 480, 60}, true},
		{"beyond the range", []Format{yuyv(Size{32, 32, 320, 240, 2, 2, []float64{60}})}, vga, mode{livenessd.YUYV, 320, 240, 60}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			best, ok := choose(tt.formats, tt.want)
			if best != tt.best || ok != tt.ok {
				t.Errorf("chose %+v, %v; want %+v, %v", best, ok, tt.best, tt.ok)
			}
		})
	}
}
