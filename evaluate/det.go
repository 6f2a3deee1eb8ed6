package evaluate

import (
	"fmt"
	"html/template"
	"math"
)

// The DET plot's inks: colours that stay apart for colour-blind readers (Okabe
// and Ito). The first is for all species together.
var inks = []ink{
	{"#000000", "none", "2.5"},
	{"#d55e00", "none", "1.6"},
	{"#0072b2", "7 3", "1.6"},
	{"#009e73", "2 3", "1.6"},
	{"#cc79a7", "9 3 2 3", "1.6"},
	{"#e69f00", "4 2", "1.6"},
	{"#56b4e9", "12 3", "1.6"},
}

// The plot's ticks, as rates. What is below the first is drawn at the edge.
var detTicks = []float64{0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8}

const (
	detLeft, detTop, detSize = 64.0, 16.0, 440.0
	detCurve                 = 400 // points drawn of a curve
)

// probit is the normal deviate of a rate: on such axes the curve of normally
// distributed scores is a straight line (Martin and others, "The DET curve in
// assessment of detection task performance", 1997).
func probit(rate float64) float64 { return math.Sqrt2 * math.Erfinv(2*rate-1) }

// detPlace returns how far along its axis a rate lies, 0 to 1.
func detPlace(rate float64) float64 {
	low, high := probit(detTicks[0]), probit(0.9)
	return min(1, max(0, (probit(min(max(rate, 1e-6), 1-1e-6))-low)/(high-low)))
}

func detXY(apcer, bpcer float64) [2]float64 {
	return [2]float64{detLeft + detSize*detPlace(apcer), detTop + detSize*(1-detPlace(bpcer))}
}

// det draws BPCER against APCER over all thresholds, for all species together
// and for the worst ones.
func (r *Report) det() template.HTML {
	d := newDrawing("det", 760, 520, "DET curve",
		fmt.Sprintf("People refused (BPCER) against attacks that pass (APCER) over all thresholds, on normal-deviate axes. At the threshold in use, %.4g: BPCER %s, pooled APCER %s; equal error rate %s.",
			r.Threshold, percent(r.BPCER.Rate), percent(r.APCERPooled.Rate), percent(r.EER.Rate)))
	d.detAxes()
	type series struct {
		name string
		g    *group
	}
	all := []series{{"all species", r.attack}}
	if len(r.APCER) > 1 {
		for _, s := range r.Species[:min(len(r.APCER), len(inks)-1)] {
			all = append(all, series{s.Name, r.species[s.Name]})
		}
	}
	// The curve of all species lies on top, its point too.
	for i := len(all) - 1; i >= 0; i-- {
		g := all[i].g
		d.curve(inks[i], detPath(r.bona, g))
		p := detXY(float64(g.atLeast(r.Threshold))/float64(len(g.scores)), r.BPCER.Rate)
		d.dot(inks[i].colour, p[0], p[1])
		y := detTop + 14 + 22*float64(i)
		d.curve(inks[i], [][2]float64{{detLeft + detSize + 20, y - 4}, {detLeft + detSize + 52, y - 4}})
		d.text("start", detLeft+detSize+60, y, shorten(all[i].name, 26))
	}
	y := detTop + 14 + 22*float64(len(all))
	if left := len(r.APCER) - (len(all) - 1); len(all) > 1 && left > 0 {
		d.text("start", detLeft+detSize+20, y, fmt.Sprintf("and %d species not drawn", left))
		y += 22
	}
	d.text("start", detLeft+detSize+20, y, fmt.Sprintf("● at the threshold, %.4g", r.Threshold))
	return d.done()
}

func (d *drawing) detAxes() {
	end, bottom := detLeft+detSize, detTop+detSize
	for _, t := range detTicks {
		p := detXY(t, t)
		d.line("grid", p[0], detTop, p[0], bottom)
		d.line("grid", detLeft, p[1], end, p[1])
		label := fmt.Sprintf("%g", 100*t)
		d.text("middle", p[0], bottom+18, label)
		d.text("end", detLeft-8, p[1]+4, label)
	}
	d.line("axis", detLeft, bottom, end, bottom)
	d.line("axis", detLeft, detTop, detLeft, bottom)
	d.line("equal", detLeft, bottom, end, detTop)
	d.text("middle", detLeft+detSize/2, bottom+42, "APCER: attacks that pass, %")
	d.upright(18, detTop+detSize/2, "BPCER: people refused, %")
}

func detPath(bona, attack *group) [][2]float64 {
	ts := thin(thresholds(bona, attack), detCurve)
	xy := make([][2]float64, len(ts))
	for i, t := range ts {
		xy[i] = detXY(float64(attack.atLeast(t))/float64(len(attack.scores)), float64(bona.below(t))/float64(len(bona.scores)))
	}
	return xy
}

// shorten cuts s to n letters.
func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
