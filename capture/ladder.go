package capture

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"livenessd"
)

// Step is one of the steps by which a camera is brought back.
type Step int

const (
	Reopen   Step = iota // close it and open it again
	ResetUSB             // switch its USB device off and on
	GiveUp               // let the process end, so that it is started anew
)

// ErrGaveUp says that a camera which is there could not be brought back.
var ErrGaveUp = errors.New("the camera could not be brought back")

const (
	triesPerStep = 3
	leastTrying  = 4 * time.Second  // before the first reset, and between two
	afterReset   = 10 * time.Second // for the device to come back
	mostResets   = 3
	giveUpAfter  = time.Minute
	wellAfter    = 10 * time.Second // of good pictures end an outage
)

// ladder decides what to do next about a camera that fails. It is pure.
type ladder struct {
	last Step // the last step allowed

	since  time.Time // the outage's first failure; zero while all is well
	tries  int       // since the last step up
	mark   time.Time // of the last reset
	resets int
}

// failed returns the next step after an attempt failed with err. canReset says
// whether a reset can do anything.
func (l *ladder) failed(err error, now time.Time, canReset bool) Step {
	if !mendable(err) {
		// Nobody is helped by a reset of what is not there. For a while after
		// one, however, not being there is what a reset does.
		if l.resets == 0 || now.Sub(l.mark) >= afterReset {
			l.well()
		}
		return Reopen
	}
	if l.since.IsZero() {
		l.since, l.mark = now, now
	}
	l.tries++
	canReset = canReset && l.last >= ResetUSB && l.resets < mostResets
	switch {
	case canReset && l.tries >= triesPerStep && now.Sub(l.mark) >= leastTrying:
		l.tries, l.mark = 0, now
		l.resets++
		return ResetUSB
	case !canReset && l.last >= GiveUp && l.tries >= triesPerStep && now.Sub(l.since) >= giveUpAfter:
		return GiveUp
	}
	return Reopen
}

// well says that the camera works.
func (l *ladder) well() { l.since, l.tries, l.resets = time.Time{}, 0, 0 }

// mendable reports whether err is of a camera that is there and ours, and
// fails all the same.
func mendable(err error) bool {
	for _, is := range []error{livenessd.ErrNotFound, livenessd.ErrBusy, livenessd.ErrInvalid, livenessd.ErrNotReady, ErrOther, ErrEnd} {
		if errors.Is(err, is) {
			return false
		}
	}
	switch errnoOf(err) {
	case unix.ENODEV, unix.ENXIO, unix.ENOENT, unix.EACCES, unix.EPERM, unix.EBUSY:
		return false
	}
	return true
}

// faultError is a fault of the pictures that ends a stream.
type faultError struct {
	fault  livenessd.CameraFault
	detail string
}

func (e *faultError) Error() string { return fmt.Sprintf("camera %s: %s", e.fault, e.detail) }

// faultOf names the fault that err is.
func faultOf(err error) livenessd.CameraFault {
	var f *faultError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &f):
		return f.fault
	case errors.Is(err, ErrOther):
		return livenessd.FaultOther
	case errors.Is(err, errSilent):
		return livenessd.FaultSilent
	}
	return livenessd.FaultGone
}
