package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"livenessd"
)

// The running daemon has the store to itself, so `livenessd key`, `jobs`
// and `camera pin` ask it over a socket beside the store: HTTP with JSON, for root and the daemon's own user
// alone. It is not the API: a program that may only call the loopback address
// cannot make itself a credential.

// maxSocketPath is what the kernel takes as the path of a socket, in bytes.
const maxSocketPath = 107

func controlPath(store string) string { return store + ".ctl" }

// control answers on the socket.
type control struct {
	keys    keys
	jobs    pager[livenessd.Job]
	changed func() error // takes changed credentials into use
	pins    pins
	status  func() (daemonStatus, error)
	events  func() ([]livenessd.Event, error) // the newest
	metrics func() (string, error)            // in the text format of Prometheus
	log     *slog.Logger
}

// listenControl makes the socket. The caller holds the store's lock, so a
// socket that is there already is nobody's.
func listenControl(ctx context.Context, path string, c *control) (*server, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("%w: store.path is too long for the socket beside it: %s has more than %d bytes", livenessd.ErrInvalid, path, maxSocketPath)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return newServer(ctx, ownListener{l}, c.handler(), c.log), nil
}

// ownListener accepts root and our own user, whatever the file's mode was at
// the moment they connected.
type ownListener struct{ *net.UnixListener }

func (l ownListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if uid, err := peer(c); err == nil && (uid == 0 || uid == os.Geteuid()) {
			return c, nil
		}
		c.Close()
	}
}

func peer(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	if err2 := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err2 != nil {
		return 0, err2
	}
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

const maxControlBody = 64 << 10

func (c *control) handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /keys", c.answer(func(r *http.Request) (any, error) {
		all, err := c.keys.list(r.Context())
		for i := range all {
			all[i] = withoutSecrets(all[i])
		}
		return all, err
	}))
	m.HandleFunc("GET /jobs", c.answer(func(r *http.Request) (any, error) {
		limit, err := strconv.Atoi(r.FormValue("limit"))
		if err != nil {
			return nil, fmt.Errorf("%w: limit: %v", livenessd.ErrInvalid, err)
		}
		var p jobsPage
		p.Jobs, p.Next, err = c.jobs(r.Context(), r.FormValue("cursor"), limit)
		return p, err
	}))
	m.HandleFunc("GET /status", c.answer(func(*http.Request) (any, error) { return c.status() }))
	m.HandleFunc("GET /events", c.answer(func(*http.Request) (any, error) { return c.events() }))
	m.HandleFunc("GET /metrics", c.answer(func(*http.Request) (any, error) { return c.metrics() }))
	m.HandleFunc("PUT /camera/pin", c.answer(func(r *http.Request) (any, error) {
		var want pinRequest
		if err := decodeBody(r, &want); err != nil {
			return nil, err
		}
		return c.pins.pin(r.Context(), want.Name)
	}))
	m.HandleFunc("DELETE /camera/pin", c.answer(func(r *http.Request) (any, error) {
		return struct{}{}, c.pins.unpin(r.Context())
	}))
	m.HandleFunc("POST /keys", c.change("added", func(r *http.Request) (string, error) {
		var v livenessd.Credential
		if err := decodeBody(r, &v); err != nil {
			return "", err
		}
		return v.Name, c.keys.add(r.Context(), v)
	}))
	m.HandleFunc("PATCH /keys/{name}", c.change("changed", func(r *http.Request) (string, error) {
		var k keyChange
		if err := decodeBody(r, &k); err != nil {
			return "", err
		}
		return r.PathValue("name"), c.keys.edit(r.Context(), r.PathValue("name"), k)
	}))
	m.HandleFunc("DELETE /keys/{name}", c.change("removed", func(r *http.Request) (string, error) {
		return r.PathValue("name"), c.keys.remove(r.Context(), r.PathValue("name"))
	}))
	return m
}

// change is answer for what changes a credential.
func (c *control) change(what string, f func(*http.Request) (name string, err error)) http.HandlerFunc {
	return c.answer(func(r *http.Request) (any, error) {
		name, err := f(r)
		if err != nil {
			return nil, err
		}
		c.log.Info("a credential was "+what, "name", name)
		return struct{}{}, c.changed()
	})
}

func decodeBody(r *http.Request, v any) error {
	d := json.NewDecoder(io.LimitReader(r.Body, maxControlBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %v", livenessd.ErrInvalid, err)
	}
	return nil
}

// controlError is how an error passes over the socket.
type controlError struct {
	Error string `json:"error"`
}

// controlStatus are the errors whose kind a caller can tell.
var controlStatus = map[int]error{
	http.StatusBadRequest: livenessd.ErrInvalid, http.StatusNotFound: livenessd.ErrNotFound, http.StatusServiceUnavailable: livenessd.ErrNotReady,
}

func (c *control) answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		v, err := f(r)
		if err != nil {
			status, v = http.StatusInternalServerError, controlError{err.Error()}
			for code, kind := range controlStatus {
				if errors.Is(err, kind) {
					status = code
				}
			}
		}
		b, err := json.Marshal(v)
		if err != nil {
			c.log.Error("an answer on the control socket", "error", err)
			status = http.StatusInternalServerError
		}
		w.WriteHeader(status)
		if _, err := w.Write(b); err != nil {
			c.log.Debug("an answer on the control socket", "error", err)
		}
	}
}

func keyPath(name string) string { return "/keys/" + url.PathEscape(name) }

// remoteKeys are those of the running daemon.
type remoteKeys struct{ client *http.Client }

// dialControl reaches the daemon whose store this is. The error wraps
// livenessd.ErrNotFound when none answers.
func dialControl(store string) (*remoteKeys, error) {
	path := controlPath(store)
	none := fmt.Errorf("no daemon answers on %s: %w", path, livenessd.ErrNotFound)
	if len(path) > maxSocketPath {
		return nil, none
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
	}
	c, err := dial(context.Background(), "", "")
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, none
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s is not for this user: run this as root or as the daemon's user: %w", path, err)
	case err != nil:
		return nil, err
	}
	c.Close()
	return &remoteKeys{&http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 30 * time.Second}}, nil
}

func (k remoteKeys) close() error {
	k.client.CloseIdleConnections()
	return nil
}

func (k remoteKeys) list(ctx context.Context) (all []livenessd.Credential, err error) {
	return all, k.call(ctx, http.MethodGet, "/keys", nil, &all)
}

func (k remoteKeys) add(ctx context.Context, c livenessd.Credential) error {
	return k.call(ctx, http.MethodPost, "/keys", c, nil)
}

func (k remoteKeys) edit(ctx context.Context, name string, change keyChange) error {
	return k.call(ctx, http.MethodPatch, keyPath(name), change, nil)
}

func (k remoteKeys) remove(ctx context.Context, name string) error {
	return k.call(ctx, http.MethodDelete, keyPath(name), nil, nil)
}

func (k remoteKeys) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://daemon"+path, body)
	if err != nil {
		return err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return fmt.Errorf("the daemon does not answer: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return fmt.Errorf("the daemon's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusedBy(resp.StatusCode, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// saidError is a sentence of the daemon with the kind it had there.
type saidError struct {
	what string
	kind error
}

func (e *saidError) Error() string { return e.what }
func (e *saidError) Unwrap() error { return e.kind }

func refusedBy(status int, body []byte) error {
	var said controlError
	if err := json.Unmarshal(body, &said); err != nil || said.Error == "" {
		said.Error = strings.TrimSpace(string(body[:min(len(body), 300)]))
	}
	kind := controlStatus[status]
	if kind == nil {
		kind = errors.New(http.StatusText(status))
	}
	return &saidError{said.Error, kind}
}
