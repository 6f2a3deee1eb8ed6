package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"livenessd"
	"livenessd/store"
)

// Ensure that a device on the LAN is served over TLS with a certificate that
// was made at the first start, once `livenessd key` let it in, and that its
// calls are in the book.
func TestLANDialect(t *testing.T) {
	cfg := daemonConfig(t)
	cfg.LAN.Listen = "127.0.0.1:0"
	page, said, end := startDaemon(t, cfg)
	defer func() {
		if end != nil {
			end()
		}
	}()
	found := regexp.MustCompile(`(https://127\.0\.0\.1:\d+)/ with the certificate SHA-256 (([0-9A-F]{2}:){31}[0-9A-F]{2})\n`).FindStringSubmatch(said)
	if found == nil {
		t.Fatalf("the terminal says %q", said)
	}
	pem, err := os.ReadFile(filepath.Join(filepath.Dir(cfg.Store.Path), ownCertificate))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}

	code, out, errOut := keyRun(t, "", "add", "-for", "verihubs", "-quota", "2", "-json", "-store", cfg.Store.Path, "gate")
	var s secrets
	if err := json.Unmarshal([]byte(out), &s); code != exitOK || err != nil {
		t.Fatalf("%d %s, %v", code, errOut, err)
	}
	picture, err := os.ReadFile("../../docs/screenshots/person-session.jpg")
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"image": base64.StdEncoding.EncodeToString(picture)})
	if err != nil {
		t.Fatal(err)
	}
	call := func(base, secret string) (int, string) {
		req, err := http.NewRequest(http.MethodPost, base+"/v1/face/liveness", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("App-ID", s.User)
		req.Header.Set("API-Key", secret)
		req.Header.Set("Content-Type", "application/json")
		return answer(t, client, req)
	}
	for _, tt := range []struct {
		base, secret string
		want         int
		says         string
	}{
		{found[1], s.Secret, http.StatusOK, `"probability"`},
		{found[1], "wrong", http.StatusUnauthorized, ""},
		{strings.TrimSuffix(page, "/"), s.Secret, http.StatusOK, `"probability"`},
		{found[1], s.Secret, http.StatusForbidden, "INSUFFICIENT_QUOTA_LIVENESS"},
	} {
		if code, b := call(tt.base, tt.secret); code != tt.want || !strings.Contains(b, tt.says) {
			t.Errorf("%s with %.5s…: %d %s", tt.base, tt.secret, code, b)
		}
	}
	resp, err := client.Get(found[1] + "/v1/results") // no token is set: nobody may
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("the native API without a token: %s", resp.Status)
	}
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}}}
	if resp, err := old.Get(found[1] + "/v1/results"); err == nil {
		resp.Body.Close()
		t.Error("served over TLS 1.1")
	}
	if code, _, errOut := keyRun(t, "", "remove", "-store", cfg.Store.Path, "gate"); code != exitOK {
		t.Fatal(errOut)
	}
	if code, b := call(found[1], s.Secret); code != http.StatusUnauthorized {
		t.Errorf("after the credential was removed: %d %s", code, b)
	}
	time.Sleep(2 * bookEvery)
	for _, running := range []bool{true, false} {
		code, out, errOut := cli(t, "jobs", "-limit", "2", "-store", cfg.Store.Path)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if code != exitOK || len(lines) != 2 || !strings.Contains(lines[0], "INSUFFICIENT_QUOTA_LIVENESS") || !strings.Contains(lines[1], "texture 0.") {
			t.Errorf("running %v: %d %s %s", running, code, out, errOut)
		}
		if running {
			end()
			end = nil
		}
	}
	book, err := store.OpenReadOnly(cfg.Store.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	jobs, _, err := book.Jobs("", 0, false)
	if err != nil || len(jobs) != 3 {
		t.Fatalf("%d jobs, %v: %+v", len(jobs), err, jobs)
	}
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusForbidden} {
		j := jobs[i]
		if j.Credential != "gate" || j.Dialect != livenessd.DialectVerihubs || j.Status != want || (want == http.StatusOK) != (j.Texture != nil) {
			t.Errorf("job %d: %+v", i, j)
		}
	}
}
