package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"livenessd"
	"livenessd/ui"
)

// kioskCommand shows the page on this machine's screen: it starts the browser
// and watches, through the daemon, that its page paints. It ends when the
// browser does, or has to; systemd starts it anew.
func kioskCommand(ctx context.Context, env *environment, args []string) (int, error) {
	f := newFlags(env, "kiosk", "[PROGRAM ARG...]")
	silence := f.Duration("silence", 20*time.Second, "end the browser when its page has not painted for so long")
	first := f.Duration("first", time.Minute, "how long the page may take to appear")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	cfg, err := f.config()
	if err != nil {
		return exitMisused, err
	}
	page, err := pageAddress(cfg.Page.Listen)
	if err != nil {
		return exitMisused, err
	}
	program := f.Args()
	if len(program) == 0 {
		program = browser(os.Getenv("RUNTIME_DIRECTORY"))
	}
	k := &kioskScreen{
		page: page, silence: *silence, first: *first, sup: newSupervisor(os.Getenv), log: newLog(env.err, cfg.Log),
		client: &http.Client{Timeout: 3 * time.Second},
	}
	if err := k.run(ctx, append(program, page), env.err); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

// pageAddress is the address of the page for a browser on this machine.
func pageAddress(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return "", fmt.Errorf("%w: page.listen is %q: the kiosk needs a fixed address:port", livenessd.ErrInvalid, listen)
	}
	return "http://" + net.JoinHostPort(host, port) + "/", nil
}

// browser is cage, a Wayland compositor that shows one program and has no way
// out of it, with Chromium. Its profile is thrown away: after a power cut
// there is nothing that it could offer to restore.
func browser(dir string) []string {
	if dir == "" {
		dir = os.TempDir()
	}
	return []string{
		"cage", "-d", "--", "chromium", "--kiosk", "--incognito", "--ozone-platform=wayland",
		"--user-data-dir=" + filepath.Join(dir, "browser"), "--password-store=basic",
		"--no-first-run", "--no-default-browser-check", "--noerrdialogs", "--disable-session-crashed-bubble", "--hide-crash-restore-bubble",
		"--disable-pinch", "--overscroll-history-navigation=0", "--disable-features=Translate",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
	}
}

// kioskScreen is a browser that is being watched.
type kioskScreen struct {
	page           string
	silence, first time.Duration
	sup            supervisor
	log            *slog.Logger
	client         *http.Client
}

// run starts the program and watches its page until one of them ends.
func (k *kioskScreen) run(ctx context.Context, program []string, out io.Writer) error {
	name, err := exec.LookPath(program[0])
	if err != nil {
		return fmt.Errorf("%s is not installed: `apt install cage chromium xwayland`: %w", program[0], err)
	}
	cmd := exec.CommandContext(ctx, name, program[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 3 * time.Second
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	watch := k.watch(watching, time.Now())
	select {
	case err := <-ended:
		cancel()
		<-watch
		if ctx.Err() != nil {
			return nil // somebody stopped us, and it with us
		}
		return fmt.Errorf("%s ended: %v", program[0], err)
	case err := <-watch: // nil when ctx ended
		if stop := cmd.Process.Signal(syscall.SIGTERM); stop != nil && !errors.Is(stop, os.ErrProcessDone) {
			err = errors.Join(err, stop)
		}
		select {
		case <-ended:
		case <-time.After(cmd.WaitDelay):
			err = errors.Join(err, cmd.Process.Kill())
			<-ended
		}
		return err
	}
}

// watch asks the daemon for the page, feeds systemd's watchdog while all is
// well, and gives the reason when it is not.
func (k *kioskScreen) watch(ctx context.Context, began time.Time) <-chan error {
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(min(2*time.Second, k.silence/4))
		defer tick.Stop()
		s := lookout{began: began, good: began, silence: k.silence, first: k.first}
		for {
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-tick.C:
			}
			p, err := k.ask(ctx)
			if ctx.Err() != nil {
				continue
			}
			seen := s.seen
			if err := s.judge(time.Now(), p, err == nil); err != nil {
				done <- err
				return
			}
			states := []string{"WATCHDOG=1"}
			if s.seen && !seen {
				states = append(states, "READY=1", "STATUS=The page is on the screen")
				k.log.Info("the page is on the screen", "page", k.page)
			}
			for _, state := range states {
				if err := k.sup.tell(state); err != nil {
					k.log.Error("systemd cannot be told", "error", err)
				}
			}
		}
	}()
	return done
}

func (k *kioskScreen) ask(ctx context.Context) (p ui.Pages, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.page+"pages", nil)
	if err != nil {
		return p, err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return p, fmt.Errorf("%spages answers %s", k.page, resp.Status)
	}
	return p, json.NewDecoder(io.LimitReader(resp.Body, 4096)).Decode(&p)
}

// lookout judges whether somebody before the screen would see the page.
type lookout struct {
	began, good    time.Time // the browser's start; when all was last well
	silence, first time.Duration
	seen           bool // the page has been there
}

// judge returns an error when the browser has to be started anew. While the
// daemon does not answer nothing is known, and a new browser would not help.
func (s *lookout) judge(now time.Time, p ui.Pages, answered bool) error {
	switch painted := now.Add(-time.Duration(p.PaintedMS) * time.Millisecond); {
	case !answered:
		s.good = now
	case p.PaintedMS >= 0 && painted.After(s.began) && now.Sub(painted) < s.silence:
		s.good, s.seen = painted, true
	}
	patience := s.first
	if s.seen {
		patience = s.silence
	}
	if quiet := now.Sub(s.good); quiet > patience {
		return fmt.Errorf("the page has not painted for %v: the browser is started anew", quiet.Round(time.Second))
	}
	return nil
}
