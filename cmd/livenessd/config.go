package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"livenessd/capture"
	"livenessd/challenge"
)

// Duration is a time.Duration that reads and writes as "1.5s".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as \"2s\", \"500ms\" or \"24h\"", b)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes the shortest form that reads back the same.
func (d Duration) MarshalText() ([]byte, error) {
	s := time.Duration(d).String()
	for _, tail := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, tail) {
			s = s[:len(s)-2]
		}
	}
	return []byte(s), nil
}

// Config is everything an operator can set. Tables and keys are those of the
// configuration file; the shipped sample documents each.
type Config struct {
	Camera  CameraConfig  `toml:"camera"`
	Models  ModelsConfig  `toml:"models"`
	Session SessionConfig `toml:"session"`
	Store   StoreConfig   `toml:"store"`
	Page    PageConfig    `toml:"page"`
	API     APIConfig     `toml:"api"`
	LAN     LANConfig     `toml:"lan"`
	Log     LogConfig     `toml:"log"`
}

// CameraConfig says where frames come from.
type CameraConfig struct {
	Source          string   `toml:"source"`
	Width           int      `toml:"width"`
	Height          int      `toml:"height"`
	FPS             int      `toml:"fps"`
	Other           string   `toml:"other"`
	Controls        []string `toml:"controls"`
	Recovery        string   `toml:"recovery"`
	AllowVirtual    bool     `toml:"allow_virtual"`
	SimulateIfNone  bool     `toml:"simulate_if_none"`
	ReplaySpeed     float64  `toml:"replay_speed"`
	ReplayLoop      bool     `toml:"replay_loop"`
	SimulationSeed  int64    `toml:"simulation_seed"`
	AnalysisThreads int      `toml:"analysis_threads"`
}

// ModelsConfig says where the networks' files are.
type ModelsConfig struct {
	Dirs []string `toml:"dirs"`
}

// SessionConfig is the part of the judgement that operators may want to change.
type SessionConfig struct {
	Start         string   `toml:"start"`
	GoodFrames    int      `toml:"good_frames"`
	OfFrames      int      `toml:"of_frames"`
	MinMovements  int      `toml:"min_movements"`
	MaxMovements  int      `toml:"max_movements"`
	TurnDegrees   float64  `toml:"turn_degrees"`
	NodDegrees    float64  `toml:"nod_degrees"`
	PositionLimit Duration `toml:"position_limit"`
	HoldLimit     Duration `toml:"hold_limit"`
	MoveLimit     Duration `toml:"move_limit"`
	TotalLimit    Duration `toml:"total_limit"`
	Warn          Duration `toml:"warn"`
	MaxPause      Duration `toml:"max_pause"`
	MaxGap        Duration `toml:"max_gap"`
	ShowResult    Duration `toml:"show_result"`
	LockFailures  int      `toml:"lock_failures"`
	LockWindow    Duration `toml:"lock_window"`
	LockFor       Duration `toml:"lock_for"`
}

// StoreConfig says what is kept, where and for how long.
type StoreConfig struct {
	Path         string   `toml:"path"`
	MaxAge       Duration `toml:"max_age"`
	MaxResults   int      `toml:"max_results"`
	MaxEvents    int      `toml:"max_events"`
	MaxJobs      int      `toml:"max_jobs"`
	KeepPictures bool     `toml:"keep_pictures"`
}

// PageConfig is about the kiosk page and the API on this machine.
type PageConfig struct {
	Listen       string   `toml:"listen"`
	Hosts        []string `toml:"hosts"`
	Language     string   `toml:"language"`
	LanguagesDir string   `toml:"languages_dir"`
	PreviewFPS   int      `toml:"preview_fps"`
}

// APIConfig is about the dialects, on both listeners.
type APIConfig struct {
	Analyses    int      `toml:"analyses"`
	Waiting     int      `toml:"waiting"`
	Patience    Duration `toml:"patience"`
	RecordFirst bool     `toml:"record_first"`
	Origins     []string `toml:"origins"`
	ImageHosts  []string `toml:"image_hosts"`
}

// LANConfig is about the API for other machines.
type LANConfig struct {
	Listen      string   `toml:"listen"`
	Certificate string   `toml:"certificate"`
	Key         string   `toml:"key"`
	TokenFile   string   `toml:"token_file"`
	Hosts       []string `toml:"hosts"`
}

// LogConfig is about the log.
type LogConfig struct {
	Level  string `toml:"level"`
	Format string `toml:"format"`
}

// defaultConfig returns what holds where nothing else is said.
func defaultConfig() Config {
	c := challenge.DefaultConfig()
	return Config{
		Camera: CameraConfig{Source: "auto", Width: 640, Height: 480, FPS: 30, Other: otherUse, Controls: []string{}, Recovery: recoverExit, ReplaySpeed: 1, AnalysisThreads: 2},
		Models: ModelsConfig{Dirs: []string{"/etc/livenessd/models", "/usr/share/livenessd/models"}},
		Session: SessionConfig{
			Start: startApproach, GoodFrames: c.GoodFrames, OfFrames: c.OfFrames,
			MinMovements: c.MinMovements, MaxMovements: c.MaxMovements, TurnDegrees: c.Yaw, NodDegrees: c.Pitch,
			PositionLimit: Duration(c.PositionLimit), HoldLimit: Duration(c.HoldLimit), MoveLimit: Duration(c.MoveLimit), TotalLimit: Duration(c.TotalLimit),
			Warn: Duration(c.Warn), MaxPause: Duration(c.MaxPause), MaxGap: Duration(c.MaxGap), ShowResult: Duration(c.ShowResult),
			LockFailures: c.LockFailures, LockWindow: Duration(c.LockWindow), LockFor: Duration(c.LockFor),
		},
		Store: StoreConfig{
			Path: "/var/lib/livenessd/livenessd.db", MaxAge: Duration(90 * 24 * time.Hour),
			MaxResults: 1_000_000, MaxEvents: 1_000_000, MaxJobs: 1_000_000,
		},
		Page: PageConfig{Listen: "127.0.0.1:8080", Hosts: []string{}, Language: "en", PreviewFPS: 15},
		API: APIConfig{
			Analyses: 1, Waiting: 64, Patience: Duration(5 * time.Second), Origins: []string{}, ImageHosts: []string{},
		},
		LAN: LANConfig{Hosts: []string{}},
		Log: LogConfig{Level: "info", Format: "text"},
	}
}

// What is done with another camera than the pinned one.
const (
	otherUse    = "use"
	otherRefuse = "refuse"
)

// How far a camera that fails is mended.
const (
	recoverReopen = "reopen"
	recoverReset  = "reset"
	recoverExit   = "exit"
)

// lastStep returns the last step that c.Recovery allows.
func (c CameraConfig) lastStep() capture.Step {
	return map[string]capture.Step{recoverReopen: capture.Reopen, recoverReset: capture.ResetUSB, recoverExit: capture.GiveUp}[c.Recovery]
}

// How sessions begin.
const (
	startApproach = "approach"
	startRequest  = "request"
)

// challenge returns the judgement's configuration.
func (s SessionConfig) challenge() challenge.Config {
	c := challenge.DefaultConfig()
	c.OnRequest = s.Start == startRequest
	c.GoodFrames, c.OfFrames = s.GoodFrames, s.OfFrames
	c.MinMovements, c.MaxMovements = s.MinMovements, s.MaxMovements
	c.Yaw, c.Pitch = s.TurnDegrees, s.NodDegrees
	c.PositionLimit, c.HoldLimit, c.MoveLimit = time.Duration(s.PositionLimit), time.Duration(s.HoldLimit), time.Duration(s.MoveLimit)
	c.TotalLimit = time.Duration(s.TotalLimit)
	c.Warn, c.MaxPause, c.MaxGap, c.ShowResult = time.Duration(s.Warn), time.Duration(s.MaxPause), time.Duration(s.MaxGap), time.Duration(s.ShowResult)
	c.LockFailures, c.LockWindow, c.LockFor = s.LockFailures, time.Duration(s.LockWindow), time.Duration(s.LockFor)
	return c
}

// print writes c as a configuration file.
func (c Config) print() ([]byte, error) { return toml.Marshal(c) }
