package capture

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"livenessd"
)

// Auto as a device name means the first camera that shows the real world.
const Auto = "auto"

// checkName says what is wrong with a configured device name, or nil.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("no camera is named: give %q, a name from /dev/v4l/by-id, or a path: %w", Auto, livenessd.ErrInvalid)
	case len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7F }):
		return fmt.Errorf("camera %.40q is not a device name: %w", name, livenessd.ErrInvalid)
	case filepath.IsAbs(name), !strings.ContainsRune(name, '/') && name != "." && name != "..":
		return nil
	}
	return fmt.Errorf("camera %q is neither a name from /dev/v4l/by-id nor a full path: %w", name, livenessd.ErrInvalid)
}

// candidates returns the devices that name means at this moment, the best
// first: one, or for Auto all that may be tried. The error is a sentence that
// lists what is there.
func candidates(r Roots, name string, allowVirtual bool) ([]Device, error) {
	ds, err := scan(r)
	if err != nil {
		return nil, err
	}
	if name == Auto {
		return automatic(ds, allowVirtual)
	}
	node, err := nodeOf(r, name)
	if err != nil {
		return nil, fmt.Errorf("camera %q is not there: check its cable, or choose another; %s: %w", name, inventory(ds), livenessd.ErrNotFound)
	}
	i := slices.IndexFunc(ds, func(d Device) bool { return d.Node == node })
	if i < 0 {
		return nil, fmt.Errorf("camera %q leads to %s, which is not a video device; %s: %w", name, node, inventory(ds), livenessd.ErrInvalid)
	}
	return ds[i : i+1], nil
}

// automatic puts the devices that show the real world first and leaves out
// the nodes of a camera that carry no pictures.
func automatic(ds []Device, allowVirtual bool) ([]Device, error) {
	var out, made []Device
	for _, d := range ds {
		switch {
		case d.Index != 0:
		case d.Virtual:
			made = append(made, d)
		default:
			out = append(out, d)
		}
	}
	if allowVirtual {
		out = append(out, made...)
	}
	if len(out) > 0 {
		return out, nil
	}
	if len(made) > 0 {
		return nil, fmt.Errorf("there are only virtual cameras, which are not allowed: plug in a real one; %s: %w", inventory(ds), livenessd.ErrNotFound)
	}
	return nil, fmt.Errorf("there is no camera: plug one in; %s: %w", inventory(ds), livenessd.ErrNotFound)
}

// nodeOf follows name to its node below r.Dev. A bare name is looked up among
// the by-id links, then the by-path links, then the nodes themselves.
func nodeOf(r Roots, name string) (string, error) {
	dev, err := filepath.EvalSymlinks(r.Dev)
	if err != nil {
		return "", err
	}
	tries := []string{name}
	if !filepath.IsAbs(name) {
		tries = []string{
			filepath.Join(r.Dev, "v4l/by-id", name),
			filepath.Join(r.Dev, "v4l/by-path", name),
			filepath.Join(r.Dev, name),
		}
	}
	for _, t := range tries {
		p, e := filepath.EvalSymlinks(t)
		if e != nil {
			err = e
			continue
		}
		if rel, e := filepath.Rel(dev, p); e == nil {
			return filepath.Join(r.Dev, rel), nil
		}
		return p, nil
	}
	return "", err
}

// byNumber reports whether name is a node whose number the kernel hands out
// anew at each boot and replug.
func byNumber(name string) bool { return nodeName.MatchString(filepath.Base(name)) }

// inventory lists ds for a sentence.
func inventory(ds []Device) string {
	if len(ds) == 0 {
		return "no video device is present"
	}
	var parts []string
	for _, d := range ds {
		if d.Index != 0 {
			continue
		}
		s := d.Stable()
		if s != d.Node {
			s = filepath.Base(s)
		}
		s += " (" + d.Card
		if d.Virtual {
			s += ", virtual"
		}
		parts = append(parts, s+")")
	}
	const most = 8
	if len(parts) > most {
		parts = append(parts[:most], fmt.Sprintf("and %d more", len(parts)-most))
	}
	return "present: " + strings.Join(parts, ", ")
}

// holders names the processes that have node open, other than this one, as far
// as this user may see them.
func holders(r Roots, node string) []string {
	fds, err := filepath.Glob(filepath.Join(r.Proc, "[0-9]*/fd/[0-9]*"))
	if err != nil {
		return nil
	}
	self := fmt.Sprint(os.Getpid())
	var out []string
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != node {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid := filepath.Base(dir)
		if pid == self {
			continue
		}
		s := "process " + pid
		if comm := attribute(dir, "comm"); comm != "" {
			s += " (" + comm + ")"
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
