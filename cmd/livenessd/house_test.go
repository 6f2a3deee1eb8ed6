package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Ensure that the operator is told of disks that take nothing new: /sys has no
// space, or is read only.
func TestDiskTrouble(t *testing.T) {
	none := volume{dir: filepath.Join(t.TempDir(), "none")}
	if said := none.trouble(); !strings.Contains(said, "no such file") {
		t.Errorf("a folder that is not there: %q", said)
	}
	sys := volume{dir: "/sys"}
	if said := sys.trouble(); !strings.Contains(said, "make room") && !strings.Contains(said, "read only") {
		t.Errorf("a file system without any space: %q", said)
	}
}

// Ensure that a disk that refuses a file is said to, until a later try finds
// it well, and that the try leaves nothing behind.
func TestDiskTried(t *testing.T) {
	d := volume{dir: t.TempDir(), looks: 1, refused: errors.New("read only")}
	for range tryEvery - 1 {
		if said := d.trouble(); said != "read only" {
			t.Fatalf("before the next try: %q", said)
		}
	}
	if d.trouble(); d.refused != nil {
		t.Errorf("after a try that went well: %v", d.refused)
	}
	if left, err := os.ReadDir(d.dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
