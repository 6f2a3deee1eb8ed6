package pipeline

import (
	"errors"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"livenessd"
	"livenessd/models"
)

// The tests in this file run the real networks on real pictures; both lie in
// ../shared beside the repository, and without them these tests are skipped.

func shared(t testing.TB, parts ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(append([]string{dir, "..", "shared"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, not tested: %s is missing", path)
	}
	return path
}

func builtinSet(t testing.TB) *models.Set {
	t.Helper()
	set, err := models.Load(nil)
	must(t, err)
	return set
}

func open(t testing.TB) *Pipeline {
	t.Helper()
	p, err := New(DefaultConfig(), builtinSet(t))
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

func fileFrame(t testing.TB, path string) livenessd.Frame {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return livenessd.Frame{Seq: 7, At: time.Unix(1000, 0), Format: livenessd.MJPEG, Data: b}
}

// some returns n paths spread evenly over those that match.
func some(t testing.TB, n int, pattern ...string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(pattern...))
	must(t, err)
	if len(all) < n {
		t.Skipf("SKIPPED, not tested: %d files match %s, want %d", len(all), filepath.Join(pattern...), n)
	}
	var out []string
	for i := range n {
		out = append(out, all[i*len(all)/n])
	}
	return out
}

// tally analyses pictures and counts those with a face, without a reason
// against them, and with a live texture.
func tally(t *testing.T, p *Pipeline, paths []string) (faces, good, live int) {
	t.Helper()
	for _, path := range paths {
		o, err := p.Analyze(fileFrame(t, path))
		must(t, err)
		if len(o.Faces) > 0 {
			faces++
		}
		if rs := o.Reasons(); len(rs) == 0 {
			good++
		} else {
			t.Logf("%s: %v", filepath.Base(path), rs)
		}
		if o.Texture != nil && o.Texture.Value >= o.Texture.Threshold {
			live++
		}
	}
	t.Logf("%d pictures: %d with a face, %d good enough, %d live", len(paths), faces, good, live)
	return faces, good, live
}

func TestLivePeople(t *testing.T) {
	p := open(t)
	for name, paths := range map[string][]string{
		"640×480": some(t, 20, shared(t, "data", "nuaa-train"), "Client", "*", "*.jpg"),
		"320×240": some(t, 20, shared(t, "data", "replay-train"), "*__real__*", "*.jpg"),
	} {
		faces, good, live := tally(t, p, paths)
		if faces < 20 || good < 19 || live < 14 {
			t.Errorf("%s: of 20 live pictures %d have a face, %d are good enough, %d live", name, faces, good, live)
		}
	}
}

func TestHeldPrints(t *testing.T) {
	_, _, live := tally(t, open(t), some(t, 20, shared(t, "data", "nuaa-train"), "Imposter", "*", "*.jpg"))
	if live > 1 {
		t.Errorf("%d of 20 held prints have live texture", live)
	}
}

func TestNoFaceInPicture(t *testing.T) {
	p := open(t)
	noise := uint32(1)
	for name, at := range map[string]func(x, y int) color.RGBA{
		"black": func(int, int) color.RGBA { return color.RGBA{A: 255} },
		"white": func(int, int) color.RGBA { return color.RGBA{255, 255, 255, 255} },
		"noise": func(int, int) color.RGBA {
			noise = noise*1664525 + 1013904223
			return color.RGBA{byte(noise >> 24), byte(noise >> 16), byte(noise >> 8), 255}
		},
		"stripes": func(x, y int) color.RGBA { v := byte(x / 8 % 2 * 255); return color.RGBA{v, v, v, 255} },
	} {
		m := image.NewRGBA(image.Rect(0, 0, 640, 480))
		for y := range 480 {
			for x := range 640 {
				m.SetRGBA(x, y, at(x, y))
			}
		}
		o, err := p.Analyze(livenessd.Frame{Format: livenessd.MJPEG, Data: asJPEG(t, m)})
		must(t, err)
		want := []livenessd.Reason{livenessd.NoFace}
		switch name { // where the light is why, that is said too
		case "black":
			want = append(want, livenessd.TooDark)
		case "white":
			want = append(want, livenessd.TooBright)
		}
		if len(o.Faces) != 0 || o.Texture != nil || !slices.Equal(o.Reasons(), want) {
			t.Errorf("%s: %d faces, reasons %v, texture %v", name, len(o.Faces), o.Reasons(), o.Texture)
		}
	}
}

// Landmarks are in the order of livenessd.Landmark: the person's right eye lies
// to the left in the picture, eyes above nose above mouth, all in the box.
func TestLandmarkOrder(t *testing.T) {
	p := open(t)
	for _, path := range some(t, 10, shared(t, "data", "nuaa-train"), "Client", "*", "*.jpg") {
		o, err := p.AnalyzeWith(fileFrame(t, path), Need{})
		must(t, err)
		l, b := o.Faces[0].Landmarks, o.Faces[0].Box
		if !(l[livenessd.RightEye].X < l[livenessd.NoseTip].X && l[livenessd.NoseTip].X < l[livenessd.LeftEye].X &&
			l[livenessd.RightMouth].X < l[livenessd.LeftMouth].X && l[livenessd.RightEye].Y < l[livenessd.NoseTip].Y &&
			l[livenessd.NoseTip].Y < l[livenessd.LeftMouth].Y) {
			t.Errorf("%s: %+v", path, l)
		}
		for _, q := range l {
			if q.X < b.X || q.Y < b.Y || q.X > b.X+b.W || q.Y > b.Y+b.H {
				t.Errorf("%s: landmark %+v outside of %+v", path, q, b)
			}
		}
		if o.Texture != nil {
			t.Error("texture was computed though nobody asked for it")
		}
	}
}

// In a mirror, yaw and roll change sides and pitch stays. The detector is not
// quite symmetric, so this holds over several pictures better than for one.
func TestMirroredPose(t *testing.T) {
	p := open(t)
	var yaw, pitch, roll float64
	paths := some(t, 12, shared(t, "data", "faces"), "*.jpg")
	for _, path := range paths {
		f, err := DecodePicture(fileFrame(t, path).Data, DefaultLimits())
		must(t, err)
		a, err := p.AnalyzeWith(f, Need{})
		must(t, err)
		b, err := p.AnalyzeWith(upright(f, 2), Need{})
		must(t, err)
		yaw += math.Abs(a.Pose.Yaw+b.Pose.Yaw) / float64(len(paths))
		pitch += math.Abs(a.Pose.Pitch-b.Pose.Pitch) / float64(len(paths))
		roll += math.Abs(a.Pose.Roll+b.Pose.Roll) / float64(len(paths))
	}
	t.Logf("mean difference: yaw %.1f°, pitch %.1f°, roll %.1f°", yaw, pitch, roll)
	if yaw > 8 || pitch > 5 || roll > 5 {
		t.Errorf("mean difference: yaw %.1f°, pitch %.1f°, roll %.1f°", yaw, pitch, roll)
	}
}

// One picture, as it is, again, mirrored and without colour.
func TestSamePictureOtherWays(t *testing.T) {
	p := open(t)
	f, err := DecodePicture(fileFrame(t, some(t, 10, shared(t, "data", "nuaa-train"), "Client", "*", "*.jpg")[4]).Data, DefaultLimits())
	must(t, err)
	f.Seq, f.At = 9, time.Unix(5, 0)
	before := slices.Clone(f.Data)
	o, err := p.Analyze(f)
	must(t, err)
	if !slices.Equal(before, f.Data) {
		t.Error("the frame's data were changed")
	}
	if o.Seq != 9 || !o.At.Equal(f.At) || o.Width != 640 || o.Height != 480 {
		t.Errorf("%+v does not carry the frame's own data", o)
	}
	again, err := p.Analyze(f)
	must(t, err)
	if again.Digest != o.Digest || *again.Texture != *o.Texture || again.Faces[0] != o.Faces[0] {
		t.Error("the same picture, another observation")
	}

	mirrored, err := p.AnalyzeWith(upright(f, 2), Need{})
	must(t, err)
	if mirrored.Digest == o.Digest {
		t.Error("another picture, the same digest")
	}

	grey := livenessd.Frame{Width: 640, Height: 480, Format: livenessd.GREY, Data: make([]byte, 640*480)}
	for i := range grey.Data {
		grey.Data[i] = f.Data[3*i+1]
	}
	g, err := p.Analyze(grey)
	must(t, err)
	if len(g.Faces) == 0 || g.Faces[0].Box.IoU(o.Faces[0].Box) < 0.8 {
		t.Errorf("as a grey picture: %+v, in colour %+v", g.Faces, o.Faces)
	}
}

// A network for attributes is asked together with those for texture.
func TestAnalyzeAttributes(t *testing.T) {
	set := builtinSet(t)
	covers := small(t, "colours", models.RoleAttributes, models.AttributeNames...)
	set.Attributes = &covers
	p, err := New(DefaultConfig(), set)
	must(t, err)
	defer func() { must(t, p.Close()) }()
	f := fileFrame(t, some(t, 10, shared(t, "data", "nuaa-train"), "Client", "*", "*.jpg")[4])
	o, err := p.Analyze(f)
	must(t, err)
	var names []string
	for _, m := range o.Quality {
		names = append(names, m.Name)
	}
	if len(o.Attributes) != len(models.AttributeNames) || o.Texture == nil ||
		!slices.Contains(names, "EyesVisible") || !slices.Contains(names, "MouthOcclusionPrevention") || !slices.Contains(names, "FaceOcclusionPrevention") {
		t.Errorf("attributes %v, measures %v", o.Attributes, names)
	}
	o, err = p.AnalyzeWith(f, Need{})
	must(t, err)
	if o.Attributes != nil || o.Texture != nil || len(o.Quality) != len(names)-3 {
		t.Errorf("attributes %v though nobody asked for them", o.Attributes)
	}
}

func TestClosedPipeline(t *testing.T) {
	p, err := New(DefaultConfig(), builtinSet(t))
	must(t, err)
	must(t, p.Close())
	must(t, p.Close())
	if _, err := p.Analyze(livenessd.Frame{Format: livenessd.MJPEG, Data: asJPEG(t, corners())}); err == nil {
		t.Error("a closed pipeline still answers")
	}
}

// A network that OpenCV cannot load or run is an error that names it; the
// process lives on.
func TestBrokenNetwork(t *testing.T) {
	for name, spoil := range map[string]func(s *models.Set){
		"no data":     func(s *models.Set) { s.Face.Data = nil },
		"not a model": func(s *models.Set) { s.Face.Data = []byte{0x08, 0x08, 0x3a, 0x00} },
		"cut off":     func(s *models.Set) { s.Texture[0].Data = s.Texture[0].Data[:len(s.Texture[0].Data)/2] },
		"input size":  func(s *models.Set) { s.Texture[0].Input.Width = 64 },
		"output name": func(s *models.Set) {
			s.Texture[0].Outputs = []models.Output{{Name: "none", Shape: []int{3}, Classes: []string{"a", "live", "b"}}}
		},
		"output count": func(s *models.Set) {
			s.Texture[0].Outputs = []models.Output{{Name: "output", Shape: []int{2}, Classes: []string{"live", "b"}}}
		},
		"face outputs": func(s *models.Set) { s.Face.Outputs = s.Face.Outputs[:3] },
		"no weights":   func(s *models.Set) { s.Fusion.Weights = nil },
		"attributes": func(s *models.Set) {
			n := small(t, "no-such-op", models.RoleAttributes, "mask", "hat")
			s.Attributes = &n
		},
	} {
		set := builtinSet(t)
		spoil(set)
		p, err := New(DefaultConfig(), set)
		if err == nil {
			must(t, p.Close())
			t.Errorf("%s: no error", name)
			continue
		}
		if !errors.Is(err, livenessd.ErrNotReady) || len(err.Error()) > 1000 || !strings.Contains(err.Error(), "network") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Camera and API share one pipeline.
func TestConcurrentCallers(t *testing.T) {
	p := open(t)
	paths := some(t, 4, shared(t, "data", "nuaa-train"), "Client", "*", "*.jpg")
	var frames []livenessd.Frame
	var want []livenessd.Observation
	for _, path := range paths {
		frames = append(frames, fileFrame(t, path))
		o, err := p.Analyze(frames[len(frames)-1])
		must(t, err)
		want = append(want, o)
	}
	var wg sync.WaitGroup
	for i, f := range frames {
		wg.Go(func() {
			for range 3 {
				o, err := p.Analyze(f)
				if err != nil || *o.Texture != *want[i].Texture {
					t.Errorf("%v, texture %+v, alone it was %+v", err, o.Texture, want[i].Texture)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkAnalyze prints how long one 640×480 MJPEG frame takes.
func BenchmarkAnalyze(b *testing.B) {
	p := open(b)
	f := fileFrame(b, some(b, 10, shared(b, "data", "nuaa-train"), "Client", "*", "*.jpg")[4])
	for name, need := range map[string]Need{"all": {Texture: true}, "noTexture": {}} {
		b.Run(name, func(b *testing.B) {
			var times []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := p.AnalyzeWith(f, need); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			ms := func(q int) float64 { return float64(times[min(len(times)*q/100, len(times)-1)].Microseconds()) / 1000 }
			b.ReportMetric(ms(50), "p50-ms")
			b.ReportMetric(ms(99), "p99-ms")
		})
	}
}
