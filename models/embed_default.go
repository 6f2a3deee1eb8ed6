//go:build !tensorflow

package models

import "embed"

// A build for another runtime has networks of its own instead of some of the
// built-in ones. This one has not.
const variantFolder = "weights"

var (
	variant        []byte   // a partial set, as a site's
	variantWeights embed.FS // its networks, in variantFolder
)
