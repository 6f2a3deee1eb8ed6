package models

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"livenessd"
)

// SetFile is the name under which a site puts its own description of networks
// into one of the directories given to Load. It stands for those parts of the
// built-in set that it names: face, texture with fusion, fusion, attributes.
const SetFile = "set.json"

// Carried is Network.From of networks that the program carries.
const Carried = "built-in"

// Network is one network whose bytes are those its Spec means.
type Network struct {
	Spec
	Data []byte // the file's contents; not to be written to
	From string // path of the file, or Carried
	// Builtin is whether the built-in set names this very network, fed in this
	// very way. Any other may do to a runtime what nobody has seen: it is tried
	// in a process of its own before it is used.
	Builtin bool
}

// Set is everything the pipeline needs to judge one picture.
type Set struct {
	Face       Network
	Confirm    *Network // nil when the face network alone says what a face is
	Texture    []Network
	Fusion     Fusion
	Attributes *Network // nil when the site does without
}

// Load is Look, when all networks are usable.
func Load(dirs []string) (*Set, error) {
	s, err := Look("", dirs)
	if err != nil {
		return nil, err
	}
	return s.Set()
}

// Survey is what a set asks for and what of it is there.
type Survey struct {
	SetFile  string // path of the site's own description, "" without one
	Networks []Found
	Fusion   Fusion
}

// Found is one network of a Survey. Err says why it cannot be used; it wraps
// livenessd.ErrNotReady and says role, file, where it was looked for and what
// to do. Data and From are empty then.
type Found struct {
	Network
	Err error
}

// Look reads the site's description and finds the networks. The description is
// the file set, or when set is "" the first SetFile in dirs; without one, or
// where it does not say, the built-in set holds.
//
// A site's files are looked for beside its description, then in dirs in their
// order, then among the embedded ones; files of the built-in set among the
// embedded ones first. A directory that does not exist is passed over. A file
// counts only if its SHA-256 is the one its spec names, so a wrong file further
// up does not hide the right one further down.
//
// The error is about the description; it wraps livenessd.ErrNotReady, and
// livenessd.ErrInvalid where a field is wrong.
func Look(set string, dirs []string) (*Survey, error) {
	f, err := holding(set, dirs)
	if err != nil {
		return nil, err
	}
	s := &Survey{SetFile: f.path, Fusion: *f.whole.Fusion}
	known, named := f.builtin.specs(), f.site.specs()
	for _, spec := range f.whole.specs() {
		where := append([]string{inside}, dirs...)
		if isOneOf(spec, named) {
			where = slices.Concat([]string{filepath.Dir(f.path)}, dirs, []string{inside})
		}
		n, err := find(spec, where)
		n.Builtin = isOneOf(spec, known)
		s.Networks = append(s.Networks, Found{n, err})
	}
	return s, nil
}

// layers is what a site says, what the program says, and what holds of both.
type layers struct {
	path                 string // of the site's description, "" without one
	site, builtin, whole description
}

// holding reads the descriptions, as Look finds them.
func holding(set string, dirs []string) (l layers, err error) {
	if l.builtin, err = builtinSet(); err != nil {
		return l, err
	}
	if l.path, l.site, err = describe(set, dirs); err != nil {
		return l, err
	}
	if l.whole, err = l.site.over(l.builtin); err != nil {
		return l, fmt.Errorf("%w: networks: %s: %w; correct it, or remove it to use the built-in set", livenessd.ErrNotReady, l.path, err)
	}
	return l, nil
}

// Set returns the networks, or the first of their errors.
func (s *Survey) Set() (*Set, error) {
	set := &Set{Fusion: s.Fusion}
	for _, n := range s.Networks {
		if n.Err != nil {
			return nil, n.Err
		}
		switch n.Role {
		case RoleFace:
			set.Face = n.Network
		case RoleConfirm:
			set.Confirm = &n.Network
		case RoleTexture:
			set.Texture = append(set.Texture, n.Network)
		case RoleAttributes:
			set.Attributes = &n.Network
		}
	}
	return set, nil
}

// Networks returns all networks of s: face, confirm, texture, attributes.
func (s *Set) Networks() []Network {
	ns := []Network{s.Face}
	if s.Confirm != nil {
		ns = append(ns, *s.Confirm)
	}
	ns = append(ns, s.Texture...)
	if s.Attributes != nil {
		ns = append(ns, *s.Attributes)
	}
	return ns
}

// Reference returns those of the well-known public networks in reference.json
// that are in dirs. They are for comparing with; a site that wants to use them
// copies their specs into its own SetFile.
func Reference(dirs []string) ([]Network, error) {
	d, err := parse(reference)
	if err != nil {
		return nil, fmt.Errorf("reference.json: %w", err)
	}
	base, err := builtinSet()
	if err != nil {
		return nil, err
	}
	known := base.specs()
	var ns []Network
	for _, spec := range d.specs() {
		if n, err := find(spec, dirs); err == nil {
			n.Builtin = isOneOf(spec, known)
			ns = append(ns, n)
		}
	}
	return ns, nil
}

// Digest returns 12 hex digits that stand for everything a score of role
// depends on: the networks' bytes, how they are fed, for RoleTexture their fusion,
// and for RoleFace the network that confirms. It is empty for a role that no
// network has.
func (s *Set) Digest(role Role) string {
	var of any
	switch {
	case role == RoleFace:
		of = s.Face.Spec
		if s.Confirm != nil {
			of = description{Face: &s.Face.Spec, Confirm: &s.Confirm.Spec}
		}
	case role == RoleTexture:
		specs := make([]Spec, len(s.Texture))
		for i, n := range s.Texture {
			specs[i] = n.Spec
		}
		of = description{Texture: specs, Fusion: &s.Fusion}
	case role == RoleAttributes && s.Attributes != nil:
		of = s.Attributes.Spec
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

// describe returns the site's description and its path: that of the file set,
// or of the first SetFile in dirs. Both are empty where there is none.
func describe(set string, dirs []string) (string, description, error) {
	paths := []string{set}
	if set == "" {
		paths = nil
		for _, dir := range dirs {
			paths = append(paths, filepath.Join(dir, SetFile))
		}
	}
	for _, path := range paths {
		b, err := readBounded(path, maxDescription)
		if errors.Is(err, fs.ErrNotExist) && set == "" {
			continue
		}
		if err != nil {
			return path, description{}, fmt.Errorf("%w: networks: %w", livenessd.ErrNotReady, err)
		}
		d, err := parse(b)
		if err != nil {
			return path, d, fmt.Errorf("%w: networks: %s: %w; correct it, or remove it to use the built-in set", livenessd.ErrNotReady, path, err)
		}
		return path, d, nil
	}
	return "", description{}, nil
}

func isOneOf(s Spec, known []Spec) bool {
	return slices.ContainsFunc(known, func(k Spec) bool { return reflect.DeepEqual(s, k) })
}

// inside stands for the embedded networks in a list of directories.
const inside = ""

// find returns spec's network from the first place of where that has its very
// bytes.
func find(spec Spec, where []string) (Network, error) {
	n := Network{Spec: spec}
	var seen, dirs []string // why the files that were there did not do; where none was
	for _, dir := range where {
		from, data, err := fetch(dir, spec.File)
		if dir != inside && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = verify(data, spec)
		}
		if err == nil {
			n.Data, n.From = data, from
			return n, nil
		}
		if s := fmt.Sprintf("%s: %v", from, err); !slices.Contains(seen, s) {
			seen = append(seen, s)
		}
	}
	if len(seen) > 0 {
		return n, fmt.Errorf("%w: %s network %s is damaged or another one (%s); put the file whose SHA-256 is %s there",
			livenessd.ErrNotReady, spec.Role, spec.File, strings.Join(seen, "; "), spec.SHA256)
	}
	in := "any directory (none is configured)"
	if len(dirs) > 0 {
		in = strings.Join(dirs, ", ")
	}
	return n, fmt.Errorf("%w: %s network %s was not found in %s; put the file there, or add the directory that has it to the configuration",
		livenessd.ErrNotReady, spec.Role, spec.File, in)
}

// fetch reads a file from dir, or from the embedded ones, and says what to call
// its place.
func fetch(dir, file string) (from string, data []byte, err error) {
	if dir == inside {
		data, err = embedded(file)
		return Carried, data, err
	}
	path := filepath.Join(dir, file)
	data, err = readBounded(path, maxNetwork)
	return path, data, err
}
