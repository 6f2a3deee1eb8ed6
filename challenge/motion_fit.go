package challenge

import (
	"math"

	"livenessd"
)

// What this file holds was fitted by fit/fit.py; fit/README.md says from
// what, and what they say of people that were left out.

// headDepths is how far an average head stands out, in eye distances less a
// plane, every 2/15 of the distance between the eyes: rows from the forehead
// down, columns from the middle outwards, the same to both sides. It is the
// shape that explains best, as one factor, how the faces of people in clips
// and at webcams moved when they turned their heads.
var headDepths = [19][8]float64{
	{0.043, 0.039, 0.020, 0.010, -0.013, -0.049, -0.049, -0.105},
	{0.045, 0.035, 0.019, -0.018, -0.013, -0.049, -0.060, -0.111},
	{0.059, 0.059, 0.045, 0.003, -0.056, -0.055, -0.111, -0.134},
	{0.059, 0.066, 0.054, 0.021, -0.042, -0.124, -0.131, -0.177},
	{0.057, 0.056, 0.024, -0.025, -0.080, -0.136, -0.221, -0.177},
	{0.072, 0.064, 0.043, -0.014, -0.071, -0.166, -0.225, -0.202},
	{0.094, 0.076, 0.027, 0.025, -0.046, -0.146, -0.225, -0.261},
	{0.128, 0.108, 0.076, 0.030, -0.032, -0.100, -0.227, -0.252},
	{0.185, 0.178, 0.135, 0.091, 0.031, -0.062, -0.189, -0.368},
	{0.248, 0.234, 0.192, 0.129, 0.055, -0.043, -0.184, -0.372},
	{0.276, 0.256, 0.211, 0.139, 0.061, -0.074, -0.212, -0.346},
	{0.276, 0.256, 0.216, 0.145, 0.046, -0.089, -0.225, -0.243},
	{0.248, 0.235, 0.170, 0.095, -0.006, -0.109, -0.190, -0.238},
	{0.179, 0.161, 0.108, 0.043, -0.045, -0.133, -0.192, -0.185},
	{0.118, 0.110, 0.060, 0.004, -0.075, -0.162, -0.169, -0.169},
	{0.039, 0.037, 0.005, -0.044, -0.140, -0.127, -0.157, -0.157},
	{-0.044, -0.048, -0.084, -0.134, -0.098, -0.128, -0.142, -0.157},
	{-0.087, -0.102, -0.092, -0.091, -0.101, -0.120, -0.128, -0.157},
	{-0.084, -0.070, -0.092, -0.092, -0.101, -0.101, -0.120, -0.128},
}

// headDepth returns the depth at p, interpolated between four places; outside
// the table its edge goes on.
func headDepth(p livenessd.Point) float64 {
	x := min(math.Abs(p.X)*7.5, float64(len(headDepths[0])-1))
	y := min(max(p.Y*7.5+9, 0), float64(len(headDepths)-1))
	i, j := min(int(x), len(headDepths[0])-2), min(int(y), len(headDepths)-2)
	u, v := x-float64(i), y-float64(j)
	top := headDepths[j][i] + u*(headDepths[j][i+1]-headDepths[j][i])
	low := headDepths[j+1][i] + u*(headDepths[j+1][i+1]-headDepths[j+1][i])
	return top + v*(low-top)
}

const traitCount = 11

// traitWeights and traitBias are a logistic regression on pairs of pictures:
// people in clips and at webcams who turned by 3 degrees or more, half of them
// made small, noisy and blurred, against photographs moved by hand and stills
// warped as sheets that are slid, zoomed, tilted and bent. Both sides weigh
// the same.
var traitWeights = [traitCount]float64{
	0.9362,
	-1.9801,
	-2.8651,
	3.0002,
	7.1692,
	2.7868,
	1.7558,
	1.9745,
	31.3039,
	1.2341,
	1.1965,
}

const traitBias = 23.9974
