package evaluate

import (
	"fmt"
	"html"
	"html/template"
	"strings"
)

// drawing writes one SVG picture. Coordinates are pixels, y downwards.
type drawing struct {
	b strings.Builder
	// id tells this picture's own names from those of others in the page.
	id string
}

// newDrawing begins a picture that a screen reader reads out as title and desc.
func newDrawing(id string, w, h int, title, desc string) *drawing {
	d := &drawing{id: id}
	fmt.Fprintf(&d.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="%s-title %s-desc">`, w, h, id, id)
	fmt.Fprintf(&d.b, `<title id="%s-title">%s</title><desc id="%s-desc">%s</desc>`, id, html.EscapeString(title), id, html.EscapeString(desc))
	return d
}

func (d *drawing) done() template.HTML {
	return template.HTML(d.b.String() + "</svg>") // every text in it was escaped when it was added
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.b, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

func (d *drawing) rect(fill string, x, y, w, h float64) {
	fmt.Fprintf(&d.b, `<rect fill="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, fill, x, y, w, h)
}

// text is anchored at "start", "middle" or "end".
func (d *drawing) text(anchor string, x, y float64, s string) {
	fmt.Fprintf(&d.b, `<text text-anchor="%s" x="%.1f" y="%.1f">%s</text>`, anchor, x, y, html.EscapeString(s))
}

// upright writes s from bottom to top.
func (d *drawing) upright(x, y float64, s string) {
	fmt.Fprintf(&d.b, `<text text-anchor="middle" transform="translate(%.1f %.1f) rotate(-90)">%s</text>`, x, y, html.EscapeString(s))
}

// ink is how one curve is drawn: told apart by colour, and without colour by
// its dashes.
type ink struct{ colour, dash, width string }

func (d *drawing) curve(k ink, xy [][2]float64) {
	fmt.Fprintf(&d.b, `<polyline fill="none" stroke="%s" stroke-width="%s" stroke-dasharray="%s" stroke-linejoin="round" points="`, k.colour, k.width, k.dash)
	for _, p := range xy {
		fmt.Fprintf(&d.b, "%.1f,%.1f ", p[0], p[1])
	}
	d.b.WriteString(`"/>`)
}

func (d *drawing) dot(colour string, x, y float64) {
	fmt.Fprintf(&d.b, `<circle cx="%.1f" cy="%.1f" r="5" fill="%s" stroke="#fff" stroke-width="1.5"/>`, x, y, colour)
}
