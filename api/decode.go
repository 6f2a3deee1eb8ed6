package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"livenessd"
)

// Bounds of what callers send. The native API takes a handful of words; what
// is longer is a mistake or worse.
const (
	maxBody      = 64 << 10 // bytes
	maxQuery     = 1 << 10  // bytes
	maxReference = 128      // characters
	maxTimeout   = 600      // seconds
	maxID        = 64       // bytes; a UUID has 36
	maxCursor    = 256      // bytes
	maxLimit     = 200      // results a page
	defaultLimit = 50
)

// readBody returns the body of r, nil when there is none, never more than
// maxBody bytes of it. A body must say that it is JSON: a form or plain text
// is what a foreign page could send without asking.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := &refusal{
		status: http.StatusRequestEntityTooLarge, code: "too_large",
		message: fmt.Sprintf("the body is longer than %d bytes", maxBody), cause: livenessd.ErrTooLarge,
	}
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return nil, tooLarge
	}
	if err != nil {
		return nil, &refusal{
			status: http.StatusBadRequest, code: "invalid",
			message: "the body ended early or came too slowly", cause: err,
		}
	}
	if len(body) == 0 {
		return nil, nil
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, &refusal{
			status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", field: "Content-Type",
			message: "send the body as JSON with the header Content-Type: application/json",
		}
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, &refusal{
			status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", field: "Content-Encoding",
			message: "send the body without Content-Encoding",
		}
	}
	return body, nil
}

// decodeSessionRequest reads the body of POST /v1/sessions; no body asks for
// the defaults.
func decodeSessionRequest(body []byte) (SessionRequest, error) {
	var q SessionRequest
	if body == nil {
		return q, nil
	}
	err := eachField(body, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "reference":
			q.Reference, err = reference(value)
		case "timeout_s":
			q.Timeout, err = timeout(value)
		case "reduced":
			q.Reduced, err = truth("reduced", value)
		default:
			err = invalid(printable(name), "unknown field; this request knows reference, timeout_s and reduced")
		}
		return err
	})
	if err != nil {
		return SessionRequest{}, err
	}
	return q, nil
}

// eachField calls f for every member of the JSON object that body must be.
// Unlike json.Unmarshal it takes names exactly as they are written and no
// name twice, so that two readers of one body cannot differ.
func eachField(body []byte, f func(name string, value json.RawMessage) error) error {
	notObject := &refusal{status: http.StatusBadRequest, code: "invalid", message: "the body must be one JSON object"}
	if !utf8.Valid(body) || !json.Valid(body) {
		return notObject
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return notObject
	}
	seen := make(map[string]bool)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return notObject
		}
		name, ok := t.(string)
		if !ok {
			return notObject
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return notObject
		}
		if seen[name] {
			return invalid(printable(name), "the field is given twice")
		}
		seen[name] = true
		if err := f(name, value); err != nil {
			return err
		}
	}
	return nil
}

// reference reads a string that is stored and shown as it came, hence no
// control characters. U+FFFD is what broken text becomes when it is decoded.
func reference(value json.RawMessage) (string, error) {
	var s *string
	if err := json.Unmarshal(value, &s); err != nil || s == nil {
		return "", invalid("reference", "must be a string")
	}
	if utf8.RuneCountInString(*s) > maxReference {
		return "", invalid("reference", "must have at most %d characters", maxReference)
	}
	for _, c := range *s {
		if unicode.IsControl(c) || c == unicode.ReplacementChar {
			return "", invalid("reference", "must be plain text without control characters")
		}
	}
	return *s, nil
}

func timeout(value json.RawMessage) (time.Duration, error) {
	// Not through float64 and not 1e2: the value is a whole number as written.
	n, err := strconv.ParseUint(string(value), 10, 32)
	if err != nil || n < 1 || n > maxTimeout {
		return 0, invalid("timeout_s", "must be a whole number of seconds from 1 to %d", maxTimeout)
	}
	return time.Duration(n) * time.Second, nil
}

func truth(name string, value json.RawMessage) (bool, error) {
	switch string(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, invalid(name, "must be true or false")
}

// printable makes a name that a caller chose fit for an answer.
func printable(name string) string {
	const limit = 64
	name = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '?'
	}, name)
	if cut := []rune(name); len(cut) > limit {
		return string(cut[:limit]) + "…"
	}
	return name
}

// query parses the parameters of r, each of which must be known and given
// once: a misspelt one would otherwise be a wrong answer without a word.
func query(r *http.Request, known ...string) (map[string]string, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, invalid("", "the query is longer than %d bytes", maxQuery)
	}
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("", "the query is not well formed")
	}
	values := make(map[string]string)
	for _, name := range known {
		if v := given[name]; len(v) > 1 {
			return nil, invalid(name, "the parameter is given twice")
		} else if len(v) == 1 {
			values[name] = v[0]
		}
		delete(given, name)
	}
	for name := range given {
		what := "none"
		if len(known) > 0 {
			what = strings.Join(known, ", ")
		}
		return nil, invalid(printable(name), "unknown parameter; this path knows %s", what)
	}
	return values, nil
}

// page is which results a caller wants to see.
type page struct {
	cursor      string
	limit       int
	newestFirst bool
}

func decodePage(r *http.Request) (page, error) {
	v, err := query(r, "cursor", "limit", "order")
	if err != nil {
		return page{}, err
	}
	p := page{cursor: v["cursor"], limit: defaultLimit}
	if !utf8.ValidString(p.cursor) || len(p.cursor) > maxCursor {
		return page{}, invalid("cursor", "must be the \"next\" of an earlier page")
	}
	if s, ok := v["limit"]; ok {
		if p.limit, err = strconv.Atoi(s); err != nil || p.limit < 1 || p.limit > maxLimit {
			return page{}, invalid("limit", "must be a whole number from 1 to %d", maxLimit)
		}
	}
	switch order, ok := v["order"]; {
	case !ok || order == "newest":
		p.newestFirst = true
	case order != "oldest":
		return page{}, invalid("order", "must be newest or oldest")
	}
	return p, nil
}

// pathID returns the {id} of the path. What cannot be an id is not looked up.
func pathID(r *http.Request, what string) (string, error) {
	if _, err := query(r); err != nil {
		return "", err
	}
	id := r.PathValue("id")
	if !isID(id, maxID) {
		return "", &refusal{
			status: http.StatusNotFound, code: "not_found", field: "id",
			message: "this cannot be the id of a " + what,
		}
	}
	return id, nil
}
