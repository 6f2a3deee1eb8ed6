package main

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"livenessd"
)

// defaultFile is read when it exists and no other file is named.
const defaultFile = "/etc/livenessd/livenessd.toml"

// loadConfig makes the effective configuration: defaults, then the file, then
// the environment, then settings from the command line ("table.key=value").
// Errors wrap livenessd.ErrInvalid and name the key, and the line where there
// is one.
func loadConfig(file string, environ, settings []string) (Config, error) {
	cfg := defaultConfig()
	named := file != ""
	if !named {
		file = defaultFile
	}
	b, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
	case err != nil:
		return cfg, fmt.Errorf("configuration file: %w", err)
	default:
		if err := decodeConfig(b, &cfg); err != nil {
			return cfg, fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, e := range environ {
		key, value, ok := strings.Cut(e, "=")
		if rest, ours := strings.CutPrefix(key, envPrefix); ok && ours {
			if err := cfg.set(envKey(rest), value); err != nil {
				return cfg, fmt.Errorf("environment variable %s: %w", key, err)
			}
		}
	}
	for _, s := range settings {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return cfg, fmt.Errorf("-set %s: %w: it must read table.key=value", s, livenessd.ErrInvalid)
		}
		if err := cfg.set(key, value); err != nil {
			return cfg, fmt.Errorf("-set %s: %w", s, err)
		}
	}
	return cfg, cfg.validate()
}

// envPrefix begins the names of environment variables; then comes the table,
// one underscore and the key: LIVENESSD_CAMERA_SOURCE.
const envPrefix = "LIVENESSD_"

func envKey(name string) string {
	table, key, _ := strings.Cut(strings.ToLower(name), "_")
	return table + "." + key
}

// decodeConfig reads TOML over cfg. Unknown keys are errors.
func decodeConfig(b []byte, cfg *Config) error {
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	err := d.Decode(cfg)
	var strict *toml.StrictMissingError
	var decode *toml.DecodeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &strict):
		e := strict.Errors[0]
		line, _ := e.Position()
		key := strings.Join(e.Key(), ".")
		return fmt.Errorf("line %d: %w: there is no key %q%s", line, livenessd.ErrInvalid, key, suggest(key))
	case errors.As(err, &decode):
		line, column := decode.Position()
		what := strings.TrimPrefix(decode.Error(), "toml: ")
		if key := strings.Join(decode.Key(), "."); key != "" {
			return fmt.Errorf("line %d, column %d: %w: %s: %s", line, column, livenessd.ErrInvalid, key, what)
		}
		return fmt.Errorf("line %d, column %d: %w: %s", line, column, livenessd.ErrInvalid, what)
	}
	return fmt.Errorf("%w: %v", livenessd.ErrInvalid, err)
}

// fields returns every setting by its dotted key.
func (c *Config) fields() map[string]reflect.Value {
	m := map[string]reflect.Value{}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		table := v.Type().Field(i).Tag.Get("toml")
		for j := range v.Field(i).NumField() {
			m[table+"."+v.Field(i).Type().Field(j).Tag.Get("toml")] = v.Field(i).Field(j)
		}
	}
	return m
}

// set gives one key a value written as text. Lists are split at commas.
func (c *Config) set(key, value string) error {
	f, ok := c.fields()[key]
	if !ok {
		return fmt.Errorf("%w: there is no key %q%s", livenessd.ErrInvalid, key, suggest(key))
	}
	bad := func(what string) error {
		return fmt.Errorf("%w: %s must be %s, not %q", livenessd.ErrInvalid, key, what, value)
	}
	if u, ok := f.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(value)); err != nil {
			return fmt.Errorf("%w: %s: %v", livenessd.ErrInvalid, key, err)
		}
		return nil
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(value)
	case reflect.Bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return bad("true or false")
		}
		f.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return bad("a whole number")
		}
		f.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return bad("a number")
		}
		f.SetFloat(n)
	case reflect.Slice:
		list := []string{}
		for _, s := range strings.Split(value, ",") {
			if s = strings.TrimSpace(s); s != "" {
				list = append(list, s)
			}
		}
		f.Set(reflect.ValueOf(list))
	}
	return nil
}

// suggest names the known key nearest to a mistyped one, or all of its table.
func suggest(key string) string {
	table, name, _ := strings.Cut(key, ".")
	var here []string
	best, distance := "", 3
	for k := range new(Config).fields() {
		t, n, _ := strings.Cut(k, ".")
		if d := editDistance(k, key); d < distance || (d == distance && k < best) {
			best, distance = k, d
		}
		if t == table && name != "" {
			here = append(here, n)
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	if len(here) > 0 {
		sort.Strings(here)
		return fmt.Sprintf("; [%s] knows %s", table, strings.Join(here, ", "))
	}
	return "; the tables are camera, models, session, store, page, api, lan and log"
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
