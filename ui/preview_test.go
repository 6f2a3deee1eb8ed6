package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"livenessd"
)

// halves draws a frame whose left half is red and whose right half is blue,
// in each raw format, or the luma of these colours in GREY.
func halves(format livenessd.PixelFormat, w, h int) livenessd.Frame {
	f := livenessd.Frame{Width: w, Height: h, Format: format}
	// Full-range Y, Cb, Cr of pure red and blue (ITU-T T.871).
	type ycc struct{ y, cb, cr byte }
	red, blue := ycc{76, 85, 255}, ycc{29, 255, 107}
	at := func(x int) ycc {
		if x < w/2 {
			return red
		}
		return blue
	}
	for range h {
		for x := range w {
			c := at(x)
			switch format {
			case livenessd.GREY, livenessd.NV12:
				f.Data = append(f.Data, c.y)
			case livenessd.BGR:
				if c == red {
					f.Data = append(f.Data, 0, 0, 255)
				} else {
					f.Data = append(f.Data, 255, 0, 0)
				}
			case livenessd.YUYV:
				f.Data = append(f.Data, c.y, []byte{c.cb, c.cr}[x%2])
			}
		}
	}
	if format == livenessd.NV12 {
		for range h / 2 {
			for x := 0; x < w; x += 2 {
				f.Data = append(f.Data, at(x).cb, at(x).cr)
			}
		}
	}
	return f
}

func TestEncodePreviewKeepsTheColours(t *testing.T) {
	for _, format := range []livenessd.PixelFormat{livenessd.YUYV, livenessd.NV12, livenessd.GREY, livenessd.BGR} {
		for _, size := range [][4]int{{64, 48, 64, 48}, {640, 480, 640, 480}, {1280, 720, 640, 360}, {1920, 1080, 640, 360}, {2, 2, 2, 2}, {1002, 10, 501, 5}} {
			t.Run(fmt.Sprint(format, size), func(t *testing.T) {
				b, err := encodePreview(halves(format, size[0], size[1]))
				if err != nil {
					t.Fatal(err)
				}
				img, err := jpeg.Decode(bytes.NewReader(b))
				if err != nil {
					t.Fatal(err)
				}
				w, h := img.Bounds().Dx(), img.Bounds().Dy()
				if w != size[2] || h != size[3] {
					t.Fatalf("the preview is %d×%d, want %d×%d", w, h, size[2], size[3])
				}
				if w < 16 {
					return // chroma of so few pixels runs together
				}
				r, _, lb, _ := img.At(w/8, h/2).RGBA()
				rr, _, rb, _ := img.At(w*7/8, h/2).RGBA()
				if format == livenessd.GREY {
					if l, g := r>>8, rr>>8; l < 70 || l > 82 || g < 23 || g > 35 {
						t.Errorf("grey is %d and %d, want about 76 and 29", l, g)
					}
					return
				}
				if r>>8 < 230 || lb>>8 > 25 || rr>>8 > 25 || rb>>8 < 230 {
					t.Errorf("left is red %d blue %d, right is red %d blue %d", r>>8, lb>>8, rr>>8, rb>>8)
				}
			})
		}
	}
}

func TestEncodePreviewRefuses(t *testing.T) {
	good := halves(livenessd.YUYV, 64, 48)
	change := func(do func(*livenessd.Frame)) livenessd.Frame {
		f := good
		do(&f)
		return f
	}
	mjpeg := func(s string) livenessd.Frame {
		return livenessd.Frame{Format: livenessd.MJPEG, Width: 64, Height: 48, Data: []byte(s)}
	}
	for name, c := range map[string]struct {
		frame livenessd.Frame
		want  error
	}{
		"no data":         {change(func(f *livenessd.Frame) { f.Data = nil }), livenessd.ErrNoPicture},
		"a byte short":    {change(func(f *livenessd.Frame) { f.Data = f.Data[1:] }), livenessd.ErrNoPicture},
		"a byte more":     {change(func(f *livenessd.Frame) { f.Data = append(f.Data[:len(f.Data):len(f.Data)], 0) }), livenessd.ErrNoPicture},
		"no width":        {change(func(f *livenessd.Frame) { f.Width = 0 }), livenessd.ErrNoPicture},
		"negative":        {change(func(f *livenessd.Frame) { f.Width, f.Height = -64, -48 }), livenessd.ErrNoPicture},
		"odd":             {change(func(f *livenessd.Frame) { f.Width = 63 }), livenessd.ErrNoPicture},
		"huge":            {change(func(f *livenessd.Frame) { f.Width = 1 << 62 }), livenessd.ErrNoPicture},
		"unknown format":  {change(func(f *livenessd.Frame) { f.Format = "H264" }), livenessd.ErrNoPicture},
		"MJPEG, empty":    {mjpeg(""), livenessd.ErrNoPicture},
		"MJPEG, zeros":    {mjpeg("\x00\x00\x00\x00\x00"), livenessd.ErrNoPicture},
		"MJPEG, PNG":      {mjpeg("\x89PNG\r\n\x1a\n"), livenessd.ErrNoPicture},
		"MJPEG, cut off":  {mjpeg("\xff\xd8\xff\xe0abc"), livenessd.ErrNoPicture},
		"MJPEG, overlap":  {mjpeg("\xff\xd8\xd9"), livenessd.ErrNoPicture},
		"MJPEG, enormous": {livenessd.Frame{Format: livenessd.MJPEG, Data: make([]byte, maxJPEG+1)}, livenessd.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := encodePreview(c.frame); !errors.Is(err, c.want) {
				t.Errorf("encodePreview says %v, want %v", err, c.want)
			}
		})
	}
}

func TestMJPEGIsPassedOnUntouched(t *testing.T) {
	data := []byte("\xff\xd8some\x00picture\xff\xd9\x00\x00\x00") // some cameras pad with zeros
	b, err := encodePreview(livenessd.Frame{Format: livenessd.MJPEG, Data: data})
	if err != nil || !bytes.Equal(b, data[:len(data)-3]) || &b[0] != &data[0] {
		t.Errorf("got %q, %v", b, err)
	}
}

func FuzzEncodePreview(f *testing.F) {
	for _, format := range []livenessd.PixelFormat{livenessd.MJPEG, livenessd.YUYV, livenessd.NV12, livenessd.GREY, livenessd.BGR} {
		f.Add(string(format), 4, 2, bytes.Repeat([]byte{0xff, 0xd8, 0xff, 0xd9}, 6))
	}
	f.Fuzz(func(t *testing.T, format string, w, h int, data []byte) {
		frame := livenessd.Frame{Width: w, Height: h, Format: livenessd.PixelFormat(format), Data: data}
		b, err := encodePreview(frame)
		if err == nil && (!bytes.HasPrefix(b, []byte{0xff, 0xd8}) || !bytes.HasSuffix(b, []byte{0xff, 0xd9})) {
			t.Fatalf("%q %d×%d gives no JPEG", format, w, h)
		}
	})
}

func TestSlotKeepsTheNewest(t *testing.T) {
	s := slot{ready: make(chan struct{}, 1)}
	for seq := range uint64(3) {
		s.put(livenessd.Frame{Seq: seq})
	}
	<-s.ready
	if f := s.take(); f == nil || f.Seq != 2 {
		t.Errorf("took %+v, want the frame 2", f)
	}
	if f := s.take(); f != nil {
		t.Errorf("took %+v from an empty slot", f)
	}
}

// In a bubble of fake time, a camera of 100 frames a second for two seconds.
func TestPreviewFPS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := New(Config{PreviewFPS: 5})
		if err != nil {
			t.Fatal(err)
		}
		page := newClient(nil)
		u.clients[page] = struct{}{}
		u.Publish(livenessd.View{Phase: livenessd.PhaseHold})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { u.carryPreviews(ctx) })
		shown := 0
		for range 200 {
			u.Preview(livenessd.Frame{Format: livenessd.MJPEG, Data: []byte("\xff\xd8\xff\xd9")})
			synctest.Wait()
			select {
			case <-page.shots:
				shown++
			default:
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
		wg.Wait()
		if shown < 9 || shown > 11 {
			t.Errorf("%d pictures in two seconds at 5 a second", shown)
		}
	})
}

// A frame that waits must not be there any more when the next person comes.
func TestWaitingFrameIsForgotten(t *testing.T) {
	u, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	u.clients[newClient(nil)] = struct{}{}
	u.Publish(livenessd.View{Phase: livenessd.PhaseMove})
	u.Preview(livenessd.Frame{Seq: 1})
	u.Publish(livenessd.View{Phase: livenessd.PhaseResult})
	if f := u.slot.take(); f != nil {
		t.Errorf("frame %d is still there", f.Seq)
	}
	u.Preview(livenessd.Frame{Seq: 2})
	if f := u.slot.take(); f != nil {
		t.Errorf("frame %d was taken beside a result", f.Seq)
	}
}

func BenchmarkEncodePreview(b *testing.B) {
	for _, format := range []livenessd.PixelFormat{livenessd.YUYV, livenessd.NV12} {
		f := halves(format, 1280, 720)
		b.Run(string(format), func(b *testing.B) {
			for b.Loop() {
				if _, err := encodePreview(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
