package store

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"livenessd"
)

// Bounds of credentials.
const (
	// MaxCredentials is how many there may be.
	MaxCredentials = 1000
	// MaxSameUser is how many of them may share a user, which is how secrets
	// are exchanged one after the other.
	MaxSameUser = 4
)

var credentialName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// AddCredential stores a new credential with nothing used of its quota. The
// error wraps livenessd.ErrInvalid when the name is taken, a field does not do
// or there are too many.
func (s *Store) AddCredential(v livenessd.Credential) error {
	v.Used = 0
	if err := checkCredential(&v); err != nil {
		return err
	}
	return s.share(func(tx *bbolt.Tx, c *counters) (refused, failed error) {
		all, err := allCredentials(tx)
		if err != nil {
			return nil, err
		}
		if err := roomFor(all, &v); err != nil {
			return err, nil
		}
		c.Credentials++
		return nil, putJSON(tx, bucketCredentials, []byte(v.Name), v)
	})
}

func roomFor(all []livenessd.Credential, v *livenessd.Credential) error {
	same := 0
	for i := range all {
		if all[i].Name == v.Name {
			return fmt.Errorf("store: there is a credential %q already; remove it first or choose another name: %w", v.Name, livenessd.ErrInvalid)
		}
		if all[i].User == v.User {
			same++
		}
	}
	if same >= MaxSameUser {
		return fmt.Errorf("store: %d credentials have the user %q already; remove one first: %w", same, v.User, livenessd.ErrInvalid)
	}
	if len(all) >= MaxCredentials {
		return fmt.Errorf("store: there are %d credentials already; remove one first: %w", len(all), livenessd.ErrInvalid)
	}
	return nil
}

func checkCredential(v *livenessd.Credential) error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("store: the credential %.70q: "+format+": %w", append(append([]any{v.Name}, a...), livenessd.ErrInvalid)...)
	}
	switch {
	case !credentialName.MatchString(v.Name):
		return bad("the name must be 1 to 63 of a-z, 0-9, '.', '_' and '-', and begin with a letter or digit")
	case v.Created.IsZero():
		return bad("it has no time (Created)")
	case v.User == "" || len(v.User) > 128 || strings.IndexFunc(v.User, notPrintable) >= 0:
		return bad("the user must be 1 to 128 printable ASCII characters")
	case strings.Contains(v.User, ":"):
		return bad("the user must not hold a colon, which ends a user in HTTP Basic")
	case v.Secret == "" && len(v.Signing) == 0:
		return bad("it has neither a secret nor a signing key")
	case len(v.Secret) > 512 || len(v.Key) > 512 || len(v.Signing) > 1024:
		return bad("a secret is too long")
	case !(v.Rate >= 0 && v.Rate <= 1e6):
		return bad("the rate must be 0 to 1000000 calls a minute, not %v", v.Rate)
	}
	for i, d := range v.Dialects {
		if !slices.Contains(livenessd.Dialects, d) || slices.Contains(v.Dialects[:i], d) {
			return bad("the dialect %.20q is none, or is there twice", d)
		}
	}
	return nil
}

func notPrintable(r rune) bool { return r < 0x20 || r > 0x7e }

// Credentials returns all credentials in order of their names.
func (s *Store) Credentials() ([]livenessd.Credential, error) {
	var all []livenessd.Credential
	err := s.view(func(tx *bbolt.Tx) (err error) {
		all, err = allCredentials(tx)
		return err
	})
	return all, err
}

func allCredentials(tx *bbolt.Tx) ([]livenessd.Credential, error) {
	b := tx.Bucket([]byte(bucketCredentials))
	if b == nil { // read only, and an older program wrote the file
		return nil, nil
	}
	var all []livenessd.Credential
	err := b.ForEach(func(key, value []byte) error {
		var v livenessd.Credential
		data, err := unseal(bucketCredentials, key, value)
		if err == nil {
			err = decode(bucketCredentials, key, data, &v)
		}
		all = append(all, v)
		return err
	})
	return all, err
}

// EditCredential changes the credential name by fn, which must not change the
// name; fn's error is returned and changes nothing. The error wraps
// livenessd.ErrNotFound when there is none, livenessd.ErrInvalid when the
// changed one does not do.
func (s *Store) EditCredential(name string, fn func(*livenessd.Credential) error) error {
	return s.share(func(tx *bbolt.Tx, c *counters) (refused, failed error) {
		v, refused, failed := getCredential(tx, name)
		if refused != nil || failed != nil {
			return refused, failed
		}
		if err := fn(&v); err != nil {
			return err, nil
		}
		if v.Name != name {
			return fmt.Errorf("store: a credential cannot be renamed: %w", livenessd.ErrInvalid), nil
		}
		if err := checkCredential(&v); err != nil {
			return err, nil
		}
		return nil, putJSON(tx, bucketCredentials, []byte(name), v)
	})
}

func getCredential(tx *bbolt.Tx, name string) (v livenessd.Credential, refused, failed error) {
	if name == "" || len(name) > 63 {
		return v, noCredential(name), nil
	}
	ok, err := getJSON(tx, bucketCredentials, []byte(name), &v)
	if err != nil {
		return v, nil, err
	}
	if !ok {
		return v, noCredential(name), nil
	}
	return v, nil, nil
}

func noCredential(name string) error {
	return fmt.Errorf("store: there is no credential %.70q: %w", name, livenessd.ErrNotFound)
}

// RemoveCredential removes the credential name; jobs keep its name. The error
// wraps livenessd.ErrNotFound when there is none.
func (s *Store) RemoveCredential(name string) error {
	return s.share(func(tx *bbolt.Tx, c *counters) (refused, failed error) {
		if _, refused, failed := getCredential(tx, name); refused != nil || failed != nil {
			return refused, failed
		}
		c.Credentials--
		return nil, tx.Bucket([]byte(bucketCredentials)).Delete([]byte(name))
	})
}

// SpendQuota takes one call from the quota of the credential name. It is on
// the disk when the error is nil, so switching the machine off gives nothing
// back. The error wraps livenessd.ErrQuota when none is left and
// livenessd.ErrNotFound when there is no such credential; one without a quota
// is left as it is.
func (s *Store) SpendQuota(name string) error {
	return s.quota(name, func(v *livenessd.Credential) error {
		if v.Used >= v.Quota {
			return fmt.Errorf("store: all %d calls of the credential %q are used: %w", v.Quota, name, livenessd.ErrQuota)
		}
		v.Used++
		return nil
	})
}

// RefundQuota gives back a call that SpendQuota took and that came to nothing
// through no fault of the caller. Errors are those of SpendQuota, except
// livenessd.ErrQuota.
func (s *Store) RefundQuota(name string) error {
	return s.quota(name, func(v *livenessd.Credential) error {
		if v.Used == 0 { // the quota was begun anew meanwhile
			return errNothing
		}
		v.Used--
		return nil
	})
}

func (s *Store) quota(name string, change func(*livenessd.Credential) error) error {
	err := s.share(func(tx *bbolt.Tx, c *counters) (refused, failed error) {
		v, refused, failed := getCredential(tx, name)
		if refused != nil || failed != nil {
			return refused, failed
		}
		if v.Quota == 0 {
			return errNothing, nil
		}
		if err := change(&v); err != nil {
			return err, nil
		}
		return nil, putJSON(tx, bucketCredentials, []byte(name), v)
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}
