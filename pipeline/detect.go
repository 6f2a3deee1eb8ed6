package pipeline

import (
	"fmt"
	"image"
	"math"
	"slices"

	"gocv.io/x/gocv"

	"livenessd"
	"livenessd/models"
)

// faceDetector runs the face network on a whole picture.
type faceDetector struct {
	spec models.Spec
	net  runner
	sure *confirmer // nil when the network's own score is the last word
}

func newFaceDetector(n models.Network) (*faceDetector, error) {
	if err := checkYuNet(n.Spec); err != nil {
		return nil, err
	}
	net, err := newRunner(n)
	if err != nil {
		return nil, err
	}
	return &faceDetector{spec: n.Spec, net: net}, nil
}

func (d *faceDetector) close() {
	d.net.close()
	if d.sure != nil {
		d.sure.close()
	}
}

// detect returns the faces in pic, largest first, at most limit.
func (d *faceDetector) detect(pic *picture, limit int) ([]livenessd.Face, error) {
	w, h, err := d.feed(pic)
	if err != nil {
		return nil, err
	}
	outs, err := d.net.forward()
	if err != nil {
		return nil, err
	}
	threshold := d.spec.Threshold
	if d.sure != nil {
		threshold = d.sure.spec.Candidate
	}
	faces := suppress(decodeYuNet(outs, d.spec.Input.Width, d.spec.Input.Height, threshold), d.spec.Threshold)
	for i := range faces {
		faces[i] = rescale(faces[i], float64(pic.w)/float64(w), float64(pic.h)/float64(h))
	}
	if d.sure != nil {
		if faces, err = d.sure.confirmed(pic, faces); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(faces, func(a, b livenessd.Face) int {
		return compare(b.Box.W*b.Box.H, a.Box.W*a.Box.H)
	})
	return faces[:min(limit, len(faces))], nil
}

// feed puts pic into the network's input and returns the size that it has
// there.
func (d *faceDetector) feed(pic *picture) (int, int, error) {
	in := d.spec.Input
	w, h, scale := letterbox(pic.w, pic.h, in.Width, in.Height)
	how := gocv.InterpolationLinear
	if scale < 1 {
		how = gocv.InterpolationArea // no moiré, which looks like faces where nets and blinds are
	}
	small, err := pic.crop(image.Rect(0, 0, pic.w, pic.h), w, h, how)
	if err != nil {
		return 0, 0, err
	}
	defer small.close()
	fill(d.net.input(), small, in)
	return w, h, nil
}

// letterbox returns the largest size with the picture's proportions that fits
// into W×H, and its scale. The picture goes to the top left; the rest is black.
func letterbox(w, h, W, H int) (int, int, float64) {
	scale := min(float64(W)/float64(w), float64(H)/float64(h))
	return min(max(int(math.Round(float64(w)*scale)), 1), W), min(max(int(math.Round(float64(h)*scale)), 1), H), scale
}

// fill writes pic into dst as the network wants it, top left; the rest is the
// value of a black pixel. pic is not larger than the input.
func fill(dst []float32, pic *picture, in models.Input) {
	order := [3]int{0, 1, 2}
	if in.Colour == "rgb" {
		order = [3]int{2, 1, 0}
	}
	area := in.Width * in.Height
	for c, from := range order {
		var value [256]float32
		for v := range value {
			value[v] = float32((float64(v) - in.Mean[c]) * in.Scale)
		}
		plane := dst[c*area : (c+1)*area]
		for y := range in.Height {
			row := plane[y*in.Width : (y+1)*in.Width]
			n := 0
			if y < pic.h {
				n = pic.w
				src := pic.pix[3*y*pic.w : 3*(y+1)*pic.w]
				for x := range n {
					row[x] = value[src[3*x+from]]
				}
			}
			for x := n; x < in.Width; x++ {
				row[x] = value[0]
			}
		}
	}
}

// strides of YuNet: pixels of its input that one cell stands for.
var strides = [...]int{8, 16, 32}

// yunetKinds is the order of the outputs in a spec: for each kind one output a
// stride.
var yunetKinds = [...]struct {
	name string
	per  int // numbers a cell
}{{"cls", 1}, {"obj", 1}, {"bbox", 4}, {"kps", 2 * int(livenessd.Landmarks)}}

// checkYuNet holds a spec against what decodeYuNet reads.
func checkYuNet(s models.Spec) error {
	if len(s.Outputs) != len(yunetKinds)*len(strides) {
		return fmt.Errorf("face network %s has %d outputs, want %d", s.Name, len(s.Outputs), len(yunetKinds)*len(strides))
	}
	for i, o := range s.Outputs {
		k, stride := yunetKinds[i/len(strides)], strides[i%len(strides)]
		cells := (s.Input.Width / stride) * (s.Input.Height / stride)
		if o.Len() != cells*k.per {
			return fmt.Errorf("face network %s: output %d (%s) has %d numbers, want %d of %s at stride %d",
				s.Name, i, o.Name, o.Len(), cells*k.per, k.name, stride)
		}
	}
	return nil
}

// decodeYuNet makes faces, in pixels of the network's input, of its outputs:
// score = √(cls·obj), centre = (cell + bbox[0:2])·stride, size = exp(bbox[2:4])·stride,
// landmark = (cell + kps)·stride (Wu, Peng and Yu, "YuNet: A Tiny
// Millisecond-level Face Detector", Machine Intelligence Research 2023). What
// is not finite or larger than the picture is no face.
func decodeYuNet(outs [][]float32, width, height int, threshold float64) []livenessd.Face {
	var faces []livenessd.Face
	for i, stride := range strides {
		cls, obj := outs[i], outs[len(strides)+i]
		box, kps := outs[2*len(strides)+i], outs[3*len(strides)+i]
		cols := width / stride
		for cell := range cls {
			score := math.Sqrt(unit(cls[cell]) * unit(obj[cell]))
			if !(score >= threshold) {
				continue
			}
			x, y, s := float64(cell%cols), float64(cell/cols), float64(stride)
			b, k := box[4*cell:4*cell+4], kps[10*cell:10*cell+10]
			w, h := math.Exp(float64(b[2]))*s, math.Exp(float64(b[3]))*s
			f := livenessd.Face{Score: score, Box: livenessd.Rect{
				X: (x+float64(b[0]))*s - w/2, Y: (y+float64(b[1]))*s - h/2, W: w, H: h,
			}}
			for l := range f.Landmarks {
				f.Landmarks[l] = livenessd.Point{X: (x + float64(k[2*l])) * s, Y: (y + float64(k[2*l+1])) * s}
			}
			if plausible(f, width, height) {
				faces = append(faces, f)
			}
		}
	}
	return faces
}

// unit clamps to 0..1; what is not a number is 0.
func unit(v float32) float64 {
	if v > 0 { // false for NaN
		return min(float64(v), 1)
	}
	return 0
}

// plausible keeps numbers that later arithmetic cannot bear out of the program:
// a face has some size, and lies with its landmarks in or near the picture.
func plausible(f livenessd.Face, width, height int) bool {
	w, h := float64(width), float64(height)
	near := func(x, y float64) bool { return x > -w && x < 2*w && y > -h && y < 2*h } // false for NaN
	for _, p := range f.Landmarks {
		if !near(p.X, p.Y) {
			return false
		}
	}
	return f.Box.W >= 2 && f.Box.H >= 2 && f.Box.W <= 2*w && f.Box.H <= 2*h && near(f.Box.X, f.Box.Y)
}

// sameFace is the intersection over union above which two boxes are one face,
// the detector's own usual value.
const sameFace = 0.3

// maxCandidates bounds the work of suppress, which is quadratic.
const maxCandidates = 1000

// agreeing is how much a candidate must overlap the best one of its face for
// its landmarks to count.
const agreeing = 0.5

// suppress keeps of faces that overlap the one with the highest score, with
// the landmarks that all candidates of that face agree on: their mean, weighted
// by score. Candidates that score less than firm, and less than the best one,
// have no say. The best candidate changes from frame to frame, and alone its
// landmarks jump with it: shifting a real picture by up to 16 pixels moved the
// estimated yaw with a standard deviation of 2.2 degrees, so averaged 1.3.
func suppress(faces []livenessd.Face, firm float64) []livenessd.Face {
	slices.SortStableFunc(faces, func(a, b livenessd.Face) int { return compare(b.Score, a.Score) })
	faces = faces[:min(len(faces), maxCandidates)]
	var kept []livenessd.Face
	for _, f := range faces {
		if !slices.ContainsFunc(kept, func(k livenessd.Face) bool { return k.Box.IoU(f.Box) > sameFace }) {
			kept = append(kept, f)
		}
	}
	for i := range kept {
		kept[i].Landmarks = consensus(kept[i], faces, min(firm, kept[i].Score))
	}
	return kept
}

// consensus returns the mean landmarks of the candidates that agree with best and
// score at least so much. There is one at least: best itself.
func consensus(best livenessd.Face, candidates []livenessd.Face, least float64) (mean [livenessd.Landmarks]livenessd.Point) {
	var weight float64
	for _, c := range candidates {
		if c.Score < least || c.Box.IoU(best.Box) <= agreeing {
			continue
		}
		w := max(c.Score, 1e-6)
		weight += w
		for i, p := range c.Landmarks {
			mean[i].X += w * p.X
			mean[i].Y += w * p.Y
		}
	}
	for i := range mean {
		mean[i].X /= weight
		mean[i].Y /= weight
	}
	return mean
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func rescale(f livenessd.Face, sx, sy float64) livenessd.Face {
	f.Box = livenessd.Rect{X: f.Box.X * sx, Y: f.Box.Y * sy, W: f.Box.W * sx, H: f.Box.H * sy}
	for i, p := range f.Landmarks {
		f.Landmarks[i] = livenessd.Point{X: p.X * sx, Y: p.Y * sy}
	}
	return f
}
