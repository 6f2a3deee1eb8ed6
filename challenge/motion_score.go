package challenge

import (
	"math"
	"slices"

	"livenessd"
)

// MotionThreshold is what a MotionScore of a head reaches.
const MotionThreshold = 0.5

const (
	// leastDepth and leastTilt are the movement below which nothing is said:
	// the parallax, in inter-eye distances, and the foreshortening that are
	// well above what landmarks tremble. On real people and hand-held photos
	// who kept still (Replay-Attack, 320×240) they reached 0.06 and 0.04; on
	// people at a webcam who hardly moved (NUAA) 0.06 and 0.07; on photos that
	// were tilted (NUAA) the foreshortening was 0.23 and more.
	leastDepth = 0.08
	leastTilt  = 0.12
	// farthest is the quantile of all frames that stands for how far a
	// movement went: one bad set of landmarks in ten does not decide.
	farthest = 0.9
)

// MotionScore tells a head from a flat thing by the movement in obs alone,
// the frames of one sequence in their order: 0..1, a head from MotionThreshold
// on. ok is false when there is too little movement to tell, or fewer than two
// frames with a face; the score is then 0 and means nothing.
//
// Where observations have a Flow, the score is the median of what JudgeFlow
// says of those that turned enough, and nothing else is looked at. Where none
// has one, five landmarks must do, which are a weak measure: see fromLandmarks.
// A recording of a moving head on a screen has the movement of a head.
func MotionScore(obs []livenessd.Observation) (score float64, ok bool) {
	var known []float64
	followed := false
	for i := range obs {
		if obs[i].Flow == nil {
			continue
		}
		followed = true
		if m := JudgeFlow(obs[i].Flow); m.Known {
			known = append(known, m.Score)
		}
	}
	if !followed {
		return fromLandmarks(obs)
	}
	if len(known) == 0 {
		return 0, false
	}
	return middle(known), true
}

// fromLandmarks measures two things against the frame in the middle of the
// movement. How far did the nose leave the plane of the eyes and the mouth (see
// parallax)? And how much was that plane foreshortened, which a sheet that is
// turned shows as well as a head? The score compares the first, d, with what it
// is for a head that is foreshortened so much, e: d / (d + e/2), so that 0.5 is
// half of what a head shows. A sheet that is bent may have some of it; and what
// does not turn is not judged at all.
func fromLandmarks(obs []livenessd.Observation) (score float64, ok bool) {
	shapes := steady(obs)
	if len(shapes) < 2 {
		return 0, false
	}
	rest := central(shapes)
	var depth, tilt []float64
	for i := range shapes {
		p, ok := parallax(&rest, &shapes[i])
		if !ok {
			continue
		}
		depth = append(depth, math.Hypot(p.X, p.Y))
		tilt = append(tilt, foreshortening(&rest, &shapes[i]))
	}
	if len(depth) < 2 {
		return 0, false
	}
	d, t := quantile(depth, farthest), quantile(tilt, farthest)
	if d < leastDepth && t < leastTilt {
		return 0, false
	}
	// A plane that turns by a is foreshortened by 1 − cos a; the nose of a
	// head that does so leaves it by noseDepth·sin a.
	e := noseDepth * math.Sqrt(1-(1-t)*(1-t))
	return d / (d + e/2), true
}

// steady returns the largest face's landmarks, each coordinate the median of
// three frames in a row: a detector's landmarks jump for single frames.
func steady(obs []livenessd.Observation) []shape {
	var raw []shape
	for i := range obs {
		if len(obs[i].Faces) > 0 && finite(&obs[i].Faces[0].Landmarks) {
			raw = append(raw, obs[i].Faces[0].Landmarks)
		}
	}
	if len(raw) < 3 {
		return raw
	}
	out := make([]shape, len(raw))
	for i := range raw {
		first := min(max(i-1, 0), len(raw)-3)
		three := raw[first : first+3]
		for k := range out[i] {
			out[i][k].X = middle([]float64{three[0][k].X, three[1][k].X, three[2][k].X})
			out[i][k].Y = middle([]float64{three[0][k].Y, three[1][k].Y, three[2][k].Y})
		}
	}
	return out
}

func finite(s *shape) bool {
	for _, p := range s {
		if math.IsNaN(p.X+p.Y) || math.IsInf(p.X+p.Y, 0) {
			return false
		}
	}
	return true
}

// central returns the one of shapes that is nearest to their median, place and
// size left aside: where the head rests, or the middle of its way.
func central(shapes []shape) shape {
	placed := make([]shape, len(shapes))
	for i := range shapes {
		placed[i] = place(&shapes[i])
	}
	var median shape
	column := make([]float64, len(shapes))
	for k := range median {
		for i := range placed {
			column[i] = placed[i][k].X
		}
		median[k].X = middle(column)
		for i := range placed {
			column[i] = placed[i][k].Y
		}
		median[k].Y = middle(column)
	}
	best, least := 0, math.Inf(1)
	for i := range placed {
		sum := 0.0
		for k := range median {
			sum += math.Hypot(placed[i][k].X-median[k].X, placed[i][k].Y-median[k].Y)
		}
		if sum < least {
			best, least = i, sum
		}
	}
	return shapes[best]
}

// place moves s to the origin and gives it the size 1.
func place(s *shape) shape {
	var o livenessd.Point
	for _, p := range s {
		o.X, o.Y = o.X+p.X/float64(len(s)), o.Y+p.Y/float64(len(s))
	}
	size := 0.0
	for _, p := range s {
		size += math.Hypot(p.X-o.X, p.Y-o.Y)
	}
	size = max(size, 1e-9) // all in one point stay there
	var out shape
	for i, p := range s {
		out[i] = livenessd.Point{X: (p.X - o.X) / size, Y: (p.Y - o.Y) / size}
	}
	return out
}

// foreshortening returns 1 − b/a, with a and b the larger and the smaller of
// the two scales of the linear map that takes the corners of then nearest to
// those of now: 0 for what is slid, zoomed and turned in the picture.
func foreshortening(then, now *shape) float64 {
	var o, p livenessd.Point
	for _, c := range corners {
		o.X, o.Y = o.X+then[c].X/4, o.Y+then[c].Y/4
		p.X, p.Y = p.X+now[c].X/4, p.Y+now[c].Y/4
	}
	var xx, xy, yy, ux, uy, vx, vy float64 // sums of products of the two
	for _, c := range corners {
		x, y, u, v := then[c].X-o.X, then[c].Y-o.Y, now[c].X-p.X, now[c].Y-p.Y
		xx, xy, yy = xx+x*x, xy+x*y, yy+y*y
		ux, uy, vx, vy = ux+u*x, uy+u*y, vx+v*x, vy+v*y
	}
	det := xx*yy - xy*xy
	if !(det > 0) {
		return 0
	}
	// The least-squares map, and its singular values in closed form.
	a, b := (ux*yy-uy*xy)/det, (uy*xx-ux*xy)/det
	c, d := (vx*yy-vy*xy)/det, (vy*xx-vx*xy)/det
	same, other := math.Hypot(a+d, b-c), math.Hypot(a-d, b+c)
	if !(same+other > 0) {
		return 0
	}
	return 1 - math.Abs(same-other)/(same+other)
}

// quantile sorts v and returns its q-quantile, interpolated linearly.
func quantile(v []float64, q float64) float64 {
	slices.Sort(v)
	at := q * float64(len(v)-1)
	i := min(int(at), len(v)-2)
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}
