package capture

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"livenessd"
)

// Bounds on a recording in a folder.
const (
	maxFrames  = 500_000          // nine hours at 15 pictures a second
	maxSeconds = 1_000_000        // eleven days
	maxLine    = 1024             // bytes of a line of the times file
	lineSyntax = `"name,seconds"` // what a line looks like
	earlyTimes = "frames.csv"     // looked for first
	lateTimes  = "timestamps.txt" // looked for second
)

// still is one picture of a recording in a folder and when it was taken,
// counted from the recording's beginning.
type still struct {
	name   string
	offset time.Duration
}

// parseTimes reads the times file of a recording: a line "name,seconds" for
// each picture, in the order of time; seconds are counted from any beginning
// and have to grow. Empty lines, lines that begin with # and a first line
// "name,seconds" are skipped. Errors name the line and wrap ErrInvalid.
func parseTimes(r io.Reader) ([]still, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, maxLine), maxLine)
	var out []still
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' || len(out) == 0 && strings.EqualFold(line, "name,seconds") {
			continue
		}
		s, err := parseTime(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if len(out) > 0 && s.offset <= out[len(out)-1].offset {
			return nil, fmt.Errorf("line %d: the time has to be later than that of the line before: %w", n, livenessd.ErrInvalid)
		}
		if len(out) == maxFrames {
			return nil, fmt.Errorf("line %d: more than %d pictures: %w", n, maxFrames, livenessd.ErrTooLarge)
		}
		out = append(out, s)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("after %d pictures: %w", len(out), err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it lists no picture: %w", livenessd.ErrInvalid)
	}
	begin := out[0].offset
	for i := range out {
		out[i].offset -= begin
	}
	return out, nil
}

func parseTime(line string) (still, error) {
	name, text, ok := strings.Cut(line, ",")
	name = strings.TrimSpace(name)
	if !ok {
		return still{}, fmt.Errorf("it should read %s: %w", lineSyntax, livenessd.ErrInvalid)
	}
	if name == "" || name == "." || name == ".." || name != filepath.Base(name) || strings.ContainsRune(name, 0) {
		return still{}, fmt.Errorf("%.40q is not the name of a file in the same folder: %w", name, livenessd.ErrInvalid)
	}
	sec, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(sec >= 0 && sec <= maxSeconds) {
		return still{}, fmt.Errorf("%.40q is not a number of seconds from 0 to %d: %w", text, maxSeconds, livenessd.ErrInvalid)
	}
	return still{name, time.Duration(sec * float64(time.Second))}, nil
}

// natural orders names as people do: 2.jpg before 10.jpg. Runs of digits
// compare by value, everything else by bytes.
func natural(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		if da == "" || db == "" {
			if a[0] != b[0] {
				return int(a[0]) - int(b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		va, vb := strings.TrimLeft(da, "0"), strings.TrimLeft(db, "0")
		if len(va) != len(vb) {
			return len(va) - len(vb)
		}
		if c := strings.Compare(va, vb); c != 0 {
			return c
		}
		if c := len(da) - len(db); c != 0 {
			return c // 7 before 07, so that the order is total
		}
		a, b = a[len(da):], b[len(db):]
	}
	return len(a) - len(b)
}

func digits(s string) string {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n]
}
