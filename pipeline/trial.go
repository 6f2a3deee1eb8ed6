package pipeline

import (
	"fmt"
	"math"
	"math/rand/v2"

	"livenessd"
	"livenessd/models"
)

// Trial is one network by itself, with a picture of noise to look at: to see
// whether it runs at all, and for how long. It is used by one goroutine at a
// time, and closed.
type Trial struct {
	n    models.Network
	face *faceDetector // one of the three
	sure *confirmer
	part *closeUp
	pic  *picture
	box  livenessd.Rect
}

// The picture that a Trial looks at is a camera's, with a face of the size that
// a person at arm's length has.
const (
	trialWidth  = 640
	trialHeight = 480
)

var trialFace = livenessd.Rect{X: 240, Y: 130, W: 160, H: 200}

// NewTrial loads n. The error says what its runtime has against it.
//
// A network that nobody has run before may end the process: whoever is not
// sure of it makes the trial in a process of its own.
func NewTrial(n models.Network) (*Trial, error) {
	pic, err := newPicture(trialWidth, trialHeight)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range pic.pix {
		pic.pix[i] = byte(rng.Uint32())
	}
	t := &Trial{n: n, pic: pic, box: trialFace}
	switch n.Role {
	case models.RoleFace:
		t.face, err = newFaceDetector(n)
	case models.RoleTexture:
		t.part, err = newTexture(n)
	case models.RoleConfirm:
		t.sure, err = newConfirmer(n)
	case models.RoleAttributes:
		t.part, err = newCloseUp(n)
	default:
		err = fmt.Errorf("%w: network %s: role %q is not known", livenessd.ErrInvalid, n.Name, n.Role)
	}
	if err != nil {
		pic.close()
		return nil, err
	}
	return t, nil
}

// Close frees the network; it is not to be called twice.
func (t *Trial) Close() {
	t.net().close()
	t.pic.close()
}

func (t *Trial) net() runner {
	switch {
	case t.face != nil:
		return t.face.net
	case t.sure != nil:
		return t.sure.net
	}
	return t.part.net
}

// Feed cuts the network's part out of the picture and puts it into its input,
// as the pipeline does for each frame.
func (t *Trial) Feed() error {
	switch {
	case t.face != nil:
		_, _, err := t.face.feed(t.pic)
		return err
	case t.sure != nil:
		_, err := t.sure.feed(t.pic, t.box)
		return err
	}
	return t.part.feed(t.pic, t.box)
}

// Forward runs the network on what Feed gave it last. It is an error when a
// number comes out that is not finite.
func (t *Trial) Forward() error {
	outs, err := t.net().forward()
	if err != nil {
		return err
	}
	for i, out := range outs {
		for _, v := range out {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("network %s (%s): output %s is not finite", t.n.Name, t.n.File, t.n.Outputs[i].Name)
			}
		}
	}
	return nil
}

// SetThreads bounds OpenCV's threads, for the whole process, as New does.
func SetThreads(n int) { setup(max(n, 1)) }
