package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"livenessd"
)

// evalFolders are the folders that eval was given, as they were named.
type evalFolders struct {
	live, attack []string
	last         *[]string // to which a folder without a flag before it belongs
}

// add is for the flags -live and -attack.
func (e *evalFolders) add(to *[]string) func(string) error {
	return func(dir string) error {
		*to, e.last = append(*to, dir), to
		return nil
	}
}

// parse reads args with f. Folders may follow a folder, as the shell makes
// them of `-attack attacks/*`: they belong to the flag before them. Flags may
// follow folders.
func (e *evalFolders) parse(f *flags, args []string) error {
	for {
		if err := f.Parse(args); err != nil {
			return err
		}
		args = f.Args()
		for len(args) > 0 && (args[0] == "" || args[0][0] != '-') {
			if e.last == nil {
				return fmt.Errorf("%w: %q is neither a bona fide nor an attack folder: put -live or -attack before it", livenessd.ErrInvalid, args[0])
			}
			*e.last, args = append(*e.last, args[0]), args[1:]
		}
		if len(args) == 0 {
			return nil
		}
	}
}

// check refuses folders that are missing, and such that would let one picture
// count twice or as both a person and an attack.
func (e *evalFolders) check() error {
	if len(e.live) == 0 || len(e.attack) == 0 {
		return fmt.Errorf("%w: name at least one folder of people (-live DIR) and one of attacks (-attack DIR)", livenessd.ErrInvalid)
	}
	type place struct{ given, real string }
	var places []place
	for _, dir := range append(append([]string{}, e.live...), e.attack...) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("%w: folder %s: %v", livenessd.ErrInvalid, dir, err)
		}
		if !info.IsDir() {
			return fmt.Errorf("%w: %s is a file; name the folder that it lies in", livenessd.ErrInvalid, dir)
		}
		real, err := filepath.Abs(dir)
		if err == nil {
			real, err = filepath.EvalSymlinks(real)
		}
		if err != nil {
			return fmt.Errorf("%w: folder %s: %v", livenessd.ErrInvalid, dir, err)
		}
		for _, p := range places {
			if within(real, p.real) || within(p.real, real) {
				return fmt.Errorf("%w: %s and %s hold the same pictures; each picture may count once, as a person or as an attack", livenessd.ErrInvalid, p.given, dir)
			}
		}
		places = append(places, place{dir, real})
	}
	return nil
}

// within reports whether a is b or lies below it. Both are clean.
func within(a, b string) bool {
	return a == b || strings.HasPrefix(a, strings.TrimSuffix(b, "/")+"/")
}

// speciesNames names each attack folder by the end of its path: the shortest
// end by which all differ.
func speciesNames(dirs []string) []string {
	parts := make([][]string, len(dirs))
	longest := 0
	for i, dir := range dirs {
		if abs, err := filepath.Abs(dir); err == nil { // so that "." has a name
			dir = abs
		}
		parts[i] = strings.Split(strings.Trim(filepath.Clean(dir), "/"), "/")
		longest = max(longest, len(parts[i]))
	}
	names := make([]string, len(dirs))
	for n := 1; n <= longest; n++ {
		seen := map[string]bool{}
		for i, p := range parts {
			names[i] = strings.Join(p[max(0, len(p)-n):], "/")
			seen[names[i]] = true
		}
		if len(seen) == len(dirs) {
			break
		}
	}
	return names
}
