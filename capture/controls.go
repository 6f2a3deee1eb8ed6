package capture

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unsafe"

	"github.com/blackjack/webcam"

	"livenessd"
)

// Control is one setting of a camera, such as its exposure.
type Control struct {
	Name     string   // in lower case with underscores, as v4l2-ctl prints it, e.g. "power_line_frequency"
	Value    int32    // now; what it means is the driver's business
	Min, Max int32    //
	Step     int32    //
	Menu     []string // of a menu: what Value counts, Menu[0] for 0; "" where there is no such entry

	id webcam.ControlID
}

// maxMenu bounds how many entries of a menu a driver is believed.
const maxMenu = 64

// controlName writes a driver's name as v4l2-ctl does: every run of what is
// neither letter nor digit becomes one underscore.
func controlName(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.Join(words, "_")
}

// parseControl splits "name=value". The error wraps livenessd.ErrInvalid.
func parseControl(s string) (name, value string, err error) {
	name, value, ok := strings.Cut(s, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || name == "" || value == "" || controlName(name) != name || len(s) > 200 {
		return "", "", fmt.Errorf(`camera control %.60q: it must read name=value, for example "power_line_frequency=50 Hz"; livenessd camera -controls lists the names: %w`, s, livenessd.ErrInvalid)
	}
	return name, value, nil
}

// number turns a value as an operator writes it into the driver's number.
func (c *Control) number(value string) (int32, error) {
	for i, entry := range c.Menu {
		if entry != "" && strings.EqualFold(entry, value) {
			return int32(i), nil
		}
	}
	switch strings.ToLower(value) {
	case "true", "on", "yes":
		value = "1"
	case "false", "off", "no":
		value = "0"
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil && c.Menu != nil {
		return 0, fmt.Errorf("%q is none of %s: %w", value, c.entries(), livenessd.ErrInvalid)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number: %w", value, livenessd.ErrInvalid)
	}
	if int32(n) < c.Min || int32(n) > c.Max {
		return 0, fmt.Errorf("%d is not between %d and %d: %w", n, c.Min, c.Max, livenessd.ErrInvalid)
	}
	return int32(n), nil
}

// Text is the value as an operator would write it.
func (c *Control) Text() string {
	if int(c.Value) < len(c.Menu) && c.Value >= 0 && c.Menu[c.Value] != "" {
		return c.Menu[c.Value]
	}
	return strconv.Itoa(int(c.Value))
}

// entries lists a menu.
func (c *Control) entries() string {
	var out []string
	for _, e := range c.Menu {
		if e != "" {
			out = append(out, strconv.Quote(e))
		}
	}
	return strings.Join(out, ", ")
}

// controls lists what can be set, by name. Values that cannot be read are 0.
func (h *handle) controls() []Control {
	var out []Control
	for id, c := range h.cam.GetControls() {
		one := Control{Name: controlName(text([]byte(c.Name))), Min: c.Min, Max: c.Max, Step: c.Step, id: id}
		one.Menu = h.menu(id, c.Min, c.Max)
		if v, err := h.cam.GetControl(id); err == nil {
			one.Value = v
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Control) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.id, b.id)) })
	return out
}

// menu reads the entries of a menu; nil for controls that have none.
func (h *handle) menu(id webcam.ControlID, lo, hi int32) []string {
	if lo < 0 || hi < lo || hi >= maxMenu {
		return nil
	}
	var out []string
	for i := lo; i <= hi; i++ {
		q := v4l2QueryMenu{id: uint32(id), index: uint32(i)}
		if h.ioctl(vidiocQueryMenu, unsafe.Pointer(&q)) != nil {
			continue // no menu, or an entry that this device lacks
		}
		for len(out) <= int(i) {
			out = append(out, "")
		}
		out[i] = text(q.name[:])
	}
	return out
}

// setControls sets what the operator asked for, in that order. What a camera
// does not take is said once and lived with.
func (v *V4L2) setControls(h *handle, d Device) {
	if len(v.cfg.Controls) == 0 {
		return
	}
	all := h.controls()
	for _, s := range v.cfg.Controls {
		name, value, err := parseControl(s) // NewV4L2 has refused what cannot be read
		if err == nil {
			err = setControl(all, name, value, h.cam)
		}
		if err != nil {
			v.warn("camera %s: the control %s could not be set: %v", d.Stable(), s, err)
		}
	}
}

// controlSetter is an open camera.
type controlSetter interface {
	SetControl(webcam.ControlID, int32) error
	GetControl(webcam.ControlID) (int32, error)
}

// setControl sets one of all and reads it back, because drivers round and some
// ignore.
func setControl(all []Control, name, value string, cam controlSetter) error {
	i := slices.IndexFunc(all, func(c Control) bool { return c.Name == name })
	if i < 0 {
		var names []string
		for _, c := range all {
			names = append(names, c.Name)
		}
		return fmt.Errorf("there is none of that name; there are %s: %w", strings.Join(names, ", "), livenessd.ErrNotFound)
	}
	c := all[i]
	n, err := c.number(value)
	if err != nil {
		return err
	}
	if err := cam.SetControl(c.id, n); err != nil {
		return fmt.Errorf("the driver refuses (%w); some need another control set before, for example auto_exposure", err)
	}
	got, err := cam.GetControl(c.id)
	if err != nil {
		return fmt.Errorf("it cannot be read back: %w", err)
	}
	if got != n {
		return fmt.Errorf("the driver made %d of it", got)
	}
	return nil
}
