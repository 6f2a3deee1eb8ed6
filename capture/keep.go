package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"livenessd"
)

// DefaultRetry is the pause between two attempts: short enough to have frames
// again well within two seconds of a camera's return.
const DefaultRetry = 300 * time.Millisecond

// Keeper runs a Source for as long as it is wanted.
type Keeper struct {
	src Source
	cfg KeeperConfig

	seed maphash.Seed // for pictures' digests

	telling sync.Mutex // held while Notify runs

	mu     sync.Mutex // guards what follows
	status Status
	watch  *watch
	newest livenessd.Frame         // not looked at yet; Data nil when it was
	proof  time.Time               // until when a fault is kept after reopening
	end    context.CancelCauseFunc // ends the present attempt; nil between two

	// Owned by Run.
	ladder ladder
	said   []string // reasons given since frames stopped
	last   string   // the reason of the newest failed attempt
	row    int      // how many attempts in a row gave it
}

// NewKeeper returns a Keeper of src that does nothing until Run.
func NewKeeper(src Source, cfg KeeperConfig) *Keeper {
	if cfg.Retry <= 0 {
		cfg.Retry = DefaultRetry
	}
	return &Keeper{
		src: src, cfg: cfg, seed: maphash.MakeSeed(), watch: newWatch(cmp.Or(cfg.Silence, silentAfter)), ladder: ladder{last: cfg.Last},
		status: Status{Fault: livenessd.FaultGone, Detail: "the camera has not delivered a picture yet", Since: time.Now()},
	}
}

// Status returns what is known now. It may be called from any goroutine.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.status
	if s.Ready {
		s.Rate = k.watch.measured(time.Now())
	}
	return s
}

// Run keeps the source going until ctx ends (it returns nil), a recording is
// finished (the error wraps ErrEnd) or a camera could not be brought back (it
// wraps ErrGaveUp). After any other error it pauses and tries again. It must be
// called once.
func (k *Keeper) Run(ctx context.Context) error {
	for {
		err := k.attempt(ctx)
		if ctx.Err() != nil {
			return nil
		}
		k.failed(err)
		if errors.Is(err, ErrEnd) {
			return err
		}
		if err := k.mend(ctx, err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(k.cfg.Retry):
		}
	}
}

const (
	steady     = 10 // attempts in a row that make a new reason worth saying
	maxReasons = 8  // how many are said in one outage
)

// attempt is one run of the source, watched, with what it opened taken down.
func (k *Keeper) attempt(ctx context.Context) error {
	own, end := context.WithCancelCause(ctx)
	defer end(nil)
	stop := make(chan struct{})
	var watching sync.WaitGroup
	defer watching.Wait()
	defer close(stop)
	k.setEnd(end)
	defer k.setEnd(nil)
	err := k.src.Stream(own, func(c livenessd.Camera) {
		k.opened(c)
		watching.Go(func() { k.oversee(stop, end) })
	}, k.deliver)
	if err == nil && ctx.Err() == nil {
		if err = context.Cause(own); err == nil {
			err = errors.New("the source stopped without giving a reason")
		}
	}
	return err
}

// errReopen is the end of a stream that was asked for.
var errReopen = fmt.Errorf("the camera is chosen anew: %w", livenessd.ErrNotReady)

// Reopen ends the present stream, so that the camera is looked for anew. It
// may be called from any goroutine.
func (k *Keeper) Reopen() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.end != nil {
		k.end(errReopen)
	}
}

func (k *Keeper) setEnd(end context.CancelCauseFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.end = end
}

func (k *Keeper) opened(c livenessd.Camera) {
	k.said = k.said[:0]
	now := time.Now()
	k.mu.Lock()
	k.watch.opened(c.FPS)
	k.newest = livenessd.Frame{}
	k.status.Ready, k.status.Camera, k.status.Err = true, c, nil
	k.status.Since = now
	k.status.Opens++
	switch k.status.Fault {
	case livenessd.FaultFrozen, livenessd.FaultRepeated:
		k.proof = now.Add(proofFor) // one new picture does not show that it moves again
	default:
		k.status.Fault, k.status.Detail, k.proof = "", "", time.Time{}
	}
	k.mu.Unlock()
	k.tell()
}

func (k *Keeper) deliver(f livenessd.Frame) {
	digest := maphash.Bytes(k.seed, f.Data)
	k.mu.Lock()
	k.watch.frame(digest, time.Now())
	k.newest = f
	k.mu.Unlock()
	k.cfg.Deliver(f)
}

// tell says what is known now. The one who tells last knows most.
func (k *Keeper) tell() {
	k.telling.Lock()
	defer k.telling.Unlock()
	k.cfg.Notify(k.Status())
}

// failed takes down that an attempt ended with err, and says it if it is news.
func (k *Keeper) failed(err error) {
	now := time.Now()
	fault := faultOf(err)
	k.mu.Lock()
	s := &k.status
	if s.Ready {
		if k.cfg.Mend && s.Fault == "" && now.Sub(s.Since) >= wellAfter {
			k.ladder.well()
		}
		s.Ready, s.Since, s.Rate = false, now, 0
		if !errors.Is(err, ErrEnd) {
			s.Losses++
		}
	}
	s.Err = err
	k.newest = livenessd.Frame{}
	if k.last == err.Error() {
		k.row++
	} else {
		k.last, k.row = err.Error(), 1
	}
	// Reasons that take turns are one outage, called by what was first.
	news := len(k.said) == 0 || k.row == steady && len(k.said) < maxReasons && !slices.Contains(k.said, k.last)
	if news {
		k.said = append(k.said, k.last)
		s.Fault, s.Detail = fault, err.Error()
	}
	k.mu.Unlock()
	if news {
		k.tell()
	}
}

// mend takes the next step after err. Its error ends Run.
func (k *Keeper) mend(ctx context.Context, err error) error {
	if !k.cfg.Mend {
		return nil
	}
	r, can := k.src.(Resetter)
	k.mu.Lock()
	// What a service may not do now it may not do later either.
	can = can && (k.status.ResetErr == nil || errors.Is(k.status.ResetErr, livenessd.ErrNotFound))
	if mendable(err) {
		k.status.Reopens++
	}
	k.mu.Unlock()
	switch k.ladder.failed(err, time.Now(), can) {
	case ResetUSB:
		failed := r.Reset(ctx)
		k.mu.Lock()
		if k.status.ResetErr = failed; failed == nil {
			k.status.Resets++
		}
		k.mu.Unlock()
		k.tell()
	case GiveUp:
		return fmt.Errorf("%w: %w", ErrGaveUp, err)
	}
	return nil
}
