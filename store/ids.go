package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// idBlock is how many numbers are reserved at a time: the gap that a damaged
// store may leave, and how seldom the side file is written.
const idBlock = 1000

// idFile is the small file beside the store that holds an upper bound of all
// numbers given out. One line: the bound and its CRC-32C.
type idFile struct {
	path     string
	reserved uint64 // as on the disk; 0 when nothing readable is there
}

func newIDFile(path string) *idFile { return &idFile{path: path} }

// load reads the file. A file that is missing or does not make sense counts as
// 0; only the store's own numbers are known then.
func (f *idFile) load() error {
	f.reserved = 0
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, 64))
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("store: reading %s: %w", f.path, err)
	}
	var n uint64
	if _, err := fmt.Sscanf(string(data), "%d", &n); err == nil && string(data) == idLine(n) {
		f.reserved = n
	}
	return nil
}

func idLine(n uint64) string {
	digits := fmt.Sprint(n)
	return fmt.Sprintf("%s %08x\n", digits, crc32.Checksum([]byte(digits), castagnoli))
}

// raise makes sure that the file's bound is at or above n before n is given out.
func (f *idFile) raise(n uint64) error {
	if n <= f.reserved && f.reserved > 0 {
		return nil
	}
	bound := n + idBlock
	if err := WriteDurably(f.path, []byte(idLine(bound))); err != nil {
		return fmt.Errorf("store: reserving numbers in %s failed; check the disk and its free space: %w", f.path, err)
	}
	f.reserved = bound
	return nil
}

// WriteDurably replaces the file at path by data, for its owner's eyes alone:
// after a power cut either the old or the new content is there.
func WriteDurably(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes renames within dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
