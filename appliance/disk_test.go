package appliance

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Ensure that a disk that is full or cannot be written is said, that the
// terminal decides on, that nothing it announced is lost, and that it recovers
// by itself.
func TestDisk(t *testing.T) {
	l := sharedGuest(t)
	l.configure(testCamera, "SESSION_START=request")
	l.tell(first, "fps 2") // so that the loop has time for calls
	defer l.tell(first, "well")
	l.settledBut("camera_slow")
	for _, disk := range []struct{ name, spoil, mend string }{
		// As a log or somebody's download fills it.
		{"full", "fallocate -l $(($(df --output=avail -B1 / | tail -1)-4096)) /var/fill || true; cat /dev/zero >>/var/fill 2>/dev/null; sync", "rm /var/fill; sync"},
		// As the kernel does with a disk that gives errors.
		{"read only", "sync; echo u >/proc/sysrq-trigger; sleep 1", "mount -o remount,rw /"},
	} {
		before := l.restarts()
		known := &announced{results: map[string]bool{}, events: map[uint64]string{}}
		l.note(known, 2)
		frames := l.metric("livenessd_analysis_seconds_count")
		l.sh("%s", disk.spoil)
		l.note(known, 2)
		took := l.until("the disk that is "+disk.name+" is said", func() (bool, string) {
			codes := l.complaints()
			return slices.ContainsFunc(codes, func(c string) bool { return c == "store" || c == "disk" }), strings.Join(codes, " ")
		})
		l.until("frames are judged", func() (bool, string) { return l.metric("livenessd_analysis_seconds_count") > frames+2, "none" })
		l.note(known, 2)
		l.sh("%s", disk.mend)
		back := l.settledBut("camera_slow")
		l.note(known, 2)
		t.Logf("%s: said after %.1f s; well %.1f s after it was mended", disk.name, took.Seconds(), back.Seconds())
		l.sh("systemctl restart livenessd")
		l.settledBut("camera_slow")
		l.check(known)
		if n := l.restarts() - before; n != 0 {
			t.Errorf("%s: the daemon was restarted %d times", disk.name, n)
		}
	}
	l.configure(testCamera)
}

// settledBut waits until there is nothing to complain of but one thing.
func (l *lab) settledBut(known string) time.Duration {
	l.Helper()
	return l.until("the terminal is well", func() (bool, string) {
		codes := slices.DeleteFunc(l.complaints(), func(c string) bool { return c == known })
		return len(codes) == 0, strings.Join(codes, " ")
	})
}

// note lets n sessions begin and end, and follows the events meanwhile.
func (l *lab) note(known *announced, n int) {
	l.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	following := make(chan struct{})
	go func() {
		defer close(following)
		l.follow(ctx, 0, func(id uint64, data string) { known.events[id] = data })
	}()
	for range n {
		if status, _ := l.ask(http.MethodGet, "/healthz", ""); status != http.StatusOK {
			l.Errorf("the daemon does not answer")
		}
		l.once(known)
	}
	cancel()
	<-following
}
