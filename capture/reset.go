package capture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"livenessd"
)

// offFor is how long a USB camera stays switched off, so that its firmware
// notices.
const offFor = 500 * time.Millisecond

// errNoReset says that there is nothing to switch off: not a USB camera, or
// none was ever opened.
var errNoReset = errors.New("the camera is not on USB")

// resettable is a USB device, and which one it has to be.
type resettable struct {
	dir string // in sysfs; "" when the camera is not on USB
	is  Identity
}

// Reset switches the camera that was opened last off and on again at its USB
// port, as if it were unplugged. It takes half a second, and is completed when
// ctx ends in between, because a camera that stays off is worse than a late
// end. It must not run beside Stream. Errors wrap livenessd.ErrNotFound when
// that camera is no longer there; others say what to give the service.
func (v *V4L2) Reset(ctx context.Context) error { return v.last.reset(ctx, offFor) }

func (r resettable) reset(ctx context.Context, off time.Duration) error {
	if r.dir == "" {
		return errNoReset
	}
	if !dirExists(r.dir) {
		return fmt.Errorf("%s is no longer plugged in: %w", r.is, livenessd.ErrNotFound)
	}
	// Another device may have come into the socket since.
	if usb, serial := usbIdentity(r.dir); usb != r.is.USB || serial != r.is.Serial {
		return fmt.Errorf("another device is in the socket of %s: %w", r.is, livenessd.ErrNotFound)
	}
	file := filepath.Join(r.dir, "authorized")
	if err := writeAttribute(file, "0"); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(off):
	}
	return writeAttribute(file, "1")
}

// writeAttribute writes to a file of sysfs, which has to be there.
func writeAttribute(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		return fmt.Errorf("the camera cannot be reset: give this service's group write access to %s by a udev rule, and the unit ReadWritePaths=/sys/devices: %w", file, err)
	}
	if err != nil {
		return fmt.Errorf("the camera cannot be reset: %w", err)
	}
	return nil
}
