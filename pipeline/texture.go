package pipeline

import (
	"errors"
	"fmt"
	"image"
	"math"

	"gocv.io/x/gocv"

	"livenessd"
	"livenessd/models"
)

// textureJudge runs the texture networks on one face and fuses them.
type textureJudge struct {
	nets   []*network
	live   []int // place of the live class among each network's logits
	fusion models.Fusion
	digest string
}

func newTextureJudge(set *models.Set) (*textureJudge, error) {
	if len(set.Texture) == 0 || len(set.Texture) != len(set.Fusion.Weights) {
		return nil, fmt.Errorf("%d texture networks and %d weights", len(set.Texture), len(set.Fusion.Weights))
	}
	t := &textureJudge{fusion: set.Fusion, digest: set.Digest(models.RoleTexture)}
	for _, n := range set.Texture {
		if n.Crop == nil || len(n.Outputs) != 1 || n.Outputs[0].Live() < 0 || n.Outputs[0].Len() != len(n.Outputs[0].Classes) {
			t.close()
			return nil, fmt.Errorf("texture network %s has no crop or no live class", n.Name)
		}
		net, err := newNetwork(n)
		if err != nil {
			t.close()
			return nil, err
		}
		t.nets = append(t.nets, net)
		t.live = append(t.live, n.Outputs[0].Live())
	}
	return t, nil
}

func (t *textureJudge) close() {
	for _, n := range t.nets {
		n.close()
	}
}

// score judges the skin in box.
func (t *textureJudge) score(pic *picture, box livenessd.Rect) (*livenessd.Score, error) {
	logits := make([]float64, len(t.nets))
	for i, n := range t.nets {
		var err error
		if logits[i], err = liveLogit(n, t.live[i], pic, box); err != nil {
			return nil, err
		}
	}
	return &livenessd.Score{
		Value:     t.fusion.Probability(logits),
		Threshold: t.fusion.Threshold,
		Model:     t.digest,
	}, nil
}

func liveLogit(n *network, live int, pic *picture, box livenessd.Rect) (float64, error) {
	r, ok := cropRect(box, *n.spec.Crop, pic.w, pic.h)
	if !ok {
		return 0, errors.New("texture: the face is not in the picture")
	}
	// Linear at any scale, as the networks saw it when they were trained: the
	// fine structure that aliasing keeps is part of what they look at.
	part, err := pic.crop(r, n.spec.Input.Width, n.spec.Input.Height, gocv.InterpolationLinear)
	if err != nil {
		return 0, fmt.Errorf("texture: %w", err)
	}
	fill(n.in, part, n.spec.Input)
	part.close()
	outs, err := n.forward()
	if err != nil {
		return 0, fmt.Errorf("texture: %w", err)
	}
	return logOdds(outs[0], live), nil
}

// logOdds returns log(p/(1−p)) of class i under softmax of x: x_i minus the
// logarithm of the sum of the others' exponentials.
func logOdds(x []float32, i int) float64 {
	top := math.Inf(-1)
	for j, v := range x {
		if j != i {
			top = max(top, float64(v))
		}
	}
	sum := 0.0
	for j, v := range x {
		if j != i {
			sum += math.Exp(float64(v) - top)
		}
	}
	return float64(x[i]) - top - math.Log(sum)
}

// cropRect returns the part of a W×H picture that a texture network sees: the
// box times c.Scale, about the same centre, kept inside the picture. What
// reaches beyond an edge is shifted in; what does not fit is made smaller with
// its proportions kept. False when nothing sensible is left.
func cropRect(box livenessd.Rect, c models.Crop, width, height int) (image.Rectangle, bool) {
	w, h := box.W, box.H
	if c.Shape == "square" {
		w = max(w, h)
		h = w
	}
	W, H := float64(width-1), float64(height-1)
	if !(w >= 1 && h >= 1 && W >= 1 && H >= 1) {
		return image.Rectangle{}, false
	}
	scale := min(c.Scale, W/w, H/h)
	w, h = w*scale, h*scale
	m := box.Center()
	x := min(max(m.X-w/2, 0), W-w)
	y := min(max(m.Y-h/2, 0), H-h)
	r := image.Rect(int(x), int(y), int(x+w)+1, int(y+h)+1)
	if r.Dx() < 8 || r.Dy() < 8 || !r.In(image.Rect(0, 0, width, height)) {
		return image.Rectangle{}, false
	}
	return r, true
}

// texturable says whether there is enough of f in a picture of width×height to
// judge its skin: eyes far enough apart, and all landmarks visible.
func texturable(f livenessd.Face, width, height int, minEyes float64) bool {
	if eyeDistance(f) < minEyes {
		return false
	}
	for _, p := range f.Landmarks {
		if p.X < 0 || p.Y < 0 || p.X >= float64(width) || p.Y >= float64(height) {
			return false
		}
	}
	return true
}

func eyeDistance(f livenessd.Face) float64 {
	r, l := f.Landmarks[livenessd.RightEye], f.Landmarks[livenessd.LeftEye]
	return math.Hypot(l.X-r.X, l.Y-r.Y)
}
