package main

import (
	"context"
	"fmt"
	"io"

	"livenessd/evaluate"
)

// evalJob is a presentation to be judged, and what it is.
type evalJob struct {
	evalFiles
	class   evaluate.Class
	species string
	truth   float64 // where the head turns, as evaluate.Presentation has it
}

// find lists the presentations of all folders, and says what it passed over.
func (o *evalOptions) find(ctx context.Context, warn io.Writer) ([]evalJob, error) {
	var jobs []evalJob
	add := func(dir string, class evaluate.Class, species string) error {
		found, err := findPresentations(ctx, dir, o.level == "frame")
		if err != nil {
			return err
		}
		for _, p := range found.presentations {
			jobs = append(jobs, evalJob{evalFiles: p, class: class, species: species})
		}
		if found.skipped > 0 {
			fmt.Fprintf(warn, "livenessd eval: %s: %d files that are no pictures were passed over\n", dir, found.skipped)
		}
		if found.video != "" {
			fmt.Fprintf(warn, "livenessd eval: %s: videos such as %s are not read: take their frames out into a folder each\n", dir, found.video)
		}
		return nil
	}
	for _, dir := range o.folders.live {
		if err := add(dir, evaluate.BonaFide, ""); err != nil {
			return nil, err
		}
	}
	for i, species := range speciesNames(o.folders.attack) {
		if err := add(o.folders.attack[i], evaluate.Attack, species); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// maxComplaints is how many unreadable files are named.
const maxComplaints = 10

// judge scores every presentation.
func (o *evalOptions) judge(ctx context.Context, terminal io.Writer, eyes analyzer, jobs []evalJob) ([]evaluate.Presentation, error) {
	total, done, unreadable := 0, 0, 0
	for _, j := range jobs {
		total += len(j.files)
	}
	bar := newProgress(terminal, total)
	defer bar.clear()
	s := evalScorer{
		eyes: eyes, motion: o.motion, gate: o.gate,
		step: func() { done++; bar.show(done) },
		complain: func(err error) {
			if unreadable++; unreadable <= maxComplaints {
				bar.clear()
				fmt.Fprintf(terminal, "livenessd eval: %v\n", err)
			}
		},
	}
	presentations := make([]evaluate.Presentation, 0, len(jobs))
	for _, j := range jobs {
		p, err := s.score(ctx, j.evalFiles)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("stopped after %d of %d pictures; nothing was written", done, total)
		}
		if err != nil {
			return nil, err
		}
		p.Class, p.Species, p.Truth = j.class, j.species, j.truth
		presentations = append(presentations, p)
	}
	if unreadable > maxComplaints {
		bar.clear()
		fmt.Fprintf(terminal, "livenessd eval: %d more files could not be read\n", unreadable-maxComplaints)
	}
	return presentations, nil
}
