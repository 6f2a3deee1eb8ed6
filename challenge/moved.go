package challenge

import (
	"math"

	"livenessd"
)

// leastMoved is the turn in degrees from which on a direction is told; what
// the landmarks of a head that keeps still tremble comes to less.
const leastMoved = 3.5

// Moved returns where the head of now turned against that of then, in the
// upright picture and in degrees: 360 towards its right side, 90 up, 180 left,
// 270 down; never 0. Its amount is the turn in degrees. ok is false when there
// is no face in one of them or it did not turn.
//
// Two measures are added up: the landmarks' poses, which follow far turns but
// tremble, and now.Flow against then, which is fine in small turns but lost in
// far ones. Without a Flow the poses alone must do.
func Moved(then, now *livenessd.Observation) (towards, amount float64, ok bool) {
	if len(then.Faces) == 0 || len(now.Faces) == 0 {
		return 0, 0, false
	}
	yaw, pitch := radians(now.Pose.Yaw-then.Pose.Yaw), radians(now.Pose.Pitch-then.Pose.Pitch)
	turn := lean(livenessd.Point{X: math.Sin(yaw), Y: -math.Sin(pitch)}, then.Pose.Roll)
	if now.Flow != nil {
		if m := JudgeFlow(now.Flow); m.Known {
			turn = livenessd.Point{X: (turn.X + m.Turn.X) / 2, Y: (turn.Y + m.Turn.Y) / 2}
		}
	}
	amount = degrees(math.Hypot(turn.X, turn.Y))
	if !(amount >= leastMoved) { // also what is no number
		return 0, 0, false
	}
	return direction(turn), amount, true
}

func radians(d float64) float64 { return d * math.Pi / 180 }

// lean turns p, of a head's own frame, into the picture's.
func lean(p livenessd.Point, roll float64) livenessd.Point {
	sin, cos := math.Sincos(radians(roll))
	return livenessd.Point{X: p.X*cos - p.Y*sin, Y: p.X*sin + p.Y*cos}
}

// direction is the angle of p, counted from the right upwards, in ]0, 360].
func direction(p livenessd.Point) float64 {
	d := math.Atan2(-p.Y, p.X) * 180 / math.Pi
	if d <= 0 {
		d += 360
	}
	return d
}
