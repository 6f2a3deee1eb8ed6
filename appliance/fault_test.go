package appliance

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// trouble is something that happens to a camera.
type trouble struct {
	name string
	do   string   // in the guest's shell
	want []string // codes of /readyz, or of its warnings, of which one must come; none: it need not be noticed
	undo string   // "" where it passes by itself
}

// fakes are the troubles that the camera on the virtual USB can have.
var fakes = []trouble{
	{"silent", "guest tell K0001 silent", []string{"camera_silent", "camera_gone"}, "guest tell K0001 well"},
	{"frozen", "guest tell K0001 frozen", []string{"camera_frozen"}, "guest tell K0001 well"},
	{"repeated", "guest tell K0001 repeated", []string{"camera_repeated"}, "guest tell K0001 well"},
	{"black", "guest tell K0001 black", []string{"camera_black"}, "guest tell K0001 well"},
	{"slow", "guest tell K0001 fps 1.5", []string{"camera_slow"}, "guest tell K0001 well"},
	{"silent until its USB device is reset", "guest tell K0001 wedged", []string{"camera_silent"}, ""},
	{"pictures cut off", "guest tell K0001 truncate 20", nil, ""},
	{"switched off in sysfs", "echo 0 >$(readlink -f /sys/bus/usb/devices/*-1/authorized)", []string{"camera_gone"}, "echo 1 >$(readlink -f /sys/bus/usb/devices/*-1/authorized)"},
	{"driver taken away", "cd /sys/bus/usb/drivers/uvcvideo && ls -d *:1.0 >/run/interface && cat /run/interface >unbind", []string{"camera_gone"}, "cat /run/interface >/sys/bus/usb/drivers/uvcvideo/bind"},
}

// noisy makes the kernel's test camera show noise, so that no two pictures are
// alike, without the text that would keep black from being black. One that was
// unbound has forgotten it.
const noisy = "v4l2-ctl -d /dev/video0 -c test_pattern=21 -c osd_text_mode=2"

// vivids are those that the kernel's own test camera can have.
var vivids = []trouble{
	{"unbound", "echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind", []string{"camera_gone"}, "echo vivid.0 >/sys/bus/platform/drivers/vivid/bind; " + noisy},
	{"disconnected", "v4l2-ctl -d /dev/video0 -c disconnect=1", nil, ""},
	{"stream broken off", "v4l2-ctl -d /dev/video0 -c inject_fatal_streaming_error=1", nil, ""},
	{"bad buffer", "v4l2-ctl -d /dev/video0 -c inject_v4l2_buf_flag_error=1", nil, ""},
	{"a buffer refused", "v4l2-ctl -d /dev/video0 -c inject_vidioc_qbuf_error=1", nil, ""},
	{"start refused", "v4l2-ctl -d /dev/video0 -c inject_vidioc_streamon_error=1; v4l2-ctl -d /dev/video0 -c inject_fatal_streaming_error=1", nil, ""},
	{"buffers refused", "v4l2-ctl -d /dev/video0 -c inject_vidioc_reqbufs_error=1; v4l2-ctl -d /dev/video0 -c inject_fatal_streaming_error=1", nil, ""},
	{"no buffer arrives", "v4l2-ctl -d /dev/video0 -c percentage_of_dropped_buffers=100", []string{"camera_silent"}, "v4l2-ctl -d /dev/video0 -c percentage_of_dropped_buffers=0"},
	{"two of three buffers lost", "v4l2-ctl -d /dev/video0 -c percentage_of_dropped_buffers=66", []string{"camera_slow"}, "v4l2-ctl -d /dev/video0 -c percentage_of_dropped_buffers=0"},
	{"black", "v4l2-ctl -d /dev/video0 -c test_pattern=5", []string{"camera_black"}, "v4l2-ctl -d /dev/video0 -c test_pattern=21"},
	{"white", "v4l2-ctl -d /dev/video0 -c test_pattern=6", []string{"camera_black"}, "v4l2-ctl -d /dev/video0 -c test_pattern=21"},
}

// Ensure that each trouble of a camera is named, and recovered from without a
// restart of the daemon.
func TestFaults(t *testing.T) {
	l := sharedGuest(t)
	l.endure(fakes)
	_, body := l.ask(http.MethodGet, "/metrics", "")
	if !regexp.MustCompile(`livenessd_camera_recoveries_total\{stage="reset"\} [1-9]`).MatchString(body) {
		t.Error("no USB device was reset")
	}
	t.Log("counted:", regexp.MustCompile(`livenessd_camera_(?:recoveries|faults)_total\{[^}]*\} [1-9]\d*`).FindAllString(body, -1))
}

// The same with the kernel's own test camera, which has troubles of its own.
func TestVividFaults(t *testing.T) {
	l := sharedGuest(t)
	l.unplug(first)
	l.sh("modprobe vivid && sleep 1 && %s", noisy)
	l.configure(testCamera, "CAMERA_WIDTH=320", "CAMERA_HEIGHT=180")
	l.settled()
	l.endure(vivids)
	if l.sh("rmmod vivid 2>&1 || true") == "" {
		t.Error("the driver of a camera that streams was removed")
	}
	l.sh("systemctl stop livenessd; rmmod vivid")
	l.plug(first)
	l.configure(testCamera)
	l.settled()
}

// endure goes through troubles, one after the other.
func (l *lab) endure(troubles []trouble) {
	l.Helper()
	before := l.restarts()
	for _, tr := range troubles {
		l.settled()
		frames := l.metric("livenessd_frames_total")
		l.sh("%s", tr.do)
		said := "not noticed"
		if tr.want != nil {
			took := l.until(tr.name+" is named "+strings.Join(tr.want, " or "), func() (bool, string) {
				codes := l.complaints()
				return slices.ContainsFunc(tr.want, func(w string) bool { return slices.Contains(codes, w) }), fmt.Sprint(codes)
			})
			said = fmt.Sprintf("named after %.1f s", took.Seconds())
		}
		if tr.undo != "" {
			l.sh("%s", tr.undo)
		}
		took := l.until(tr.name+" is over, and pictures come", func() (bool, string) {
			codes := l.complaints()
			if !slices.Contains(tr.want, "camera_slow") { // a busy emulator is slow at any moment
				codes = slices.DeleteFunc(codes, func(c string) bool { return c == "camera_slow" })
			}
			now := l.metric("livenessd_frames_total")
			fresh := now > frames+5 || now < frames
			return len(codes) == 0 && fresh, fmt.Sprint(codes)
		})
		l.Logf("%s: %s, well again after %.1f s", tr.name, said, took.Seconds())
	}
	if n := l.restarts() - before; n != 0 {
		l.Errorf("the daemon was restarted %d times", n)
	}
}
