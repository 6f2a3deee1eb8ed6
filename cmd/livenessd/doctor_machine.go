package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"livenessd"
	"livenessd/store"
)

// storeFile looks at the file of results and what lies beside it.
func (d *doctor) storeFile() {
	path := d.cfg.Store.Path
	s, err := store.OpenReadOnly(path)
	switch {
	case err == nil:
		st, err := s.Stats()
		err = errors.Join(err, s.Close())
		if err != nil {
			d.add(findFault, "store", err.Error(), "")
			break
		}
		d.ok("store", "%s is sound: %d results, %d events, %d calls, %d MiB", path, st.Results, st.Events, st.Jobs, st.FileBytes>>20)
	case errors.Is(err, livenessd.ErrBusy):
		d.ok("store", "%s is open in the daemon, which checked it at its start", path)
	case errors.Is(err, livenessd.ErrNotFound):
		d.ok("store", "%s is not there yet: the first start makes it", path)
	default:
		d.add(findFault, "store", err.Error(), "start the daemon: it sets a damaged file aside and carries over what is sound")
	}
	aside, err := filepath.Glob(path + ".damaged-*")
	if err == nil && len(aside) > 0 {
		d.add(findWarning, "store", fmt.Sprintf("%d damaged files were set aside, the newest is %s", len(aside), aside[len(aside)-1]), "keep it if results are missing; it is removed after store.max_age. Check the disk")
	}
}

func (d *doctor) disk() {
	dir := filepath.Dir(d.cfg.Store.Path)
	free, err := freeSpace(dir)
	refused := tryFile(dir)
	switch {
	case err != nil:
		d.add(findFault, "disk", err.Error(), "make the folder and give it to the daemon's user")
	case refused != nil:
		d.add(findFault, "disk", refused.Error(), "until it is mended, results are kept in memory only")
	case free < leastFree:
		d.add(findFault, "disk", fmt.Sprintf("%d MiB are free in %s", free>>20, dir), "make room: results are kept in memory only when it is full")
	default:
		d.ok("disk", "%d MiB are free in %s", free>>20, dir)
	}
}

// rtcOff is how far a battery clock may be from the time of day.
const rtcOff = time.Minute

func (d *doctor) time() {
	now := time.Now()
	c := newClock(buildTime(), askKernel, now, time.Since(began), time.Time{})
	switch q := c.quality(); q {
	case livenessd.ClockSynced:
		d.ok("clock", "%s, follows a time server", now.UTC().Format(time.RFC3339))
	case livenessd.ClockWrong:
		d.add(findFault, "clock", now.UTC().Format(time.RFC3339)+" cannot be: this program is newer", "timedatectl set-time, or a time server")
	default:
		d.add(findWarning, "clock", now.UTC().Format(time.RFC3339)+", "+string(q)+": it follows no time server that can be told", "timedatectl set-ntp true, where there is a network; else compare it once a year")
	}
	b, err := os.ReadFile("/sys/class/rtc/rtc0/since_epoch")
	if err != nil {
		d.add(findWarning, "battery clock", "there is none: after a power cut the time is wrong until a server is asked", "order results by seq; a battery clock costs little")
		return
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if off := now.Sub(time.Unix(seconds, 0)); err != nil || off.Abs() > rtcOff {
		d.add(findWarning, "battery clock", fmt.Sprintf("it is off by %v", off.Round(time.Second)), "hwclock --systohc; if it is wrong again after a power cut, change its battery")
		return
	}
	d.ok("battery clock", "it agrees")
}

// soon is how long before its end a certificate is warned about.
const soon = 30 * 24 * time.Hour

func (d *doctor) certificate() {
	if d.cfg.LAN.Listen == "" {
		d.ok("LAN", "off (lan.listen is empty)")
		return
	}
	file, key := d.cfg.LAN.Certificate, d.cfg.LAN.Key
	if file == "" {
		file, key = ownCertificateNames(filepath.Dir(d.cfg.Store.Path))
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && d.cfg.LAN.Certificate == "" {
		d.ok("certificate", "the first start makes %s", file)
		return
	}
	pair, err := tls.LoadX509KeyPair(file, key)
	if err != nil {
		d.add(findFault, "certificate", err.Error(), "lan.certificate and lan.key have to be PEM files that belong together and that this user may read")
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	switch now := time.Now(); {
	case err != nil:
		d.add(findFault, "certificate", err.Error(), "")
	case now.After(leaf.NotAfter) || now.Before(leaf.NotBefore):
		d.add(findFault, "certificate", fmt.Sprintf("%s is good from %s to %s only", file, leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly)), "renew it, or set the clock")
	case now.Add(soon).After(leaf.NotAfter):
		d.add(findWarning, "certificate", fmt.Sprintf("%s ends on %s", file, leaf.NotAfter.Format(time.DateOnly)), "renew it: the daemon takes the new one by itself")
	default:
		d.ok("certificate", "%s is good until %s", file, leaf.NotAfter.Format(time.DateOnly))
	}
}

func (d *doctor) token() {
	if d.cfg.LAN.Listen == "" || d.cfg.LAN.TokenFile == "" {
		return
	}
	if _, err := tokenAuthorizer(d.cfg.LAN.TokenFile); err != nil {
		d.add(findFault, "token", err.Error(), "")
	} else {
		d.ok("token", "%s can be read", d.cfg.LAN.TokenFile)
	}
}
