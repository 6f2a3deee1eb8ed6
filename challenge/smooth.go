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
	at         time.Time
	pose       livenessd.Pose // by the landmarks
	yaw, pitch float64        // how far the head turned, in degrees
	shape      shape
}

// add takes a moment and returns the medians, each number by itself, of the
// window that ends with it.
func (s *smooth) add(now moment) moment {
	s.last = append(s.last, now)
	old := 0
	for old < len(s.last)-1 && now.at.Sub(s.last[old].at) > s.window {
		old++
	}
	s.last = slices.Delete(s.last, 0, old)
	poses := make([]livenessd.Pose, len(s.last))
	for i := range s.last {
		poses[i] = s.last[i].pose
	}
	now.pose = median(poses)
	now.yaw = s.middle(func(m *moment) float64 { return m.yaw })
	now.pitch = s.middle(func(m *moment) float64 { return m.pitch })
	for i := range now.shape {
		now.shape[i].X = s.middle(func(m *moment) float64 { return m.shape[i].X })
		now.shape[i].Y = s.middle(func(m *moment) float64 { return m.shape[i].Y })
	}
	return now
}

func (s *smooth) middle(of func(*moment) float64) float64 {
	v := make([]float64, len(s.last))
	for i := range s.last {
		v[i] = of(&s.last[i])
	}
	return middle(v)
}

// median returns the pose whose every angle is the median of those of ps.
func median(ps []livenessd.Pose) livenessd.Pose {
	var yaw, pitch, roll []float64
	for _, p := range ps {
		yaw, pitch, roll = append(yaw, p.Yaw), append(pitch, p.Pitch), append(roll, p.Roll)
	}
	return livenessd.Pose{Yaw: middle(yaw), Pitch: middle(pitch), Roll: middle(roll)}
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
