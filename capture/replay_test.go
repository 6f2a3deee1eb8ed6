package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"livenessd"
)

// write makes files below a new folder and returns it.
func write(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// played is what a Stream gave.
type played struct {
	cameras []livenessd.Camera
	frames  []livenessd.Frame
	err     error
}

// offsets are the times of the frames after the first.
func (p played) offsets() (ds []time.Duration) {
	for _, f := range p.frames {
		ds = append(ds, f.At.Sub(p.frames[0].At))
	}
	return ds
}

// play streams at most limit frames.
func play(t testing.TB, cfg ReplayConfig, limit int) (p played) {
	t.Helper()
	r, err := NewReplay(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p.err = r.Stream(ctx, func(c livenessd.Camera) { p.cameras = append(p.cameras, c) }, func(f livenessd.Frame) {
		if p.frames = append(p.frames, f); len(p.frames) == limit {
			cancel()
		}
	})
	return p
}

func ms(ns ...int) (ds []time.Duration) {
	for _, n := range ns {
		ds = append(ds, time.Duration(n)*time.Millisecond)
	}
	return ds
}

func TestReplay(t *testing.T) {
	a, b, c := testJPEG(t, 24, 16, 1), testJPEG(t, 24, 16, 2), testJPEG(t, 48, 32, 3)
	multipart := func(ps ...[]byte) (out []byte) {
		for _, p := range ps {
			out = append(append(out, "\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n"...), p...)
		}
		return out
	}
	tests := []struct {
		name  string
		files map[string][]byte
		path  string
		cfg   ReplayConfig
		limit int
		want  [][]byte
		times []time.Duration
		err   error
	}{
		{"folder in natural order", map[string][]byte{"f10.jpg": c, "f2.JPG": b, "f1.jpeg": a, "notes.txt": nil}, "",
			ReplayConfig{FPS: 10}, 0, [][]byte{a, b, c}, ms(0, 100, 200), ErrEnd},
		{"folder with times", map[string][]byte{"x": b, "y": a, "unlisted.jpg": c, "frames.csv": []byte("name,seconds\nx,7\ny,7.25\n")}, "",
			ReplayConfig{}, 0, [][]byte{b, a}, ms(0, 250), ErrEnd},
		{"folder with the other times", map[string][]byte{"x": b, "timestamps.txt": []byte("x,0\n")}, "",
			ReplayConfig{}, 0, [][]byte{b}, ms(0), ErrEnd},
		{"motion JPEG", map[string][]byte{"v.mjpeg": slices.Concat(a, b, c)}, "v.mjpeg",
			ReplayConfig{FPS: 20}, 0, [][]byte{a, b, c}, ms(0, 50, 100), ErrEnd},
		{"multipart", map[string][]byte{"v": multipart(a, b)}, "v",
			ReplayConfig{FPS: 20}, 0, [][]byte{a, b}, ms(0, 50), ErrEnd},
		{"loop", map[string][]byte{"v": slices.Concat(a, b)}, "v",
			ReplayConfig{FPS: 20, Loop: true}, 5, [][]byte{a, b, a, b, a}, ms(0, 50, 100, 150, 200), nil},
		{"loop with times", map[string][]byte{"x": b, "y": a, "frames.csv": []byte("x,0\ny,0.3\n")}, "",
			ReplayConfig{Loop: true}, 4, [][]byte{b, a, b, a}, ms(0, 300, 600, 900), nil},
		{"loop of one", map[string][]byte{"x.jpg": b}, "",
			ReplayConfig{Loop: true, FPS: 10}, 3, [][]byte{b, b, b}, ms(0, 100, 200), nil},
		{"as recorded", map[string][]byte{"v": slices.Concat(a, b, c)}, "v",
			ReplayConfig{FPS: 10, Speed: 1}, 0, [][]byte{a, b, c}, ms(0, 100, 200), ErrEnd},
		{"twice as fast", map[string][]byte{"v": slices.Concat(a, b, c)}, "v",
			ReplayConfig{FPS: 10, Speed: 2}, 0, [][]byte{a, b, c}, ms(0, 50, 100), ErrEnd},
		{"empty folder", nil, "", ReplayConfig{Loop: true}, 0, nil, nil, livenessd.ErrInvalid},
		{"a listed file is missing", map[string][]byte{"x": a, "frames.csv": []byte("x,0\ny,1\n")}, "",
			ReplayConfig{}, 0, [][]byte{a}, ms(0), os.ErrNotExist},
		{"a damaged picture", map[string][]byte{"1.jpg": a, "2.jpg": b[:len(b)-30]}, "",
			ReplayConfig{}, 0, [][]byte{a}, ms(0), livenessd.ErrNoPicture},
		{"damaged times", map[string][]byte{"frames.csv": []byte("x\n")}, "",
			ReplayConfig{}, 0, nil, nil, livenessd.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Path = filepath.Join(write(t, tt.files), tt.path)
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				got := play(t, tt.cfg, tt.limit)
				if !errors.Is(got.err, tt.err) || got.err != nil && !strings.Contains(got.err.Error(), tt.cfg.Path) {
					t.Errorf("ended with %v, want %v and the path", got.err, tt.err)
				}
				if len(got.frames) != len(tt.want) {
					t.Fatalf("%d frames, want %d", len(got.frames), len(tt.want))
				}
				for i, f := range got.frames {
					if !bytes.Equal(f.Data, tt.want[i]) {
						t.Errorf("frame %d is another picture", i)
					}
					cfg, err := jpeg.DecodeConfig(bytes.NewReader(f.Data))
					if err != nil || f.Width != cfg.Width || f.Height != cfg.Height || f.Format != livenessd.MJPEG || f.Seq != uint64(i+1) {
						t.Errorf("frame %d: %d x %d %s, number %d (%v)", i, f.Width, f.Height, f.Format, f.Seq, err)
					}
				}
				if len(got.frames) == 0 {
					return
				}
				if !slices.Equal(got.offsets(), tt.times) {
					t.Errorf("times %v, want %v", got.offsets(), tt.times)
				}
				if took, last := time.Since(begin), tt.times[len(tt.times)-1]; tt.cfg.Speed > 0 && took != last || tt.cfg.Speed == 0 && took != 0 {
					t.Errorf("it took %v", took)
				}
				if len(got.cameras) != 1 || !got.cameras[0].Simulated || got.cameras[0].Driver != "replay" || got.cameras[0].Width != got.frames[0].Width {
					t.Errorf("opened %+v", got.cameras)
				}
			})
		})
	}
}

func TestReplayStart(t *testing.T) {
	start := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	got := play(t, ReplayConfig{Path: write(t, map[string][]byte{"1.jpg": testJPEG(t, 16, 16, 1)}), Start: start}, 0)
	if len(got.frames) != 1 || !got.frames[0].At.Equal(start) {
		t.Errorf("%+v", got.frames)
	}
}

// A name in a times file may be a link, but not one that leads out.
func TestReplayStaysInItsFolder(t *testing.T) {
	outside := filepath.Join(write(t, map[string][]byte{"x.jpg": testJPEG(t, 16, 16, 1)}), "x.jpg")
	dir := write(t, nil)
	if err := os.Symlink(outside, filepath.Join(dir, "1.jpg")); err != nil {
		t.Fatal(err)
	}
	if got := play(t, ReplayConfig{Path: dir}, 0); len(got.frames) != 0 || errors.Is(got.err, ErrEnd) {
		t.Errorf("%d frames, %v", len(got.frames), got.err)
	}
}

func TestReplayEndsWithContext(t *testing.T) {
	path := write(t, map[string][]byte{"1.jpg": testJPEG(t, 16, 16, 1), "2.jpg": testJPEG(t, 16, 16, 2)})
	synctest.Test(t, func(t *testing.T) {
		r, err := NewReplay(ReplayConfig{Path: path, Speed: 1, FPS: 0.1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin, n := time.Now(), 0
		err = r.Stream(ctx, func(livenessd.Camera) {}, func(livenessd.Frame) { n++ })
		if err != nil || n != 1 || time.Since(begin) != time.Second {
			t.Errorf("%v after %v and %d frames", err, time.Since(begin), n)
		}
	})
}

func TestNewReplayRefuses(t *testing.T) {
	here := t.TempDir()
	for _, tt := range []struct {
		cfg  ReplayConfig
		kind error
		text string
	}{
		{ReplayConfig{}, livenessd.ErrInvalid, "no recording is named"},
		{ReplayConfig{Path: here + "/gone"}, livenessd.ErrNotFound, "gone"},
		{ReplayConfig{Path: here, Speed: -1}, livenessd.ErrInvalid, "speed"},
		{ReplayConfig{Path: here, FPS: 1000}, livenessd.ErrInvalid, "rate"},
	} {
		if _, err := NewReplay(tt.cfg); !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%+v: %v", tt.cfg, err)
		}
	}
}

// makeVideo has ffmpeg encode pictures, the first of them shown longer.
func makeVideo(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed: reading videos is not tested")
	}
	files := map[string][]byte{}
	for i := range 5 {
		files[fmt.Sprintf("%d.jpg", i)] = testJPEG(t, 64, 48, 10*i)
	}
	dir := write(t, files)
	// 10 pictures a second; all after the first are put off by half a second.
	cmd := exec.CommandContext(t.Context(), program, "-nostdin", "-loglevel", "error", "-framerate", "10", "-i", dir+"/%d.jpg",
		"-vf", "setpts=PTS+gte(N\\,1)*0.5/TB", "-fps_mode", "passthrough", "-c:v", "mpeg4", "-y", dir+"/v.mkv")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("making a video: %v %s", err, out)
	}
	return dir + "/v.mkv"
}

func TestReplayVideo(t *testing.T) {
	got := play(t, ReplayConfig{Path: makeVideo(t)}, 0)
	if !errors.Is(got.err, ErrEnd) {
		t.Fatal(got.err)
	}
	if want := ms(0, 600, 700, 800, 900); !slices.Equal(got.offsets(), want) {
		t.Errorf("times %v, want %v", got.offsets(), want)
	}
	for i, f := range got.frames {
		if m, err := jpeg.Decode(bytes.NewReader(f.Data)); err != nil || m.Bounds().Dx() != 64 || f.Width != 64 || f.Height != 48 {
			t.Errorf("frame %d: %d x %d, %v", i, f.Width, f.Height, err)
		}
	}
}

func TestReplayVideoStopsEarlyAndLoops(t *testing.T) {
	path := makeVideo(t)
	if got := play(t, ReplayConfig{Path: path}, 2); got.err != nil || len(got.frames) != 2 {
		t.Errorf("%d frames, %v", len(got.frames), got.err)
	}
	got := play(t, ReplayConfig{Path: path, Loop: true}, 7)
	if want := ms(0, 600, 700, 800, 900, 1000, 1600); got.err != nil || !slices.Equal(got.offsets(), want) {
		t.Errorf("%v, %v", got.offsets(), got.err)
	}
}

func TestReplayVideoRefuses(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: reading videos is not tested")
	}
	secret := filepath.Join(write(t, map[string][]byte{"x.mjpeg": testJPEG(t, 16, 16, 1)}), "x.mjpeg")
	for name, content := range map[string]string{
		"noise":    strings.Repeat("no video", 100),
		"empty":    "",
		"playlist": "ffconcat version 1.0\nfile '" + secret + "'\n",
		"hls":      "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + secret + "\n#EXT-X-ENDLIST\n",
	} {
		path := filepath.Join(write(t, map[string][]byte{"v": []byte(content)}), "v")
		got := play(t, ReplayConfig{Path: path}, 0)
		if len(got.frames) != 0 || got.err == nil || errors.Is(got.err, ErrEnd) || !strings.Contains(got.err.Error(), "ffmpeg could not read it") {
			t.Errorf("%s: %d frames, %v", name, len(got.frames), got.err)
		}
	}
}

func TestReplayWithoutFFmpeg(t *testing.T) {
	path := filepath.Join(write(t, map[string][]byte{"v.mp4": []byte("....ftyp")}), "v.mp4")
	got := play(t, ReplayConfig{Path: path, FFmpeg: "/no/such/ffmpeg"}, 0)
	if !errors.Is(got.err, livenessd.ErrNotReady) || !strings.Contains(got.err.Error(), "install ffmpeg") {
		t.Error(got.err)
	}
}
