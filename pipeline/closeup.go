package pipeline

import (
	"errors"
	"fmt"
	"image"

	"gocv.io/x/gocv"

	"livenessd"
	"livenessd/models"
)

// closeUp is a network that looks at one face and what is around it.
type closeUp struct {
	spec models.Spec
	net  runner
}

func newCloseUp(n models.Network) (*closeUp, error) {
	if n.Crop == nil || len(n.Outputs) != 1 || len(n.Outputs[0].Classes) != n.Outputs[0].Len() {
		return nil, fmt.Errorf("%s network %s has no crop, or not one output with a class for each logit", n.Role, n.Name)
	}
	net, err := newRunner(n)
	if err != nil {
		return nil, err
	}
	return &closeUp{n.Spec, net}, nil
}

func (c *closeUp) close() { c.net.close() }

// look returns the logits for the face in box, valid until the next call.
func (c *closeUp) look(pic *picture, box livenessd.Rect) ([]float32, error) {
	if err := c.feed(pic, box); err != nil {
		return nil, fmt.Errorf("%s: %w", c.spec.Role, err)
	}
	outs, err := c.net.forward()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.spec.Role, err)
	}
	return outs[0], nil
}

// feed puts the part of pic around box into the network's input.
func (c *closeUp) feed(pic *picture, box livenessd.Rect) error {
	r, ok := cropRect(box, *c.spec.Crop, pic.w, pic.h)
	if !ok {
		return errors.New("the face is not in the picture")
	}
	// Linear at any scale, as the networks saw it when they were trained: the
	// fine structure that aliasing keeps is part of what they look at.
	part, err := pic.crop(r, c.spec.Input.Width, c.spec.Input.Height, gocv.InterpolationLinear)
	if err != nil {
		return err
	}
	defer part.close()
	fill(c.net.input(), part, c.spec.Input)
	return nil
}

// shaped returns the sides of box in the shape that c asks for.
func shaped(box livenessd.Rect, c models.Crop) (w, h float64) {
	if c.Shape == "square" {
		side := max(box.W, box.H)
		return side, side
	}
	return box.W, box.H
}

// cropRect returns the part of a W×H picture that a network for one face sees: the
// box times c.Scale, about the same centre, kept inside the picture. What
// reaches beyond an edge is shifted in; what does not fit is made smaller with
// its proportions kept. False when nothing sensible is left.
func cropRect(box livenessd.Rect, c models.Crop, width, height int) (image.Rectangle, bool) {
	w, h := shaped(box, c)
	W, H := float64(width-1), float64(height-1)
	if !(w >= 1 && h >= 1 && W >= 1 && H >= 1) {
		return image.Rectangle{}, false
	}
	scale := min(c.Scale, W/w, H/h)
	w, h = w*scale, h*scale
	m := box.Center()
	x := min(max(m.X-w/2, 0), W-w)
	y := min(max(m.Y-h/2, 0), H-h)
	r := image.Rect(int(x), int(y), int(x+w)+1, int(y+h)+1)
	if r.Dx() < 8 || r.Dy() < 8 || !r.In(image.Rect(0, 0, width, height)) {
		return image.Rectangle{}, false
	}
	return r, true
}
