package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// probe tries what the daemon must not be able to do, and prints a line for
// each: its name and "done" or how it was refused. Run inside the unit it shows
// the sandbox, run outside of it that the attempts are worth something.
func probe() {
	open := func(name string, flags int) func() error {
		return func() error {
			f, err := os.OpenFile(name, flags, 0o600)
			if err == nil {
				f.Close()
			}
			return err
		}
	}
	socket := func(family, kind int) func() error {
		return func() error {
			fd, err := syscall.Socket(family, kind, 0)
			if err == nil {
				syscall.Close(fd)
			}
			return err
		}
	}
	for _, try := range []struct {
		what string
		do   func() error
	}{
		{"read the disk", open("/dev/vda", os.O_RDONLY)},
		{"write the disk", open("/dev/vda", os.O_WRONLY)},
		{"read the kernel's messages", open("/dev/kmsg", os.O_RDONLY)},
		{"write into /etc", open("/etc/livenessd/probe", os.O_WRONLY|os.O_CREATE)},
		{"write into /usr", open("/usr/probe", os.O_WRONLY|os.O_CREATE)},
		{"write into /run", open("/run/probe", os.O_WRONLY|os.O_CREATE)},
		{"read shadow", open("/etc/shadow", os.O_RDONLY)},
		{"look into /root", func() error { _, err := os.ReadDir("/root"); return err }},
		{"change the kernel's settings", open("/proc/sys/kernel/hostname", os.O_WRONLY)},
		{"reach another machine", func() error { return dial("udp", "10.0.2.2:9") }},
		{"reach another machine by TCP", func() error { return dial("tcp", "10.0.2.2:9") }},
		{"listen to the wire", socket(syscall.AF_PACKET, syscall.SOCK_RAW)},
		{"make a namespace", func() error { return exec.Command("unshare", "-r", "true").Run() }},
		{"set the clock", func() error {
			var now syscall.Timeval
			return errors.Join(syscall.Gettimeofday(&now), syscall.Settimeofday(&now))
		}},
		{"see other processes", func() error {
			if _, err := os.Stat("/proc/1/comm"); err != nil {
				return err
			}
			return nil
		}},
		// What it needs, so that a sandbox which refuses all is noticed.
		{"open a camera", func() error {
			all, err := filepath.Glob("/dev/video*")
			if err != nil || len(all) == 0 {
				return errors.Join(err, os.ErrNotExist)
			}
			return open(all[0], os.O_RDWR)()
		}},
		{"reach this machine", func() error { return dial("udp", "127.0.0.1:9") }},
		{"reset a camera", func() error {
			all, err := filepath.Glob("/sys/class/video4linux/video*")
			if err != nil || len(all) == 0 {
				return errors.Join(err, os.ErrNotExist)
			}
			return open(all[0]+"/device/../authorized", os.O_WRONLY)()
		}},
	} {
		err := try.do()
		if err != nil {
			fmt.Printf("%s: %v\n", try.what, err)
		} else {
			fmt.Printf("%s: done\n", try.what)
		}
	}
}

// dial sends something. That nobody takes it there, or says so, is no refusal
// of the sandbox.
func dial(network, address string) error {
	c, err := net.DialTimeout(network, address, 2*time.Second)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte("x"))
	return err
}
