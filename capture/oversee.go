package capture

import (
	"context"
	"time"

	"livenessd"
)

const (
	glance   = 100 * time.Millisecond // between two looks at the faults
	lookEach = 400 * time.Millisecond // between two looks at the light …
	lookCost = 5                      // … or so many times as long as one takes, on slow machines
	endAfter = 3 * time.Second        // of frozen or repeated pictures: open the camera anew
	proofFor = time.Second            // of good pictures after that
)

// oversee looks for faults several times a second until stop is closed, and
// ends a stream of pictures that do not move.
func (k *Keeper) oversee(stop <-chan struct{}, end context.CancelCauseFunc) {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	var look, wrong time.Time // the next look at the light; when the pictures stopped to move
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		now := time.Now()
		if !now.Before(look) {
			look = now
			if !k.look() { // a black picture is looked at again at once
				look = now.Add(max(lookEach, lookCost*time.Since(now)))
			}
		}
		fault, changed := k.judge()
		if changed {
			k.tell()
		}
		if fault != livenessd.FaultFrozen && fault != livenessd.FaultRepeated {
			wrong = time.Time{}
		} else if wrong.IsZero() {
			wrong = now
		} else if k.cfg.Mend && now.Sub(wrong) >= endAfter {
			end(&faultError{fault, k.Status().Detail})
			return
		}
	}
}

// look measures the light of the newest frame, if it was not seen yet, and
// reports whether it was the first black one.
func (k *Keeper) look() (first bool) {
	k.mu.Lock()
	f := k.newest
	k.newest = livenessd.Frame{}
	k.mu.Unlock()
	if f.Data == nil {
		return false
	}
	light, err := Measure(f)
	if err != nil {
		return false // the picture is damaged: whoever analyses it counts and says so
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status.Light = light
	k.watch.light(light, time.Now())
	return k.watch.dark == 1
}

// judge takes down what is wrong now and reports whether that is news.
func (k *Keeper) judge() (fault livenessd.CameraFault, changed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	fault, detail := k.watch.judge(now)
	if fault == "" && now.Before(k.proof) {
		return k.status.Fault, false
	}
	changed = fault != k.status.Fault
	k.status.Fault, k.status.Detail = fault, detail
	return fault, changed
}
