package evaluate

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"livenessd"
)

// leastForCalibration is how many presentations of people and of attacks must
// have a score: fewer say more of chance than of the door.
const leastForCalibration = 10

// doorsDiffer is by how much, in log odds, the borders of doors are taken to
// differ (standard deviation), so that a few presentations move the present one
// less than many do. Of 1 to 3, 2 was the best compromise for the networks in
// models/train/without-*: at a door whose people they refused, 12 recordings
// were enough, and at one where the border was right nothing much was lost.
const doorsDiffer = 2.0

// Look is what one picture of a presentation gave.
type Look struct {
	Score  float64 // 0..1
	Weight float64 // above 0
}

// certain is where log odds end: a score of exactly 0 or 1 has none.
const certain = 30.0

// logOdds returns log(p/(1−p)) of p, which is 0..1.
func logOdds(p float64) float64 {
	return min(max(math.Log(p)-math.Log1p(-p), -certain), certain)
}

func logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// margin returns by how much the log odds of all looks could be lowered until
// their weighted mean score is at threshold: how far a presentation lies above
// the border, and negative below it. looks has one at least; threshold is above
// 0 and below 1.
func margin(looks []Look, threshold float64) float64 {
	odds := make([]float64, len(looks))
	for i, l := range looks {
		odds[i] = logOdds(l.Score)
	}
	return lastWhere(func(lowered float64) bool {
		sum, weights := 0.0, 0.0
		for i, l := range looks {
			sum += l.Weight * logistic(odds[i]-lowered)
			weights += l.Weight
		}
		return sum >= threshold*weights
	})
}

// lastWhere returns the log odds up to which holds is true; it has to be false
// from there on.
func lastWhere(holds func(t float64) bool) float64 {
	low, high := -2*certain, 2*certain
	for range 60 { // halves 4·certain to less than any odds differ by
		if middle := (low + high) / 2; holds(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// Calibration is how a door's own presentations would move the border between
// people and attacks, and the rates on these same presentations with it: on
// others expect more errors.
type Calibration struct {
	Shift       float64    `json:"shift"`      // to add to the fusion's bias, in log odds; above 0 lets more in
	ShiftLow    float64    `json:"shift_low"`  // where it lies in 95 % of cases, were each presentation independent
	ShiftHigh   float64    `json:"shift_high"` // of all others (the posterior's curvature, after Laplace)
	BPCER       Proportion `json:"bpcer"`
	APCERMax    Worst      `json:"apcer_max"`
	APCERPooled Proportion `json:"apcer_pooled"`
	HTER        Estimate   `json:"hter"`
}

// Calibrate computes the Calibration of ps, which have Looks where they are
// Scored. The shift is the bias of a logistic regression whose slope is
// that of the scores (Platt, "Probabilistic Outputs for Support Vector
// Machines", 1999): people count as much as attacks, and each species as much
// as any other. The present bias is the prior, see doorsDiffer.
//
// The error wraps livenessd.ErrInvalid when there are too few, and is otherwise
// that of Judge.
func Calibrate(setup Setup, ps []Presentation) (*Calibration, error) {
	var bona []float64
	attacks, pooled := map[string][]float64{}, 0
	margins := make([]float64, len(ps))
	for i := range ps {
		p := &ps[i]
		if !p.Scored {
			continue
		}
		if len(p.Looks) == 0 {
			return nil, fmt.Errorf("%w: %s: nothing is known of its pictures", livenessd.ErrInvalid, p.Path)
		}
		margins[i] = margin(p.Looks, setup.Threshold)
		if p.Class == BonaFide {
			bona = append(bona, margins[i])
		} else {
			attacks[p.Species] = append(attacks[p.Species], margins[i])
			pooled++
		}
	}
	if n := min(len(bona), pooled); n < leastForCalibration {
		return nil, fmt.Errorf("%w: %d bona fide and %d attack presentations with a score are too few to calibrate by, %d of each are needed: record more people, and attack the door with photographs and screens of your own",
			livenessd.ErrInvalid, len(bona), pooled, leastForCalibration)
	}
	const within = 1.96 // standard deviations of a normal distribution hold 95 %
	at, spread := border(bona, attacks, float64(min(len(bona), pooled)))
	c := &Calibration{Shift: -at, ShiftLow: -at - within*spread, ShiftHigh: -at + within*spread}
	moved := slices.Clone(ps)
	for i := range moved {
		moved[i].Score = logistic(margins[i] + c.Shift)
	}
	setup.Threshold = 0.5 // a margin of 0 is the border, whatever the threshold was
	r, err := Judge(setup, moved)
	if err != nil {
		return nil, err
	}
	c.BPCER, c.APCERMax, c.APCERPooled, c.HTER = r.BPCER, r.APCERMax, r.APCERPooled, r.HTER
	return c, nil
}

// border returns the margin t with the least weight·loss + prior, and how well
// it is known, as a standard deviation. The loss is the mean of
// log(1 + exp(t − m)) over people plus the mean over species of that of
// log(1 + exp(m − t)). The sum is convex: its derivative is followed to 0.
func border(bona []float64, attacks map[string][]float64, weight float64) (t, spread float64) {
	species := slices.Sorted(maps.Keys(attacks)) // sums in one order, so that equal input gives equal bits
	slopes := func(t float64) (first, second float64) {
		first, second = t/(doorsDiffer*doorsDiffer), 1/(doorsDiffer*doorsDiffer)
		for _, m := range bona {
			p, w := logistic(t-m), weight/float64(len(bona))
			first, second = first+w*p, second+w*p*(1-p)
		}
		for _, s := range species {
			for _, m := range attacks[s] {
				p, w := logistic(m-t), weight/float64(len(attacks[s])*len(species))
				first, second = first-w*p, second+w*p*(1-p)
			}
		}
		return first, second
	}
	t = lastWhere(func(t float64) bool {
		first, _ := slopes(t)
		return first < 0
	})
	_, second := slopes(t)
	return t, 1 / math.Sqrt(second)
}

// sentences says c in words, for a terminal.
func (c *Calibration) sentences() []string {
	towards := "stricter"
	if c.Shift > 0 {
		towards = "laxer"
	}
	return []string{
		fmt.Sprintf("Calibrated for this door: the fusion's bias moves by %+.2f (95 %%: %+.2f to %+.2f), %s.", c.Shift, c.ShiftLow, c.ShiftHigh, towards),
		fmt.Sprintf("On these same presentations that gives BPCER %s (%d of %d), APCER %s at worst (%s), HTER %s; expect more on others.",
			percent(c.BPCER.Rate), c.BPCER.Errors, c.BPCER.Of, percent(c.APCERMax.Rate), c.APCERMax.Species, percent(c.HTER.Rate)),
	}
}
