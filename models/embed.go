package models

import (
	"embed"
	"errors"
	"io/fs"
	"path"
)

//go:embed set.json
var builtin []byte

//go:embed reference.json
var reference []byte

//go:embed weights
var weights embed.FS

// embedded returns the bytes of a network that the program carries. The error
// is fs.ErrNotExist where it carries none of that name.
func embedded(file string) ([]byte, error) {
	b, err := fs.ReadFile(variantWeights, path.Join(variantFolder, file))
	if errors.Is(err, fs.ErrNotExist) {
		b, err = fs.ReadFile(weights, path.Join("weights", file))
	}
	return b, err
}
