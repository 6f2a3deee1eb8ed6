package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"livenessd"
)

// maxTurnsBytes bounds the file of -turns: a path a line for as many folders as
// anybody has.
const maxTurnsBytes = 16 << 20

// turnNames are the directions that have a name, in degrees in the upright
// picture as the API's movementDirection has them.
var turnNames = map[string]float64{"right": 360, "up": 90, "left": 180, "down": 270}

// readTurns takes down in jobs where their heads turn, from a file of lines
// "folder,direction". Folders are named as eval names them, or from where the
// file lies. "" is no file. The error wraps livenessd.ErrInvalid and names the
// line.
func readTurns(name string, jobs []evalJob) error {
	if name == "" {
		return nil
	}
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("%w: -turns: %v", livenessd.ErrInvalid, err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > maxTurnsBytes {
		return fmt.Errorf("%w: -turns: %s has more than %d MiB: give a line for each folder that is judged", livenessd.ErrInvalid, name, maxTurnsBytes>>20)
	}
	of := map[string]*evalJob{}
	for i := range jobs {
		of[filepath.Clean(jobs[i].name)] = &jobs[i]
	}
	if err := parseTurns(io.LimitReader(file, maxTurnsBytes), func(folder string, towards float64) error {
		job := of[filepath.Clean(folder)]
		if job == nil {
			job = of[filepath.Join(filepath.Dir(name), folder)]
		}
		switch {
		case job == nil:
			return fmt.Errorf("%q is no folder that is judged", folder)
		case job.truth != 0:
			return fmt.Errorf("%q comes a second time", folder)
		}
		job.truth = towards
		return nil
	}); err != nil {
		return fmt.Errorf("%w: -turns: %s: %v", livenessd.ErrInvalid, name, err)
	}
	return nil
}

// parseTurns reads lines "folder,direction", after a heading of just that if
// there is one, and ends with the first error, which names the line.
func parseTurns(r io.Reader, take func(folder string, towards float64) error) error {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord = 2
	for n := 1; ; n++ {
		row, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 1 && slices.Equal(row, []string{"folder", "direction"}) {
			continue
		}
		line, _ := lines.FieldPos(0)
		towards, named := turnNames[row[1]]
		if !named {
			if towards, err = strconv.ParseFloat(row[1], 64); err != nil || !(towards > 0 && towards <= 360) {
				return fmt.Errorf("line %d: direction is %q, want left, right, up, down, or degrees above 0 and at most 360", line, row[1])
			}
		}
		if err := take(row[0], towards); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}
