package capture

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"livenessd"
)

func TestNewV4L2Refuses(t *testing.T) {
	good := V4L2Config{Device: Auto, Width: 640, Height: 480, FPS: 30}
	if _, err := NewV4L2(good); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*V4L2Config){
		"no camera is named":     func(c *V4L2Config) { c.Device = "" },
		"neither a name":         func(c *V4L2Config) { c.Device = "../video0" },
		"is not a device name":   func(c *V4L2Config) { c.Device = "a\x00b" },
		"camera size 0 x 480":    func(c *V4L2Config) { c.Width = 0 },
		"camera size 640 x 9999": func(c *V4L2Config) { c.Height = 9999 },
		"camera rate 0":          func(c *V4L2Config) { c.FPS = 0 },
		`camera format "BGR"`:    func(c *V4L2Config) { c.Format = livenessd.BGR },
		"camera silence 1ms":     func(c *V4L2Config) { c.Silence = time.Millisecond },
	} {
		cfg := good
		change(&cfg)
		if _, err := NewV4L2(cfg); !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
}

// streamOnce gives the error of one attempt on a fake machine.
func streamOnce(t *testing.T, cfg V4L2Config) error {
	t.Helper()
	cfg.Width, cfg.Height, cfg.FPS = 640, 480, 30
	v, err := NewV4L2(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v.Stream(t.Context(),
		func(livenessd.Camera) { t.Error("a camera that is none was opened") },
		func(livenessd.Frame) { t.Error("a camera that is none gave a frame") })
}

func TestV4L2SentencesWithoutACamera(t *testing.T) {
	for _, tt := range []struct {
		there  []fakeDevice
		device string
		kind   error
		says   string
	}{
		{nil, Auto, livenessd.ErrNotFound, "there is no camera"},
		{[]fakeDevice{vivid}, "platform-vivid.0-video-index0", livenessd.ErrInvalid, "is virtual"},
		{[]fakeDevice{overIP}, "usb-Kiosk_Cam_78-video-index0", livenessd.ErrInvalid, "is virtual"},
		// Its node is a plain file: the kernel says that this is no device.
		{[]fakeDevice{webcamPictures}, "usb-Kiosk_Cam_77-video-index0", unix.ENOTTY, "usb-Kiosk_Cam_77-video-index0 failed while opening"},
		{[]fakeDevice{webcamPictures, secondCam}, Auto, unix.ENOTTY, "fe801000.csi-video-index0 failed while opening"},
	} {
		err := streamOnce(t, V4L2Config{Device: tt.device, Roots: machine(t, tt.there...)})
		if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.device, err)
		}
	}
}

// A device that udev has not named yet is waited for, but not for ever.
func TestNameless(t *testing.T) {
	cfg := V4L2Config{Device: "video5", AllowVirtual: true, Roots: machine(t, gadget)}
	if err := streamOnce(t, cfg); !errors.Is(err, livenessd.ErrNotReady) {
		t.Errorf("new: %v", err)
	}
	old := time.Now().Add(-settle)
	if err := os.Chtimes(filepath.Join(cfg.Roots.Dev, "video5"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := streamOnce(t, cfg); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("old: %v", err)
	}
}

func TestWarnOnce(t *testing.T) {
	var said []string
	v, err := NewV4L2(V4L2Config{Device: Auto, Width: 640, Height: 480, FPS: 30, Warn: func(s string) { said = append(said, s) }})
	if err != nil {
		t.Fatal(err)
	}
	v.warn("a %d", 1)
	v.warn("a %d", 2)
	v.warn("a %d", 1)
	if strings.Join(said, ", ") != "a 1, a 2" {
		t.Error(said)
	}
}

// An update of the library must not silently take away what handle reads of it.
func TestLibraryInternals(t *testing.T) {
	cam := new(webcam.Webcam)
	if fd, err := descriptor(cam); fd != 0 || err != nil {
		t.Error(fd, err)
	}
	if m, err := mappings(cam); len(m) != 0 || err != nil {
		t.Error(m, err)
	}
	for name, got := range map[string][2]uintptr{
		"QUERYCAP": {vidiocQueryCap, webcam.VIDIOC_QUERYCAP}, "DQBUF": {vidiocDQBuf, webcam.VIDIOC_DQBUF},
		"STREAMOFF": {vidiocStreamOff, webcam.VIDIOC_STREAMOFF}, "G_FMT": {vidiocGFmt, webcam.VIDIOC_S_FMT - 1},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %#x here and %#x there", name, got[0], got[1])
		}
	}
}

func TestMoment(t *testing.T) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	stamped := func(age time.Duration, flags uint32) *v4l2Buffer {
		return &v4l2Buffer{flags: flags, timestamp: unix.NsecToTimeval(ts.Nano() - int64(age))}
	}
	// The clock runs on between reading it here and in moment, so ages only grow.
	if got := now.Sub(moment(stamped(40*time.Millisecond, bufFlagTimestampMonotonic), now)); got < 40*time.Millisecond || got > time.Second {
		t.Errorf("a stamp 40 ms old made the frame %v old", got)
	}
	for name, b := range map[string]*v4l2Buffer{
		"another clock": stamped(40*time.Millisecond, 0),
		"from long ago": stamped(time.Hour, bufFlagTimestampMonotonic),
		"from later":    stamped(-time.Hour, bufFlagTimestampMonotonic),
		"never set":     {flags: bufFlagTimestampMonotonic},
	} {
		if name == "never set" && ts.Nano() < int64(2*time.Second) {
			continue
		}
		if got := moment(b, now); !got.Equal(now) {
			t.Errorf("%s: %v before now", name, now.Sub(got))
		}
	}
}

func TestText(t *testing.T) {
	if got := text([]byte("Cam\x1b[2J \xff\x00left over")); got != "Cam?[2J ?" {
		t.Errorf("%q", got)
	}
	if s := unsafe.Sizeof(v4l2Buffer{}); s != 88 && unsafe.Sizeof(uintptr(0)) == 8 {
		t.Errorf("v4l2_buffer has %d bytes", s)
	}
}

// gives is one thing a fake driver does: after a time it gives a picture or fails.
type gives struct {
	after time.Duration
	picture
	err error
}

// driver plays a list of events in fake time, and then gives nothing.
func driver(events []gives) func(time.Duration) (picture, error) {
	begin := time.Now()
	return func(wait time.Duration) (picture, error) {
		if len(events) == 0 || time.Since(begin)+wait < events[0].after {
			time.Sleep(wait)
			return picture{}, errNothing
		}
		e := events[0]
		events = events[1:]
		time.Sleep(time.Until(begin.Add(e.after)))
		if e.at.IsZero() {
			e.at = time.Now()
		}
		return e.picture, e.err
	}
}

func TestPump(t *testing.T) {
	const sec = time.Second
	grey := layout{livenessd.GREY, 2, 1, 2}
	ok := func(after time.Duration, seq uint32) gives {
		return gives{after: after, picture: picture{data: []byte("ab"), seq: seq}}
	}
	short := func(after time.Duration) gives { return gives{after: after, picture: picture{data: []byte("a")}} }
	damaged := func(after time.Duration) gives {
		return gives{after: after, picture: picture{data: []byte("ab"), broken: true}}
	}
	every := func(from, to time.Duration, f func(time.Duration) gives) (out []gives) {
		for t := from; t < to; t += 100 * time.Millisecond {
			out = append(out, f(t))
		}
		return out
	}
	tests := []struct {
		name   string
		events []gives
		frames int
		seq    uint64 // of the last frame
		says   string // the error, "" when the context ended it
		after  time.Duration
		broken uint64
	}{
		{"steady", every(0, 10*sec, func(d time.Duration) gives { return ok(d, uint32(d/(100*time.Millisecond))) }), 100, 100, "", 10 * sec, 0},
		{"nothing ever", nil, 0, 0, "no picture for 2s", 4 * sec, 0},
		{"the first is slow", []gives{ok(3*sec, 0), ok(4*sec, 1), ok(5*sec, 2), ok(6*sec, 3), ok(7*sec, 4), ok(8*sec, 5), ok(9*sec, 6)}, 7, 7, "", 10 * sec, 0},
		{"freezes", []gives{ok(0, 0), ok(sec, 1)}, 2, 2, "no picture for 2s", 3 * sec, 0},
		{"unplugged", []gives{ok(0, 0), {after: sec, err: unix.ENODEV}}, 1, 1, "no such device", sec, 0},
		{"a few broken", append(every(0, sec, short), every(sec, 10*sec, func(d time.Duration) gives { return ok(d, 0) })...), 90, 100, "", 10 * sec, 10},
		{"only broken", append([]gives{ok(0, 0)}, every(sec/10, 10*sec, short)...), 1, 1, "only broken pictures for 2s (20 of them", 2 * sec, 20},
		{"marked as damaged", append([]gives{ok(0, 0)}, every(sec/10, 10*sec, damaged)...), 1, 1, "marks it as damaged", 2 * sec, 20},
		{"lost frames leave a gap", []gives{ok(0, 7), ok(sec, 8), ok(2*sec, 12), {after: 3 * sec, err: unix.EIO}}, 3, 6, "input/output", 3 * sec, 0},
		{"the count wraps", []gives{ok(0, 0xFFFFFFFF), ok(sec, 1), {after: 2 * sec, err: unix.EIO}}, 2, 3, "input/output", 2 * sec, 0},
		{"the count begins anew", []gives{ok(0, 900), ok(sec, 0), {after: 2 * sec, err: unix.EIO}}, 2, 2, "input/output", 2 * sec, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*sec)
				defer cancel()
				opened, begin := 0, time.Now()
				var frames []livenessd.Frame
				var refused atomic.Uint64
				p := pump{refused: &refused, layout: grey, silence: 2 * sec, opened: func(livenessd.Frame) {
					if opened++; len(frames) > 0 {
						t.Error("opened after a frame was delivered")
					}
				}, deliver: func(f livenessd.Frame) { frames = append(frames, f) }}
				err := p.run(ctx, driver(tt.events))
				if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
					t.Errorf("ended with %v, want %q", err, tt.says)
				}
				if d := time.Since(begin); d < tt.after || d > tt.after+beat {
					t.Errorf("ended after %v, want %v", d, tt.after)
				}
				if len(frames) != tt.frames || opened != min(1, tt.frames) {
					t.Fatalf("%d frames, opened %d times", len(frames), opened)
				}
				if got := refused.Load(); got != tt.broken {
					t.Errorf("%d broken pictures were counted, want %d", got, tt.broken)
				}
				if n := len(frames); n > 0 && frames[n-1].Seq != tt.seq {
					t.Errorf("the last has number %d, want %d", frames[n-1].Seq, tt.seq)
				}
			})
		})
	}
}

// Time stamps that stand still or go back are no time.
func TestPumpTimeGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var events []gives
		for i, at := range []time.Duration{0, 30, 30, 10, 70} {
			events = append(events, gives{after: time.Duration(i+1) * 100 * time.Millisecond,
				picture: picture{data: []byte("ab"), at: begin.Add(at * time.Millisecond)}})
		}
		var got []time.Duration
		p := pump{refused: new(atomic.Uint64), layout: layout{livenessd.GREY, 2, 1, 2}, silence: time.Second, opened: func(livenessd.Frame) {},
			deliver: func(f livenessd.Frame) { got = append(got, f.At.Sub(begin)) }}
		if err := p.run(t.Context(), driver(events)); err == nil {
			t.Fatal("it never fell silent")
		}
		want := ms(0, 30, 300, 400, 500)
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	})
}

// A camera that changes the size of its pictures is broken, not two cameras.
func TestPumpSizeStays(t *testing.T) {
	small, large := testJPEG(t, 16, 16, 1), testJPEG(t, 32, 32, 1)
	synctest.Test(t, func(t *testing.T) {
		n := 0
		p := pump{refused: new(atomic.Uint64), layout: layout{livenessd.MJPEG, 640, 480, 0}, silence: time.Second,
			opened: func(f livenessd.Frame) {
				if f.Width != 16 {
					t.Errorf("opened with width %d", f.Width)
				}
			},
			deliver: func(f livenessd.Frame) { n += f.Width }}
		err := p.run(t.Context(), driver([]gives{{0, picture{data: small}, nil}, {0, picture{data: large}, nil}}))
		if err == nil || !strings.Contains(err.Error(), "32 x 32 pixels where those before had 16 x 16") || n != 16 {
			t.Errorf("%v, %d", err, n)
		}
	})
}
