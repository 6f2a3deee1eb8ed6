package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livenessd"
)

const token = "a-token-of-at-least-24-characters"

// certificate writes a key pair for 127.0.0.1 and returns its files and a pool
// that trusts it.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "livenessd test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	write(t, cert, string(certPEM))
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool
}

// Ensure that other machines get TLS and nothing without the token, and that
// the page is not among what they get.
func TestLAN(t *testing.T) {
	cert, key, pool := certificate(t)
	tokenFile := filepath.Join(t.TempDir(), "token")
	write(t, tokenFile, token+"\n")

	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free now
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()

	cfg := daemonConfig(t)
	cfg.LAN = LANConfig{Listen: address, Certificate: cert, Key: key, TokenFile: tokenFile, Hosts: []string{}}
	page, _, end := startDaemon(t, cfg)
	defer end()

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 10 * time.Second}
	get := func(url, bearer string) (int, string) {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		return answer(t, client, req)
	}
	lan := "https://" + address
	for _, tt := range []struct {
		url, token string
		want       int
	}{
		{lan + "/v1/results", token, http.StatusOK},
		{lan + "/v1/results", "", http.StatusForbidden},
		{lan + "/v1/results", token + "x", http.StatusForbidden},
		{lan + "/", token, http.StatusNotFound},
		{page + "v1/results", "", http.StatusOK},
	} {
		if code, body := get(tt.url, tt.token); code != tt.want {
			t.Errorf("%s with %q: %d %s, want %d", tt.url, tt.token, code, body, tt.want)
		}
	}
	if resp, err := http.Get("http://" + address + "/v1/results"); err == nil {
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Error("served without TLS")
		}
	}
	followEvents(t, page)
}

// followEvents ensures that a follower is told from the first event on.
func followEvents(t *testing.T, page string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page+"v1/events?after=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if !strings.Contains(data, string(livenessd.EventStarted)) || !strings.Contains(data, `"id":1`) {
				t.Errorf("the first event is %s", data)
			}
			return
		}
	}
	t.Errorf("no event came: %v", lines.Err())
}

// Ensure that tokens that protect nothing are refused.
func TestToken(t *testing.T) {
	dir := t.TempDir()
	short, open, fine := filepath.Join(dir, "short"), filepath.Join(dir, "open"), filepath.Join(dir, "fine")
	write(t, short, "secret\n")
	write(t, open, token)
	write(t, fine, token)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{short: "shorter", open: "chmod", filepath.Join(dir, "none"): "no such file"} {
		if _, err := tokenAuthorizer(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, file := range []string{short, open} {
		if _, err := tokenAuthorizer(file); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("%s: %v is not ErrInvalid", file, err)
		}
	}
	authorize, err := tokenAuthorizer(fine)
	if err != nil {
		t.Fatal(err)
	}
	for header, ok := range map[string]bool{
		"Bearer " + token: true, "bearer " + token: true, "Bearer": false, "": false, "Basic " + token: false, token: false, "Bearer  " + token: false,
	} {
		r, err := http.NewRequest(http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", header)
		if got := authorize(r) == nil; got != ok {
			t.Errorf("%q: %v", header, got)
		}
	}
}
