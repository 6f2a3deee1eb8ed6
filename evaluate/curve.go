package evaluate

import (
	"math"
	"slices"
)

// maxPoints bounds Report.Points.
const maxPoints = 512

// Point is what the rates would be at another threshold. Attacks that pass are
// given for all species together and for the species that is worst there.
type Point struct {
	Threshold float64 `json:"threshold"`
	APCER     float64 `json:"apcer"`
	APCERMax  float64 `json:"apcer_max"`
	BPCER     float64 `json:"bpcer"`
}

// Equal is the equal error rate: where as many people are refused as attacks
// pass, all species together.
type Equal struct {
	Estimate
	Threshold float64 `json:"threshold"` // where the two rates are nearest to each other
}

// thresholds returns, ascending, every threshold at which something changes:
// each score, and one that nothing reaches.
func thresholds(gs ...*group) []float64 {
	var ts []float64
	for _, g := range gs {
		ts = append(ts, g.scores...)
	}
	slices.Sort(ts)
	ts = slices.Compact(ts)
	return append(ts, math.Nextafter(ts[len(ts)-1], 2))
}

// points returns the curve over all thresholds, thinned evenly to maxPoints;
// the ends are kept.
func points(bona, attack *group, species map[string]*group) []Point {
	ts := thin(thresholds(bona, attack), maxPoints)
	ps := make([]Point, len(ts))
	for i, t := range ts {
		ps[i] = Point{
			Threshold: t,
			APCER:     float64(attack.atLeast(t)) / float64(len(attack.scores)),
			BPCER:     float64(bona.below(t)) / float64(len(bona.scores)),
		}
		for _, g := range species {
			if len(g.scores) > 0 {
				ps[i].APCERMax = max(ps[i].APCERMax, float64(g.atLeast(t))/float64(len(g.scores)))
			}
		}
	}
	return ps
}

// thin returns at most n of v, evenly spaced, with the first and the last.
func thin(v []float64, n int) []float64 {
	if len(v) <= n {
		return v
	}
	kept := make([]float64, n)
	for i := range kept {
		kept[i] = v[i*(len(v)-1)/(n-1)]
	}
	return kept
}

// equal finds the equal error rate by linear interpolation between the two
// thresholds around it. Whatever the threshold, the true equal error rate lies
// between the two true rates there; so the interval is what both exact ones,
// at the nearer of the two thresholds, cover together.
func equal(bona, attack *group) Equal {
	ts := thresholds(bona, attack)
	rates := func(t float64) (a, b float64) {
		return float64(attack.atLeast(t)) / float64(len(attack.scores)), float64(bona.below(t)) / float64(len(bona.scores))
	}
	// At the lowest threshold all attacks pass and nobody is refused, at the
	// highest the reverse; in between the difference only grows.
	i, _ := slices.BinarySearchFunc(ts, 0.0, func(t, _ float64) int {
		if a, b := rates(t); b < a {
			return -1
		}
		return 1
	})
	a1, b1 := rates(ts[i])
	e := Equal{Estimate: Estimate{Rate: a1}, Threshold: ts[i]}
	if b1 > a1 {
		a0, b0 := rates(ts[i-1])
		share := (a0 - b0) / (a0 - b0 + b1 - a1)
		e.Rate = a0 + share*(a1-a0)
		if a0-b0 < b1-a1 {
			e.Threshold = ts[i-1]
		}
	}
	al, ah := ClopperPearson(attack.atLeast(e.Threshold), len(attack.scores), alpha/2)
	bl, bh := ClopperPearson(bona.below(e.Threshold), len(bona.scores), alpha/2)
	e.Low, e.High = min(al, bl), max(ah, bh)
	return e
}
