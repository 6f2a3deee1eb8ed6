package pipeline

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"gocv.io/x/gocv"

	"livenessd"
	"livenessd/models"
)

// confirmer looks closer at what the face network takes for a face.
type confirmer struct {
	spec models.Spec
	net  runner
}

func newConfirmer(n models.Network) (*confirmer, error) {
	if n.Crop == nil || len(n.Outputs) != 1 || n.Outputs[0].Len() != 1 {
		return nil, fmt.Errorf("%s network %s has no crop, or does not give one number", n.Role, n.Name)
	}
	net, err := newRunner(n)
	if err != nil {
		return nil, err
	}
	return &confirmer{n.Spec, net}, nil
}

func (c *confirmer) close() { c.net.close() }

// maxLooks bounds the work for one picture, in which nearly everything may look
// like a face.
const maxLooks = 16

// confirmed returns those of the candidates, best first, that are faces. Their
// score is the geometric mean of the face network's and this one's: each of the
// two may doubt, as long as the other is sure.
func (c *confirmer) confirmed(pic *picture, candidates []livenessd.Face) ([]livenessd.Face, error) {
	var faces []livenessd.Face
	for _, f := range candidates[:min(len(candidates), maxLooks)] {
		seen, err := c.feed(pic, f.Box)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.spec.Role, err)
		}
		if !seen {
			continue
		}
		outs, err := c.net.forward()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.spec.Role, err)
		}
		// The other way round, so that what is not a number is no face.
		f.Score = math.Sqrt(f.Score * (1 - sigmoid(-float64(outs[0][0]))))
		if f.Score >= c.spec.Threshold {
			faces = append(faces, f)
		}
	}
	return faces, nil
}

// feed puts what is around box into the network's input; it reports false when
// hardly anything of that is in the picture. Beyond the picture its edge goes on:
// a face that is cut off, or fills the picture, has the place and the size in the
// input that every face has. Shifted in instead, as for the other networks, one face
// in twelve behind a mask was lost.
func (c *confirmer) feed(pic *picture, box livenessd.Rect) (bool, error) {
	in := c.spec.Input
	r := around(box, *c.spec.Crop)
	inside := r.Intersect(image.Rect(0, 0, pic.w, pic.h))
	if inside.Dx() < 8 || inside.Dy() < 8 {
		return false, nil
	}
	at := image.Rect( // of the part that is in the picture, in the input
		share(inside.Min.X-r.Min.X, r.Dx(), in.Width), share(inside.Min.Y-r.Min.Y, r.Dy(), in.Height),
		share(inside.Max.X-r.Min.X, r.Dx(), in.Width), share(inside.Max.Y-r.Min.Y, r.Dy(), in.Height))
	if at.Empty() {
		return false, nil
	}
	how := gocv.InterpolationLinear
	if r.Dx() > in.Width {
		how = gocv.InterpolationArea
	}
	part, err := pic.crop(inside, at.Dx(), at.Dy(), how)
	if err != nil {
		return false, err
	}
	defer part.close()
	if inside == r {
		fill(c.net.input(), part, in)
		return true, nil
	}
	whole, err := newPicture(in.Width, in.Height)
	if err != nil {
		return false, err
	}
	defer whole.close()
	gocv.CopyMakeBorder(part.mat, &whole.mat, at.Min.Y, in.Height-at.Max.Y, at.Min.X, in.Width-at.Max.X, gocv.BorderReplicate, color.RGBA{})
	fill(c.net.input(), whole, in)
	return true, nil
}

// share is n of so many, of to.
func share(n, of, to int) int {
	return int(math.Floor(float64(n)*float64(to)/float64(of) + 0.5))
}

// around returns the square, or the rectangle of box's proportions, that c asks
// for about the middle of box, wherever that lies. box is plausible.
func around(box livenessd.Rect, c models.Crop) image.Rectangle {
	w, h := shaped(box, c)
	w, h = w*c.Scale, h*c.Scale
	m := box.Center()
	x, y := int(math.Floor(m.X-w/2)), int(math.Floor(m.Y-h/2))
	return image.Rect(x, y, x+int(math.Ceil(w)), y+int(math.Ceil(h)))
}
