package challenge

import (
	"slices"
	"time"

	"livenessd"
)

// smooth holds the last moments of a head. Landmarks of a small detector jump
// by a pixel or two from frame to frame, sometimes by ten for a frame; the
// median of a third of a second follows a head and not the jumps.
type smooth struct {
	window time.Duration
	last   []moment
}

type moment struct {
	at    time.Time
	pose  livenessd.Pose
	shape shape
}

// add takes an observation that has a face and returns the medians, each
// number by itself, of the window that ends with it.
func (s *smooth) add(o *livenessd.Observation) (livenessd.Pose, shape) {
	s.last = append(s.last, moment{o.At, o.Pose, o.Faces[0].Landmarks})
	old := 0
	for old < len(s.last)-1 && o.At.Sub(s.last[old].at) > s.window {
		old++
	}
	s.last = slices.Delete(s.last, 0, old)
	pose := livenessd.Pose{
		Yaw:   s.median(func(m *moment) float64 { return m.pose.Yaw }),
		Pitch: s.median(func(m *moment) float64 { return m.pose.Pitch }),
		Roll:  s.median(func(m *moment) float64 { return m.pose.Roll }),
	}
	var sh shape
	for i := range sh {
		sh[i].X = s.median(func(m *moment) float64 { return m.shape[i].X })
		sh[i].Y = s.median(func(m *moment) float64 { return m.shape[i].Y })
	}
	return pose, sh
}

func (s *smooth) median(of func(*moment) float64) float64 {
	v := make([]float64, len(s.last))
	for i := range s.last {
		v[i] = of(&s.last[i])
	}
	return middle(v)
}

// middle sorts v and returns its median, the mean of the two middle ones when
// there are two.
func middle(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
