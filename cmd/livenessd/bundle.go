package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"time"

	"livenessd"
	"livenessd/capture"
	"livenessd/store"
)

const (
	bundleEvents = 1000
	bundleLog    = "5000"           // lines
	bundleWait   = 20 * time.Second // for the log
	bundleMax    = 16 << 20         // bytes of one part
)

// writeBundle writes a gzipped tar of what somebody far away needs to see. It
// holds no picture, no caller's reference, no credential, key or token; the
// names of devices that may call are in the log.
func writeBundle(ctx context.Context, file string, d *doctor) error {
	parts := []struct {
		name string
		make func(context.Context) ([]byte, error)
	}{
		{"findings.txt", func(context.Context) ([]byte, error) {
			var b bytes.Buffer
			err := d.print(&b, false)
			return b.Bytes(), err
		}},
		{"findings.json", func(context.Context) ([]byte, error) { return json.MarshalIndent(d.findings, "", "  ") }},
		{"status.json", func(context.Context) ([]byte, error) { return json.MarshalIndent(d.daemon, "", "  ") }},
		{"config.toml", func(context.Context) ([]byte, error) { return d.cfg.print() }},
		{"system.txt", func(context.Context) ([]byte, error) { return systemFacts() }},
		{"cameras.json", func(context.Context) ([]byte, error) {
			var list []listedCamera
			devices, err := capture.Devices()
			for _, v := range devices {
				list = append(list, listCamera(&v))
			}
			b, e := json.MarshalIndent(list, "", "  ")
			return b, errors.Join(err, e)
		}},
		{"events.jsonl", func(ctx context.Context) ([]byte, error) { return newestEvents(ctx, d.cfg) }},
		{"metrics.txt", func(ctx context.Context) ([]byte, error) { return daemonMetrics(ctx, d.cfg) }},
		{"log.txt", serviceLog},
	}
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	tw := tar.NewWriter(gz)
	now := time.Now()
	var missing bytes.Buffer
	put := func(name string, b []byte) error {
		if err := tw.WriteHeader(&tar.Header{Name: "livenessd/" + name, Mode: 0o600, Size: int64(len(b)), ModTime: now}); err != nil {
			return err
		}
		_, err := tw.Write(b)
		return err
	}
	for _, p := range parts {
		b, err := p.make(ctx)
		if err != nil { // the rest is still of use
			fmt.Fprintf(&missing, "%s: %v\n", p.name, err)
		}
		if err := put(p.name, b[:min(len(b), bundleMax)]); err != nil {
			return err
		}
	}
	if err := put("missing.txt", missing.Bytes()); err != nil {
		return err
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o600)
}

// systemFacts describe the machine.
func systemFacts() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintln(&b, "livenessd", versionString())
	var errs []error
	for _, f := range []string{"/proc/version", "/etc/os-release", "/proc/cpuinfo", "/proc/meminfo", "/proc/uptime", "/proc/loadavg", "/proc/mounts"} {
		data, err := os.ReadFile(f)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(&b, "\n== %s\n%s", f, data)
	}
	return b.Bytes(), errors.Join(errs...)
}

// newestEvents are a JSON object a line, from the daemon or its file, without
// what callers wrote.
func newestEvents(ctx context.Context, cfg Config) ([]byte, error) {
	var events []livenessd.Event
	s, err := store.OpenReadOnly(cfg.Store.Path)
	if err == nil {
		events, err = newestOf(s, bundleEvents)
		err = errors.Join(err, s.Close())
	} else if errors.Is(err, livenessd.ErrBusy) {
		var k *remoteKeys
		if k, err = dialControl(cfg.Store.Path); err == nil {
			defer k.close()
			err = k.call(ctx, http.MethodGet, "/events", nil, &events)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, v := range events {
		if v.Result != nil {
			r := *v.Result
			r.Reference = ""
			v.Result = &r
		}
		if err := e.Encode(v); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), err
}

// daemonMetrics are those of the running daemon.
func daemonMetrics(ctx context.Context, cfg Config) ([]byte, error) {
	k, err := dialControl(cfg.Store.Path)
	if err != nil {
		return nil, err
	}
	defer k.close()
	var text string
	err = k.call(ctx, http.MethodGet, "/metrics", nil, &text)
	return []byte(text), err
}

// serviceLog is the newest of the daemon's log, where systemd keeps it.
func serviceLog(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, bundleWait)
	defer cancel()
	out, err := exec.CommandContext(ctx, "journalctl", "--no-pager", "-q", "-u", "livenessd", "-u", "livenessd-kiosk", "-n", bundleLog, "-o", "short-iso").Output()
	if err != nil {
		return out, fmt.Errorf("journalctl: %w", err)
	}
	return out, nil
}
