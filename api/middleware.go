package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// recorder remembers what was answered. ResponseController finds the real
// writer through Unwrap.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the header is written
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

type requestIDKey struct{}

// maxRequestID bounds the id a caller may give its request.
const maxRequestID = 64

// requestID returns the caller's X-Request-Id when it is fit for a log line,
// else a new random one.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); isID(id, maxRequestID) {
		return id
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

// isID tells whether s is 1 to limit of the characters that ids are made of.
func isID(s string, limit int) bool {
	for _, c := range []byte(s) {
		ok := c == '-' || c == '_' || c == '.' ||
			'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !ok {
			return false
		}
	}
	return s != "" && len(s) <= limit
}

// observe is the outermost layer: it names, counts and logs every request and
// survives a handler that panics.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := requestID(r)
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		rec := &recorder{ResponseWriter: w}
		h := rec.Header()
		h.Set("X-Request-Id", id)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		defer func() {
			p := recover()
			started := rec.status != 0
			if p != nil && p != http.ErrAbortHandler {
				s.logger(r).Error("handler panicked", "panic", p, "stack", string(debug.Stack()))
				if !started {
					writeError(rec, &refusal{status: http.StatusInternalServerError, code: "internal_error", message: "internal error"})
				}
			}
			s.metrics.observe(r.Pattern, rec.status, time.Since(start))
			s.logger(r).Log(r.Context(), accessLevel(r.Method), "request", "status", rec.status, "took", time.Since(start))
			if p == http.ErrAbortHandler || p != nil && started {
				// Half an answer must not look like a whole one.
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// accessLevel keeps the log of a polled kiosk readable and still shows who
// changed something.
func accessLevel(method string) slog.Level {
	if method == http.MethodGet || method == http.MethodHead {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// logger names the request in every line. The query is left out: it is the
// caller's to keep.
func (s *server) logger(r *http.Request) *slog.Logger {
	id, _ := r.Context().Value(requestIDKey{}).(string)
	return s.log.With("request_id", id, "method", r.Method, "path", r.URL.Path, "from", r.RemoteAddr)
}

// admit lets through whom the guard allows.
func (s *server) admit(next http.Handler) http.Handler {
	return s.handler(func(w http.ResponseWriter, r *http.Request) error {
		if err := s.guard.check(r); err != nil {
			return err
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// handler makes an http.Handler of one that returns its error: the one place
// where errors become answers and log lines.
func (s *server) handler(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		ref := refuse(err)
		level := slog.LevelDebug
		if ref.status == http.StatusInternalServerError {
			level = slog.LevelError
		} else if ref.status == http.StatusForbidden {
			level = slog.LevelWarn
		}
		s.logger(r).Log(r.Context(), level, "request refused", "status", ref.status, "err", err)
		if rec, ok := w.(*recorder); ok && rec.status != 0 {
			return // the answer has begun: only the log can still be told
		}
		writeError(w, ref)
	})
}
