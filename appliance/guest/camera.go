package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// camera is a USB camera made by software: it speaks USB/IP with the kernel's
// vhci_hcd, which takes it for a device in one of its ports and binds the
// ordinary uvcvideo driver to it. SIGTERM unplugs it; `guest tell` (pictures.go)
// gives it faults.
func camera(args []string) error {
	f := flag.NewFlagSet("camera", flag.ExitOnError)
	port := f.Int("port", 0, "port of the virtual hub")
	serial := f.String("serial", "K0001", "serial number")
	product := f.Uint("product", 0x0102, "product id")
	feed := f.String("feed", "", "address on which pictures arrive; without one they are drawn here")
	if err := f.Parse(args); err != nil {
		return err
	}
	pics, err := newPictures(*feed, *serial)
	if err != nil {
		return err
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	d := &usbDevice{wire: os.NewFile(uintptr(pair[1]), "usb"), serial: *serial, product: uint16(*product), pictures: pics}
	d.wake = sync.NewCond(&d.mu)
	d.asked.settle()
	d.agreed = d.asked
	attach := fmt.Sprintf("%d %d %d 3", *port, pair[0], 0x10000+*port+2) // port, socket, device id, high speed
	if err := os.WriteFile(hub+"attach", []byte(attach), 0o200); err != nil {
		return fmt.Errorf("modprobe vhci-hcd: %w", err)
	}
	syscall.Close(pair[0]) // the kernel has it
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		os.WriteFile(hub+"detach", fmt.Append(nil, *port), 0o200)
		os.Exit(0)
	}()
	go d.stream()
	return d.serve()
}

const hub = "/sys/devices/platform/vhci_hcd.0/"

// transfer is a request of the host for bytes of the stream.
type transfer struct {
	seq  uint32
	room int
}

type usbDevice struct {
	wire     *os.File
	serial   string
	product  uint16
	pictures *pictures

	writing sync.Mutex

	mu      sync.Mutex // guards what follows
	wake    *sync.Cond
	waiting []transfer
	asked   commitment
	agreed  commitment
}

// Commands of USB/IP: Documentation/usb/usbip_protocol.rst of the kernel.
const (
	cmdSubmit = 1
	cmdUnlink = 2
	retSubmit = 3
	retUnlink = 4
)

// serve answers the host until it lets go of the device.
func (d *usbDevice) serve() error {
	head := make([]byte, 48)
	for {
		if _, err := io.ReadFull(d.wire, head); err != nil {
			return fmt.Errorf("the kernel let go of the camera: %w", err)
		}
		word := func(at int) uint32 { return binary.BigEndian.Uint32(head[at:]) }
		seq := word(4)
		switch word(0) {
		case cmdSubmit:
			in, endpoint, n := word(12) == 1, word(16), int(int32(word(24)))
			var out []byte
			if !in && n > 0 {
				out = make([]byte, n)
				if _, err := io.ReadFull(d.wire, out); err != nil {
					return err
				}
			}
			switch {
			case endpoint == 0:
				d.control(seq, head[40:48], out, n)
			case endpoint == 1 && in:
				d.mu.Lock()
				d.waiting = append(d.waiting, transfer{seq, n})
				d.wake.Broadcast()
				d.mu.Unlock()
			default:
				d.reply(retSubmit, seq, -int32(syscall.EPIPE), nil, 0)
			}
		case cmdUnlink:
			status := int32(0)
			d.mu.Lock()
			for i, t := range d.waiting {
				if t.seq == word(20) {
					d.waiting = append(d.waiting[:i:i], d.waiting[i+1:]...)
					status = -int32(syscall.ECONNRESET)
					break
				}
			}
			d.mu.Unlock()
			d.reply(retUnlink, seq, status, nil, 0)
		}
	}
}

func (d *usbDevice) reply(command, seq uint32, status int32, data []byte, n int) {
	b := make([]byte, 48, 48+len(data))
	binary.BigEndian.PutUint32(b, command)
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint32(b[20:], uint32(status))
	binary.BigEndian.PutUint32(b[24:], uint32(n))
	d.writing.Lock()
	defer d.writing.Unlock()
	d.wire.Write(append(b, data...)) // serve notices a host that has gone
}

var errStall = errors.New("not understood")

// control answers a request on endpoint 0.
func (d *usbDevice) control(seq uint32, setup, out []byte, room int) {
	data, err := d.request(setup, out)
	switch {
	case err != nil:
		d.reply(retSubmit, seq, -int32(syscall.EPIPE), nil, 0)
	case setup[0]&0x80 != 0:
		data = data[:min(len(data), room)]
		d.reply(retSubmit, seq, 0, data, len(data))
	default:
		d.reply(retSubmit, seq, 0, nil, len(out))
	}
}

func (d *usbDevice) request(setup, out []byte) ([]byte, error) {
	kind, what := setup[0], setup[1]
	value, index := binary.LittleEndian.Uint16(setup[2:]), binary.LittleEndian.Uint16(setup[4:])
	switch {
	case kind == 0x80 && what == 6: // GET_DESCRIPTOR
		switch value >> 8 {
		case 1:
			return device(d.product), nil
		case 2:
			return configuration(), nil
		case 3:
			if n := int(value & 255); n == 0 {
				return []byte{4, 3, 9, 4}, nil
			} else if n <= 3 {
				return text([]string{"Kiosk", "Fake UVC Camera", d.serial}[n-1]), nil
			}
		}
		return nil, errStall
	case kind&0x60 == 0 && what == 0: // GET_STATUS
		return []byte{0, 0}, nil
	case kind == 0 && what == 9: // SET_CONFIGURATION: at the start, and after a reset
		d.pictures.reset()
		return nil, nil
	case kind&0xe0 == 0: // SET_INTERFACE, CLEAR_FEATURE
		return nil, nil
	case kind == 0x21 && what == 1 && index&255 == 1: // SET_CUR of probe or commit
		var p commitment
		b := make([]byte, 26)
		copy(b, out)
		if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, &p); err != nil {
			return nil, err
		}
		p.settle()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.asked = p
		if value>>8 == 2 {
			d.agreed = p
		}
		return nil, nil
	case kind == 0xa1 && index&255 == 1:
		d.mu.Lock()
		p := d.asked
		d.mu.Unlock()
		switch what {
		case 0x85: // GET_LEN
			return []byte{26, 0}, nil
		case 0x86: // GET_INFO: can be read and written
			return []byte{3}, nil
		case 0x82, 0x87: // GET_MIN, GET_DEF: the shortest interval
			p = commitment{Format: p.Format, Frame: p.Frame}
		case 0x83: // GET_MAX
			p = commitment{Format: p.Format, Frame: p.Frame, Interval: ticks / 5}
		}
		p.settle()
		return le(p), nil
	}
	return nil, errStall
}
