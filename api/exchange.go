package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"livenessd"
)

// dialect is one vendor's way of asking and of being answered. It translates,
// and nothing else.
type dialect struct {
	name  livenessd.Dialect
	paths []string // all by POST
	// prove returns what r shows of who it is; false when that is nothing.
	prove func(r *http.Request) (Proof, bool)
	// respond answers a request whose credential is good. An error goes to
	// refuse.
	respond func(x *exchange) (reply, error)
	// refuse says an error in the dialect's words.
	refuse func(x *exchange, why trouble) reply
	// challenge is the WWW-Authenticate header of a 401, which may depend on
	// whether credentials were shown at all; it may be nil.
	challenge func(shown bool) string
	// head adds headers that go with every answer; it may be nil.
	head func(x *exchange, h http.Header)
	// allow lists the request headers that pages of other origins may send.
	allow string
}

// reply is an answer in a dialect's words.
type reply struct {
	status int
	code   string // the vendor's own, for the book
	body   any    // encoded as JSON; nil is an empty body
}

// exchange is one request in a dialect, from its headers to its record.
type exchange struct {
	*server
	d    *dialect
	w    http.ResponseWriter
	r    *http.Request
	job  livenessd.Job
	room holding
	why  error // why it was refused, for the log

	shown bool   // credentials were shown, good or not
	echo  string // the caller's own name for the call, to be sent back
}

// clientGone is what the book says of a caller that did not wait for its
// answer: nginx's 499.
const clientGone = 499

// speak makes the handler of a dialect.
func (s *server) speak(d *dialect) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.shareWith(d, w, r)
		if r.Method == http.MethodOptions {
			w.Header().Set("Allow", http.MethodPost)
			w.WriteHeader(http.StatusNoContent) // to a page without the headers of shareWith it is a no
			return
		}
		x := &exchange{server: s, d: d, w: w, r: r, room: holding{b: s.budget}, job: livenessd.Job{
			ID: s.newID(), At: s.now(), Dialect: d.name, Client: shortened(r.UserAgent(), 100),
		}}
		defer x.room.release()
		x.send(x.answer())
	})
}

// answer never fails: every error, a panic too, has its words in the dialect.
func (x *exchange) answer() (a reply) {
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			x.why = fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack())
			a = x.d.refuse(x, troubleInternal)
		} else if p != nil {
			panic(p)
		}
	}()
	if err := x.admit(); err != nil {
		x.why = err
		return x.d.refuse(x, troubleOf(err))
	}
	a, err := x.d.respond(x)
	if err != nil {
		x.why = err
		return x.d.refuse(x, troubleOf(err))
	}
	return a
}

// admit asks whether the caller may ask.
func (x *exchange) admit() error {
	p, ok := x.d.prove(x.r)
	if x.shown = ok; !ok {
		return fmt.Errorf("%w: the request shows no credentials", livenessd.ErrUnauthorized)
	}
	name, err := x.Access.Admit(x.r.Context(), x.d.name, p)
	if err != nil {
		return err
	}
	if name == "" {
		return errors.New("a credential without a name was admitted")
	}
	x.job.Credential = name
	return nil
}

// named takes the caller's own name for the call: it is sent back as it came,
// and booked as far as the book has room.
func (x *exchange) named(name string) {
	x.echo, x.job.Reference = name, shortened(name, maxReference)
}

// body returns the body of the request, at most limit bytes.
func (x *exchange) body(limit int64) ([]byte, error) { return x.room.read(x.w, x.r, limit) }

// image returns the picture that text holds or, where that is allowed, names
// by its address; at most limit bytes. Errors are errNoImage, errImageText, a
// *PictureError, or those of fetching.
func (x *exchange) image(text []byte, limit int64) (b []byte, err error) {
	if isWebURL(text) {
		if err := x.room.more(x.room.held/copies + limit); err != nil {
			return nil, err
		}
		b, err = x.images.get(x.r.Context(), string(text), limit)
	} else {
		b, err = imageBytes(text)
	}
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%w: the picture has more than %d bytes", livenessd.ErrTooLarge, limit)
	}
	if errors.Is(err, livenessd.ErrTooLarge) {
		err = &PictureError{Err: err}
	}
	return b, err
}

// judge asks the one neutral question of a request that is well formed. Its
// errors are those of Access.Spend and Judge.
func (x *exchange) judge(pictures [][]byte, r rules) (judgement, error) {
	x.job.Pictures = len(pictures)
	if err := x.Access.Spend(x.job.Credential); err != nil {
		return judgement{}, err
	}
	v, err := x.Judge.Judge(x.r.Context(), Inquiry{Pictures: pictures, Motion: r.motion})
	if err != nil {
		if picture := (*PictureError)(nil); !errors.As(err, &picture) {
			x.Access.Refund(x.job.Credential)
		}
		return judgement{}, err
	}
	j, err := decide(v, len(pictures), r)
	if err != nil {
		return judgement{}, err
	}
	x.note(&j)
	return j, nil
}

// note books what j says.
func (x *exchange) note(j *judgement) {
	x.job.Outcome, x.job.Reasons, x.job.Motion, x.job.Texture = j.outcome, j.reasons, j.Motion, nil
	for _, t := range j.textures { // the worst one decided
		if t != nil && (x.job.Texture == nil || t.Value < x.job.Texture.Value) {
			x.job.Texture = t
		}
	}
}

// send books the call and then tells the caller: who hears of a judgement
// finds it in the book, if not at once. A book that cannot be written is a
// fault, and then nothing is told. Calls without a good credential are not
// booked, so that strangers cannot fill the disk.
func (x *exchange) send(a reply) {
	x.job.Status, x.job.Code = a.status, a.code
	if x.r.Context().Err() != nil {
		x.job.Status = clientGone
	}
	b, err := encodeBody(a.body)
	if err == nil && x.job.Credential != "" {
		x.job.Took = x.now().Sub(x.job.At)
		err = x.Jobs.PutJob(x.job)
	}
	if err != nil {
		x.why = fmt.Errorf("the call could not be recorded: %w", err)
		a = x.d.refuse(x, troubleInternal)
		if b, err = encodeBody(a.body); err != nil {
			panic(err) // strings and numbers always encode
		}
	}
	x.log(a)
	if x.why != nil {
		drain(x.r)
	}
	h := x.w.Header()
	if x.d.head != nil {
		x.d.head(x, h)
	}
	if x.d.challenge != nil && a.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", x.d.challenge(x.shown))
	}
	x.retryAfter(h)
	if b != nil {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	h.Set("Content-Length", strconv.Itoa(len(b)))
	x.w.WriteHeader(a.status)
	_, _ = x.w.Write(b) // whoever went away does not hear it
}

func encodeBody(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return encode(v)
}

// log says what the request's own line does not: who asked, and why not.
func (x *exchange) log(a reply) {
	log := x.logger(x.r).With("dialect", x.d.name, "job", x.job.ID, "credential", x.job.Credential, "status", a.status, "code", a.code)
	switch {
	case a.status >= http.StatusInternalServerError && troubleOf(x.why) == troubleInternal:
		log.Error("call failed", "err", x.why)
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		log.Warn("call refused", "err", x.why)
	case x.why != nil:
		log.Info("call refused", "err", x.why)
	default:
		log.Info("call answered", "outcome", x.job.Outcome)
	}
}

// shareWith lets the pages of configured origins read the answer.
func (s *server) shareWith(d *dialect, w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(s.origins, origin) {
		return
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Request-Id, jobid, bws-version, reference-number, Retry-After, WWW-Authenticate")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", http.MethodPost)
		h.Set("Access-Control-Allow-Headers", d.allow)
		h.Set("Access-Control-Max-Age", "600")
	}
}

// trouble is a kind of refusal that every dialect has words for.
type trouble int

const (
	troubleInternal     trouble = iota // a fault of ours
	troubleUnauthorized                // no or wrong credentials
	troubleForbidden                   // a credential that may not ask in this dialect
	troubleRate                        // too many calls in too short a time
	troubleQuota                       // no calls left
	troubleBusy                        // too many callers at once
	troubleNotReady                    // nobody can be judged now
	troubleGone                        // the caller went away
	troubleTooLarge                    // the body
	troubleRequest                     // the body cannot be read or understood
	troubleNoImage                     // there is no picture in it
	troubleImageText                   // what should be base64 or an address is neither
	troubleImage                       // what should be a picture is none
	troubleImageLarge                  // the picture is beyond the limits
	troubleTimeout                     // a picture at another address did not come
)

// troubleOf sorts an error. What nobody foresaw is internal.
func troubleOf(err error) trouble {
	picture := (*PictureError)(nil)
	for _, k := range []struct {
		is bool
		t  trouble
	}{
		{errors.Is(err, livenessd.ErrUnauthorized), troubleUnauthorized},
		{errors.Is(err, livenessd.ErrForbidden), troubleForbidden},
		{errors.Is(err, livenessd.ErrRate), troubleRate},
		{errors.Is(err, livenessd.ErrQuota), troubleQuota},
		{errors.Is(err, livenessd.ErrOverloaded), troubleBusy},
		{errors.Is(err, livenessd.ErrNotReady), troubleNotReady},
		{errors.Is(err, errFetchTimeout), troubleTimeout},
		{errors.As(err, &picture) && errors.Is(err, livenessd.ErrTooLarge), troubleImageLarge},
		{errors.As(err, &picture), troubleImage},
		{errors.Is(err, context.Canceled), troubleGone},
		{errors.Is(err, livenessd.ErrTooLarge), troubleTooLarge},
		{errors.Is(err, errNoImage), troubleNoImage},
		{errors.Is(err, errImageText), troubleImageText},
		{errors.Is(err, errFetch), troubleImage},
		{errors.Is(err, errBody) || errors.Is(err, errJSON) || errors.Is(err, livenessd.ErrInvalid), troubleRequest},
	} {
		if k.is {
			return k.t
		}
	}
	return troubleInternal
}

// retryAfter sets the header for refusals that end by themselves.
func (x *exchange) retryAfter(h http.Header) {
	switch troubleOf(x.why) {
	case troubleRate, troubleBusy, troubleNotReady:
	default:
		return
	}
	wait := retryAnalysis
	var knows interface{ RetryAfter() time.Duration }
	if errors.As(x.why, &knows) {
		wait = knows.RetryAfter()
	}
	h.Set("Retry-After", strconv.FormatInt(int64(max(wait, time.Second)+time.Second-1)/int64(time.Second), 10))
}

// retryAnalysis is when to come back where nobody knows better: a waiting line
// of analyses moves on within a second.
const retryAnalysis = time.Second

// basicProof reads RFC 7617's user and password as bytes: one vendor's own
// client sends them as ISO-8859-1, so no encoding is asked of them.
func basicProof(r *http.Request) (Proof, bool) {
	user, secret, ok := r.BasicAuth()
	return Proof{Scheme: SchemeBasic, User: []byte(user), Secret: []byte(secret)}, ok
}

// basicRealm challenges for RFC 7617's scheme.
func basicRealm(realm string) func(bool) string {
	return func(bool) string { return `Basic realm="` + realm + `"` }
}

// shortened is s fit for the book: printable, at most n characters.
func shortened(s string, n int) string {
	runes := 0
	return strings.Map(func(c rune) rune {
		if runes++; runes > n {
			return -1
		}
		if !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			return '?'
		}
		return c
	}, s)
}
