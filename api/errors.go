package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"livenessd"
)

// refusal is an answer that is not what the caller asked for. Handlers return
// one where a sentinel of livenessd does not say enough.
type refusal struct {
	status     int
	code       string   // for programs; listed in openapi.json
	message    string   // a sentence for whoever reads the caller's log
	field      string   // which part of the request, when it is one
	reasons    []Reason // why the kiosk is not ready
	oldest     uint64   // of the events still kept
	retryAfter int      // seconds, 0 says nothing
	cause      error    // for the log only
}

func (r *refusal) Error() string {
	if r.cause != nil {
		return r.message + ": " + r.cause.Error()
	}
	return r.message
}

func (r *refusal) Unwrap() error { return r.cause }

// invalid refuses one field of a request.
func invalid(field, format string, args ...any) error {
	return &refusal{
		status: http.StatusBadRequest, code: "invalid", field: field,
		message: fmt.Sprintf(format, args...),
	}
}

// errorBody is the JSON of every refusal.
type errorBody struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Field   string   `json:"field,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`
	Oldest  uint64   `json:"oldest,omitempty"`
}

// Seconds after which a refused caller may try again. A session takes some
// twenty seconds, a camera comes back within a few; asking costs little.
const (
	retryBusy     = 5
	retryNotReady = 5
)

// sentinels maps the errors that folders share to answers. Their sentence is
// meant for the caller and is passed on.
var sentinels = []struct {
	err        error
	status     int
	code       string
	retryAfter int
}{
	{livenessd.ErrNotFound, http.StatusNotFound, "not_found", 0},
	{livenessd.ErrInvalid, http.StatusBadRequest, "invalid", 0},
	{livenessd.ErrBusy, http.StatusConflict, "busy", retryBusy},
	{livenessd.ErrNotReady, http.StatusServiceUnavailable, "not_ready", retryNotReady},
	{livenessd.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large", 0},
	{livenessd.ErrGone, http.StatusGone, "gone", 0},
}

// refuse turns any error into an answer. Errors nobody foresaw keep their
// words inside: they may hold paths and worse.
func refuse(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return &refusal{
				status: s.status, code: s.code, retryAfter: s.retryAfter,
				message: err.Error(), cause: err,
			}
		}
	}
	if errors.Is(err, context.Canceled) {
		return &refusal{
			status: http.StatusServiceUnavailable, code: "not_ready", retryAfter: retryNotReady,
			message: "the request ended before it was served", cause: err,
		}
	}
	return &refusal{
		status: http.StatusInternalServerError, code: "internal_error",
		message: "internal error", cause: err,
	}
}

// inField is err as an answer that names the field it is about.
func inField(field string, err error) error {
	r := *refuse(err)
	r.field = field
	return &r
}

// writeError answers with r.
func writeError(w http.ResponseWriter, r *refusal) {
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	body := errorBody{errorDetail{r.code, r.message, r.field, r.reasons, r.oldest}}
	if err := writeJSON(w, r.status, body); err != nil {
		// Strings and numbers always encode.
		panic(err)
	}
}

// writeJSON encodes v and only then starts the answer, so that a value that
// does not encode is still an error the caller can be told about. A client
// that has gone away is not an error.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
	return nil
}

// encode returns v as one line of JSON, its end included. Nobody pastes it
// into a page, so < and & stay readable.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b.Bytes(), nil
}
