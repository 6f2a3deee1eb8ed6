package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"livenessd"
)

const keyUsage = `Usage: livenessd key add -for DIALECT[,DIALECT] [flags] NAME
       livenessd key list [-json]
       livenessd key set [flags] NAME
       livenessd key remove NAME

A credential lets one device on the LAN ask in the dialects it is made for:
bioid, bws3, trustmatic, glair, verihubs. The running daemon takes changes at
once. Flags come before NAME or after it; ` + "`livenessd key add -h`" + ` lists them.
`

func keyCommand(ctx context.Context, env *environment, args []string) (int, error) {
	verbs := map[string]func(context.Context, *environment, []string) (int, error){
		"add": keyAdd, "list": keyList, "set": keySet, "remove": keyRemove,
	}
	if len(args) == 0 {
		fmt.Fprint(env.err, keyUsage)
		return exitMisused, nil
	}
	if slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		fmt.Fprint(env.out, keyUsage)
		return exitOK, nil
	}
	verb, ok := verbs[args[0]]
	if !ok {
		return exitMisused, fmt.Errorf("%w: key can add, list, set and remove, not %q", livenessd.ErrInvalid, args[0])
	}
	return verb(ctx, env, args[1:])
}

// keyFlags are the flags of a verb.
type keyFlags struct{ *flags }

func newKeyFlags(env *environment, verb, args string) keyFlags {
	f := newFlags(env, "key "+verb, args)
	f.storeFlag("credentials")
	return keyFlags{f}
}

// open parses args, which hold flags and exactly the given number of names in
// any order, and opens the keys.
func (f keyFlags) open(args []string, names int) ([]string, keys, error) {
	var found []string
	for {
		if err := f.Parse(args); err != nil {
			return nil, nil, err
		}
		if f.NArg() == 0 {
			break
		}
		found, args = append(found, f.Arg(0)), f.Args()[1:]
	}
	if len(found) != names {
		return nil, nil, fmt.Errorf("%w: give %d name, not %d; `livenessd %s -h` helps", livenessd.ErrInvalid, names, len(found), f.Name())
	}
	cfg, err := f.config()
	if err != nil {
		return nil, nil, err
	}
	k, err := openKeys(cfg, f.Name() == "key add")
	return found, k, err
}

// limits are the flags that add and set share.
type limits struct {
	dialects string
	quota    uint64
	rate     float64
}

func (f keyFlags) limits() *limits {
	l := &limits{}
	f.StringVar(&l.dialects, "for", "", "`dialects` in which it may ask, separated by commas: bioid, bws3, trustmatic, glair, verihubs")
	f.Uint64Var(&l.quota, "quota", 0, "`calls` it may make in all; 0: no bound")
	f.Float64Var(&l.rate, "rate", 0, "`calls` it may make a minute; 0: no bound")
	return l
}

func parseDialects(list string) ([]livenessd.Dialect, error) {
	var ds []livenessd.Dialect
	for _, s := range strings.Split(list, ",") {
		d := livenessd.Dialect(strings.ToLower(strings.TrimSpace(s)))
		if !slices.Contains(livenessd.Dialects, d) {
			return nil, fmt.Errorf("%w: -for: there is no dialect %q; there are %v", livenessd.ErrInvalid, s, livenessd.Dialects)
		}
		if !slices.Contains(ds, d) {
			ds = append(ds, d)
		}
	}
	return ds, nil
}

// secrets are what a caller must know, in the clear. They are shown once.
type secrets struct {
	Name    string `json:"name"`
	User    string `json:"user"`
	Secret  string `json:"secret,omitempty"`
	Key     string `json:"api_key,omitempty"`
	Signing []byte `json:"signing_key,omitempty"` // standard base64
}

func keyAdd(ctx context.Context, env *environment, args []string) (int, error) {
	f := newKeyFlags(env, "add", "NAME")
	l := f.limits()
	user := f.String("user", "", "`user`, App-ID or client id; NAME if not given")
	given := f.Bool("given", false, "read secrets that exist already from standard input, as lines secret=…, api-key=…, signing-key=BASE64, instead of making them")
	asJSON := f.Bool("json", false, "print the secrets as one JSON object")
	names, k, err := f.open(args, 1)
	if err != nil {
		return exitMisused, err
	}
	defer k.close()
	if l.dialects == "" {
		return exitMisused, fmt.Errorf("%w: -for is missing: name the dialects in which %q may ask, of %v", livenessd.ErrInvalid, names[0], livenessd.Dialects)
	}
	dialects, err := parseDialects(l.dialects)
	if err != nil {
		return exitMisused, err
	}
	s := secrets{Name: names[0], User: names[0]}
	if *user != "" {
		s.User = *user
	}
	if *given {
		if err := s.read(env.in); err != nil {
			return exitMisused, err
		}
	}
	c := s.credential(dialects)
	c.Quota, c.Rate = l.quota, l.rate
	if err := k.add(ctx, c); err != nil {
		return exitFailed, err
	}
	if *asJSON {
		return exitOK, json.NewEncoder(env.out).Encode(s)
	}
	return exitOK, s.print(env.out, dialects)
}

// read takes secrets from lines of text.
func (s *secrets) read(r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, 16<<10))
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		switch {
		case key == "" && !ok:
		case len(value) > maxSecret:
			return fmt.Errorf("%w: standard input: %s has more than %d bytes", livenessd.ErrInvalid, key, maxSecret)
		case key == "secret" && value != "":
			s.Secret = value
		case key == "api-key" && value != "":
			s.Key = value
		case key == "signing-key" && value != "":
			if s.Signing, err = base64.StdEncoding.DecodeString(value); err != nil || len(s.Signing) < 16 {
				return fmt.Errorf("%w: standard input: signing-key must be standard base64 of at least 16 bytes", livenessd.ErrInvalid)
			}
		default:
			return fmt.Errorf("%w: standard input: a line must read secret=…, api-key=… or signing-key=…", livenessd.ErrInvalid)
		}
	}
	return lines.Err()
}

// credential makes the secrets that dialects need and that are not there yet,
// and returns what is kept of all.
func (s *secrets) credential(dialects []livenessd.Dialect) livenessd.Credential {
	c := livenessd.Credential{Name: s.Name, Created: time.Now().UTC(), User: s.User, Dialects: dialects}
	for _, d := range dialects {
		need := needs(d)
		if need.secret && s.Secret == "" {
			s.Secret = newSecret()
		}
		if need.key && s.Key == "" {
			s.Key = newSecret()
		}
		if need.signing && s.Signing == nil {
			s.Signing = newSigningKey()
		}
	}
	if s.Secret != "" {
		c.Secret = hashSecret([]byte(s.Secret))
	}
	if s.Key != "" {
		c.Key = hashSecret([]byte(s.Key))
	}
	c.Signing = s.Signing
	return c
}

// need says which secrets a dialect's callers show.
type need struct{ secret, key, signing bool }

func needs(d livenessd.Dialect) need {
	switch d {
	case livenessd.DialectBWS3:
		return need{signing: true}
	case livenessd.DialectGLAIR:
		return need{secret: true, key: true}
	}
	return need{secret: true}
}

// print says what to put into a client of each dialect.
func (s *secrets) print(w io.Writer, dialects []livenessd.Dialect) error {
	var b strings.Builder
	fmt.Fprintf(&b, "The credential %q. Its secrets are shown this once.\n", s.Name)
	for _, d := range dialects {
		fmt.Fprintf(&b, "\n%s\n", d)
		switch d {
		case livenessd.DialectBioID:
			fmt.Fprintf(&b, "  App-ID      %s\n  App-Secret  %s\n", s.User, s.Secret)
		case livenessd.DialectBWS3:
			fmt.Fprintf(&b, "  client id   %s\n  key         %s\n", s.User, base64.StdEncoding.EncodeToString(s.Signing))
		case livenessd.DialectTrustmatic:
			fmt.Fprintf(&b, "  user        %s\n  password    %s\n", s.User, s.Secret)
		case livenessd.DialectGLAIR:
			fmt.Fprintf(&b, "  username    %s\n  password    %s\n  x-api-key   %s\n", s.User, s.Secret, s.Key)
		case livenessd.DialectVerihubs:
			fmt.Fprintf(&b, "  App-ID      %s\n  API-Key     %s\n", s.User, s.Secret)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func keyList(ctx context.Context, env *environment, args []string) (int, error) {
	f := newKeyFlags(env, "list", "")
	asJSON := f.Bool("json", false, "one JSON object a line")
	_, k, err := f.open(args, 0)
	if err != nil {
		return exitMisused, err
	}
	defer k.close()
	all, err := k.list(ctx)
	if err != nil {
		return exitFailed, err
	}
	enc := json.NewEncoder(env.out)
	for _, c := range all {
		c = withoutSecrets(c)
		if *asJSON {
			err = enc.Encode(c)
		} else {
			_, err = fmt.Fprintln(env.out, keyLine(&c))
		}
		if err != nil {
			return exitFailed, err
		}
	}
	return exitOK, nil
}

// keyLine is one credential for a person to read.
func keyLine(c *livenessd.Credential) string {
	dialects := make([]string, len(c.Dialects))
	for i, d := range c.Dialects {
		dialects[i] = string(d)
	}
	may := strings.Join(dialects, ",")
	if may == "" {
		may = "suspended"
	}
	line := fmt.Sprintf("%-20s  user %-20s  %s  %s", c.Name, c.User, c.Created.Local().Format(time.DateOnly), may)
	if c.Quota > 0 {
		line += fmt.Sprintf("  %d of %d calls used", c.Used, c.Quota)
	}
	if c.Rate > 0 {
		line += fmt.Sprintf("  at most %v a minute", c.Rate)
	}
	return line
}

func withoutSecrets(c livenessd.Credential) livenessd.Credential {
	c.Secret, c.Key, c.Signing = "", "", nil
	return c
}

func keySet(ctx context.Context, env *environment, args []string) (int, error) {
	f := newKeyFlags(env, "set", "NAME")
	l := f.limits()
	reset := f.Bool("reset", false, "begin the quota anew")
	suspend := f.Bool("suspend", false, "let it ask in no dialect, until -for is set again")
	names, k, err := f.open(args, 1)
	if err != nil {
		return exitMisused, err
	}
	defer k.close()
	change := keyChange{Reset: *reset}
	f.Visit(func(fl *flag.Flag) {
		switch fl.Name {
		case "quota":
			change.Quota = &l.quota
		case "rate":
			change.Rate = &l.rate
		}
	})
	switch {
	case *suspend && l.dialects != "":
		return exitMisused, fmt.Errorf("%w: -suspend and -for exclude each other", livenessd.ErrInvalid)
	case *suspend:
		change.Dialects = &[]livenessd.Dialect{}
	case l.dialects != "":
		dialects, err := parseDialects(l.dialects)
		if err != nil {
			return exitMisused, err
		}
		change.Dialects = &dialects
	}
	if change == (keyChange{}) {
		return exitMisused, fmt.Errorf("%w: say what to change: -for, -suspend, -quota, -rate or -reset", livenessd.ErrInvalid)
	}
	if err := k.edit(ctx, names[0], change); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

// keyChange is what `key set` changes; nil leaves a thing as it is.
type keyChange struct {
	Dialects *[]livenessd.Dialect `json:"dialects,omitempty"`
	Quota    *uint64              `json:"quota,omitempty"`
	Rate     *float64             `json:"rate,omitempty"`
	Reset    bool                 `json:"reset,omitempty"`
}

func (k keyChange) apply(c *livenessd.Credential) error {
	if k.Dialects != nil {
		c.Dialects = *k.Dialects
	}
	if k.Quota != nil {
		c.Quota = *k.Quota
	}
	if k.Rate != nil {
		c.Rate = *k.Rate
	}
	if k.Reset {
		c.Used = 0
	}
	return canAsk(c)
}

// canAsk refuses a credential without the secrets that its dialects need.
func canAsk(c *livenessd.Credential) error {
	for _, d := range c.Dialects {
		n := needs(d)
		for what, missing := range map[string]bool{
			"secret": n.secret && c.Secret == "", "x-api-key": n.key && c.Key == "", "signing key": n.signing && len(c.Signing) == 0,
		} {
			if missing {
				return fmt.Errorf("%w: the credential %q has no %s, which %s needs; add another one for it", livenessd.ErrInvalid, c.Name, what, d)
			}
		}
	}
	return nil
}

func keyRemove(ctx context.Context, env *environment, args []string) (int, error) {
	names, k, err := newKeyFlags(env, "remove", "NAME").open(args, 1)
	if err != nil {
		return exitMisused, err
	}
	defer k.close()
	if err := k.remove(ctx, names[0]); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

// ownLike gives files to the owner of their folder when root made them, so
// that the daemon, which is not root, can use them.
func ownLike(folder string, files ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := owner(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Lchown(f, uid, gid); err != nil {
			return fmt.Errorf("the file cannot be given to the daemon's user: %w", err)
		}
	}
	return nil
}
