package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livenessd"
	"livenessd/store"
)

// keyRun runs `livenessd key` as a shell would.
func keyRun(t *testing.T, in string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	env := &environment{in: strings.NewReader(in), out: &o, err: &e}
	code, err := keyCommand(t.Context(), env, args)
	if err != nil {
		e.WriteString(err.Error())
	}
	return code, o.String(), e.String()
}

func listed(t *testing.T, path string) []livenessd.Credential {
	t.Helper()
	code, out, errOut := keyRun(t, "", "list", "-json", "-store", path)
	if code != exitOK {
		t.Fatal(errOut)
	}
	var all []livenessd.Credential
	for line := range strings.Lines(out) {
		var c livenessd.Credential
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// Ensure that credentials are made, listed, changed and removed, with the
// daemon stopped and with the daemon running, and that no list tells a secret.
func TestKeys(t *testing.T) {
	dir, err := os.MkdirTemp("", "keys") // short: a socket's path has bounds
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s.db")
	t.Run("stopped", func(t *testing.T) { testKeys(t, path) })
	t.Run("running", func(t *testing.T) {
		s, _, err := store.Open(path, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		log := slog.New(slog.DiscardHandler)
		a, err := newAccess(s, log)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		server, err := listenControl(ctx, controlPath(path), &control{keys: storedKeys{s}, jobs: storedJobs(s), changed: a.load, log: log})
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- server.serve(ctx) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		testKeys(t, path)
		if len(a.byName) != 1 || a.byName["given"] == nil || a.byName["given"].Quota != 9 {
			t.Errorf("the daemon knows %+v", a.byName)
		}
		if fi, err := os.Stat(controlPath(path)); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("the socket's mode is %v, %v", fi.Mode(), err)
		}
	})
}

func testKeys(t *testing.T, path string) {
	code, out, errOut := keyRun(t, "", "add", "desk", "-for", "bioid,GLAIR,bws3", "-json", "-store", path, "-user", "desk-app", "-rate", "30")
	var s secrets
	if err := json.Unmarshal([]byte(out), &s); code != exitOK || err != nil || s.User != "desk-app" || len(s.Secret) < 20 || len(s.Key) < 20 || len(s.Signing) != signingKeySize {
		t.Fatalf("%d %s %s, %v", code, out, errOut, err)
	}
	code, out, errOut = keyRun(t, "secret=old password\nsigning-key=MDEyMzQ1Njc4OWFiY2RlZg==\n", "add", "-given", "-for", "verihubs", "-quota", "7", "-store", path, "given")
	if code != exitOK || !strings.Contains(out, "App-ID      given") || !strings.Contains(out, "API-Key     old password") {
		t.Fatalf("%d %s %s", code, out, errOut)
	}
	all := listed(t, path)
	if len(all) != 2 || all[0].Name != "desk" || all[0].Rate != 30 || all[1].Quota != 7 || all[0].Secret+all[0].Key != "" || all[0].Signing != nil {
		t.Fatalf("%+v", all)
	}
	if _, out, _ := keyRun(t, "", "list", "-store", path); !strings.Contains(out, "0 of 7 calls used") || strings.Contains(out, "argon2") {
		t.Errorf("%s", out)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"add", "-for", "bioid", "desk"}, "there is a credential"},
		{[]string{"add", "-for", "bioid", "Desk!"}, "the name must be"},
		{[]string{"add", "-for", "klingon", "new"}, "there is no dialect"},
		{[]string{"add", "new"}, "-for is missing"},
		{[]string{"add", "-for", "bioid"}, "give 1 name, not 0"},
		{[]string{"add", "-for", "bioid", "-rate", "-1", "new"}, "rate"},
		{[]string{"set", "given", "-for", "glair"}, "has no x-api-key"},
		{[]string{"set", "given"}, "say what to change"},
		{[]string{"set", "given", "-suspend", "-for", "bioid"}, "exclude each other"},
		{[]string{"set", "nobody", "-quota", "1"}, "there is no credential"},
		{[]string{"remove", "nobody"}, "there is no credential"},
		{[]string{"remove"}, "give 1 name, not 0"},
		{[]string{"lend", "desk"}, "not \"lend\""},
		{[]string{"list", "-store", path + ".other"}, "there is no file"},
		{[]string{"remove", "-store", path + ".other", "desk"}, "there is no file"},
	} {
		if tt.args[0] != "lend" && !slices.Contains(tt.args, path+".other") {
			tt.args = append(tt.args, "-store", path)
		}
		if code, _, errOut := keyRun(t, "", tt.args...); code == exitOK || !strings.Contains(errOut, tt.want) {
			t.Errorf("%v: %d %s", tt.args, code, errOut)
		}
	}
	for _, in := range []string{"password=x", "signing-key=short", "secret=", "secret"} {
		if code, _, errOut := keyRun(t, in, "add", "-given", "-for", "bioid", "-store", path, "new"); code == exitOK || !strings.Contains(errOut, "standard input") {
			t.Errorf("%q: %d %s", in, code, errOut)
		}
	}
	for _, args := range [][]string{
		{"set", "desk", "-suspend", "-rate", "0"}, {"set", "given", "-quota", "9", "-reset", "-for", "verihubs,bioid,bws3"},
	} {
		if code, _, errOut := keyRun(t, "", append(args, "-store", path)...); code != exitOK {
			t.Fatalf("%v: %s", args, errOut)
		}
	}
	all = listed(t, path)
	if len(all[0].Dialects) != 0 || all[0].Rate != 0 || all[1].Quota != 9 || len(all[1].Dialects) != 3 {
		t.Errorf("%+v", all)
	}
	if code, _, errOut := keyRun(t, "", "remove", "desk", "-store", path); code != exitOK {
		t.Fatal(errOut)
	}
	if all = listed(t, path); len(all) != 1 || all[0].Name != "given" {
		t.Errorf("%+v", all)
	}
	if t.Name() == "TestKeys/stopped" {
		if code, _, errOut := keyRun(t, "", "remove", "given", "-store", path); code != exitOK {
			t.Fatal(errOut)
		}
	}
}

// Ensure that a socket that a killed daemon left behind harms nobody.
func TestControlLeftBehind(t *testing.T) {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s.db")
	log := slog.New(slog.DiscardHandler)
	for i := range 2 {
		l, err := listenControl(t.Context(), controlPath(path), &control{log: log})
		if err != nil {
			t.Fatal(err)
		}
		l.listener.(ownListener).SetUnlinkOnClose(false)
		l.listener.Close()
		if code, _, errOut := keyRun(t, "", "add", "-for", "bws3", "-store", path, fmt.Sprint("gate", i)); code != exitOK {
			t.Error(errOut)
		}
	}
	long := filepath.Join(dir, strings.Repeat("x", 120))
	if _, err := listenControl(t.Context(), long, &control{log: log}); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("got %v", err)
	}
}

// Ensure that a store which root makes belongs to whom the folder belongs: the
// daemon is not root.
func TestKeysByRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	const uid, gid = 4711, 4712
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s.db")
	if code, _, errOut := keyRun(t, "", "add", "-for", "bws3", "-store", path, "gate"); code != exitOK {
		t.Fatal(errOut)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		if u, g, err := owner(filepath.Join(dir, e.Name())); u != uid || g != gid || err != nil {
			t.Errorf("%s belongs to %d:%d, %v", e.Name(), u, g, err)
		}
	}
}
