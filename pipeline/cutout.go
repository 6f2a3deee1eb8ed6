package pipeline

import (
	"math"

	"livenessd"
)

// A Cutout is one face cut out of its picture, upright, grey and always of the
// same size, so that what is left between two of them is the movement of the
// face's surface. It lives in memory only, for as long as somebody compares
// with it; the zero Cutout holds no face. Nobody writes to it once it is made.
type Cutout struct {
	pix  []byte  // cutW×cutH, contrast made even
	eyes float64 // pixels between the eyes of headModel, in the picture
}

// Empty reports whether c holds no face.
func (c *Cutout) Empty() bool { return len(c.pix) == 0 }

const (
	cutW, cutH = 144, 176
	cutX, cutY = 72, 84 // where the middle between eyes and mouth lies
	cutEyes    = 60     // pixels between the eyes of headModel: twice what a kiosk's smallest face has

	// minCutEyes and maxCutEyes bound the size of a face that is cut out, in
	// pixels of the picture: below there is nothing to follow, above are
	// landmarks that belong to no face.
	minCutEyes, maxCutEyes = 16, 8192

	// cutSamples bounds the samples a pixel of the cutout, each way.
	cutSamples = 8

	evenReach = 12 // pixels around each one whose mean and contrast are made even
)

// placed maps the cutout to the picture: x' = a·x − b·y + x0, y' = b·x + a·y + y0.
type placed struct{ a, b, x0, y0 float64 }

// placeCutout returns where the face with these landmarks lies: the similarity
// that takes headModel's eyes and mouth to them, by least squares. The nose is
// left out: it is what moves. ok is false where no face can be.
func placeCutout(lm *[livenessd.Landmarks]livenessd.Point) (p placed, ok bool) {
	corners := [4]livenessd.Landmark{livenessd.RightEye, livenessd.LeftEye, livenessd.RightMouth, livenessd.LeftMouth}
	var from [4]livenessd.Point
	var o, q livenessd.Point // the means
	for i, c := range corners {
		from[i] = livenessd.Point{X: cutX + cutEyes*headModel[c][0], Y: cutY + cutEyes*(headModel[c][1]-0.5)}
		o.X, o.Y = o.X+from[i].X/4, o.Y+from[i].Y/4
		q.X, q.Y = q.X+lm[c].X/4, q.Y+lm[c].Y/4
	}
	var n float64
	for i, c := range corners {
		x, y, u, v := from[i].X-o.X, from[i].Y-o.Y, lm[c].X-q.X, lm[c].Y-q.Y
		n += x*x + y*y
		p.a += x*u + y*v
		p.b += x*v - y*u
	}
	p.a, p.b = p.a/n, p.b/n
	p.x0, p.y0 = q.X-p.a*o.X+p.b*o.Y, q.Y-p.b*o.X-p.a*o.Y
	eyes := cutEyes * math.Hypot(p.a, p.b)
	ok = eyes >= minCutEyes && eyes <= maxCutEyes && // also refuses what is no number
		math.Abs(p.x0) < 1e6 && math.Abs(p.y0) < 1e6
	return p, ok
}

// cutOut cuts the face with these landmarks out of pic. Beyond the picture its
// edge goes on.
func cutOut(pic *picture, lm *[livenessd.Landmarks]livenessd.Point) Cutout {
	p, ok := placeCutout(lm)
	if !ok {
		return Cutout{}
	}
	// So many samples a pixel that no pixel of the picture is left out, which
	// would shimmer.
	n := min(max(int(math.Round(math.Hypot(p.a, p.b))), 1), cutSamples)
	grey := make([]float32, cutW*cutH)
	share := 1 / float32(n*n)
	stepX, stepY := p.a/float64(n), p.b/float64(n)
	for line := range cutH * n {
		row := grey[line/n*cutW : (line/n+1)*cutW]
		// Where the line's first sample lies in the cutout, and in the picture.
		fx, fy := (0.5/float64(n))-0.5, (float64(line)+0.5)/float64(n)-0.5
		x, y := p.a*fx-p.b*fy+p.x0, p.b*fx+p.a*fy+p.y0
		for at := range row {
			var sum float32
			for range n {
				sum += sampleGrey(pic, x, y)
				x, y = x+stepX, y+stepY
			}
			row[at] += sum * share
		}
	}
	return Cutout{pix: even(grey), eyes: cutEyes * math.Hypot(p.a, p.b)}
}

// sampleGrey returns the luma at x, y, interpolated between the four pixels
// around it (ITU-R BT.601).
func sampleGrey(pic *picture, x, y float64) float32 {
	x, y = min(max(x, 0), float64(pic.w-1)), min(max(y, 0), float64(pic.h-1))
	x0, y0 := int(x), int(y)
	right, below := 3, 3*pic.w
	if x0 == pic.w-1 {
		right = 0
	}
	if y0 == pic.h-1 {
		below = 0
	}
	at := 3 * (y0*pic.w + x0)
	u, v := float32(x-float64(x0)), float32(y-float64(y0))
	first, second := luma(pic.pix[at:]), luma(pic.pix[at+right:])
	third, fourth := luma(pic.pix[at+below:]), luma(pic.pix[at+below+right:])
	top, low := first+u*(second-first), third+u*(fourth-third)
	return top + v*(low-top)
}

// luma is that of the pixel that bgr begins with.
func luma(bgr []byte) float32 {
	_ = bgr[2]
	return float32(29*int32(bgr[0])+150*int32(bgr[1])+77*int32(bgr[2])) / 256
}

// even gives every place the same mean and contrast over its neighbourhood:
// shadows do not move with the skin, and between two pictures the light
// changes. Sums over squares come from running sums of rows and columns.
func even(grey []float32) []byte {
	const w = cutW + 1
	sum, square := make([]float64, w*(cutH+1)), make([]float64, w*(cutH+1))
	for y := range cutH {
		var s, q float64
		for x := range cutW {
			g := float64(grey[y*cutW+x])
			s, q = s+g, q+g*g
			at := (y+1)*w + x + 1
			sum[at], square[at] = sum[at-w]+s, square[at-w]+q
		}
	}
	out := make([]byte, cutW*cutH)
	for y := range cutH {
		t, b := max(y-evenReach, 0)*w, min(y+evenReach+1, cutH)*w
		for x := range cutW {
			l, r := max(x-evenReach, 0), min(x+evenReach+1, cutW)
			n := float64((b - t) / w * (r - l))
			mean := (sum[b+r] - sum[b+l] - sum[t+r] + sum[t+l]) / n
			spread := math.Sqrt(max((square[b+r]-square[b+l]-square[t+r]+square[t+l])/n-mean*mean, 0))
			// 6 grey levels: noise alone stays faint.
			v := 128 + 40*(float64(grey[y*cutW+x])-mean)/(spread+6)
			out[y*cutW+x] = byte(min(max(math.Round(v), 0), 255))
		}
	}
	return out
}
