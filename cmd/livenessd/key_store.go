package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"livenessd"
	"livenessd/store"
)

// keys is where credentials are changed: the running daemon, or the file of a
// daemon that is not running.
type keys interface {
	list(context.Context) ([]livenessd.Credential, error)
	add(context.Context, livenessd.Credential) error
	edit(ctx context.Context, name string, k keyChange) error
	remove(ctx context.Context, name string) error
	close() error
}

// openKeys asks the daemon, which alone may have the file open while it runs.
// A file that there is not is made only for the first credential: who lists or
// changes some and finds none has named the wrong one.
func openKeys(cfg Config, first bool) (keys, error) {
	k, err := dialControl(cfg.Store.Path)
	if err == nil {
		return k, nil
	}
	if !errors.Is(err, livenessd.ErrNotFound) {
		return nil, err
	}
	if _, err := os.Stat(cfg.Store.Path); errors.Is(err, fs.ErrNotExist) && !first {
		return nil, fmt.Errorf("store.path: there is no file %s: %w", cfg.Store.Path, livenessd.ErrNotFound)
	}
	s, replaced, err := store.Open(cfg.Store.Path, storeOptions(cfg.Store, nil))
	if errors.Is(err, livenessd.ErrBusy) {
		return nil, fmt.Errorf("%w; it does not listen on %s", err, controlPath(cfg.Store.Path))
	}
	if err != nil {
		return nil, fmt.Errorf("store.path: %w", err)
	}
	if replaced != nil {
		fmt.Fprintf(os.Stderr, "The store was damaged (%s) and was set aside as %s.\n", replaced.Reason, replaced.Path)
	}
	dir := filepath.Dir(cfg.Store.Path)
	if err := ownLike(dir, cfg.Store.Path, cfg.Store.Path+".ids"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return storedKeys{s}, nil
}

// storedKeys are those of a file.
type storedKeys struct{ *store.Store }

func (k storedKeys) close() error { return k.Close() }

func (k storedKeys) list(context.Context) ([]livenessd.Credential, error) { return k.Credentials() }

func (k storedKeys) add(_ context.Context, c livenessd.Credential) error {
	if err := canAsk(&c); err != nil {
		return err
	}
	return k.AddCredential(c)
}

func (k storedKeys) edit(_ context.Context, name string, change keyChange) error {
	return k.EditCredential(name, change.apply)
}

func (k storedKeys) remove(_ context.Context, name string) error { return k.RemoveCredential(name) }

func owner(path string) (uid, gid int, err error) {
	fi, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, fmt.Errorf("the owner of %s cannot be told", path)
	}
	return int(st.Uid), int(st.Gid), nil
}
