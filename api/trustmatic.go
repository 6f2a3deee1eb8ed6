package api

import (
	"errors"
	"net/http"
	"slices"

	"livenessd"
)

// trustmatic speaks as Trustmatic's Face Liveness, under whichever of its
// brands. There is no yes or no in its answer: the caller compares the score
// with 0.5, so what must not pass has a score below that or an error.
var trustmatic = &dialect{
	name:    livenessd.DialectTrustmatic,
	paths:   []string{"/api/v1/face/liveness", trustmaticBasic},
	prove:   basicProof,
	respond: trustmaticRespond,
	refuse:  trustmaticRefuse,
	allow:   "Authorization, Content-Type, Accept",

	challenge: basicRealm("Face Liveness"),
}

const (
	// trustmaticBasic is the path of the vendor's other product, which gives
	// the score under another name as well.
	trustmaticBasic = "/api/v1/basic/face/liveness"

	trustmaticImage = 10 << 20 // bytes of a picture
	trustmaticBody  = 16 << 20 // such a picture in base64, and the rest

	// trustmaticBoundary is the vendor's default threshold.
	trustmaticBoundary = 0.5
	// trustmaticBorder is the room between a face and the picture's edge, over
	// the face's width or height, below which it is called close.
	trustmaticBorder = 0.05
	// trustmaticOccluded is the probability from which on a hand, hair or a
	// thing hides a face.
	trustmaticOccluded = 0.8
)

// trustmaticRequest is what a caller sends.
type trustmaticRequest struct {
	session string
	image   []byte // as text; empty when there is none
}

// decodeTrustmatic reads a request's body. What it could read before an error
// it returns with it.
func decodeTrustmatic(body []byte) (q trustmaticRequest, err error) {
	fields, err := jsonObject(body)
	if err != nil {
		return q, err
	}
	if v := fields["sessionId"]; !isNull(v) {
		session, err := jsonText(v)
		if err != nil {
			return q, err
		}
		q.session = string(session)
	}
	if v := fields["faceImageBase"]; !isNull(v) {
		if q.image, err = jsonText(v); err != nil {
			return q, err
		}
	}
	return q, nil
}

type trustmaticAnswer struct {
	SessionID string   `json:"sessionId"`
	Score     *float64 `json:"score,omitempty"`
	Passive   *float64 `json:"passiveLivenessScore,omitempty"`
	HasError  bool     `json:"hasError"`
	Error     string   `json:"error,omitempty"`
}

func trustmaticRespond(x *exchange) (reply, error) {
	body, err := x.body(trustmaticBody)
	if err != nil {
		return reply{}, err
	}
	q, err := decodeTrustmatic(body)
	x.named(q.session)
	if err != nil {
		return reply{}, err
	}
	if len(q.image) == 0 {
		return reply{}, errNoImage
	}
	image, err := x.image(q.image, trustmaticImage)
	if errors.Is(err, errNoImage) { // something was sent, and it is no picture
		err = errImageText
	}
	if err != nil {
		return reply{}, err
	}
	j, err := x.judge([][]byte{image}, rules{tolerate: trustmaticTolerates})
	if err != nil {
		return reply{}, err
	}
	if code := trustmaticFlaw(&j); code != "" {
		if j.outcome == livenessd.Live { // it was judged, but its caller is told nothing of that
			j.outcome, j.reasons = livenessd.Retry, nil
			x.note(&j)
		}
		return x.trustmaticError(http.StatusOK, code), nil
	}
	score := scaled(j.textures[0], trustmaticBoundary)
	a := trustmaticAnswer{SessionID: x.echo, Score: &score}
	if x.r.URL.Path == trustmaticBasic {
		a.Passive = &score
	}
	return reply{http.StatusOK, "", a}, nil
}

// trustmaticTolerates: the vendor's detection "is designed to work with the
// medical masks that cover nose and mouth".
func trustmaticTolerates(int) []livenessd.Reason { return []livenessd.Reason{livenessd.Mask} }

// trustmaticCodes has the vendor's code for what is wrong with a picture. The
// last five are ours, for what the vendor calls errors not listed.
var trustmaticCodes = map[livenessd.Reason]string{
	livenessd.NoFace:       "FACE_NOT_FOUND",
	livenessd.SeveralFaces: "TOO_MANY_FACES",
	livenessd.TooFar:       "FACE_TOO_SMALL",
	livenessd.TooNear:      "FACE_TOO_CLOSE",
	livenessd.Cropped:      "FACE_CROPPED",
	livenessd.NotFrontal:   "FACE_ANGLE_TOO_LARGE",
	livenessd.Sunglasses:   "FACE_IS_OCCLUDED",
	livenessd.Occluded:     "FACE_IS_OCCLUDED",
	livenessd.Blurred:      "IMAGE_TOO_BLURRY",
	livenessd.TooDark:      "IMAGE_TOO_DARK",
	livenessd.TooBright:    "IMAGE_TOO_BRIGHT",
	livenessd.LowContrast:  "IMAGE_CONTRAST_TOO_LOW",
	livenessd.TooFewFrames: "FACE_NOT_SCORED",
}

// trustmaticFlaw returns the code of what is wrong with the picture, "" when it
// was judged and nothing is.
func trustmaticFlaw(j *judgement) string {
	for _, r := range j.unfit[0] {
		if code, ok := trustmaticCodes[r]; ok {
			return code
		}
	}
	shown := &j.Pictures[0]
	// A mask hides a part of the face too, and is allowed.
	if !slices.Contains(shown.Reasons(), livenessd.Mask) && shown.Attributes["occlusion"] >= trustmaticOccluded {
		return "FACE_IS_OCCLUDED"
	}
	for _, side := range []string{livenessd.LeftwardCrop, livenessd.RightwardCrop, livenessd.MarginAbove, livenessd.MarginBelow} {
		if m, ok := shown.measure(side); ok && m.Value < trustmaticBorder {
			return "FACE_CLOSE_TO_BORDER"
		}
	}
	if j.textures[0] == nil {
		return trustmaticCodes[livenessd.TooFewFrames]
	}
	return ""
}

func (x *exchange) trustmaticError(status int, code string) reply {
	return reply{status, code, trustmaticAnswer{SessionID: x.echo, HasError: true, Error: code}}
}

func trustmaticRefuse(x *exchange, why trouble) reply {
	switch why {
	case troubleUnauthorized:
		return x.trustmaticError(http.StatusUnauthorized, "UNAUTHORIZED")
	case troubleForbidden:
		return x.trustmaticError(http.StatusForbidden, "FORBIDDEN")
	case troubleRate:
		return x.trustmaticError(http.StatusTooManyRequests, "TOO_MANY_REQUESTS")
	case troubleQuota:
		return x.trustmaticError(http.StatusTooManyRequests, "QUOTA_EXCEEDED")
	case troubleBusy, troubleNotReady:
		return x.trustmaticError(http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE")
	case troubleGone:
		return x.trustmaticError(http.StatusRequestTimeout, "REQUEST_CANCELLED")
	case troubleTooLarge, troubleImageLarge:
		return x.trustmaticError(http.StatusRequestEntityTooLarge, "IMAGE_TOO_LARGE")
	case troubleRequest:
		return x.trustmaticError(http.StatusBadRequest, "INVALID_REQUEST")
	case troubleNoImage:
		return x.trustmaticError(http.StatusBadRequest, "MISSING_FACE_IMAGE")
	case troubleImageText, troubleImage, troubleTimeout:
		return x.trustmaticError(http.StatusOK, "INVALID_IMAGE")
	}
	return x.trustmaticError(http.StatusInternalServerError, "INTERNAL_ERROR")
}
