// Command licences prints the licences of everything that is linked into the
// daemon: the package's copyright file. It finds them in the modules' own
// folders, and fails where a module has none.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const head = `livenessd, with the networks that it carries, which were made for it by the
scripts of its source's models/train folder.

The program is linked with the Go libraries below, each under its own licence,
and uses OpenCV (Apache License 2.0) and the C and C++ libraries as Debian's
packages bring them: their licences are under /usr/share/doc.
`

func main() {
	if err := list(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// list prints what the packages, e.g. ./cmd/livenessd, are linked with.
func list(packages []string) error {
	if len(packages) == 0 {
		return errors.New("name the packages, for example ./cmd/livenessd")
	}
	root, err := goSays("env", "GOROOT")
	if err != nil {
		return err
	}
	mods, err := goSays(append([]string{"list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}"}, packages...)...)
	if err != nil {
		return err
	}
	lines := append(strings.Split(mods, "\n"), "The Go standard library\t"+root)
	slices.Sort(lines)
	var out bytes.Buffer
	out.WriteString(head)
	for _, line := range slices.Compact(lines) {
		name, dir, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		text, err := licence(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(&out, "\n%s\n%s\n\n%s\n", name, strings.Repeat("-", len(name)), bytes.TrimSpace(text))
	}
	_, err = os.Stdout.Write(out.Bytes())
	return err
}

// licence returns the texts in dir by which a licence is usually named.
func licence(dir string) ([]byte, error) {
	var text []byte
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !(strings.HasPrefix(name, "LICEN") || strings.HasPrefix(name, "COPYING") || strings.HasPrefix(name, "NOTICE")) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if bytes.Contains(b, []byte("Apache License")) && bytes.Contains(b, []byte("Version 2.0, January 2004")) {
			b = []byte("Apache License, version 2.0: /usr/share/common-licenses/Apache-2.0\n") // Debian keeps one copy
		}
		text = append(append(text, b...), '\n')
	}
	if len(text) == 0 {
		return nil, fmt.Errorf("no licence was found in %s", dir)
	}
	return text, nil
}

func goSays(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	b, err := cmd.Output()
	return strings.TrimSpace(string(b)), err
}
