package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Ensure that a record arrives with each attribute as a field, that values
// cannot forge fields, and that a record is not lost without a journal.
func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "socket")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	log := slog.New(&journal{level: slog.LevelInfo, conn: conn, other: slog.NewTextHandler(&text, nil)})

	log.Debug("too fine")
	log.With("part", "camera").WithGroup("of").Warn("gone", "why", errors.New("no such\nMESSAGE=forged"), "after", 2*time.Second, slog.Group("by", "port", 3), "long", strings.Repeat("é", maxField))
	l.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 1<<20)
	n, err := l.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b[:n])
	for _, want := range []string{
		"PRIORITY=4\n", "SYSLOG_IDENTIFIER=livenessd\n", "LIVENESSD_PART=camera\n", "LIVENESSD_OF_AFTER=2s\n", "LIVENESSD_OF_BY_PORT=3\n",
		"LIVENESSD_OF_WHY\n\x16\x00\x00\x00\x00\x00\x00\x00no such\nMESSAGE=forged\n", `MESSAGE=gone part=camera of.why="no such\nMESSAGE=forged" of.after=2s`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %.500q", want, got)
		}
	}
	if n > 3*maxField {
		t.Errorf("the record has %d bytes", n)
	}
	l.Close()
	log.Error("alone", "a", 1)
	if !strings.Contains(text.String(), "alone") || !strings.Contains(text.String(), "a=1") {
		t.Errorf("without the journal: %q", text.String())
	}
}
