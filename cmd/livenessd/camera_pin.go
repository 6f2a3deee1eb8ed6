package main

import (
	"context"
	"fmt"

	"livenessd"
)

const cameraUsage = `Usage: livenessd camera [-json] [-controls]   list cameras
       livenessd camera pin [NAME]      let only this camera count as the right one
       livenessd camera unpin           let any camera be used again

A camera is pinned by its USB vendor, product and serial number; one without a
serial number by its socket as well. Without NAME it is the camera in use. The
running daemon takes the change at once; camera.other says what it does when
another camera answers.
`

// cameraPin pins a camera, cameraUnpin none.
func cameraPin(ctx context.Context, env *environment, args []string) (int, error) {
	f := newFlags(env, "camera pin", "[NAME]")
	f.storeFlag("the results, beside which the pin is")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	if f.NArg() > 1 {
		return exitMisused, fmt.Errorf("%w: one camera at a time; `livenessd camera` lists them", livenessd.ErrInvalid)
	}
	cfg, where, done, err := f.pins()
	if err != nil {
		return exitFailed, err
	}
	defer done()
	id, err := where.pin(ctx, f.Arg(0))
	if err != nil {
		return exitFailed, err
	}
	then := "is reported (camera.other = \"use\")"
	if cfg.Camera.Other == otherRefuse {
		then = "is refused (camera.other = \"refuse\")"
	}
	_, err = fmt.Fprintf(env.out, "Pinned: %s\nAnother camera in its place %s.\n", id, then)
	return exitOK, err
}

func cameraUnpin(ctx context.Context, env *environment, args []string) (int, error) {
	f := newFlags(env, "camera unpin", "")
	f.storeFlag("the results, beside which the pin is")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	if f.NArg() > 0 {
		return exitMisused, fmt.Errorf("%w: unpin takes no arguments, not %q", livenessd.ErrInvalid, f.Arg(0))
	}
	_, where, done, err := f.pins()
	if err != nil {
		return exitFailed, err
	}
	defer done()
	if err := where.unpin(ctx); err != nil {
		return exitFailed, err
	}
	_, err = fmt.Fprintln(env.out, "No camera is pinned.")
	return exitOK, err
}

// pins opens the place where the pin is changed.
func (f *flags) pins() (Config, pins, func(), error) {
	cfg, err := f.config()
	if err != nil {
		return cfg, nil, nil, err
	}
	where, done, err := openPins(cfg)
	return cfg, where, done, err
}
