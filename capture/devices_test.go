package capture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"livenessd"
)

// fakeDevice is one node of a fake machine.
type fakeDevice struct {
	node   string
	path   string // its place in sysfs below devices
	driver string
	card   string
	index  int
	byID   string
	byPath string
}

// machine lays the trees of a machine out in a new folder, as udev and sysfs
// lay them out.
func machine(t testing.TB, ds ...fakeDevice) Roots {
	t.Helper()
	root := t.TempDir()
	r := Roots{Dev: filepath.Join(root, "dev"), Sys: filepath.Join(root, "sys"), Proc: filepath.Join(root, "proc")}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{r.Dev, r.Sys, r.Proc} {
		must(os.MkdirAll(dir, 0o755))
	}
	for _, d := range ds {
		dir := filepath.Join(r.Sys, "devices", d.path, "video4linux", d.node)
		class := filepath.Join(r.Sys, "class/video4linux")
		must(os.MkdirAll(dir, 0o755))
		must(os.MkdirAll(class, 0o755))
		must(os.WriteFile(filepath.Join(dir, "name"), []byte(d.card+"\n"), 0o600))
		must(os.WriteFile(filepath.Join(dir, "index"), fmt.Appendln(nil, d.index), 0o600))
		must(os.Symlink(dir, filepath.Join(class, d.node)))
		if d.driver != "" {
			drv := filepath.Join(r.Sys, "bus/any/drivers", d.driver)
			must(os.MkdirAll(drv, 0o755))
			must(os.Symlink(filepath.Join(r.Sys, "devices", d.path), filepath.Join(dir, "device")))
			if err := os.Symlink(drv, filepath.Join(r.Sys, "devices", d.path, "driver")); err != nil && !errors.Is(err, os.ErrExist) {
				t.Fatal(err)
			}
		}
		must(os.WriteFile(filepath.Join(r.Dev, d.node), nil, 0o600))
		for kind, name := range map[string]string{"by-id": d.byID, "by-path": d.byPath} {
			if name != "" {
				must(os.MkdirAll(filepath.Join(r.Dev, "v4l", kind), 0o755))
				must(os.Symlink("../../"+d.node, filepath.Join(r.Dev, "v4l", kind, name)))
			}
		}
	}
	return r
}

const usb = "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0"

var (
	webcamPictures = fakeDevice{"video2", usb, "uvcvideo", "Kiosk Cam", 0, "usb-Kiosk_Cam_77-video-index0", "pci-0000:00:14.0-usb-0:2:1.0-video-index0"}
	webcamMetadata = fakeDevice{"video3", usb, "uvcvideo", "Kiosk Cam", 1, "usb-Kiosk_Cam_77-video-index1", ""}
	secondCam      = fakeDevice{"video10", "platform/soc/fe801000.csi", "unicam", "unicam-image", 0, "", "platform-fe801000.csi-video-index0"}
	loopback       = fakeDevice{"video0", "virtual", "", "Kiosk", 0, "", ""}
	vivid          = fakeDevice{"video1", "platform/vivid.0", "vivid", "vivid", 0, "", "platform-vivid.0-video-index0"}
	overIP         = fakeDevice{"video4", "platform/vhci_hcd.0/usb3/3-1/3-1:1.0", "uvcvideo", "Kiosk Cam", 0, "usb-Kiosk_Cam_78-video-index0", ""}
	gadget         = fakeDevice{"video5", "platform/dummy_hcd.0/usb4/4-1/4-1:1.0", "uvcvideo", "Kiosk Cam", 0, "", ""}
)

func TestScan(t *testing.T) {
	r := machine(t, secondCam, webcamMetadata, webcamPictures, loopback, vivid, overIP, gadget)
	if err := os.Mkdir(filepath.Join(r.Sys, "class/video4linux/v4l-subdev0"), 0o700); err != nil {
		t.Fatal(err)
	}
	ds, err := scan(r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range ds {
		rel, err := filepath.Rel(r.Dev, d.Stable())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(filepath.Base(d.Node), " ", rel, " ", d.Driver, " ", d.Index, " ", d.Virtual))
	}
	want := []string{
		"video0 video0  0 true",
		"video1 v4l/by-path/platform-vivid.0-video-index0 vivid 0 true",
		"video2 v4l/by-id/usb-Kiosk_Cam_77-video-index0 uvcvideo 0 false",
		"video3 v4l/by-id/usb-Kiosk_Cam_77-video-index1 uvcvideo 1 false",
		"video4 v4l/by-id/usb-Kiosk_Cam_78-video-index0 uvcvideo 0 true",
		"video5 video5 uvcvideo 0 true",
		"video10 v4l/by-path/platform-fe801000.csi-video-index0 unicam 0 false",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestScanWithoutCameras(t *testing.T) {
	if ds, err := scan(machine(t)); err != nil || len(ds) != 0 {
		t.Errorf("%v, %v", ds, err)
	}
}

func TestVirtualDriver(t *testing.T) {
	for name, want := range map[string]bool{
		"v4l2 loopback": true, "v4l2loopback": true, "vivid": true, "vimc-capture": true,
		"uvcvideo": false, "unicam": false, "": false, "bm2835 mmal": false,
	} {
		if virtualDriver(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

// What cannot be looked up is not trusted.
func TestVirtualPathUnknown(t *testing.T) {
	r := machine(t)
	if !virtualPath(r, filepath.Join(r.Sys, "dev/char/81:0")) {
		t.Error("a device that sysfs does not know counts as real")
	}
}

func TestCandidates(t *testing.T) {
	everything := []fakeDevice{loopback, vivid, webcamPictures, webcamMetadata, overIP, secondCam}
	tests := []struct {
		name    string
		there   []fakeDevice
		ask     string // DEV/ stands for the fake /dev
		virtual bool
		want    string // nodes
		err     error
		says    string
	}{
		{"auto", everything, Auto, false, "video2 video10", nil, ""},
		{"auto with virtual", everything, Auto, true, "video2 video10 video0 video1 video4", nil, ""},
		{"auto, only virtual", []fakeDevice{vivid}, Auto, false, "", livenessd.ErrNotFound, "only virtual cameras, which are not allowed"},
		{"auto, nothing", nil, Auto, false, "", livenessd.ErrNotFound, "there is no camera: plug one in"},
		{"auto, only metadata", []fakeDevice{webcamMetadata}, Auto, false, "", livenessd.ErrNotFound, "there is no camera"},
		{"by-id name", everything, "usb-Kiosk_Cam_77-video-index0", false, "video2", nil, ""},
		{"by-path name", everything, "platform-fe801000.csi-video-index0", false, "video10", nil, ""},
		{"by-id path", everything, "DEV/v4l/by-id/usb-Kiosk_Cam_77-video-index0", false, "video2", nil, ""},
		{"node", everything, "DEV/video10", false, "video10", nil, ""},
		{"node's name", everything, "video10", false, "video10", nil, ""},
		{"gone", everything, "usb-Other-video-index0", false, "", livenessd.ErrNotFound,
			`camera "usb-Other-video-index0" is not there: check its cable, or choose another; present: DEV/video0 (Kiosk, virtual), platform-vivid.0-video-index0 (vivid, virtual), usb-Kiosk_Cam_77-video-index0 (Kiosk Cam),`},
		{"gone, nothing there", nil, "DEV/video0", false, "", livenessd.ErrNotFound, "no video device is present"},
		{"not a camera", everything, "DEV/v4l", false, "", livenessd.ErrInvalid, "not a video device"},
		{"outside", everything, "/etc/passwd", false, "", livenessd.ErrInvalid, "not a video device"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := machine(t, tt.there...)
			ds, err := candidates(r, strings.Replace(tt.ask, "DEV", r.Dev, 1), tt.virtual)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil && !strings.Contains(err.Error(), strings.Replace(tt.says, "DEV", r.Dev, 1)) {
				t.Errorf("it says %q, not %q", err, tt.says)
			}
			var nodes []string
			for _, d := range ds {
				nodes = append(nodes, filepath.Base(d.Node))
			}
			if got := strings.Join(nodes, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	r := machine(t, webcamPictures)
	ds, err := scan(r)
	if err != nil || len(ds) != 1 {
		t.Fatal(ds, err)
	}
	d := ds[0]
	for _, dir := range []string{"31/fd", "32/fd", "self/fd"} {
		if err := os.MkdirAll(filepath.Join(r.Proc, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"31/fd/3": d.Node, "31/fd/4": d.Node, "32/fd/3": "/dev/null"} {
		if err := os.Symlink(target, filepath.Join(r.Proc, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(r.Proc, "31/comm"), []byte("cheese\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	asText := errors.New("Failed to map request buffers: " + unix.EBUSY.Error()) // as webcam words it
	for _, tt := range []struct {
		err, kind error
		says      string
	}{
		{unix.EBUSY, livenessd.ErrBusy, "in use by process 31 (cheese): stop it"},
		{asText, livenessd.ErrBusy, "in use by process 31 (cheese): stop it"},
		{unix.EACCES, unix.EACCES, "mode 0600 and group "},
		{unix.EPERM, unix.EPERM, "DeviceAllow"},
		{unix.ENODEV, unix.ENODEV, "was unplugged"},
		{unix.ENOSPC, unix.ENOSPC, "USB bus"},
		{unix.EIO, unix.EIO, "failed while starting"},
		{errors.New("odd"), nil, "failed while starting: unplug it"},
		{fmt.Errorf("interlaced: %w", livenessd.ErrInvalid), livenessd.ErrInvalid, "cannot be used, choose another"},
	} {
		got := refusal(r, d, "starting", tt.err)
		if tt.kind != nil && !errors.Is(got, tt.kind) || !strings.Contains(got.Error(), tt.says) || !strings.Contains(got.Error(), d.ByID) {
			t.Errorf("%v becomes %v", tt.err, got)
		}
	}
}

func TestRefusalNamesTheGroup(t *testing.T) {
	if got := groupHint("/dev/null"); !strings.Contains(got, "SupplementaryGroups=root") {
		t.Error(got)
	}
}
