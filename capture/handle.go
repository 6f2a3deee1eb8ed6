package capture

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"time"
	"unsafe"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"livenessd"
)

// handle is one open camera. Only the goroutine that opened it may use it.
//
// The work is done by the webcam library, except where that hides what has to
// be known: it returns the size it was asked for instead of the driver's,
// drops a buffer's error flag, time and number, waits in whole seconds, leaves
// mappings behind when a start fails, and unmaps before it stops. For these the
// handle makes the system call itself, on the library's own descriptor.
type handle struct {
	cam     *webcam.Webcam
	fd      int
	buffers [][]byte // the driver's memory; valid while streaming
}

// fourCCs are the driver's names of the formats we can use.
var fourCCs = map[livenessd.PixelFormat]webcam.PixelFormat{
	livenessd.MJPEG: fourCC("MJPG"),
	livenessd.YUYV:  fourCC("YUYV"),
	livenessd.NV12:  fourCC("NV12"),
	livenessd.GREY:  fourCC("GREY"),
}

func fourCC(s string) webcam.PixelFormat {
	return webcam.PixelFormat(uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24)
}

func openHandle(node string) (*handle, error) {
	cam, err := webcam.Open(node)
	if err != nil && errnoOf(err) == 0 {
		return nil, fmt.Errorf("it is no source of pictures: %w", livenessd.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	fd, err := descriptor(cam)
	if err != nil {
		return nil, errors.Join(err, cam.Close())
	}
	return &handle{cam: cam, fd: fd}, nil
}

// descriptor reads the library's descriptor, which it does not export.
func descriptor(cam *webcam.Webcam) (int, error) {
	v := reflect.ValueOf(cam).Elem().FieldByName("fd")
	if !v.IsValid() || v.Kind() != reflect.Uintptr {
		return -1, errors.New("the webcam library no longer keeps its descriptor in fd: capture has to be adapted to it")
	}
	return int(v.Uint()), nil
}

// mappings reads the library's list of mapped buffers, which it does not export.
func mappings(cam *webcam.Webcam) ([][]byte, error) {
	v := reflect.ValueOf(cam).Elem().FieldByName("buffers")
	if !v.IsValid() || v.Type() != reflect.TypeFor[[][]byte]() {
		return nil, errors.New("the webcam library no longer keeps its mappings in buffers: capture has to be adapted to it")
	}
	out := make([][]byte, v.Len())
	for i := range out {
		out[i] = v.Index(i).Bytes()
	}
	return out, nil
}

// capability says what the open node is: QUERYCAP, which for a node of several
// speaks of this one.
func (h *handle) capability() (driver, card, bus string, capture bool, err error) {
	var c v4l2Capability
	if err := h.ioctl(vidiocQueryCap, unsafe.Pointer(&c)); err != nil {
		return "", "", "", false, err
	}
	caps := c.capabilities
	if caps&capDeviceCaps != 0 {
		caps = c.deviceCaps
	}
	const need = capVideoCapture | capStreaming
	return text(c.driver[:]), text(c.card[:]), text(c.bus[:]), caps&need == need, nil
}

// isVirtual judges the descriptor itself, by its device number, so that a link
// that moved since the node was looked up changes nothing.
func (h *handle) isVirtual(r Roots, driver string) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(h.fd, &st); err != nil {
		return false, err
	}
	number := fmt.Sprintf("%d:%d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev)))
	return virtualDriver(driver) || virtualPath(r, filepath.Join(r.Sys, "dev/char", number)), nil
}

// setFormat asks for m and returns what the driver made of it.
func (h *handle) setFormat(m mode) (layout, error) {
	if _, _, _, err := h.cam.SetImageFormat(fourCCs[m.format], uint32(m.width), uint32(m.height)); err != nil {
		return layout{}, err
	}
	f := v4l2Format{typ: bufVideoCapture}
	if err := h.ioctl(vidiocGFmt, unsafe.Pointer(&f)); err != nil {
		return layout{}, err
	}
	if got := webcam.PixelFormat(f.pix.pixelFormat); got != fourCCs[m.format] {
		return layout{}, fmt.Errorf("it was asked for %s and answered with %q: %w", m.format, fourCCText(got), livenessd.ErrInvalid)
	}
	if f.pix.field != fieldNone && f.pix.field != fieldAny {
		return layout{}, fmt.Errorf("it gives interlaced pictures (field order %d), which are not read: %w", f.pix.field, livenessd.ErrInvalid)
	}
	l := layout{format: m.format, width: int(f.pix.width), height: int(f.pix.height), stride: int(f.pix.bytesPerLine)}
	if l.stride == 0 {
		l.stride = l.rowBytes()
	}
	return l, l.check()
}

// setRate asks for fps pictures a second and returns what the driver made of it.
func (h *handle) setRate(fps float64) (float64, error) {
	if err := h.cam.SetFramerate(float32(fps)); err != nil {
		return 0, err
	}
	got, err := h.cam.GetFramerate()
	return float64(got), err
}

// start maps the buffers and begins to stream. Few buffers keep frames young.
func (h *handle) start() error {
	if err := h.cam.SetBufferCount(4); err != nil {
		return err
	}
	err := h.cam.StartStreaming()
	buffers, e := mappings(h.cam)
	if err = errors.Join(err, e); err == nil {
		h.buffers = buffers
		return nil
	}
	// A mapping left behind would keep the device busy for the next attempt.
	for _, b := range buffers {
		if b != nil {
			err = errors.Join(err, unix.Munmap(b))
		}
	}
	return err
}

// picture is one buffer's content. Whoever receives it owns data.
type picture struct {
	data   []byte
	at     time.Time
	seq    uint32 // the driver's count; stays 0 with drivers that do not count
	broken bool   // the driver says its content is damaged
}

// errNothing says that no picture came within the time given.
var errNothing = errors.New("no picture came")

// next waits for a picture, copies it out and gives the buffer back.
func (h *handle) next(wait time.Duration) (picture, error) {
	fds := []unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(wait.Milliseconds()))
	if errors.Is(err, unix.EINTR) || err == nil && n == 0 {
		return picture{}, errNothing
	}
	if err != nil {
		return picture{}, err
	}
	b := v4l2Buffer{typ: bufVideoCapture, memory: memoryMmap}
	if err := h.ioctl(vidiocDQBuf, unsafe.Pointer(&b)); err != nil {
		// POLLERR with nothing to take would turn this into a busy loop.
		if errors.Is(err, unix.EAGAIN) && fds[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) == 0 {
			return picture{}, errNothing
		}
		return picture{}, err
	}
	now := time.Now()
	if int(b.index) >= len(h.buffers) {
		return picture{}, fmt.Errorf("the driver gave buffer %d of %d", b.index, len(h.buffers))
	}
	mapped := h.buffers[b.index]
	p := picture{
		data:   append([]byte(nil), mapped[:min(int(b.bytesUsed), len(mapped))]...),
		at:     moment(&b, now),
		seq:    b.sequence,
		broken: b.flags&bufFlagError != 0,
	}
	return p, h.cam.ReleaseFrame(b.index)
}

// moment turns a buffer's time into wall time. Drivers stamp with the monotonic
// clock when the picture begins or is complete; a stamp that is from another
// clock, or that cannot be true, is replaced by the time of dequeuing.
func moment(b *v4l2Buffer, now time.Time) time.Time {
	var ts unix.Timespec
	if b.flags&bufFlagTimestampMask != bufFlagTimestampMonotonic || unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return now
	}
	age := time.Duration(ts.Nano() - b.timestamp.Nano())
	if age < 0 || age > time.Second {
		return now
	}
	return now.Add(-age)
}

// close stops, unmaps and closes, in that order. What fails on the way does
// not stop the rest: after an unplug all of it may fail and still has to be done.
func (h *handle) close() error {
	var err error
	if h.buffers != nil {
		typ := uint32(bufVideoCapture)
		err = h.ioctl(vidiocStreamOff, unsafe.Pointer(&typ))
		h.buffers = nil
	}
	return errors.Join(err, h.cam.Close()) // unmaps first
}

func (h *handle) ioctl(request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, no := unix.Syscall(unix.SYS_IOCTL, uintptr(h.fd), request, uintptr(arg))
		if no == 0 {
			return nil
		}
		if no != unix.EINTR {
			return no
		}
	}
}
