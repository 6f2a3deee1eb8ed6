package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livenessd/models"
)

// attributesSpec is of a network for attributes that models/testdata/networks.py
// made, but for its digest.
func attributesSpec(name string) models.Spec {
	return models.Spec{
		Name: "site-" + name, Role: models.RoleAttributes, File: name + ".onnx", Runtime: models.RuntimeOpenCV, Threshold: 0.5,
		Input:   models.Input{Name: "input", Width: 16, Height: 16, Colour: "rgb", Scale: 1.0 / 255},
		Crop:    &models.Crop{Scale: 1.5, Shape: "square"},
		Outputs: []models.Output{{Name: "output", Shape: []int{2}, Classes: []string{"mask", "hat"}}},
		Licence: "ours",
	}
}

// madeNetwork returns the bytes of one of those networks.
func madeNetwork(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "models", "testdata", name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// siteWith makes a folder with a set that names one network for attributes and,
// unless data is nil, with its file.
func siteWith(t *testing.T, spec models.Spec, data []byte) string {
	t.Helper()
	sum := sha256.Sum256(data)
	spec.SHA256 = hex.EncodeToString(sum[:])
	b, err := json.Marshal(map[string]any{"attributes": spec})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, models.SetFile), string(b))
	if data != nil {
		write(t, filepath.Join(dir, spec.File), string(data))
	}
	return dir
}

func colours() models.Spec {
	s := attributesSpec("colours")
	s.Outputs[0] = models.Output{Name: "output", Shape: []int{5}, Classes: models.AttributeNames}
	return s
}

// Ensure that a site's network that does not do is refused with a reason, and
// that what it does to its runtime is not done to this process.
func TestBadNetworks(t *testing.T) {
	for _, c := range []struct {
		name string
		spec models.Spec
		data []byte
		want []string
	}{
		{"ends the process", attributesSpec("crash"), madeNetwork(t, "crash"), []string{"ended the process that tried it", "SIGFPE"}},
		{"numbers that are none", attributesSpec("nan"), madeNetwork(t, "nan"), []string{"not finite"}},
		{"a layer that OpenCV does not have", attributesSpec("no-such-op"), madeNetwork(t, "no-such-op"), []string{"cannot be loaded by OpenCV", "Einsum"}},
		{"more memory than there is", attributesSpec("hungry"), madeNetwork(t, "hungry"), []string{"Failed to allocate"}},
		{"output of another length", attributesSpec("colours"), madeNetwork(t, "colours"), []string{"cannot be run by OpenCV"}},
		{"cut off", colours(), madeNetwork(t, "colours")[:200], []string{"not an ONNX model"}},
		{"noise in an envelope", attributesSpec("noise"), []byte("\x08\x08\x3a\x20" + strings.Repeat("\xa5\x5a\x3c\x11", 8)), []string{"cannot be loaded by OpenCV"}},
		{"not there", attributesSpec("gone"), nil, []string{"gone.onnx", "was not found"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			survey, err := models.Look("", []string{siteWith(t, c.spec, c.data)})
			if err != nil {
				t.Fatal(err)
			}
			n := survey.Networks[len(survey.Networks)-1]
			if n.Name != c.spec.Name {
				t.Fatalf("the last network is %s", n.Name)
			}
			if err = n.Err; err == nil {
				err = tryStrangers(t.Context(), []models.Network{n.Network})
			}
			if err == nil {
				t.Fatal("it is not refused")
			}
			for _, w := range append(c.want, string(models.RoleAttributes)) {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in: %v", w, err)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
}

// Ensure that commands say in one line which network is bad, and why.
func TestCommandsRefuseBadNetwork(t *testing.T) {
	dir, known := siteWith(t, attributesSpec("crash"), madeNetwork(t, "crash")), t.TempDir()
	code, out, errs := cli(t, "model", "-check", "-set", "models.dirs="+known, dir)
	if code != exitFailed || strings.Count(out, "cannot be used: loading and running it ended the process") != 1 || strings.Contains(out+errs, "goroutine ") {
		t.Errorf("model -check: exit code %d, %s%s", code, out, errs)
	}
	picture := filepath.Join(t.TempDir(), "wall.png")
	writePNG(t, picture)
	for name, c := range map[string]struct {
		code int
		args []string
	}{
		"check": {exitMisused, []string{"check", picture}},
		"run":   {exitFailed, []string{"run", "-camera", "sim", "-listen", "127.0.0.1:0", "-store", filepath.Join(t.TempDir(), "l.db")}},
		"bench": {exitFailed, []string{"model", "-bench", "-n", "1"}},
	} {
		args := append([]string{c.args[0], "-set", "models.dirs=" + dir + "," + known}, c.args[1:]...)
		code, _, errs := cli(t, args...)
		for _, w := range []string{"[models]", "site-crash", filepath.Join(dir, "crash.onnx"), "livenessd model -check"} {
			if !strings.Contains(errs, w) {
				t.Errorf("%s does not say %q: %s", name, w, errs)
			}
		}
		if code != c.code || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit code %d, %s", name, code, errs)
		}
	}
}

// Ensure that a site's good network is used.
func TestGoodNetwork(t *testing.T) {
	dir, known := siteWith(t, colours(), madeNetwork(t, "colours")), t.TempDir()
	set := "models.dirs=" + dir + "," + known
	code, out, errs := cli(t, "model", "-check", "-set", "models.dirs="+known, filepath.Join(dir, models.SetFile))
	if code != exitOK || !strings.Contains(out, "site-colours") || !strings.Contains(out, "ok, 1 KiB, "+dir) {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	var list listedSet
	code, out, errs = cli(t, "model", "-json", "-set", set)
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	last := list.Networks[len(list.Networks)-1]
	if list.Set != filepath.Join(dir, models.SetFile) || last.Role != models.RoleAttributes || last.Builtin || last.Tried ||
		last.From != filepath.Join(dir, "colours.onnx") || last.Input != "16×16" || len(last.SHA256) != 64 || last.Bytes == 0 {
		t.Errorf("%+v", list)
	}
	if first := list.Networks[0]; first.Role != models.RoleFace || !first.Builtin {
		t.Errorf("%+v", first)
	}
}

func TestModelRefusals(t *testing.T) {
	empty, bad := t.TempDir(), t.TempDir()
	write(t, filepath.Join(bad, models.SetFile), `{"texure": []}`)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"model", "-check", "-bench"}, exitMisused, "say one"},
		{[]string{"model", "set.json"}, exitMisused, "only -check"},
		{[]string{"model", "-check", "a", "b"}, exitMisused, "one at most"},
		{[]string{"model", "-bench", "-n", "0"}, exitMisused, "-n must"},
		{[]string{"model", "-check", "/nowhere"}, exitMisused, "/nowhere"},
		{[]string{"model", "-check", empty}, exitMisused, "there is no set.json in " + empty},
		{[]string{"model", "-check", bad}, exitFailed, `unknown field "texure"`},
	} {
		code, _, errs := cli(t, c.args...)
		if code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d, want %d: %s", c.args, code, c.code, errs)
		}
	}
}

func TestTryNetwork(t *testing.T) {
	stranger := func(name string, side int) models.Network {
		n := models.Network{Spec: attributesSpec(name), Data: madeNetwork(t, name)}
		n.Input.Width, n.Input.Height = side, side
		return n
	}
	begin := time.Now()
	err := tryNetwork(t.Context(), stranger("slow", 1024), probe{patience: time.Second, memory: 2 << 30})
	if err == nil || !strings.Contains(err.Error(), "within 1s") {
		t.Errorf("a network that takes minutes: %v after %v", err, time.Since(begin))
	}
	err = tryNetwork(t.Context(), stranger("crash", 16), probe{patience: time.Minute, memory: 1})
	if err == nil || !strings.Contains(err.Error(), "ended the process") {
		t.Errorf("no memory at all: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tryNetwork(ctx, stranger("crash", 16), defaultProbe); !errors.Is(err, context.Canceled) {
		t.Errorf("told to stop: %v", err)
	}
	defer func(p func() (string, error)) { program = p }(program)
	program = func() (string, error) { return "/nowhere/livenessd", nil }
	if err := tryNetwork(t.Context(), stranger("nan", 16), defaultProbe); err == nil || !strings.Contains(err.Error(), "/nowhere/livenessd") {
		t.Errorf("no program: %v", err)
	}
}

// Ensure that whatever a child says is bounded and made one line.
func TestWordsOfChildren(t *testing.T) {
	b := &bounded{room: 5}
	for _, s := range []string{"abc", "defg", "hij"} {
		if n, err := b.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if b.String() != "abcde" {
		t.Errorf("kept %q", b)
	}
	if got := oneLine(" a\n\tb  c "); got != "a b c" {
		t.Errorf("%q", got)
	}
	if got := oneLine(strings.Repeat("€", 300)); len(got) > maxReason+len("…") || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	how := errors.New("exit status 2")
	if got := lastWords("\n \nSIGFPE: floating-point exception\nPC=0x7\n", how); got != "SIGFPE: floating-point exception (exit status 2)" {
		t.Errorf("%q", got)
	}
	if got := lastWords("", how); got != "exit status 2" {
		t.Errorf("%q", got)
	}
}

// Ensure that only a clear yes from a process that ended well is one.
func TestVerdicts(t *testing.T) {
	died := errors.New("signal: killed")
	for _, c := range []struct {
		out, errs string
		end       error
		want      string
	}{
		{`{"ok":true}`, "", nil, ""},
		{`{"ok":true}`, "warning: something\n", nil, ""},
		{`{"ok":true}`, "", died, "ended the process that tried it: signal: killed"},
		{`{"ok":true,"error":"no"}`, "", nil, "no"},
		{`{"ok":false,"error":"too many outputs"}`, "", nil, "too many outputs"},
		{`{"ok":false}`, "", nil, "no answer"},
		{`{"ok":true`, "", nil, "no answer"},
		{"", "SIGSEGV: segmentation violation\nPC=0", died, "SIGSEGV: segmentation violation (signal: killed)"},
		{"Loading…\n{\"ok\":true}", "", nil, "no answer"},
	} {
		err := sentence([]byte(c.out), c.errs, c.end)
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q, %q, %v: %v, want %q", c.out, c.errs, c.end, err, c.want)
		}
	}
}

func FuzzTryHere(f *testing.F) {
	f.Add([]byte("{}\n"))
	f.Add([]byte("{\"role\":\"face\"}\n\x08\x08\x3a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Not what would reach OpenCV: that is for a process of its own.
		if strings.Contains(string(b), models.RuntimeOpenCV) || strings.Contains(string(b), models.RuntimeTensorFlow) {
			return
		}
		if tryHere(strings.NewReader(string(b))) == nil {
			t.Error("a network without a runtime ran")
		}
	})
}
