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
	{0.026, 0.025, 0.009, 0.000, -0.018, -0.048, -0.048, -0.098},
	{0.025, 0.017, 0.009, -0.027, -0.018, -0.048, -0.057, -0.100},
	{0.045, 0.047, 0.038, 0.001, -0.056, -0.050, -0.100, -0.122},
	{0.054, 0.064, 0.056, 0.024, -0.034, -0.112, -0.117, -0.160},
	{0.058, 0.058, 0.030, -0.018, -0.067, -0.121, -0.200, -0.160},
	{0.072, 0.065, 0.046, -0.006, -0.060, -0.148, -0.206, -0.183},
	{0.090, 0.074, 0.031, 0.026, -0.042, -0.134, -0.204, -0.241},
	{0.122, 0.107, 0.077, 0.028, -0.030, -0.097, -0.212, -0.239},
	{0.181, 0.175, 0.132, 0.087, 0.020, -0.069, -0.198, -0.341},
	{0.239, 0.226, 0.183, 0.113, 0.036, -0.059, -0.185, -0.325},
	{0.265, 0.246, 0.204, 0.130, 0.038, -0.083, -0.197, -0.317},
	{0.268, 0.247, 0.209, 0.135, 0.038, -0.094, -0.211, -0.230},
	{0.239, 0.226, 0.167, 0.094, -0.002, -0.099, -0.195, -0.226},
	{0.178, 0.157, 0.099, 0.041, -0.039, -0.122, -0.181, -0.177},
	{0.113, 0.103, 0.055, 0.005, -0.072, -0.162, -0.165, -0.165},
	{0.033, 0.032, 0.004, -0.044, -0.131, -0.122, -0.149, -0.149},
	{-0.028, -0.038, -0.081, -0.138, -0.096, -0.126, -0.136, -0.149},
	{-0.082, -0.101, -0.090, -0.091, -0.098, -0.119, -0.126, -0.153},
	{-0.078, -0.062, -0.090, -0.090, -0.098, -0.098, -0.119, -0.126},
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
	0.8700,
	-2.1599,
	-3.2151,
	0.4824,
	16.3907,
	2.0723,
	1.4644,
	-0.9947,
	24.3016,
	2.5106,
	1.6153,
}

const traitBias = 26.2280
