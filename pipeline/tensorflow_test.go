//go:build tensorflow

package pipeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	tf "github.com/tensorflow/tensorflow/tensorflow/go"

	"livenessd"
	"livenessd/models"
)

// agreement is by how much the calibrated scores of the two runtimes may differ.
const agreement = 1e-3

// twins returns one set of networks twice: the texture by TensorFlow, and by
// OpenCV. They are the built-in ones of this build and of any other; while it
// has none for TensorFlow, a small one of random weights from testdata.
func twins(t testing.TB) (tensorFlow, openCV *models.Set) {
	t.Helper()
	if _, err := os.Stat(filepath.Join("..", "models", "tensorflow", models.SetFile)); err == nil {
		tensorFlow, err = models.Load(nil)
		must(t, err)
		b, err := os.ReadFile(filepath.Join("..", "models", models.SetFile))
		must(t, err)
		var all map[string]json.RawMessage
		must(t, json.Unmarshal(b, &all))
		openCV = siteOf(t, map[string]any{"texture": all["texture"], "fusion": all["fusion"]}, nil)
	} else {
		tensorFlow = smallTwin(t, models.RuntimeTensorFlow, models.LayoutNHWC, "twins.saved_model.pb", ":0")
		openCV = smallTwin(t, models.RuntimeOpenCV, models.LayoutNCHW, "twins.onnx", "")
	}
	for i, n := range tensorFlow.Texture {
		twin := openCV.Texture[i]
		if n.Runtime != models.RuntimeTensorFlow || twin.Runtime != models.RuntimeOpenCV || n.Name != twin.Name {
			t.Fatalf("%s by %s and %s by %s are no twins", n.Name, n.Runtime, twin.Name, twin.Runtime)
		}
	}
	return tensorFlow, openCV
}

// smallTwin loads a file of testdata/twins.py for runtime. tensor is what a
// tensor's name ends with there.
func smallTwin(t testing.TB, runtime, layout, file, tensor string) *models.Set {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	must(t, err)
	sum := sha256.Sum256(data)
	spec := models.Spec{
		Name: "twins", Role: models.RoleTexture, File: file, SHA256: hex.EncodeToString(sum[:]), Runtime: runtime,
		Input:   models.Input{Name: "input" + tensor, Width: 32, Height: 32, Colour: "bgr", Scale: 1 / 127.5, Mean: [3]float64{127.5, 127.5, 127.5}, Layout: layout},
		Crop:    &models.Crop{Scale: 2, Shape: "box"},
		Outputs: []models.Output{{Name: "output" + tensor, Shape: []int{2}, Classes: []string{"attack", "live"}}}, Threshold: 0.5,
		Licence: "the project's own", Card: "none.md",
	}
	return siteOf(t, map[string]any{
		"texture": []models.Spec{spec}, "fusion": models.Fusion{Weights: []float64{1}, Clip: 6, Threshold: 0.5},
	}, map[string][]byte{file: data})
}

// siteOf loads the networks of a site with that description and those files;
// the others are the built-in set's.
func siteOf(t testing.TB, description map[string]any, files map[string][]byte) *models.Set {
	t.Helper()
	site := t.TempDir()
	b, err := json.Marshal(description)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(site, models.SetFile), b, 0o600))
	for name, data := range files {
		must(t, os.WriteFile(filepath.Join(site, name), data, 0o600))
	}
	set, err := models.Load([]string{site})
	must(t, err)
	return set
}

func runners(t testing.TB, set *models.Set) []runner {
	t.Helper()
	var rs []runner
	for _, n := range set.Texture {
		r, err := newRunner(n)
		must(t, err)
		t.Cleanup(r.close)
		rs = append(rs, r)
	}
	return rs
}

// drawn fills the input with a picture of its own: light from one side, spots,
// stripes and noise, of random strength.
func drawn(rng *rand.Rand, planes []float32, in models.Input) {
	n := in.Width * in.Height
	for c := range 3 {
		base, slopeX, slopeY := 255*rng.Float64(), 200*(rng.Float64()-0.5), 200*(rng.Float64()-0.5)
		stripes, period, noise := 60*rng.Float64(), 2+20*rng.Float64(), 50*rng.Float64()
		spotX, spotY, size := rng.Float64(), rng.Float64(), 0.05+0.3*rng.Float64()
		spot := 300 * (rng.Float64() - 0.5)
		for i := range n {
			x, y := float64(i%in.Width)/float64(in.Width), float64(i/in.Width)/float64(in.Height)
			v := base + slopeX*x + slopeY*y + stripes*math.Sin(2*math.Pi*float64(i%in.Width)/period) + noise*rng.NormFloat64() +
				spot*math.Exp(-((x-spotX)*(x-spotX)+(y-spotY)*(y-spotY))/(size*size))
			planes[c*n+i] = float32((min(max(v, 0), 255) - in.Mean[c]) * in.Scale)
		}
	}
}

// The runtimes agree on drawn pictures, which need no data from elsewhere.
func TestTensorFlowAgreesOnDrawnPictures(t *testing.T) {
	a, b := twins(t)
	nets, wants := runners(t, a), runners(t, b)
	rng := rand.New(rand.NewPCG(1, 2))
	worst, worstLogit := 0.0, 0.0
	for range 100 {
		var scores, logits [2][]float64
		for i, n := range a.Texture {
			drawn(rng, wants[i].input(), n.Input)
			copy(nets[i].input(), wants[i].input())
			for k, r := range []runner{nets[i], wants[i]} {
				outs, err := r.forward()
				must(t, err)
				logits[k] = append(logits[k], logOdds(outs[0], n.Outputs[0].Live()))
			}
			worstLogit = max(worstLogit, math.Abs(logits[0][i]-logits[1][i]))
		}
		for k, f := range []models.Fusion{a.Fusion, b.Fusion} {
			scores[k] = append(scores[k], f.Probability(logits[k]))
		}
		worst = max(worst, math.Abs(scores[0][0]-scores[1][0]))
	}
	t.Logf("100 drawn pictures: scores differ by %.2g at most, log odds by %.2g", worst, worstLogit)
	if !(worst <= agreement) {
		t.Errorf("scores differ by %v, want at most %v", worst, agreement)
	}
}

// The runtimes agree on pictures of people and of attacks, from the file to the
// score.
func TestTensorFlowAgreesOnRealPictures(t *testing.T) {
	paths := append(some(t, 25, shared(t, "data", "nuaa-train"), "Client", "*", "*.jpg"),
		some(t, 25, shared(t, "data", "nuaa-train"), "Imposter", "*", "*.jpg")...)
	paths = append(paths, some(t, 50, shared(t, "data", "replay-train"), "*", "*.jpg")...)
	a, b := twins(t)
	p, err := New(DefaultConfig(), a)
	must(t, err)
	defer p.Close()
	q, err := New(DefaultConfig(), b)
	must(t, err)
	defer q.Close()
	judged, worst, low, high := 0, 0.0, 1.0, 0.0
	for _, path := range paths {
		x, err := p.Analyze(fileFrame(t, path))
		must(t, err)
		y, err := q.Analyze(fileFrame(t, path))
		must(t, err)
		if (x.Texture == nil) != (y.Texture == nil) {
			t.Fatalf("%s: one runtime has a score, the other has not", path)
		}
		if x.Texture == nil {
			continue
		}
		judged++
		d := math.Abs(x.Texture.Value - y.Texture.Value)
		if !(d <= agreement) {
			t.Errorf("%s: %v by TensorFlow, %v by OpenCV", path, x.Texture.Value, y.Texture.Value)
		}
		if x.Texture.Model == y.Texture.Model {
			t.Fatal("two networks have one digest")
		}
		worst, low, high = max(worst, d), min(low, x.Texture.Value), max(high, x.Texture.Value)
	}
	t.Logf("%d of %d pictures judged: scores %.3f to %.3f, they differ by %.2g at most", judged, len(paths), low, high, worst)
	if judged < 90 {
		t.Errorf("only %d of %d pictures have a score", judged, len(paths))
	}
	if high-low < 0.5 {
		t.Errorf("all scores lie between %v and %v: nothing was compared", low, high)
	}
}

// What cannot be loaded or run is an error that names the network, and leaves
// nothing behind.
func TestTensorFlowRefuses(t *testing.T) {
	set, openCV := twins(t)
	good := set.Texture[0]
	for name, spoil := range map[string]func(n *models.Network){
		"cut off":           func(n *models.Network) { n.Data = n.Data[:len(n.Data)/2] },
		"another runtime's": func(n *models.Network) { n.Data = openCV.Texture[0].Data },
		"noise":             func(n *models.Network) { n.Data = bytes.Repeat([]byte{0xff, 0x13, 0x37}, 1000) },
		"no graph":          func(n *models.Network) { n.Data = []byte{0x08, 0x01, 0x12, 0x00} },
		"no input":          func(n *models.Network) { n.Input.Name = "nothing" },
		"no output":         func(n *models.Network) { n.Outputs = renamed(n.Outputs, "nothing:0") },
		"no such index":     func(n *models.Network) { n.Outputs = renamed(n.Outputs, "output:7") },
		"negative index":    func(n *models.Network) { n.Outputs = renamed(n.Outputs, "output:-1") },
		"index no number":   func(n *models.Network) { n.Outputs = renamed(n.Outputs, "output:x") },
		"output of numbers": func(n *models.Network) { n.Outputs = renamed(n.Outputs, integers(t, good)) },
		"input width":       func(n *models.Network) { n.Input.Width = 64 },
		"input layout":      func(n *models.Network) { n.Input.Layout = models.LayoutNCHW },
		"output count":      func(n *models.Network) { n.Outputs = []models.Output{{Name: good.Outputs[0].Name, Shape: []int{5}}} },
		"fewer outputs":     func(n *models.Network) { n.Outputs = []models.Output{{Name: good.Outputs[0].Name, Shape: []int{1}}} },
	} {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		n := good
		spoil(&n)
		r, err := newRunner(n)
		if err == nil {
			r.close()
			t.Errorf("%s: no error", name)
			continue
		}
		t.Logf("%s: %v", name, err)
		if s := err.Error(); !strings.Contains(s, n.Name) || !strings.Contains(s, n.File) || len(s) > 1000 || strings.Contains(s, "\n") {
			t.Errorf("%s: %q", name, s)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left behind, %v", name, left, err)
		}
	}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	if _, err := newRunner(good); err == nil {
		t.Error("a network was loaded from a folder that cannot be made")
	}
	set.Texture[0].Data = good.Data[:100]
	if _, err := New(DefaultConfig(), set); !errors.Is(err, livenessd.ErrNotReady) {
		t.Errorf("%v is not ErrNotReady", err)
	}
}

func renamed(outs []models.Output, name string) []models.Output {
	o := outs[0]
	o.Name = name
	return []models.Output{o}
}

// integers returns a tensor of n that does not hold float32.
func integers(t *testing.T, n models.Network) string {
	t.Helper()
	model, err := loadSavedModel(n.Data)
	must(t, err)
	defer model.Session.Close()
	for _, op := range model.Graph.Operations() {
		if op.NumOutputs() > 0 && op.Output(0).DataType() == tf.Int32 {
			return op.Name() + ":0"
		}
	}
	t.Fatal("the network has no tensor of integers to try with")
	return ""
}

func TestTensorFlowClosed(t *testing.T) {
	set, _ := twins(t)
	r, err := newRunner(set.Texture[0])
	must(t, err)
	r.close()
	r.close()
	if _, err := r.forward(); err == nil {
		t.Error("a closed network still answers")
	}
}

// Networks of their own in goroutines of their own do not disturb each other,
// nor OpenCV's.
func TestTensorFlowConcurrent(t *testing.T) {
	a, b := twins(t)
	var wg sync.WaitGroup
	for k, n := range []models.Network{a.Texture[0], a.Texture[0], b.Texture[0]} {
		r, err := newRunner(n)
		must(t, err)
		defer r.close()
		drawn(rand.New(rand.NewPCG(3, uint64(k))), r.input(), n.Input)
		outs, err := r.forward()
		must(t, err)
		want := logOdds(outs[0], n.Outputs[0].Live())
		wg.Go(func() {
			for range 20 {
				outs, err := r.forward()
				if err != nil || logOdds(outs[0], n.Outputs[0].Live()) != want {
					t.Errorf("%v, %v, alone it was %v", err, outs, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Where nothing else makes garbage, tensors do not gather.
func TestTensorFlowTensorsDoNotGather(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	cycles := func() uint32 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NumGC
	}
	var c collector
	before := cycles()
	for range 100 {
		c.add(heldBytes / 10)
	}
	if n := cycles() - before; n < 4 {
		t.Errorf("%d collections over %d bytes", n, 10*heldBytes)
	}
}

func TestTensorFlowLayout(t *testing.T) {
	got := make([]float32, 6)
	interleave(got, []float32{1, 2, 3, 4, 5, 6}) // two pixels: 1 3 5 and 2 4 6
	for i, want := range []float32{1, 3, 5, 2, 4, 6} {
		if got[i] != want {
			t.Fatalf("%v", got)
		}
	}
}

// BenchmarkTensorFlow prints how long the texture networks take in each runtime.
func BenchmarkTensorFlow(b *testing.B) {
	first, second := twins(b)
	for name, set := range map[string]*models.Set{"tensorflow": first, "opencv": second} {
		nets := runners(b, set)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for _, r := range nets {
					if _, err := r.forward(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
