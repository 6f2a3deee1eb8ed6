package capture

import (
	"cmp"
	"slices"

	"livenessd"
)

// preference orders the formats we can use. MJPEG needs the least of the bus
// and so keeps its frame rate beside other devices; grey pictures lack what
// the texture networks look at.
var preference = []livenessd.PixelFormat{livenessd.MJPEG, livenessd.YUYV, livenessd.NV12, livenessd.GREY}

// mode is one way a camera can be run.
type mode struct {
	format        livenessd.PixelFormat
	width, height int     // pixels
	fps           float64 // fastest, 0 when the driver does not say
}

// want is what the operator asked for.
type want struct {
	format        livenessd.PixelFormat // "" for whichever is best
	width, height int
	fps           float64
}

// choose returns the mode nearest to w. What counts, in this order: colour;
// a frame rate of at least nine tenths of the one asked for (29.97 is 30);
// exactly the size, else the next larger (it can be scaled down), else the
// largest smaller one; the order of preference; the frame rate. ok is false
// when there is nothing that can be used.
func choose(formats []Format, w want) (best mode, ok bool) {
	for _, m := range modes(formats, w) {
		if w.format != "" && m.format != w.format {
			continue
		}
		if !ok || better(m, best, w) {
			best, ok = m, true
		}
	}
	return best, ok
}

func better(a, b mode, w want) bool {
	return cmp.Or(
		prefer(a.format != livenessd.GREY, b.format != livenessd.GREY),
		prefer(w.fastEnough(a), w.fastEnough(b)),
		-cmp.Compare(w.misfit(a), w.misfit(b)),
		-cmp.Compare(slices.Index(preference, a.format), slices.Index(preference, b.format)),
		cmp.Compare(a.fps, b.fps),
	) > 0
}

func prefer(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// fastEnough gives a driver that does not name its rates the benefit of the
// doubt: what it really does is read back after it was set.
func (w want) fastEnough(m mode) bool { return m.fps == 0 || m.fps >= 0.9*w.fps }

// misfit is 0 for the size asked for, larger the worse a size is. Every size
// that is too small in one direction is worse than any that is large enough.
func (w want) misfit(m mode) int {
	area, wanted := m.width*m.height, w.width*w.height
	if m.width >= w.width && m.height >= w.height {
		return area - wanted
	}
	return maxSide*maxSide + max(0, wanted-area)
}

// modes lists what can be used of formats, each size with its best rate.
func modes(formats []Format, w want) []mode {
	var ms []mode
	for _, f := range formats {
		if f.Pixel == "" {
			continue
		}
		if len(f.Sizes) == 0 { // the driver does not say: ask for what is wanted
			ms = append(ms, mode{f.Pixel, w.width, w.height, 0})
		}
		for _, s := range f.Sizes {
			m := mode{format: f.Pixel, width: s.nearestWidth(w.width), height: s.nearestHeight(w.height)}
			for _, r := range s.Rates {
				m.fps = max(m.fps, r)
			}
			ms = append(ms, m)
		}
	}
	return ms
}

func (s Size) nearestWidth(w int) int  { return nearest(w, s.Width, s.MaxWidth, s.StepWidth) }
func (s Size) nearestHeight(h int) int { return nearest(h, s.Height, s.MaxHeight, s.StepHeight) }

// nearest returns the smallest of lo, lo+step … hi that is at least v, or hi.
func nearest(v, lo, hi, step int) int {
	if hi <= lo || v <= lo {
		return lo
	}
	if v >= hi {
		return hi
	}
	step = max(step, 1)
	return min(lo+(v-lo+step-1)/step*step, hi)
}
