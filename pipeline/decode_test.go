package pipeline

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"livenessd"
)

// corners is a 64×48 picture, each quarter of one colour: red, green / blue, white.
func corners() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for y := range 48 {
		for x := range 64 {
			m.Set(x, y, []color.RGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}}[x/32+2*(y/24)])
		}
	}
	return m
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func asJPEG(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}))
	return b.Bytes()
}

// quarters checks the colours in the middle of each quarter, within tol.
func quarters(t *testing.T, what string, at func(x, y int) (r, g, b byte), w, h, tol int, want [4][3]int) {
	t.Helper()
	for q, c := range want {
		r, g, b := at(w/4+q%2*w/2, h/4+q/2*h/2)
		for i, v := range [3]byte{r, g, b} {
			if d := int(v) - c[i]; d > tol || d < -tol {
				t.Errorf("%s: quarter %d is %d %d %d, want %v", what, q, r, g, b, c)
				break
			}
		}
	}
}

var rgbw = [4][3]int{{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}}

func TestDecodePicture(t *testing.T) {
	var p, g, b, ti bytes.Buffer
	must(t, png.Encode(&p, corners()))
	must(t, gif.Encode(&g, corners(), nil))
	must(t, bmp.Encode(&b, corners()))
	must(t, tiff.Encode(&ti, corners(), nil))
	for name, data := range map[string][]byte{"png": p.Bytes(), "gif": g.Bytes(), "bmp": b.Bytes(), "tiff": ti.Bytes(), "jpeg": asJPEG(t, corners())} {
		before := bytes.Clone(data)
		f, err := DecodePicture(data, DefaultLimits())
		if err != nil || f.Format != livenessd.BGR || f.Width != 64 || f.Height != 48 || len(f.Data) != 3*64*48 {
			t.Fatalf("%s: %d×%d %s %v", name, f.Width, f.Height, f.Format, err)
		}
		if !bytes.Equal(before, data) {
			t.Errorf("%s: the caller's bytes were changed", name)
		}
		quarters(t, name, func(x, y int) (byte, byte, byte) {
			d := f.Data[3*(64*y+x):]
			return d[2], d[1], d[0]
		}, 64, 48, 12, rgbw)
	}
}

func TestDecodePictureRefuses(t *testing.T) {
	lim := DefaultLimits()
	small := lim
	small.MaxSide, small.MaxPixels = 40, 1600
	few := lim
	few.MaxBytes = 100
	good := asJPEG(t, corners())
	var tiny bytes.Buffer
	must(t, png.Encode(&tiny, image.NewGray(image.Rect(0, 0, 5, 5))))
	// A PNG header that claims 60000×60000 pixels: refused before any is read.
	var bomb bytes.Buffer
	must(t, png.Encode(&bomb, corners()))
	huge := bomb.Bytes()
	copy(huge[16:], []byte{0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60})
	for _, c := range []struct {
		name string
		data []byte
		lim  Limits
		want error
	}{
		{"empty", nil, lim, livenessd.ErrNoPicture},
		{"text", []byte("hello, this is no picture"), lim, livenessd.ErrNoPicture},
		{"cut off", good[:len(good)/2], lim, livenessd.ErrNoPicture},
		{"only the magic", []byte("\xff\xd8\xff"), lim, livenessd.ErrNoPicture},
		{"html named jpg", []byte("<html><body>"), lim, livenessd.ErrNoPicture},
		{"too many pixels", good, small, livenessd.ErrTooLarge},
		{"too many bytes", good, few, livenessd.ErrTooLarge},
		{"too small", tiny.Bytes(), lim, livenessd.ErrNoPicture},
		{"bad limits", good, Limits{}, livenessd.ErrInvalid},
	} {
		if _, err := DecodePicture(c.data, c.lim); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := DecodePicture(huge, lim); !errors.Is(err, livenessd.ErrTooLarge) && !errors.Is(err, livenessd.ErrNoPicture) {
		t.Errorf("60000×60000: %v", err)
	}
}

// exifJPEG is corners() with an EXIF orientation.
func exifJPEG(t testing.TB, o byte) []byte {
	j := asJPEG(t, corners())
	tiff := []byte("MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(o) + "\x00\x00\x00\x00\x00\x00")
	seg := append([]byte("Exif\x00\x00"), tiff...)
	head := append([]byte{0xff, 0xd8, 0xff, 0xe1, 0, byte(len(seg) + 2)}, seg...)
	return append(head, j[2:]...)
}

// The quarters after each orientation, as the Exif standard describes which
// side of the stored picture is up.
func TestOrientation(t *testing.T) {
	r, g, b, w := rgbw[0], rgbw[1], rgbw[2], rgbw[3]
	for o, want := range map[byte][4][3]int{
		1: {r, g, b, w}, 2: {g, r, w, b}, 3: {w, b, g, r}, 4: {b, w, r, g},
		5: {r, b, g, w}, 6: {b, r, w, g}, 7: {w, g, b, r}, 8: {g, w, r, b},
		0: {r, g, b, w}, 9: {r, g, b, w},
	} {
		f, err := DecodePicture(exifJPEG(t, o), DefaultLimits())
		must(t, err)
		if turned := o >= 5 && o <= 8; turned != (f.Width == 48) {
			t.Fatalf("orientation %d: %d×%d", o, f.Width, f.Height)
		}
		quarters(t, "orientation "+string('0'+o), func(x, y int) (byte, byte, byte) {
			d := f.Data[3*(f.Width*y+x):]
			return d[2], d[1], d[0]
		}, f.Width, f.Height, 12, want)
	}
}

// raw returns corners() in a camera's format, made by textbook BT.601.
func raw(format livenessd.PixelFormat) []byte {
	m := corners()
	yuv := func(x, y int) (Y, U, V float64) {
		c := m.RGBAAt(x, y)
		r, g, b := float64(c.R)/255, float64(c.G)/255, float64(c.B)/255
		l := 0.299*r + 0.587*g + 0.114*b
		return 16 + 219*l, 128 + 224*(b-l)/1.772, 128 + 224*(r-l)/1.402
	}
	var out []byte
	switch format {
	case livenessd.YUYV:
		for y := range 48 {
			for x := 0; x < 64; x += 2 {
				a, u, v := yuv(x, y)
				b, _, _ := yuv(x+1, y)
				out = append(out, byte(a+.5), byte(u+.5), byte(b+.5), byte(v+.5))
			}
		}
	case livenessd.NV12:
		for y := range 48 {
			for x := range 64 {
				a, _, _ := yuv(x, y)
				out = append(out, byte(a+.5))
			}
		}
		for y := 0; y < 48; y += 2 {
			for x := 0; x < 64; x += 2 {
				_, u, v := yuv(x, y)
				out = append(out, byte(u+.5), byte(v+.5))
			}
		}
	case livenessd.BGR:
		for y := range 48 {
			for x := range 64 {
				c := m.RGBAAt(x, y)
				out = append(out, c.B, c.G, c.R)
			}
		}
	case livenessd.GREY:
		for y := range 48 {
			for x := range 64 {
				out = append(out, m.RGBAAt(x, y).G)
			}
		}
	}
	return out
}

func TestDecodeFrame(t *testing.T) {
	grey := [4][3]int{{0, 0, 0}, {255, 255, 255}, {0, 0, 0}, {255, 255, 255}}
	for _, c := range []struct {
		f    livenessd.Frame
		tol  int
		want [4][3]int
	}{
		{livenessd.Frame{Format: livenessd.YUYV, Width: 64, Height: 48, Data: raw(livenessd.YUYV)}, 2, rgbw},
		{livenessd.Frame{Format: livenessd.NV12, Width: 64, Height: 48, Data: raw(livenessd.NV12)}, 2, rgbw},
		{livenessd.Frame{Format: livenessd.BGR, Width: 64, Height: 48, Data: raw(livenessd.BGR)}, 0, rgbw},
		{livenessd.Frame{Format: livenessd.GREY, Width: 64, Height: 48, Data: raw(livenessd.GREY)}, 0, grey},
		{livenessd.Frame{Format: livenessd.MJPEG, Data: asJPEG(t, corners())}, 12, rgbw},
	} {
		p, err := decode(c.f, DefaultLimits())
		must(t, err)
		if p.w != 64 || p.h != 48 {
			t.Errorf("%s: %d×%d", c.f.Format, p.w, p.h)
		}
		quarters(t, string(c.f.Format), func(x, y int) (byte, byte, byte) {
			d := p.pix[3*(64*y+x):]
			return d[2], d[1], d[0]
		}, 64, 48, c.tol, c.want)
		p.close()
	}
}

func TestDecodeFrameRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		f    livenessd.Frame
		want error
	}{
		"short YUYV":    {livenessd.Frame{Format: livenessd.YUYV, Width: 64, Height: 48, Data: make([]byte, 2*64*48-1)}, livenessd.ErrNoPicture},
		"long NV12":     {livenessd.Frame{Format: livenessd.NV12, Width: 64, Height: 48, Data: make([]byte, 64*48*3/2+1)}, livenessd.ErrNoPicture},
		"odd YUYV":      {livenessd.Frame{Format: livenessd.YUYV, Width: 63, Height: 48, Data: make([]byte, 2*63*48)}, livenessd.ErrNoPicture},
		"odd NV12":      {livenessd.Frame{Format: livenessd.NV12, Width: 64, Height: 47, Data: make([]byte, 64*47*3/2)}, livenessd.ErrNoPicture},
		"no size":       {livenessd.Frame{Format: livenessd.BGR, Data: []byte{1, 2, 3}}, livenessd.ErrNoPicture},
		"negative size": {livenessd.Frame{Format: livenessd.BGR, Width: -64, Height: -48, Data: make([]byte, 3*64*48)}, livenessd.ErrNoPicture},
		"overflow":      {livenessd.Frame{Format: livenessd.GREY, Width: 1 << 62, Height: 4 << 60}, livenessd.ErrTooLarge},
		"huge":          {livenessd.Frame{Format: livenessd.GREY, Width: 1 << 40, Height: 64}, livenessd.ErrTooLarge},
		"unknown":       {livenessd.Frame{Format: "H264", Width: 64, Height: 48, Data: []byte{1}}, livenessd.ErrNoPicture},
		"empty MJPEG":   {livenessd.Frame{Format: livenessd.MJPEG}, livenessd.ErrNoPicture},
		"cut MJPEG":     {livenessd.Frame{Format: livenessd.MJPEG, Data: asJPEG(t, corners())[:300]}, livenessd.ErrNoPicture},
		"PNG as MJPEG":  {livenessd.Frame{Format: livenessd.MJPEG, Data: []byte("\x89PNG\r\n\x1a\n")}, livenessd.ErrNoPicture},
	} {
		if p, err := decode(c.f, DefaultLimits()); !errors.Is(err, c.want) {
			if p != nil {
				p.close()
			}
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Whatever comes in, the answer is a whole frame within the limits, or one of
// two errors.
func FuzzDecodePicture(f *testing.F) {
	var p, g, b, ti bytes.Buffer
	must(f, png.Encode(&p, corners()))
	must(f, gif.Encode(&g, corners(), nil))
	must(f, bmp.Encode(&b, corners()))
	must(f, tiff.Encode(&ti, corners(), nil))
	for _, s := range [][]byte{p.Bytes(), g.Bytes(), b.Bytes(), ti.Bytes(), asJPEG(f, corners()), exifJPEG(f, 6), []byte("RIFF\x10\x00\x00\x00WEBPVP8 ")} {
		f.Add(s)
		f.Add(s[:len(s)/2])
	}
	lim := Limits{MaxBytes: 1 << 16, MaxSide: 512, MaxPixels: 1 << 17, MinSide: 16}
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, err := DecodePicture(data, lim)
		if err != nil {
			if !errors.Is(err, livenessd.ErrNoPicture) && !errors.Is(err, livenessd.ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		if fr.Width < 16 || fr.Height < 16 || fr.Width*fr.Height > 1<<17 || len(fr.Data) != 3*fr.Width*fr.Height {
			t.Fatalf("%d×%d, %d bytes", fr.Width, fr.Height, len(fr.Data))
		}
	})
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add("MJPEG", 64, 48, asJPEG(f, corners()))
	f.Add("YUYV", 64, 48, raw(livenessd.YUYV))
	f.Add("NV12", 64, 48, raw(livenessd.NV12))
	f.Add("GREY", 64, 48, raw(livenessd.GREY))
	f.Add("RGB", 64, -48, []byte{})
	lim := Limits{MaxBytes: 1 << 16, MaxSide: 512, MaxPixels: 1 << 17, MinSide: 16}
	f.Fuzz(func(t *testing.T, format string, w, h int, data []byte) {
		p, err := decode(livenessd.Frame{Format: livenessd.PixelFormat(format), Width: w, Height: h, Data: data}, lim)
		if err != nil {
			if !errors.Is(err, livenessd.ErrNoPicture) && !errors.Is(err, livenessd.ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		defer p.close()
		if p.w < 16 || p.h < 16 || len(p.pix) != 3*p.w*p.h {
			t.Fatalf("%d×%d, %d bytes", p.w, p.h, len(p.pix))
		}
	})
}
