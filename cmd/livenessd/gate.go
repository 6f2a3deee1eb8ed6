package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"livenessd"
)

// gate lets callers of the API judge pictures a few at a time and after the
// camera: whoever stands at the door is not kept waiting by a device on the
// LAN. Who may not wait any longer is told so, and when to come again.
type gate struct {
	seats    chan struct{} // a token for each analysis that may run
	room     chan struct{} // a token for each caller inside, running or waiting
	patience time.Duration
	camera   *precedence
}

// maxYield is how long an analysis that has a seat lets the camera go first.
// Where the camera is never done, on a machine too slow for it, callers still
// get their turn.
const maxYield = 250 * time.Millisecond

func newGate(analyses, waiting int, patience time.Duration, camera *precedence) *gate {
	return &gate{
		seats: make(chan struct{}, analyses), room: make(chan struct{}, analyses+waiting),
		patience: patience, camera: camera,
	}
}

// enter waits for a seat and for the camera to be done. The caller must call
// leave once, if err is nil. Errors wrap livenessd.ErrOverloaded and tell when
// to come again, or are ctx's.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case g.room <- struct{}{}:
	default:
		return nil, &overloadedError{g.patience, fmt.Sprintf("%d callers are waiting", cap(g.room)-cap(g.seats))}
	}
	patience := time.NewTimer(g.patience)
	defer patience.Stop()
	select {
	case g.seats <- struct{}{}:
	case <-patience.C:
		<-g.room
		return nil, &overloadedError{g.patience, fmt.Sprintf("no turn within %v", g.patience)}
	case <-ctx.Done():
		<-g.room
		return nil, ctx.Err()
	}
	leave = sync.OnceFunc(func() { <-g.seats; <-g.room })
	yield := time.NewTimer(maxYield)
	defer yield.Stop()
	for {
		busy := g.camera.busy()
		if busy == nil {
			return leave, nil
		}
		select {
		case <-busy:
		case <-yield.C:
			return leave, nil
		case <-ctx.Done():
			leave()
			return nil, ctx.Err()
		}
	}
}

// register publishes how full the gate is.
func (g *gate) register(r prometheus.Registerer) error {
	return r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "livenessd_api_callers", Help: "Callers whose pictures are being judged or wait for it.",
	}, func() float64 { return float64(g.inside()) }))
}

// inside returns how many callers run or wait.
func (g *gate) inside() int { return len(g.room) }

// overloadedError says that there is no turn, and when there may be one.
type overloadedError struct {
	after time.Duration
	why   string
}

func (e *overloadedError) Error() string { return e.why + ": " + livenessd.ErrOverloaded.Error() }
func (e *overloadedError) Unwrap() error { return livenessd.ErrOverloaded }

// RetryAfter is how long to wait before the next try.
func (e *overloadedError) RetryAfter() time.Duration { return e.after }

// precedence is the camera's right of way: it is busy from the moment a frame
// arrived until that frame, or a newer one in its place, has been judged. The
// zero value is not busy.
type precedence struct {
	mu      sync.Mutex
	waiting bool          // a frame has arrived
	judging bool          // a frame is being judged
	done    chan struct{} // closed when neither holds any more; nil while neither does
}

// arrived says that a frame is about to be put where the camera's loop finds it.
func (p *precedence) arrived() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = true
	p.begun()
}

// begin says that the frame which arrived is being judged, until end is called.
func (p *precedence) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting, p.judging = false, true
	p.begun()
}

func (p *precedence) begun() {
	if p.done == nil {
		p.done = make(chan struct{})
	}
}

func (p *precedence) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.judging = false; !p.waiting {
		close(p.done)
		p.done = nil
	}
}

// busy returns a channel that is closed when the camera has nothing to do, nil
// when it has nothing to do now.
func (p *precedence) busy() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}
