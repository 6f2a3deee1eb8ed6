package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"livenessd"
	"livenessd/api"
)

// Bounds of checking secrets. One check costs tens of milliseconds and 19 MiB
// on purpose, and strangers can ask for as many as they like.
const (
	checksPerMinute = 120
	checksAtOnce    = 20 // before that pace holds
)

// keyring is where credentials are kept.
type keyring interface {
	Credentials() ([]livenessd.Credential, error)
	SpendQuota(name string) error
	RefundQuota(name string) error
}

// access decides who may ask. It holds the credentials in memory, to be loaded
// anew when they change, and remembers of each and each scheme the last secret
// that was found right, as a MAC under a key of this process: so only the first call of a
// caller costs a check.
type access struct {
	store keyring
	log   *slog.Logger
	now   func() time.Time

	loading  sync.Mutex    // held by load, so that the newest credentials stay
	checking chan struct{} // a token while a secret is checked
	memory   []byte        // key of what is remembered

	mu      sync.Mutex // guards what follows
	byUser  map[string][]*account
	byName  map[string]*account
	checks  bucket // of users that there are
	strange bucket // of users that there are not
	dummy   string // a hash to check where there is no user, so that both take as long
}

// account is a credential in use.
type account struct {
	livenessd.Credential
	proven map[api.Scheme][]byte // MACs of the secrets last found right
	calls  bucket
}

func newAccess(store keyring, log *slog.Logger) (*access, error) {
	a := &access{
		store: store, log: log, now: time.Now, checking: make(chan struct{}, 1),
		memory: make([]byte, sha256.Size), dummy: hashSecret([]byte(newSecret())),
	}
	_, _ = rand.Read(a.memory)
	a.checks = newBucket(checksPerMinute, checksAtOnce, a.now())
	a.strange = newBucket(checksPerMinute, checksAtOnce, a.now())
	return a, a.load()
}

// load reads the credentials anew. Callers keep what they have of their rate.
func (a *access) load() error {
	a.loading.Lock()
	defer a.loading.Unlock()
	all, err := a.store.Credentials()
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	byUser, byName := map[string][]*account{}, map[string]*account{}
	for _, c := range all {
		n := &account{Credential: c, proven: map[api.Scheme][]byte{}, calls: newBucket(c.Rate, max(1, c.Rate), a.now())}
		if old := a.byName[c.Name]; old != nil && old.Created.Equal(c.Created) && old.Secret == c.Secret && old.Key == c.Key {
			n.proven = old.proven
			if old.Rate == c.Rate {
				n.calls = old.calls
			}
		}
		byUser[c.User] = append(byUser[c.User], n)
		byName[c.Name] = n
	}
	a.byUser, a.byName = byUser, byName
	return nil
}

// Admit returns the name of the credential that p proves: see api.Access.
func (a *access) Admit(ctx context.Context, d livenessd.Dialect, p api.Proof) (string, error) {
	var found *account
	var err error
	switch p.Scheme {
	case api.SchemeBearer:
		found, err = a.byToken(p.Token)
	case api.SchemeBasic, api.SchemePair, api.SchemeBasicKey:
		found, err = a.bySecret(ctx, p)
	default:
		err = fmt.Errorf("the scheme %q is not known: %w", p.Scheme, livenessd.ErrUnauthorized)
	}
	if err != nil {
		return "", err
	}
	if !found.May(d) {
		return found.Name, fmt.Errorf("the credential %q is not for %s: %w", found.Name, d, livenessd.ErrForbidden)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if found.Rate > 0 {
		if wait := found.calls.take(a.now()); wait > 0 {
			return found.Name, &rateError{wait, fmt.Sprintf("the credential %q may call %v times a minute", found.Name, found.Rate)}
		}
	}
	return found.Name, nil
}

// Spend takes one call from the credential's quota: see api.Access.
func (a *access) Spend(name string) error {
	c := a.named(name)
	if c == nil {
		return fmt.Errorf("the credential %q was removed: %w", name, livenessd.ErrUnauthorized)
	}
	if c.Quota == 0 {
		return nil
	}
	err := a.store.SpendQuota(name)
	if errors.Is(err, livenessd.ErrNotFound) {
		return fmt.Errorf("the credential %q was removed: %w", name, livenessd.ErrUnauthorized)
	}
	return err
}

// Refund gives back what Spend took: see api.Access.
func (a *access) Refund(name string) {
	c := a.named(name)
	if c == nil || c.Quota == 0 {
		return
	}
	if err := a.store.RefundQuota(name); err != nil && !errors.Is(err, livenessd.ErrNotFound) {
		a.log.Error("a call that came to nothing could not be given back", "credential", name, "error", err)
	}
}

// named returns the account of that name, nil if it was removed.
func (a *access) named(name string) *account {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byName[name]
}

// bySecret finds the credential whose user and secrets p holds.
func (a *access) bySecret(ctx context.Context, p api.Proof) (*account, error) {
	mac := a.digest(p)
	if c := a.remembered(p, mac); c != nil {
		return c, nil
	}
	select {
	case a.checking <- struct{}{}:
		defer func() { <-a.checking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// A caller's first calls may come all at once: one check is enough.
	if c := a.remembered(p, mac); c != nil {
		return c, nil
	}
	return a.check(p, mac)
}

// remembered returns the account that a proof with this MAC was found right for.
func (a *access) remembered(p api.Proof, mac []byte) *account {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.byUser[string(p.User)] {
		if hmac.Equal(c.proven[p.Scheme], mac) {
			return c
		}
	}
	return nil
}

// digest is what is remembered of a proof. Every part is hashed by itself, so
// that none can pass for the end of another.
func (a *access) digest(p api.Proof) []byte {
	m := hmac.New(sha256.New, a.memory)
	for _, part := range [][]byte{[]byte(p.Scheme), p.User, p.Secret, p.Key} {
		sum := sha256.Sum256(part)
		m.Write(sum[:])
	}
	return m.Sum(nil)
}

// check does the slow comparison, no more often than the bucket allows. The
// caller holds the token of checking.
func (a *access) check(p api.Proof, mac []byte) (*account, error) {
	a.mu.Lock()
	candidates := a.byUser[string(p.User)]
	from := &a.checks
	if len(candidates) == 0 {
		from = &a.strange // who knows no name keeps nobody out who has one
	}
	wait := from.take(a.now())
	a.mu.Unlock()
	if wait > 0 {
		return nil, &rateError{wait, "secrets are being tried too often"}
	}
	wrong := fmt.Errorf("no credential has this user and secret: %w", livenessd.ErrUnauthorized)
	tried := false
	for _, c := range candidates {
		if c.Secret == "" || (p.Scheme == api.SchemeBasicKey) && c.Key == "" {
			continue
		}
		tried = true
		ok, err := secretMatches(p.Secret, c.Secret)
		if ok && p.Scheme == api.SchemeBasicKey {
			ok, err = secretMatches(p.Key, c.Key)
		}
		if err != nil {
			return nil, fmt.Errorf("credential %q: %w", c.Name, err)
		}
		if ok {
			a.mu.Lock()
			c.proven[p.Scheme] = mac
			a.mu.Unlock()
			return c, nil
		}
	}
	if !tried {
		if _, err := secretMatches(p.Secret, a.dummy); err != nil {
			return nil, err
		}
	}
	return nil, wrong
}

// rateError says that calls come too often, and when the next one may.
type rateError struct {
	after time.Duration
	why   string
}

func (e *rateError) Error() string { return e.why + ": " + livenessd.ErrRate.Error() }
func (e *rateError) Unwrap() error { return livenessd.ErrRate }

// RetryAfter is how long to wait before the next call.
func (e *rateError) RetryAfter() time.Duration { return e.after }

// bucket lets through a steady pace with bursts.
type bucket struct {
	pace   float64 // a minute
	size   float64
	tokens float64
	at     time.Time
}

func newBucket(pace, size float64, now time.Time) bucket {
	return bucket{pace: pace, size: size, tokens: size, at: now}
}

// take takes one token, or says how long to wait for it.
func (b *bucket) take(now time.Time) time.Duration {
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(b.size, b.tokens+passed.Minutes()*b.pace)
	}
	b.at = now
	if b.tokens >= 1 {
		b.tokens--
		return 0
	}
	return max(time.Millisecond, time.Duration((1-b.tokens)/b.pace*float64(time.Minute)))
}
