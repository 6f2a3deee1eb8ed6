package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"livenessd"
)

// V4L2Config says which camera is meant and how it should be run.
type V4L2Config struct {
	Name string // what the operator calls it; Device when empty

	// Device is Auto, the name of a link in /dev/v4l/by-id or by-path, or the
	// full path of a link or a node. It is looked up again at each open.
	Device string

	Width, Height int     // pixels wanted, 16..8192; the driver has the last word
	FPS           float64 // pictures a second wanted, 1..240; the driver has the last word

	// Format pins the pixel format; empty chooses the best there is.
	Format livenessd.PixelFormat

	// AllowVirtual accepts devices whose pictures a program makes up.
	AllowVirtual bool

	// Pin returns the camera that the operator pinned, nil when none is. It is
	// asked at each opening; a nil Pin means that none ever is. RefuseOther
	// refuses any other camera; without it the pinned one only comes first.
	Pin         func() (*Identity, error)
	RefuseOther bool

	// Controls are set at each opening, in this order: "name=value", the name
	// as Control.Name has it.
	Controls []string

	// Silence is how long a running camera may give no good picture; 0 means
	// 2 seconds. The first picture may take twice that: exposure has to settle.
	Silence time.Duration

	// Warn is told, in a sentence and each once, what is not as asked for but
	// can be lived with. It is called from Stream's goroutine; nil drops it.
	Warn func(sentence string)

	// Roots is for tests; the zero value means DefaultRoots.
	Roots Roots
}

// V4L2 is a camera of this machine. It is a Source.
type V4L2 struct {
	cfg    V4L2Config
	said   map[string]bool // warnings given; touched by Stream only
	last   resettable      // the camera opened last; touched by Stream and Reset, which do not overlap
	broken atomic.Uint64
}

// Broken returns how many pictures were not delivered because they were
// damaged, since the program began. It may be called from any goroutine.
func (v *V4L2) Broken() uint64 { return v.broken.Load() }

// NewV4L2 checks cfg and opens nothing: the camera may come later. Errors wrap
// livenessd.ErrInvalid and name the field.
func NewV4L2(cfg V4L2Config) (*V4L2, error) {
	if err := checkName(cfg.Device); err != nil {
		return nil, err
	}
	if cfg.Width < 16 || cfg.Width > maxSide || cfg.Height < 16 || cfg.Height > maxSide {
		return nil, fmt.Errorf("camera size %d x %d: width and height have to be between 16 and %d: %w", cfg.Width, cfg.Height, maxSide, livenessd.ErrInvalid)
	}
	if !(cfg.FPS >= 1 && cfg.FPS <= 240) {
		return nil, fmt.Errorf("camera rate %v: it has to be between 1 and 240 pictures a second: %w", cfg.FPS, livenessd.ErrInvalid)
	}
	if _, ok := fourCCs[cfg.Format]; cfg.Format != "" && !ok {
		return nil, fmt.Errorf("camera format %q: it has to be one of %v, or empty: %w", cfg.Format, preference, livenessd.ErrInvalid)
	}
	for _, c := range cfg.Controls {
		if _, _, err := parseControl(c); err != nil {
			return nil, err
		}
	}
	if cfg.Silence < 0 || cfg.Silence > 0 && cfg.Silence < 100*time.Millisecond {
		return nil, fmt.Errorf("camera silence %v: it has to be at least 100 ms: %w", cfg.Silence, livenessd.ErrInvalid)
	}
	cfg.Name = cmp.Or(cfg.Name, cfg.Device)
	cfg.Silence = cmp.Or(cfg.Silence, 2*time.Second)
	cfg.Roots = cmp.Or(cfg.Roots, DefaultRoots())
	return &V4L2{cfg: cfg, said: make(map[string]bool)}, nil
}

// Stream implements Source. It must not run twice at the same time. Errors
// wrap livenessd.ErrNotFound where no such device is there, ErrBusy where
// another program has it, ErrInvalid where it cannot do what is needed.
//
// A frame's At is the driver's own time stamp where that is from the monotonic
// clock and plausible, otherwise the moment it was taken from the driver; it
// always grows. Seq is the driver's count, so a gap means frames that were lost
// or damaged.
func (v *V4L2) Stream(ctx context.Context, opened func(livenessd.Camera), deliver func(livenessd.Frame)) (err error) {
	h, cam, l, err := v.open()
	if err != nil {
		return err
	}
	defer func() {
		// After a failure the device may be gone, and closing it says so again.
		if e := h.close(); err == nil && e != nil {
			err = fmt.Errorf("camera %s could not be closed: %w", cam.Device, e)
		}
	}()
	p := pump{layout: l, silence: v.cfg.Silence, refused: &v.broken, opened: func(f livenessd.Frame) {
		if f.Width != l.width || f.Height != l.height {
			v.warn("camera %s says its pictures are %d x %d, they are %d x %d", cam.Device, l.width, l.height, f.Width, f.Height)
		}
		cam.Width, cam.Height = f.Width, f.Height
		opened(cam)
	}, deliver: deliver}
	if err := p.run(ctx, h.next); err != nil {
		return refusal(v.cfg.Roots, Device{Node: cam.Device}, "streaming", err)
	}
	return nil
}

// open finds the camera, or the first of several that can be used, sets it up
// and starts it.
func (v *V4L2) open() (*handle, livenessd.Camera, layout, error) {
	pin, err := v.pinned()
	if err != nil {
		return nil, livenessd.Camera{}, layout{}, err
	}
	ds, err := candidates(v.cfg.Roots, v.cfg.Device, v.cfg.AllowVirtual)
	if err != nil {
		return nil, livenessd.Camera{}, layout{}, err
	}
	for _, d := range pinnedFirst(ds, pin) {
		h, cam, l, e := v.openDevice(d, pin)
		if e == nil {
			if byNumber(v.cfg.Device) {
				v.warn("camera %s is named by a number that changes when devices are plugged in another order: use %s", v.cfg.Device, d.Stable())
			}
			return h, cam, l, nil
		}
		if err == nil {
			err = e
		} else {
			err = fmt.Errorf("%w; %w", err, e)
		}
	}
	return nil, livenessd.Camera{}, layout{}, err
}

// openDevice opens d and starts it; on failure nothing stays open.
func (v *V4L2) openDevice(d Device, pin *Identity) (*handle, livenessd.Camera, layout, error) {
	none := func(err error) (*handle, livenessd.Camera, layout, error) {
		return nil, livenessd.Camera{}, layout{}, err
	}
	if d.Virtual && !v.cfg.AllowVirtual {
		return none(refuseVirtual(d))
	}
	if metadata(&d) {
		return none(fmt.Errorf("camera %s (%s, node %d of its device) carries no pictures: name the node that ends in index0: %w", d.Stable(), d.Card, d.Index, livenessd.ErrInvalid))
	}
	if nameless(d) {
		return none(fmt.Errorf("camera %s was plugged in just now and has no stable name yet: %w", d.Node, livenessd.ErrNotReady))
	}
	other, err := v.checkPin(&d, pin)
	if err != nil {
		return none(err)
	}
	v.last = resettable{dir: d.usbDir, is: d.Identity()}
	h, err := openHandle(d.Node)
	if err != nil {
		return none(refusal(v.cfg.Roots, d, "opening", err))
	}
	cam, l, err := v.setUp(h, d)
	if err != nil {
		return none(errors.Join(err, h.close()))
	}
	cam.Other = other
	return h, cam, l, nil
}

// metadata reports whether d is the node beside each of a USB camera's picture
// nodes that gives time stamps instead of pictures. It is not even opened.
func metadata(d *Device) bool { return d.Driver == "uvcvideo" && d.Index%2 == 1 }

// settle is how long udev may take to make the links of a new device and to
// set its group. Waiting for it, results get the camera's stable name.
const settle = time.Second

// nameless reports whether d is so new that its links may still come.
func nameless(d Device) bool {
	if d.Stable() != d.Node {
		return false
	}
	fi, err := os.Stat(d.Node)
	if err != nil {
		return false // opening it says more
	}
	age := time.Since(fi.ModTime())
	return age >= 0 && age < settle
}

func refuseVirtual(d Device) error {
	return fmt.Errorf("camera %s (driver %s) is virtual: its pictures need not show what is in front of it, so it is refused unless virtual cameras are allowed: %w", d.Stable(), d.Driver, livenessd.ErrInvalid)
}

// setUp checks what the open device is, agrees on a format with it and starts
// it.
func (v *V4L2) setUp(h *handle, d Device) (livenessd.Camera, layout, error) {
	none := func(err error) (livenessd.Camera, layout, error) { return livenessd.Camera{}, layout{}, err }
	refuse := func(doing string, err error) (livenessd.Camera, layout, error) {
		return none(refusal(v.cfg.Roots, d, doing, err))
	}
	driver, card, bus, capture, err := h.capability()
	if err != nil {
		return refuse("saying what it is", err)
	}
	if !capture {
		return none(fmt.Errorf("camera %s (%s, node %d of its device) carries no pictures: name the node that ends in index0: %w", d.Stable(), card, d.Index, livenessd.ErrInvalid))
	}
	virtual, err := h.isVirtual(v.cfg.Roots, driver)
	if err != nil {
		return refuse("saying what it is", err)
	}
	if virtual && !v.cfg.AllowVirtual {
		d.Driver = driver
		return none(refuseVirtual(d))
	}
	offered := h.formats()
	m, ok := choose(offered, want{v.cfg.Format, v.cfg.Width, v.cfg.Height, v.cfg.FPS})
	if !ok {
		read := fmt.Sprint(preference)
		if v.cfg.Format != "" {
			read = string(v.cfg.Format)
		}
		return none(fmt.Errorf("camera %s offers %s, but %s is needed: choose another: %w", d.Stable(), formatNames(offered), read, livenessd.ErrInvalid))
	}
	l, err := h.setFormat(m)
	if err != nil {
		return refuse("setting its format", err)
	}
	if l.width != v.cfg.Width || l.height != v.cfg.Height {
		v.warn("camera %s gives %d x %d pixels, not the %d x %d asked for", d.Stable(), l.width, l.height, v.cfg.Width, v.cfg.Height)
	}
	fps := v.setRate(h, d)
	v.setControls(h, d)
	if err := h.start(); err != nil {
		return refuse("starting", err)
	}
	return livenessd.Camera{
		Name: v.cfg.Name, Device: d.Stable(), Driver: driver, Card: card, Bus: bus,
		USB: d.USB, Serial: d.Serial, Port: d.port(),
		Format: string(l.format), Width: l.width, Height: l.height, FPS: fps, Simulated: virtual,
	}, l, nil
}

// setRate asks for the rate and returns the one agreed on, 0 when the driver
// does not say. A camera that runs at another one still works.
func (v *V4L2) setRate(h *handle, d Device) float64 {
	got, err := h.setRate(v.cfg.FPS)
	switch {
	case err != nil:
		v.warn("camera %s does not let its rate be set: %v", d.Stable(), err)
		return 0
	case got < 0.9*v.cfg.FPS || got > 1.1*v.cfg.FPS:
		v.warn("camera %s gives %.3g pictures a second, not the %.3g asked for", d.Stable(), got, v.cfg.FPS)
	}
	return got
}

// maxSaid bounds the memory of warnings over years of odd devices.
const maxSaid = 64

func (v *V4L2) warn(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	if v.cfg.Warn == nil || v.said[s] || len(v.said) >= maxSaid {
		return
	}
	v.said[s] = true
	v.cfg.Warn(s)
}
