package capture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/blackjack/webcam"

	"livenessd"
)

// onUSB gives the USB device at path of a fake machine its ids.
func onUSB(t *testing.T, r Roots, path, vendor, product, serial string) string {
	t.Helper()
	dir := filepath.Join(r.Sys, "devices", path)
	for name, value := range map[string]string{"idVendor": vendor, "idProduct": product, "serial": serial, "authorized": "1"} {
		if value == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bus := filepath.Join(r.Sys, "bus/usb/devices")
	if err := os.MkdirAll(bus, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(bus, filepath.Base(path))); err != nil {
		t.Fatal(err)
	}
	return dir
}

const usbDevice = "pci0000:00/0000:00:14.0/usb1/1-2"

func TestIdentity(t *testing.T) {
	r := machine(t, webcamPictures, webcamMetadata, secondCam)
	onUSB(t, r, usbDevice, "046d", "082d", "77")
	ds, err := scan(r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range ds {
		got = append(got, fmt.Sprintf("%s %+v", filepath.Base(d.Node), d.Identity()))
	}
	want := []string{
		"video2 Kiosk Cam (USB 046d:082d, serial 77, socket pci-0000:00:14.0-usb-0:2:1.0)",
		"video3 Kiosk Cam (USB 046d:082d, serial 77, socket 1-2)",
		"video10 unicam-image (socket platform-fe801000.csi)",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A driver may call itself and its card otherwise than sysfs does.
func TestIdentityStaysWhenTheDriverIsAsked(t *testing.T) {
	ds, err := scan(machine(t, secondCam))
	if err != nil {
		t.Fatal(err)
	}
	was := ds[0].Identity()
	ds[0].Driver, ds[0].Card = "unicam-v4l2", "unicam" // as ask does
	if got := ds[0].Identity(); !was.Is(got) {
		t.Errorf("%v became %v", was, got)
	}
}

func TestIs(t *testing.T) {
	c920 := Identity{USB: "046d:082d", Serial: "77", Port: "a", Driver: "uvcvideo", Card: "C920"}
	plain := Identity{USB: "0c45:6366", Port: "a", Driver: "uvcvideo", Card: "USB Camera"}
	csi := Identity{Port: "platform-csi", Driver: "unicam", Card: "imx219"}
	with := func(i Identity, change func(*Identity)) Identity { change(&i); return i }
	for name, tt := range map[string]struct {
		pin, is Identity
		want    bool
	}{
		"itself":                        {c920, c920, true},
		"in another socket":             {c920, with(c920, func(i *Identity) { i.Port = "b" }), true},
		"another of the same model":     {c920, with(c920, func(i *Identity) { i.Serial = "78" }), false},
		"another model":                 {c920, with(c920, func(i *Identity) { i.USB = "046d:0825" }), false},
		"without a serial, same socket": {plain, plain, true},
		"without a serial, moved":       {plain, with(plain, func(i *Identity) { i.Port = "b" }), false},
		"not on USB":                    {csi, csi, true},
		"not on USB, another sensor":    {csi, with(csi, func(i *Identity) { i.Card = "ov5647" }), false},
		"a serial where there was none": {plain, with(plain, func(i *Identity) { i.Serial = "1" }), false},
	} {
		if got := tt.pin.Is(tt.is); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPin(t *testing.T) {
	r := machine(t, webcamPictures, secondCam)
	onUSB(t, r, usbDevice, "046d", "082d", "77")
	csi := Identity{Port: "platform-fe801000.csi", Driver: "unicam", Card: "unicam-image"}
	absent := Identity{USB: "1111:2222", Serial: "9"}
	for _, tt := range []struct {
		device string
		pin    Identity
		refuse bool
		says   string // none of these nodes is a real one, so the first tried is named
		other  bool
	}{
		{Auto, csi, false, "fe801000.csi-video-index0 failed while opening", false},
		{Auto, csi, true, "fe801000.csi-video-index0 failed while opening", false},
		{Auto, absent, false, "usb-Kiosk_Cam_77-video-index0 failed while opening", false},
		{Auto, absent, true, "Kiosk Cam (USB 046d:082d, serial 77, socket pci-0000:00:14.0-usb-0:2:1.0) is not the pinned camera, which is a camera (USB 1111:2222, serial 9)", true},
		{"usb-Kiosk_Cam_77-video-index0", csi, true, "pin this one with `livenessd camera pin usb-Kiosk_Cam_77-video-index0`", true},
	} {
		err := streamOnce(t, V4L2Config{Device: tt.device, Roots: r, RefuseOther: tt.refuse, Pin: func() (*Identity, error) { return &tt.pin, nil }})
		if err == nil || !strings.HasPrefix(strings.TrimPrefix(err.Error(), "camera "+filepath.Join(r.Dev, "v4l/by-path/platform-")), tt.says) && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s %s: %v", tt.device, tt.pin, err)
		}
		if got := errors.Is(err, ErrOther); tt.other && !got {
			t.Errorf("%s %s: %v is not ErrOther", tt.device, tt.pin, err)
		}
	}
	broken := errors.New("the pin cannot be read")
	if err := streamOnce(t, V4L2Config{Device: Auto, Roots: r, Pin: func() (*Identity, error) { return nil, broken }}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestFind(t *testing.T) {
	r := machine(t, webcamPictures, webcamMetadata, secondCam, vivid)
	onUSB(t, r, usbDevice, "046d", "082d", "77")
	csi := Identity{Port: "platform-fe801000.csi", Driver: "unicam", Card: "unicam-image"}
	for _, tt := range []struct {
		name string
		pin  *Identity
		want string
	}{
		{Auto, nil, "video2"}, {Auto, &csi, "video10"}, {"usb-Kiosk_Cam_77-video-index0", &csi, "video2"},
		{"usb-Kiosk_Cam_77-video-index1", nil, "carries no pictures"}, {"nothing", nil, "is not there"}, {"../x", nil, "neither a name"},
	} {
		d, err := Find(r, tt.name, false, tt.pin)
		got := filepath.Base(d.Node)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// The metadata node of a USB camera is refused by what sysfs says of it.
func TestMetadataIsNeverOpened(t *testing.T) {
	r := machine(t, webcamPictures, webcamMetadata)
	err := streamOnce(t, V4L2Config{Device: "usb-Kiosk_Cam_77-video-index1", Roots: r})
	if !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), "carries no pictures") {
		t.Error(err)
	}
}

func TestReset(t *testing.T) {
	r := machine(t, webcamPictures)
	dir := onUSB(t, r, usbDevice, "046d", "082d", "77")
	cam := resettable{dir: dir, is: Identity{USB: "046d:082d", Serial: "77"}}
	file := filepath.Join(dir, "authorized")
	written := func() string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	if err := cam.reset(t.Context(), time.Millisecond); err != nil || written() != "1" { // a plain file keeps the last
		t.Errorf("%v, %q", err, written())
	}
	other := cam
	other.is.Serial = "78"
	if err := other.reset(t.Context(), 0); !errors.Is(err, livenessd.ErrNotFound) {
		t.Errorf("another device: %v", err)
	}
	gone := cam
	gone.dir += "9"
	if err := gone.reset(t.Context(), 0); !errors.Is(err, livenessd.ErrNotFound) {
		t.Errorf("gone: %v", err)
	}
	if err := (resettable{}).reset(t.Context(), 0); !errors.Is(err, errNoReset) {
		t.Errorf("none: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := cam.reset(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "cannot be reset") {
		t.Errorf("no such file: %v", err)
	}
}

func TestDisabled(t *testing.T) {
	r := machine(t, webcamPictures)
	dir := onUSB(t, r, usbDevice, "046d", "082d", "77")
	pin := Identity{USB: "046d:082d", Serial: "77"}
	if got := Disabled(r, pin); got != nil {
		t.Errorf("%v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "authorized"), []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Disabled(r, pin); len(got) != 1 || filepath.Base(got[0]) != "1-2" {
		t.Errorf("%v", got)
	}
}

// setter is a camera whose controls hold what is set, but never more than 100.
type setter map[webcam.ControlID]int32

func (s setter) SetControl(id webcam.ControlID, v int32) error {
	if id == 9 {
		return errors.New("permission denied")
	}
	s[id] = min(v, 100)
	return nil
}
func (s setter) GetControl(id webcam.ControlID) (int32, error) { return s[id], nil }

func TestSetControl(t *testing.T) {
	all := []Control{
		{Name: "brightness", Min: -64, Max: 64, id: 1}, {Name: "exposure_time_absolute", Min: 1, Max: 5000, id: 2},
		{Name: "power_line_frequency", Max: 2, Menu: []string{"Disabled", "50 Hz", "60 Hz"}, id: 3},
		{Name: "focus_automatic_continuous", Max: 1, id: 4}, {Name: "locked", Max: 1, id: 9},
	}
	for s, want := range map[string]string{
		"brightness=-5":                   "1: -5",
		"power_line_frequency=50 hz":      "3: 1",
		"power_line_frequency=2":          "3: 2",
		"focus_automatic_continuous=off":  "4: 0",
		"brightness=65":                   "65 is not between -64 and 64",
		"brightness=bright":               "no whole number",
		"power_line_frequency=55 Hz":      `none of "Disabled", "50 Hz", "60 Hz"`,
		"exposure_time_absolute=300":      "the driver made 100 of it",
		"locked=1":                        "the driver refuses",
		"contrast=1":                      "there are brightness, exposure_time_absolute",
		"no_value":                        "name=value",
		"Brightness=1":                    "name=value",
		"brightness=" + fmt.Sprint(1<<40): "no whole number",
	} {
		cam := setter{}
		name, value, err := parseControl(s)
		if err == nil {
			err = setControl(all, name, value, cam)
		}
		got := ""
		for id, v := range cam {
			got = fmt.Sprintf("%d: %d", id, v)
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}

func TestControlName(t *testing.T) {
	for in, want := range map[string]string{"White Balance, Automatic": "white_balance_automatic", "Exposure Time, Absolute": "exposure_time_absolute", "Gain": "gain", "": ""} {
		if got := controlName(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
