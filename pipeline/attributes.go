package pipeline

import (
	"math"

	"livenessd"
	"livenessd/models"
)

// Names of measures that are computed from attributes, as in ISO/IEC 29794-5.
const (
	eyesVisible    = "EyesVisible"
	mouthUncovered = "MouthOcclusionPrevention"
	faceUncovered  = "FaceOcclusionPrevention"
)

// attributeJudge says what covers a face.
type attributeJudge struct{ net *closeUp }

func newAttributeJudge(n models.Network) (*attributeJudge, error) {
	net, err := newCloseUp(n)
	if err != nil {
		return nil, err
	}
	return &attributeJudge{net}, nil
}

func (a *attributeJudge) close() { a.net.close() }

// probabilities returns those of the network's classes for the face in box.
func (a *attributeJudge) probabilities(pic *picture, box livenessd.Rect) (map[string]float64, error) {
	logits, err := a.net.look(pic, box)
	if err != nil {
		return nil, err
	}
	p := make(map[string]float64, len(logits))
	for i, class := range a.net.spec.Outputs[0].Classes {
		p[class] = sigmoid(float64(logits[i]))
	}
	return p, nil
}

// sigmoid is the probability that a logit means. What is not a number is 1: a
// cover that cannot be ruled out is there.
func sigmoid(logit float64) float64 {
	if math.IsNaN(logit) {
		return 1
	}
	return 1 / (1 + math.Exp(-logit))
}

// uncovered measures whether the face can be seen. Value is the probability of
// what hides it. Of the attributes only those count that the network computes;
// hats and veils are told, and never a reason: people wear them every day, and
// what they hide of a face another measure sees. own are the limits that come
// with the network, by attribute.
func (q Quality) uncovered(p, own map[string]float64) []livenessd.Measure {
	var ms []livenessd.Measure
	for _, m := range []struct {
		attribute, name string
		limit           float64
		why             livenessd.Reason
	}{
		{"sunglasses", eyesVisible, q.MaxSunglasses, livenessd.Sunglasses},
		{"mask", mouthUncovered, q.MaxMask, livenessd.Mask},
		{"occlusion", faceUncovered, q.MaxOcclusion, livenessd.Occluded},
	} {
		v, computed := p[m.attribute]
		if !computed {
			continue
		}
		if l, ok := own[m.attribute]; ok {
			m.limit = l
		}
		ms = append(ms, atMost(m.name, v, 0, 1, m.limit, m.why))
	}
	return ms
}
