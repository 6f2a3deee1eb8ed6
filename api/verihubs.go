package api

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"

	"livenessd"
)

// verihubs speaks as Verihubs' Detect Face Liveness. The vendor documents the
// request and the codes; the names of the answer's fields are those that
// clients read (README.md says which part is our own decision).
var verihubs = &dialect{
	name:    livenessd.DialectVerihubs,
	paths:   []string{"/v1/face/liveness"},
	prove:   verihubsProof,
	respond: verihubsRespond,
	refuse:  verihubsRefuse,
	allow:   "App-ID, API-Key, Content-Type, Accept, X-VH-SDKVER, X-VH-CHECKSUM, X-Session-ID",
}

const (
	verihubsImage = 5 << 20 // bytes of a picture, the vendor's limit
	verihubsBody  = 8 << 20 // such a picture in base64, and the rest

	// verihubsBoundary is the probability from which on a face is live.
	verihubsBoundary = 0.5
	// verihubsBright is the mean luminance of skin from which on nothing is
	// dark about a picture, on a scale of 255.
	verihubsBright = 80
	// verihubsWorn is the probability at which a hat or a veil is said to be
	// worn.
	verihubsWorn = 0.5
)

func verihubsProof(r *http.Request) (Proof, bool) {
	id, key := r.Header.Get("App-ID"), r.Header.Get("API-Key")
	return Proof{Scheme: SchemePair, User: []byte(id), Secret: []byte(key)}, id != "" && key != ""
}

// verihubsRequest is what a caller asks for.
type verihubsRequest struct {
	image                                                []byte // as text
	quality, attribute                                   bool   // to be told
	validQuality, validAttribute, validFaces, validAlive bool   // to be insisted on
}

// verihubsFault is a request that is refused with one of the vendor's codes.
type verihubsFault struct{ code, message string }

func (f *verihubsFault) Error() string { return f.code + ": " + f.message }

var (
	verihubsPayload   = &verihubsFault{"INVALID PAYLOAD", "no value in payload or empty string more than 1"}
	verihubsMissing   = &verihubsFault{"MISSING_PAYLOAD_IMAGE", "missing payload image"}
	verihubsNoImage   = &verihubsFault{"INVALID_PAYLOAD_IMAGE_MISSING", "invalid payload image not a standard b64/url or image empty string"}
	verihubsSize      = &verihubsFault{"INVALID_PAYLOAD_IMAGE_SIZE", "invalid payload image size too large"}
	verihubsTimeout   = &verihubsFault{"INVALID_PAYLOAD_IMAGE_TIMEOUT", "timeout getting image from url in 15 seconds"}
	verihubsFormat    = &verihubsFault{"INVALID_PAYLOAD_IMAGE_FORMAT", "image unable to be decoded/got from url OR invalid image extension"}
	verihubsNoFace    = &verihubsFault{"FACE_NOT_DETECTED", "face not detected from image"}
	verihubsQuality   = &verihubsFault{"INVALID_PAYLOAD_QUALITY_VALIDATION_DEPENDENCY", "is_quality must be true if validate_quality true"}
	verihubsAttribute = &verihubsFault{"INVALID_PAYLOAD_ATTRIBUTE_VALIDATION_DEPENDENCY", "is_attribute must be true if validate_attribute true"}
)

// decodeVerihubs reads a request's body. The error is one of the vendor's.
func decodeVerihubs(body []byte) (verihubsRequest, *verihubsFault) {
	q := verihubsRequest{quality: true, attribute: true}
	fields, err := jsonObject(body)
	if err != nil || len(fields) == 0 {
		return q, verihubsPayload
	}
	empty := 0
	for _, v := range fields {
		if string(v) == `""` {
			empty++
		}
	}
	if empty > 1 {
		return q, verihubsPayload
	}
	for name, flag := range map[string]*bool{
		"is_quality": &q.quality, "is_attribute": &q.attribute,
		"validate_quality": &q.validQuality, "validate_attribute": &q.validAttribute,
		"validate_nface": &q.validFaces, "validate_liveness": &q.validAlive,
	} {
		if isNull(fields[name]) { // one vendor's client sends null for what it was not told
			continue
		}
		if json.Unmarshal(fields[name], flag) != nil {
			return q, verihubsPayload
		}
	}
	switch image := fields["image"]; {
	case q.validQuality && !q.quality:
		return q, verihubsQuality
	case q.validAttribute && !q.attribute:
		return q, verihubsAttribute
	case isNull(image):
		return q, verihubsMissing
	default:
		if q.image, err = jsonText(image); err != nil || len(q.image) == 0 {
			return q, verihubsNoImage
		}
	}
	return q, nil
}

func verihubsRespond(x *exchange) (reply, error) {
	body, err := x.body(verihubsBody)
	if err != nil {
		return reply{}, err
	}
	q, fault := decodeVerihubs(body)
	if fault != nil {
		return x.verihubsFault(fault), nil
	}
	image, err := x.image(q.image, verihubsImage)
	if err != nil {
		return reply{}, err
	}
	if !isJPEG(image) && !isPNG(image) {
		return x.verihubsFault(verihubsFormat), nil
	}
	j, err := x.judge([][]byte{image}, rules{})
	if err != nil {
		return reply{}, err
	}
	shown := &j.Pictures[0]
	if len(shown.Faces) == 0 {
		return x.verihubsFault(verihubsNoFace), nil
	}
	return x.verihubsSay(q, &j, shown), nil
}

// verihubsAnswer is every answer; what is nil was not asked for or not computed.
type verihubsAnswer struct {
	Message    string              `json:"message"`
	ErrorCode  string              `json:"error_code,omitempty"`
	StatusCode string              `json:"status_code"`
	SessionID  string              `json:"session_id"`
	Timestamp  int64               `json:"timestamp"` // seconds since 1970
	Liveness   *verihubsLiveness   `json:"liveness,omitempty"`
	Faces      *int                `json:"nface,omitempty"`
	Rotation   *int                `json:"rotation,omitempty"`
	Box        *verihubsBox        `json:"bounding_box,omitempty"`
	Landmarks  *verihubsLandmarks  `json:"face_landmark,omitempty"`
	Quality    *verihubsImageScore `json:"image_quality,omitempty"`
	Attributes *verihubsAttributes `json:"attributes,omitempty"`
}

type verihubsLiveness struct {
	Probability float64 `json:"probability"` // 0: not judged
	Status      bool    `json:"status"`
}

// verihubsBox is in pixels.
type verihubsBox struct {
	Left   int `json:"top_left_x"`
	Top    int `json:"top_left_y"`
	Right  int `json:"bottom_right_x"`
	Bottom int `json:"bottom_right_y"`
	Width  int `json:"width"`
	Height int `json:"height"`
}

// verihubsLandmarks are in pixels. The vendor does not say whose left is
// meant; here it is the person's.
type verihubsLandmarks struct {
	LeftEyeX    int `json:"left_eye_x"`
	LeftEyeY    int `json:"left_eye_y"`
	RightEyeX   int `json:"right_eye_x"`
	RightEyeY   int `json:"right_eye_y"`
	NoseX       int `json:"nose_x"`
	NoseY       int `json:"nose_y"`
	MouthLeftX  int `json:"mouth_left_x"`
	MouthLeftY  int `json:"mouth_left_y"`
	MouthRightX int `json:"mouth_right_x"`
	MouthRightY int `json:"mouth_right_y"`
}

type verihubsImageScore struct {
	Blur      bool    `json:"blur"`
	Dark      bool    `json:"dark"`
	Grayscale bool    `json:"grayscale"`
	BlurScore float64 `json:"blur_score"` // 0..1, 1 is as blurred as can be
	DarkScore float64 `json:"dark_score"` // 0..1, 1 is black
}

type verihubsAttributes struct {
	Sunglasses bool `json:"sunglasses_on"`
	Mask       bool `json:"mask_on"`
	Veil       bool `json:"veil_on"`
	Hat        bool `json:"hat_on"`
}

// verihubsSay says what the picture shows, and which of the checks that the
// caller insists on it fails.
func (x *exchange) verihubsSay(q verihubsRequest, j *judgement, shown *Shown) reply {
	live := j.outcome == livenessd.Live
	faces := len(shown.faces())
	quality, attributes := verihubsMeasures(shown), verihubsCovers(shown)
	n := 0
	if q.validAlive && !live {
		n |= 1
	}
	// What was not computed cannot be vouched for.
	if q.validAttribute && (attributes == nil || attributes.Sunglasses || attributes.Mask) {
		n |= 2
	}
	if q.validQuality && (quality.Blur || quality.Dark || quality.Grayscale) {
		n |= 4
	}
	if q.validFaces && faces > 1 {
		n |= 8
	}
	a := x.verihubsBlank("Request Success", "", http.StatusOK)
	if n > 0 {
		a.Message, a.ErrorCode = verihubsFail[n&^1], "FAIL_ON_"+strconv.Itoa(n)
		if n&1 != 0 {
			a.Message = "fail on liveness"
			if n > 1 {
				a.Message += " and " + verihubsFail[n&^1]
			}
		}
	}
	a.Liveness = &verihubsLiveness{scaled(j.textures[0], verihubsBoundary), live}
	a.Faces, a.Rotation = &faces, &shown.Rotated
	a.Box, a.Landmarks = verihubsPlace(shown.Faces[0])
	if q.quality {
		a.Quality = quality
	}
	if q.attribute {
		a.Attributes = attributes
	}
	return reply{http.StatusOK, a.ErrorCode, a}
}

// verihubsFail has the vendor's description of each sum of failed checks.
var verihubsFail = map[int]string{
	2:  "fail on attribute",
	4:  "fail on quality",
	6:  "fail on attribute and quality",
	8:  "fail on number of face (nface)",
	10: "fail on number of face (nface) and attribute",
	12: "fail on number of face (nface) and quality",
	14: "fail on number of face (nface), quality, and attribute",
}

func verihubsMeasures(s *Shown) *verihubsImageScore {
	reasons := s.Reasons()
	q := &verihubsImageScore{
		Blur: slices.Contains(reasons, livenessd.Blurred), Dark: slices.Contains(reasons, livenessd.TooDark), Grayscale: s.Grey,
	}
	if m, ok := s.measure(livenessd.Sharpness); ok {
		q.BlurScore = rounded(1 - m.Score/100)
	}
	if m, ok := s.measure(livenessd.LuminanceMean); ok {
		q.DarkScore = rounded(1 - min(max(m.Value/verihubsBright, 0), 1))
	}
	return q
}

// verihubsCovers returns nil when no network has looked.
func verihubsCovers(s *Shown) *verihubsAttributes {
	if s.Attributes == nil {
		return nil
	}
	reasons := s.Reasons()
	return &verihubsAttributes{
		Sunglasses: slices.Contains(reasons, livenessd.Sunglasses), Mask: slices.Contains(reasons, livenessd.Mask),
		Veil: s.Attributes["veil"] >= verihubsWorn, Hat: s.Attributes["hat"] >= verihubsWorn,
	}
}

func verihubsPlace(f livenessd.Face) (*verihubsBox, *verihubsLandmarks) {
	px := func(v float64) int { return int(math.Round(v)) }
	b := &verihubsBox{Left: px(f.Box.X), Top: px(f.Box.Y), Right: px(f.Box.X + f.Box.W), Bottom: px(f.Box.Y + f.Box.H)}
	b.Width, b.Height = b.Right-b.Left, b.Bottom-b.Top
	at := func(l livenessd.Landmark) (x, y int) { return px(f.Landmarks[l].X), px(f.Landmarks[l].Y) }
	m := &verihubsLandmarks{}
	m.LeftEyeX, m.LeftEyeY = at(livenessd.LeftEye)
	m.RightEyeX, m.RightEyeY = at(livenessd.RightEye)
	m.NoseX, m.NoseY = at(livenessd.NoseTip)
	m.MouthLeftX, m.MouthLeftY = at(livenessd.LeftMouth)
	m.MouthRightX, m.MouthRightY = at(livenessd.RightMouth)
	return b, m
}

// verihubsBlank is an answer that says nothing of a face.
func (x *exchange) verihubsBlank(message, code string, status int) *verihubsAnswer {
	return &verihubsAnswer{
		Message: message, ErrorCode: code, StatusCode: strconv.Itoa(status),
		SessionID: x.job.ID, Timestamp: x.job.At.Unix(),
	}
}

func (x *exchange) verihubsFault(f *verihubsFault) reply {
	x.why = f
	return reply{http.StatusBadRequest, f.code, x.verihubsBlank(f.message, f.code, http.StatusBadRequest)}
}

func verihubsRefuse(x *exchange, why trouble) reply {
	say := func(status int, code, message string) reply {
		return reply{status, code, x.verihubsBlank(message, code, status)}
	}
	switch why {
	case troubleUnauthorized:
		return say(http.StatusUnauthorized, "UNAUTHORIZED", "App-ID or API-Key is missing or wrong")
	case troubleForbidden:
		return say(http.StatusForbidden, "FORBIDDEN", "this App-ID may not use this service")
	case troubleRate:
		return say(http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "too many requests, try again later")
	case troubleQuota:
		return say(http.StatusForbidden, "INSUFFICIENT_QUOTA_LIVENESS", "usage reach it quota limit for liveness")
	case troubleBusy, troubleNotReady:
		return say(http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", "the service cannot answer now, try again later")
	case troubleGone:
		return say(http.StatusRequestTimeout, "REQUEST_TIMEOUT", "the request was cancelled")
	case troubleTooLarge, troubleImageLarge:
		return say(http.StatusBadRequest, verihubsSize.code, verihubsSize.message)
	case troubleRequest:
		return say(http.StatusBadRequest, verihubsPayload.code, verihubsPayload.message)
	case troubleNoImage, troubleImageText:
		return say(http.StatusBadRequest, verihubsNoImage.code, verihubsNoImage.message)
	case troubleImage:
		return say(http.StatusBadRequest, verihubsFormat.code, verihubsFormat.message)
	case troubleTimeout:
		return say(http.StatusBadRequest, verihubsTimeout.code, verihubsTimeout.message)
	}
	return say(http.StatusInternalServerError, "INTERNAL_SERVER_ERROR", "internal server error")
}
