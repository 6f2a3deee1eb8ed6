package store

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"livenessd"
)

func credential(name string) livenessd.Credential {
	return livenessd.Credential{
		Name: name, Created: noon, User: "app-" + name, Secret: "$argon2id$…", Signing: []byte("0123456789abcdef"),
		Dialects: []livenessd.Dialect{livenessd.DialectBioID, livenessd.DialectBWS3},
	}
}

func TestCredentials(t *testing.T) {
	path := storePath(t)
	s := open(t, path, options())
	for _, name := range []string{"gate", "desk"} {
		if err := s.AddCredential(credential(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.EditCredential("desk", func(c *livenessd.Credential) error { c.Rate = 30; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, options())
	desk := credential("desk")
	desk.Rate = 30
	want := []livenessd.Credential{desk, credential("gate")}
	if got, err := s.Credentials(); err != nil || !same(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if err := s.RemoveCredential("desk"); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"remove": s.RemoveCredential("desk"),
		"edit":   s.EditCredential("desk", func(*livenessd.Credential) error { return nil }),
		"spend":  s.SpendQuota("desk"),
		"empty":  s.SpendQuota(""),
		"refund": s.RefundQuota("desk"),
	} {
		if !errors.Is(err, livenessd.ErrNotFound) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if got, err := s.Credentials(); err != nil || len(got) != 1 || got[0].Name != "gate" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCredentialRefusals(t *testing.T) {
	s := open(t, storePath(t), options())
	if err := s.AddCredential(credential("gate")); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*livenessd.Credential){
		"no name":       func(c *livenessd.Credential) { c.Name = "" },
		"upper case":    func(c *livenessd.Credential) { c.Name = "Gate" },
		"taken":         func(c *livenessd.Credential) { c.Name = "gate" },
		"long":          func(c *livenessd.Credential) { c.Name = strings.Repeat("x", 64) },
		"no time":       func(c *livenessd.Credential) { c.Created = time.Time{} },
		"no user":       func(c *livenessd.Credential) { c.User = "" },
		"colon":         func(c *livenessd.Credential) { c.User = "a:b" },
		"not ASCII":     func(c *livenessd.Credential) { c.User = "tür" },
		"no secret":     func(c *livenessd.Credential) { c.Secret, c.Signing = "", nil },
		"long key":      func(c *livenessd.Credential) { c.Key = strings.Repeat("x", 513) },
		"odd dialect":   func(c *livenessd.Credential) { c.Dialects = []livenessd.Dialect{"klingon"} },
		"dialect twice": func(c *livenessd.Credential) { c.Dialects = append(c.Dialects, c.Dialects[0]) },
		"rate":          func(c *livenessd.Credential) { c.Rate = -1 },
	} {
		c := credential("other")
		change(&c)
		if err := s.AddCredential(c); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	mine := errors.New("mine")
	for want, fn := range map[error]func(c *livenessd.Credential) error{
		mine:                 func(c *livenessd.Credential) error { c.Rate = 7; return mine },
		livenessd.ErrInvalid: func(c *livenessd.Credential) error { c.Name = "new"; return nil },
	} {
		if err := s.EditCredential("gate", fn); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	for i := range MaxSameUser {
		c := credential(fmt.Sprint("same", i))
		c.User = "shared"
		if err := s.AddCredential(c); err != nil {
			t.Fatal(err)
		}
	}
	c := credential("one-too-many")
	c.User = "shared"
	if err := s.AddCredential(c); !errors.Is(err, livenessd.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	all, err := s.Credentials()
	if err != nil || len(all) != 1+MaxSameUser || !same(all[0], credential("gate")) {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestQuota(t *testing.T) {
	path := storePath(t)
	s := open(t, path, options())
	c := credential("gate")
	c.Quota, c.Used = 2, 7 // what is used is not the caller's to say
	if err := s.AddCredential(c); err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, nil, livenessd.ErrQuota, livenessd.ErrQuota} {
		if i == 1 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, path, options())
		}
		if err := s.SpendQuota("gate"); !errors.Is(err, want) {
			t.Errorf("call %d: got %v", i+1, err)
		}
	}
	if err := s.EditCredential("gate", func(c *livenessd.Credential) error { c.Used = 0; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.SpendQuota("gate"); err != nil {
		t.Errorf("after more was granted: %v", err)
	}
	for i, want := range []uint64{0, 0} { // nothing is given back twice
		if err := s.RefundQuota("gate"); err != nil {
			t.Error(err)
		}
		if all, err := s.Credentials(); err != nil || all[0].Used != want {
			t.Errorf("refund %d: %+v, %v", i, all, err)
		}
	}
	if err := s.AddCredential(credential("free")); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := errors.Join(s.SpendQuota("free"), s.RefundQuota("free")); err != nil {
			t.Error(err)
		}
	}
}

// schema1 puts a store that the program with schema 1 made at path: three
// results with pictures and sessions, of which the second was erased.
func schema1(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open("testdata/schema1.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, path, data)
}

// Ensure that a file of schema 1 is taken over with everything in it, is
// readable before that, and still known to be damaged when it is.
func TestOlderSchema(t *testing.T) {
	path := storePath(t)
	schema1(t, path)
	old, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	jobs, _, errJobs := old.Jobs("", 1, true)
	creds, errCreds := old.Credentials()
	_, errJob := old.Job(newID())
	if errJobs != nil || errCreds != nil || !errors.Is(errJob, livenessd.ErrNotFound) || len(jobs)+len(creds) != 0 {
		t.Errorf("got %v %v, %v, %v, %v", jobs, creds, errJobs, errCreds, errJob)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := open(t, path, options())
		got := all(t, s, false)
		if len(got) != 2 || got[0].Seq != 1 || got[1].Seq != 3 || !got[1].HasPicture || s.LastEvent() != 3 {
			t.Fatalf("got %+v, last event %d", got, s.LastEvent())
		}
		if err := errors.Join(s.PutJobs(job(noon)), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	schema1(t, path)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[4096:8192]) // a header page
	mustWrite(t, path, data)
	s, replaced, err := Open(path, options())
	if err != nil || replaced == nil || replaced.Results < 2 {
		t.Fatalf("%+v, %v", replaced, err)
	}
	closeAndCheck(t, s)
}
