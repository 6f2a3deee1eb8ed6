package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"livenessd"
)

const sample = "../../systemd/livenessd.toml"

// Ensure that the shipped sample says what holds without it, and names every key.
func TestSampleEqualsDefaults(t *testing.T) {
	b, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	var cfg Config
	if err := decodeConfig(b, &cfg); err != nil {
		t.Fatal(err)
	}
	if want := defaultConfig(); !reflect.DeepEqual(cfg, want) {
		t.Errorf("the sample differs from the defaults:\n%+v\n%+v", cfg, want)
	}
	for key := range cfg.fields() {
		_, name, _ := strings.Cut(key, ".")
		if !strings.Contains(string(b), "\n"+name+" = ") {
			t.Errorf("the sample does not name %s", key)
		}
	}
}

// Ensure that what `config` prints reads back the same.
func TestPrintReadsBack(t *testing.T) {
	want := defaultConfig()
	want.Session.MoveLimit = Duration(90 * time.Second)
	want.Store.MaxAge = Duration(36*time.Hour + 30*time.Minute)
	b, err := want.print()
	if err != nil {
		t.Fatal(err)
	}
	got := defaultConfig()
	if err := decodeConfig(b, &got); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\n%+v\n%s", got, want, b)
	}
}

// Ensure that later sources win: defaults, file, environment, flags.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	write(t, file, "[camera]\nfps = 10\nwidth = 320\nheight = 240\n")
	cfg, err := loadConfig(file,
		[]string{"LIVENESSD_CAMERA_FPS=11", "LIVENESSD_CAMERA_HEIGHT=360", "LIVENESSD_MODELS_DIRS=/a, /b", "PATH=/bin"},
		[]string{"camera.fps=12", "session.move_limit=9s", "session.total_limit=3m", "camera.replay_speed=0.5"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Camera.Width != 320 || cfg.Camera.Height != 360 || cfg.Camera.FPS != 12 || cfg.Camera.ReplaySpeed != 0.5 ||
		!reflect.DeepEqual(cfg.Models.Dirs, []string{"/a", "/b"}) || time.Duration(cfg.Session.MoveLimit) != 9*time.Second || cfg.Session.challenge().TotalLimit != 3*time.Minute {
		t.Errorf("%+v", cfg)
	}
}

// Ensure that every mistake is refused by name, with the line where there is one.
func TestMistakes(t *testing.T) {
	tests := []struct {
		file, env, set string
		want           string
	}{
		{file: "[camera]\nsourec = \"auto\"\n", want: `line 2: invalid: there is no key "camera.sourec"; did you mean "camera.source"?`},
		{file: "[kamera]\nsource = \"auto\"\n", want: `there is no key "kamera`},
		{file: "[camera]\nfps = \"many\"\n", want: "line 2"},
		{file: "[camera\n", want: "line 1"},
		{file: "[session]\nmove_limit = \"7 seconds\"\n", want: `"7 seconds" is not a duration`},
		{file: "[session]\nmove_limit = \"0s\"\n", want: "move_limit must be more than 0"},
		{file: "[session]\nstart = \"now\"\n", want: `session.start must be "approach" or "request", not "now"`},
		{file: "[session]\ngood_frames = 20\n", want: "good_frames"},
		{file: "[page]\nlisten = \"0.0.0.0:80\"\n", want: "page.listen must be a loopback address"},
		{file: "[lan]\nlisten = \"0.0.0.0:8443\"\nkey = \"/k\"\n", want: "lan.certificate and lan.key go together"},
		{file: "[api]\npatience = \"1h\"\n", want: "api.patience must be between 100ms and 1m"},
		{file: "[api]\nanalyses = 0\n", want: "api.analyses must be between 1 and 64"},
		{file: "[log]\nlevel = \"loud\"\n", want: "log.level"},
		{file: "[store]\nmax_age = \"1s\"\n", want: "store.max_age"},
		{env: "LIVENESSD_CAMERA_SORCE=x", want: `environment variable LIVENESSD_CAMERA_SORCE: invalid: there is no key "camera.sorce"; did you mean "camera.source"?`},
		{set: "camera.fps=fast", want: "camera.fps must be a whole number, not \"fast\""},
		{set: "camera.fps", want: "it must read table.key=value"},
		{set: "camera.fps=0", want: "camera.fps must be between 1 and 120"},
		{set: "camera.allow_virtual=maybe", want: "true or false"},
		{set: "camera.colour=red", want: "[camera] knows allow_virtual"},
	}
	for _, tt := range tests {
		var environ, settings []string
		file := filepath.Join(t.TempDir(), "c.toml")
		write(t, file, tt.file)
		if tt.env != "" {
			environ = []string{tt.env}
		}
		if tt.set != "" {
			settings = []string{tt.set}
		}
		_, err := loadConfig(file, environ, settings)
		if err == nil || !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v:\n got %v\nwant %s", tt, err, tt.want)
		}
	}
	if _, err := loadConfig("/nowhere/c.toml", nil, nil); err == nil || !strings.Contains(err.Error(), "/nowhere/c.toml") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// FuzzConfig feeds files: none may be read as something invalid or bring the
// program down.
func FuzzConfig(f *testing.F) {
	b, err := os.ReadFile(sample)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("[camera]\nfps = 1e9\n"))
	f.Add([]byte("camera = 3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg := defaultConfig()
		if decodeConfig(b, &cfg) != nil || cfg.validate() != nil {
			return
		}
		if err := cfg.Session.challenge().Validate(); err != nil {
			t.Errorf("accepted: %v", err)
		}
	})
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
