package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"livenessd"
	"livenessd/api"
)

// ring is a keyring in memory.
type ring struct {
	mu    sync.Mutex
	all   []livenessd.Credential
	spend func(name string) error

	refunds []string
}

func (r *ring) Credentials() ([]livenessd.Credential, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]livenessd.Credential{}, r.all...), nil
}

func (r *ring) SpendQuota(name string) error { return r.spend(name) }

func (r *ring) RefundQuota(name string) error {
	r.refunds = append(r.refunds, name)
	return nil
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// newTestAccess returns an access whose clock stands at noon, and the hands of
// that clock.
func newTestAccess(t *testing.T, all ...livenessd.Credential) (*access, *ring, *time.Time) {
	t.Helper()
	r := &ring{all: all}
	a, err := newAccess(r, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now := noon
	a.now = func() time.Time { return now }
	a.checks, a.strange = newBucket(checksPerMinute, checksAtOnce, now), newBucket(checksPerMinute, checksAtOnce, now)
	return a, r, &now
}

func made(name, user string, dialects ...livenessd.Dialect) (livenessd.Credential, secrets) {
	s := secrets{Name: name, User: user}
	return s.credential(dialects), s
}

// Ensure that every scheme admits who shows the right secrets, and nobody who
// shows anything less.
func TestAdmitBySecret(t *testing.T) {
	desk, deskKnows := made("desk", "desk-app", livenessd.DialectBioID)
	gate, gateKnows := made("gate", "gate-user", livenessd.DialectGLAIR)
	both, bothKnows := made("both", "desk-app", livenessd.DialectTrustmatic) // the same user, while secrets are exchanged
	signer, _ := made("signer", "client", livenessd.DialectBWS3)
	basic := func(user, secret string) api.Proof {
		return api.Proof{Scheme: api.SchemeBasic, User: []byte(user), Secret: []byte(secret)}
	}
	glair := func(user, secret, key string) api.Proof {
		return api.Proof{Scheme: api.SchemeBasicKey, User: []byte(user), Secret: []byte(secret), Key: []byte(key)}
	}
	pair := func(user, secret string) api.Proof {
		return api.Proof{Scheme: api.SchemePair, User: []byte(user), Secret: []byte(secret)}
	}
	a, _, _ := newTestAccess(t, desk, gate, both, signer)
	a.checks = newBucket(1000, 1000, noon)
	for name, tt := range map[string]struct {
		dialect livenessd.Dialect
		proof   api.Proof
		want    string
		err     error
	}{
		"basic":               {livenessd.DialectBioID, basic("desk-app", deskKnows.Secret), "desk", nil},
		"second of one user":  {livenessd.DialectTrustmatic, basic("desk-app", bothKnows.Secret), "both", nil},
		"wrong secret":        {livenessd.DialectBioID, basic("desk-app", deskKnows.Secret+"x"), "", livenessd.ErrUnauthorized},
		"empty secret":        {livenessd.DialectBioID, basic("desk-app", ""), "", livenessd.ErrUnauthorized},
		"another's secret":    {livenessd.DialectGLAIR, basic("desk-app", gateKnows.Secret), "", livenessd.ErrUnauthorized},
		"unknown user":        {livenessd.DialectBioID, basic("nobody", deskKnows.Secret), "", livenessd.ErrUnauthorized},
		"nobody":              {livenessd.DialectBioID, basic("", ""), "", livenessd.ErrUnauthorized},
		"other dialect":       {livenessd.DialectTrustmatic, basic("desk-app", deskKnows.Secret), "desk", livenessd.ErrForbidden},
		"pair":                {livenessd.DialectVerihubs, pair("desk-app", deskKnows.Secret), "desk", livenessd.ErrForbidden},
		"with key":            {livenessd.DialectGLAIR, glair("gate-user", gateKnows.Secret, gateKnows.Key), "gate", nil},
		"wrong key":           {livenessd.DialectGLAIR, glair("gate-user", gateKnows.Secret, gateKnows.Secret), "", livenessd.ErrUnauthorized},
		"no key":              {livenessd.DialectGLAIR, glair("gate-user", gateKnows.Secret, ""), "", livenessd.ErrUnauthorized},
		"key of one without":  {livenessd.DialectGLAIR, glair("desk-app", deskKnows.Secret, ""), "", livenessd.ErrUnauthorized},
		"user with no secret": {livenessd.DialectBioID, basic("client", ""), "", livenessd.ErrUnauthorized},
		"no scheme":           {livenessd.DialectBioID, api.Proof{}, "", livenessd.ErrUnauthorized},
		"long secret":         {livenessd.DialectBioID, basic("desk-app", strings.Repeat("x", maxSecret+1)), "", livenessd.ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			for again := range 2 { // the second time from memory
				if again == 1 && tt.err != nil {
					break
				}
				got, err := a.Admit(t.Context(), tt.dialect, tt.proof)
				if got != tt.want || !errors.Is(err, tt.err) {
					t.Fatalf("got %q, %v", got, err)
				}
			}
		})
	}
}

// Ensure that a secret is remembered under its whole proof only, and forgotten
// when the credential is removed or exchanged.
func TestAdmitForgets(t *testing.T) {
	c, knows := made("gate", "user", livenessd.DialectGLAIR, livenessd.DialectBioID)
	a, r, _ := newTestAccess(t, c)
	right := api.Proof{Scheme: api.SchemeBasicKey, User: []byte("user"), Secret: []byte(knows.Secret), Key: []byte(knows.Key)}
	if _, err := a.Admit(t.Context(), livenessd.DialectGLAIR, right); err != nil {
		t.Fatal(err)
	}
	a.checks = newBucket(1, 1, noon) // for the other scheme; then both are remembered
	for range 3 {
		basic := api.Proof{Scheme: api.SchemeBasic, User: right.User, Secret: right.Secret}
		_, errBasic := a.Admit(t.Context(), livenessd.DialectBioID, basic)
		_, errKey := a.Admit(t.Context(), livenessd.DialectGLAIR, right)
		if errBasic != nil || errKey != nil {
			t.Errorf("by turns: %v, %v", errBasic, errKey)
		}
	}
	a.checks = newBucket(100, 100, noon)
	shifted := right
	shifted.Secret, shifted.Key = append([]byte(knows.Secret), knows.Key...), nil
	if _, err := a.Admit(t.Context(), livenessd.DialectGLAIR, shifted); !errors.Is(err, livenessd.ErrUnauthorized) {
		t.Errorf("got %v", err)
	}
	other, _ := made("gate", "user", livenessd.DialectGLAIR)
	for _, all := range [][]livenessd.Credential{{other}, {}} {
		r.all = all
		if err := a.load(); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Admit(t.Context(), livenessd.DialectGLAIR, right); !errors.Is(err, livenessd.ErrUnauthorized) {
			t.Errorf("with %d credentials: got %v", len(all), err)
		}
	}
}

// Ensure that a password in ISO-8859-1, as some clients send it, is the one
// that was given in UTF-8.
func TestAdmitLatin1(t *testing.T) {
	s := secrets{Name: "gate", User: "user", Secret: "pässwort"}
	a, _, _ := newTestAccess(t, s.credential([]livenessd.Dialect{livenessd.DialectBioID}))
	for _, secret := range []string{"pässwort", "p\xe4sswort"} {
		p := api.Proof{Scheme: api.SchemeBasic, User: []byte("user"), Secret: []byte(secret)}
		if _, err := a.Admit(t.Context(), livenessd.DialectBioID, p); err != nil {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

// Ensure that strangers cannot have secrets checked as often as they like, and
// that a known caller does not suffer from it.
func TestAdmitStrangers(t *testing.T) {
	c, knows := made("gate", "user", livenessd.DialectBioID)
	a, _, now := newTestAccess(t, c)
	a.checks, a.strange = newBucket(60, 2, *now), newBucket(60, 1, *now)
	for i, want := range []error{livenessd.ErrUnauthorized, livenessd.ErrRate} {
		nobody := api.Proof{Scheme: api.SchemeBasic, User: []byte("nobody"), Secret: []byte("guess")}
		if _, err := a.Admit(t.Context(), livenessd.DialectBioID, nobody); !errors.Is(err, want) {
			t.Errorf("nobody's guess %d: got %v", i, err)
		}
	}
	right := api.Proof{Scheme: api.SchemeBasic, User: []byte("user"), Secret: []byte(knows.Secret)}
	wrong := api.Proof{Scheme: api.SchemeBasic, User: []byte("user"), Secret: []byte("guess")}
	if _, err := a.Admit(t.Context(), livenessd.DialectBioID, right); err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{livenessd.ErrUnauthorized, livenessd.ErrRate, livenessd.ErrRate} {
		_, err := a.Admit(t.Context(), livenessd.DialectBioID, wrong)
		var again interface{ RetryAfter() time.Duration }
		if !errors.Is(err, want) || (want == livenessd.ErrRate) != errors.As(err, &again) || (again != nil && again.RetryAfter() != time.Second) {
			t.Errorf("guess %d: got %v", i, err)
		}
	}
	if _, err := a.Admit(t.Context(), livenessd.DialectBioID, right); err != nil {
		t.Errorf("the known caller: %v", err)
	}
	*now = now.Add(time.Second)
	if _, err := a.Admit(t.Context(), livenessd.DialectBioID, wrong); !errors.Is(err, livenessd.ErrUnauthorized) {
		t.Errorf("a second later: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	a.checks = newBucket(60, 2, *now)
	a.checking <- struct{}{} // somebody else's secret is being checked
	if _, err := a.Admit(gone, livenessd.DialectBioID, wrong); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that went away: %v", err)
	}
}

func TestAdmitRate(t *testing.T) {
	c, knows := made("gate", "user", livenessd.DialectBioID)
	c.Rate = 2
	a, _, now := newTestAccess(t, c)
	a.byName["gate"].calls = newBucket(2, 2, *now)
	p := api.Proof{Scheme: api.SchemeBasic, User: []byte("user"), Secret: []byte(knows.Secret)}
	for i, step := range []struct {
		after time.Duration
		ok    bool
	}{{0, true}, {0, true}, {0, false}, {29 * time.Second, false}, {time.Second, true}, {0, false}, {time.Hour, true}, {0, true}, {0, false}} {
		*now = now.Add(step.after)
		if i == 3 { // the operator changes something else
			if err := a.load(); err != nil {
				t.Fatal(err)
			}
		}
		got, err := a.Admit(t.Context(), livenessd.DialectBioID, p)
		if (err == nil) != step.ok || (err != nil && !errors.Is(err, livenessd.ErrRate)) || got != "gate" {
			t.Errorf("call %d: got %q, %v", i, got, err)
		}
	}
}

func TestSpend(t *testing.T) {
	plain, _ := made("plain", "a", livenessd.DialectBioID)
	quota, _ := made("quota", "b", livenessd.DialectBioID)
	quota.Quota = 1
	a, r, _ := newTestAccess(t, plain, quota)
	for _, tt := range []struct {
		name        string
		store, want error
	}{
		{"plain", errors.New("not asked"), nil},
		{"quota", nil, nil},
		{"quota", fmt.Errorf("all gone: %w", livenessd.ErrQuota), livenessd.ErrQuota},
		{"quota", livenessd.ErrNotFound, livenessd.ErrUnauthorized},
		{"removed", nil, livenessd.ErrUnauthorized},
	} {
		r.spend = func(string) error { return tt.store }
		if err := a.Spend(tt.name); !errors.Is(err, tt.want) {
			t.Errorf("%s with %v: got %v", tt.name, tt.store, err)
		}
	}
	for _, name := range []string{"plain", "quota", "removed"} {
		a.Refund(name)
	}
	if len(r.refunds) != 1 || r.refunds[0] != "quota" {
		t.Errorf("given back: %v", r.refunds)
	}
}

// Ensure that tokens as real clients make them are taken, and no other ones.
func TestAdmitByToken(t *testing.T) {
	c, knows := made("gate", "client", livenessd.DialectBWS3)
	other, _ := made("older-key", "client", livenessd.DialectBWS3)
	only, _ := made("basic", "basic-only", livenessd.DialectBioID)
	a, _, _ := newTestAccess(t, other, c, only)
	key := knows.Signing
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		m := jwt.MapClaims{"sub": "client", "iss": "client", "aud": "BWS", "exp": noon.Add(5 * time.Minute).Unix()}
		change(m)
		return m
	}
	none := func(jwt.MapClaims) {}
	sign := func(method jwt.SigningMethod, key any, m jwt.MapClaims) string {
		s, err := jwt.NewWithClaims(method, m).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	right := sign(jwt.SigningMethodHS512, key, claims(none))
	good := map[string]string{
		"HS512":          right,
		"HS256":          sign(jwt.SigningMethodHS256, key, claims(none)),
		"HS384":          sign(jwt.SigningMethodHS384, key, claims(none)),
		"lower audience": sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) { m["aud"] = "bws" })),
		"audience list":  sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) { m["aud"] = []string{"x", "BWS"} })),
		"other issuer":   sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) { m["iss"] = "demoWeApp" })),
		"just expired":   sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) { m["exp"] = noon.Add(-50 * time.Second).Unix() })),
		"their clock": sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) {
			m["nbf"], m["iat"] = noon.Add(50*time.Second).Unix(), noon.Add(time.Hour).Unix()
		})),
		"the other's key": sign(jwt.SigningMethodHS256, other.Signing, claims(none)),
	}
	for name, token := range good {
		want := "gate"
		if name == "the other's key" {
			want = "older-key"
		}
		if got, err := a.Admit(t.Context(), livenessd.DialectBWS3, api.Proof{Scheme: api.SchemeBearer, Token: token}); got != want || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	part := strings.Split(right, ".")
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + part[1] + "."
	for name, token := range map[string]string{
		"none":            unsigned,
		"no signature":    part[0] + "." + part[1] + ".",
		"wrong key":       sign(jwt.SigningMethodHS512, []byte("another"), claims(none)),
		"empty key":       sign(jwt.SigningMethodHS512, []byte{}, claims(none)),
		"expired":         sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) { m["exp"] = noon.Add(-61 * time.Second).Unix() })),
		"never expires":   sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) { delete(m, "exp") })),
		"not yet":         sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) { m["nbf"] = noon.Add(2 * time.Minute).Unix() })),
		"other audience":  sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) { m["aud"] = "BWSX" })),
		"no audience":     sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) { delete(m, "aud") })),
		"no subject":      sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) { delete(m, "sub") })),
		"unknown subject": sign(jwt.SigningMethodHS256, key, claims(func(m jwt.MapClaims) { m["sub"] = "nobody" })),
		"subject without": sign(jwt.SigningMethodHS256, []byte{}, claims(func(m jwt.MapClaims) { m["sub"] = "basic-only" })),
		"changed":         part[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"client","aud":"BWS","exp":99999999999}`)) + "." + part[2],
		"empty":           "",
		"text":            "let me in",
		"dots":            "..",
		"huge":            strings.Repeat("a", maxToken) + ".." + right,
	} {
		if got, err := a.Admit(t.Context(), livenessd.DialectBWS3, api.Proof{Scheme: api.SchemeBearer, Token: token}); got != "" || !errors.Is(err, livenessd.ErrUnauthorized) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if got, err := a.Admit(t.Context(), livenessd.DialectGLAIR, api.Proof{Scheme: api.SchemeBearer, Token: right}); got != "gate" || !errors.Is(err, livenessd.ErrForbidden) {
		t.Errorf("in another dialect: got %q, %v", got, err)
	}
}

// FuzzToken feeds tokens: only those that were signed with the key pass.
func FuzzToken(f *testing.F) {
	c, knows := made("gate", "client", livenessd.DialectBWS3)
	a, err := newAccess(&ring{all: []livenessd.Credential{c}}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	a.now = func() time.Time { return noon }
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "client", "aud": "BWS", "exp": noon.Unix()}).SignedString(knows.Signing)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{token, token + "A", "..", "", "e30.e30.", strings.Replace(token, ".", "..", 1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, err := a.Admit(t.Context(), livenessd.DialectBWS3, api.Proof{Scheme: api.SchemeBearer, Token: s})
		if (err == nil) != (s == token) && !sameSignature(s, token) {
			t.Errorf("%q: %v", s, err)
		}
	})
}

// sameSignature tells whether s is token in another spelling of base64: the
// last character of a signature may carry bits that mean nothing.
func sameSignature(s, token string) bool {
	return len(s) == len(token) && s[:len(s)-1] == token[:len(token)-1]
}

// Ensure that concurrent callers and changes do not disturb each other.
func TestAccessConcurrently(t *testing.T) {
	c, knows := made("gate", "user", livenessd.DialectBioID)
	c.Rate = 1e6
	a, _, _ := newTestAccess(t, c)
	a.checks = newBucket(1, 5, noon) // one check for all, and one after each change that came meanwhile
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				p := api.Proof{Scheme: api.SchemeBasic, User: []byte("user"), Secret: []byte(knows.Secret)}
				if _, err := a.Admit(t.Context(), livenessd.DialectBioID, p); err != nil {
					t.Error(err)
				}
				if i == 0 && j%5 == 0 {
					if err := a.load(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
}

// Ensure that hashes that are none of ours are refused and ask for nothing.
func TestHash(t *testing.T) {
	good := hashSecret([]byte("secret"))
	if again := hashSecret([]byte("secret")); again == good {
		t.Error("two hashes of one secret are equal: there is no salt")
	}
	for hash, want := range map[string]bool{good: true, hashSecret([]byte("other")): false} {
		if ok, err := secretMatches([]byte("secret"), hash); ok != want || err != nil {
			t.Errorf("%s: %v, %v", hash, ok, err)
		}
	}
	for _, bad := range []string{
		"", "secret", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "m=19456", "m=9999999", 1),
		strings.Replace(good, "t=2", "t=0", 1), strings.Replace(good, "t=2", "t=99", 1), good[:len(good)-4], good + "$",
	} {
		if ok, err := secretMatches([]byte("secret"), bad); ok || !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("%q: %v, %v", bad, ok, err)
		}
	}
}

// BenchmarkAdmit prints what a call costs whose secret is known already, and
// one whose secret has to be checked.
func BenchmarkAdmit(b *testing.B) {
	s := secrets{Name: "gate", User: "user"}
	a, err := newAccess(&ring{all: []livenessd.Credential{s.credential([]livenessd.Dialect{livenessd.DialectBioID})}}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	p := api.Proof{Scheme: api.SchemeBasic, User: []byte("user"), Secret: []byte(s.Secret)}
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			if _, err := a.Admit(b.Context(), livenessd.DialectBioID, p); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if ok, err := secretMatches(p.Secret, a.byName["gate"].Secret); !ok || err != nil {
				b.Fatal(err)
			}
		}
	})
}
