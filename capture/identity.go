package capture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"livenessd"
)

// ErrOther says that a camera answers which is not the pinned one.
var ErrOther = errors.New("not the pinned camera")

// Identity is what tells one camera from another, as far as a camera can be
// told: nothing in USB keeps a device from claiming to be another.
type Identity struct {
	USB    string `json:"usb,omitempty"`    // vendor and product, e.g. "046d:082d"; "" when it is not on USB
	Serial string `json:"serial,omitempty"` // the device's own; many have none
	Port   string `json:"port,omitempty"`   // the socket, as udev names it under /dev/v4l/by-path
	Driver string `json:"driver,omitempty"` // kernel driver
	Card   string `json:"card,omitempty"`   // the device's own name for itself
}

// Is reports whether d is the camera that p describes. A USB camera with a
// serial number is known in any socket; one without, and any other camera,
// only where it was.
func (p Identity) Is(d Identity) bool {
	if p.USB != d.USB || p.Serial != d.Serial {
		return false
	}
	if p.USB != "" && p.Serial != "" {
		return true
	}
	return p.Port == d.Port && p.Driver == d.Driver && (p.USB != "" || p.Card == d.Card)
}

// String describes p to a person.
func (p Identity) String() string {
	s := p.Card
	if s == "" {
		s = "a camera"
	}
	var parts []string
	for _, v := range []struct{ what, value string }{{"USB", p.USB}, {"serial", p.Serial}, {"socket", p.Port}} {
		if v.value != "" {
			parts = append(parts, v.what+" "+v.value)
		}
	}
	if len(parts) == 0 {
		return s
	}
	return s + " (" + strings.Join(parts, ", ") + ")"
}

// Identity returns what tells d from other cameras: what sysfs says, whether or
// not the driver was asked, which may call itself and its card something else.
func (d *Device) Identity() Identity { return d.identity }

// port is the by-path name without the part that counts the device's nodes.
func (d *Device) port() string {
	if d.ByPath == "" && d.usbDir == "" {
		return ""
	}
	if d.ByPath == "" {
		return filepath.Base(d.usbDir) // the kernel's name, e.g. "1-2"
	}
	return nodeSuffix.ReplaceAllString(filepath.Base(d.ByPath), "")
}

var nodeSuffix = regexp.MustCompile(`-video-index[0-9]+$`)

// usbDevice fills in what sysfs says about the USB device that the node at dir
// belongs to: an interface of it, so its parent.
func (d *Device) usbDevice(r Roots, dir string) {
	p, err := filepath.EvalSymlinks(filepath.Join(dir, "device"))
	if err != nil {
		return
	}
	root, err := filepath.EvalSymlinks(r.Sys)
	if err != nil {
		return
	}
	for strings.HasPrefix(p, root) && p != root {
		if vendor := attribute(p, "idVendor"); vendor != "" {
			d.usbDir = p
			d.USB, d.Serial = usbIdentity(p)
			return
		}
		p = filepath.Dir(p)
	}
}

// ResetFile returns the file of sysfs by which d is switched off and on; "" for
// a camera that is not on USB.
func (d *Device) ResetFile() string {
	if d.usbDir == "" {
		return ""
	}
	return filepath.Join(d.usbDir, "authorized")
}

// maxSerial bounds a serial number, which comes from the device.
const maxSerial = 126 // a USB string descriptor holds no more

func usbIdentity(dir string) (usb, serial string) {
	serial = text([]byte(attribute(dir, "serial")))
	return attribute(dir, "idVendor") + ":" + attribute(dir, "idProduct"), serial[:min(len(serial), maxSerial)]
}

// checkPin says why d may not be used in the place of the pinned camera, or
// whether it only is another one.
func (v *V4L2) checkPin(d *Device, pin *Identity) (other bool, err error) {
	if pin == nil || pin.Is(d.Identity()) {
		return false, nil
	}
	if !v.cfg.RefuseOther {
		return true, nil
	}
	return true, fmt.Errorf("%s is not the pinned camera, which is %s: plug that one in, or pin this one with `livenessd camera pin %s`: %w",
		d.Identity(), pin, filepath.Base(d.Stable()), ErrOther)
}

// pinned reads the pin anew: an operator may have changed it.
func (v *V4L2) pinned() (*Identity, error) {
	if v.cfg.Pin == nil {
		return nil, nil
	}
	return v.cfg.Pin()
}

// pinnedFirst moves the pinned camera before the others.
func pinnedFirst(ds []Device, pin *Identity) []Device {
	if pin == nil {
		return ds
	}
	var first, rest []Device
	for _, d := range ds {
		if pin.Is(d.Identity()) {
			first = append(first, d)
		} else {
			rest = append(rest, d)
		}
	}
	return append(first, rest...)
}

// Find returns the device that name means now: Auto the first real camera, and
// among several the pinned one when pin is not nil. It opens nothing. Errors
// are as those of V4L2.Stream.
func Find(r Roots, name string, allowVirtual bool, pin *Identity) (Device, error) {
	if err := checkName(name); err != nil {
		return Device{}, err
	}
	ds, err := candidates(r, name, allowVirtual)
	if err != nil {
		return Device{}, err
	}
	d := pinnedFirst(ds, pin)[0]
	if d.Index != 0 {
		return Device{}, fmt.Errorf("camera %s is node %d of its device and carries no pictures: name the node that ends in index0: %w", d.Stable(), d.Index, livenessd.ErrInvalid)
	}
	return d, nil
}

// Disabled lists the USB devices that somebody switched off (authorized 0) and
// that are pin, as paths in sysfs.
func Disabled(r Roots, pin Identity) []string {
	dirs, err := filepath.Glob(filepath.Join(r.Sys, "bus/usb/devices/*"))
	if err != nil || pin.USB == "" {
		return nil
	}
	var out []string
	for _, dir := range dirs {
		usb, serial := usbIdentity(dir)
		if usb == pin.USB && serial == pin.Serial && attribute(dir, "authorized") == "0" {
			out = append(out, dir)
		}
	}
	return out
}

// dirExists is for paths of sysfs, where devices come and go.
func dirExists(dir string) bool {
	fi, err := os.Stat(dir)
	return err == nil && fi.IsDir()
}
