package ui

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"livenessd"
)

func TestParseMessage(t *testing.T) {
	for in, want := range map[string]string{
		`{"type":"heartbeat"}`:                  "heartbeat",
		` {"type":"heartbeat","value":[1,{}]} `: "heartbeat",
		`{"type":"later"}`:                      "later",
		``:                                      "",
		`null`:                                  "",
		`"heartbeat"`:                           "",
		`{}`:                                    "",
		`{"type":7}`:                            "",
		`{"type":""}`:                           "",
		`{"type":"heartbeat"}{}`:                "",
		`{"type":"` + strings.Repeat("x", 33) + `"}`: "",
	} {
		got, err := parseMessage([]byte(in))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s gives %q, %v; want %q", in, got, err, want)
		}
		if err != nil && !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("%s gives %v, want ErrInvalid", in, err)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, s := range []string{`{"type":"heartbeat"}`, `{"type":"x","value":{}}`, `{"type":1}`, `[`, `{"type":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, err := parseMessage(b)
		if (err == nil) == (kind == "") {
			t.Fatalf("%q gives %q and %v", b, kind, err)
		}
		if err == nil && (!json.Valid(b) || len(kind) > maxTypeLength || !utf8.ValidString(kind)) {
			t.Fatalf("%q was taken as %q", b, kind)
		}
		if err != nil && !errors.Is(err, livenessd.ErrInvalid) {
			t.Fatalf("%q gives %v", b, err)
		}
	})
}

func FuzzParseLanguage(f *testing.F) {
	for _, s := range []string{`{"a":"b"}`, `{"a":1}`, `{"a":"b","a":"c"}`, `{"a":{"b":"c"}}`, `{} x`, "{\"a\":\"\u202e\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := parseLanguage(b)
		if err != nil {
			return
		}
		var plain map[string]string
		if err := json.Unmarshal(b, &plain); err != nil || len(plain) != len(text) {
			t.Fatalf("%q was taken as %v, encoding/json says %v, %v", b, text, plain, err)
		}
		for key, s := range text {
			if plain[key] != s || checkText(s) != nil {
				t.Fatalf("%q gives %q for %q", b, s, key)
			}
		}
	})
}

// A progress that is no number must not keep the view from being sent.
func TestRoundProgress(t *testing.T) {
	for in, want := range map[float64]float64{0: 0, 0.501: 0.5, 0.0049: 0.005, 1: 1, 7: 1, -1: 0, math.Inf(1): 1, math.Inf(-1): 0} {
		if got := roundProgress(in); got != want {
			t.Errorf("%v gives %v, want %v", in, got, want)
		}
	}
	if got := roundProgress(math.NaN()); got != 0 {
		t.Errorf("NaN gives %v", got)
	}
}
