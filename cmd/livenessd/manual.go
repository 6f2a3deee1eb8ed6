package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"livenessd"
)

// The manual page and the shell's completion are written from the commands
// themselves, so that they cannot tell of others than there are.

// verbs are the words that may follow a command's name.
var verbs = map[string][]string{"camera": {"pin", "unpin"}, "key": {"add", "list", "set", "remove"}}

// page is what a command says of itself.
type page struct {
	name, args, short string
	flags             []*flag.Flag
}

// pages asks each command for its flags, as `livenessd COMMAND -h` does.
func pages(ctx context.Context) ([]page, error) {
	var all []page
	ask := func(c command, verb string) error {
		p := page{name: strings.TrimSpace(c.name + " " + verb), args: c.args, short: c.short}
		env := &environment{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
		env.describe = func(f *flag.FlagSet, args string) {
			if p.args = args; args == "" && verb == "" {
				p.args = c.args
			}
			f.VisitAll(func(f *flag.Flag) { p.flags = append(p.flags, f) })
		}
		args := []string{"-h"}
		if verb != "" {
			args, p.args, p.short = []string{verb, "-h"}, "", ""
		}
		if _, err := c.run(ctx, env, args); err != nil && !errors.Is(err, flag.ErrHelp) && !errors.Is(err, livenessd.ErrInvalid) {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		all = append(all, p)
		return nil
	}
	for _, c := range commands() {
		for _, verb := range append([]string{""}, verbs[c.name]...) {
			if err := ask(c, verb); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func manCommand(ctx context.Context, env *environment, args []string) (int, error) {
	return writePages(ctx, env, "man", args, writeMan)
}

func completionCommand(ctx context.Context, env *environment, args []string) (int, error) {
	return writePages(ctx, env, "completion", args, writeCompletion)
}

func writePages(ctx context.Context, env *environment, name string, args []string, write func(io.Writer, []page)) (int, error) {
	if len(args) > 0 {
		return exitMisused, fmt.Errorf("%w: %s takes no arguments", livenessd.ErrInvalid, name)
	}
	all, err := pages(ctx)
	if err != nil {
		return exitFailed, err
	}
	var b bytes.Buffer
	write(&b, all)
	_, err = env.out.Write(b.Bytes())
	return exitOK, err
}

// writeMan writes a manual page in the language of man(7).
func writeMan(w io.Writer, all []page) {
	p := func(format string, a ...any) { fmt.Fprintf(w, format+"\n", a...) }
	p(`.TH LIVENESSD 8 "" "livenessd %s" "System administration"`, roff(versionString()))
	p(".SH NAME\nlivenessd \\- judges whether the person in front of a door or kiosk is really there")
	p(".SH SYNOPSIS\n.B livenessd\n.I COMMAND\n[flags]")
	p(".SH DESCRIPTION\n%s", roff(manDescription))
	p(".SH COMMANDS")
	for _, c := range all {
		p(".SS livenessd %s", roff(strings.TrimSpace(c.name+" "+c.args)))
		if c.short != "" {
			p("%s", roff(upperFirst(c.short)+"."))
		}
		for _, f := range c.flags {
			value, usage := flag.UnquoteUsage(f)
			p(".TP\n.B \\-%s %s\n%s%s", roff(f.Name), roff(strings.ToUpper(value)), roff(usage), roff(defaultOf(f)))
		}
	}
	p(".SH ENVIRONMENT\n.TP\n.B LIVENESSD_TABLE_KEY\nSets one key of the configuration, e.g. LIVENESSD_CAMERA_SOURCE. See")
	p(".I %s\nfor the keys.", roff(defaultFile))
	p(".SH EXIT STATUS\n0: done. 1: failed. 2: misused, or unusable input; the sentence on standard error names the field, the file or the device.")
	p(".SH FILES")
	for _, f := range manFiles {
		p(".TP\n.I %s\n%s", roff(f[0]), roff(f[1]))
	}
	p(".SH SEE ALSO\n.BR systemctl (1),\n.BR journalctl (1),\n.BR v4l2\\-ctl (1)")
}

const manDescription = `A camera sees a person; livenessd says whether that person is really there, and not a photograph, a screen or a recording. It tells the person what to do on a screen, keeps the result, and answers programs over HTTP.

Under systemd: "systemctl status livenessd" shows what it is doing, "journalctl -u livenessd" what it did, "livenessd.socket" lets other machines ask it, and "livenessd-kiosk" shows its page on the first console.`

var manFiles = [][2]string{
	{defaultFile, "The configuration. Every key stands there at its default."},
	{"/etc/livenessd/models", "Networks that take the place of the built-in ones."},
	{"/var/lib/livenessd/livenessd.db", "Results, events, records of calls, credentials."},
	{"/var/lib/livenessd/lan.crt", "The certificate for other machines, made at the first start."},
	{"/usr/share/doc/livenessd/examples", "The optional hardware watchdog, and the configuration as it was shipped."},
}

// roff keeps text from being taken for commands of the page's language.
func roff(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	s = strings.ReplaceAll(s, "-", `\-`)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
		if l == "" && i < len(lines)-1 {
			lines[i] = ".PP"
		}
	}
	return strings.Join(lines, "\n")
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func defaultOf(f *flag.Flag) string {
	if slices.Contains([]string{"", "0", "0s", "false"}, f.DefValue) {
		return ""
	}
	return " (default " + f.DefValue + ")"
}

// writeCompletion writes what bash needs to complete commands, their verbs and
// flags; names of files come from bash itself, those of cameras from udev.
func writeCompletion(w io.Writer, all []page) {
	var top []string
	for _, c := range all {
		if !strings.Contains(c.name, " ") {
			top = append(top, c.name)
		}
	}
	fmt.Fprintf(w, `# bash completion of livenessd, written by livenessd completion
_livenessd() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=
	if [ "$COMP_CWORD" = 1 ]; then
		COMPREPLY=($(compgen -W '%s help' -- "$cur"))
		return
	fi
	if [ "$prev" = -camera ]; then
		COMPREPLY=($(compgen -W "auto sim $(cd /dev/v4l/by-id 2>/dev/null && echo *-index0)" -- "$cur"))
		return
	fi
	case "${COMP_WORDS[1]} ${COMP_WORDS[2]} " in
`, strings.Join(top, " "))
	for _, c := range slices.Backward(all) { // a verb before its command
		var words []string
		for _, f := range c.flags {
			words = append(words, "-"+f.Name)
		}
		fmt.Fprintf(w, "\t%q*) words='%s' ;;\n", c.name+" ", strings.Join(append(words, verbs[c.name]...), " "))
	}
	io.WriteString(w, `	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
	[ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _livenessd livenessd
`)
}
