package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// Ensure that GLAIR's own client, as npm has it, works against the whole
// daemon with no more than another base address and credentials of ours.
func TestGLAIRClientAgainstDaemon(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: node is missing: apt-get install nodejs npm")
	}
	const e2e = "../../api/e2e"
	if _, err := os.Stat(filepath.Join(e2e, "node_modules/@glair/vision/package.json")); err != nil {
		t.Skip("SKIPPED: @glair/vision is not installed: run make test-deps, or npm ci in api/e2e")
	}
	photos := needData(t, "nuaa-train")
	live, err := filepath.Abs(filepath.Join(photos, "Client", "0001", "0001_00_00_01_109.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	printed, err := filepath.Abs(filepath.Join(photos, "Imposter", "0001", "0001_00_00_01_111.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := daemonConfig(t)
	page, _, end := startDaemon(t, cfg)
	defer end()

	code, out, errOut := keyRun(t, "", "add", "-for", "glair", "-json", "-store", cfg.Store.Path, "lobby")
	var s secrets
	if err := json.Unmarshal([]byte(out), &s); code != exitOK || err != nil {
		t.Fatalf("%d %s, %v", code, errOut, err)
	}
	good, bad := s.User+":"+s.Secret+":"+s.Key, s.User+":"+s.Secret+":wrong"
	c := exec.CommandContext(t.Context(), node, "glair.mjs", page[:len(page)-1], good, live, good, printed, bad, live)
	c.Dir, c.Stderr = e2e, os.Stderr
	said, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	want := regexp.MustCompile(`(?s)resolved \{"status":"success","result":\{"spoof_percentage":0\.[0-4]\d*,"status":"LOW"\}\}.*` +
		`resolved \{"status":"success","result":\{"spoof_percentage":0\.[5-9]\d*,"status":"HIGH"\}\}.*` +
		`rejected \{"error":"Access to this API has been disallowed"\}`)
	if !want.Match(said) {
		t.Errorf("the client says\n%s", said)
	}
}
