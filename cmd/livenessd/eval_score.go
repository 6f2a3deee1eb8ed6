package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"livenessd"
	"livenessd/challenge"
	"livenessd/evaluate"
	"livenessd/pipeline"
)

// Reasons for which a presentation has no score, beside livenessd.Reason.
const (
	reasonUnreadable = "unreadable" // no picture, or beyond the limits
	reasonTooSmall   = "too_small"  // a face, but too few pixels of it, or outside the picture
)

// evalScorer judges presentations one after another.
type evalScorer struct {
	eyes     analyzer
	motion   bool            // by the movement, not by the texture
	gate     bool            // score only what the kiosk would
	complain func(err error) // a file that could not be read
	step     func()          // one more picture is done
}

// score judges one presentation. An error means that nothing can be judged any
// more: a file that is no picture is none.
func (s *evalScorer) score(ctx context.Context, e evalFiles) (evaluate.Presentation, error) {
	p := evaluate.Presentation{Path: e.name, Of: len(e.files)}
	t := tally{why: map[string]int{}}
	var w follower
	for i, name := range e.files {
		if err := ctx.Err(); err != nil {
			return p, err
		}
		o, err := s.look(name, i, &w)
		switch {
		case errors.Is(err, livenessd.ErrNoPicture) || errors.Is(err, livenessd.ErrTooLarge) || isPathError(err):
			s.complain(err)
			t.silent(reasonUnreadable)
		case err != nil:
			return p, err
		case s.motion:
			t.move(&o)
		default:
			t.texture(&o, s.gate)
		}
		s.step()
	}
	if s.motion {
		t.judgeMotion()
	}
	p.Scored, p.Score, p.Frames, p.Looks, p.Turned = t.frames > 0, t.value, t.frames, t.looks, t.turned
	if !p.Scored {
		p.Reason = t.main()
	}
	return p, nil
}

func isPathError(err error) bool {
	var p *os.PathError
	return errors.As(err, &p)
}

// look reads and analyses one picture. Its errors name the file.
// With -motion every face is compared with the first one of the sequence.
func (s *evalScorer) look(name string, i int, w *follower) (o livenessd.Observation, err error) {
	frame, err := readPicture(name)
	if err != nil {
		return livenessd.Observation{}, err
	}
	// Files have an order and no times: a camera's usual rate stands in.
	frame.Seq, frame.At = uint64(i), time.Unix(0, 0).Add(time.Duration(i)*time.Second/30)
	if !s.motion {
		w = nil
	}
	if o, err = s.eyes.Follow(frame, !s.motion, w); err != nil {
		return o, fmt.Errorf("%s: %w", name, err)
	}
	if s.motion && w.anchor.Empty() {
		w.hold()
	}
	return o, nil
}

// readPicture reads a file no further than the limits go. Its errors name the
// file; those that are the file's own wrap livenessd.ErrNoPicture,
// livenessd.ErrTooLarge or an *os.PathError.
func readPicture(name string) (livenessd.Frame, error) {
	limits := pipeline.DefaultLimits()
	file, err := os.Open(name)
	if err != nil {
		return livenessd.Frame{}, err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return livenessd.Frame{}, fmt.Errorf("%s: %w but a folder", name, livenessd.ErrNoPicture)
	}
	data, err := io.ReadAll(io.LimitReader(file, int64(limits.MaxBytes)+1))
	if err != nil {
		return livenessd.Frame{}, err
	}
	frame, err := pipeline.DecodePicture(data, limits)
	if err != nil {
		return frame, fmt.Errorf("%s: %w", name, err)
	}
	return frame, nil
}

// tally collects what the pictures of one presentation say.
type tally struct {
	looks    []evaluate.Look // of texture
	weighted challenge.WeightedScore
	moves    []livenessd.Observation // of -motion: faces alone, nothing else is needed
	value    float64
	turned   float64 // of -motion: where the head turned, in degrees; 0: nowhere
	frames   int     // that gave a score
	why      map[string]int
	first    []string // reasons in the order in which they came
}

func (t *tally) silent(reason string) {
	if t.why[reason] == 0 {
		t.first = append(t.first, reason)
	}
	t.why[reason]++
}

// main returns the most frequent reason, of equal ones the first.
func (t *tally) main() string {
	best := ""
	for _, r := range t.first {
		if best == "" || t.why[r] > t.why[best] {
			best = r
		}
	}
	return best
}

func (t *tally) texture(o *livenessd.Observation, gate bool) {
	reasons := o.Reasons()
	switch {
	case len(o.Faces) == 0:
		t.silent(string(livenessd.NoFace))
	case gate && len(reasons) > 0:
		t.silent(string(reasons[0]))
	case o.Texture == nil:
		t.silent(reasonTooSmall)
	default:
		score, weight := t.weighted.Add(o)
		t.looks = append(t.looks, evaluate.Look{Score: score, Weight: weight})
		t.value = t.weighted.Value()
		t.frames++
	}
}

func (t *tally) move(o *livenessd.Observation) {
	if len(o.Faces) == 0 {
		t.silent(string(livenessd.NoFace))
		return
	}
	t.moves = append(t.moves, livenessd.Observation{Seq: o.Seq, At: o.At, Width: o.Width, Height: o.Height, Pose: o.Pose, Flow: o.Flow, Faces: []livenessd.Face{o.Faces[0]}})
}

func (t *tally) judgeMotion() {
	if len(t.moves) < 2 {
		if len(t.moves) == 1 {
			t.silent(string(livenessd.TooFewFrames))
		}
		return
	}
	t.turned = farthest(t.moves)
	score, ok := challenge.MotionScore(t.moves)
	if !ok {
		t.first, t.why = nil, map[string]int{} // it was seen well enough
		t.silent(string(livenessd.NoMovement))
		return
	}
	t.value, t.frames = score, len(t.moves)
}

// farthest returns where the head turned, in the picture that is turned most
// against the first one; 0 where none is.
func farthest(moves []livenessd.Observation) (towards float64) {
	most := 0.0
	for i := range moves[1:] {
		if to, amount, ok := challenge.Moved(&moves[0], &moves[i+1]); ok && amount > most {
			towards, most = to, amount
		}
	}
	return towards
}
