package ui

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"livenessd"
)

// protocol is the number of the message format in PROTOCOL.md. It changes when
// an older page could not understand a newer daemon.
const protocol = 1

// envelope is a text frame in either direction.
type envelope struct {
	Type  string `json:"type"`
	Value any    `json:"value,omitempty"`
}

// hello is the first message on every connection: the whole present state.
type hello struct {
	Protocol     int            `json:"protocol"`
	Version      string         `json:"version"`
	View         viewMessage    `json:"view"`
	Camera       cameraNotice   `json:"camera"`
	Languages    []languageInfo `json:"languages"`
	Language     string         `json:"language"` // the default
	PicturesKept bool           `json:"pictures_kept"`
}

// cameraNotice is what a page may know of a camera. Paths and bus addresses of
// the device are nobody's business at the door.
type cameraNotice struct {
	Simulated bool `json:"simulated"`
}

// viewMessage is a view with the time that is left, so that a page needs no
// clock that agrees with ours.
type viewMessage struct {
	livenessd.View
	RemainingMS int64 `json:"remaining_ms,omitempty"` // until View.Until
}

func presentView(v livenessd.View, now time.Time) viewMessage {
	m := viewMessage{View: v}
	if !v.Until.IsZero() {
		m.RemainingMS = max(0, v.Until.Sub(now).Milliseconds())
	}
	return m
}

// roundProgress cuts p to 0..1 in steps of half a percent: nobody sees finer
// ones, and each would cost a message.
func roundProgress(p float64) float64 {
	if math.IsNaN(p) {
		return 0
	}
	return math.Round(min(1, max(0, p))*200) / 200
}

// sameView reports whether a and b look the same on the page. Times are
// compared as instants: == would also compare clock readings.
func sameView(a, b livenessd.View) bool {
	same := a.Until.Equal(b.Until)
	a.Until, b.Until = time.Time{}, time.Time{}
	return same && a == b
}

// encodeMessage never fails for the types of this file: they hold strings,
// finite numbers and times.
func encodeMessage(kind string, value any) ([]byte, error) {
	b, err := json.Marshal(envelope{kind, value})
	if err != nil {
		return nil, fmt.Errorf("ui: message %q: %w", kind, err)
	}
	return b, nil
}

// parseMessage returns the type of a message from a page. Its value is not
// looked at: no message that a page may send has one. Errors wrap
// livenessd.ErrInvalid.
func parseMessage(b []byte) (string, error) {
	var m struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return "", fmt.Errorf("ui: message is not a JSON object with a type: %v: %w", err, livenessd.ErrInvalid)
	}
	if m.Type == "" || len(m.Type) > maxTypeLength {
		return "", fmt.Errorf("ui: message type has %d bytes, want 1 to %d: %w", len(m.Type), maxTypeLength, livenessd.ErrInvalid)
	}
	return m.Type, nil
}

const maxTypeLength = 32
