package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"livenessd"
)

// minToken is the shortest token that is accepted, in characters.
const minToken = 24

// tokenAuthorizer reads the token that callers from other machines send as
// "Authorization: Bearer TOKEN".
func tokenAuthorizer(file string) (func(*http.Request) error, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("%w: everybody on this machine may read %s: chmod 640 it", livenessd.ErrInvalid, file)
	}
	if info.Size() > 4096 {
		return nil, fmt.Errorf("%w: %s is %d bytes, too long for a token", livenessd.ErrInvalid, file, info.Size())
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	token := strings.TrimSpace(string(b))
	if len(token) < minToken {
		return nil, fmt.Errorf("%w: the token in %s is shorter than %d characters", livenessd.ErrInvalid, file, minToken)
	}
	// Equal digests are compared, so that the time taken tells neither the
	// token nor its length.
	want := sha256.Sum256([]byte(token))
	return func(r *http.Request) error {
		scheme, given, ok := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(given))
		if !ok || !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return errors.New("no or a wrong bearer token")
		}
		return nil
	}, nil
}
