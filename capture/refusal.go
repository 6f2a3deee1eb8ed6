package capture

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"livenessd"
)

// errnoOf finds the system's error number in err. webcam wraps some of them as
// text only, so the end of the text is looked at too.
func errnoOf(err error) unix.Errno {
	var no unix.Errno
	if errors.As(err, &no) {
		return no
	}
	for _, no := range []unix.Errno{unix.EBUSY, unix.ENODEV, unix.EINVAL, unix.EIO, unix.ENOMEM, unix.ENOSPC} {
		if strings.HasSuffix(err.Error(), no.Error()) {
			return no
		}
	}
	return 0
}

// refusal turns what a driver answered while doing into a sentence that says
// which camera, what happened and what to do.
func refusal(r Roots, d Device, doing string, err error) error {
	name := d.Stable()
	if errors.Is(err, livenessd.ErrInvalid) {
		return fmt.Errorf("camera %s cannot be used, choose another: %w", name, err)
	}
	switch errnoOf(err) {
	case unix.EBUSY:
		by := "another program"
		if h := holders(r, d.Node); len(h) > 0 {
			by = strings.Join(h, ", ")
		}
		return fmt.Errorf("camera %s is in use by %s: stop it, or choose another camera: %w", name, by, livenessd.ErrBusy)
	case unix.EACCES:
		return fmt.Errorf("camera %s may not be opened by this user: %s: %w", name, groupHint(d.Node), err)
	case unix.EPERM:
		return fmt.Errorf("camera %s may not be opened by this service: allow it with DeviceAllow=char-video4linux rw in the unit: %w", name, err)
	case unix.ENODEV, unix.ENXIO, unix.ENOENT:
		return fmt.Errorf("camera %s was unplugged: plug it in again: %w", name, err)
	case unix.ENOSPC:
		return fmt.Errorf("camera %s does not get enough of its USB bus while %s: give it a port of its own, or ask for a smaller picture or rate: %w", name, doing, err)
	case unix.EIO:
		return fmt.Errorf("camera %s failed while %s: check its cable and power: %w", name, doing, err)
	}
	return fmt.Errorf("camera %s failed while %s: unplug it and plug it in again if this stays: %w", name, doing, err)
}

// groupHint says which group may open node.
func groupHint(node string) string {
	fi, err := os.Stat(node)
	if err != nil {
		return "its permissions cannot be read"
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "its owner cannot be read"
	}
	gid := strconv.FormatUint(uint64(st.Gid), 10)
	name := gid
	if g, err := user.LookupGroupId(gid); err == nil {
		name = g.Name
	}
	return fmt.Sprintf("%s has mode %04o and group %s; put the service's user into that group, e.g. SupplementaryGroups=%s", node, fi.Mode().Perm(), name, name)
}
