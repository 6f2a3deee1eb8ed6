package main

import (
	"livenessd"
	"livenessd/challenge"
	"livenessd/pipeline"
)

// follower compares the face of each frame with one that was held on to. Its
// cutouts are the only pictures of a face that outlive their frame, and they go
// when it is let go.
type follower struct {
	anchor, last pipeline.Cutout
	cutOnly      bool // the next face is not compared yet
}

// hold makes the last face the one that those to come are compared with.
func (w *follower) hold() { w.anchor = w.last }

// wanted returns w when the next frame's face is needed, else nil.
func (w *follower) wanted(k *challenge.Kiosk) *follower {
	if !k.WantsFace() {
		return nil
	}
	w.cutOnly = !k.WantsFlow()
	return w
}

// turn keeps after each step what the kiosk will compare with, and no longer.
func (w *follower) turn(k *challenge.Kiosk) {
	switch {
	case !k.WantsFace():
		*w = follower{}
	case k.Anchored():
		w.hold()
	}
}

// Follow is Analyze and sets Flow when there is a face to compare with. A nil
// follower follows nothing.
func (e eyes) Follow(f livenessd.Frame, texture bool, w *follower) (livenessd.Observation, error) {
	if w == nil {
		return e.Analyze(f, texture)
	}
	o, err := e.AnalyzeWith(f, pipeline.Need{Texture: texture, Cutout: &w.last})
	if err != nil || w.cutOnly || w.anchor.Empty() || w.last.Empty() {
		return o, err
	}
	o.Flow, err = pipeline.Track(&w.anchor, &w.last)
	return o, err
}
