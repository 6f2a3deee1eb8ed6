package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"

	"gocv.io/x/gocv"

	"livenessd"
)

// How features are followed: windows of a quarter of the distance between the
// eyes, over four sizes of the picture, so that half that distance can be
// bridged.
const (
	trackWindow = 17
	trackLevels = 3
	trackRounds = 15
	trackFine   = 0.03 // pixels of a step that ends the search
)

// trackEnd is made once: gocv never frees one.
var trackEnd = gocv.NewTermCriteria(gocv.Count|gocv.EPS, trackRounds, trackFine)

var errNoCutout = errors.New("one of the two pictures has no face to follow")

// Track says how the face of b moved against the face of a: every place of a
// grid over the face is sought in b (pyramidal Lucas–Kanade, Bouguet 2001) and
// from there again in a. Places that OpenCV gave up are left out. The eyes are
// no part of it, because they move by themselves. It needs no network and may
// be called from several goroutines at a time.
func Track(a, b *Cutout) (*livenessd.Flow, error) {
	if a.Empty() || b.Empty() {
		return nil, errNoCutout
	}
	there, found, err := follow(a.pix, b.pix, trackGrid)
	if err != nil {
		return nil, err
	}
	back, again, err := follow(b.pix, a.pix, there)
	if err != nil {
		return nil, err
	}
	flow := &livenessd.Flow{Matches: make([]livenessd.Match, 0, len(trackGrid)), Sought: len(trackGrid), Eyes: min(a.eyes, b.eyes)}
	for i, from := range trackGrid {
		m := livenessd.Match{
			At:    livenessd.Point{X: (from.X - cutX) / cutEyes, Y: (from.Y - cutY) / cutEyes},
			Move:  livenessd.Point{X: (there[i].X - from.X) / cutEyes, Y: (there[i].Y - from.Y) / cutEyes},
			Error: math.Hypot(back[i].X-from.X, back[i].Y-from.Y) / cutEyes,
		}
		if found[i] && again[i] {
			flow.Matches = append(flow.Matches, m)
		}
	}
	return flow, nil
}

// trackGrid are the places that are followed, in pixels of a cutout: every
// eighth pixel within the oval of a face, without the eyes.
var trackGrid = func() (grid []livenessd.Point) {
	for y := -72.0; y <= 72; y += 8 {
		for x := -56.0; x <= 56; x += 8 {
			u, v := x/cutEyes, y/cutEyes
			oval := math.Hypot(u/0.95, (v+0.05)/1.15)
			eye := math.Hypot((math.Abs(u)-0.5)/0.24, (v+0.5)/0.15)
			if oval < 1 && eye >= 1 {
				grid = append(grid, livenessd.Point{X: cutX + x, Y: cutY + y})
			}
		}
	}
	return grid
}()

// follow seeks places of the cutout a in the cutout b.
func follow(a, b []byte, places []livenessd.Point) (to []livenessd.Point, found []bool, err error) {
	var mats []gocv.Mat
	defer func() {
		for i := range mats {
			mats[i].Close()
		}
	}()
	// Into OpenCV's own memory: a Mat must not point into Go's.
	mat := func(rows, cols int, kind gocv.MatType, data []byte) gocv.Mat {
		m := gocv.NewMatWithSize(rows, cols, kind)
		mats = append(mats, m)
		into, e := m.DataPtrUint8()
		if e != nil || len(into) != len(data) {
			err = fmt.Errorf("no memory for %d bytes to follow a face in: %v", len(data), e)
			return m
		}
		copy(into, data)
		return m
	}
	empty := func() gocv.Mat {
		m := gocv.NewMat()
		mats = append(mats, m)
		return m
	}
	first, second := mat(cutH, cutW, gocv.MatTypeCV8UC1, a), mat(cutH, cutW, gocv.MatTypeCV8UC1, b)
	from := mat(len(places), 1, gocv.MatTypeCV32FC2, pack(places))
	if err != nil {
		return nil, nil, err
	}
	next, status, quality := empty(), empty(), empty()
	gocv.CalcOpticalFlowPyrLKWithParams(first, second, from, next, &status, &quality,
		image.Pt(trackWindow, trackWindow), trackLevels,
		trackEnd, 0, 1e-4)
	raw, state := next.ToBytes(), status.ToBytes()
	if len(raw) != 8*len(places) || len(state) != len(places) {
		return nil, nil, fmt.Errorf("following %d places of a face gave %d bytes and %d states", len(places), len(raw), len(state))
	}
	to, found = make([]livenessd.Point, len(places)), make([]bool, len(places))
	for i := range to {
		p := livenessd.Point{X: float(raw[8*i:]), Y: float(raw[8*i+4:])}
		found[i] = state[i] != 0 && p.X > 0 && p.X < cutW && p.Y > 0 && p.Y < cutH
		if !found[i] { // may be no number: OpenCV shall not see it again
			p = places[i]
		}
		to[i] = p
	}
	return to, found, nil
}

// pack writes places as OpenCV's pairs of 32-bit floats.
func pack(places []livenessd.Point) []byte {
	out := make([]byte, 0, 8*len(places))
	for _, p := range places {
		out = binary.NativeEndian.AppendUint32(out, math.Float32bits(float32(p.X)))
		out = binary.NativeEndian.AppendUint32(out, math.Float32bits(float32(p.Y)))
	}
	return out
}

func float(b []byte) float64 {
	return float64(math.Float32frombits(binary.NativeEndian.Uint32(b)))
}
