package main

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"livenessd"
	"livenessd/capture"
	"livenessd/challenge"
)

// bench is a terminal without camera, networks and disk.
type bench struct {
	*terminal
	disk *disk
	view livenessd.View
}

func newBench(t *testing.T) *bench {
	t.Helper()
	kiosk, err := challenge.NewKiosk(challenge.DefaultConfig(), rand.New(rand.NewPCG(1, 2)), func() string { return "s" })
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{disk: &disk{}}
	slot := capture.NewSlot()
	b.terminal = &terminal{
		log: slog.New(slog.DiscardHandler), kiosk: kiosk, camera: &camera{frames: slot, real: true},
		metrics: newMetrics(slot, func() int { return 0 }), screen: func(v livenessd.View) { b.view = v },
		clock:    newClock(built, says(livenessd.ClockSynced), built.AddDate(0, 1, 0), 0, time.Time{}),
		sessions: map[string]livenessd.Session{}, reasons: map[string]string{faultCode(livenessd.FaultGone): notYet},
	}
	b.store, _, _ = newLedger(b.disk)
	return b
}

// hear takes a status as notify and the loop do.
func (b *bench) hear(s capture.Status) {
	b.publish(b.told, s)
	b.told = s
	b.cameraStatus(s)
}

// codes are those of /readyz, warnings behind a bar.
func (b *bench) codes() string {
	var out []string
	for _, r := range b.ready() {
		out = append(out, r.Code)
	}
	out = append(out, "|")
	for _, r := range b.warnings() {
		out = append(out, r.Code)
	}
	return strings.Join(out, " ")
}

// Ensure that a fault of the camera is on the screen, in the journal and on
// /readyz, that it lets nobody be judged, and that its end is all that too.
func TestFaultsReachEverybody(t *testing.T) {
	type s = capture.Status
	cam := livenessd.Camera{Device: "cam", FPS: 30}
	for _, tt := range []struct {
		fault  livenessd.CameraFault
		phase  livenessd.Phase
		reason livenessd.Reason
		notice livenessd.Reason
		codes  string
		events []string
	}{
		{livenessd.FaultBlack, livenessd.PhaseNotReady, livenessd.BlackFeed, "", "camera_black |", []string{"event camera.fault", "event camera.well"}},
		{livenessd.FaultFrozen, livenessd.PhaseNotReady, livenessd.FrozenFeed, "", "camera_frozen |", []string{"event camera.fault", "event camera.well"}},
		{livenessd.FaultSilent, livenessd.PhaseNotReady, livenessd.SilentFeed, "", "camera_silent |", []string{"event camera.fault", "event camera.well"}},
		{livenessd.FaultSlow, livenessd.PhaseIdle, "", livenessd.SlowFeed, "| camera_slow", []string{"event camera.fault", "event camera.well"}},
	} {
		b := newBench(t)
		b.hear(s{Ready: true, Opens: 1, Camera: cam})
		b.show(b.kiosk.Step(&livenessd.Observation{At: time.Now(), Digest: 1}))
		if b.view.Phase != livenessd.PhaseIdle || b.codes() != "|" {
			t.Fatalf("%s: before: %+v %s", tt.fault, b.view, b.codes())
		}
		b.hear(s{Ready: true, Opens: 1, Camera: cam, Fault: tt.fault, Detail: "because"})
		if b.view.Phase != tt.phase || b.view.Reason != tt.reason || b.view.Notice != tt.notice || b.codes() != tt.codes {
			t.Errorf("%s: %+v %s", tt.fault, b.view, b.codes())
		}
		if b.blocked() != (tt.phase == livenessd.PhaseNotReady) {
			t.Errorf("%s: blocked %v", tt.fault, b.blocked())
		}
		b.hear(s{Ready: true, Opens: 1, Camera: cam})
		b.show(b.kiosk.Step(&livenessd.Observation{At: time.Now(), Digest: 2}))
		if b.view.Phase != livenessd.PhaseIdle || b.view.Notice != "" || b.codes() != "|" || b.blocked() {
			t.Errorf("%s: after: %+v %s", tt.fault, b.view, b.codes())
		}
		if !slices.Equal(b.disk.entries, tt.events) {
			t.Errorf("%s: %q", tt.fault, b.disk.entries)
		}
	}
}

// Ensure that whoever is being judged is left to the session until the camera
// is gone, and is told meanwhile.
func TestFaultInASession(t *testing.T) {
	type s = capture.Status
	b := newBench(t)
	b.hear(s{Ready: true, Opens: 1})
	b.show(b.kiosk.Step(&livenessd.Observation{At: time.Now(), Digest: 1}))
	now := time.Now()
	if err := b.kiosk.Request("x", "", false, now, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b.show(challenge.Output{View: b.kiosk.View()})
	b.hear(s{Ready: true, Opens: 1, Fault: livenessd.FaultBlack, Detail: "because"})
	if b.view.Phase != livenessd.PhasePosition || b.view.Notice != livenessd.BlackFeed || b.blocked() {
		t.Errorf("%+v", b.view)
	}
	b.hear(s{Opens: 1, Fault: livenessd.FaultGone, Detail: "unplugged", Err: errors.New("unplugged")})
	if b.view.Phase != livenessd.PhaseNotReady || b.view.Reason != livenessd.CameraLost || b.codes() != "camera_gone |" {
		t.Errorf("%+v %s", b.view, b.codes())
	}
	if got := strings.Join(b.disk.entries, ", "); !strings.Contains(got, "result ") || !strings.Contains(got, "event camera.lost") {
		t.Errorf("%q", got)
	}
}

// Ensure that another camera than the pinned one is said once and warned of for
// as long as it is used.
func TestOtherCamera(t *testing.T) {
	type s = capture.Status
	b := newBench(t)
	other := livenessd.Camera{Device: "other", Other: true}
	b.hear(s{Ready: true, Opens: 1, Camera: other})
	b.hear(s{Ready: true, Opens: 1, Camera: other, Fault: livenessd.FaultSlow})
	b.hear(s{Ready: true, Opens: 2, Camera: other})
	if b.codes() != "| camera_unpinned" {
		t.Error(b.codes())
	}
	if n := strings.Count(strings.Join(b.disk.entries, ", "), "camera.other"); n != 1 {
		t.Errorf("%q", b.disk.entries)
	}
	b.hear(s{Ready: true, Opens: 3, Camera: livenessd.Camera{Device: "right"}})
	if b.codes() != "|" {
		t.Error(b.codes())
	}
}
