package appliance

import (
	"context"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Ensure that a full disk is said, that the terminal decides on, that nothing
// it announced is lost, and that it recovers by itself.
func TestFullDisk(t *testing.T) {
	l := sharedGuest(t)
	before := l.restarts()
	known := l.upTo("full", func() {
		// As a log or somebody's download fills it.
		l.sh("fallocate -l $(($(df --output=avail -B1 / | tail -1)-4096)) /var/fill || true; cat /dev/zero >>/var/fill 2>/dev/null; sync")
	})
	l.sh("rm /var/fill; sync")
	back := l.settledBut("camera_slow")
	t.Logf("well %.1f s after there was room again, %d results waited", back.Seconds(), len(known.waiting))
	maps.Copy(known.results, known.waiting) // nothing is lost without a power cut
	l.note(known, 2)
	l.sh("systemctl restart livenessd")
	l.settledBut("camera_slow")
	l.check(known)
	if n := l.restarts() - before; n != 0 {
		t.Errorf("the daemon was restarted %d times", n)
	}
	l.configure(testCamera)
}

// The same with a disk that the kernel lets nobody write any more, because it
// gave errors, until the next boot. What waits goes then, and was said to wait.
func TestReadOnlyDisk(t *testing.T) {
	need(t)
	disk := filepath.Join(suite.dir, "read-only.qcow2")
	if err := Overlay(disk, installed(t), "qcow2"); err != nil {
		t.Fatal(err)
	}
	l := boot(t, disk, Options{})
	l.plug(first)
	known := l.upTo("read only", func() {
		l.sh("sync; echo 1 >/sys/fs/ext4/vda/trigger_fs_error; ! touch /var/probe 2>/dev/null")
	})
	t.Logf("%d results were said to wait", len(known.waiting))
	l.Cut()
	l = boot(t, disk, Options{})
	l.plug(first)
	l.settled()
	l.check(known)
}

// upTo lets results be announced before and after something happens to the
// disk, and waits until it is said.
func (l *lab) upTo(name string, spoil func()) *announced {
	l.Helper()
	l.configure(testCamera, "SESSION_START=request", "SESSION_SHOW_RESULT=100ms")
	l.settledBut("camera_slow")
	known := nothing()
	l.note(known, 2)
	frames := l.metric("livenessd_analysis_seconds_count")
	spoil()
	l.note(known, 2)
	took := l.until("the disk that is "+name+" is said", func() (bool, string) {
		codes := l.complaints()
		return slices.ContainsFunc(codes, func(c string) bool { return c == "store" || c == "disk" }), strings.Join(codes, " ")
	})
	l.until("frames are judged", func() (bool, string) { return l.metric("livenessd_analysis_seconds_count") > frames+2, "none" })
	l.Logf("%s: said %.1f s after two more sessions; %s", name, took.Seconds(), strings.Join(l.complaints(), " "))
	return known
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
		l.follow(ctx, 0, 0, func(id uint64, data string) { known.events[id] = data })
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
