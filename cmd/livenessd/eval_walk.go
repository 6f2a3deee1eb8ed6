package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"livenessd"
)

// evalFiles is one presentation before it is judged: a name to show, and its
// pictures in order.
type evalFiles struct {
	name  string
	files []string
}

// evalFound is what a folder holds.
type evalFound struct {
	presentations []evalFiles
	pictures      int
	skipped       int    // files that are no pictures
	video         string // one of them that is a video, "" without
}

// maxEvalPictures bounds what one folder may hold, far above any collection.
const maxEvalPictures = 1_000_000

// pictureNames are the endings of files that DecodePicture reads, videoNames
// of files that people will expect to be read.
var (
	pictureNames = []string{".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"}
	videoNames   = []string{".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mjpeg", ".mpg"}
)

// findPresentations reads the folder root and what is below it, in an order
// that depends on names alone. A folder below root that holds pictures is one
// presentation; pictures in root itself are one each. With each set, every
// picture is one. Links to folders are followed, each folder once; names that
// begin with a dot are passed over.
func findPresentations(ctx context.Context, root string, each bool) (evalFound, error) {
	w := evalWalk{ctx: ctx, each: each, seen: map[string]bool{}}
	if err := w.folder(root, true); err != nil {
		return w.found, err
	}
	if w.found.pictures == 0 {
		why := fmt.Sprintf("%s holds no picture; put some there (%s)", root, strings.Join(pictureNames, ", "))
		if w.found.video != "" {
			why = fmt.Sprintf("%s holds no picture; videos such as %s are not read: take their frames out into a folder each", root, w.found.video)
		}
		return w.found, fmt.Errorf("%w: %s", livenessd.ErrInvalid, why)
	}
	return w.found, nil
}

type evalWalk struct {
	ctx   context.Context
	each  bool
	seen  map[string]bool // real paths of folders that were read
	found evalFound
}

func (w *evalWalk) folder(dir string, top bool) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if w.seen[real] {
		return nil
	}
	w.seen[real] = true
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return compareNatural(a.Name(), b.Name()) })
	var pictures, folders []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path) // follows links
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case err == nil && info.IsDir():
			folders = append(folders, path)
		case err == nil && info.Mode().IsRegular() && hasEnding(path, pictureNames):
			pictures = append(pictures, path)
		default:
			w.skip(path)
		}
	}
	if err := w.take(dir, pictures, top || w.each); err != nil {
		return err
	}
	for _, f := range folders {
		if err := w.folder(f, false); err != nil {
			return err
		}
	}
	return nil
}

func (w *evalWalk) skip(path string) {
	w.found.skipped++
	if w.found.video == "" && hasEnding(path, videoNames) {
		w.found.video = path
	}
}

// take adds the pictures of one folder, as one presentation or as one each.
func (w *evalWalk) take(dir string, pictures []string, each bool) error {
	if w.found.pictures += len(pictures); w.found.pictures > maxEvalPictures {
		return fmt.Errorf("%w: there are more than %d pictures; name folders further down", livenessd.ErrTooLarge, maxEvalPictures)
	}
	if each {
		for _, p := range pictures {
			w.found.presentations = append(w.found.presentations, evalFiles{p, []string{p}})
		}
	} else if len(pictures) > 0 {
		w.found.presentations = append(w.found.presentations, evalFiles{dir, pictures})
	}
	return nil
}

func hasEnding(path string, endings []string) bool {
	return slices.Contains(endings, strings.ToLower(filepath.Ext(path)))
}

// compareNatural orders names as people count: frame_2 before frame_10. Runs
// of digits compare as numbers of any length; what is equal so far is ordered
// by its bytes, so that only equal names compare as 0.
func compareNatural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		dx, dy := digits(x), digits(y)
		if dx == 0 || dy == 0 {
			if x[0] != y[0] {
				return int(x[0]) - int(y[0])
			}
			x, y = x[1:], y[1:]
			continue
		}
		m, n := strings.TrimLeft(x[:dx], "0"), strings.TrimLeft(y[:dy], "0")
		if len(m) != len(n) {
			return len(m) - len(n)
		}
		if c := strings.Compare(m, n); c != 0 {
			return c
		}
		x, y = x[dx:], y[dy:]
	}
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	return strings.Compare(a, b)
}

// digits returns how many digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}
