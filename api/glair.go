package api

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"livenessd"
)

// glair speaks as GLAIR Vision's passive liveness. Its score runs the other
// way: spoof_percentage is a fraction, and high means an attack.
var glair = &dialect{
	name:    livenessd.DialectGLAIR,
	paths:   []string{"/face/v1/passive-liveness"},
	prove:   glairProof,
	respond: glairRespond,
	refuse:  glairRefuse,
	head:    glairHead,
	allow:   "Authorization, x-api-key, x-request-id, Content-Type",

	challenge: basicRealm("GLAIR Vision"),
}

const (
	glairImage = 10 << 20            // bytes of a picture
	glairBody  = glairImage + 64<<10 // and the form around it

	// From glairHigh on a picture is an attack; what is live lies below, and
	// from glairModerate on it was not clearly so. The vendor gives no limits
	// but shows 0.5678 as MODERATE, so our decision's boundary is put at the
	// beginning of HIGH: whoever refuses HIGH alone refuses every attack that
	// we know of.
	glairHigh     = 0.7
	glairModerate = 0.4
)

func glairProof(r *http.Request) (Proof, bool) {
	p, ok := basicProof(r)
	key := r.Header.Get("x-api-key")
	p.Scheme, p.Key = SchemeBasicKey, []byte(key)
	return p, ok && key != ""
}

// glairHead names the request in every answer, by the caller's name for it
// when there is one.
func glairHead(x *exchange, h http.Header) {
	id := x.r.Header.Get("x-request-id")
	if !isID(id, maxRequestID) {
		id = x.job.ID
	}
	h.Set("Request-Id", id)
}

type glairAnswer struct {
	Status string      `json:"status"` // "success": a face was judged; "failed": none could be
	Result glairResult `json:"result"`
}

type glairResult struct {
	Spoof  fraction `json:"spoof_percentage"`
	Status string   `json:"status"`
}

// fraction is a number that is written with a decimal point even when it is
// whole, as the vendor writes it.
type fraction float64

// MarshalJSON writes f; f is finite.
func (f fraction) MarshalJSON() ([]byte, error) {
	s := strconv.FormatFloat(float64(f), 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return []byte(s), nil
}

type glairFault struct {
	Status  string `json:"status"` // "failed"
	Message string `json:"error_message"`
}

// glairDenied is what the vendor's gateway says, and its clients look for.
type glairDenied struct {
	Error string `json:"error"`
}

func glairRespond(x *exchange) (reply, error) {
	body, err := x.body(glairBody)
	if err != nil {
		return reply{}, err
	}
	image, err := formPart(x.r.Header.Get("Content-Type"), body, "image")
	if errors.Is(err, errNotForm) {
		x.why = err
		return glairFail(http.StatusUnsupportedMediaType, "send the image as multipart/form-data"), nil
	}
	if err != nil {
		return reply{}, err
	}
	if !isJPEG(image) && !isPNG(image) {
		return reply{}, &PictureError{Err: livenessd.ErrNoPicture}
	}
	j, err := x.judge([][]byte{image}, rules{})
	if err != nil {
		return reply{}, err
	}
	a := glairSay(&j)
	return reply{http.StatusOK, a.Result.Status, a}, nil
}

// glairSay has words for no face, for several and for one that was judged. A
// face that cannot be judged (too dark, covered, cut off, …) counts as not
// detected: of all there are, these words alone ask for another picture.
func glairSay(j *judgement) glairAnswer {
	t := j.textures[0]
	switch {
	case slices.Contains(j.unfit[0], livenessd.SeveralFaces):
		return glairAnswer{"failed", glairResult{1, "too many faces detected"}}
	case t == nil:
		return glairAnswer{"failed", glairResult{1, "face not detected"}}
	}
	spoof := rounded(1 - scaled(t, 1-glairHigh))
	switch {
	case j.outcome != livenessd.Live:
		return glairAnswer{"success", glairResult{fraction(max(spoof, glairHigh)), "HIGH"}}
	case spoof >= glairModerate:
		return glairAnswer{"success", glairResult{fraction(min(spoof, glairHigh-1/steps)), "MODERATE"}}
	}
	return glairAnswer{"success", glairResult{fraction(spoof), "LOW"}}
}

func glairFail(status int, message string) reply {
	return reply{status, message, glairFault{"failed", message}}
}

func glairRefuse(_ *exchange, why trouble) reply {
	denied := glairDenied{"Access to this API has been disallowed"}
	switch why {
	case troubleUnauthorized:
		return reply{http.StatusUnauthorized, denied.Error, denied}
	case troubleForbidden:
		return reply{http.StatusForbidden, denied.Error, denied}
	case troubleRate:
		return glairFail(http.StatusTooManyRequests, "too many requests")
	case troubleQuota:
		return glairFail(http.StatusTooManyRequests, "quota exceeded")
	case troubleBusy, troubleNotReady:
		return glairFail(http.StatusServiceUnavailable, "service unavailable")
	case troubleGone:
		return glairFail(http.StatusRequestTimeout, "request cancelled")
	case troubleTooLarge, troubleImageLarge:
		return glairFail(http.StatusRequestEntityTooLarge, "image too large")
	case troubleNoImage, troubleRequest:
		return glairFail(http.StatusBadRequest, "enter valid base64 for captured image")
	case troubleImage:
		return glairFail(http.StatusBadRequest, "enter valid format image for captured image")
	}
	return glairFail(http.StatusInternalServerError, "internal server error")
}
