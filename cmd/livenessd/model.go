package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"livenessd"
	"livenessd/models"
)

// modelCommand lists the networks in use, checks a site's own, or times them.
func modelCommand(ctx context.Context, env *environment, args []string) (int, error) {
	if len(args) == 2 && args[0] == probeArg {
		memory, err := strconv.ParseUint(args[1], 10, 64)
		if err != nil {
			return exitMisused, err
		}
		return probeCommand(os.Stdin, env.out, memory)
	}
	f := newFlags(env, "model", "[SET.json|DIR]")
	asJSON := f.Bool("json", false, "one JSON object")
	check := f.Bool("check", false, "try each network of SET.json, of DIR/set.json, or of the set in use (exit 0 all good, 1 some not, 2 nothing to check)")
	bench := f.Bool("bench", false, "time the networks in use, and the reference networks that are there")
	rounds := f.Int("n", 100, "with -bench: how `often` each network runs")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	switch {
	case *check && *bench:
		return exitMisused, fmt.Errorf("%w: -check and -bench are two things: say one", livenessd.ErrInvalid)
	case f.NArg() > 1 || (f.NArg() == 1 && !*check):
		return exitMisused, fmt.Errorf("%w: only -check takes an argument, and one at most; not %q", livenessd.ErrInvalid, f.Arg(f.NArg()-1))
	case *rounds < 1 || *rounds > 100_000:
		return exitMisused, fmt.Errorf("%w: -n must be between 1 and 100000, not %d", livenessd.ErrInvalid, *rounds)
	}
	cfg, err := f.config()
	if err != nil {
		return exitMisused, err
	}
	if *bench {
		return benchNetworks(ctx, env.out, cfg.Models.Dirs, *rounds, *asJSON)
	}
	set, err := whichSet(f.Arg(0))
	if err != nil {
		return exitMisused, err
	}
	survey, err := models.Look(set, cfg.Models.Dirs)
	if err != nil {
		return exitFailed, fmt.Errorf("[models] %w", err)
	}
	if *check {
		if err := tryAll(ctx, survey); err != nil {
			return exitFailed, err
		}
	}
	return listNetworks(env.out, survey, *check, *asJSON)
}

// whichSet returns the description that arg means, "" for the one in use.
func whichSet(arg string) (string, error) {
	if arg == "" {
		return "", nil
	}
	info, err := os.Stat(arg)
	if err != nil || !info.IsDir() {
		return arg, err
	}
	set := filepath.Join(arg, models.SetFile)
	if _, err := os.Stat(set); err != nil {
		return "", fmt.Errorf("there is no %s in %s: %w", models.SetFile, arg, err)
	}
	return set, nil
}

// tryAll tries every network that was found, the built-in ones too: whoever
// asks wants to know. It writes what it learns into survey; its own error is
// that it was stopped.
func tryAll(ctx context.Context, survey *models.Survey) error {
	for i := range survey.Networks {
		n := &survey.Networks[i]
		if n.Err == nil {
			n.Err = tryNetwork(ctx, n.Network, defaultProbe)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// listedSet is what `model -json` prints.
type listedSet struct {
	Set      string          `json:"set,omitempty"` // the site's own description
	Networks []listedNetwork `json:"networks"`
	Fusion   models.Fusion   `json:"fusion"`
}

type listedNetwork struct {
	Role      models.Role `json:"role"`
	Name      string      `json:"name"`
	File      string      `json:"file"`
	From      string      `json:"from,omitempty"` // path, or "built-in"
	Builtin   bool        `json:"builtin"`        // of the built-in set, wherever its file was found
	Input     string      `json:"input"`          // width×height
	Bytes     int         `json:"bytes,omitempty"`
	SHA256    string      `json:"sha256"`
	Threshold float64     `json:"threshold"`
	Runtime   string      `json:"runtime"`
	Licence   string      `json:"licence"`
	Card      string      `json:"card,omitempty"`
	Tried     bool        `json:"tried"` // it was run, by -check
	Error     string      `json:"error,omitempty"`
}

func listNetworks(w io.Writer, s *models.Survey, tried, asJSON bool) (int, error) {
	code := exitOK
	list := listedSet{Set: s.SetFile, Fusion: s.Fusion}
	for _, n := range s.Networks {
		l := listedNetwork{
			Role: n.Role, Name: n.Name, File: n.File, From: n.From, Builtin: n.Builtin, Bytes: len(n.Data),
			Input: fmt.Sprintf("%d×%d", n.Input.Width, n.Input.Height), SHA256: n.SHA256, Threshold: n.Threshold,
			Runtime: n.Runtime, Licence: n.Licence, Card: n.Card, Tried: tried && n.From != "",
		}
		if n.Err != nil {
			l.Error, code = n.Err.Error(), exitFailed
		}
		list.Networks = append(list.Networks, l)
	}
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return code, e.Encode(list)
	}
	return code, list.print(w, tried)
}

func (l listedSet) print(w io.Writer, tried bool) error {
	var b strings.Builder
	if l.Set != "" {
		fmt.Fprintf(&b, "%s names some of these:\n", l.Set)
	}
	for _, n := range l.Networks {
		fmt.Fprintf(&b, "%-10s  %-20s  %-7s  %s  threshold %g  %s  %s\n", n.Role, n.Name, n.Input, n.SHA256[:12], n.Threshold, n.Runtime, n.Licence)
		switch {
		case n.Error != "":
			fmt.Fprintf(&b, "            cannot be used: %s\n", n.Error)
		case tried:
			fmt.Fprintf(&b, "            ok, %d KiB, %s\n", (n.Bytes+1023)/1024, n.From)
		default:
			fmt.Fprintf(&b, "            %d KiB, %s\n", (n.Bytes+1023)/1024, n.From)
		}
	}
	fmt.Fprintf(&b, "%-10s  live at a probability of %g\n", "fusion", l.Fusion.Threshold)
	_, err := io.WriteString(w, b.String())
	return err
}
