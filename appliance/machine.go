package appliance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Image is what image.sh and the build left: the parts of a guest.
type Image struct {
	Kernel string // uncompressed
	Initrd string // with the guest program
	Root   string // raw ext4; never written to
}

// Machine is a running guest. Its methods may be called from any goroutine.
type Machine struct {
	Page   string // base address of the kiosk page's port, from here
	LAN    string // address:port here of the port for other machines
	Feed   string // address:port here of the camera's feed
	Disk   string // the overlay it writes to
	dir    string
	qemu   *exec.Cmd
	ended  chan struct{} // closed when QEMU is gone
	lastID atomic.Int64
}

// Options of a boot.
type Options struct {
	Append   string // to the kernel's command line
	Reboot   bool   // let the guest restart; else a restart ends QEMU
	Hardware []string
}

// Ports inside the guest.
const (
	pagePort = 18080 // the agent passes it on to 8080 on the loopback
	lanPort  = 8443
	feedPort = 9000
)

// Overlay makes a disk on which a guest writes, over a base that stays.
func Overlay(disk, base, format string) error {
	out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", format, disk).CombinedOutput()
	if err != nil {
		return fmt.Errorf("qemu-img: %w: %s", err, out)
	}
	return nil
}

// Boot starts a guest on disk, with its sockets and logs in dir, and waits
// until its system is up. The caller ends it with Cut or Off.
func Boot(ctx context.Context, img Image, disk, dir string, o Options) (*Machine, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, name := range []string{"agent", "serial.log"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	m := &Machine{Disk: disk, dir: dir, ended: make(chan struct{})}
	var forward string
	for _, f := range []struct {
		address *string
		guest   int
	}{{&m.Page, pagePort}, {&m.LAN, lanPort}, {&m.Feed, feedPort}} {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		*f.address = fmt.Sprintf("127.0.0.1:%d", port)
		forward += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:%d", port, f.guest)
	}
	m.Page = "http://" + m.Page
	args := []string{
		"-M", "q35", "-accel", "tcg,thread=multi,tb-size=1024", "-smp", "2", "-m", "2048", "-cpu", "max",
		"-kernel", img.Kernel, "-initrd", img.Initrd, "-append", strings.TrimSpace("console=ttyS0 quiet panic=-1 " + o.Append),
		"-nodefaults", "-display", "none",
		// What the guest flushes is in the file then: with cache=unsafe QEMU keeps the
		// tables of the image to itself, and they go with it when the power is cut.
		"-drive", "file=" + disk + ",if=none,id=d0,format=qcow2,cache=writeback", "-device", "virtio-blk-pci,drive=d0",
		"-serial", "file:" + filepath.Join(dir, "serial.log"),
		"-device", "virtio-serial-pci", "-chardev", "socket,id=a0,path=" + filepath.Join(dir, "agent") + ",server=on,wait=off",
		"-device", "virtserialport,chardev=a0,name=agent.0",
		// restrict: the guest reaches nothing outside but what asks it.
		"-netdev", "user,id=n0,restrict=on" + forward, "-device", "virtio-net-pci,netdev=n0,romfile=",
		"-device", "virtio-rng-pci", "-device", "i6300esb", "-watchdog-action", "reset",
	}
	if !o.Reboot {
		args = append(args, "-no-reboot")
	}
	m.qemu = exec.Command("qemu-system-x86_64", append(args, o.Hardware...)...)
	var said bytes.Buffer
	m.qemu.Stdout, m.qemu.Stderr = &said, &said
	m.qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := m.qemu.Start(); err != nil {
		return nil, err
	}
	go func() {
		m.qemu.Wait() // how it ended is of no interest: it is killed
		close(m.ended)
	}()
	if err := m.awaitSerial(ctx, "GUEST-READY", 1); err != nil {
		m.Cut()
		return nil, fmt.Errorf("the guest does not come up: %w\n%s%s", err, said.Bytes(), m.tail())
	}
	return m, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// awaitSerial waits until text has come n times over the serial line.
func (m *Machine) awaitSerial(ctx context.Context, text string, n int) error {
	for {
		b, err := os.ReadFile(filepath.Join(m.dir, "serial.log"))
		if err == nil && bytes.Count(b, []byte(text)) >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-m.ended:
			return errors.New("QEMU ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (m *Machine) tail() string {
	b, err := os.ReadFile(filepath.Join(m.dir, "serial.log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// Cut takes the power away.
func (m *Machine) Cut() {
	m.qemu.Process.Kill() // an error means that it has ended already
	<-m.ended
}

// Ended is closed when the guest is gone, by whatever way.
func (m *Machine) Ended() <-chan struct{} { return m.ended }

// Off shuts the guest down as an operator would.
func (m *Machine) Off(ctx context.Context) error {
	// The answer may not come any more.
	go m.Exec(ctx, "systemctl poweroff")
	select {
	case <-m.ended:
		return nil
	case <-ctx.Done():
		m.Cut()
		return fmt.Errorf("the guest does not shut down: %w", ctx.Err())
	}
}

// Exec lets the guest's shell run command, and returns what it wrote and an
// error unless it ended with 0.
func (m *Machine) Exec(ctx context.Context, command string) (string, error) {
	return m.call(ctx, map[string]any{"run": command}, command)
}

// Put writes a file in the guest.
func (m *Machine) Put(ctx context.Context, path string, data []byte) error {
	_, err := m.call(ctx, map[string]any{"put": path, "data": data}, "put "+path)
	return err
}

func (m *Machine) call(ctx context.Context, request map[string]any, what string) (string, error) {
	id := m.lastID.Add(1)<<20 | time.Now().UnixNano()&(1<<20-1)
	request["id"] = id
	line, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(m.dir, "agent"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(append(append([]byte("\n"), line...), '\n')); err != nil {
		return "", err
	}
	for lines := bufio.NewReaderSize(conn, 1<<20); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return "", fmt.Errorf("%s: the guest is gone: %w", what, errors.Join(err, ctx.Err()))
		}
		var a struct {
			ID   int64
			Code int
			Out  string
		}
		if json.Unmarshal(line, &a) != nil || a.ID != id {
			continue
		}
		if a.Code != 0 {
			return a.Out, fmt.Errorf("%s: exit %d: %s", what, a.Code, strings.TrimSpace(a.Out))
		}
		return a.Out, nil
	}
}
