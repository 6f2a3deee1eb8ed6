package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"livenessd"
)

// leastFree is the free space beside the store below which the operator is
// told: some ten thousand results.
const leastFree = 64 << 20 // bytes

// room returns how many bytes this user may still write in dir, and whether its
// file system takes nothing new at all. The store itself may not notice that
// for a while: blocks that it has already can still be written over.
func room(dir string) (free uint64, readOnly bool, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false, fmt.Errorf("the free space of %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), st.Flags&unix.ST_RDONLY != 0, nil
}

// freeSpace is room's first answer.
func freeSpace(dir string) (uint64, error) {
	free, _, err := room(dir)
	return free, err
}

// diskTrouble says what the operator should know of the disk that dir is on;
// "" when all is well.
func diskTrouble(dir string) string {
	free, readOnly, err := room(dir)
	switch {
	case err != nil:
		return err.Error()
	case readOnly:
		return fmt.Sprintf("the file system of %s is read only: see dmesg, and exchange the disk if it had errors", dir)
	case free < leastFree:
		return fmt.Sprintf("%d MiB are free in %s: make room", free>>20, dir)
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
	for {
		if trouble := diskTrouble(dir); trouble != "" {
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
