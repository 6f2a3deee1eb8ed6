package evaluate

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// alpha is what an interval leaves out on both sides together.
const alpha = 0.05

// Proportion is Errors of Of, with its exact 95 % interval. Of is never 0.
type Proportion struct {
	Rate   float64 `json:"rate"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Errors int     `json:"errors"`
	Of     int     `json:"of"`
}

// Estimate is a number that is no proportion, with an interval that holds it
// in 95 % of cases or more.
type Estimate struct {
	Rate float64 `json:"rate"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

func proportion(errors, of int) Proportion {
	low, high := ClopperPearson(errors, of, alpha)
	return Proportion{Rate: float64(errors) / float64(of), Low: low, High: high, Errors: errors, Of: of}
}

// ClopperPearson returns the exact interval for the probability of something
// that happened k times of n, 0 ≤ k ≤ n and n > 0: the probabilities at which
// k or more, and k or fewer, happen in alpha/2 of all cases (Clopper and
// Pearson, Biometrika 26, 1934), by way of the quantiles of the beta
// distribution.
func ClopperPearson(k, n int, alpha float64) (low, high float64) {
	low, high = 0, 1
	if k > 0 {
		low = mathext.InvRegIncBeta(float64(k), float64(n-k+1), alpha/2)
	}
	if k < n {
		high = mathext.InvRegIncBeta(float64(k+1), float64(n-k), 1-alpha/2)
	}
	return low, high
}

// halfSum estimates (worst of attacks + bona) / 2. The interval is made of
// exact ones, each at so much more than 95 % that all of them hold together in
// 95 % of cases (Bonferroni), and therefore also with the worst of several
// attacks, which is picked after the fact. It is wider than need be, and does
// not shrink to a point when no error was seen.
func halfSum(attacks []Proportion, bona Proportion) Estimate {
	each := alpha / float64(len(attacks)+1)
	bl, bh := ClopperPearson(bona.Errors, bona.Of, each)
	worst, low, high := 0.0, 0.0, 0.0
	for _, a := range attacks {
		l, h := ClopperPearson(a.Errors, a.Of, each)
		worst, low, high = max(worst, a.Rate), max(low, l), max(high, h)
	}
	return Estimate{Rate: (worst + bona.Rate) / 2, Low: (low + bl) / 2, High: (high + bh) / 2}
}

// rank returns the area under the ROC: how often a person scores higher than
// an attack, ties counting half (Mann and Whitney).
func rank(bona, attack *group) Estimate {
	var wins float64
	for _, s := range bona.scores {
		below := attack.below(s)
		ties := attack.below(math.Nextafter(s, 2)) - below
		wins += float64(below) + float64(ties)/2
	}
	m, n := float64(len(bona.scores)), float64(len(attack.scores))
	a := wins / (m * n)
	return Estimate{Rate: a, Low: aucLow(a, m, n), High: 1 - aucLow(1-a, m, n)}
}

// aucLow is the lower end of the 95 % interval for an area a that was seen
// with m and n scores: the area from which a is z standard errors away, the
// standard error taken there (Newcombe, Statistics in Medicine 25, 2006,
// method 5). It stays sensible at a = 1.
func aucLow(a, m, n float64) float64 {
	const z = 1.959964 // of the normal distribution, for alpha
	low, high := 0.0, a
	for range 60 {
		t := (low + high) / 2
		v := t * (1 - t) * (1 + ((m+n)/2-1)*((1-t)/(2-t)+t/(1+t))) / (m * n)
		if a-t > z*math.Sqrt(v) {
			low = t
		} else {
			high = t
		}
	}
	return low
}
