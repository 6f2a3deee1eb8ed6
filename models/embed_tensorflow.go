//go:build tensorflow

package models

import (
	"embed"
	"path"
)

// This build runs those of the project's own texture networks by TensorFlow of
// which models/train/savedmodel.py made a SavedModel. A site's own networks may
// name either runtime.
const variantFolder = "tensorflow"

//go:embed tensorflow
var variantWeights embed.FS

var variant = variantSet()

// variantSet returns the partial set that names the SavedModels, nil while there
// are none.
func variantSet() []byte {
	b, err := variantWeights.ReadFile(path.Join(variantFolder, SetFile))
	if err != nil {
		return nil // the folder is embedded whole: the file is not there
	}
	return b
}
