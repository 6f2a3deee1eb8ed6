package pipeline

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"

	"livenessd"
)

// decode makes a picture of a camera's frame. The caller closes it.
func decode(f livenessd.Frame, lim Limits) (*picture, error) {
	if f.Format == livenessd.MJPEG {
		return decodeMJPEG(f.Data, lim)
	}
	if err := lim.size(f.Width, f.Height); err != nil {
		return nil, err
	}
	w, h := f.Width, f.Height
	var want int
	switch f.Format {
	case livenessd.YUYV:
		if w%2 != 0 {
			return nil, fmt.Errorf("%w: YUYV needs an even width, got %d", livenessd.ErrNoPicture, w)
		}
		want = 2 * w * h
	case livenessd.NV12:
		if w%2 != 0 || h%2 != 0 {
			return nil, fmt.Errorf("%w: NV12 needs even sides, got %d×%d", livenessd.ErrNoPicture, w, h)
		}
		want = w * h * 3 / 2
	case livenessd.GREY:
		want = w * h
	case livenessd.BGR:
		want = 3 * w * h
	default:
		return nil, fmt.Errorf("%w: pixel format %q is not known", livenessd.ErrNoPicture, f.Format)
	}
	if len(f.Data) != want {
		return nil, fmt.Errorf("%w: %s of %d×%d has %d bytes, got %d", livenessd.ErrNoPicture, f.Format, w, h, want, len(f.Data))
	}
	p, err := newPicture(w, h)
	if err != nil {
		return nil, err
	}
	switch f.Format {
	case livenessd.YUYV:
		fromYUYV(p.pix, f.Data, w, h)
	case livenessd.NV12:
		fromNV12(p.pix, f.Data, w, h)
	case livenessd.GREY:
		fromGrey(p.pix, f.Data)
	case livenessd.BGR:
		copy(p.pix, f.Data)
	}
	return p, nil
}

// decodeMJPEG reads one JPEG with Go's decoder, which is memory-safe. The size
// is the JPEG's own: a driver's word is not needed.
func decodeMJPEG(data []byte, lim Limits) (*picture, error) {
	if err := lim.bytes(len(data)); err != nil {
		return nil, err
	}
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", livenessd.ErrNoPicture, err)
	}
	if err := lim.size(cfg.Width, cfg.Height); err != nil {
		return nil, err
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", livenessd.ErrNoPicture, err)
	}
	return pictureOf(img)
}

func pictureOf(img image.Image) (*picture, error) {
	p, err := newPicture(img.Bounds().Dx(), img.Bounds().Dy())
	if err != nil {
		return nil, err
	}
	fromImage(p.pix, img)
	return p, nil
}
