package challenge

import (
	"math"

	"livenessd"
)

// Motion is what the movement of a face between two pictures says.
type Motion struct {
	Followed bool            // enough of the face was found again; else nothing else is set
	Known    bool            // it turned enough to tell; else Score means nothing
	Score    float64         // 0..1, calibrated: a head's from MotionThreshold on
	Turn     livenessd.Point // how the nose moved in the face's own frame: sines, x to the person's left, y downwards
	Eyes     float64         // pixels between the eyes, as Flow has them
	Sharp    float64         // share of the face that was found again to a 30th of the eye distance: how good Turn is
}

// leastTurn is the turn in degrees below which nothing is said: what is slid,
// zoomed or turned in its plane stays below it, and so does a head that keeps
// still.
const leastTurn = 3.0

// How many pixels must lie between the eyes for a Score. With fewer than
// goodEyes a sheet that is bent passes for a head in one pair of thirteen while
// hardly a head is refused, so the odds of both are lowered: then one in
// forty-four passes, and heads still in 94 of 100. With fewer than leastEyes
// photographs in the hand pass too often.
const (
	leastEyes = 36
	goodEyes  = 45
	smallOdds = 2.0 // logarithm
)

// JudgeFlow tells a head from a flat thing by the movement of one face between
// two pictures. It works for pictures that follow each other and for two that
// were taken seconds apart. What it looks at is told at surface and traits.
func JudgeFlow(f *livenessd.Flow) Motion {
	s, ok := newSurface(f)
	if !ok {
		return Motion{}
	}
	turned, ok := s.fit(s.base(1, true))
	if !ok {
		return Motion{}
	}
	g := turned.of[3]
	m := Motion{Followed: true, Turn: g, Sharp: s.sharp, Eyes: f.Eyes}
	if !(f.Eyes >= leastEyes && math.Hypot(g.X, g.Y) >= math.Sin(radians(leastTurn))) {
		return m
	}
	t, ok := s.traits(g)
	if !ok {
		return m
	}
	logit := traitBias
	if f.Eyes < goodEyes {
		logit -= smallOdds
	}
	for i, w := range traitWeights {
		logit += w * t[i]
	}
	m.Known, m.Score = true, 1/(1+math.Exp(-logit))
	return m
}

// degrees is the angle whose sine is v, at most 90.
func degrees(v float64) float64 { return math.Asin(min(max(v, -1), 1)) * 180 / math.Pi }

// remains is what a sheet leaves of a movement, seen in the direction of the
// turn, where the depth of what turned shows, and across it, where nothing but
// noise and faces that speak do.
type remains struct {
	deep          fit
	depth         float64 // how much of an average head's own depth is in it, in the direction of the turn
	explained     float64 // the share that this depth explains
	along, across float64 // root mean square of what neighbours share, logarithm
}

// remains fits a sheet of the order given; u is the direction of the turn.
func (s *surface) remains(order int, u livenessd.Point) (r remains, ok bool) {
	if r.deep, ok = s.fit(s.base(order, true)); !ok {
		return r, false
	}
	// The sheet is fitted with the weights of the head: both see the same points.
	sheet := fit{rest: make([]livenessd.Point, len(s.x))}
	b := s.base(order, false)
	if sheet.of, ok = leastSquares(b, s.move, r.deep.weight); !ok {
		return r, false
	}
	sheet.residuals(b, s.move)
	along := func(p livenessd.Point) float64 { return p.X*u.X + p.Y*u.Y }
	across := func(p livenessd.Point) float64 { return p.Y*u.X - p.X*u.Y }
	shared := s.smooth(sheet.rest, r.deep.weight)
	var sum, flat, deep, sa, sc float64
	for i, w := range r.deep.weight {
		rest, d := sheet.rest[i], r.deep.rest[i]
		sum += w
		flat, deep = flat+w*(rest.X*rest.X+rest.Y*rest.Y), deep+w*(d.X*d.X+d.Y*d.Y)
		sa, sc = sa+w*along(shared[i])*along(shared[i]), sc+w*across(shared[i])*across(shared[i])
	}
	if !(sum > 0 && flat > 0) {
		return r, false
	}
	rms := func(v float64) float64 { return math.Log(math.Sqrt(v/sum) + 1e-4) }
	r.depth = along(r.deep.of[len(r.deep.of)-1])
	r.explained = 1 - deep/flat
	r.along, r.across = rms(sa), rms(sc)
	return r, true
}

// traits are the numbers that the score is made of, as fit/fit.py makes them.
// Of many more these are the ones whose loss cost most. That a sheet is found
// again better than a head tells them apart too, but a blurred camera would
// undo it.
func (s *surface) traits(g livenessd.Point) (t [traitCount]float64, ok bool) {
	size := math.Hypot(g.X, g.Y)
	u := livenessd.Point{X: g.X / size, Y: g.Y / size}
	bent, ok := s.remains(2, u)
	if !ok {
		return t, false
	}
	rolled, ok := s.remains(3, u)
	if !ok {
		return t, false
	}
	curve := 0.0
	for _, c := range bent.deep.of[3:6] {
		curve += c.X*c.X + c.Y*c.Y
	}
	return [traitCount]float64{
		math.Log(math.Sqrt(curve) + 1e-6),
		math.Log(squeeze(bent.deep.of[1], bent.deep.of[2]) + 0.005),
		bent.depth, bent.depth / size, bent.explained, bent.along, bent.across,
		rolled.depth, rolled.along,
	}, true
}

// smooth returns the mean of the neighbours of each point, a Gaussian of
// reach around it.
func (s *surface) smooth(rest []livenessd.Point, weight []float64) []livenessd.Point {
	const reach, widest = 0.13, 0.39 // eye distances
	out := make([]livenessd.Point, len(rest))
	for i := range rest {
		n := 1e-6
		for j := range rest {
			dx, dy := s.x[i]-s.x[j], s.y[i]-s.y[j]
			d := dx*dx + dy*dy
			if d > widest*widest {
				continue
			}
			k := weight[j] * math.Exp(-d/(2*reach*reach))
			n += k
			out[i].X, out[i].Y = out[i].X+k*rest[j].X, out[i].Y+k*rest[j].Y
		}
		out[i].X, out[i].Y = out[i].X/n, out[i].Y/n
	}
	return out
}

// squeeze returns 1 − b/a, with a and b the larger and the smaller scale of the
// linear map whose derivatives by x and y, less one, are these: 0 for what is
// slid, zoomed and turned in the picture.
func squeeze(dx, dy livenessd.Point) float64 {
	same := math.Hypot(2+dx.X+dy.Y, dx.Y-dy.X)
	other := math.Hypot(dx.X-dy.Y, dx.Y+dy.X)
	return 1 - math.Abs(same-other)/(same+other)
}
