package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"livenessd"
	"livenessd/capture"
	"livenessd/challenge"
	"livenessd/store"
)

// blocked reports whether a fault of the pictures keeps the next person from
// being judged. Who is being judged already is left to the session, which sees
// the same pictures and has its own limits, and may read the result. Made
// pictures are left to the kiosk altogether: recordings come round.
func (t *terminal) blocked() bool {
	if !t.camera.real {
		return false
	}
	switch t.status.Fault {
	case "", livenessd.FaultSlow:
		return false
	}
	switch t.phase {
	case livenessd.PhasePosition, livenessd.PhaseHold, livenessd.PhaseMove, livenessd.PhaseResult:
		return false
	}
	return t.status.Ready
}

// notice is what the screen says of the camera beside everything else.
func (t *terminal) notice(v livenessd.View) livenessd.Reason {
	if t.status.Fault == "" || !t.status.Ready || v.Phase == livenessd.PhaseNotReady || v.Phase == livenessd.PhaseLocked {
		return ""
	}
	return t.status.Fault.Reason()
}

// notify takes the camera's status. What it says is published at once, from
// the Keeper's goroutine: on a slow machine the loop may need a second for a
// picture. Then it waits for the loop.
func (t *terminal) notify(ctx context.Context, s capture.Status) {
	t.publish(t.told, s)
	t.told = s
	select {
	case t.statuses <- s:
	case <-ctx.Done():
	}
}

// publish says in log, metrics and /readyz what has changed.
func (t *terminal) publish(was, s capture.Status) {
	t.metrics.camera(was, s)
	if s.Ready && s.Opens != was.Opens {
		t.log.Info("camera", "device", s.Camera.Device, "card", s.Camera.Card, "driver", s.Camera.Driver, "usb", s.Camera.USB, "serial", s.Camera.Serial,
			"format", s.Camera.Format, "size", fmt.Sprintf("%dx%d", s.Camera.Width, s.Camera.Height), "fps", s.Camera.FPS)
	}
	for _, f := range livenessd.CameraFaults {
		if f != s.Fault {
			t.excuse(faultCode(f))
		}
	}
	switch {
	case s.Fault != "":
		t.blame(faultCode(s.Fault), s.Detail)
		if s.Fault != was.Fault || s.Detail != was.Detail {
			t.log.Warn("the camera has a fault", "fault", s.Fault, "detail", s.Detail)
		}
	case was.Fault != "" && was.Fault != livenessd.FaultGone:
		t.log.Info("the camera's fault is over", "fault", was.Fault)
	}
	if s.Resets != was.Resets {
		t.log.Warn("the camera's USB device was switched off and on", "resets", s.Resets)
	}
	if s.ResetErr != nil && !errors.Is(s.ResetErr, was.ResetErr) {
		t.log.Error("the camera could not be reset", "error", s.ResetErr)
	}
}

// cameraStatus takes a change of the camera into the loop.
func (t *terminal) cameraStatus(s capture.Status) {
	was := t.status
	t.status = s
	if s.Ready && s.Opens != was.Opens {
		t.decided = time.Now()
	}
	if s.Resets != was.Resets {
		t.record(livenessd.Event{Type: livenessd.EventCameraReset, At: time.Now(), Detail: s.Camera.Device})
	}
	t.show(t.react(was, s))
	t.checkPin(was, s)
}

// notYet is why nobody can be judged before anything else is known. publish,
// which may come before the loop begins, takes it back.
const notYet = "the camera has not delivered a picture yet"

// faultCode is what /readyz calls f.
func faultCode(f livenessd.CameraFault) string { return "camera_" + string(f) }

// react records the change from one fault to another and tells the kiosk.
func (t *terminal) react(was, s capture.Status) (out challenge.Output) {
	now := time.Now()
	if !s.Ready || t.blocked() {
		out = t.kiosk.NotReady(s.Fault.Reason(), now)
	} else {
		out.View = t.kiosk.View()
	}
	if e := faultEvent(was, s); e.Type != "" {
		e.At = now
		out.Events = append(out.Events, e)
	}
	return out
}

// faultEvent is what happened to the camera between two statuses; its type is
// empty for nothing new. Before the first picture nothing was lost.
func faultEvent(was, s capture.Status) livenessd.Event {
	switch {
	case s.Fault == was.Fault && !(s.Fault == livenessd.FaultGone && was.Ready != s.Ready):
		return livenessd.Event{}
	case s.Fault == livenessd.FaultOther:
		return livenessd.Event{Type: livenessd.EventCameraOther, Detail: s.Detail}
	case s.Fault == livenessd.FaultGone && s.Opens == 0:
		return livenessd.Event{}
	case s.Fault == livenessd.FaultGone:
		return livenessd.Event{Type: livenessd.EventCameraLost, Detail: s.Detail}
	case s.Fault == "" && (was.Fault == livenessd.FaultGone || was.Fault == livenessd.FaultOther) && s.Opens <= 1:
		return livenessd.Event{}
	case s.Fault == "" && (was.Fault == livenessd.FaultGone || was.Fault == livenessd.FaultOther):
		return livenessd.Event{Type: livenessd.EventCameraBack, Detail: s.Camera.Device}
	case s.Fault == "":
		return livenessd.Event{Type: livenessd.EventCameraWell, Detail: fmt.Sprintf("%s is over", was.Fault)}
	}
	return livenessd.Event{Type: livenessd.EventCameraFault, Detail: fmt.Sprintf("%s: %s", s.Fault, s.Detail)}
}

// checkPin says when another camera is used than the pinned one.
func (t *terminal) checkPin(was, s capture.Status) {
	if !s.Ready {
		return
	}
	if !s.Camera.Other {
		t.excuse("camera_unpinned")
		return
	}
	what := fmt.Sprintf("%s (%s, USB %s, serial %q) is in use, but another camera is pinned", s.Camera.Device, s.Camera.Card, s.Camera.USB, s.Camera.Serial)
	t.blame("camera_unpinned", what+": plug that one in, or pin this one with `livenessd camera pin`")
	if s.Opens != was.Opens && was.Camera != s.Camera {
		t.log.Warn("another camera than the pinned one", "device", s.Camera.Device)
		t.record(livenessd.Event{Type: livenessd.EventCameraOther, At: time.Now(), Detail: what})
	}
}

// gaveUp leaves in the journal that the process ends because of the camera. ctx
// is the loop's.
func (t *terminal) gaveUp(ctx context.Context, why error) {
	if err := t.do(ctx, func() {
		t.record(livenessd.Event{Type: livenessd.EventCameraGaveUp, At: time.Now(), Detail: why.Error()})
	}); err != nil {
		t.log.Error("giving up the camera could not be recorded", "error", err)
	}
}

// lookedBack is how many events are read at the start.
const lookedBack = 1000

// lookBack reads the newest events: when the last one was, and how often the
// process gave up its camera.
func lookBack(s *store.Store) (last time.Time, exits int, err error) {
	events, err := newestOf(s, lookedBack)
	for _, e := range events {
		last = e.At
		if e.Type == livenessd.EventCameraGaveUp {
			exits++
		}
	}
	return last, exits, err
}

// newestOf returns up to n of the newest events, oldest first.
func newestOf(s *store.Store, n uint64) ([]livenessd.Event, error) {
	newest := s.LastEvent()
	events, err := s.Events(newest-min(newest, n), int(n))
	var gone *store.GoneError
	if errors.As(err, &gone) { // fewer are kept
		return s.Events(gone.Oldest-1, int(n))
	}
	return events, err
}
