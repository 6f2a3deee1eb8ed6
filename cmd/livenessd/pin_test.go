package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livenessd"
	"livenessd/capture"
)

func TestPinFile(t *testing.T) {
	file := pinFile(filepath.Join(t.TempDir(), "l.db"))
	if id, err := readPin(file); id != nil || err != nil {
		t.Fatalf("none: %v, %v", id, err)
	}
	want := capture.Identity{USB: "046d:082d", Serial: "77", Port: "a", Driver: "uvcvideo", Card: "C920"}
	if err := writePin(file, want, time.Now()); err != nil {
		t.Fatal(err)
	}
	if id, err := readPin(file); err != nil || *id != want {
		t.Errorf("%v, %v", id, err)
	}
	for _, bad := range []string{"", "{}", "{", `{"usb":"a","colour":"red"}`, "null"} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if id, err := readPin(file); !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: %v, %v", bad, id, err)
		}
	}
	if err := writePin(file, want, time.Now()); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := cli(t, "camera", "-store", filepath.Join(filepath.Dir(file), "l.db")); code != exitOK || !strings.Contains(out, "Pinned, and not there: C920 (USB 046d:082d, serial 77") {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
	for range 2 { // the second finds none
		if err := removePin(file); err != nil {
			t.Error(err)
		}
	}
}

// Ensure that cameras are pinned through the running daemon and without one,
// and that a camera that is not there is named.
func TestPinCommand(t *testing.T) {
	d := start(t, "-camera", "usb-Nobody_Has_This-video-index0")
	for _, running := range []bool{true, false} {
		if !running {
			d.stop(t)
		}
		code, out, errs := cli(t, "camera", "pin", "-store", d.store, "usb-Nor_This-video-index0")
		if code != exitFailed || !strings.Contains(errs, "usb-Nor_This-video-index0") || out != "" {
			t.Errorf("running %v: exit code %d, %q, %q", running, code, out, errs)
		}
		code, out, errs = cli(t, "camera", "unpin", "-store", d.store)
		if code != exitOK || out != "No camera is pinned.\n" {
			t.Errorf("running %v: exit code %d, %q, %q", running, code, out, errs)
		}
	}
	if !strings.Contains(d.log.String(), "no camera is pinned any more") {
		t.Errorf("the daemon did not take it:\n%s", d.log)
	}
}

func TestFaultEvent(t *testing.T) {
	type s = capture.Status
	const gone, frozen, slow, other = livenessd.FaultGone, livenessd.FaultFrozen, livenessd.FaultSlow, livenessd.FaultOther
	for _, tt := range []struct {
		was, is s
		want    string
	}{
		{s{}, s{Fault: gone}, ""},
		{s{Fault: gone}, s{Ready: true, Opens: 1}, ""},
		{s{Ready: true, Opens: 1}, s{Fault: gone, Detail: "unplugged", Opens: 1}, "camera.lost unplugged"},
		{s{Fault: gone, Detail: "unplugged", Opens: 1}, s{Fault: gone, Detail: "not there", Opens: 1}, ""},
		{s{Fault: gone, Opens: 1}, s{Ready: true, Opens: 2, Camera: livenessd.Camera{Device: "cam"}}, "camera.back cam"},
		{s{Ready: true, Opens: 1}, s{Ready: true, Opens: 1, Fault: frozen, Detail: "same"}, "camera.fault frozen: same"},
		{s{Ready: true, Opens: 1, Fault: frozen}, s{Opens: 1, Fault: frozen, Detail: "same, ended"}, ""},
		{s{Opens: 1, Fault: frozen}, s{Ready: true, Opens: 2, Fault: frozen}, ""},
		{s{Ready: true, Opens: 2, Fault: frozen}, s{Ready: true, Opens: 2}, "camera.well frozen is over"},
		{s{Ready: true, Opens: 2, Fault: frozen}, s{Opens: 2, Fault: gone, Detail: "unplugged"}, "camera.lost unplugged"},
		{s{Ready: true, Fault: slow, Opens: 1}, s{Ready: true, Fault: frozen, Opens: 1, Detail: "x"}, "camera.fault frozen: x"},
		{s{Fault: gone}, s{Fault: other, Detail: "not the pinned"}, "camera.other not the pinned"},
		{s{Fault: other, Opens: 1}, s{Ready: true, Opens: 2}, "camera.back "},
	} {
		e := faultEvent(tt.was, tt.is)
		got := ""
		if e.Type != "" {
			got = string(e.Type) + " " + e.Detail
		}
		if got != tt.want {
			t.Errorf("%+v to %+v: %q, want %q", tt.was, tt.is, got, tt.want)
		}
	}
}
