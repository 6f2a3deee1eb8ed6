package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"livenessd"
	"livenessd/capture"
	"livenessd/capture/sim"
)

// camera is the source of frames together with what differs between kinds.
type camera struct {
	capture.Source
	frames  frames
	show    func(livenessd.View, time.Time) // tells a simulated person what the screen shows; nil for others
	note    string                          // a sentence for the terminal, "" for a real camera
	real    bool                            // a camera of this machine, which can be mended
	silence time.Duration                   // longest pause between pictures; 0 for a camera's
}

// madeSilence is what recordings may pause, and simulations for drawing
// somebody new on a busy machine.
const madeSilence = 3 * time.Second

// frames is what stands between capturing and judging.
type frames interface {
	Put(livenessd.Frame)
	Take(context.Context) (livenessd.Frame, error)
	Frames() uint64
	Drops() uint64
}

// newCamera makes the source that cfg names; pinned is the file of the pinned
// camera.
func newCamera(cfg CameraConfig, pinned string, log *slog.Logger) (*camera, error) {
	kind, arg, _ := strings.Cut(cfg.Source, ":")
	switch kind {
	case "sim":
		return newSimulation(cfg, arg)
	case "replay":
		src, err := capture.NewReplay(capture.ReplayConfig{Path: arg, Speed: cfg.ReplaySpeed, Loop: cfg.ReplayLoop, FPS: float64(cfg.FPS)})
		if err != nil {
			return nil, err
		}
		c := &camera{Source: src, frames: capture.NewSlot(), silence: madeSilence, note: "Pictures come from the recording " + arg + ", not from a camera."}
		if cfg.ReplaySpeed == 0 {
			c.frames = newHandover()
		}
		return c, nil
	}
	if cfg.Source == "auto" && cfg.SimulateIfNone {
		if found, err := anyCamera(cfg.AllowVirtual); err != nil {
			return nil, err
		} else if !found {
			c, err := newSimulation(cfg, "")
			if err == nil {
				c.note = "No camera was found: a simulated person stands in front of this kiosk."
			}
			return c, err
		}
	}
	src, err := capture.NewV4L2(capture.V4L2Config{
		Device: cfg.Source, Width: cfg.Width, Height: cfg.Height, FPS: float64(cfg.FPS), AllowVirtual: cfg.AllowVirtual,
		Pin: func() (*capture.Identity, error) { return readPin(pinned) }, RefuseOther: cfg.Other == otherRefuse, Controls: cfg.Controls,
		Warn: func(sentence string) { log.Warn("camera", "what", sentence) },
	})
	if err != nil {
		return nil, err
	}
	return &camera{Source: src, frames: capture.NewSlot(), real: true}, nil
}

func newSimulation(cfg CameraConfig, scene string) (*camera, error) {
	seed := cfg.SimulationSeed
	if seed == 0 {
		seed = time.Now().UnixNano()
	}
	if scene == "" {
		scene = "person"
	}
	s, err := sim.New(sim.Config{Scene: scene, Seed: seed, Width: 640, Height: 480, FPS: min(cfg.FPS, simFPS)})
	if err != nil {
		return nil, fmt.Errorf("camera.source: %w", err)
	}
	return &camera{Source: s, frames: capture.NewSlot(), show: s.Show, silence: madeSilence, note: "Pictures come from the simulated presenter (scene " + scene + "), not from a camera."}, nil
}

// simFPS is what two cores draw and judge side by side.
const simFPS = 15

// anyCamera reports whether a camera that would be used is plugged in.
func anyCamera(allowVirtual bool) (bool, error) {
	devices, err := capture.Devices()
	if err != nil {
		return false, err
	}
	for _, d := range devices {
		if d.Capture && (allowVirtual || !d.Virtual) {
			return true, nil
		}
	}
	return false, nil
}

// handover passes every frame on, and waits for it to be taken: for recordings
// that are judged as fast as possible, where no frame may be dropped.
type handover struct {
	ch    chan livenessd.Frame
	count atomic.Uint64
	done  chan struct{}
}

func newHandover() *handover {
	return &handover{ch: make(chan livenessd.Frame), done: make(chan struct{})}
}

// Put waits until somebody takes f, or until close.
func (h *handover) Put(f livenessd.Frame) {
	select {
	case h.ch <- f:
		h.count.Add(1)
	case <-h.done:
	}
}

// close lets a waiting Put go: nobody takes frames any more.
func (h *handover) close() { close(h.done) }

func (h *handover) Take(ctx context.Context) (livenessd.Frame, error) {
	select {
	case f := <-h.ch:
		return f, nil
	case <-ctx.Done():
		return livenessd.Frame{}, ctx.Err()
	}
}

func (h *handover) Frames() uint64 { return h.count.Load() }

func (h *handover) Drops() uint64 { return 0 }
