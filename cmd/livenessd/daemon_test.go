package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// daemonConfig is that of a daemon that nobody stands before, with the
// built-in networks, a store of its own and a free port.
func daemonConfig(t *testing.T) Config {
	t.Helper()
	dir, err := os.MkdirTemp("", "lvd") // short: a socket's path has bounds
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cfg := defaultConfig()
	cfg.Camera.Source, cfg.Camera.SimulationSeed = "sim:nobody", emptyRoom
	cfg.Models.Dirs = []string{t.TempDir()}
	cfg.Store.Path = filepath.Join(dir, "s.db")
	cfg.Page.Listen = "127.0.0.1:0"
	return cfg
}

// startDaemon runs the program and returns the page's address, what it says
// to the person at the terminal, and a function that ends it.
func startDaemon(t *testing.T, cfg Config) (page, said string, end func()) {
	t.Helper()
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	var say bytes.Buffer
	go func() {
		ended <- run(ctx, cfg, slog.New(slog.DiscardHandler), &say, func(page string) { ready <- page })
	}()
	select {
	case page = <-ready:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	return page, say.String(), func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run ended with %v", err)
		}
	}
}

// answer sends req and returns the status and the body.
func answer(t *testing.T, client *http.Client, req *http.Request) (int, string) {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
