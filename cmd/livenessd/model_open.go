package main

import (
	"context"
	"fmt"

	"livenessd"
	"livenessd/models"
	"livenessd/pipeline"
)

// openPipeline finds the networks, tries those that nobody has tried yet, and
// loads them. Errors wrap livenessd.ErrNotReady and name the network. Whoever
// judges pictures comes through here.
func openPipeline(ctx context.Context, cfg Config) (eyes, error) {
	set, err := models.Load(cfg.Models.Dirs)
	if err != nil {
		return eyes{}, fmt.Errorf("[models] %w", err)
	}
	if err := tryStrangers(ctx, set.Networks()); err != nil {
		return eyes{}, fmt.Errorf("[models] %w: %w", livenessd.ErrNotReady, err)
	}
	return newPipeline(cfg.Camera, set)
}

// tryStrangers tries each network that is not of the built-in set in a process
// of its own: what it does to its runtime there, it would do here.
func tryStrangers(ctx context.Context, networks []models.Network) error {
	for _, n := range networks {
		if n.Builtin {
			continue
		}
		if err := tryNetwork(ctx, n, defaultProbe); err != nil {
			return fmt.Errorf("%s network %s (%s) is refused: %w; `livenessd model -check` tries it again", n.Role, n.Name, n.From, err)
		}
	}
	return nil
}

func newPipeline(cfg CameraConfig, set *models.Set) (eyes, error) {
	c := pipeline.DefaultConfig()
	c.Threads = cfg.AnalysisThreads
	p, err := pipeline.New(c, set)
	return eyes{p, set}, err
}
