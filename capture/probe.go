package capture

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/blackjack/webcam"
)

// formats lists what the driver offers: what we can use first, in the order of
// preference, then the rest by name and without sizes.
func (h *handle) formats() []Format {
	offered := h.cam.GetSupportedFormats()
	var out []Format
	for _, pixel := range preference {
		code := fourCCs[pixel]
		if _, ok := offered[code]; ok {
			out = append(out, Format{FourCC: fourCCText(code), Pixel: pixel, Sizes: h.sizes(code)})
			delete(offered, code)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(offered)) {
		out = append(out, Format{FourCC: fourCCText(code)})
	}
	return out
}

// maxListed bounds how many sizes and rates a driver is believed.
const maxListed = 256

func (h *handle) sizes(code webcam.PixelFormat) []Size {
	var out []Size
	for _, s := range h.cam.GetSupportedFrameSizes(code) {
		// The library gives zeros for a continuous range.
		if s.MinWidth == 0 || s.MinHeight == 0 || s.MinWidth > maxSide || s.MinHeight > maxSide || len(out) >= maxListed {
			continue
		}
		size := Size{Width: int(s.MinWidth), Height: int(s.MinHeight)}
		if s.MaxWidth != s.MinWidth || s.MaxHeight != s.MinHeight {
			size.MaxWidth, size.MaxHeight = int(min(s.MaxWidth, maxSide)), int(min(s.MaxHeight, maxSide))
			size.StepWidth, size.StepHeight = int(min(s.StepWidth, maxSide)), int(min(s.StepHeight, maxSide))
		}
		size.Rates = h.rates(code, s.MaxWidth, s.MaxHeight)
		out = append(out, size)
	}
	return out
}

// rates lists pictures a second; of a range both ends.
func (h *handle) rates(code webcam.PixelFormat, width, height uint32) []float64 {
	var out []float64
	add := func(denominator, numerator uint32) {
		if numerator > 0 && denominator > 0 && len(out) < maxListed {
			out = append(out, float64(denominator)/float64(numerator))
		}
	}
	for _, r := range h.cam.GetSupportedFramerates(code, width, height) {
		add(r.MinDenominator, r.MinNumerator)
		if r.MinDenominator != r.MaxDenominator || r.MinNumerator != r.MaxNumerator {
			add(r.MaxDenominator, r.MaxNumerator)
		}
	}
	return out
}

func formatNames(fs []Format) string {
	if len(fs) == 0 {
		return "no format"
	}
	var names []string
	for _, f := range fs {
		names = append(names, f.FourCC)
	}
	return strings.Join(names, ", ")
}

// ask fills in what only the open device knows.
func ask(r Roots, d *Device) {
	if metadata(d) {
		return
	}
	h, err := openHandle(d.Node)
	if err != nil {
		d.Err = refusal(r, *d, "opening", err)
		return
	}
	driver, card, bus, capture, err := h.capability()
	if err == nil {
		d.Driver, d.Card, d.Bus, d.Capture = driver, card, bus, capture
		d.Virtual = d.Virtual || virtualDriver(driver)
	}
	if d.Capture {
		d.Formats = h.formats()
		d.Controls = h.controls()
	}
	if err = errors.Join(err, h.close()); err != nil {
		d.Err = refusal(r, *d, "saying what it is", err)
	}
}
