package models

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"livenessd"
)

//go:embed set.json
var builtin []byte

// SetFile is the name under which a site puts its own description of networks
// into one of the directories given to Load. It then stands for the built-in
// one as a whole.
const SetFile = "set.json"

// Network is one network whose bytes are those its Spec means.
type Network struct {
	Spec
	Data []byte // ONNX; not to be written to
}

// Set is everything the pipeline needs to judge one picture.
type Set struct {
	Face    Network
	Texture []Network
	Fusion  Fusion
}

// Load reads the set of networks. Each file is looked for in dirs, in that
// order; a directory that does not exist is passed over. A file counts only if
// its SHA-256 is the one its spec names, so a wrong file further up does not
// hide the right one further down.
//
// When networks are missing or damaged, or dirs hold a SetFile that is not
// valid, the error wraps livenessd.ErrNotReady and says role, file, the
// directories and what to do.
func Load(dirs []string) (*Set, error) {
	d, err := describe(dirs)
	if err != nil {
		return nil, err
	}
	s := &Set{Fusion: d.Fusion}
	if s.Face, err = read(d.Face, dirs); err != nil {
		return nil, err
	}
	for _, spec := range d.Texture {
		n, err := read(spec, dirs)
		if err != nil {
			return nil, err
		}
		s.Texture = append(s.Texture, n)
	}
	return s, nil
}

// Digest returns 12 hex digits that stand for everything a score of role
// depends on: the networks' bytes, how they are fed, and for RoleTexture their
// fusion. It is empty for a role that no network has.
func (s *Set) Digest(role Role) string {
	var of any
	switch role {
	case RoleFace:
		of = s.Face.Spec
	case RoleTexture:
		specs := make([]Spec, len(s.Texture))
		for i, n := range s.Texture {
			specs[i] = n.Spec
		}
		of = description{Texture: specs, Fusion: s.Fusion}
	default:
		return ""
	}
	b, err := json.Marshal(of)
	if err != nil {
		panic("models: a checked spec cannot be written as JSON: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// describe returns the first SetFile in dirs, else the built-in description.
func describe(dirs []string) (description, error) {
	for _, dir := range dirs {
		path := filepath.Join(dir, SetFile)
		b, err := readBounded(path, maxDescription)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return description{}, fmt.Errorf("%w: networks: %v", livenessd.ErrNotReady, err)
		}
		d, err := parse(b)
		if err != nil {
			return d, fmt.Errorf("%w: networks: %s: %w; correct it, or remove it to use the built-in set", livenessd.ErrNotReady, path, err)
		}
		return d, nil
	}
	d, err := parse(builtin)
	if err != nil {
		return d, fmt.Errorf("built-in %s: %w", SetFile, err)
	}
	return d, nil
}

// read finds the bytes that spec means.
func read(spec Spec, dirs []string) (Network, error) {
	var seen []string // why the files that were there did not do
	for _, dir := range dirs {
		path := filepath.Join(dir, spec.File)
		data, err := readBounded(path, maxNetwork)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = verify(data, spec.SHA256)
		}
		if err == nil {
			return Network{Spec: spec, Data: data}, nil
		}
		seen = append(seen, fmt.Sprintf("%s: %v", path, err))
	}
	if len(seen) > 0 {
		return Network{}, fmt.Errorf("%w: %s network %s is damaged or another one (%s); put the file whose SHA-256 is %s there",
			livenessd.ErrNotReady, spec.Role, spec.File, strings.Join(seen, "; "), spec.SHA256)
	}
	return Network{}, fmt.Errorf("%w: %s network %s was not found in %s; put the file there, or add the directory that has it to the configuration",
		livenessd.ErrNotReady, spec.Role, spec.File, places(dirs))
}

func places(dirs []string) string {
	if len(dirs) == 0 {
		return "any directory (none is configured)"
	}
	return strings.Join(dirs, ", ")
}

// verify says whether data is the network with that digest and looks like one.
// The second is for a digest that a site wrote beside a file of another kind:
// OpenCV is not asked to parse what is plainly not ONNX.
func verify(data []byte, sum string) error {
	got := sha256.Sum256(data)
	if h := hex.EncodeToString(got[:]); h != sum {
		return fmt.Errorf("its SHA-256 is %s", h)
	}
	return checkONNX(data)
}

// readBounded reads a regular file of 1 to limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	st, err := os.Stat(path) // before Open, which would wait at a named pipe
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is empty or larger than %d bytes", path, limit)
	}
	return b, nil
}
