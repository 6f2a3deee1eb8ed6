package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"livenessd"
	"livenessd/capture"
	"livenessd/pipeline"
)

// cameras looks at what is plugged in and pinned, without opening the one that
// is in use.
func (d *doctor) cameras() {
	if d.made() {
		d.add(findWarning, "camera", "pictures are made or recorded: camera.source is "+d.cfg.Camera.Source, `set camera.source = "auto" for a real one`)
		return
	}
	devices, err := capture.Devices()
	if err != nil {
		d.add(findFault, "camera", err.Error(), "")
		return
	}
	for _, v := range devices {
		switch {
		case v.Err != nil:
			d.add(findFault, "camera", v.Err.Error(), "the sentence says what")
		case v.Capture && v.Virtual && !d.cfg.Camera.AllowVirtual:
			d.add(findWarning, "camera", fmt.Sprintf("%s (%s) is made by software and refused", filepath.Base(v.Stable()), v.Card), "remove it, if nothing else needs it")
		case v.Capture:
			d.ok("camera", "%s: %s, %d usable formats%s", filepath.Base(v.Stable()), v.Identity(), usable(&v), exposure(&v))
		}
	}
	d.pin()
	found, err := capture.Find(capture.DefaultRoots(), d.cfg.Camera.Source, d.cfg.Camera.AllowVirtual, nil)
	if err != nil {
		d.add(findFault, "camera.source", err.Error(), "livenessd camera lists the names")
		return
	}
	d.ok("camera.source", "%s is there", d.cfg.Camera.Source)
	d.reset(found.ResetFile())
	if d.cfg.Camera.AllowVirtual {
		d.add(findWarning, "camera.source", "cameras made by software are allowed: whoever feeds one decides what is seen", "set camera.allow_virtual = false on a door")
	}
}

// reset looks whether the service can switch the camera off and on. Root can
// anyway, so the file's mode is what counts.
func (d *doctor) reset(file string) {
	if file == "" || d.cfg.Camera.Recovery == recoverReopen {
		return
	}
	fi, err := os.Stat(file)
	if err != nil {
		d.add(findWarning, "reset", err.Error(), "this kernel cannot switch USB devices off: camera.recovery goes on without that step")
		return
	}
	if fi.Mode().Perm()&0o022 == 0 {
		d.add(findWarning, "reset", "the service cannot switch the camera off and on: only root may write "+file, "install the package's udev rule and plug the camera in anew")
		return
	}
	d.ok("reset", "the camera can be switched off and on at its port")
}

func usable(v *capture.Device) (n int) {
	for _, f := range v.Formats {
		if f.Pixel != "" {
			n++
		}
	}
	return n
}

// exposure lists what decides how bright and how fast pictures are.
func exposure(v *capture.Device) string {
	var s string
	for _, c := range v.Controls {
		switch c.Name {
		case "auto_exposure", "exposure_time_absolute", "exposure_dynamic_framerate", "gain", "power_line_frequency", "focus_automatic_continuous":
			s += fmt.Sprintf(", %s=%s", c.Name, c.Text())
		}
	}
	return s
}

// pin compares the pinned camera with what is there.
func (d *doctor) pin() {
	id, err := readPin(pinFile(d.cfg.Store.Path))
	switch {
	case err != nil:
		d.add(findFault, "pin", err.Error(), "livenessd camera pin")
		return
	case id == nil:
		d.add(findWarning, "pin", "no camera is pinned: any real one is used", "livenessd camera pin")
		return
	}
	if off := capture.Disabled(capture.DefaultRoots(), *id); len(off) > 0 {
		d.add(findFault, "pin", "the pinned camera is plugged in and switched off", "echo 1 > "+filepath.Join(off[0], "authorized"))
		return
	}
	found, err := capture.Find(capture.DefaultRoots(), d.cfg.Camera.Source, d.cfg.Camera.AllowVirtual, id)
	if err == nil && id.Is(found.Identity()) {
		d.ok("pin", "%s is there", id)
		return
	}
	state := findWarning
	if d.cfg.Camera.Other == otherRefuse {
		state = findFault
	}
	d.add(state, "pin", fmt.Sprintf("the pinned camera is not the one that answers: %s", id), "plug it in, or pin the other with livenessd camera pin")
}

// made reports whether no camera of this machine is meant.
func (d *doctor) made() bool {
	kind, _, _ := strings.Cut(d.cfg.Camera.Source, ":")
	return kind == "sim" || kind == "replay"
}

const (
	lookPause = time.Second
	goodLooks = 3 // with pictures
	mostLooks = 6
	dimMean   = 40  // luma of a whole picture below which faces want more light
	glareMean = 215 // and above which less
)

// picture looks at what the camera shows, through the daemon or by itself.
func (d *doctor) picture(ctx context.Context) {
	var v sighting
	if d.daemon != nil {
		v = d.daemon.Sight
	} else {
		looks, good := 0, 0
		err := lookOneself(ctx, d.cfg, lookPause, func(s sighting) error {
			v = s
			looks++
			if s.Ready {
				good++
			}
			if looks == mostLooks || good == goodLooks {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			d.add(findFault, "picture", fmt.Sprintf("the camera could not be looked through: %v", errors.Join(err, ctx.Err())), "run this again, with the daemon started")
			return
		}
	}
	d.judge(v)
}

// judge says what v means.
func (d *doctor) judge(v sighting) {
	if !v.Ready {
		d.add(findFault, "picture", v.Detail, "the sentence says what; livenessd camera -watch shows when it comes")
		return
	}
	c := v.Camera
	d.ok("format", "%s %dx%d from %s", c.Format, c.Width, c.Height, c.Card)
	switch {
	case v.Fault != "":
		d.add(findFault, "picture", string(v.Fault)+": "+v.Detail, "docs/operate.md says what to do about camera_"+string(v.Fault))
	case c.FPS > 0 && v.Rate < 0.75*c.FPS:
		d.add(findWarning, "rate", fmt.Sprintf("%.1f pictures a second, %.3g were agreed on", v.Rate, c.FPS), "more light, another USB port, or camera.controls exposure_dynamic_framerate=0")
	default:
		d.ok("rate", "%.1f pictures a second", v.Rate)
	}
	switch {
	case v.High == 0: // no picture was looked at yet
	case v.Mean < dimMean:
		d.add(findWarning, "light", fmt.Sprintf("the picture is dark: mean %.0f of 255", v.Mean), "more light on the face of who stands there, or a longer exposure in camera.controls")
	case v.Mean > glareMean:
		d.add(findWarning, "light", fmt.Sprintf("the picture is glaring: mean %.0f of 255", v.Mean), "turn the camera away from windows and lamps, or a shorter exposure in camera.controls")
	default:
		d.ok("light", "mean %.0f, from %d to %d of 255", v.Mean, v.Low, v.High)
	}
	if v.Faces == 0 {
		d.add(findWarning, "face", "nobody stands there: distance and sharpness cannot be told", "stand where people will, and run this again, or livenessd camera -watch")
		return
	}
	distance := fmt.Sprintf("eyes %.0f pixels apart, about %.2f m away with an ordinary lens", v.Eyes, v.Distance)
	if v.Eyes < pipeline.DefaultQuality().MinEyes {
		d.add(findWarning, "face", distance+": too small to be judged", "bring the place to stand nearer, or set camera.width and height larger")
	} else {
		d.ok("face", "%s", distance)
	}
	if v.Sharp != nil && v.Sharp.Reason == livenessd.Blurred {
		d.add(findWarning, "sharpness", fmt.Sprintf("%.0f of 100", v.Sharp.Score), "clean the lens; focus, or camera.controls focus_automatic_continuous=1; more light")
	} else if v.Sharp != nil {
		d.ok("sharpness", "%.0f of 100", v.Sharp.Score)
	}
	if v.Resets > 0 || v.Losses > 0 {
		d.add(findWarning, "camera", fmt.Sprintf("lost %d times, reset %d times since the start", v.Losses, v.Resets), "if nobody unplugged it: another cable, or a hub with its own power")
	}
	if v.ResetErr != "" {
		d.add(findWarning, "camera", "its USB device could not be reset: "+v.ResetErr, "")
	}
}
