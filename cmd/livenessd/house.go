package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"livenessd"
)

// leastFree is the free space beside the store below which the operator is
// told: some ten thousand results.
const leastFree = 64 << 20 // bytes

// freeSpace returns how many bytes this user may still write in dir.
func freeSpace(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("the free space of %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// tryFile makes a file without a name in dir, which goes when it is closed, and
// returns why that cannot be; nil too where it cannot be told. Nothing less
// shows a file system that gave errors and takes nothing new: its flags stay as
// they were (ext4 in Debian 12), and blocks that the store has
// already can be written over, so that it fails days later.
func tryFile(dir string) error {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	switch {
	case err == nil:
		return unix.Close(fd)
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("the file system of %s is read only: see dmesg, and exchange the disk if it had errors", dir)
	case errors.Is(err, unix.EIO):
		return fmt.Errorf("%s: %w: see dmesg, and exchange the disk", dir, err)
	}
	return nil // no such files there, no space, or not for this user
}

// volume looks after the file system that a folder is on.
type volume struct {
	dir     string
	looks   int
	refused error // by tryFile, when it was asked last
}

// tryEvery is how many looks pass between two tries: each is a write of some
// kilobytes, for years.
const tryEvery = 6

// trouble says what the operator should know of it; "" when all is well.
func (d *volume) trouble() string {
	if d.looks%tryEvery == 0 {
		d.refused = tryFile(d.dir)
	}
	d.looks++
	free, err := freeSpace(d.dir)
	switch {
	case err != nil:
		return err.Error()
	case d.refused != nil:
		return d.refused.Error()
	case free < leastFree:
		return fmt.Sprintf("%d MiB are free in %s: make room", free>>20, d.dir)
	}
	return ""
}

func freeOrNaN(free uint64, err error) float64 {
	if err != nil {
		return math.NaN() // a gauge that cannot be read
	}
	return float64(free)
}

// houseEvery is how often disk and clock are looked at.
const houseEvery = 5 * time.Second

// began is when the process did, for what is timed by the monotonic clock.
var began = time.Now()

// keepHouse looks at the disk and the clock until ctx ends.
func (t *terminal) keepHouse(ctx context.Context, dir string, c *clock) error {
	tick := time.NewTicker(houseEvery)
	defer tick.Stop()
	disk := volume{dir: dir}
	for {
		if trouble := disk.trouble(); trouble != "" {
			t.blame("disk", trouble)
		} else {
			t.excuse("disk")
		}
		if jump := c.look(time.Now(), time.Since(began)); jump != 0 {
			t.log.Warn("the clock jumped", "by", jump)
			if err := t.do(ctx, func() {
				t.record(livenessd.Event{Type: livenessd.EventClockJumped, At: time.Now(), Detail: fmt.Sprintf("by %v", jump)})
			}); err != nil {
				return nil // the loop has ended
			}
		}
		if q := c.quality(); q == livenessd.ClockWrong {
			t.blame("clock", "the clock shows "+time.Now().UTC().Format(time.RFC3339)+", which cannot be: set it, or let it follow a time server")
		} else {
			t.excuse("clock")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
