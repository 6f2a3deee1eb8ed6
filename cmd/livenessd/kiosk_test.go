package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"livenessd/ui"
)

// Ensure that the browser is started anew exactly when somebody before the
// screen would see nothing, and a new browser would help.
func TestLookout(t *testing.T) {
	began := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	type moment struct {
		at       int // seconds after the browser's start
		painted  int // seconds before that; -1 never
		answered bool
		bad      bool
	}
	tests := []struct {
		name string
		of   []moment
	}{
		{"page comes and stays", []moment{{2, -1, true, false}, {50, 1, true, false}, {100, 5, true, false}}},
		{"page never comes", []moment{{2, -1, true, false}, {59, -1, true, false}, {61, -1, true, true}}},
		{"page of the browser before", []moment{{2, 3, true, false}, {61, 62, true, true}}},
		{"page stops", []moment{{10, 1, true, false}, {29, 20, true, false}, {31, 22, true, true}}},
		{"page stops, and is asked for often", []moment{{10, 1, true, false}, {20, 11, true, false}, {28, 19, true, false}, {30, 21, true, true}}},
		{"daemon away", []moment{{10, 1, true, false}, {11, 0, false, false}, {500, 0, false, false}, {505, -1, true, false}, {519, -1, true, false}, {521, -1, true, true}}},
		{"daemon away from the start", []moment{{100, 0, false, false}, {150, -1, true, false}, {161, -1, true, true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := lookout{began: began, good: began, silence: 20 * time.Second, first: time.Minute}
			for _, m := range tt.of {
				p := ui.Pages{PaintedMS: int64(m.painted) * 1000}
				if m.painted < 0 {
					p.PaintedMS = -1
				}
				if err := s.judge(began.Add(time.Duration(m.at)*time.Second), p, m.answered); (err != nil) != m.bad {
					t.Fatalf("after %d s: %v", m.at, err)
				}
			}
		})
	}
}

// Ensure that a browser whose page no longer paints is ended with a reason,
// that one which dies is reported, and that a stop is no fault.
func TestKioskScreen(t *testing.T) {
	var painted atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(ui.Pages{Connected: 1, PaintedMS: painted.Load()})
	}))
	defer srv.Close()
	tests := []struct {
		name    string
		painted int64
		program []string
		stop    bool
		want    string
	}{
		{"never paints", -1, []string{"sleep", "60"}, false, "has not painted"},
		{"dies", -1, []string{"false"}, false, "false ended: exit status 1"},
		{"missing", -1, []string{"no-such-browser"}, false, "apt install"},
		{"stopped", 0, []string{"sleep", "60"}, true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			painted.Store(tt.painted)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			k := &kioskScreen{
				page: srv.URL + "/", silence: 400 * time.Millisecond, first: 400 * time.Millisecond,
				log: slog.New(slog.DiscardHandler), client: srv.Client(),
			}
			if tt.stop {
				time.AfterFunc(time.Second, cancel)
			}
			err := k.run(ctx, tt.program, io.Discard)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("it ended with %v, want %q", err, tt.want)
			}
		})
	}
}
