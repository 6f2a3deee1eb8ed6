package capture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"livenessd"
)

// folder plays the pictures of a folder. It reads through os.Root: a name in a
// times file cannot lead out of it, not even by a link.
type folder struct {
	root   *os.Root
	stills []still
	n      int
}

func openFolder(path string, fps float64) (player, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	stills, err := listStills(root, fps)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &folder{root: root, stills: stills}, nil
}

func (f *folder) next() (shot, error) {
	if f.n == len(f.stills) {
		return shot{}, io.EOF
	}
	s := f.stills[f.n]
	f.n++
	data, err := readBounded(f.root, s.name, maxPicture)
	if err != nil {
		return shot{}, err
	}
	data, h, err := completeJPEG(data)
	if err != nil {
		return shot{}, fmt.Errorf("file %s: %w", s.name, err)
	}
	return shot{data, h, s.offset}, nil
}

func (f *folder) close() error { return f.root.Close() }

// listStills reads the folder's times file, or, without one, gives every JPEG
// its turn at fps.
func listStills(root *os.Root, fps float64) ([]still, error) {
	for _, name := range []string{earlyTimes, lateTimes} {
		f, err := root.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		stills, err := parseTimes(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("file %s: %w", name, err)
		}
		return stills, nil
	}
	names, err := jpegNames(root)
	if err != nil {
		return nil, err
	}
	stills := make([]still, len(names))
	for i, name := range names {
		stills[i] = still{name, at(i, fps)}
	}
	return stills, nil
}

func jpegNames(root *os.Root) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	all, err := dir.Readdirnames(maxFrames + 1)
	if errors.Is(err, io.EOF) {
		err = nil // an empty folder
	}
	if err = errors.Join(err, dir.Close()); err != nil {
		return nil, err
	}
	if len(all) > maxFrames {
		return nil, fmt.Errorf("it holds more than %d files: %w", maxFrames, livenessd.ErrTooLarge)
	}
	names := slices.DeleteFunc(all, func(n string) bool {
		ext := strings.ToLower(filepath.Ext(n))
		return ext != ".jpg" && ext != ".jpeg"
	})
	slices.SortFunc(names, natural)
	return names, nil
}

func readBounded(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("file %s has more than %d bytes: %w", name, limit, livenessd.ErrTooLarge)
	}
	return data, errors.Join(err, f.Close())
}
