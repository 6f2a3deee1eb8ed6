package pipeline

import (
	"image"
	"math"

	"gocv.io/x/gocv"

	"livenessd"
)

// patch is what the light on the inner face is judged by: forehead to chin,
// temple to temple, sampled to at most patchSide pixels a side.
type patch struct {
	mean       float64 // of luminance (BT.601), 0..255
	deviation  float64 // standard deviation of luminance
	entropy    float64 // of the histogram of luminance, in bits, 0..8
	under      float64 // fraction of pixels with luminance 0..25
	over       float64 // fraction of pixels with luminance 247..255
	uniformity float64 // common part of the histograms of both halves, 0..1
	sharpness  float64 // mean square of the Laplacian over four times the variance of luminance
	colour     float64 // distance of the mean colour from those of skin in CIELAB, 0 inside
}

// patchSide bounds the samples, so that a near face and a far one are judged at
// about the same scale.
const patchSide = 96

// samplePatch measures f in pic. A face that lies outside the picture gives
// the zero patch, which no limit lets pass.
func samplePatch(pic *picture, f livenessd.Face) patch {
	return sample(pic, innerFace(f))
}

// sampleAll measures the whole of pic.
func sampleAll(pic *picture) patch { return sample(pic, image.Rect(0, 0, pic.w, pic.h)) }

func sample(pic *picture, part image.Rectangle) patch {
	r := part.Intersect(image.Rect(0, 0, pic.w, pic.h))
	if r.Dx() < 8 || r.Dy() < 8 {
		return patch{}
	}
	scale := min(1, float64(patchSide)/float64(max(r.Dx(), r.Dy())))
	w, h := max(int(float64(r.Dx())*scale), 4), max(int(float64(r.Dy())*scale), 4)
	small, err := pic.crop(r, w, h, gocv.InterpolationArea)
	if err != nil {
		return patch{}
	}
	defer small.close()
	return measure(small.pix, w, h)
}

// innerFace is the part of a face that is mostly skin, found by its landmarks:
// 0.85 eye distances to both sides of the face's middle line, from half an eye
// distance above the eyes to as much below the mouth as a lip is high.
func innerFace(f livenessd.Face) image.Rectangle {
	r, l := f.Landmarks[livenessd.RightEye], f.Landmarks[livenessd.LeftEye]
	rm, lm := f.Landmarks[livenessd.RightMouth], f.Landmarks[livenessd.LeftMouth]
	eyesX, eyesY := (r.X+l.X)/2, (r.Y+l.Y)/2
	mouthX, mouthY := (rm.X+lm.X)/2, (rm.Y+lm.Y)/2
	// In a turned head the eyes are near each other and the mouth still far.
	unit := max(eyeDistance(f), 0.9*math.Hypot(mouthX-eyesX, mouthY-eyesY))
	x := (eyesX + mouthX) / 2
	return image.Rect(round(x-0.85*unit), round(min(eyesY, mouthY)-0.5*unit), round(x+0.85*unit), round(max(eyesY, mouthY)+0.3*unit))
}

func round(v float64) int { return int(math.Round(v)) }

// measure computes a patch of w×h BGR pixels, at least 4 each way.
func measure(bgr []byte, w, h int) patch {
	grey := make([]float64, w*h)
	var all [256]int
	var halves [2][256]float64
	var sumB, sumG, sumR float64
	for i := range grey {
		b, g, r := float64(bgr[3*i]), float64(bgr[3*i+1]), float64(bgr[3*i+2])
		sumB, sumG, sumR = sumB+b, sumG+g, sumR+r
		grey[i] = 0.299*r + 0.587*g + 0.114*b // BT.601
		v := min(round(grey[i]), 255)
		all[v]++
		if x := i % w; x < w/2 {
			halves[0][v]++
		} else if x >= w-w/2 {
			halves[1][v]++
		}
	}
	n := float64(len(grey))
	var p patch
	p.mean = (0.299*sumR + 0.587*sumG + 0.114*sumB) / n
	for v, c := range all {
		d := float64(v) - p.mean
		p.deviation += d * d * float64(c) / n
		if c > 0 {
			q := float64(c) / n
			p.entropy -= q * math.Log2(q)
		}
		if v <= 25 {
			p.under += float64(c) / n
		}
		if v >= 247 {
			p.over += float64(c) / n
		}
	}
	p.deviation = math.Sqrt(p.deviation)
	p.uniformity = overlap(halves[0], halves[1])
	p.sharpness = sharpness(grey, w, h, p.deviation)
	p.colour = skinDistance(sumR/n, sumG/n, sumB/n)
	return p
}

// overlap returns the common part of two histograms, 0..1, each widened by a
// few values first so that a slight shift is not taken for another light.
func overlap(a, b [256]float64) float64 {
	na, nb, common := 0.0, 0.0, 0.0
	for v := range a {
		na, nb = na+a[v], nb+b[v]
	}
	if na == 0 || nb == 0 {
		return 0
	}
	for v := 0; v < 256; v += 16 {
		ca, cb := 0.0, 0.0
		for i := v; i < v+16; i++ {
			ca, cb = ca+a[i], cb+b[i]
		}
		common += min(ca/na, cb/nb)
	}
	return common
}

// sharpness relates the energy of fine structure to that of all structure:
// blur takes the first away and leaves the second, contrast scales both.
func sharpness(grey []float64, w, h int, deviation float64) float64 {
	if deviation < 1 {
		return 0
	}
	soft := soften(grey, w, h) // so that a dark picture's noise is not taken for detail
	sum, n := 0.0, 0
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			i := y*w + x
			l := soft[i-1] + soft[i+1] + soft[i-w] + soft[i+w] - 4*soft[i]
			sum += l * l
			n++
		}
	}
	return sum / float64(n) / (4 * deviation * deviation)
}

// soften is a 3×3 binomial filter; the outermost pixels stay.
func soften(grey []float64, w, h int) []float64 {
	out := append([]float64(nil), grey...)
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			i := y*w + x
			out[i] = (4*grey[i] + 2*(grey[i-1]+grey[i+1]+grey[i-w]+grey[i+w]) +
				grey[i-w-1] + grey[i-w+1] + grey[i+w-1] + grey[i+w+1]) / 16
		}
	}
	return out
}

// skinDistance returns how far a colour (sRGB, 0..255) is from those of skin
// under white light in CIELAB: a* 5..25, b* 5..35, the ranges that ISO/IEC
// 29794-5 uses for natural colour.
func skinDistance(r, g, b float64) float64 {
	A, B := labAB(r, g, b)
	out := func(v, lo, hi float64) float64 { return max(lo-v, v-hi, 0) }
	return math.Hypot(out(A, 5, 25), out(B, 5, 35))
}

// labAB returns a* and b* of an sRGB colour under D65 (IEC 61966-2-1, CIE 15).
func labAB(r, g, b float64) (float64, float64) {
	linear := func(v float64) float64 {
		v /= 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	R, G, B := linear(r), linear(g), linear(b)
	x := f((0.4124*R + 0.3576*G + 0.1805*B) / 0.9505)
	y := f(0.2126*R + 0.7152*G + 0.0722*B)
	z := f((0.0193*R + 0.1192*G + 0.9505*B) / 1.089)
	return 500 * (x - y), 200 * (y - z)
}
