package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
)

// journal is a slog.Handler that speaks systemd's own protocol
// (systemd.io/JOURNAL_NATIVE_PROTOCOL), so that each attribute is a field by
// which the journal can be searched: journalctl LIVENESSD_SESSION=…. MESSAGE
// holds all of it as text, for who just reads. What the journal does not take
// goes to the other handler.
type journal struct {
	level  slog.Level
	conn   *net.UnixConn
	other  slog.Handler
	fields []field // of With
	prefix string  // of WithGroup
}

type field struct{ name, value string }

const journalSocket = "/run/systemd/journal/socket"

// maxField bounds a field, in bytes: a record must fit into one datagram.
const maxField = 16 << 10

// newJournal returns nil unless w is the stream that systemd connected to the
// journal: $JOURNAL_STREAM names its device and inode.
func newJournal(w io.Writer, getenv func(string) string, level slog.Level, other slog.Handler) *journal {
	f, ok := w.(*os.File)
	if !ok || getenv("JOURNAL_STREAM") == "" {
		return nil
	}
	fi, err := f.Stat()
	if err != nil {
		return nil
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || getenv("JOURNAL_STREAM") != fmt.Sprintf("%d:%d", st.Dev, st.Ino) {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: journalSocket, Net: "unixgram"})
	if err != nil {
		return nil // then it is text, as everywhere else
	}
	return &journal{level: level, conn: conn, other: other}
}

func (j *journal) Enabled(_ context.Context, l slog.Level) bool { return l >= j.level }

func (j *journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *j
	c.other = j.other.WithAttrs(attrs)
	c.fields = j.fields[:len(j.fields):len(j.fields)]
	for _, a := range attrs {
		c.fields = appendField(c.fields, j.prefix, a)
	}
	return &c
}

func (j *journal) WithGroup(name string) slog.Handler {
	c := *j
	c.other = j.other.WithGroup(name)
	c.prefix = j.prefix + name + "."
	return &c
}

var journalBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Handle sends one record.
func (j *journal) Handle(ctx context.Context, r slog.Record) error {
	fields := j.fields[:len(j.fields):len(j.fields)]
	r.Attrs(func(a slog.Attr) bool {
		fields = appendField(fields, j.prefix, a)
		return true
	})
	b := journalBuffers.Get().(*bytes.Buffer)
	defer journalBuffers.Put(b)
	b.Reset()
	var said strings.Builder
	said.WriteString(r.Message)
	for _, f := range fields {
		fmt.Fprintf(&said, " %s=%s", f.name, quoted(f.value))
	}
	writeField(b, "MESSAGE", said.String())
	writeField(b, "PRIORITY", priority(r.Level))
	writeField(b, "SYSLOG_IDENTIFIER", "livenessd")
	for _, f := range fields {
		writeField(b, fieldName(f.name), f.value)
	}
	if _, err := j.conn.Write(b.Bytes()); err != nil {
		return j.other.Handle(ctx, r)
	}
	return nil
}

func appendField(to []field, prefix string, a slog.Attr) []field {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, m := range v.Group() {
			to = appendField(to, prefix, m)
		}
		return to
	}
	if a.Key == "" {
		return to
	}
	return append(to, field{prefix + a.Key, v.String()})
}

// quoted puts s between quotation marks where it would not read as one word.
func quoted(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\n\"=") {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// fieldName makes a name that the journal takes: capitals, digits and
// underscores. The prefix keeps ours from being taken for one of its own.
func fieldName(key string) string {
	return "LIVENESSD_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
}

// writeField writes NAME=value, or, for a value of several lines, the name,
// the length in 8 bytes, little end first, and the value.
func writeField(b *bytes.Buffer, name, value string) {
	if len(value) > maxField {
		value = strings.ToValidUTF8(value[:maxField], "")
	}
	b.WriteString(name)
	if strings.Contains(value, "\n") {
		b.WriteByte('\n')
		for i := range 8 {
			b.WriteByte(byte(uint64(len(value)) >> (8 * i)))
		}
	} else {
		b.WriteByte('=')
	}
	b.WriteString(value)
	b.WriteByte('\n')
}

// priority is syslog's number.
func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "3"
	case l >= slog.LevelWarn:
		return "4"
	case l >= slog.LevelInfo:
		return "6"
	}
	return "7"
}
