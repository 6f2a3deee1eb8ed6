package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"livenessd"
	"livenessd/store"
)

// lanCert is what the LAN listener shows, read anew when its files change:
// certificates are renewed while a door works for years.
type lanCert struct {
	files [2]string // certificate and key
	log   *slog.Logger

	mu     sync.Mutex // guards what follows
	loaded *tls.Certificate
	state  [2]fileState // of the files when they were last read, well or not
}

type fileState struct {
	size int64
	at   time.Time
}

// openCertificate reads the files. Errors wrap livenessd.ErrInvalid where
// somebody has to mend them.
func openCertificate(cert, key string, log *slog.Logger) (*lanCert, error) {
	c := &lanCert{files: [2]string{cert, key}, log: log}
	state, err := c.look()
	if err != nil {
		return nil, err
	}
	c.state = state
	if c.loaded, err = c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *lanCert) look() (state [2]fileState, err error) {
	for i, name := range c.files {
		fi, err := os.Stat(name)
		if err != nil {
			return state, err
		}
		if i == 1 && fi.Mode().Perm()&0o007 != 0 {
			return state, fmt.Errorf("%w: everybody on this machine may read the key %s: chmod 640 it", livenessd.ErrInvalid, name)
		}
		state[i] = fileState{fi.Size(), fi.ModTime()}
	}
	return state, nil
}

func (c *lanCert) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return nil, fmt.Errorf("%w: %s and %s: %v", livenessd.ErrInvalid, c.files[0], c.files[1], err)
	}
	return &pair, nil
}

// get returns the certificate for a handshake. Where the files changed and
// cannot be read, or do not belong together yet, the last good pair stays.
func (c *lanCert) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, err := c.look()
	if err == nil && state == c.state {
		return c.loaded, nil
	}
	var fresh *tls.Certificate
	if err == nil {
		fresh, err = c.read()
	}
	if err != nil {
		if state != c.state { // once for each change
			c.log.Warn("the changed certificate cannot be used; the one before stays", "error", err)
		}
		c.state = state
		return c.loaded, nil
	}
	c.loaded, c.state = fresh, state
	c.log.Info("the certificate was read anew", "sha256", c.fingerprintLocked())
	return c.loaded, nil
}

// fingerprint is the SHA-256 of the certificate in the usual form.
func (c *lanCert) fingerprint() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fingerprintLocked()
}

func (c *lanCert) fingerprintLocked() string {
	sum := sha256.Sum256(c.loaded.Certificate[0])
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// Names of a certificate of our own making, beside the store.
const (
	ownCertificate = "lan.crt"
	ownKey         = "lan.key"
)

// madeFor is how long a certificate of our own is good: as long as a device
// may hang at a door. Whoever wants it shorter brings one.
const madeFor = 20 * 365 * 24 * time.Hour

// ownCertificateNames returns where the certificate and key of our own making
// are, or will be.
func ownCertificateNames(dir string) (cert, key string) {
	return filepath.Join(dir, ownCertificate), filepath.Join(dir, ownKey)
}

// ownCertificateFiles returns the certificate and key in dir, and makes them
// when there are none.
func ownCertificateFiles(dir string, hosts []string, now time.Time) (cert, key string, err error) {
	cert, key = ownCertificateNames(dir)
	_, err = os.Stat(cert)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return cert, key, err
	}
	certPEM, keyPEM, err := makeCertificate(hosts, now)
	if err != nil {
		return "", "", err
	}
	// The key first: where the power fails in between, both are made anew.
	for _, f := range []struct {
		name string
		data []byte
	}{{key, keyPEM}, {cert, certPEM}} {
		if err := store.WriteDurably(f.name, f.data); err != nil {
			return "", "", err
		}
	}
	return cert, key, nil
}

// makeCertificate makes a certificate that names this machine and signs
// itself. Its beginning lies well in the past, as the clock of a device that
// has never seen a network may too.
func makeCertificate(hosts []string, now time.Time) (certPEM, keyPEM []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	if now.Before(begin) {
		now = begin
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "livenessd"},
		NotBefore: begin, NotAfter: now.Add(madeFor),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	names := append([]string{"localhost", "127.0.0.1", "::1"}, hosts...)
	if host, err := os.Hostname(); err == nil {
		names = append(names, host)
	}
	if addrs, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addrs {
			if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
				names = append(names, ip.IP.String())
			}
		}
	}
	for _, name := range names {
		if ip := net.ParseIP(strings.Trim(name, "[]")); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, fmt.Errorf("a certificate for %q: %w", names, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}
