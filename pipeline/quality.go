package pipeline

import (
	"fmt"
	"math"

	"livenessd"
)

// Quality holds the limits beyond which a picture is not good enough, each in
// the unit of the measure it belongs to (see the functions of quality.go).
// They are wide on purpose: they keep out what cannot be judged, not what is
// not beautiful.
type Quality struct {
	MinEyes      float64 // pixels between the eyes
	MinHead      float64 // height of the face over height of the picture
	MaxHead      float64 //
	MaxOffCentre float64 // see FacePosition
	MinMargin    float64 // of the face's width or height between it and the edge; negative: so much may be outside
	MaxYaw       float64 // degrees either way
	MaxPitch     float64
	MaxRoll      float64
	SecondFace   float64 // width of a second face over the first's from which on it counts
	MinSharpness float64 // see Sharpness
	MinLuminance float64 // 0..255
	MaxLuminance float64
	MaxUnder     float64 // fraction of skin that is nearly black
	MaxOver      float64 // fraction of skin that is nearly white
	MinEntropy   float64 // bits, see DynamicRange
	MinContrast  float64 // standard deviation of luminance, 0..255

	// Probabilities of what hides a face; 1 never refuses. A network may bring
	// limits of its own, models.Spec.Thresholds, which hold instead.
	MaxSunglasses float64
	MaxMask       float64
	MaxOcclusion  float64
}

// DefaultQuality returns limits that let ordinary people at an ordinary webcam
// pass: of 581 pictures of live people at 640×480 (NUAA) and 600 at 320×240
// (Replay-Attack) none fails any of them. Where they stand, and why:
//
//   - MinEyes 32: the smallest live face at 320×240 has 34. Texture networks
//     see a face of about 80 pixels, which is what 32 makes.
//   - MinHead 0.15, MaxHead 0.9: beyond, the lens is too far or the texture
//     networks' surroundings of the face are missing.
//   - SecondFace 0.55: at half the width somebody stands at twice the distance;
//     0.35 would void 9 % of the NUAA pictures for people in the background.
//   - MinSharpness 0.001: live pictures have 0.0024 and more; blurred by a
//     Gaussian of 4.5 % of the eye distance, all fall below.
//   - Luminance and exposure: skin of any colour that can be made out. Live
//     skin was seen from 42 to 169.
//   - MaxSunglasses, MaxMask 0.8: the network is sure. MaxOcclusion 1: hands,
//     hair and scarves are reported, and refuse nobody.
func DefaultQuality() Quality {
	return Quality{
		MinEyes: 32, MinHead: 0.15, MaxHead: 0.9, MaxOffCentre: 0.28, MinMargin: -0.05,
		MaxYaw: 25, MaxPitch: 22, MaxRoll: 20, SecondFace: 0.55,
		MinSharpness: 0.001, MinLuminance: 28, MaxLuminance: 225, MaxUnder: 0.55, MaxOver: 0.25,
		MinEntropy: 4, MinContrast: 6,
		MaxSunglasses: 0.8, MaxMask: 0.8, MaxOcclusion: 1,
	}
}

func (q Quality) check() error {
	for _, f := range []struct {
		name        string
		v, min, max float64
	}{
		{"min eyes", q.MinEyes, 1, 1000}, {"min head", q.MinHead, 0, 1}, {"max head", q.MaxHead, q.MinHead, 2},
		{"max off centre", q.MaxOffCentre, 0.01, 1}, {"min margin", q.MinMargin, -1, 1},
		{"max yaw", q.MaxYaw, 1, 90}, {"max pitch", q.MaxPitch, 1, 90}, {"max roll", q.MaxRoll, 1, 180},
		{"second face", q.SecondFace, 0.01, 1}, {"min sharpness", q.MinSharpness, 0, 1},
		{"min luminance", q.MinLuminance, 0, 255}, {"max luminance", q.MaxLuminance, q.MinLuminance, 255},
		{"max under", q.MaxUnder, 0, 1}, {"max over", q.MaxOver, 0, 1},
		{"min entropy", q.MinEntropy, 0, 8}, {"min contrast", q.MinContrast, 0, 128},
		{"max sunglasses", q.MaxSunglasses, 0, 1}, {"max mask", q.MaxMask, 0, 1}, {"max occlusion", q.MaxOcclusion, 0, 1},
	} {
		if !(f.v >= f.min && f.v <= f.max) {
			return fmt.Errorf("%w: quality: %s is %v, want %v to %v", livenessd.ErrInvalid, f.name, f.v, f.min, f.max)
		}
	}
	return nil
}

// scene is what quality is judged from.
type scene struct {
	width, height int
	faces         []livenessd.Face // largest first, at least one
	pose          livenessd.Pose   // of faces[0]
	skin          patch            // of faces[0]
}

// withoutFace judges a picture in which no face was found. all is of the whole
// picture: where it is dark or glaring as a whole, that is why.
func (q Quality) withoutFace(all patch) []livenessd.Measure {
	return []livenessd.Measure{
		{Name: livenessd.SingleFacePresent, Reason: livenessd.NoFace},
		q.luminance(all),
	}
}

// judge measures faces[0], geometry first: a person who stands wrong is told
// so before the light is blamed.
func (q Quality) judge(s scene) []livenessd.Measure {
	f := s.faces[0]
	ms := []livenessd.Measure{q.singleFace(s.faces)}
	ms = append(ms, q.distance(f, s.height)...)
	ms = append(ms, q.position(f.Box, s.width, s.height))
	ms = append(ms, q.margins(f.Box, s.width, s.height)...)
	ms = append(ms, q.headPose(s.pose)...)
	return append(ms, q.light(s.skin)...)
}

// singleFace: Value is the width of the second largest face over the first's,
// 0 without one. Passers-by in the background do not count.
func (q Quality) singleFace(faces []livenessd.Face) livenessd.Measure {
	second := 0.0
	for _, f := range faces[1:] {
		second = max(second, f.Box.W/faces[0].Box.W)
	}
	return atMost(livenessd.SingleFacePresent, second, 0, 1, q.SecondFace, livenessd.SeveralFaces)
}

// distance: InterEyeDistance in pixels as it is seen, HeadSize as height of
// the face box over height of the picture.
func (q Quality) distance(f livenessd.Face, height int) []livenessd.Measure {
	size := f.Box.H / float64(height)
	eyes := atLeast(livenessd.InterEyeDistance, eyeDistance(f), 0, 90, q.MinEyes, livenessd.TooFar)
	head := livenessd.Measure{Name: livenessd.HeadSize, Value: size}
	// Best in the middle of what is allowed, on a logarithmic scale.
	middle := math.Sqrt(max(q.MinHead, 0.01) * q.MaxHead)
	head.Score = percent(1 - math.Abs(math.Log(size/middle))/math.Log(2*q.MaxHead/middle))
	switch {
	case size < q.MinHead:
		head.Reason = livenessd.TooFar
	case size > q.MaxHead:
		head.Reason = livenessd.TooNear
	}
	return []livenessd.Measure{eyes, head}
}

// position: Value is how far the middle of the face is from the middle of the
// picture, over the picture's width or height, the larger of the two.
func (q Quality) position(box livenessd.Rect, width, height int) livenessd.Measure {
	c := box.Center()
	off := max(math.Abs(c.X/float64(width)-0.5), math.Abs(c.Y/float64(height)-0.5))
	return atMost(livenessd.FacePosition, off, 0, 0.5, q.MaxOffCentre, livenessd.OffCentre)
}

// margins: Value is the room between the face and an edge of the picture, over
// the face's width (sides) or height (above and below); negative when part of
// the face is outside.
func (q Quality) margins(b livenessd.Rect, width, height int) []livenessd.Measure {
	of := func(name string, room float64) livenessd.Measure {
		return atLeast(name, room, -0.25, 0.25, q.MinMargin, livenessd.Cropped)
	}
	return []livenessd.Measure{
		of(livenessd.LeftwardCrop, b.X/b.W),
		of(livenessd.RightwardCrop, (float64(width)-b.X-b.W)/b.W),
		of(livenessd.MarginAbove, b.Y/b.H),
		of(livenessd.MarginBelow, (float64(height)-b.Y-b.H)/b.H),
	}
}

// headPose: Value in degrees; Score is 100·cos², as ISO/IEC 29794-5 has it.
func (q Quality) headPose(p livenessd.Pose) []livenessd.Measure {
	of := func(name string, deg, limit float64) livenessd.Measure {
		c := max(math.Cos(deg*math.Pi/180), 0)
		m := livenessd.Measure{Name: name, Value: deg, Score: percent(c * c)}
		if !(math.Abs(deg) <= limit) {
			m.Reason = livenessd.NotFrontal
		}
		return m
	}
	return []livenessd.Measure{
		of(livenessd.HeadPoseYaw, p.Yaw, q.MaxYaw),
		of(livenessd.HeadPosePitch, p.Pitch, q.MaxPitch),
		of(livenessd.HeadPoseRoll, p.Roll, q.MaxRoll),
	}
}

// light judges the skin: see patch for what the values are.
func (q Quality) light(s patch) []livenessd.Measure {
	return []livenessd.Measure{
		atLeast(livenessd.Sharpness, s.sharpness, 0, 8*q.MinSharpness, q.MinSharpness, livenessd.Blurred),
		q.luminance(s),
		atMost(livenessd.UnderExposure, s.under, 0, 1, q.MaxUnder, livenessd.TooDark),
		atMost(livenessd.OverExposure, s.over, 0, 1, q.MaxOver, livenessd.TooBright),
		atLeast(livenessd.DynamicRange, s.entropy, 0, 8, q.MinEntropy, livenessd.LowContrast),
		atLeast(livenessd.LuminanceVariance, s.deviation, 0, 50, q.MinContrast, livenessd.LowContrast),
		{Name: livenessd.IlluminationUniformity, Value: s.uniformity, Score: percent(s.uniformity)},
		{Name: livenessd.NaturalColour, Value: s.colour, Score: percent(1 - s.colour/50)},
	}
}

func (q Quality) luminance(s patch) livenessd.Measure {
	mean := livenessd.Measure{Name: livenessd.LuminanceMean, Value: s.mean}
	// Full marks over the wide middle, where skin of any colour lies.
	mean.Score = percent(min(s.mean/80, (255-s.mean)/60, 1))
	switch {
	case s.mean < q.MinLuminance:
		mean.Reason = livenessd.TooDark
	case s.mean > q.MaxLuminance:
		mean.Reason = livenessd.TooBright
	}
	return mean
}

// atLeast is a measure whose value must reach limit; Score goes from 0 at
// worst to 100 at best.
func atLeast(name string, v, worst, best, limit float64, why livenessd.Reason) livenessd.Measure {
	m := livenessd.Measure{Name: name, Value: v, Score: percent((v - worst) / (best - worst))}
	if !(v >= limit) {
		m.Reason = why
	}
	return m
}

// atMost is a measure whose value must not pass limit; Score goes from 100 at
// best to 0 at worst.
func atMost(name string, v, best, worst, limit float64, why livenessd.Reason) livenessd.Measure {
	m := livenessd.Measure{Name: name, Value: v, Score: percent((worst - v) / (worst - best))}
	if !(v <= limit) {
		m.Reason = why
	}
	return m
}

// percent turns 0..1 into 0..100, clamped; what is not a number is 0.
func percent(v float64) float64 {
	if v > 0 {
		return 100 * min(v, 1)
	}
	return 0
}
