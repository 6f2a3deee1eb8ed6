package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"livenessd"
)

// How a finding is.
const (
	findOK      = "ok"
	findWarning = "warning"
	findFault   = "fault"
)

// finding is one line of the doctor's.
type finding struct {
	About string `json:"about"`
	State string `json:"state"` // ok, warning or fault
	What  string `json:"what"`
	Do    string `json:"do,omitempty"` // about what is not ok
}

// doctor gathers findings.
type doctor struct {
	cfg      Config
	daemon   *daemonStatus // nil when none answers
	findings []finding
}

func (d *doctor) add(state, about, what, do string) {
	d.findings = append(d.findings, finding{about, state, what, do})
}

func (d *doctor) ok(about, format string, a ...any) {
	d.add(findOK, about, fmt.Sprintf(format, a...), "")
}

// faults reports whether something keeps the terminal from working.
func (d *doctor) faults() (n int) {
	for _, f := range d.findings {
		if f.State == findFault {
			n++
		}
	}
	return n
}

func doctorCommand(ctx context.Context, env *environment, args []string) (int, error) {
	f := newFlags(env, "doctor", "")
	f.storeFlag("results")
	asJSON := f.Bool("json", false, "a JSON array")
	bundle := f.String("bundle", "", "also write `FILE`.tar.gz for who helps you: findings, configuration, cameras, events, metrics, log; no pictures, names or secrets")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	if f.NArg() > 0 {
		return exitMisused, fmt.Errorf("%w: doctor takes no arguments, not %q", livenessd.ErrInvalid, f.Arg(0))
	}
	cfg, err := f.config()
	if err != nil {
		return exitMisused, err
	}
	d := &doctor{cfg: cfg}
	d.examine(ctx)
	if err := d.print(env.out, *asJSON); err != nil {
		return exitFailed, err
	}
	if *bundle != "" {
		if err := writeBundle(ctx, *bundle, d); err != nil {
			return exitFailed, fmt.Errorf("-bundle: %w", err)
		}
		fmt.Fprintf(env.err, "Written: %s\n", *bundle)
	}
	if d.faults() > 0 {
		return exitFailed, nil
	}
	return exitOK, nil
}

// examineFor bounds the whole of it.
const examineFor = 2 * time.Minute

// examine looks at everything. What one thing needs of another comes first.
func (d *doctor) examine(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, examineFor)
	defer cancel()
	d.ok("configuration", "it can be read and every key is known")
	d.service(ctx)
	d.models(ctx)
	d.cameras()
	d.picture(ctx)
	d.storeFile()
	d.disk()
	d.time()
	d.certificate()
	d.token()
}

func (d *doctor) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(d.findings)
	}
	for _, f := range d.findings {
		if _, err := fmt.Fprintf(w, "%-8s %-14s %s\n", f.State, f.About, f.What); err != nil {
			return err
		}
		if f.Do == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%-8s %-14s → %s\n", "", "", f.Do); err != nil {
			return err
		}
	}
	return nil
}

// service asks the running daemon.
func (d *doctor) service(ctx context.Context) {
	k, err := dialControl(d.cfg.Store.Path)
	if errors.Is(err, livenessd.ErrNotFound) {
		d.add(findWarning, "daemon", "it is not running", "systemctl start livenessd, and journalctl -u livenessd if it does not stay")
		return
	}
	if err != nil {
		d.add(findWarning, "daemon", "it cannot be asked: "+err.Error(), "run this as root, or name the daemon's -store")
		return
	}
	defer k.close()
	s, err := k.status(ctx)
	if err != nil {
		d.add(findFault, "daemon", "it does not answer: "+err.Error(), "systemctl restart livenessd")
		return
	}
	d.daemon = &s
	d.ok("daemon", "%s, up for %s", s.Version, s.Up)
	// Its unit may have set what the file and our environment do not say.
	cfg := defaultConfig()
	if err := decodeConfig([]byte(s.Config), &cfg); err != nil {
		d.add(findWarning, "configuration", "the daemon's is not understood: "+err.Error(), "restart the daemon: it is of another version")
	} else {
		cfg.Store.Path = d.cfg.Store.Path // by which it was found
		d.cfg = cfg
	}
	for _, r := range s.Reasons {
		d.add(findFault, "ready", r.Code+": "+r.Detail, "docs/operate.md says what to do about "+r.Code)
	}
	for _, r := range s.Warnings {
		d.add(findWarning, "ready", r.Code+": "+r.Detail, "docs/operate.md says what to do about "+r.Code)
	}
	if len(s.Reasons) == 0 {
		d.ok("ready", "people can be judged")
	}
	if s.Pages == 0 {
		d.add(findWarning, "page", "no screen shows the page", "open http://"+d.cfg.Page.Listen+"/ on this machine, or look at the kiosk unit")
	} else {
		d.ok("page", "%d connected", s.Pages)
	}
	if s.Waiting > 0 {
		d.add(findFault, "records", fmt.Sprintf("%d entries wait in memory and are lost at a power cut", s.Waiting), "make room on the disk, or mount it writable")
	}
}

// models loads the networks as the daemon does.
func (d *doctor) models(ctx context.Context) {
	eyes, err := openPipeline(ctx, d.cfg)
	if err != nil {
		d.add(findFault, "networks", err.Error(), "livenessd model -check DIR tries them; without files in models.dirs the built-in ones are used")
		return
	}
	own := 0
	for _, n := range eyes.set.Networks() {
		if !n.Builtin {
			own++
		}
	}
	if err := eyes.Close(); err != nil {
		d.add(findWarning, "networks", err.Error(), "")
		return
	}
	d.ok("networks", "%d loaded, %d of them from models.dirs", len(eyes.set.Networks()), own)
}
