package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
)

// errNotForm is a body that does not say that it is multipart/form-data.
var errNotForm = errors.New("this is not multipart/form-data")

// maxParts bounds the parts of a form.
const maxParts = 32

// formPart returns the contents of the first part of a multipart form with
// this name, whatever the part says of its file's name and type. The error is
// errNotForm, errNoImage when there is no such part or it is empty, or wraps
// errBody.
func formPart(contentType string, body []byte, name string) ([]byte, error) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" {
		return nil, errNotForm
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for range maxParts {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, errNoImage
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %v", errBody, err)
		}
		if p.FormName() != name {
			continue
		}
		b, err := io.ReadAll(p)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", errBody, err)
		}
		if len(b) == 0 {
			return nil, errNoImage
		}
		return b, nil
	}
	return nil, fmt.Errorf("%w: the form has more than %d parts", errBody, maxParts)
}
