package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"livenessd"
)

// errBody is a body that did not arrive whole, or is encoded in a way that is
// not read.
var errBody = errors.New("the body cannot be read")

// budget bounds the bytes of bodies and of the pictures in them that are held
// at one time, whatever the number of callers.
type budget struct {
	bytes    *semaphore.Weighted
	whole    int64
	patience time.Duration // how long a body may wait for room
}

func newBudget(whole int64, patience time.Duration) *budget {
	return &budget{bytes: semaphore.NewWeighted(whole), whole: whole, patience: patience}
}

const (
	// copies is what a body of n bytes takes: itself, and the pictures decoded
	// from its base64.
	copies = 2
	// firstPart is read of a body that does not say its length; then room is
	// asked for anew, twice as much each time.
	firstPart = 256 << 10
)

// holding is one caller's part of the budget.
type holding struct {
	b    *budget
	held int64
}

func (h *holding) release() {
	h.b.bytes.Release(h.held)
	h.held = 0
}

// first waits for room for n bytes of body.
func (h *holding) first(ctx context.Context, n int64) error {
	n = min(n*copies, h.b.whole)
	patient, cancel := context.WithTimeout(ctx, h.b.patience)
	defer cancel()
	if err := h.b.bytes.Acquire(patient, n); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: too many pictures are being sent at once", livenessd.ErrOverloaded)
	}
	h.held = n
	return nil
}

// more makes room for n bytes of body in all. It does not wait: callers who
// hold some and wait for more could wait for each other.
func (h *holding) more(n int64) error {
	n = min(n*copies, h.b.whole)
	if n <= h.held {
		return nil
	}
	if !h.b.bytes.TryAcquire(n - h.held) {
		return fmt.Errorf("%w: too many pictures are being sent at once", livenessd.ErrOverloaded)
	}
	h.held = n
	return nil
}

// read returns the body of r, at most limit bytes, with or without a
// Content-Length. Its room in the budget is held until h is released.
func (h *holding) read(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "" {
		return nil, fmt.Errorf("%w: send it without Content-Encoding", errBody)
	}
	if r.ContentLength > limit {
		return nil, tooLong(limit)
	}
	size := r.ContentLength
	if size < 0 {
		size = min(firstPart, limit)
	}
	if err := h.first(r.Context(), size); err != nil {
		return nil, err
	}
	in := http.MaxBytesReader(w, r.Body, limit)
	body := make([]byte, 0, size+1)
	for {
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, tooLong(limit)
		}
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			if ctx := r.Context().Err(); ctx != nil {
				return nil, ctx
			}
			return nil, fmt.Errorf("%w: it ended early or came too slowly: %v", errBody, err)
		}
		if len(body) < cap(body) {
			continue
		}
		size = min(2*int64(cap(body)), limit)
		if err := h.more(size); err != nil {
			return nil, err
		}
		grown := make([]byte, len(body), size+1)
		copy(grown, body)
		body = grown
	}
}

func tooLong(limit int64) error {
	return fmt.Errorf("%w: the body is longer than %d bytes", livenessd.ErrTooLarge, limit)
}

// maxDrain bounds what is read of a body that nobody wants.
const maxDrain = 8 << 20

// drain reads what is left of a refused request's body, so that a client that
// is still sending hears the answer instead of a broken connection. One that
// waits for leave to send is not given it.
func drain(r *http.Request) {
	if r.Header.Get("Expect") == "" {
		// The answer is the same whatever becomes of the rest.
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
	}
}
