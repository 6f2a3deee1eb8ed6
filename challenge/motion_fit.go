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
	{0.035, 0.037, 0.020, 0.010, -0.014, -0.049, -0.049, -0.103},
	{0.026, 0.036, 0.020, -0.026, -0.014, -0.049, -0.060, -0.105},
	{0.044, 0.064, 0.050, 0.011, -0.061, -0.051, -0.105, -0.127},
	{0.065, 0.073, 0.061, 0.027, -0.035, -0.119, -0.121, -0.165},
	{0.071, 0.064, 0.037, -0.014, -0.070, -0.124, -0.206, -0.165},
	{0.087, 0.072, 0.053, -0.002, -0.061, -0.153, -0.212, -0.186},
	{0.103, 0.085, 0.040, 0.019, -0.058, -0.148, -0.204, -0.241},
	{0.150, 0.128, 0.075, 0.016, -0.053, -0.124, -0.219, -0.238},
	{0.222, 0.208, 0.152, 0.067, -0.008, -0.105, -0.200, -0.330},
	{0.265, 0.250, 0.205, 0.109, 0.017, -0.090, -0.189, -0.351},
	{0.289, 0.267, 0.224, 0.133, 0.016, -0.110, -0.216, -0.363},
	{0.285, 0.265, 0.226, 0.139, 0.014, -0.116, -0.241, -0.271},
	{0.255, 0.240, 0.183, 0.103, -0.010, -0.116, -0.265, -0.292},
	{0.200, 0.177, 0.111, 0.033, -0.053, -0.160, -0.300, -0.241},
	{0.139, 0.121, 0.063, -0.001, -0.080, -0.189, -0.229, -0.229},
	{0.072, 0.054, 0.011, -0.048, -0.125, -0.139, -0.194, -0.194},
	{0.006, -0.012, -0.049, -0.115, -0.092, -0.128, -0.174, -0.194},
	{-0.042, -0.056, -0.058, -0.067, -0.084, -0.119, -0.128, -0.183},
	{-0.037, -0.026, -0.058, -0.058, -0.084, -0.084, -0.119, -0.128},
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

const traitCount = 9

// traitWeights and traitBias are a logistic regression on pairs of pictures:
// people in clips and at webcams who turned by 3 degrees or more, half of them
// made small, noisy and blurred, against photographs moved by hand and stills
// warped as sheets that are slid, zoomed, tilted, bent and folded. Both sides
// weigh the same.
var traitWeights = [traitCount]float64{
	-2.2874,
	-3.5118,
	9.0628,
	-0.3345,
	13.5438,
	2.3963,
	2.3559,
	-4.7982,
	4.9110,
}

const traitBias = 34.9825
