package main

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"livenessd"
)

// argon2id as OWASP's Password Storage Cheat Sheet has it for small machines:
// 19 MiB, 2 passes, 1 lane. Hashes carry their parameters, so that others can
// be chosen later.
const (
	argonMemory = 19 * 1024 // KiB
	argonPasses = 2
	argonSalt   = 16
	argonSum    = 32
)

// Bounds of what a stored hash may ask for, and of what is hashed.
const (
	maxArgonMemory = 64 * 1024
	maxArgonPasses = 10
	maxSecret      = 1024 // bytes
)

// hashSecret returns the argon2id hash of secret in the PHC string format:
// $argon2id$v=19$m=19456,t=2,p=1$SALT$SUM.
func hashSecret(secret []byte) string {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
	sum := argon2.IDKey(utf8Secret(secret), salt, argonPasses, argonMemory, 1, argonSum)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, argonMemory, argonPasses, b64(salt), b64(sum))
}

// secretMatches tells whether secret is the one that hash was made of. It
// takes tens of milliseconds and the memory that hash asks for. An error means
// that hash is none of ours.
func secretMatches(secret []byte, hash string) (bool, error) {
	bad := fmt.Errorf("%w: a stored secret is not an argon2id hash", livenessd.ErrInvalid)
	part := strings.Split(hash, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, bad
	}
	var memory, passes uint32
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=1", &memory, &passes); err != nil {
		return false, bad
	}
	salt, err := base64.RawStdEncoding.DecodeString(part[4])
	if err != nil {
		return false, bad
	}
	want, err := base64.RawStdEncoding.DecodeString(part[5])
	if err != nil || len(want) != argonSum || memory > maxArgonMemory || passes < 1 || passes > maxArgonPasses {
		return false, bad
	}
	if len(secret) > maxSecret {
		return false, nil
	}
	got := argon2.IDKey(utf8Secret(secret), salt, passes, memory, 1, argonSum)
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// utf8Secret returns a secret as UTF-8. Some clients send HTTP Basic in
// ISO-8859-1, which is what bytes that are not UTF-8 are taken for.
func utf8Secret(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	var out []byte
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

// newSecret makes a secret of 160 random bits that fits into any header.
func newSecret() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// signingKeySize is the size that BWS 3 gives its keys, in bytes.
const signingKeySize = 64

func newSigningKey() []byte {
	b := make([]byte, signingKeySize)
	_, _ = rand.Read(b)
	return b
}
