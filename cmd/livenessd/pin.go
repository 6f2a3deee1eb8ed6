package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"livenessd"
	"livenessd/capture"
	"livenessd/store"
)

// pinFile is where the pinned camera is kept: beside the store, because the
// configuration belongs to the operator and is not written by programs.
func pinFile(storePath string) string { return filepath.Join(filepath.Dir(storePath), "camera.json") }

// pin is what the file holds.
type pin struct {
	capture.Identity
	Pinned time.Time `json:"pinned"` // when; for people
}

// maxPinFile bounds what is read.
const maxPinFile = 4 << 10

// readPin returns the pinned camera, nil when none is.
func readPin(file string) (*capture.Identity, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the pinned camera cannot be read: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPinFile))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("the pinned camera cannot be read: %w", err)
	}
	var p pin
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || p.Identity == (capture.Identity{}) {
		return nil, fmt.Errorf("%s does not say which camera is pinned; pin it again with `livenessd camera pin`: %w", file, livenessd.ErrInvalid)
	}
	return &p.Identity, nil
}

// writePin makes id the pinned camera; after a power cut the old or the new one
// holds.
func writePin(file string, id capture.Identity, now time.Time) error {
	b, err := json.MarshalIndent(pin{id, now.UTC().Truncate(time.Second)}, "", "  ")
	if err != nil {
		return err
	}
	if err := store.WriteDurably(file, append(b, '\n')); err != nil {
		return fmt.Errorf("the camera could not be pinned: %w", err)
	}
	return ownLike(filepath.Dir(file), file)
}

// removePin lets any camera be used again. There need not be one.
func removePin(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the pin could not be removed: %w", err)
	}
	return nil
}

// pins is where the pinned camera is changed: the running daemon, or the file
// of a daemon that is not running.
type pins interface {
	// pin pins the camera that name means: "" is the one in use, else the
	// configured one.
	pin(ctx context.Context, name string) (capture.Identity, error)
	unpin(ctx context.Context) error
}

// pinRequest is how a pin passes over the socket.
type pinRequest struct {
	Name string `json:"name"`
}

// filePins changes the file alone.
type filePins struct {
	cfg  CameraConfig
	file string
}

func (p filePins) pin(_ context.Context, name string) (capture.Identity, error) {
	id, err := choosePin(p.cfg, name)
	if err != nil {
		return id, err
	}
	return id, writePin(p.file, id, time.Now())
}

func (p filePins) unpin(context.Context) error { return removePin(p.file) }

// livePins changes the file of the running daemon, which takes it at once.
type livePins struct {
	filePins
	ctx    context.Context // the daemon's
	term   *terminal
	reopen func() // chooses the camera anew
}

func (p livePins) pin(ctx context.Context, name string) (capture.Identity, error) {
	if err := p.term.do(p.ctx, func() {
		if name == "" && p.term.status.Ready {
			name = p.term.status.Camera.Device
		}
	}); err != nil {
		return capture.Identity{}, err
	}
	id, err := p.filePins.pin(ctx, name)
	if err != nil {
		return id, err
	}
	return id, p.changed("pinned: " + id.String())
}

func (p livePins) unpin(ctx context.Context) error {
	if err := p.filePins.unpin(ctx); err != nil {
		return err
	}
	return p.changed("no camera is pinned any more")
}

func (p livePins) changed(what string) error {
	err := p.term.do(p.ctx, func() {
		p.term.log.Info("the pinned camera was changed", "what", what)
		p.term.record(livenessd.Event{Type: livenessd.EventCameraPinned, At: time.Now(), Detail: what})
	})
	p.reopen()
	return err
}

// openPins asks the daemon, or takes the file when none runs.
func openPins(cfg Config) (pins, func(), error) {
	k, err := dialControl(cfg.Store.Path)
	if errors.Is(err, livenessd.ErrNotFound) {
		return filePins{cfg.Camera, pinFile(cfg.Store.Path)}, func() {}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return k, func() { k.close() }, nil
}

func (k remoteKeys) pin(ctx context.Context, name string) (id capture.Identity, err error) {
	return id, k.call(ctx, http.MethodPut, "/camera/pin", pinRequest{name}, &id)
}

func (k remoteKeys) unpin(ctx context.Context) error {
	return k.call(ctx, http.MethodDelete, "/camera/pin", nil, nil)
}

// choosePin finds the camera that name means, the configured one for "".
func choosePin(cfg CameraConfig, name string) (capture.Identity, error) {
	if name == "" {
		name = cfg.Source
	}
	d, err := capture.Find(capture.DefaultRoots(), name, cfg.AllowVirtual, nil)
	if err != nil {
		return capture.Identity{}, err
	}
	return d.Identity(), nil
}
