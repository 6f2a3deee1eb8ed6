package ui_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"livenessd"
	"livenessd/ui"
)

// TestPage runs e2e/page.test.mjs: Debian's Chromium against a real UI. With
// LIVENESSD_SHOTS=folder it leaves a screenshot of every scene there.
func TestPage(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: the page is not tried in a browser under -short")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: node is not installed, the page is not tried in a browser")
	}
	for _, needed := range []string{"/usr/bin/chromium", "e2e/node_modules/playwright-core"} {
		if _, err := os.Stat(needed); err != nil {
			t.Skipf("SKIPPED: the page is not tried in a browser: %v (apt-get install chromium; npm ci in ui/e2e)", err)
		}
	}
	k := newKiosk(t)
	url := "http://" + k.addr + "/" // read before control's goroutines may restart k
	control := httptest.NewServer(k.control())
	defer control.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "--test", "--test-reporter=spec", "page.test.mjs")
	cmd.Dir = "e2e"
	cmd.Env = append(os.Environ(), "UI_URL="+url, "UI_CONTROL="+control.URL)
	if folder := os.Getenv("LIVENESSD_SHOTS"); folder != "" {
		folder, err := filepath.Abs(folder)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "UI_SHOTS="+folder)
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// kiosk is a UI behind a server that can be stopped and started on the same
// port, as a daemon is by systemd.
type kiosk struct {
	t    *testing.T
	addr string

	mu      sync.Mutex
	ui      *ui.UI
	stop    func()
	preview chan struct{} // closed to stop the pictures; nil while there are none
	painter sync.WaitGroup
}

func newKiosk(t *testing.T) *kiosk {
	k := &kiosk{t: t, addr: "127.0.0.1:0"}
	if err := k.start("1"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.pictures(false)
		k.stop()
	})
	return k
}

func (k *kiosk) start(version string) error {
	u, err := ui.New(ui.Config{Version: version})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", k.addr)
	if err != nil {
		return err
	}
	k.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{Handler: u.Handler(), ReadHeaderTimeout: 5 * time.Second}
	var wg sync.WaitGroup
	wg.Go(func() { server.Serve(l) }) // ends with ErrServerClosed
	wg.Go(func() {
		if err := u.Run(ctx); err != nil {
			k.t.Error(err)
		}
	})
	k.ui = u
	k.stop = func() {
		cancel()
		server.Close()
		wg.Wait()
	}
	return nil
}

// control lets the browser's script say what happens next.
func (k *kiosk) control() http.Handler {
	mux := http.NewServeMux()
	handle := func(name string, do func(body []byte) error) {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			var b bytes.Buffer
			if _, err := b.ReadFrom(r.Body); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			if err := do(b.Bytes()); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		})
	}
	handle("view", func(b []byte) error {
		var v struct {
			livenessd.View
			UntilMS int `json:"until_ms"`
		}
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		if v.UntilMS > 0 {
			v.Until = time.Now().Add(time.Duration(v.UntilMS) * time.Millisecond)
		}
		k.ui.Publish(v.View)
		return nil
	})
	handle("camera", func(b []byte) error {
		var c livenessd.Camera
		err := json.Unmarshal(b, &c)
		k.ui.Camera(c)
		return err
	})
	handle("preview", func(b []byte) error {
		k.pictures(string(b) == `"on"`)
		return nil
	})
	handle("stop", func([]byte) error {
		k.stop()
		return nil
	})
	handle("start", func(b []byte) error {
		var s struct{ Version string }
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		return k.start(s.Version)
	})
	return mux
}

// pictures begins or ends a preview. k.mu is held.
func (k *kiosk) pictures(on bool) {
	if k.preview != nil {
		close(k.preview)
		k.painter.Wait()
		k.preview = nil
	}
	if !on {
		return
	}
	end := make(chan struct{})
	k.preview = end
	u := k.ui
	frame := livenessd.Frame{Width: 640, Height: 480, Format: livenessd.MJPEG, Data: presenter(k.t)}
	k.painter.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				frame.Seq++
				u.Preview(frame)
			}
		}
	})
}

// presenter draws somebody in front of a wall that is red in the left quarter
// of the picture, which is the right of the mirror.
func presenter(t *testing.T) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 640, 480))
	inside := func(x, y, cx, cy, rx, ry int) bool {
		dx, dy := float64(x-cx)/float64(rx), float64(y-cy)/float64(ry)
		return dx*dx+dy*dy < 1
	}
	for y := range 480 {
		for x := range 640 {
			c := color.RGBA{uint8(90 + y/8), uint8(110 + y/8), uint8(125 + x/16), 255}
			if x < 160 {
				c = color.RGBA{200, 60, 50, 255}
			}
			switch {
			case inside(x, y, 282, 215, 12, 8), inside(x, y, 358, 215, 12, 8), inside(x, y, 320, 305, 38, 9):
				c = color.RGBA{70, 40, 40, 255}
			case inside(x, y, 320, 240, 96, 130):
				c = color.RGBA{224, 180, 150, 255}
			case inside(x, y, 320, 215, 112, 140):
				c = color.RGBA{60, 42, 34, 255}
			case inside(x, y, 320, 500, 220, 140):
				c = color.RGBA{50, 70, 110, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(fmt.Errorf("presenter: %w", err))
	}
	return b.Bytes()
}
