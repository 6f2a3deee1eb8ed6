package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"livenessd"
)

// output is a file that appears once it is complete. It is opened before the
// long work, so that a path that cannot be written is refused at once. The
// methods of nil, an output that nobody asked for, do nothing.
type output struct {
	flag, path string
	file       *os.File
}

// newOutput begins the file at path, which the flag of that name gave; without
// a path it returns nil.
func newOutput(flag, path string) (*output, error) {
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s: %s is not a file", livenessd.ErrInvalid, flag, path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".livenessd-eval-*")
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %v", livenessd.ErrInvalid, flag, err)
	}
	return &output{flag, path, f}, nil
}

// evalOutputs are the files that flags ask for; those that none does are nil.
type evalOutputs struct{ page, scores, set *output }

// outputs begins all of them. They are to be discarded in the end, also after
// an error.
func (o *evalOptions) outputs() (files evalOutputs, err error) {
	for _, f := range []struct {
		to         **output
		flag, path string
	}{{&files.page, "-html", o.html}, {&files.scores, "-scores", o.scores}, {&files.set, "-calibrate", o.calibrate}} {
		if *f.to, err = newOutput(f.flag, f.path); err != nil {
			return files, err
		}
	}
	return files, nil
}

func (f evalOutputs) discard() {
	for _, o := range []*output{f.page, f.scores, f.set} {
		o.discard()
	}
}

// write fills the file and puts it in its place.
func (o *output) write(fill func(io.Writer) error) error {
	if o == nil {
		return nil
	}
	err := errors.Join(fill(o.file), o.file.Chmod(0o644), o.file.Close())
	if err == nil {
		err = os.Rename(o.file.Name(), o.path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.flag, err)
	}
	o.file = nil
	return nil
}

// discard removes the file unless it was written.
func (o *output) discard() {
	if o == nil || o.file == nil {
		return
	}
	o.file.Close()
	os.Remove(o.file.Name())
}
