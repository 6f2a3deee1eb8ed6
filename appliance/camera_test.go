package appliance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Ensure that a USB camera is found by its stable name, and its pictures are
// judged; and that one made by software is refused unless the operator wants it.
func TestCamera(t *testing.T) {
	l := sharedGuest(t)
	l.configure("CAMERA_SOURCE=" + first.name())
	l.until("the camera on a virtual bus is refused", func() (bool, string) {
		said := l.sh("systemctl show -P StatusText livenessd")
		return strings.Contains(said, "is virtual"), said
	})
	if codes, _ := l.reasons(); len(codes) == 0 {
		t.Error("the terminal is ready with a camera that was refused")
	}
	l.configure(testCamera, "CAMERA_SOURCE="+first.name())
	l.settled()
	before := l.metric("livenessd_analysis_seconds_count")
	took := l.until("ten more frames are analysed", func() (bool, string) {
		n := l.metric("livenessd_analysis_seconds_count")
		return n >= before+10, fmt.Sprint(n - before)
	})
	t.Logf("10 frames analysed in %.1f s", took.Seconds())
	if got := l.sh("livenessd camera"); !strings.Contains(got, first.name()) || !strings.Contains(got, "MJPG 640x480") {
		t.Errorf("livenessd camera says: %s", got)
	}
	if got := l.sh("ls -l /proc/$(systemctl show -P MainPID livenessd)/fd | grep -o '/dev/video.*'"); got != l.sh("readlink -f /dev/v4l/by-id/%s", first.name()) {
		t.Errorf("it holds %q open, and should hold the video node alone", got)
	}
	l.configure(testCamera)
	l.settled()
}

// lost waits until the terminal says that it cannot judge.
func (l *lab) lost() time.Duration {
	l.Helper()
	return l.until("the loss is seen", func() (bool, string) {
		codes, answered := l.reasons()
		return answered && len(codes) > 0, "it is ready"
	})
}

// Ensure that a camera which is pulled out and put in again is taken up again,
// each time, without a restart.
func TestReplug(t *testing.T) {
	l := sharedGuest(t)
	const few = 10
	cycles := count(t, "APPLIANCE_REPLUGS", few)
	before := l.restarts()
	opens := l.metric("livenessd_camera_opens")
	var lost, back []time.Duration
	for !enough(t, len(back), cycles, few, 45*time.Minute) {
		l.unplug(first)
		lost = append(lost, l.lost())
		l.plug(first)
		back = append(back, l.settled())
	}
	cycles = len(back)
	slices.Sort(lost)
	slices.Sort(back)
	t.Logf("%d cycles: seen after %.1f s (median), %.1f s (longest); ready again after %.1f s (median), %.1f s (longest)", cycles,
		lost[cycles/2].Seconds(), lost[cycles-1].Seconds(), back[cycles/2].Seconds(), back[cycles-1].Seconds())
	if n := l.metric("livenessd_camera_opens") - opens; int(n) < cycles {
		t.Errorf("the camera was taken up %v times in %d cycles", n, cycles)
	}
	if n := l.restarts() - before; n != 0 {
		t.Errorf("the daemon was restarted %d times", n)
	}
}

// Ensure that the camera is found where its number has changed, because
// somebody holds the old one open.
func TestReplugOtherNumber(t *testing.T) {
	l := sharedGuest(t)
	was := l.sh("readlink -f /dev/v4l/by-id/%s", first.name())
	l.sh("systemd-run -q --unit=holder sh -c 'exec 5<%s; sleep 1000'; sleep 0.5", was)
	l.unplug(first)
	l.lost()
	l.plug(first)
	l.settled()
	if is := l.sh("readlink -f /dev/v4l/by-id/%s", first.name()); is == was {
		t.Error("the number has not changed: the check shows nothing")
	} else {
		t.Logf("%s before, %s afterwards", was, is)
	}
	l.sh("systemctl stop holder")
}
