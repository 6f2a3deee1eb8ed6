// Command livenessd judges whether the person in front of a door or kiosk is
// really there. It is the only place that joins the folders beside it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"livenessd"
)

// Exit codes. `check` gives 1 a meaning of its own.
const (
	exitOK      = 0
	exitFailed  = 1
	exitMisused = 2
	exitCamera  = 75 // a camera that is there could not be brought back: start anew (EX_TEMPFAIL of sysexits.h, which systemd names)
)

// version is set by the build; a binary built otherwise says what Go knows.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is one subcommand. Its run gets the arguments after its name and
// returns the exit code; errors are printed as one sentence.
type command struct {
	name, args, short string
	run               func(ctx context.Context, env *environment, args []string) (int, error)
}

// environment is what a command sees of the world.
type environment struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
	describe func(f *flag.FlagSet, args string) // takes a command's flags instead of printing them; nil prints
}

func commands() []command {
	return []command{
		{"run", "", "the daemon: camera, decision, screen, store", runCommand},
		{"check", "[-json] IMAGE...", "judge pictures without a daemon (exit 0 all live, 1 some not, 2 unusable input)", checkCommand},
		{"model", "[-check | -bench]", "list, check or time the networks in use", modelCommand},
		{"eval", "-live DIR -attack DIR...", "measure error rates on folders of people and attacks (ISO/IEC 30107-3)", evalCommand},
		{"camera", "[pin|unpin]", "list cameras, their stable names and formats; pin the right one", cameraCommand},
		{"doctor", "[-bundle FILE]", "look at camera, pictures, store, disk, clock and say what to do (exit 1: a fault)", doctorCommand},
		{"results", "[-json]", "list results, from the running daemon or from its file", resultsCommand},
		{"jobs", "[-json]", "list calls of the API, from the running daemon or from its file", jobsCommand},
		{"key", "add|list|set|remove", "credentials of devices on the LAN", keyCommand},
		{"config", "[FILE]", "print the effective configuration, or check a file", configCommand},
		{"kiosk", "[PROGRAM ARG...]", "show the page on this machine's screen, for livenessd-kiosk.service", kioskCommand},
		{"version", "", "print the version", versionCommand},
		{"man", "", "print the manual page, for man -l -", manCommand},
		{"completion", "", "print what bash needs to complete commands and flags", completionCommand},
	}
}

func dispatch(ctx context.Context, args []string, out, errOut io.Writer) int {
	env := &environment{in: os.Stdin, out: out, err: errOut, environ: os.Environ()}
	if len(args) == 0 {
		usage(errOut)
		return exitMisused
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		usage(out)
		return exitOK
	case "-version", "--version":
		args[0] = "version"
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		code, err := c.run(ctx, env, args[1:])
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		if err != nil {
			fmt.Fprintf(errOut, "livenessd %s: %v\n", c.name, err)
		}
		return code
	}
	fmt.Fprintf(errOut, "livenessd: there is no command %q; `livenessd help` lists them\n", args[0])
	return exitMisused
}

func usage(w io.Writer) {
	fmt.Fprint(w, "livenessd judges whether the person in front of a door or kiosk is really there.\n\nUsage: livenessd COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-10s %-24s %s\n", c.name, c.args, c.short)
	}
	fmt.Fprintf(w, `
Configuration: defaults, then the file (-config, else %s where it
exists), then the environment (LIVENESSD_TABLE_KEY), then -set table.key=value.
`+"`livenessd config`"+` prints what is in effect; `+"`livenessd COMMAND -h`"+` lists flags.
`, defaultFile)
}

// flags is a command's flag set with the flags that every command has which
// reads the configuration.
type flags struct {
	*flag.FlagSet
	env      *environment
	file     string
	settings []string
	intro    string // of the help; "" for the usual line
}

func newFlags(env *environment, name, args string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), env: env}
	f.SetOutput(env.err)
	f.Usage = func() {
		if env.describe != nil {
			env.describe(f.FlagSet, args)
			return
		}
		if f.intro == "" {
			f.intro = fmt.Sprintf("Usage: livenessd %s [flags] %s\n", name, args)
		}
		fmt.Fprintln(env.err, f.intro)
		f.PrintDefaults()
	}
	f.StringVar(&f.file, "config", "", "configuration `file` (default "+defaultFile+" where it exists)")
	f.Func("set", "set one key: `table.key=value`; may be given again", func(s string) error {
		f.settings = append(f.settings, s)
		return nil
	})
	return f
}

// storeFlag adds the flag that names the store's file, of which the command
// wants those records.
func (f *flags) storeFlag(records string) {
	f.Func("store", "`file` that keeps the "+records+" (store.path)", func(path string) error {
		f.settings = append(f.settings, "store.path="+path)
		return nil
	})
}

// config loads the effective configuration after Parse.
func (f *flags) config() (Config, error) { return loadConfig(f.file, f.env.environ, f.settings) }

// newLog makes the program's logger. Text goes to systemd's journal with its
// fields where w leads there.
func newLog(w io.Writer, c LogConfig) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // validate has refused anything else
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	text := slog.NewTextHandler(w, o)
	if j := newJournal(w, os.Getenv, level, text); j != nil {
		return slog.New(j)
	}
	return slog.New(text)
}

// versionString names the build.
func versionString() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := strings.TrimPrefix(info.Main.Version, "(devel)")
	if v == "" {
		v = "unversioned"
	}
	return v
}

func versionCommand(_ context.Context, env *environment, args []string) (int, error) {
	if len(args) > 0 {
		return exitMisused, fmt.Errorf("%w: version takes no arguments", livenessd.ErrInvalid)
	}
	fmt.Fprintln(env.out, "livenessd", versionString())
	return exitOK, nil
}

func configCommand(_ context.Context, env *environment, args []string) (int, error) {
	f := newFlags(env, "config", "[FILE]")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	if f.NArg() > 1 {
		return exitMisused, fmt.Errorf("%w: one file at a time", livenessd.ErrInvalid)
	}
	if f.NArg() == 1 {
		if f.file != "" {
			return exitMisused, fmt.Errorf("%w: the file is named twice, by -config and as an argument", livenessd.ErrInvalid)
		}
		f.file = f.Arg(0)
	}
	cfg, err := f.config()
	if err != nil {
		return exitMisused, err
	}
	b, err := cfg.print()
	if err != nil {
		return exitFailed, err
	}
	_, err = env.out.Write(b)
	return exitOK, err
}
