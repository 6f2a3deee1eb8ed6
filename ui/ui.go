// Package ui knows the kiosk page and the WebSocket that drives it.
//
// It turns each livenessd.View into a message for every connected page, passes
// preview pictures on, and takes nothing back from a page but a sign of life.
// A page is never waited for: Publish, Camera and Preview return at once, and
// a page that does not keep up is cut off and comes back by itself.
//
//	Publish ─┐                ┌─► queue of client 1 ─► its writer ─► page
//	Camera ──┼─► present state┼─► queue of client 2 ─► …
//	         │                └─► …
//	Preview ─► newest frame ─► JPEG (at most PreviewFPS) ─► newest picture of each client
//
// Pictures go out only while the person is being checked (PhasePosition,
// PhaseHold, PhaseMove) and a page is there; none is kept. PROTOCOL.md beside
// this file describes the messages.
package ui

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"livenessd"
)

// Bounds of the configuration and of what one UI serves.
const (
	DefaultPreviewFPS = 10
	MaxPreviewFPS     = 30
	MaxClients        = 8 // pages at the same time: the screen, and a few who look on
)

// Config is what a UI needs to know. The zero value is a working kiosk in
// English that loopback names reach.
type Config struct {
	PreviewFPS   int          // pictures a second at most, 1..MaxPreviewFPS; 0 means DefaultPreviewFPS
	LanguagesDir string       // folder of XX.json files that replace or add to the embedded languages; "" for none
	Language     string       // the page's default language, e.g. "de"; "" means "en"
	AssetsDir    string       // folder that replaces the embedded page, for development; "" for none
	Hosts        []string     // host names or addresses, without port, that the page may be reached by besides loopback
	PicturesKept bool         // the operator keeps pictures of results: the privacy line says so
	Version      string       // of the daemon; a page of another version reloads itself
	Log          *slog.Logger // nil logs nothing
}

// UI is one kiosk page for any number of screens up to MaxClients. Make it
// with New, serve its Handler and keep Run running. All methods may be called
// from any goroutine.
type UI struct {
	cfg       Config
	log       *slog.Logger
	languages *languages
	assets    fs.FS
	hosts     map[string]bool // lower case

	wanted atomic.Bool // somebody would see a preview; written under mu
	slot   slot

	mu        sync.Mutex
	running   bool // between the start of Run and its end
	started   bool // Run was called
	places    int  // connections that are being made or are open
	clients   map[*client]struct{}
	view      livenessd.View
	camera    livenessd.Camera
	heartbeat time.Time

	connections sync.WaitGroup // one for each place; Add only under mu while running
}

// New reads the languages and checks cfg. Errors wrap livenessd.ErrInvalid and
// name the field or the file. It starts nothing.
func New(cfg Config) (*UI, error) {
	if cfg.PreviewFPS == 0 {
		cfg.PreviewFPS = DefaultPreviewFPS
	}
	if cfg.PreviewFPS < 1 || cfg.PreviewFPS > MaxPreviewFPS {
		return nil, fmt.Errorf("ui: preview_fps is %d: choose 1 to %d, or 0 for %d: %w",
			cfg.PreviewFPS, MaxPreviewFPS, DefaultPreviewFPS, livenessd.ErrInvalid)
	}
	if cfg.Language == "" {
		cfg.Language = fallbackLanguage
	}
	u := &UI{
		cfg:     cfg,
		log:     cfg.Log,
		assets:  embeddedAssets(),
		hosts:   map[string]bool{},
		slot:    slot{ready: make(chan struct{}, 1)},
		clients: map[*client]struct{}{},
		// Until the first Publish nothing is known, and the page says so.
		view: livenessd.View{Phase: livenessd.PhaseNotReady, Prompt: livenessd.PromptWait},
	}
	if u.log == nil {
		u.log = slog.New(slog.DiscardHandler)
	}
	for _, h := range cfg.Hosts {
		if h == "" || strings.ContainsAny(h, "/ \t") {
			return nil, fmt.Errorf("ui: hosts has %q: write a host name or an address without scheme and port: %w", h, livenessd.ErrInvalid)
		}
		u.hosts[canonicalHost(h)] = true
	}
	var err error
	if u.languages, err = loadLanguages(cfg.LanguagesDir, cfg.Language, u.log); err != nil {
		return nil, err
	}
	if cfg.AssetsDir != "" {
		u.assets = os.DirFS(cfg.AssetsDir)
	}
	if err := u.writeIndex(io.Discard); err != nil {
		return nil, fmt.Errorf("ui: the page cannot be served (assets_dir is %q): %w", cfg.AssetsDir, err)
	}
	return u, nil
}

// Run carries preview pictures to the pages until ctx ends, then closes every
// connection and waits for all goroutines of the UI. Pages are let in only
// while it runs. It returns nil when ctx ended it, and an error when it is
// called twice.
func (u *UI) Run(ctx context.Context) error {
	u.mu.Lock()
	if u.started {
		u.mu.Unlock()
		return errors.New("ui: Run was called twice")
	}
	u.started, u.running = true, true
	u.mu.Unlock()

	u.carryPreviews(ctx)

	u.mu.Lock()
	u.running = false
	for c := range u.clients {
		c.leave()
	}
	u.mu.Unlock()
	u.connections.Wait()
	return nil
}

// Publish shows v on every page. It never blocks; a page whose queue is full
// is cut off. A view that looks like the one before is not sent again.
func (u *UI) Publish(v livenessd.View) {
	v.Progress = roundProgress(v.Progress)
	u.mu.Lock()
	defer u.mu.Unlock()
	if sameView(u.view, v) {
		return
	}
	u.view = v
	u.updateWanted()
	u.broadcast("view", presentView(v, time.Now()))
}

// Camera tells the pages where pictures come from; they show a notice when it
// is simulated. It never blocks.
func (u *UI) Camera(c livenessd.Camera) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.camera == c {
		return
	}
	u.camera = c
	u.broadcast("camera", cameraNotice{c.Simulated})
}

// Preview offers f to the pages. It never blocks: the newest frame wins, and
// without a page or outside the phases that show a preview it does nothing. f
// and its Data are read later and must not be written to.
func (u *UI) Preview(f livenessd.Frame) {
	if u.wanted.Load() {
		u.slot.put(f)
	}
}

// Clients returns how many pages are connected.
func (u *UI) Clients() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.clients)
}

// LastHeartbeat returns when a page last said that it is painting; the zero
// time when none has yet.
func (u *UI) LastHeartbeat() time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.heartbeat
}

func (u *UI) beat(at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.heartbeat = at
}

// updateWanted is called with mu held whenever the view or the clients change.
func (u *UI) updateWanted() {
	wanted := len(u.clients) > 0 && showsPreview(u.view.Phase)
	u.wanted.Store(wanted)
	if !wanted {
		u.slot.take() // a face must not lie here until the next person comes
	}
}

// showsPreview says in which phases a person sees themselves.
func showsPreview(p livenessd.Phase) bool {
	return p == livenessd.PhasePosition || p == livenessd.PhaseHold || p == livenessd.PhaseMove
}

// writeIndex fills in the page: its first words are there before any script
// or connection, in the default language.
func (u *UI) writeIndex(w io.Writer) error {
	t, err := template.ParseFS(u.assets, "index.html")
	if err != nil {
		return err
	}
	text := u.languages.text[u.cfg.Language]
	return t.Execute(w, map[string]string{
		"Language":  u.cfg.Language,
		"Direction": text["language.direction"],
		"Title":     text["ui.title"],
		"Wait":      text["prompt."+string(livenessd.PromptWait)],
		"Version":   u.cfg.Version,
	})
}
