package capture

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"

	"livenessd"
)

// Light is how bright a picture is, as levels of luma from 0 to 255.
type Light struct {
	Mean float64
	Low  int // a twentieth of the picture is darker
	High int // a twentieth is brighter
}

const (
	// blackHigh is the level that nineteen twentieths of a black picture do not
	// exceed. Black is 16 where luma is coded in the range of television, and
	// noise comes on top. A face lit by nothing but the screen lies above it.
	blackHigh = 32
	// flatSpan is the difference between Low and High of a picture that shows
	// one colour: a covered lens. A white wall has more, for lenses are darker
	// at the edge.
	flatSpan = 10
)

// Black reports whether the picture shows nothing but black, or one colour.
func (l Light) Black() bool { return l.High <= blackHigh || l.High-l.Low <= flatSpan }

// maxMeasured bounds the pixels of a picture that is decoded for its light: a
// camera may claim any size.
const maxMeasured = 4096 * 2304

// Measure looks at every few pixels of f. A JPEG is decoded for it, in Go:
// BenchmarkMeasure says what that costs. Errors wrap livenessd.ErrNoPicture.
func Measure(f livenessd.Frame) (Light, error) {
	if f.Width < 1 || f.Height < 1 || f.Width > maxSide || f.Height > maxSide || f.Width*f.Height > maxMeasured {
		return Light{}, fmt.Errorf("a picture of %d x %d pixels: %w", f.Width, f.Height, livenessd.ErrNoPicture)
	}
	var luma plane
	switch f.Format {
	case livenessd.YUYV:
		luma = plane{f.Data, 2 * f.Width, 2}
	case livenessd.GREY, livenessd.NV12:
		luma = plane{f.Data, f.Width, 1}
	case livenessd.BGR:
		luma = plane{f.Data[min(1, len(f.Data)):], 3 * f.Width, 3} // green is most of luma
	case livenessd.MJPEG:
		m, err := jpeg.Decode(bytes.NewReader(f.Data))
		if err != nil {
			return Light{}, fmt.Errorf("%v: %w", err, livenessd.ErrNoPicture)
		}
		switch m := m.(type) {
		case *image.YCbCr:
			luma = plane{m.Y, m.YStride, 1}
		case *image.Gray:
			luma = plane{m.Pix, m.Stride, 1}
		default:
			return Light{}, fmt.Errorf("the JPEG has the colours of %T: %w", m, livenessd.ErrNoPicture)
		}
	default:
		return Light{}, fmt.Errorf("pixel format %q: %w", f.Format, livenessd.ErrNoPicture)
	}
	return luma.measure(f.Width, f.Height)
}

// plane is where luma lies: bytes from one line and from one pixel to the next.
type plane struct {
	data         []byte
	stride, step int
}

// every how many pixels and lines one is looked at.
const lightGrid = 4

func (p plane) measure(width, height int) (Light, error) {
	var count [256]int
	n, sum := 0, 0
	for y := 0; y < height; y += lightGrid {
		for x := 0; x < width; x += lightGrid {
			i := y*p.stride + x*p.step
			if i >= len(p.data) {
				return Light{}, fmt.Errorf("it ends in line %d of %d: %w", y, height, livenessd.ErrNoPicture)
			}
			v := p.data[i]
			count[v]++
			sum += int(v)
			n++
		}
	}
	l := Light{Mean: float64(sum) / float64(n), Low: -1}
	below := 0
	for level, c := range count {
		below += c
		if l.Low < 0 && 20*below >= n {
			l.Low = level
		}
		if 20*below >= 19*n {
			l.High = level
			break
		}
	}
	return l, nil
}
