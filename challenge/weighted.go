package challenge

import "livenessd"

// WeightedScore is the mean of frames' texture scores in which a better
// picture counts more. The zero value holds no frame.
type WeightedScore struct{ sum, weights float64 }

// Add takes the texture score of o, which must have one, with the weight of
// its worst measure of quality, and returns the score as it was taken, and its
// weight, more than 0: what is no probability is taken as 0, because it is not a
// yes.
func (s *WeightedScore) Add(o *livenessd.Observation) (v, w float64) {
	v = o.Texture.Value
	if !(v >= 0 && v <= 1) {
		v = 0
	}
	w = max(worst(o.Quality)/100, 0.05) // a poor frame counts little, not nothing
	s.sum += v * w
	s.weights += w
	return v, w
}

// Value returns the mean, 0..1, and 0 before the first frame.
func (s *WeightedScore) Value() float64 {
	if s.weights == 0 {
		return 0
	}
	return s.sum / s.weights
}
