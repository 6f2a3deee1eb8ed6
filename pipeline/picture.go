package pipeline

import (
	"fmt"
	"image"

	"gocv.io/x/gocv"

	"livenessd"
)

// picture is one decoded picture in OpenCV's memory, 3 bytes a pixel, B first,
// rows without padding. Its owner closes it.
type picture struct {
	w, h int
	mat  gocv.Mat
	pix  []byte // the Mat's own memory: not to be used after close
}

// newPicture returns a picture of undefined contents. w and h have been
// checked against Limits.
func newPicture(w, h int) (*picture, error) {
	m := gocv.NewMatWithSize(h, w, gocv.MatTypeCV8UC3)
	pix, err := m.DataPtrUint8()
	if err != nil || len(pix) != 3*w*h {
		m.Close()
		return nil, fmt.Errorf("no memory for a picture of %d×%d: %v", w, h, err)
	}
	return &picture{w: w, h: h, mat: m, pix: pix}, nil
}

func (p *picture) close() {
	p.pix = nil
	p.mat.Close()
}

// crop returns the part r of p, resized to w×h pixels. r must lie inside p and
// not be empty.
func (p *picture) crop(r image.Rectangle, w, h int, how gocv.InterpolationFlags) (*picture, error) {
	if r.Empty() || !r.In(image.Rect(0, 0, p.w, p.h)) {
		return nil, fmt.Errorf("crop %v is not inside %d×%d", r, p.w, p.h)
	}
	dst, err := newPicture(w, h)
	if err != nil {
		return nil, err
	}
	part := p.mat.Region(r)
	defer part.Close()
	// dst has the size and type that Resize wants, so its memory stays.
	gocv.Resize(part, &dst.mat, image.Pt(w, h), 0, 0, how)
	return dst, nil
}

// Limits bound what a picture may be, before any of it is decoded.
type Limits struct {
	MaxBytes  int // of the picture as it comes
	MaxSide   int // pixels, width and height each
	MaxPixels int // width × height
	MinSide   int // pixels, width and height each
}

// DefaultLimits allows what webcams and telephones take: 16 MiB, 24 megapixels,
// 8192 a side. Decoding needs up to about 8 bytes a pixel.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 16 << 20, MaxSide: 8192, MaxPixels: 24_000_000, MinSide: 32}
}

func (l Limits) check() error {
	switch {
	case l.MaxBytes < 1 || l.MaxBytes > 256<<20:
		return fmt.Errorf("%w: max bytes is %d, want 1 to 256 MiB", livenessd.ErrInvalid, l.MaxBytes)
	case l.MinSide < 16:
		return fmt.Errorf("%w: min side is %d, want at least 16", livenessd.ErrInvalid, l.MinSide)
	case l.MaxSide < l.MinSide || l.MaxSide > 16384:
		return fmt.Errorf("%w: max side is %d, want %d to 16384", livenessd.ErrInvalid, l.MaxSide, l.MinSide)
	case l.MaxPixels < l.MinSide*l.MinSide || l.MaxPixels > 100_000_000:
		return fmt.Errorf("%w: max pixels is %d, want %d to 100 million", livenessd.ErrInvalid, l.MaxPixels, l.MinSide*l.MinSide)
	}
	return nil
}

// size says whether a picture of w×h may be decoded.
func (l Limits) size(w, h int) error {
	if w < l.MinSide || h < l.MinSide {
		return fmt.Errorf("%w: it is %d×%d pixels, at least %d each way are needed", livenessd.ErrNoPicture, w, h, l.MinSide)
	}
	if w > l.MaxSide || h > l.MaxSide || w > l.MaxPixels/h {
		return fmt.Errorf("%w: it is %d×%d pixels, at most %d a side and %d in all are read", livenessd.ErrTooLarge, w, h, l.MaxSide, l.MaxPixels)
	}
	return nil
}

// bytes says whether n bytes may be decoded.
func (l Limits) bytes(n int) error {
	if n == 0 {
		return fmt.Errorf("%w: it is empty", livenessd.ErrNoPicture)
	}
	if n > l.MaxBytes {
		return fmt.Errorf("%w: it has %d bytes, at most %d are read", livenessd.ErrTooLarge, n, l.MaxBytes)
	}
	return nil
}
