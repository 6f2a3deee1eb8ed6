package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"livenessd"
	"livenessd/challenge"
)

// judgement is what check says about one picture.
type judgement struct {
	File    string             `json:"file"`
	Outcome livenessd.Outcome  `json:"outcome"`
	Scores  map[string]float64 `json:"scores"` // "texture", where it was computed
	// Attributes are probabilities of what covers the face, where they were computed.
	Attributes map[string]float64  `json:"attributes,omitempty"`
	Faces      []livenessd.Face    `json:"faces"`
	Pose       *livenessd.Pose     `json:"pose,omitempty"`
	Quality    []livenessd.Measure `json:"quality"`
	Reasons    []livenessd.Reason  `json:"reasons"`
}

func checkCommand(ctx context.Context, env *environment, args []string) (int, error) {
	f := newFlags(env, "check", "IMAGE...")
	asJSON := f.Bool("json", false, "one JSON object a line")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	if f.NArg() == 0 {
		return exitMisused, fmt.Errorf("%w: name the pictures to judge", livenessd.ErrInvalid)
	}
	cfg, err := f.config()
	if err != nil {
		return exitMisused, err
	}
	p, err := openPipeline(ctx, cfg)
	if err != nil {
		return exitMisused, err
	}
	defer p.Close()

	code := exitOK
	for _, name := range f.Args() {
		if ctx.Err() != nil {
			return exitFailed, ctx.Err()
		}
		j, err := judge(p, name)
		if err != nil {
			fmt.Fprintf(env.err, "livenessd check: %v\n", err)
			code = exitMisused
			continue
		}
		if j.Outcome != livenessd.Live && code == exitOK {
			code = exitFailed
		}
		if err := j.write(env.out, *asJSON); err != nil {
			return exitMisused, err
		}
	}
	return code, nil
}

// judge reads and judges one file. Its errors name the file.
func judge(p eyes, name string) (*judgement, error) {
	frame, err := readPicture(name)
	if err != nil {
		return nil, err
	}
	o, err := p.Analyze(frame, true)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	j := &judgement{
		File: name, Scores: map[string]float64{}, Quality: o.Quality, Attributes: o.Attributes,
		Faces: append([]livenessd.Face{}, o.Faces...), Reasons: []livenessd.Reason{},
	}
	var reasons []livenessd.Reason
	j.Outcome, reasons = challenge.Still(&o)
	j.Reasons = append(j.Reasons, reasons...)
	if o.Texture != nil {
		j.Scores[livenessd.StageTexture] = o.Texture.Value
	}
	if len(o.Faces) > 0 {
		j.Pose = &o.Pose
	}
	return j, nil
}

func (j *judgement) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(j)
	}
	score := "    -"
	if v, ok := j.Scores[livenessd.StageTexture]; ok {
		score = fmt.Sprintf("%.3f", v)
	}
	var reasons []string
	for _, r := range j.Reasons {
		reasons = append(reasons, string(r))
	}
	_, err := fmt.Fprintf(w, "%-8s  texture %s  %s  %s\n", j.Outcome, score, j.File, strings.Join(reasons, ", "))
	return err
}
