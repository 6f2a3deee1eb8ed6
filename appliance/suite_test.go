package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds one step. Under emulation on a busy machine everything takes
// long, and nothing here is about speed.
const patience = 4 * time.Minute

// suite is what all checks share.
var suite struct {
	once      sync.Once
	err       error
	dir       string // of this run
	img       Image
	deb       string
	installed sync.Once
	disk      string   // the system with the package, switched off cleanly
	faults    []string // seen right after it was installed

	mu      sync.Mutex // guards what follows
	shared  *Machine   // of the checks that leave a guest as it was
	resting bool       // its daemon and camera are stopped
}

func TestMain(m *testing.M) {
	code := m.Run()
	if suite.shared != nil {
		suite.shared.Cut()
	}
	if suite.dir != "" && code == 0 {
		os.RemoveAll(suite.dir)
	}
	os.Exit(code)
}

// need prepares what a guest is made of, or skips the test.
func need(t *testing.T) {
	t.Helper()
	suite.deb = os.Getenv("TEST_APPLIANCE")
	if suite.deb == "" {
		t.Skip("TEST_APPLIANCE does not name the package: `make test-appliance` does")
	}
	suite.once.Do(func() { suite.err = prepare() })
	if suite.err != nil {
		t.Fatal(suite.err)
	}
}

func prepare() (err error) {
	if suite.dir, err = os.MkdirTemp("", "appliance"); err != nil {
		return err
	}
	image := os.Getenv("TEST_APPLIANCE_IMAGE")
	suite.img = Image{filepath.Join(image, "vmlinux"), filepath.Join(suite.dir, "initrd"), filepath.Join(image, "root.img")}
	// The kernel takes several archives one after the other.
	build := exec.Command("bash", "-euc", `
		CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$DIR/guest" ./guest
		cp "$IMAGE/initrd" "$DIR/initrd"
		cd "$DIR" && echo guest | cpio -o -H newc --quiet >>initrd`)
	build.Env = append(os.Environ(), "DIR="+suite.dir, "IMAGE="+image)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("the guest's program: %w: %s", err, out)
	}
	return nil
}

// lab is a guest in a test's hands.
type lab struct {
	*testing.T
	*Machine
	ctx context.Context
}

// boot starts a guest on a new disk over base, or on base itself where that is
// an overlay already, until the test ends.
func boot(t *testing.T, base string, o Options) *lab {
	t.Helper()
	disk := base
	if base == suite.img.Root || base == suite.disk {
		disk = filepath.Join(suite.dir, fmt.Sprintf("%s-%d.qcow2", t.Name(), time.Now().UnixNano()))
		format := "qcow2"
		if base == suite.img.Root {
			format = "raw"
		}
		if err := Overlay(disk, base, format); err != nil {
			t.Fatal(err)
		}
	}
	restShared(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begin := time.Now()
	m, err := Boot(ctx, suite.img, disk, filepath.Join(suite.dir, filepath.Base(t.Name())), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("booted in %.1f s", time.Since(begin).Seconds())
	l := &lab{t, m, context.Background()}
	t.Cleanup(func() {
		select {
		case <-m.Ended():
		default:
			if t.Failed() {
				l.report()
			}
			m.Cut()
		}
	})
	return l
}

// restShared lets the shared guest do nothing while another one runs: two that
// judge pictures are too much for two processors.
func restShared(t *testing.T) {
	t.Helper()
	suite.mu.Lock()
	defer suite.mu.Unlock()
	if suite.shared == nil || suite.resting {
		return
	}
	l := &lab{t, suite.shared, context.Background()}
	l.sh("systemctl stop livenessd")
	l.unplug(first)
	suite.resting = true
}

// sharedGuest is an installed system with a camera that works. A test that
// fails takes it along.
func sharedGuest(t *testing.T) *lab {
	t.Helper()
	need(t)
	disk := installed(t)
	suite.mu.Lock()
	defer suite.mu.Unlock()
	l := &lab{t, suite.shared, context.Background()}
	if suite.shared == nil {
		own := filepath.Join(suite.dir, "shared.qcow2")
		if err := Overlay(own, disk, "qcow2"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		m, err := Boot(ctx, suite.img, own, filepath.Join(suite.dir, "shared"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		suite.shared, l.Machine = m, m
		l.plug(first)
		l.configure(testCamera)
		l.settled()
	} else if suite.resting {
		l.plug(first)
		l.sh("systemctl start livenessd")
		l.settled()
	}
	suite.resting = false
	t.Cleanup(func() {
		if t.Failed() {
			l.report()
			suite.mu.Lock()
			defer suite.mu.Unlock()
			suite.shared.Cut()
			suite.shared = nil
		}
	})
	return l
}

// report shows what the guest has to say about a failure.
func (l *lab) report() {
	status, body := l.ask(http.MethodGet, "/readyz", "")
	l.Logf("readyz: %d %s", status, body)
	for _, ask := range []string{"systemctl status --no-pager livenessd | head -20", "journalctl -b --no-pager -u livenessd | tail -40", "dmesg | tail -5"} {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		out, err := l.Exec(ctx, ask)
		cancel()
		l.Logf("%s:\n%s%v", ask, out, err)
	}
}

// sh runs a command that must succeed.
func (l *lab) sh(format string, args ...any) string {
	l.Helper()
	out, err := l.try(format, args...)
	if err != nil {
		l.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func (l *lab) try(format string, args ...any) (string, error) {
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	return l.Exec(ctx, fmt.Sprintf(format, args...))
}

// until waits for something, and says how long it took.
func (l *lab) until(what string, ok func() (bool, string)) time.Duration {
	l.Helper()
	begin := time.Now()
	for {
		done, why := ok()
		if done {
			return time.Since(begin)
		}
		if time.Since(begin) > patience {
			l.Fatalf("%s: not within %v: %s", what, patience, why)
		}
		time.Sleep(300 * time.Millisecond) // each question costs the guest time
	}
}

var client = &http.Client{Timeout: 30 * time.Second}

// ask sends a request to the page's port and returns status and body; 0 when
// nobody answers.
func (l *lab) ask(method, path, body string) (int, string) {
	req, err := http.NewRequest(method, l.Page+path, strings.NewReader(body))
	if err != nil {
		l.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// reasons returns why the terminal is not ready; none: it is.
func (l *lab) reasons() (codes []string, answered bool) {
	codes, _, answered = l.readyz()
	return codes, answered
}

// complaints returns reasons and warnings together.
func (l *lab) complaints() []string {
	codes, warnings, answered := l.readyz()
	if !answered {
		return []string{"no answer"}
	}
	return append(codes, warnings...)
}

func (l *lab) readyz() (codes, warnings []string, answered bool) {
	status, body := l.ask(http.MethodGet, "/readyz", "")
	type list []struct{ Code string }
	var said struct{ Reasons, Warnings list }
	if status == 0 || json.Unmarshal([]byte(body), &said) != nil {
		return nil, nil, false
	}
	for _, r := range said.Reasons {
		codes = append(codes, r.Code)
	}
	for _, r := range said.Warnings {
		if r.Code != "clock" && r.Code != "camera_unpinned" { // the guest reaches no time server
			warnings = append(warnings, r.Code)
		}
	}
	if status != http.StatusOK && codes == nil {
		codes = []string{body}
	}
	return codes, warnings, true
}

// settled waits until the terminal is ready, and returns how long that took.
func (l *lab) settled() time.Duration {
	l.Helper()
	return l.until("the terminal is ready", func() (bool, string) {
		codes, answered := l.reasons()
		return answered && len(codes) == 0, fmt.Sprint(codes)
	})
}

// metric returns the sum of a metric over its labels.
func (l *lab) metric(name string) (sum float64) {
	l.Helper()
	status, body := l.ask(http.MethodGet, "/metrics", "")
	if status != http.StatusOK {
		l.Fatalf("/metrics: %d %s", status, body)
	}
	found := false
	for _, m := range regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(name)+`(?:\{[^}]*\})? (\S+)$`).FindAllStringSubmatch(body, -1) {
		v, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			l.Fatal(err)
		}
		sum, found = sum+v, true
	}
	if !found {
		l.Fatalf("there is no metric %s", name)
	}
	return sum
}

// restarts is how often systemd has had to start the daemon anew.
func (l *lab) restarts() int {
	l.Helper()
	n, err := strconv.Atoi(l.sh("systemctl show -P NRestarts livenessd"))
	if err != nil {
		l.Fatal(err)
	}
	return n
}

// configure gives the daemon settings by its environment, and restarts it.
func (l *lab) configure(settings ...string) {
	l.Helper()
	unit := "[Service]\n"
	// Five pictures a second, judged on one of two processors, leave some of an
	// emulated machine for everything else.
	for _, s := range append([]string{"CAMERA_ANALYSIS_THREADS=1", "CAMERA_FPS=5"}, settings...) {
		unit += "Environment=LIVENESSD_" + s + "\n"
	}
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	if err := l.Put(ctx, "/etc/systemd/system/livenessd.service.d/test.conf", []byte(unit)); err != nil {
		l.Fatal(err)
	}
	l.sh("sync; systemctl daemon-reload && systemctl restart livenessd")
}

// usbCamera is a camera on the guest's USB.
type usbCamera struct {
	serial string
	port   int
}

var first = usbCamera{"K0001", 0}

// testCamera lets the daemon take a camera on a virtual bus.
const testCamera = "CAMERA_ALLOW_VIRTUAL=true"

// name is by which the daemon knows the camera.
func (c usbCamera) name() string { return "usb-Kiosk_Fake_UVC_Camera_" + c.serial + "-video-index0" }

// plug puts c in.
func (l *lab) plug(c usbCamera) {
	l.Helper()
	l.sh("modprobe -a vhci-hcd uvcvideo; systemctl reset-failed camera-%[1]s 2>/dev/null; systemd-run -q --unit=camera-%[1]s /usr/local/bin/guest camera -serial %[1]s -port %[2]d -feed :%[3]d", c.serial, c.port, feedPort+c.port)
}

// unplug pulls c out.
func (l *lab) unplug(c usbCamera) {
	l.Helper()
	l.sh("systemctl stop camera-%s", c.serial)
}

// installed returns a disk on which the package was installed as an integrator
// does it. TestInstall looks at how that went.
func installed(t *testing.T) string {
	t.Helper()
	suite.installed.Do(func() {
		l := boot(t, suite.img.Root, Options{})
		l.install()
		l.look(func(format string, args ...any) { suite.faults = append(suite.faults, fmt.Sprintf(format, args...)) })
		l.off()
		suite.disk = l.Disk
	})
	if suite.disk == "" {
		t.Fatal("the package could not be installed: see the first test that needed it")
	}
	return suite.disk
}

// install puts the package into the guest and lets dpkg install it.
func (l *lab) install() {
	l.Helper()
	deb, err := os.ReadFile(suite.deb)
	if err != nil {
		l.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	if err := l.Put(ctx, "/root/livenessd.deb", deb); err != nil {
		l.Fatal(err)
	}
	// On a busy machine emulation may take ten seconds for one picture.
	if err := l.Put(ctx, "/etc/systemd/system/livenessd.service.d/emulation.conf", []byte("[Service]\nWatchdogSec=40\n")); err != nil {
		l.Fatal(err)
	}
	l.sh("DEBIAN_FRONTEND=noninteractive dpkg -i /root/livenessd.deb && sync")
}

func (l *lab) off() {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	if err := l.Off(ctx); err != nil {
		l.Fatal(err)
	}
}

// enough reports whether a check that repeats itself has to end now, having done
// so many of the repetitions that were asked for, so that those after it have
// their time. It is told what the check has to do in any case.
func enough(t *testing.T, done, asked, atLeast int, reserve time.Duration) bool {
	t.Helper()
	end, limited := t.Deadline()
	if done < atLeast || !limited || time.Until(end) > reserve {
		return done == asked
	}
	t.Logf("%d of %d, since the time is short", done, asked)
	return true
}

// count returns the number in an environment variable, or n.
func count(t *testing.T, name string, n int) int {
	s := os.Getenv(name)
	if s == "" {
		return n
	}
	v, err := strconv.Atoi(s)
	if err = errors.Join(err, map[bool]error{true: errors.New("it must be positive")}[v <= 0]); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}
