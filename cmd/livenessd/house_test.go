package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// Ensure that the operator is told of disks that take nothing new: /sys has no
// space, or is read only.
func TestDiskTrouble(t *testing.T) {
	if said := diskTrouble(filepath.Join(t.TempDir(), "none")); !strings.Contains(said, "no such file") {
		t.Errorf("a folder that is not there: %q", said)
	}
	if said := diskTrouble("/sys"); !strings.Contains(said, "make room") && !strings.Contains(said, "read only") {
		t.Errorf("a file system without any space: %q", said)
	}
}
