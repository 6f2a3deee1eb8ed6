package ui

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"sync"
	"time"

	"livenessd"
)

const (
	previewWidth   = 640     // pixels: larger raw pictures are thinned out to about this before encoding
	previewQuality = 75      // of image/jpeg; the page is a mirror, not evidence
	maxSide        = 8192    // pixels
	maxJPEG        = 4 << 20 // bytes; 1920×1080 from a webcam has well under 1 MiB
)

// slot holds the newest frame. ready has one element while it holds one that
// nobody has been told of.
type slot struct {
	ready chan struct{}

	mu    sync.Mutex
	frame *livenessd.Frame
}

func (s *slot) put(f livenessd.Frame) {
	s.mu.Lock()
	s.frame = &f
	s.mu.Unlock()
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// take empties the slot; nil when it is empty.
func (s *slot) take() *livenessd.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.frame
	s.frame = nil
	return f
}

// carryPreviews encodes the newest frame at most PreviewFPS times a second
// until ctx ends. It is the only goroutine that encodes.
func (u *UI) carryPreviews(ctx context.Context) {
	interval := time.Second / time.Duration(u.cfg.PreviewFPS)
	pause := time.NewTimer(0)
	defer pause.Stop()
	var complaint string
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			return
		case <-u.slot.ready:
		}
		pause.Reset(interval)
		f := u.slot.take()
		if f == nil {
			continue
		}
		b, err := encodePreview(*f)
		if err != nil {
			// A camera that sends such frames sends many: say each sentence once.
			if s := err.Error(); s != complaint {
				complaint = s
				u.log.Warn("preview not shown", "error", err)
			}
			continue
		}
		u.broadcastPicture(b)
	}
}

// encodePreview returns f as a JPEG. MJPEG is passed on as it is, sharing
// f.Data; other formats are thinned out to about previewWidth and encoded.
// Errors wrap livenessd.ErrNoPicture or livenessd.ErrTooLarge.
func encodePreview(f livenessd.Frame) ([]byte, error) {
	if f.Format == livenessd.MJPEG {
		return checkJPEG(f.Data)
	}
	img, err := thinOut(f)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: previewQuality}); err != nil {
		return nil, fmt.Errorf("ui: preview: %w", err)
	}
	return b.Bytes(), nil
}

// checkJPEG returns b without the zero bytes that some cameras pad their
// frames with.
func checkJPEG(b []byte) ([]byte, error) {
	if len(b) > maxJPEG {
		return nil, fmt.Errorf("ui: preview: MJPEG frame has %d bytes, at most %d are shown: %w", len(b), maxJPEG, livenessd.ErrTooLarge)
	}
	b = bytes.TrimRight(b, "\x00")
	if len(b) < 4 || !bytes.HasPrefix(b, []byte{0xff, 0xd8}) || !bytes.HasSuffix(b, []byte{0xff, 0xd9}) {
		return nil, fmt.Errorf("ui: preview: MJPEG frame does not begin and end as a JPEG does: %w", livenessd.ErrNoPicture)
	}
	return b, nil
}

// thinOut takes every n-th pixel of a raw frame, n chosen so that the picture
// is about previewWidth wide.
func thinOut(f livenessd.Frame) (image.Image, error) {
	if f.Width < 2 || f.Height < 2 || f.Width > maxSide || f.Height > maxSide || f.Width%2 != 0 || f.Height%2 != 0 {
		return nil, fmt.Errorf("ui: preview: frame of %d×%d pixels: sides must be even and 2 to %d: %w", f.Width, f.Height, maxSide, livenessd.ErrNoPicture)
	}
	pixels := f.Width * f.Height
	size := map[livenessd.PixelFormat]int{
		livenessd.YUYV: 2 * pixels, livenessd.NV12: pixels * 3 / 2, livenessd.GREY: pixels, livenessd.BGR: 3 * pixels,
	}[f.Format]
	if size == 0 {
		return nil, fmt.Errorf("ui: preview: pixel format %q is not known: %w", f.Format, livenessd.ErrNoPicture)
	}
	if len(f.Data) != size {
		return nil, fmt.Errorf("ui: preview: %s frame of %d×%d has %d bytes, not %d: %w", f.Format, f.Width, f.Height, len(f.Data), size, livenessd.ErrNoPicture)
	}
	n := max(1, (f.Width+previewWidth/2)/previewWidth)
	r := image.Rect(0, 0, f.Width/n, f.Height/n)
	switch f.Format {
	case livenessd.GREY:
		return thinGrey(f, r, n), nil
	case livenessd.BGR:
		return thinBGR(f, r, n), nil
	default:
		return thinYUV(f, r, n), nil
	}
}

func thinGrey(f livenessd.Frame, r image.Rectangle, n int) image.Image {
	img := image.NewGray(r)
	for y := range r.Dy() {
		row := f.Data[y*n*f.Width:]
		for x := range r.Dx() {
			img.Pix[y*img.Stride+x] = row[x*n]
		}
	}
	return img
}

func thinBGR(f livenessd.Frame, r image.Rectangle, n int) image.Image {
	img := image.NewRGBA(r)
	for y := range r.Dy() {
		row := f.Data[y*n*f.Width*3:]
		for x := range r.Dx() {
			p, s := img.Pix[y*img.Stride+x*4:], row[x*n*3:]
			p[0], p[1], p[2], p[3] = s[2], s[1], s[0], 0xff
		}
	}
	return img
}

// thinYUV keeps the camera's own Y, Cb and Cr. JPEG takes them as full range
// (ITU-T T.871); a camera that sends 16..235 looks a little paler, which a
// mirror can bear.
func thinYUV(f livenessd.Frame, r image.Rectangle, n int) image.Image {
	img := image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
	chroma := f.Data[min(len(f.Data), f.Width*f.Height):] // of NV12
	for y := range r.Dy() {
		for x := range r.Dx() {
			sx, sy := x*n, y*n
			luma := sy*f.Width + sx
			var cb, cr byte
			if f.Format == livenessd.YUYV {
				pair := 2 * (luma &^ 1) // Y0 Cb Y1 Cr; rows have even length
				img.Y[y*img.YStride+x] = f.Data[2*luma]
				cb, cr = f.Data[pair+1], f.Data[pair+3]
			} else {
				pair := sy/2*f.Width + sx&^1
				img.Y[y*img.YStride+x] = f.Data[luma]
				cb, cr = chroma[pair], chroma[pair+1]
			}
			if x%2 == 0 && y%2 == 0 {
				o := y/2*img.CStride + x/2
				img.Cb[o], img.Cr[o] = cb, cr
			}
		}
	}
	return img
}
