package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"livenessd"
)

// Tokens as clients of BWS 3 really make them: signed by HMAC with the key of
// the client that is the subject, for the audience "BWS" in whatever case and
// as text or list, with a time of expiry. Who issued it, and which key was
// used, differs from client to client and is not looked at.
const (
	tokenAudience = "BWS"
	tokenLeeway   = time.Minute
	maxToken      = 8 << 10 // bytes
)

// byToken finds the credential that signed token.
func (a *access) byToken(token string) (*account, error) {
	if len(token) > maxToken {
		return nil, fmt.Errorf("a token of %d bytes: %w", len(token), livenessd.ErrUnauthorized)
	}
	var found *account
	p := jwt.NewParser(jwt.WithValidMethods([]string{"HS256", "HS384", "HS512"}), jwt.WithExpirationRequired(),
		jwt.WithLeeway(tokenLeeway), jwt.WithTimeFunc(a.now))
	t, err := p.Parse(token, func(t *jwt.Token) (any, error) {
		var err error
		found, err = a.signer(t)
		if err != nil {
			return nil, err
		}
		return found.Signing, nil
	})
	if err == nil {
		err = forUs(t.Claims)
	}
	if err != nil {
		return nil, fmt.Errorf("the token is refused (%v): %w", err, livenessd.ErrUnauthorized)
	}
	return found, nil
}

// signer returns the account of the token's subject whose key made its
// signature, else any of that subject, whose check then fails.
func (a *access) signer(t *jwt.Token) (*account, error) {
	subject, err := t.Claims.GetSubject()
	if err != nil || subject == "" {
		return nil, errors.New("it has no subject")
	}
	a.mu.Lock()
	candidates := a.byUser[subject]
	a.mu.Unlock()
	var last *account
	for _, c := range candidates {
		if len(c.Signing) == 0 {
			continue
		}
		last = c
		signed, signature := t.Raw[:strings.LastIndexByte(t.Raw, '.')], t.Signature
		if t.Method.Verify(signed, signature, c.Signing) == nil {
			break
		}
	}
	if last == nil {
		return nil, errors.New("its subject is not known")
	}
	return last, nil
}

// forUs checks the audience.
func forUs(c jwt.Claims) error {
	audience, err := c.GetAudience()
	if err != nil {
		return err
	}
	for _, to := range audience {
		if strings.EqualFold(to, tokenAudience) {
			return nil
		}
	}
	return fmt.Errorf("its audience is %.60q", []string(audience))
}
