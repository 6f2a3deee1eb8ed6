package pipeline

import (
	"fmt"
	"math"

	"livenessd"
	"livenessd/models"
)

// textureJudge runs the texture networks on one face and fuses them.
type textureJudge struct {
	nets   []*closeUp
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
		net, err := newTexture(n)
		if err != nil {
			t.close()
			return nil, err
		}
		t.nets = append(t.nets, net)
		t.live = append(t.live, n.Outputs[0].Live())
	}
	return t, nil
}

func newTexture(n models.Network) (*closeUp, error) {
	if len(n.Outputs) != 1 || n.Outputs[0].Live() < 0 {
		return nil, fmt.Errorf("texture network %s has no live class", n.Name)
	}
	return newCloseUp(n)
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
		out, err := n.look(pic, box)
		if err != nil {
			return nil, err
		}
		logits[i] = logOdds(out, t.live[i])
	}
	return &livenessd.Score{
		Value:     t.fusion.Probability(logits),
		Threshold: t.fusion.Threshold,
		Model:     t.digest,
	}, nil
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
