package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// supervisor speaks sd_notify(3) to whoever started us; without a socket in
// the environment it is silent.
type supervisor struct {
	socket string
	every  time.Duration // how often the watchdog wants to hear; 0 without one
}

func newSupervisor(getenv func(string) string) supervisor {
	s := supervisor{socket: getenv("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	pid := getenv("WATCHDOG_PID")
	if err == nil && usec > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		s.every = time.Duration(usec) * time.Microsecond / 3
	}
	return s
}

// tell sends one state, for example "READY=1". A leading @ names an abstract
// socket.
func (s supervisor) tell(state string) error {
	if s.socket == "" {
		return nil
	}
	name := s.socket
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}

// report tells what `systemctl status` shows, whenever it changes, until ctx
// ends.
func (s supervisor) report(ctx context.Context, status func() string) error {
	if s.socket == "" {
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for said := ""; ; {
		if now := oneLine(status()); now != said {
			if err := s.tell("STATUS=" + now); err == nil { // else in a second
				said = now
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// firstPassed is the first descriptor that systemd passes: sd_listen_fds(3).
const firstPassed = 3

// passedListeners returns the sockets that systemd has opened for this process.
// The caller closes them.
func passedListeners(getenv func(string) string) (all []net.Listener, err error) {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 || n > 64 {
		return nil, fmt.Errorf("LISTEN_FDS is %q, not a number of sockets", getenv("LISTEN_FDS"))
	}
	for fd := firstPassed; fd < firstPassed+n; fd++ {
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "socket of systemd")
		l, e := net.FileListener(f) // has a descriptor of its own
		err = errors.Join(err, e, f.Close())
		if e == nil {
			all = append(all, l)
		}
	}
	if err != nil {
		for _, l := range all {
			l.Close()
		}
		return nil, fmt.Errorf("a socket that systemd passed cannot be used: %w", err)
	}
	return all, nil
}
