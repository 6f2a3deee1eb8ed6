package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"livenessd"
)

// watchEvery is how often a line comes.
const watchEvery = 500 * time.Millisecond

// errEnough ends watching.
var errEnough = errors.New("so many lines were asked for")

// watchCamera prints what the camera sees until ctx ends, from the running
// daemon or from the camera itself.
func watchCamera(ctx context.Context, env *environment, cfg Config, asJSON bool, lines int) (int, error) {
	n := 0
	each := func(v sighting) error {
		var err error
		if asJSON {
			err = json.NewEncoder(env.out).Encode(v)
		} else {
			_, err = fmt.Fprintln(env.out, v.line())
		}
		if n++; err == nil && n == lines {
			return errEnough
		}
		return err
	}
	err := watchSightings(ctx, cfg, each)
	if err == nil || errors.Is(err, errEnough) || ctx.Err() != nil {
		return exitOK, nil
	}
	return exitFailed, err
}

// watchSightings calls each twice a second until ctx ends or each fails.
func watchSightings(ctx context.Context, cfg Config, each func(sighting) error) error {
	daemon, err := dialControl(cfg.Store.Path)
	if errors.Is(err, livenessd.ErrNotFound) {
		return lookOneself(ctx, cfg, watchEvery, each)
	}
	if err != nil {
		return err
	}
	defer daemon.close()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s, err := daemon.status(ctx)
		if err != nil {
			return err
		}
		if err := each(s.Sight); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
