package capture

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"livenessd"
)

// shade is a picture that is dark on its left half.
func shade(t *testing.T, format livenessd.PixelFormat, dark, bright uint8) livenessd.Frame {
	const w, h = 64, 48
	f := livenessd.Frame{Width: w, Height: h, Format: format}
	at := func(x int) uint8 {
		if x < w/2 {
			return dark
		}
		return bright
	}
	switch format {
	case livenessd.MJPEG:
		m := image.NewGray(image.Rect(0, 0, w, h))
		for i := range m.Pix {
			m.Pix[i] = at(i % w)
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, nil); err != nil {
			t.Fatal(err)
		}
		f.Data = b.Bytes()
	case livenessd.BGR:
		for i := range w * h {
			c := color.Gray{Y: at(i % w)}
			f.Data = append(f.Data, c.Y, c.Y, c.Y)
		}
	case livenessd.YUYV:
		for i := range w * h {
			f.Data = append(f.Data, at(i%w), 128)
		}
	default:
		for i := range w * h {
			f.Data = append(f.Data, at(i%w))
		}
		f.Data = append(f.Data, make([]byte, w*h/2)...)
	}
	return f
}

func TestMeasure(t *testing.T) {
	for _, format := range []livenessd.PixelFormat{livenessd.MJPEG, livenessd.YUYV, livenessd.NV12, livenessd.GREY, livenessd.BGR} {
		l, err := Measure(shade(t, format, 40, 200))
		if err != nil || l.Low < 38 || l.Low > 42 || l.High < 198 || l.High > 202 || l.Mean < 118 || l.Mean > 122 {
			t.Errorf("%s: %+v, %v", format, l, err)
		}
		for _, tt := range []struct {
			dark, bright uint8
			black        bool
		}{{40, 200, false}, {10, 60, false}, {0, 0, true}, {16, 30, true}, {120, 126, true}, {16, 40, false}} {
			l, err := Measure(shade(t, format, tt.dark, tt.bright))
			if err != nil || l.Black() != tt.black {
				t.Errorf("%s %d to %d: %+v black %v, %v", format, tt.dark, tt.bright, l, l.Black(), err)
			}
		}
		f := shade(t, format, 40, 200)
		f.Data = f.Data[:len(f.Data)/4]
		if l, err := Measure(f); err == nil {
			t.Errorf("%s cut off: %+v", format, l)
		}
	}
}

// BenchmarkMeasure is what a look at the light costs, twice or three times a
// second.
func BenchmarkMeasure(b *testing.B) {
	for _, size := range []image.Point{{640, 480}, {1280, 720}} {
		m := image.NewYCbCr(image.Rectangle{Max: size}, image.YCbCrSubsampleRatio422)
		for i := range m.Y {
			m.Y[i] = byte(i%size.X/4+i/size.X/4) + byte(uint32(i)*2654435761>>29) // a room with a sensor's noise
		}
		var buf bytes.Buffer
		if err := jpeg.Encode(&buf, m, &jpeg.Options{Quality: 80}); err != nil {
			b.Fatal(err)
		}
		b.Run(size.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := Measure(livenessd.Frame{Format: livenessd.MJPEG, Width: size.X, Height: size.Y, Data: buf.Bytes()}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestMeasureIsBounded(t *testing.T) {
	if l, err := Measure(livenessd.Frame{Format: livenessd.GREY, Width: 8192, Height: 8192, Data: make([]byte, 8192*8192)}); err == nil {
		t.Errorf("%+v", l)
	}
}

func FuzzMeasure(f *testing.F) {
	f.Add("MJPEG", 8, 8, []byte{0xff, 0xd8})
	f.Add("YUYV", 8, 8, make([]byte, 128))
	f.Fuzz(func(t *testing.T, format string, w, h int, data []byte) {
		l, err := Measure(livenessd.Frame{Format: livenessd.PixelFormat(format), Width: w, Height: h, Data: data})
		if err == nil && (l.Low < 0 || l.Low > l.High || l.High > 255 || !(l.Mean >= 0 && l.Mean <= 255)) {
			t.Errorf("%+v", l)
		}
	})
}
