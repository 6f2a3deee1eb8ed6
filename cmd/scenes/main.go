// Command scenes writes pictures of the simulated presenter into folders, one
// for each scene and seed: what the training scripts learn from beside real
// pictures, and recordings for `livenessd eval`.
//
//	go run ./cmd/scenes -out DIR [-scenes person,print] [-seeds 50] [-frames 12]
//
// The persons are asked for random movements meanwhile; equal flags give equal
// pictures.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"livenessd"
	"livenessd/capture/sim"
)

// movements are what the screen asks for; the first lets the person stand still.
var movements = []livenessd.View{
	{Phase: livenessd.PhaseHold, Prompt: livenessd.PromptStill},
	{Phase: livenessd.PhaseMove, Prompt: livenessd.PromptTurnLeft},
	{Phase: livenessd.PhaseMove, Prompt: livenessd.PromptTurnRight},
	{Phase: livenessd.PhaseMove, Prompt: livenessd.PromptLookUp},
	{Phase: livenessd.PhaseMove, Prompt: livenessd.PromptLookDown},
	{Phase: livenessd.PhaseMove, Prompt: livenessd.PromptBackToCentre},
}

func main() {
	var all []string
	for _, s := range sim.Scenes() {
		all = append(all, s.Name)
	}
	out := flag.String("out", "", "`folder` to write to")
	scenes := flag.String("scenes", strings.Join(all, ","), "comma-separated `names`")
	seeds := flag.Int("seeds", 10, "persons a scene")
	first := flag.Int("first", 1000, "first seed")
	frames := flag.Int("frames", 12, "pictures a person")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 || *seeds < 1 || *frames < 1 {
		flag.Usage()
		os.Exit(2)
	}
	for _, name := range strings.Split(*scenes, ",") {
		for seed := range *seeds {
			if err := write(*out, name, int64(*first+seed), *frames); err != nil {
				fmt.Fprintln(os.Stderr, "scenes:", err)
				os.Exit(1)
			}
		}
	}
}

// truth is one line of truth.jsonl beside the pictures.
type truth struct {
	File      string         `json:"file"`
	Present   bool           `json:"present"`
	Settled   bool           `json:"settled"`
	Pose      livenessd.Pose `json:"pose"`
	Landmarks [][2]float64   `json:"landmarks"`
	Position  [3]float64     `json:"position_mm"`
}

// write makes one person's pictures, from the moment of having arrived on,
// spread over the time that movements take.
func write(out, scene string, seed int64, frames int) error {
	s, err := sim.New(sim.Config{Scene: scene, Seed: seed})
	if err != nil {
		return err
	}
	dir := filepath.Join(out, scene, fmt.Sprintf("%05d", seed))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lines, err := os.Create(filepath.Join(dir, "truth.jsonl"))
	if err != nil {
		return err
	}
	defer lines.Close()
	const (
		arrival = 3500 * time.Millisecond
		spacing = 400 * time.Millisecond
		each    = 4 // pictures a movement
	)
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	start := time.Unix(0, 0)
	s.Frame(start)
	for i := range frames {
		at := start.Add(arrival + time.Duration(i)*spacing)
		if i%each == 0 {
			s.Show(movements[random.IntN(len(movements))], at)
		}
		f := s.Frame(at)
		name := fmt.Sprintf("frame_%03d.jpg", i)
		if err := os.WriteFile(filepath.Join(dir, name), f.Data, 0o644); err != nil {
			return err
		}
		tr := s.Truth()
		line := truth{File: name, Present: tr.Present, Settled: tr.Settled, Pose: tr.Pose, Position: tr.Position}
		for _, p := range tr.Landmarks {
			line.Landmarks = append(line.Landmarks, [2]float64{p.X, p.Y})
		}
		b, err := json.Marshal(line)
		if err != nil {
			return err
		}
		if _, err := lines.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return lines.Close()
}
