package capture

import (
	"fmt"

	"livenessd"
)

// layout is what a driver said its pictures look like. MJPEG pictures know
// better themselves; for the others it is the only truth there is.
type layout struct {
	format livenessd.PixelFormat
	width  int // pixels
	height int
	stride int // bytes from one line to the next; NV12: of both planes
}

// rowBytes returns how many bytes of a line are picture.
func (l layout) rowBytes() int {
	if l.format == livenessd.YUYV {
		return 2 * l.width
	}
	return l.width
}

// rows returns how many lines the planes have together.
func (l layout) rows() int {
	if l.format == livenessd.NV12 {
		return l.height + l.height/2
	}
	return l.height
}

// check says why pictures of this layout cannot be used, or nil.
func (l layout) check() error {
	if l.width < 1 || l.height < 1 || l.width > maxSide || l.height > maxSide {
		return fmt.Errorf("pictures of %d x %d pixels, between 1 and %d a side are read: %w", l.width, l.height, maxSide, livenessd.ErrInvalid)
	}
	switch l.format {
	case livenessd.MJPEG:
		return nil
	case livenessd.YUYV, livenessd.GREY, livenessd.NV12:
	default:
		return fmt.Errorf("pixel format %q is not read: %w", l.format, livenessd.ErrInvalid)
	}
	if l.format != livenessd.GREY && l.width%2 != 0 || l.format == livenessd.NV12 && l.height%2 != 0 {
		return fmt.Errorf("%s pictures of %d x %d pixels, which is not even: %w", l.format, l.width, l.height, livenessd.ErrInvalid)
	}
	if l.stride < l.rowBytes() || l.stride > 8*maxSide {
		return fmt.Errorf("lines of %d bytes for %d pixels of %s: %w", l.stride, l.width, l.format, livenessd.ErrInvalid)
	}
	if l.stride*l.rows() > 8*maxPicture {
		return fmt.Errorf("pictures of %d x %d pixels: %w", l.width, l.height, livenessd.ErrTooLarge)
	}
	return nil
}

// frame makes a Frame of the bytes of one buffer, which it may keep and change.
// Padding goes, a JPEG's size is taken from the JPEG. Seq and At are left to
// the caller. l has passed check.
func (l layout) frame(data []byte) (livenessd.Frame, error) {
	f := livenessd.Frame{Width: l.width, Height: l.height, Format: l.format}
	if l.format == livenessd.MJPEG {
		picture, h, err := completeJPEG(data)
		f.Width, f.Height, f.Data = h.width, h.height, picture
		return f, err
	}
	row, rows := l.rowBytes(), l.rows()
	// A driver may leave the padding of the last line out.
	if need := l.stride*(rows-1) + row; len(data) < need {
		return f, fmt.Errorf("it has %d bytes, a %s picture of %d x %d pixels has %d: %w",
			len(data), l.format, l.width, l.height, need, livenessd.ErrNoPicture)
	}
	if l.stride != row {
		for y := 1; y < rows; y++ {
			copy(data[y*row:(y+1)*row], data[y*l.stride:])
		}
	}
	f.Data = data[: row*rows : row*rows]
	return f, nil
}
