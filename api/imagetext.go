package api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/url"
)

// Pictures come as text: base64 of either alphabet, padded or not, or a data
// URL (RFC 2397). What the text says of the picture's type is not believed:
// the pictures' own first bytes count.

var (
	errNoImage   = errors.New("there is no picture")
	errImageText = errors.New("this is neither base64 nor a data URL")
)

// imageBytes returns the bytes that text stands for. The error is errNoImage
// for an empty text and for an empty data URL, errImageText otherwise.
func imageBytes(text []byte) ([]byte, error) {
	text = bytes.TrimSpace(text)
	if !isDataURL(text) {
		return fromBase64(text)
	}
	head, data, ok := bytes.Cut(text[len("data:"):], []byte(","))
	if !ok {
		return nil, errImageText
	}
	if bytes.IndexByte(data, '%') >= 0 {
		s, err := url.PathUnescape(string(data))
		if err != nil {
			return nil, errImageText
		}
		data = []byte(s)
	}
	if len(data) == 0 {
		return nil, errNoImage
	}
	const encoded = ";base64"
	if n := len(head) - len(encoded); n < 0 || !bytes.EqualFold(head[n:], []byte(encoded)) {
		return data, nil
	}
	return fromBase64(data)
}

// isDataURL tells whether text begins as a data URL.
func isDataURL(text []byte) bool {
	const scheme = "data:"
	return len(text) >= len(scheme) && bytes.EqualFold(text[:len(scheme)], []byte(scheme))
}

// fromBase64 decodes RFC 4648's standard or URL-safe alphabet. Line ends in
// between are ignored, as MIME has them.
func fromBase64(text []byte) ([]byte, error) {
	text = bytes.TrimRight(bytes.TrimSpace(text), "=")
	if len(text) == 0 {
		return nil, errNoImage
	}
	alphabet := base64.RawStdEncoding
	if bytes.IndexByte(text, '-') >= 0 || bytes.IndexByte(text, '_') >= 0 {
		alphabet = base64.RawURLEncoding
	}
	out := make([]byte, alphabet.DecodedLen(len(text)))
	n, err := alphabet.Decode(out, text)
	if err != nil {
		return nil, errImageText
	}
	return out[:n], nil
}

// isWebURL tells whether text is an address to fetch a picture from.
func isWebURL(text []byte) bool {
	for _, scheme := range []string{"https://", "http://"} {
		if len(text) >= len(scheme) && bytes.EqualFold(text[:len(scheme)], []byte(scheme)) {
			return true
		}
	}
	return false
}

// isJPEG and isPNG look at a picture's first bytes.
func isJPEG(b []byte) bool { return bytes.HasPrefix(b, []byte("\xff\xd8\xff")) }
func isPNG(b []byte) bool  { return bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")) }
