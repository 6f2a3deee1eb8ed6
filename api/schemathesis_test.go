package api

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Ensure that a tool that reads the document and knows nothing of us finds no
// answer that the document does not have, and no fault. TEST_SCHEMATHESIS says
// how many requests to try of each kind (make schemathesis).
func TestSchemathesis(t *testing.T) {
	tries := os.Getenv("TEST_SCHEMATHESIS")
	if tries == "" {
		t.Skip("SKIPPED: minutes of requests; make schemathesis runs it")
	}
	tool, err := exec.LookPath("schemathesis")
	if err != nil {
		t.Fatal("schemathesis is missing: pip install schemathesis")
	}
	srv, _ := dialectServer(t, Config{})
	for name, args := range map[string][]string{
		"bioid and trustmatic": {"--include-path-regex", "livedetection|/api/v1/(basic/)?face", "-H", "Authorization: " + basicHeader("u")},
		"bws3":                 {"--include-path-regex", "livenessdetection|livez", "-H", "Authorization: Bearer u"},
		"glair":                {"--include-path", "/face/v1/passive-liveness", "-H", "Authorization: " + basicHeader("u"), "-H", "x-api-key: k"},
		"verihubs":             {"--include-path", "/v1/face/liveness", "-H", "App-ID: u", "-H", "API-Key: s"},
		// A stream of events does not end.
		"native": {"--include-path-regex", "/v1/(sessions|results)|healthz|readyz|docs|openapi"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, tool, append([]string{
				"run", srv.URL + "/openapi.json", "--url", srv.URL, "-n", tries, "--no-color", "--suppress-health-check", "all",
				"--phases", "examples,coverage,fuzzing", "--generation-deterministic",
				"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance",
			}, args...)...)
			c.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", fmt.Sprintf("HOME=%s", t.TempDir()))
			c.Dir = t.TempDir()
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
