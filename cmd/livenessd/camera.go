package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"livenessd"
	"livenessd/capture"
)

// listedCamera is a device as `camera -json` prints it.
type listedCamera struct {
	Name    string         `json:"name"` // what to put into camera.source
	Node    string         `json:"node"`
	ByID    string         `json:"by_id,omitempty"`
	ByPath  string         `json:"by_path,omitempty"`
	Driver  string         `json:"driver"`
	Card    string         `json:"card"`
	Bus     string         `json:"bus"`
	Virtual bool           `json:"virtual"`
	Formats []listedFormat `json:"formats"`
	Error   string         `json:"error,omitempty"`
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

func cameraCommand(_ context.Context, env *environment, args []string) (int, error) {
	f := newFlags(env, "camera", "")
	asJSON := f.Bool("json", false, "a JSON array")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	if f.NArg() > 0 {
		return exitMisused, fmt.Errorf("%w: camera takes no arguments, not %q", livenessd.ErrInvalid, f.Arg(0))
	}
	devices, err := capture.Devices()
	if err != nil {
		return exitFailed, err
	}
	list := []listedCamera{}
	for _, d := range devices {
		if d.Capture || d.Err != nil {
			list = append(list, listCamera(&d))
		}
	}
	if *asJSON {
		e := json.NewEncoder(env.out)
		e.SetIndent("", "  ")
		return exitOK, e.Encode(list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(env.out, "No camera was found. Plug one in, or set camera.source to \"sim\" for a simulated person.")
		return exitOK, err
	}
	for _, c := range list {
		if err := c.print(env.out); err != nil {
			return exitFailed, err
		}
	}
	return exitOK, nil
}

func listCamera(d *capture.Device) listedCamera {
	c := listedCamera{
		Name: d.Stable(), Node: d.Node, ByID: d.ByID, ByPath: d.ByPath, Driver: d.Driver, Card: d.Card, Bus: d.Bus,
		Virtual: d.Virtual, Formats: []listedFormat{},
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

func (c *listedCamera) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", c.Name)
	fmt.Fprintf(&b, "  %s, %s, driver %s, bus %s\n", c.Card, c.Node, c.Driver, c.Bus)
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
	_, err := io.WriteString(w, b.String())
	return err
}
