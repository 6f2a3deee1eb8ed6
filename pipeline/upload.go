package pipeline

import (
	"bytes"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"livenessd"
)

// kind is one format of picture files.
type kind struct {
	name   string
	magic  func(b []byte) bool // looks at the first bytes; b may be short
	config func(b []byte) (image.Config, error)
	decode func(b []byte) (image.Image, error)
}

func reading[T any](f func(r *bytes.Reader) (T, error)) func(b []byte) (T, error) {
	return func(b []byte) (T, error) { return f(bytes.NewReader(b)) }
}

func prefix(s ...string) func(b []byte) bool {
	return func(b []byte) bool {
		for _, p := range s {
			if bytes.HasPrefix(b, []byte(p)) {
				return true
			}
		}
		return false
	}
}

var kinds = []kind{
	{"JPEG", prefix("\xff\xd8\xff"),
		reading(func(r *bytes.Reader) (image.Config, error) { return jpeg.DecodeConfig(r) }),
		reading(func(r *bytes.Reader) (image.Image, error) { return jpeg.Decode(r) })},
	{"PNG", prefix("\x89PNG\r\n\x1a\n"),
		reading(func(r *bytes.Reader) (image.Config, error) { return png.DecodeConfig(r) }),
		reading(func(r *bytes.Reader) (image.Image, error) { return png.Decode(r) })},
	{"GIF", prefix("GIF87a", "GIF89a"),
		reading(func(r *bytes.Reader) (image.Config, error) { return gif.DecodeConfig(r) }),
		reading(func(r *bytes.Reader) (image.Image, error) { return gif.Decode(r) })},
	{"BMP", prefix("BM"),
		reading(func(r *bytes.Reader) (image.Config, error) { return bmp.DecodeConfig(r) }),
		reading(func(r *bytes.Reader) (image.Image, error) { return bmp.Decode(r) })},
	{"TIFF", prefix("II*\x00", "MM\x00*"),
		reading(func(r *bytes.Reader) (image.Config, error) { return tiff.DecodeConfig(r) }),
		reading(func(r *bytes.Reader) (image.Image, error) { return tiff.Decode(r) })},
	{"WebP", func(b []byte) bool { return len(b) >= 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP" },
		reading(func(r *bytes.Reader) (image.Config, error) { return webp.DecodeConfig(r) }),
		reading(func(r *bytes.Reader) (image.Image, error) { return webp.Decode(r) })},
}

// DecodePicture reads a picture file: JPEG (turned upright as its EXIF
// orientation says), PNG, GIF (the first picture), BMP, TIFF or WebP. What the
// file is, its first bytes say. The Frame is livenessd.BGR and its Data belong
// to the caller; Seq and At are zero. data is only read.
//
// The error wraps livenessd.ErrNoPicture when data is none of these or is
// damaged, livenessd.ErrTooLarge when it is beyond lim; lim is checked before
// pixels are decoded.
func DecodePicture(data []byte, lim Limits) (livenessd.Frame, error) {
	if err := lim.check(); err != nil {
		return livenessd.Frame{}, err
	}
	if err := lim.bytes(len(data)); err != nil {
		return livenessd.Frame{}, err
	}
	for _, k := range kinds {
		if k.magic(data) {
			f, err := k.read(data, lim)
			if err != nil {
				return livenessd.Frame{}, fmt.Errorf("%s: %w", k.name, err)
			}
			return f, nil
		}
	}
	return livenessd.Frame{}, fmt.Errorf("%w: it is not JPEG, PNG, GIF, BMP, TIFF or WebP", livenessd.ErrNoPicture)
}

func (k kind) read(data []byte, lim Limits) (livenessd.Frame, error) {
	cfg, err := k.config(data)
	if err != nil {
		return livenessd.Frame{}, fmt.Errorf("%w: %v", livenessd.ErrNoPicture, err)
	}
	if err := lim.size(cfg.Width, cfg.Height); err != nil {
		return livenessd.Frame{}, err
	}
	img, err := k.decode(data)
	if err != nil {
		return livenessd.Frame{}, fmt.Errorf("%w: %v", livenessd.ErrNoPicture, err)
	}
	// The frame that was decoded may be smaller than the canvas (GIF), so its
	// own size counts from here on.
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	if err := lim.size(w, h); err != nil {
		return livenessd.Frame{}, err
	}
	f := livenessd.Frame{Width: w, Height: h, Format: livenessd.BGR, Data: make([]byte, 3*w*h)}
	fromImage(f.Data, img)
	if k.name == "JPEG" {
		f = upright(f, exifOrientation(data))
	}
	return f, nil
}
