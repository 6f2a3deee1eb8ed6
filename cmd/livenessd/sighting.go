package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"livenessd"
	"livenessd/api"
	"livenessd/capture"
)

// sighting is what the camera shows at one moment, in numbers: for the
// operator who aims and lights it. It holds no picture.
type sighting struct {
	Camera   livenessd.Camera      `json:"camera"`
	Ready    bool                  `json:"ready"`
	Fault    livenessd.CameraFault `json:"fault,omitempty"`
	Detail   string                `json:"detail,omitempty"`
	Rate     float64               `json:"fps"`
	Mean     float64               `json:"light_mean"` // luma, 0 to 255
	Low      int                   `json:"light_low"`  // a twentieth of the picture is darker
	High     int                   `json:"light_high"` // a twentieth is brighter
	Analysed time.Time             `json:"analysed,omitzero"`
	Faces    int                   `json:"faces"`
	Eyes     float64               `json:"eyes_px,omitempty"`    // between the eyes of the largest face
	Distance float64               `json:"distance_m,omitempty"` // of it, with a lens of 60 degrees
	Sharp    *livenessd.Measure    `json:"sharpness,omitempty"`  // of its skin
	Reasons  []livenessd.Reason    `json:"reasons,omitempty"`    // what is not good enough about it
	Opens    uint64                `json:"opens"`
	Losses   uint64                `json:"losses"`
	Reopens  uint64                `json:"reopens"`
	Resets   uint64                `json:"resets"`
	ResetErr string                `json:"reset_error,omitempty"`
}

const (
	eyesApart = 0.063 // metres between an adult's eyes, the mean
	lensAngle = 60    // degrees from left to right of an ordinary webcam
)

// sight puts together what the Keeper knows and what the newest picture shows.
func sight(s capture.Status, o *livenessd.Observation) sighting {
	v := sighting{
		Camera: s.Camera, Ready: s.Ready, Fault: s.Fault, Detail: s.Detail, Rate: s.Rate,
		Mean: math.Round(s.Light.Mean), Low: s.Light.Low, High: s.Light.High,
		Opens: s.Opens, Losses: s.Losses, Reopens: s.Reopens, Resets: s.Resets,
	}
	if s.ResetErr != nil {
		v.ResetErr = s.ResetErr.Error()
	}
	if o == nil || o.At.IsZero() {
		return v
	}
	v.Analysed, v.Faces, v.Reasons = o.At, len(o.Faces), o.Reasons()
	if len(o.Faces) == 0 {
		return v
	}
	l := o.Faces[0].Landmarks
	v.Eyes = math.Round(math.Hypot(l[livenessd.LeftEye].X-l[livenessd.RightEye].X, l[livenessd.LeftEye].Y-l[livenessd.RightEye].Y))
	if v.Eyes > 0 {
		focal := float64(o.Width) / 2 / math.Tan(lensAngle/2*math.Pi/180) // pixels
		v.Distance = math.Round(eyesApart*focal/v.Eyes*20) / 20
	}
	for _, m := range o.Quality {
		if m.Name == livenessd.Sharpness {
			v.Sharp = &m
		}
	}
	return v
}

// line is v for a person who watches.
func (v *sighting) line() string {
	if !v.Ready {
		return fmt.Sprintf("no pictures: %s: %s", v.Fault, v.Detail)
	}
	rate := fmt.Sprintf("%4.1f fps", v.Rate)
	if v.Camera.FPS > 0 {
		rate = fmt.Sprintf("%4.1f of %.3g fps", v.Rate, v.Camera.FPS)
	}
	parts := []string{
		rate,
		fmt.Sprintf("light %3.0f (%d to %d)", v.Mean, v.Low, v.High),
	}
	switch {
	case v.Analysed.IsZero():
		parts = append(parts, "nothing analysed yet")
	case v.Faces == 0:
		parts = append(parts, "no face")
	default:
		parts = append(parts, fmt.Sprintf("%d face(s), eyes %3.0f px apart, about %.2f m away", v.Faces, v.Eyes, v.Distance))
	}
	if v.Sharp != nil {
		parts = append(parts, fmt.Sprintf("sharpness %3.0f of 100", v.Sharp.Score))
	}
	if len(v.Reasons) > 0 {
		parts = append(parts, fmt.Sprint(v.Reasons))
	}
	if v.Fault != "" {
		parts = append(parts, strings.ToUpper(string(v.Fault))+": "+v.Detail)
	}
	return strings.Join(parts, "  ")
}

// daemonStatus is what the running daemon says of itself over its socket.
type daemonStatus struct {
	Version  string          `json:"version"`
	Config   string          `json:"config"` // in effect, as a configuration file
	Up       string          `json:"up"`
	Sight    sighting        `json:"camera"`
	Reasons  []api.Reason    `json:"reasons"`
	Warnings []api.Reason    `json:"warnings"`
	Pages    int             `json:"pages"`
	Waiting  int             `json:"waiting"` // entries for the store
	Clock    livenessd.Clock `json:"clock"`
}

// statusOf returns a function that asks t. keeper knows the camera.
func statusOf(ctx context.Context, cfg Config, t *terminal, keeper func() capture.Status, pages func() int) func() (daemonStatus, error) {
	return func() (daemonStatus, error) {
		config, err := cfg.print()
		if err != nil {
			return daemonStatus{}, err
		}
		var seen livenessd.Observation
		if err := t.do(ctx, func() { seen = t.seen }); err != nil {
			return daemonStatus{}, err
		}
		waiting, _ := t.store.counts()
		return daemonStatus{
			Version: versionString(), Config: string(config), Up: time.Since(began).Round(time.Second).String(), Sight: sight(keeper(), &seen),
			Reasons: t.ready(), Warnings: t.warnings(), Pages: pages(), Waiting: waiting, Clock: t.clock.quality(),
		}, nil
	}
}

// status asks the running daemon.
func (k remoteKeys) status(ctx context.Context) (s daemonStatus, err error) {
	return s, k.call(ctx, "GET", "/status", nil, &s)
}

// lookOneself opens the camera of cfg and tells each what it shows every so
// often, until ctx ends. For when no daemon has the camera.
func lookOneself(ctx context.Context, cfg Config, every time.Duration, each func(sighting) error) error {
	own, err := openPipeline(ctx, cfg)
	if err != nil {
		return err
	}
	cam, err := newCamera(cfg.Camera, pinFile(cfg.Store.Path), slog.New(slog.DiscardHandler))
	if err != nil {
		return errors.Join(err, own.Close())
	}
	keeper := capture.NewKeeper(cam.Source, capture.KeeperConfig{Notify: func(capture.Status) {}, Deliver: cam.frames.Put, Silence: cam.silence})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return keeper.Run(ctx) })
	group.Go(func() error {
		var seen livenessd.Observation
		next := time.Now().Add(every)
		for ctx.Err() == nil {
			wait, cancel := context.WithDeadline(ctx, next)
			f, err := cam.frames.Take(wait)
			cancel()
			if err == nil {
				if o, err := own.Analyze(f, false); err == nil {
					seen = o
				}
			}
			if now := time.Now(); !now.Before(next) {
				if err := each(sight(keeper.Status(), &seen)); err != nil {
					return err
				}
				next = now.Add(every)
			}
		}
		return nil
	})
	return errors.Join(group.Wait(), own.Close())
}
