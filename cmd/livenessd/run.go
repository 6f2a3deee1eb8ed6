package main

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"livenessd"
	"livenessd/api"
	"livenessd/capture"
	"livenessd/challenge"
	"livenessd/models"
	"livenessd/pipeline"
	"livenessd/store"
	"livenessd/ui"
)

func runCommand(ctx context.Context, env *environment, args []string) (int, error) {
	f := newFlags(env, "run", "")
	source := f.String("camera", "", "`source`: auto, a name under /dev/v4l/by-id or by-path, sim, sim:SCENE or replay:PATH (camera.source)")
	listen := f.String("listen", "", "`address` of the kiosk page (page.listen)")
	path := f.String("store", "", "`file` that keeps the results (store.path)")
	simulate := f.Bool("simulate", false, "without a camera, show a simulated person (camera.simulate_if_none)")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	if f.NArg() > 0 {
		return exitMisused, fmt.Errorf("%w: run takes no arguments, not %q", livenessd.ErrInvalid, f.Arg(0))
	}
	for key, v := range map[string]string{"camera.source": *source, "page.listen": *listen, "store.path": *path} {
		if v != "" {
			f.settings = append(f.settings, key+"="+v)
		}
	}
	if *simulate {
		f.settings = append(f.settings, "camera.simulate_if_none=true")
	}
	cfg, err := f.config()
	if err != nil {
		return exitMisused, err
	}
	err = run(ctx, cfg, newLog(env.err, cfg.Log), env.out, nil)
	if errors.Is(err, capture.ErrGaveUp) {
		return exitCamera, err
	}
	if err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

// run is the program: it makes every part in one list, serves until ctx ends,
// and closes the list in reverse. say is for the person at the terminal. When
// everything listens, ready gets the page's address; it may be nil.
func run(ctx context.Context, cfg Config, log *slog.Logger, say io.Writer, ready func(page string)) (err error) {
	sup := newSupervisor(os.Getenv)

	eyes, err := openPipeline(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eyes.Close()) }()

	results, replaced, err := store.Open(cfg.Store.Path, storeOptions(cfg.Store, log))
	if err != nil {
		return fmt.Errorf("store.path: %w", err)
	}
	defer func() { err = errors.Join(err, results.Close()) }()

	page, err := ui.New(ui.Config{
		PreviewFPS: cfg.Page.PreviewFPS, LanguagesDir: cfg.Page.LanguagesDir, Language: cfg.Page.Language,
		Hosts: cfg.Page.Hosts, PicturesKept: cfg.Store.KeepPictures, Version: versionString(), Log: log,
	})
	if err != nil {
		return fmt.Errorf("[page] %w", err)
	}
	cam, err := newCamera(cfg.Camera, pinFile(cfg.Store.Path), log)
	if err != nil {
		return err
	}
	rng, err := newRand()
	if err != nil {
		return err
	}
	kiosk, err := challenge.NewKiosk(cfg.Session.challenge(), rng, newID)
	if err != nil {
		return fmt.Errorf("[session] %w", err)
	}
	boot := bootID(log)
	last, exits, err := lookBack(results)
	if err != nil {
		return fmt.Errorf("store.path: %w", err)
	}
	clock := newClock(buildTime(), askKernel, time.Now(), time.Since(began), last)
	camera := &precedence{}
	term := &terminal{
		log: log, kiosk: kiosk, camera: cam, first: camera, analyzer: eyes, screen: page.Publish,
		metrics: newMetrics(cam.frames, page.Clients), sup: sup, software: versionString(), boot: boot, clock: clock, pictures: cfg.Store.KeepPictures,
		commands: make(chan func()), statuses: make(chan capture.Status),
		sessions: map[string]livenessd.Session{}, reasons: map[string]string{faultCode(livenessd.FaultGone): notYet},
	}
	term.store = &ledger{store: results, log: log, now: time.Now, state: term.storeState}
	defer term.store.close()
	if results.Readable() {
		term.storeState(errors.New("the file was opened for reading only"), 0, false)
	}
	if replaced != nil {
		log.Error("the file of results was damaged; it was set aside and a new one begun", "kept_as", replaced.Path, "reason", replaced.Reason,
			"results_carried_over", replaced.Results, "skipped", replaced.Skipped)
	}

	group, ctx := errgroup.WithContext(ctx)
	who, err := newAccess(results, log)
	if err != nil {
		return fmt.Errorf("store.path: the credentials cannot be read: %w", err)
	}
	calls := newBook(results.PutJobs, cfg.API.RecordFirst, log)
	entry := newGate(cfg.API.Analyses, cfg.API.Waiting, time.Duration(cfg.API.Patience), camera)
	if err := entry.register(term.metrics.registry); err != nil {
		return err
	}
	deps := api.Deps{
		Results: results, Journal: results, Kiosk: callers{term, ctx}, Ready: term.ready, Warnings: term.warnings,
		Access: who, Jobs: calls, Judge: newJudge(ctx, eyes, entry),
	}
	keeper := capture.NewKeeper(cam.Source, capture.KeeperConfig{
		Mend: cam.real, Silence: cam.silence, Last: cfg.Camera.lastStep(),
		Notify: func(s capture.Status) {
			page.Camera(s.Camera)
			term.notify(ctx, s)
		},
		Deliver: func(f livenessd.Frame) {
			page.Preview(f)
			camera.arrived()
			cam.frames.Put(f)
		},
	})
	if err := term.metrics.watchStore(term.store.counts, calls.waiting, filepath.Dir(cfg.Store.Path)); err != nil {
		return err
	}
	if err := term.metrics.watchCamera(keeper.Status, exits); err != nil {
		return err
	}
	servers, err := listen(ctx, cfg, term.metrics.registry, deps, page.Handler(), log)
	if err != nil {
		return err
	}

	term.record(livenessd.Event{Type: livenessd.EventStarted, At: time.Now(), Detail: "livenessd " + versionString()})
	defer func() { term.record(livenessd.Event{Type: livenessd.EventStopped, At: time.Now()}) }()

	if s, err := listenControl(ctx, controlPath(cfg.Store.Path), &control{
		keys: storedKeys{results}, jobs: storedJobs(results), changed: who.load, log: log,
		pins:   livePins{filePins{cfg.Camera, pinFile(cfg.Store.Path)}, ctx, term, keeper.Reopen},
		status: statusOf(ctx, cfg, term, keeper.Status, page.Clients),
		events: func() ([]livenessd.Event, error) { return newestOf(results, bundleEvents) }, metrics: term.metrics.text,
	}); err != nil {
		log.Warn("`livenessd key` can only be used while the daemon is stopped", "error", err)
	} else {
		servers = append(servers, s)
	}
	for _, s := range servers {
		group.Go(func() error { return s.serve(ctx) })
	}
	group.Go(func() error { return page.Run(ctx) })
	group.Go(func() error { return calls.run(ctx) })
	group.Go(func() error { return term.run(ctx) })
	group.Go(func() error {
		if h, ok := cam.frames.(*handover); ok {
			defer context.AfterFunc(ctx, h.close)()
		}
		err := keeper.Run(ctx)
		if errors.Is(err, capture.ErrGaveUp) {
			term.gaveUp(ctx, err)
		}
		return err
	})
	group.Go(func() error { return prune(ctx, results, clock, log) })
	group.Go(func() error { return term.keepHouse(ctx, filepath.Dir(cfg.Store.Path), clock) })
	group.Go(func() error { return sup.report(ctx, term.summary) })

	if cam.note != "" {
		fmt.Fprintln(say, cam.note)
	}
	address := "http://" + servers[0].listener.Addr().String() + "/"
	fmt.Fprintf(say, "The kiosk page: %s\n", address)
	log.Info("ready", "page", address, "camera", cfg.Camera.Source, "store", cfg.Store.Path, "version", versionString())
	if err := sup.tell("READY=1"); err != nil {
		log.Error("systemd cannot be told", "error", err)
	}
	if len(servers) > 1 && servers[1].cert != nil {
		fmt.Fprintf(say, "The API for other machines: https://%s/ with the certificate SHA-256 %s\n", servers[1].listener.Addr(), servers[1].cert.fingerprint())
		log.Info("the API for other machines", "address", servers[1].listener.Addr().String(), "sha256", servers[1].cert.fingerprint())
	}
	if ready != nil {
		ready(address)
	}
	err = group.Wait()
	if stop := sup.tell("STOPPING=1"); stop != nil {
		log.Error("systemd cannot be told", "error", stop)
	}
	if errors.Is(err, capture.ErrEnd) {
		log.Info("the recording is at its end")
		return nil
	}
	return err
}

// eyes is the pipeline as the terminal's loop wants it, and the networks that
// it sees with.
type eyes struct {
	*pipeline.Pipeline
	set *models.Set
}

func (e eyes) Analyze(f livenessd.Frame, texture bool) (livenessd.Observation, error) {
	return e.AnalyzeWith(f, pipeline.Need{Texture: texture})
}

// storeOptions returns what the store keeps.
func storeOptions(c StoreConfig, log *slog.Logger) store.Options {
	return store.Options{
		MaxAge: time.Duration(c.MaxAge), MaxResults: c.MaxResults, MaxEvents: c.MaxEvents, MaxJobs: c.MaxJobs,
		KeepPictures: c.KeepPictures, Log: log,
	}
}

// newRand returns the generator that draws movements, seeded so that nobody
// can foresee them.
func newRand() (*rand.Rand, error) {
	var seed [32]byte
	if _, err := crand.Read(seed[:]); err != nil {
		return nil, err
	}
	return rand.New(rand.NewChaCha8(seed)), nil
}

// newID names a session that nobody asked for.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// bootID returns the kernel's name for this boot, "" where there is none.
func bootID(log *slog.Logger) string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		log.Warn("results will carry no boot id", "error", err)
	}
	return strings.TrimSpace(string(b))
}

// prune keeps the store within its bounds, unless the clock may be wrong: then
// everything could seem old.
func prune(ctx context.Context, s *store.Store, c *clock, log *slog.Logger) error {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		if !c.mayRemove(time.Since(began)) {
			log.Warn("old results are not removed while the clock cannot be trusted")
		} else if _, err := s.Prune(time.Now()); err != nil {
			log.Error("old results could not be removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
