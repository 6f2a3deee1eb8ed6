package main

import (
	"fmt"
	"net"
	"time"

	"livenessd"
	"livenessd/ui"
)

// validate refuses values that cannot work. What belongs to one part is
// checked by that part too, when it is made.
func (c *Config) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{livenessd.ErrInvalid}, args...)...)
	}
	if c.Camera.Source == "" {
		return bad(`camera.source is empty: say "auto", a name under /dev/v4l/by-id, "sim" or "replay:PATH"`)
	}
	for _, n := range []struct {
		key       string
		v, lo, hi int
	}{
		{"camera.width", c.Camera.Width, 160, 4096}, {"camera.height", c.Camera.Height, 120, 4096},
		{"camera.fps", c.Camera.FPS, 1, 120}, {"camera.analysis_threads", c.Camera.AnalysisThreads, 1, 64},
		{"page.preview_fps", c.Page.PreviewFPS, 1, ui.MaxPreviewFPS},
		{"store.max_results", c.Store.MaxResults, 1, 1 << 30}, {"store.max_events", c.Store.MaxEvents, 1, 1 << 30},
		{"store.max_jobs", c.Store.MaxJobs, 1, 1 << 30},
		{"api.analyses", c.API.Analyses, 1, 64}, {"api.waiting", c.API.Waiting, 0, 1024},
	} {
		if n.v < n.lo || n.v > n.hi {
			return bad("%s must be between %d and %d, not %d", n.key, n.lo, n.hi, n.v)
		}
	}
	if o := c.Camera.Other; o != otherUse && o != otherRefuse {
		return bad("camera.other must be %q or %q, not %q", otherUse, otherRefuse, o)
	}
	if r := c.Camera.Recovery; r != recoverReopen && r != recoverReset && r != recoverExit {
		return bad("camera.recovery must be %q, %q or %q, not %q", recoverReopen, recoverReset, recoverExit, r)
	}
	if !(c.Camera.ReplaySpeed >= 0 && c.Camera.ReplaySpeed <= 100) {
		return bad("camera.replay_speed must be between 0 (as fast as possible) and 100, not %v", c.Camera.ReplaySpeed)
	}
	if s := c.Session.Start; s != startApproach && s != startRequest {
		return bad("session.start must be %q or %q, not %q", startApproach, startRequest, s)
	}
	if err := c.Session.challenge().Validate(); err != nil {
		return fmt.Errorf("[session] %w", err)
	}
	if c.Store.Path == "" {
		return bad("store.path is empty: name the file that keeps the results")
	}
	if time.Duration(c.Store.MaxAge) < time.Minute {
		return bad("store.max_age must be at least 1m, not %v", time.Duration(c.Store.MaxAge))
	}
	host, _, err := net.SplitHostPort(c.Page.Listen)
	if err != nil {
		return bad("page.listen must be address:port, not %q", c.Page.Listen)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return bad("page.listen must be a loopback address such as 127.0.0.1:8080, not %q: the page is for the screen of this machine, [lan] serves others", c.Page.Listen)
	}
	if p := time.Duration(c.API.Patience); p < 100*time.Millisecond || p > time.Minute {
		return bad("api.patience must be between 100ms and 1m, not %v", p)
	}
	if err := c.LAN.validate(); err != nil {
		return err
	}
	if !map[string]bool{"debug": true, "info": true, "warn": true, "error": true}[c.Log.Level] {
		return bad(`log.level must be "debug", "info", "warn" or "error", not %q`, c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return bad(`log.format must be "text" or "json", not %q`, c.Log.Format)
	}
	return nil
}

func (l LANConfig) validate() error {
	if _, _, err := net.SplitHostPort(l.Listen); err != nil && l.Listen != "" {
		return fmt.Errorf("%w: lan.listen must be address:port, not %q", livenessd.ErrInvalid, l.Listen)
	}
	if (l.Certificate == "") != (l.Key == "") {
		return fmt.Errorf("%w: lan.certificate and lan.key go together: set both, or neither for a certificate that is made at the first start", livenessd.ErrInvalid)
	}
	return nil
}
