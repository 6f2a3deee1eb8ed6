package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livenessd"
)

// Ensure that a certificate of our own is made once, is for this machine, and
// is good from before a clock that was never set to after a door's life.
func TestOwnCertificate(t *testing.T) {
	dir := t.TempDir()
	unset := time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC)
	cert, key, err := ownCertificateFiles(dir, []string{"door.example", "192.0.2.7"}, unset)
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ownCertificateFiles(dir, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(cert); err != nil || !bytes.Equal(first, again) {
		t.Errorf("it was made again (%v)", err)
	}
	if fi, err := os.Stat(key); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", fi.Mode(), err)
	}
	block, _ := pem.Decode(first)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	for _, name := range []string{"door.example", "192.0.2.7", "localhost", "127.0.0.1", "::1"} {
		for _, at := range []time.Time{noon, noon.AddDate(10, 0, 0)} {
			if _, err := parsed.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, CurrentTime: at}); err != nil {
				t.Errorf("%s at %v: %v", name, at, err)
			}
		}
	}
	c, err := openCertificate(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if f := c.fingerprint(); len(f) != 32*3-1 || strings.Count(f, ":") != 31 {
		t.Errorf("the fingerprint is %s", f)
	}
}

// Ensure that a renewed certificate is taken into use by itself, that halves
// of two pairs are not, and that TLS below 1.2 is refused.
func TestCertificateReload(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	pair := func() (c, k []byte) {
		c, k, err := makeCertificate(nil, noon)
		if err != nil {
			t.Fatal(err)
		}
		return c, k
	}
	put := func(name string, data []byte, at time.Time) {
		write(t, name, string(data))
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	c1, k1 := pair()
	c2, k2 := pair()
	put(cert, c1, noon)
	put(key, k1, noon)
	var logged bytes.Buffer
	c, err := openCertificate(cert, key, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	shown := func() []byte {
		got, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: got.Certificate[0]})
	}
	for i, step := range []struct {
		change func()
		want   []byte
	}{
		{func() {}, c1},
		{func() { put(cert, c2, noon.Add(time.Second)) }, c1}, // its key has not come yet
		{func() {}, c1},
		{func() { put(key, k2, noon.Add(2*time.Second)) }, c2},
		{func() { put(cert, []byte("nothing"), noon.Add(3*time.Second)) }, c2},
		{func() { os.Remove(cert) }, c2},
		{func() { put(cert, c1, noon.Add(4*time.Second)); put(key, k1, noon.Add(4*time.Second)) }, c1},
	} {
		if step.change(); !bytes.Equal(shown(), step.want) {
			t.Errorf("step %d: another certificate is shown", i)
		}
	}
	if n := strings.Count(logged.String(), "cannot be used"); n != 3 {
		t.Errorf("%d warnings:\n%s", n, logged.String())
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openCertificate(cert, key, c.log); !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a key for everybody: %v", err)
	}
}

// Ensure that connections beyond the bound wait for one of the others to end.
func TestCrowd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(l, 1)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := c.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	for range 2 {
		out, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Fatal("two at once")
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	first.Close() // once is enough
	second := <-accepted
	c.Close()
	if conn, open := <-accepted; open {
		t.Errorf("accepted %v after the end", conn)
	}
	second.Close()
}
