package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"livenessd"
)

// childReadOnly goes through a disk that becomes read only and writable again,
// before Open and after it. It has a mount namespace to itself.
func childReadOnly(path string, o Options) error {
	dir := filepath.Dir(path)
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("no namespace of mounts: %w", err)
	}
	protect := func() error { // the mount above hides the directory; open files are not disturbed
		if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
		return syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, "")
	}
	release := func() error { return syscall.Unmount(dir, syscall.MNT_DETACH) }

	if err := protect(); err != nil {
		return err
	}
	s, replaced, err := Open(path, o)
	if err != nil || replaced != nil {
		return fmt.Errorf("opening on a disk that is read only: %v, %w", replaced, err)
	}
	if err := readable(s, 3, true); err != nil {
		return err
	}
	if err := release(); err != nil {
		return err
	}
	if _, err := s.PutResult(result(time.Now()), nil); err != nil {
		return fmt.Errorf("after the disk came back: %w", err)
	}
	if err := readable(s, 4, false); err != nil {
		return err
	}

	// A disk that becomes read only while the file is open fails the next
	// write; the limit stands for that.
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := errors.Join(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old), protect(),
		syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 0, Max: old.Max})); err != nil {
		return err
	}
	if err := readable(s, 4, true); err != nil {
		return err
	}
	if err := errors.Join(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old), release()); err != nil {
		return err
	}
	if _, err := s.PutResult(result(time.Now()), nil); err != nil {
		return fmt.Errorf("after the disk came back again: %w", err)
	}
	if err := readable(s, 5, false); err != nil {
		return err
	}
	return s.Close()
}

// readable checks that want results can be read, that writing fails if it
// should, and that the store says so.
func readable(s *Store, want int, only bool) error {
	if only {
		for range 2 {
			_, err := s.PutEvent(livenessd.Event{Type: livenessd.EventStarted})
			if err == nil || errors.Is(err, livenessd.ErrNotReady) {
				return fmt.Errorf("writing on a disk that is read only: %v", err)
			}
			fmt.Println("refused:", err)
		}
	}
	rs, _, err := s.Results("", 100, true)
	if err != nil || len(rs) != want || s.Readable() != only {
		return fmt.Errorf("%d results instead of %d, readable only %v: %w", len(rs), want, s.Readable(), err)
	}
	return nil
}

func TestReadOnlyDisk(t *testing.T) {
	path := storePath(t)
	s := open(t, path, options())
	for range 3 {
		put(t, s, result(time.Now()), nil)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, "read-only", path)
	cmd.Stderr = nil // kept for the message
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.Output()
	t.Logf("%s", out)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Skipf("SKIPPED: this machine allows no namespaces of users and mounts: %v", err)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	check(t, path)
}
