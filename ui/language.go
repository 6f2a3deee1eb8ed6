package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"livenessd"
)

// fallbackLanguage has every key; other languages borrow from it.
const fallbackLanguage = "en"

// Bounds of language files, which a site may write itself.
const (
	maxLanguages    = 32
	maxLanguageFile = 64 << 10 // bytes
	maxText         = 300      // runes
)

// languageInfo is what a page needs to offer a language.
type languageInfo struct {
	Code      string `json:"code"`
	Name      string `json:"name"`  // in the language itself
	Short     string `json:"short"` // for small screens
	Direction string `json:"direction"`
}

// languages holds the words of the page: code → key → text, every language
// with every key.
type languages struct {
	text map[string]map[string]string
	list []languageInfo // the page's default first, then by code
}

func (l *languages) codes() []string {
	var cs []string
	for _, i := range l.list {
		cs = append(cs, i.Code)
	}
	return cs
}

var (
	languageCode = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`) // BCP 47, the part in use
	placeholder  = regexp.MustCompile(`\{[^}]*\}?`)
)

// loadLanguages reads the embedded languages and those in dir, which replace
// or add to them, and puts the one called first before the others. A file may
// leave keys out: the embedded file of the same language answers for them,
// else English, which is logged. Errors wrap livenessd.ErrInvalid and name the
// file and the key.
func loadLanguages(dir, first string, log *slog.Logger) (*languages, error) {
	shipped, err := fs.Sub(embedded, "languages")
	if err != nil {
		return nil, fmt.Errorf("ui: embedded languages: %w", err)
	}
	l := &languages{text: map[string]map[string]string{}}
	if err := l.read(shipped, "the program's own ", log); err != nil {
		return nil, err
	}
	if dir != "" {
		if err := l.read(os.DirFS(dir), strings.TrimSuffix(dir, "/")+"/", log); err != nil {
			return nil, err
		}
	}
	for code, text := range l.text {
		l.list = append(l.list, languageInfo{code, text["language.name"], text["language.short"], text["language.direction"]})
	}
	byName := putFirst(first)
	slices.SortFunc(l.list, func(a, b languageInfo) int { return byName(a.Code, b.Code) })
	if l.text[first] == nil {
		return nil, fmt.Errorf("ui: language is %q, but there is no such language; there are %s: %w",
			first, strings.Join(l.codes(), ", "), livenessd.ErrInvalid)
	}
	return l, nil
}

// putFirst compares names by the alphabet, except that first comes first.
func putFirst(first string) func(a, b string) int {
	return func(a, b string) int {
		if (a == first) != (b == first) {
			if a == first {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	}
}

// read adds every *.json of folder, English first because the others are
// measured against it. where begins the file names in errors.
func (l *languages) read(folder fs.FS, where string, log *slog.Logger) error {
	names, err := fs.Glob(folder, "*.json")
	if err == nil && len(names) == 0 {
		_, err = fs.Stat(folder, ".") // Glob keeps quiet about a folder that is not there
	}
	if err != nil {
		return fmt.Errorf("ui: languages: %s: %v: %w", where, err, livenessd.ErrInvalid)
	}
	slices.SortFunc(names, putFirst(fallbackLanguage+".json"))
	for _, name := range names {
		if err := l.add(folder, name, where+name, log); err != nil {
			return fmt.Errorf("ui: language file %s%s: %w: %w", where, name, err, livenessd.ErrInvalid)
		}
	}
	if len(l.text) > maxLanguages {
		return fmt.Errorf("ui: %s holds too many languages: %d, at most %d: %w", where, len(l.text), maxLanguages, livenessd.ErrInvalid)
	}
	return nil
}

// add reads one file.
func (l *languages) add(folder fs.FS, name, path string, log *slog.Logger) error {
	code := strings.TrimSuffix(name, ".json")
	if !languageCode.MatchString(code) {
		return errors.New(`name it by its language tag, e.g. "de.json" or "pt-BR.json"`)
	}
	f, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	b, err := io.ReadAll(io.LimitReader(f, maxLanguageFile+1))
	if err != nil {
		return err
	}
	text, err := parseLanguage(b)
	if err != nil {
		return err
	}
	english := l.text[fallbackLanguage]
	if english == nil { // this is English itself, which defines the keys
		l.text[code] = text
		return nil
	}
	if err := checkLanguage(text, english); err != nil {
		return err
	}
	l.text[code] = complete(text, l.text[code], english, path, log)
	return nil
}

// complete adds to text what it lacks: from own, the same language so far,
// else from English.
func complete(text, own, english map[string]string, path string, log *slog.Logger) map[string]string {
	var missing []string
	for key, value := range english {
		if _, ok := text[key]; ok {
			continue
		}
		if v, ok := own[key]; ok {
			value = v
		} else {
			missing = append(missing, key)
		}
		text[key] = value
	}
	if missing != nil {
		slices.Sort(missing)
		log.Warn("language file lacks texts, English is shown for them", "file", path, "keys", strings.Join(missing, " "))
	}
	return text
}

// parseLanguage reads one flat JSON object of texts. Errors name the key.
func parseLanguage(b []byte) (map[string]string, error) {
	if len(b) > maxLanguageFile {
		return nil, fmt.Errorf("it has more than %d bytes", maxLanguageFile)
	}
	if !utf8.Valid(b) {
		return nil, errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("it is not a JSON object")
	}
	text := map[string]string{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := k.(string) // the decoder lets only strings be keys
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("key %.100q: %w", key, err)
		}
		if _, twice := text[key]; twice {
			return nil, fmt.Errorf("key %.100q is there twice", key)
		}
		s, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("key %.100q is not a text in quotes", key)
		}
		if err := checkText(s); err != nil {
			return nil, fmt.Errorf("key %.100q: %w", key, err)
		}
		text[key] = s
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	return text, nil
}

func checkText(s string) error {
	if strings.TrimSpace(s) == "" {
		return errors.New("the text is empty: leave the key out instead")
	}
	if n := utf8.RuneCountInString(s); n > maxText {
		return fmt.Errorf("the text has %d characters, at most %d fit", n, maxText)
	}
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		return fmt.Errorf("the text has a control character at byte %d", i)
	}
	return nil
}

// checkLanguage compares text with English: no other keys, the same
// placeholders, a direction that exists.
func checkLanguage(text, english map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(text)) {
		want, ok := english[key]
		if !ok {
			return fmt.Errorf("key %.100q is not known: see languages/en.json for those that are", key)
		}
		if w, g := placeholders(want), placeholders(text[key]); !slices.Equal(w, g) {
			return fmt.Errorf("key %.100q must have the placeholders %v as English does, not %v", key, w, g)
		}
	}
	if d, ok := text["language.direction"]; ok && d != "ltr" && d != "rtl" {
		return fmt.Errorf(`key "language.direction" is %.20q, not "ltr" or "rtl"`, d)
	}
	return nil
}

// placeholders returns the {names} in s, sorted.
func placeholders(s string) []string {
	p := placeholder.FindAllString(s, -1)
	slices.Sort(p)
	return p
}
