package capture

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"livenessd"
)

// Roots says where the kernel's trees are mounted. Tests give folders of their
// own; everybody else means DefaultRoots.
type Roots struct{ Dev, Sys, Proc string }

// DefaultRoots returns /dev, /sys and /proc.
func DefaultRoots() Roots { return Roots{Dev: "/dev", Sys: "/sys", Proc: "/proc"} }

// Device is one video node as the system shows it.
type Device struct {
	Node     string // e.g. /dev/video0; the number changes between boots
	ByID     string // full path of the link under /dev/v4l/by-id, "" when there is none
	ByPath   string // full path of the link under /dev/v4l/by-path: the socket, not the camera
	Index    int    // the node's place among its device's nodes: 0 gives pictures, others of a USB camera give metadata
	Driver   string // kernel driver
	Card     string // the device's own name for itself
	Bus      string // where it is plugged in
	USB      string // vendor and product, e.g. "046d:082d"; "" when it is not on USB
	Serial   string // of the USB device; many have none
	Virtual  bool   // made by software: what it shows need not be in front of the door
	Capture  bool   // it gives pictures; only known after it was asked
	Formats  []Format
	Controls []Control
	Err      error // why the device could not be asked, e.g. no permission

	identity Identity
	usbDir   string // of the USB device in sysfs, with symbolic links followed; "" when it is not on USB
}

// Stable returns the name to put into a configuration: the by-id link, else
// the by-path link, else the node.
func (d *Device) Stable() string { return cmp.Or(d.ByID, d.ByPath, d.Node) }

// Format is one pixel format that a device offers.
type Format struct {
	FourCC string                // as the driver names it, e.g. "MJPG"
	Pixel  livenessd.PixelFormat // our name for it; "" when it is of no use to us
	Sizes  []Size
}

// Size is a picture size in pixels, or, where MaxWidth is not 0, a range of
// them in steps.
type Size struct {
	Width, Height         int
	MaxWidth, MaxHeight   int
	StepWidth, StepHeight int
	Rates                 []float64 // pictures a second; empty when the driver does not say
}

// Devices lists all video nodes of this machine in the order of their numbers,
// each with what its driver says about it. It does not disturb a camera that
// is in use. A device that could not be asked has its Err set; the error
// returned is about the list itself.
func Devices() ([]Device, error) {
	ds, err := scan(DefaultRoots())
	for i := range ds {
		ask(DefaultRoots(), &ds[i])
	}
	return ds, err
}

var nodeName = regexp.MustCompile(`^video[0-9]{1,4}$`)

// scan lists the video nodes that sysfs knows, without opening any.
func scan(r Roots) ([]Device, error) {
	class := filepath.Join(r.Sys, "class/video4linux")
	entries, err := os.ReadDir(class)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no driver has registered a camera since boot
	}
	if err != nil {
		return nil, fmt.Errorf("listing video devices: %w", err)
	}
	byID, byPath := links(r, "by-id"), links(r, "by-path")
	var ds []Device
	for _, e := range entries {
		if !nodeName.MatchString(e.Name()) {
			continue // v4l-subdev0, vbi0, radio0 …
		}
		dir := filepath.Join(class, e.Name())
		d := Device{
			Node:   filepath.Join(r.Dev, e.Name()),
			ByID:   byID[e.Name()],
			ByPath: byPath[e.Name()],
			Card:   attribute(dir, "name"),
		}
		if n, err := strconv.Atoi(attribute(dir, "index")); err == nil {
			d.Index = n
		}
		if p, err := filepath.EvalSymlinks(filepath.Join(dir, "device/driver")); err == nil {
			d.Driver = filepath.Base(p)
		}
		d.Virtual = virtualDriver(d.Driver) || virtualPath(r, dir)
		d.usbDevice(r, dir)
		d.identity = Identity{USB: d.USB, Serial: d.Serial, Port: d.port(), Driver: d.Driver, Card: d.Card}
		ds = append(ds, d)
	}
	slices.SortFunc(ds, func(a, b Device) int {
		return cmp.Or(cmp.Compare(len(a.Node), len(b.Node)), cmp.Compare(a.Node, b.Node))
	})
	return ds, nil
}

// attribute reads a one-line file of sysfs; what cannot be read is empty.
func attribute(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// links maps node names to the full path of their link in dev/v4l/kind. Where
// udev made several links the first by name wins, so that the choice is stable.
func links(r Roots, kind string) map[string]string {
	dir := filepath.Join(r.Dev, "v4l", kind)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // no udev, or no camera
	}
	m := make(map[string]string)
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		target, err := os.Readlink(p)
		if err != nil {
			continue
		}
		if base := filepath.Base(target); m[base] == "" {
			m[base] = p
		}
	}
	return m
}

// virtualDrivers are drivers whose pictures a program makes up, as QUERYCAP or
// sysfs names them, without spaces and in lower case.
var virtualDrivers = []string{"v4l2loopback", "vivid", "vimc", "vim2m", "vicodec", "visl", "akvcam"}

func virtualDriver(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, " ", "")) // QUERYCAP says "v4l2 loopback"
	return slices.ContainsFunc(virtualDrivers, func(v string) bool { return strings.HasPrefix(name, v) })
}

// virtualBuses are parts of a device's path in sysfs that say the hardware
// below them is made up. vhci_hcd is USB over a network socket, dummy_hcd a USB
// port that the machine plugs into itself: on both, a program can pose as a
// camera that uses the ordinary driver.
var virtualBuses = []string{"virtual", "vhci_hcd", "dummy_hcd", "usbip-vudc"}

// virtualPath reports whether the device behind link, somewhere in sysfs, hangs
// on a bus that is made up. A link that leads nowhere is nothing to trust.
func virtualPath(r Roots, link string) bool {
	root, err := filepath.EvalSymlinks(r.Sys)
	if err != nil {
		return true
	}
	path, err := filepath.EvalSymlinks(link)
	if err != nil {
		return true
	}
	path, err = filepath.Rel(root, path)
	if err != nil {
		return true
	}
	for part := range strings.SplitSeq(path, string(filepath.Separator)) {
		name, _, _ := strings.Cut(part, ".") // vhci_hcd.0
		if slices.Contains(virtualBuses, name) || virtualDriver(name) {
			return true
		}
	}
	return false
}
