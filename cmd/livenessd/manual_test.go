package main

import (
	"os/exec"
	"strings"
	"testing"
)

// Ensure that manual and completion name every command, verb and flag.
func TestManualIsWhole(t *testing.T) {
	all, err := pages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, man, errs := cli(t, "man")
	if errs != "" {
		t.Error(errs)
	}
	_, completion, errs := cli(t, "completion")
	if errs != "" {
		t.Error(errs)
	}
	flags := 0
	bare := map[string]bool{"version": true, "man": true, "completion": true, "key": true} // these have no flags of their own
	for _, c := range all {
		if !strings.Contains(man, "\n.SS livenessd "+roff(c.name)) || !strings.Contains(completion, "\""+c.name+" \"*)") {
			t.Errorf("%s is missing", c.name)
		}
		if len(c.flags) == 0 && !bare[c.name] {
			t.Errorf("%s has no flags: -h does not end in the usual help", c.name)
		}
		for _, f := range c.flags {
			flags++
			if !strings.Contains(man, ".B \\-"+roff(f.Name)+" ") || !strings.Contains(completion, "-"+f.Name) {
				t.Errorf("%s -%s is missing", c.name, f.Name)
			}
		}
	}
	if len(all) < len(commands())+4 || flags < 20 {
		t.Errorf("%d commands and verbs with %d flags were found", len(all), flags)
	}
}

// Ensure that bash completes what it is asked for.
func TestCompletion(t *testing.T) {
	_, script, _ := cli(t, "completion")
	for words, want := range map[string]string{
		"livenessd ke":          "key",
		"livenessd key re":      "remove",
		"livenessd key add -q":  "-quota",
		"livenessd run -st":     "-store",
		"livenessd results -js": "-json",
	} {
		ask := script + "\nCOMP_WORDS=(" + words + "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _livenessd; echo \"${COMPREPLY[*]}\"\n"
		cmd := exec.Command("bash", "-u")
		cmd.Stdin = strings.NewReader(ask)
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q completes to %q (%v), not to %q", words, got, err, want)
		}
	}
}
