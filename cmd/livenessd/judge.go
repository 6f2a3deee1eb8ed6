package main

import (
	"context"
	"fmt"

	"livenessd"
	"livenessd/api"
	"livenessd/challenge"
	"livenessd/pipeline"
)

// apiJudge answers the API's one neutral question with the networks that the
// camera uses, after the camera.
type apiJudge struct {
	ctx  context.Context // the daemon's
	eyes analyzer
	gate *gate
}

func newJudge(ctx context.Context, eyes analyzer, g *gate) *apiJudge { return &apiJudge{ctx, eyes, g} }

var _ api.Judge = (*apiJudge)(nil)

// Judge waits for its turn and looks. Pictures are decoded after the wait, so
// that those who wait hold no pixels.
func (j *apiJudge) Judge(ctx context.Context, q api.Inquiry) (api.Verdict, error) {
	leave, err := j.gate.enter(ctx)
	if j.ctx.Err() != nil {
		if err == nil {
			leave()
		}
		return api.Verdict{}, errStopping
	}
	if err != nil {
		return api.Verdict{}, err
	}
	defer leave()
	return look(ctx, j.eyes, q)
}

// look says what the pictures of q show. Errors are *api.PictureError, ctx's
// or a network's.
func look(ctx context.Context, eyes analyzer, q api.Inquiry) (api.Verdict, error) {
	var v api.Verdict
	var seen []livenessd.Observation
	var face *follower // nobody compares single pictures
	if q.Motion {
		face = &follower{}
	}
	for i, data := range q.Pictures {
		if err := ctx.Err(); err != nil {
			return api.Verdict{}, err
		}
		frame, err := pipeline.DecodePicture(data, pipeline.DefaultLimits())
		if err != nil {
			return api.Verdict{}, &api.PictureError{Picture: i, Err: fmt.Errorf("picture %d: %w", i+1, err)}
		}
		frame.Seq = uint64(i)
		s, err := lookAt(eyes, frame, face)
		if err != nil {
			return api.Verdict{}, err
		}
		v.Pictures = append(v.Pictures, s)
		seen = append(seen, s.Observation)
		if i == 0 && face != nil {
			face.hold()
		}
	}
	if q.Motion && len(seen) == 2 {
		if score, ok := challenge.MotionScore(seen); ok {
			v.Motion = &livenessd.Score{Value: score, Threshold: challenge.MotionThreshold, Model: "surface"}
		}
		v.Heading, _, _ = challenge.Moved(&seen[0], &seen[1])
	}
	return v, nil
}

// lookAt analyses one picture. Where it shows no face it is turned: telephones
// that lose the note of how they were held send people lying on their side.
// face may be nil.
func lookAt(eyes analyzer, frame livenessd.Frame, face *follower) (api.Shown, error) {
	upright, err := eyes.Follow(frame, true, face)
	if err != nil {
		return api.Shown{}, err
	}
	s := api.Shown{Observation: upright, Grey: grey(frame.Data)}
	if len(upright.Faces) > 0 {
		return s, nil
	}
	for _, degrees := range []int{90, 270, 180} {
		o, err := eyes.Follow(pipeline.Turn(frame, degrees), true, face)
		if err != nil {
			return api.Shown{}, err
		}
		if len(o.Faces) > 0 {
			s.Observation, s.Rotated = o, degrees
			return s, nil
		}
	}
	return s, nil
}

const (
	// greySamples bounds the pixels that are looked at.
	greySamples = 1 << 16
	// greyChroma is the mean difference between a pixel's largest and smallest
	// colour, of 255, below which a picture has none. Pictures that were made
	// grey have 0 (JPEG adds less than 1), people in dim lamplight 10 and more.
	greyChroma = 2
)

// grey tells whether BGR pixels have no colours.
func grey(bgr []byte) bool {
	step := 3 * max(len(bgr)/3/greySamples, 1)
	sum, n := 0, 0
	for i := 0; i+2 < len(bgr); i += step {
		r, g, b := bgr[i+2], bgr[i+1], bgr[i]
		sum += int(max(r, g, b) - min(r, g, b))
		n++
	}
	return n > 0 && float64(sum)/float64(n) < greyChroma
}
