package main

import (
	"livenessd"
	"livenessd/pipeline"
)

// follower compares the face of each frame with one that was held on to. Its
// cutouts are the only pictures of a face that outlive their frame, and they go
// when it is let go.
type follower struct {
	anchor, last pipeline.Cutout
}

// hold makes the last face the one that those to come are compared with.
func (w *follower) hold() { w.anchor = w.last }

// release forgets both faces.
func (w *follower) release() { *w = follower{} }

// Follow is Analyze and sets Flow when there is a face to compare with.
func (e eyes) Follow(f livenessd.Frame, texture bool, w *follower) (livenessd.Observation, error) {
	o, err := e.AnalyzeWith(f, pipeline.Need{Texture: texture, Cutout: &w.last})
	if err != nil || w.anchor.Empty() || w.last.Empty() {
		return o, err
	}
	o.Flow, err = pipeline.Track(&w.anchor, &w.last)
	return o, err
}
