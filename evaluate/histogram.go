package evaluate

import (
	"fmt"
	"html/template"
	"math"
)

const (
	bins                = 50
	histLeft, histWidth = 64.0, 620.0
	histHeight          = 130.0
)

// histogram counts scores in equal bins over 0..1.
func histogram(scores []float64) [bins]int {
	var h [bins]int
	for _, s := range scores {
		h[min(bins-1, int(s*bins))]++
	}
	return h
}

// histograms draws how scores are spread, people above attacks, with the
// threshold through both.
func (r *Report) histograms() template.HTML {
	d := newDrawing("hist", 760, 400, "Histograms of scores",
		fmt.Sprintf("Shares of presentations by score, 0 to 1, people above and attacks below, with the threshold %.4g marked. %d of %d people are below it, %d of %d attacks at or above it.",
			r.Threshold, r.BPCER.Errors, r.BPCER.Of, r.APCERPooled.Errors, r.APCERPooled.Of))
	d.panel("People", inks[2].colour, 20, r.bona.scores)
	d.panel("Attacks", inks[1].colour, 20+histHeight+50, r.attack.scores)
	bottom := 20 + 2*histHeight + 50
	for i := range 11 {
		x := histLeft + histWidth*float64(i)/10
		d.line("axis", x, bottom, x, bottom+5)
		d.text("middle", x, bottom+20, fmt.Sprintf("%.1f", float64(i)/10))
	}
	d.text("middle", histLeft+histWidth/2, bottom+44, "score")
	x := histLeft + histWidth*r.Threshold
	d.line("threshold", x, 8, x, bottom)
	anchor, gap := "start", 6.0
	if r.Threshold > 0.75 {
		anchor, gap = "end", -6
	}
	d.text(anchor, x+gap, 18, fmt.Sprintf("threshold %.4g", r.Threshold))
	return d.done()
}

func (d *drawing) panel(name, colour string, top float64, scores []float64) {
	h := histogram(scores)
	highest := 0
	for _, n := range h {
		highest = max(highest, n)
	}
	share := func(n int) float64 { return float64(n) / float64(len(scores)) }
	scale := roundUp(share(highest))
	for i, n := range h {
		if n > 0 {
			height := histHeight * share(n) / scale
			// A bin that holds anything at all is to be seen.
			height = max(height, 1.5)
			d.rect(colour, histLeft+histWidth*float64(i)/bins+0.5, top+histHeight-height, histWidth/bins-1, height)
		}
	}
	d.line("axis", histLeft, top+histHeight, histLeft+histWidth, top+histHeight)
	d.line("axis", histLeft, top, histLeft, top+histHeight)
	for i := range 3 {
		v := scale * float64(i) / 2
		d.text("end", histLeft-8, top+histHeight*(1-float64(i)/2)+4, fmt.Sprintf("%g", math.Round(1000*v)/10))
	}
	d.upright(18, top+histHeight/2, name+", %")
}

// roundUp returns the next 1, 2 or 5 times a power of ten, at most 1.
func roundUp(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*p*(1+1e-9) {
			return min(1, m*p)
		}
	}
	return min(1, 10*p)
}
