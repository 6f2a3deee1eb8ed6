package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"livenessd"
	"livenessd/capture"
)

// listedCamera is a device as `camera -json` prints it.
type listedCamera struct {
	Name     string          `json:"name"` // what to put into camera.source
	Node     string          `json:"node"`
	ByID     string          `json:"by_id,omitempty"`
	ByPath   string          `json:"by_path,omitempty"`
	Driver   string          `json:"driver"`
	Card     string          `json:"card"`
	Bus      string          `json:"bus"`
	USB      string          `json:"usb,omitempty"`
	Serial   string          `json:"serial,omitempty"`
	Pinned   bool            `json:"pinned"`
	Virtual  bool            `json:"virtual"`
	Controls []listedControl `json:"controls,omitempty"`
	Formats  []listedFormat  `json:"formats"`
	Error    string          `json:"error,omitempty"`
}

type listedFormat struct {
	FourCC string       `json:"fourcc"`
	Usable bool         `json:"usable"`
	Sizes  []listedSize `json:"sizes"`
}

type listedSize struct {
	Size  string    `json:"size"`
	Rates []float64 `json:"rates"` // pictures a second
}

type listedControl struct {
	Name  string   `json:"name"`
	Value string   `json:"value"`
	Min   int32    `json:"min"`
	Max   int32    `json:"max"`
	Menu  []string `json:"menu,omitempty"`
}

func cameraCommand(ctx context.Context, env *environment, args []string) (int, error) {
	if len(args) > 0 {
		switch args[0] {
		case "pin":
			return cameraPin(ctx, env, args[1:])
		case "unpin":
			return cameraUnpin(ctx, env, args[1:])
		}
	}
	f := newFlags(env, "camera", "")
	f.intro = cameraUsage
	f.storeFlag("the results, beside which the pin is")
	asJSON := f.Bool("json", false, "a JSON array; with -watch an object a line")
	watch := f.Bool("watch", false, "show what the camera sees, in numbers, twice a second until interrupted")
	lines := f.Int("lines", 0, "end -watch after so many `lines`; 0: never")
	controls := f.Bool("controls", false, "list what camera.controls can set, with bounds and present values")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	if f.NArg() > 0 {
		return exitMisused, fmt.Errorf("%w: camera knows pin, unpin and flags, not %q", livenessd.ErrInvalid, f.Arg(0))
	}
	cfg, err := f.config()
	if err != nil {
		return exitMisused, err
	}
	if *watch {
		return watchCamera(ctx, env, cfg, *asJSON, *lines)
	}
	pinned, err := readPin(pinFile(cfg.Store.Path))
	if err != nil {
		fmt.Fprintln(env.err, err)
	}
	devices, err := capture.Devices()
	if err != nil {
		return exitFailed, err
	}
	list := []listedCamera{}
	for _, d := range devices {
		if d.Capture || d.Err != nil {
			c := listCamera(&d)
			c.Pinned = pinned != nil && pinned.Is(d.Identity())
			list = append(list, c)
		}
	}
	if *asJSON {
		e := json.NewEncoder(env.out)
		e.SetIndent("", "  ")
		return exitOK, e.Encode(list)
	}
	if pinned != nil && !slices.ContainsFunc(list, func(c listedCamera) bool { return c.Pinned }) {
		if _, err := fmt.Fprintf(env.out, "Pinned, and not there: %s\n", pinned); err != nil {
			return exitFailed, err
		}
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(env.out, "No camera was found. Plug one in, or set camera.source to \"sim\" for a simulated person.")
		return exitOK, err
	}
	for _, c := range list {
		if err := c.print(env.out, *controls); err != nil {
			return exitFailed, err
		}
	}
	return exitOK, nil
}

func listCamera(d *capture.Device) listedCamera {
	c := listedCamera{
		Name: d.Stable(), Node: d.Node, ByID: d.ByID, ByPath: d.ByPath, Driver: d.Driver, Card: d.Card, Bus: d.Bus,
		USB: d.USB, Serial: d.Serial, Virtual: d.Virtual, Formats: []listedFormat{},
	}
	for _, v := range d.Controls {
		c.Controls = append(c.Controls, listedControl{v.Name, v.Text(), v.Min, v.Max, v.Menu})
	}
	if d.Err != nil {
		c.Error = d.Err.Error()
	}
	for _, f := range d.Formats {
		lf := listedFormat{FourCC: f.FourCC, Usable: f.Pixel != "", Sizes: []listedSize{}}
		for _, s := range f.Sizes {
			size := fmt.Sprintf("%dx%d", s.Width, s.Height)
			if s.MaxWidth != 0 {
				size = fmt.Sprintf("%s to %dx%d", size, s.MaxWidth, s.MaxHeight)
			}
			lf.Sizes = append(lf.Sizes, listedSize{Size: size, Rates: append([]float64{}, s.Rates...)})
		}
		c.Formats = append(c.Formats, lf)
	}
	return c
}

func (c *listedCamera) print(w io.Writer, controls bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", c.Name)
	fmt.Fprintf(&b, "  %s, %s, driver %s, bus %s\n", c.Card, c.Node, c.Driver, c.Bus)
	if c.USB != "" {
		fmt.Fprintf(&b, "  USB %s, serial number %s\n", c.USB, cmp.Or(c.Serial, "none"))
	}
	if c.Pinned {
		b.WriteString("  pinned\n")
	}
	if c.Virtual {
		b.WriteString("  made by software: refused unless camera.allow_virtual is true\n")
	}
	if c.Error != "" {
		fmt.Fprintf(&b, "  %s\n", c.Error)
	}
	for _, f := range c.Formats {
		if !f.Usable {
			continue
		}
		for _, s := range f.Sizes {
			fmt.Fprintf(&b, "  %s %s", f.FourCC, s.Size)
			for i, r := range s.Rates {
				fmt.Fprintf(&b, "%s%g", map[bool]string{true: " at ", false: ", "}[i == 0], r)
			}
			b.WriteString("\n")
		}
	}
	for _, v := range c.Controls {
		if !controls {
			break
		}
		fmt.Fprintf(&b, "  %s=%s", v.Name, v.Value)
		if len(v.Menu) > 0 {
			fmt.Fprintf(&b, "  (%s)\n", strings.Join(slices.DeleteFunc(slices.Clone(v.Menu), func(s string) bool { return s == "" }), ", "))
		} else {
			fmt.Fprintf(&b, "  (%d to %d)\n", v.Min, v.Max)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
