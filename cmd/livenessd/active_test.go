package main

import (
	"slices"
	"testing"
	"time"

	"livenessd"
	"livenessd/pipeline"
)

// BenchmarkActive plays sessions of simulated people and prints what the active
// part costs a 640×480 frame while a face is followed, OpenCV on one thread: to
// cut the face out (the frame's whole analysis with it less that without it),
// to follow it, and to judge all that was seen so far.
func BenchmarkActive(b *testing.B) {
	p := newEyes(b)
	pipeline.SetThreads(1)
	b.Cleanup(func() { pipeline.SetThreads(defaultConfig().Camera.AnalysisThreads) })
	var c activeCosts
	for seed := int64(1); b.Loop(); seed++ {
		c.play(b, p, seed)
	}
	cut := median(c.with) - median(c.without)
	after := make([]time.Duration, len(c.track))
	for i := range after {
		after[i] = cut + c.track[i] + c.judge[i]
	}
	slices.Sort(after)
	b.ReportMetric(ms(cut), "cut-out-p50-ms")
	b.ReportMetric(ms(median(c.track)), "follow-p50-ms")
	b.ReportMetric(ms(median(c.judge)), "judge-p50-ms")
	b.ReportMetric(ms(after[len(after)/2]), "active-p50-ms")
	b.ReportMetric(ms(after[len(after)*99/100]), "active-p99-ms")
	b.ReportMetric(float64(len(after)), "frames")
	b.ReportMetric(0, "ns/op") // a session is as long as it is
}

// activeCosts are times of the frames in which a face was followed.
type activeCosts struct {
	with, without []time.Duration // the analysis, with and without cutting the face out
	track, judge  []time.Duration
}

// play adds one session's.
func (c *activeCosts) play(b *testing.B, p eyes, seed int64) {
	s, k := onStage(b, "person", seed)
	var face follower
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 15 * 60 {
		at = at.Add(time.Second / 15)
		w := face.wanted(k)
		frame := s.Frame(at)
		o, err := p.Follow(frame, k.WantsTexture(), w)
		if err != nil {
			b.Fatal(err)
		}
		followed := o.Flow != nil
		if followed {
			c.apart(b, p, frame, w)
		}
		begin := time.Now()
		out := k.Step(&o)
		if followed {
			c.judge = append(c.judge, time.Since(begin))
		}
		face.turn(k)
		s.Show(out.View, at)
		for _, e := range out.Events {
			if e.Result != nil {
				return
			}
		}
	}
	b.Fatalf("seed %d: no result in a minute", seed)
}

// apart times the parts of what Follow has just done with frame.
func (c *activeCosts) apart(b *testing.B, p eyes, frame livenessd.Frame, w *follower) {
	times := []struct {
		to *[]time.Duration
		do func() error
	}{
		{&c.without, func() error { _, err := p.AnalyzeWith(frame, pipeline.Need{}); return err }},
		{&c.with, func() error { _, err := p.AnalyzeWith(frame, pipeline.Need{Cutout: new(pipeline.Cutout)}); return err }},
		{&c.track, func() error { _, err := pipeline.Track(&w.anchor, &w.last); return err }},
	}
	for _, t := range times {
		begin := time.Now()
		if err := t.do(); err != nil {
			b.Fatal(err)
		}
		*t.to = append(*t.to, time.Since(begin))
	}
}
