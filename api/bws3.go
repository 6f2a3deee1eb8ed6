package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"mime"
	"net/http"
	"slices"
	"strings"

	"livenessd"
)

// bws3 speaks as BioID's Web Service 3: one picture, two, or two with a
// direction that the head was asked to move in.
var bws3 = &dialect{
	name:    livenessd.DialectBWS3,
	paths:   []string{"/api/v1/livenessdetection"},
	prove:   bws3Proof,
	respond: bws3Respond,
	refuse:  bws3Refuse,
	head:    bws3Head,
	allow:   "Authorization, Content-Type, Reference-Number",

	challenge: bws3Challenge,
}

const (
	bws3Body      = 50 << 20 // the vendor's largest request
	bws3Image     = 16 << 20 // bytes of a picture; the pipeline reads no more
	bws3Reference = 256      // characters of a reference number that are sent back

	// bws3Boundary is where scores part live from not live. The vendor does
	// not say; its own clients show them as a share of certainty.
	bws3Boundary = 0.5
	// bws3Sector is how far, in degrees either way, a movement may be off the
	// direction that was asked for. Half a right angle leaves no direction
	// between two tags and none with two.
	bws3Sector = 45
)

// bws3Directions are the tags that ask for a movement, in degrees as
// Verdict.Heading has them. Left and right are those of the picture: the
// vendor's clients mirror the picture, or swap the tag.
var bws3Directions = map[string]float64{"right": 360, "up": 90, "left": 180, "down": 270}

func bws3Proof(r *http.Request) (Proof, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return Proof{Scheme: SchemeBearer, Token: token}, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

func bws3Challenge(shown bool) string {
	if !shown {
		return "Bearer"
	}
	return `Bearer error="invalid_token", error_description="The token is not valid"`
}

func bws3Head(x *exchange, h http.Header) {
	h.Set("jobid", x.job.ID)
	h.Set("bws-version", x.version)
	if n := x.r.Header.Get("Reference-Number"); n != "" {
		h.Set("reference-number", shortened(n, bws3Reference))
	}
}

// bws3Request is what a caller sends.
type bws3Request struct {
	images [][]byte
	tags   []string // directions asked of the second image; none is no challenge
}

// bws3Invalid is an argument that cannot be used, in words for the caller.
type bws3Invalid struct{ message string }

func (e *bws3Invalid) Error() string { return e.message }
func (e *bws3Invalid) Unwrap() error { return livenessd.ErrInvalid }

// decodeBWS3 reads a request. Its errors are *bws3Invalid.
func decodeBWS3(contentType string, body []byte) (bws3Request, error) {
	var q bws3Request
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
		return q, &bws3Invalid{"Unable to read the request as JSON because the request content type '" + shortened(contentType, 100) + "' is not a known JSON content type."}
	}
	malformed := &bws3Invalid{"Request JSON payload is not correctly formatted."}
	fields, err := jsonObject(body)
	if err != nil {
		return q, malformed
	}
	list := fields["liveImages"]
	if isNull(list) {
		list = fields["live_images"]
	}
	var items []json.RawMessage
	if !isNull(list) {
		if items, err = jsonArray(list); err != nil {
			return q, malformed
		}
	}
	if len(items) < 1 || len(items) > 2 {
		return q, &bws3Invalid{fmt.Sprintf("One or two live images are required, %d were sent.", len(items))}
	}
	for i, item := range items {
		image, tags, err := bws3Item(item)
		switch {
		case errors.Is(err, errImageText):
			return q, &bws3Invalid{fmt.Sprintf("Live image %d is not valid base64.", i+1)}
		case errors.Is(err, errNoImage):
			return q, &bws3Invalid{fmt.Sprintf("Live image %d is empty.", i+1)}
		case err != nil:
			return q, malformed
		case len(image) > bws3Image:
			return q, &bws3Invalid{fmt.Sprintf("Live image %d has more than %d bytes.", i+1, bws3Image)}
		}
		q.images = append(q.images, image)
		if i == 1 { // those of the first ask for nothing
			q.tags = tags
		}
	}
	return q, nil
}

// bws3Item reads one live image and the directions among its tags; clients
// send empty and other tags too.
func bws3Item(item json.RawMessage) (image []byte, directions []string, err error) {
	fields, err := jsonObject(item)
	if err != nil {
		return nil, nil, err
	}
	var tags []json.RawMessage
	if !isNull(fields["tags"]) {
		if tags, err = jsonArray(fields["tags"]); err != nil {
			return nil, nil, err
		}
	}
	for _, t := range tags {
		text, err := jsonText(t)
		if err != nil {
			return nil, nil, err
		}
		tag := strings.ToLower(strings.TrimSpace(string(text)))
		if _, known := bws3Directions[tag]; known && !slices.Contains(directions, tag) {
			directions = append(directions, tag)
		}
	}
	if isNull(fields["image"]) {
		return nil, nil, errNoImage
	}
	text, err := jsonText(fields["image"])
	if err != nil {
		return nil, nil, err
	}
	image, err = fromBase64(text) // no data URL: the vendor takes none
	return image, directions, err
}

type bws3Answer struct {
	Status     string         `json:"status"` // "SUCCEEDED": the job was processed, whatever it found
	Errors     []bws3Error    `json:"errors"`
	Properties []bws3Property `json:"imageProperties"`
	Live       bool           `json:"live"`
	Score      float64        `json:"livenessScore"` // 0: not calculated
}

type bws3Error struct {
	Code    string `json:"errorCode"`
	Message string `json:"message"`
}

type bws3Property struct {
	Rotated     int              `json:"rotated"`
	Faces       []bws3Face       `json:"faces"`
	Quality     float64          `json:"qualityScore"` // 0: the vendor has none yet
	Assessments []bws3Assessment `json:"qualityAssessments"`
	Frame       int              `json:"frameNumber"`
}

// bws3Face has its right eye to the left in the picture. A score or direction
// of 0 was not calculated.
type bws3Face struct {
	LeftEye   bws3Point `json:"leftEye"`
	RightEye  bws3Point `json:"rightEye"`
	Texture   float64   `json:"textureLivenessScore"`
	Motion    float64   `json:"motionLivenessScore"`
	Direction float64   `json:"movementDirection"`
}

type bws3Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

type bws3Assessment struct {
	Check   string  `json:"check"`
	Score   float64 `json:"score"` // 0..1
	Message string  `json:"message"`
}

// bws3Status is a refusal, as the vendor's gateway words gRPC errors.
type bws3Status struct {
	Code    int      `json:"code"`
	Message string   `json:"message"`
	Details []string `json:"details"` // none
}

func bws3Respond(x *exchange) (reply, error) {
	x.named(x.r.Header.Get("Reference-Number"))
	body, err := x.body(bws3Body)
	if err != nil {
		return reply{}, err
	}
	q, err := decodeBWS3(x.r.Header.Get("Content-Type"), body)
	if err != nil {
		return reply{}, err
	}
	j, err := x.judge(q.images, rules{motion: len(q.images) == 2, tolerate: turnedTolerated})
	if err != nil {
		return reply{}, err
	}
	a := bws3Say(&j, bws3Disobeyed(&j, q.tags))
	x.note(&j)
	code := ""
	if len(a.Errors) > 0 {
		code = a.Errors[0].Code
	}
	return reply{http.StatusOK, code, a}, nil
}

// bws3Disobeyed tells whether the movement that tags ask for did not come, and
// adds that to j. Nothing was asked of pictures that cannot be judged.
func bws3Disobeyed(j *judgement, tags []string) bool {
	judged := !slices.ContainsFunc(j.unfit, func(why []livenessd.Reason) bool { return len(why) > 0 })
	if len(tags) == 0 || !judged || bws3Followed(j.Heading, tags) {
		return false
	}
	if j.Heading == 0 || j.Motion == nil {
		j.add(livenessd.Retry, livenessd.NoMovement)
	} else {
		j.add(livenessd.NotLive, livenessd.WrongMovement)
	}
	return true
}

// bws3Followed tells whether a movement went where one of tags asked it to.
func bws3Followed(heading float64, tags []string) bool {
	for _, tag := range tags {
		if heading > 0 && math.Abs(math.Remainder(heading-bws3Directions[tag], 360)) <= bws3Sector {
			return true
		}
	}
	return false
}

// The vendor's errors.
var (
	bws3NoFace     = bws3Error{"FaceNotFound", "No suitable face was found in at least one of the provided images."}
	bws3Several    = bws3Error{"MultipleFacesFound", "More than one face has been found in at least one of the provided images."}
	bws3Cropped    = bws3Error{"ThumbnailExtractionFailed", "None of the found faces could be extracted, typically because they are too close to the edge."}
	bws3Passive    = bws3Error{"RejectedByPassiveLiveDetection", "At least one of the live images seem not to be recorded from a live person."}
	bws3Active     = bws3Error{"RejectedByActiveLiveDetection", "The 3D detector observed some unnatural motion."}
	bws3Challenged = bws3Error{"RejectedByChallengeResponse", "At least one of the head-movement challenge-response criteria (as provided in the tags of the second image) was not fulfilled."}
)

// bws3Say puts a judgement in the vendor's words: an error for each image that
// is at fault, then those of the movement.
func bws3Say(j *judgement, disobeyed bool) bws3Answer {
	a := bws3Answer{Status: "SUCCEEDED", Errors: []bws3Error{}, Live: j.outcome == livenessd.Live}
	var scores []float64
	whole := true
	for i := range j.Pictures {
		p, e := bws3Picture(&j.Pictures[i], j.unfit[i])
		if e != nil {
			a.Errors = append(a.Errors, *e)
			whole = false
		}
		if t := j.textures[i]; t != nil {
			p.Faces[0].Texture = scaled(t, bws3Boundary)
			scores = append(scores, p.Faces[0].Texture)
			if !passes(t) {
				a.Errors = append(a.Errors, bws3Passive)
			}
		}
		a.Properties = append(a.Properties, p)
	}
	if len(j.Pictures) == 2 && whole {
		second := &a.Properties[1].Faces[0]
		second.Direction = tenth(j.Heading)
		if j.Heading > 0 && second.Direction == 0 {
			second.Direction = 360
		}
		if j.Motion != nil {
			second.Motion = scaled(j.Motion, bws3Boundary)
			scores = append(scores, second.Motion)
		}
		if !passes(j.Motion) {
			a.Errors = append(a.Errors, bws3Active)
		}
	}
	if disobeyed {
		a.Errors = append(a.Errors, bws3Challenged)
	}
	a.Score = rounded(mean(scores))
	return a
}

// bws3Unsuitable has names for why a face is none that can be judged. The
// vendor's are Profile and EyesTooCloseTogether; it has none for the others.
var bws3Unsuitable = map[livenessd.Reason]string{
	livenessd.NotFrontal: "Profile", livenessd.TooFar: "EyesTooCloseTogether",
	livenessd.Blurred: "TooBlurry", livenessd.TooDark: "TooDark", livenessd.TooBright: "TooBright", livenessd.LowContrast: "LowContrast",
	livenessd.Sunglasses: "EyesCovered", livenessd.Mask: "MouthCovered", livenessd.Occluded: "FaceCovered", livenessd.TooFewFrames: "NotScored",
}

// bws3Picture describes one image; the error is nil when its face was judged.
// A face that cannot be judged is, in the vendor's words, no suitable face: it
// is not listed, and an assessment says why.
func bws3Picture(s *Shown, unfit []livenessd.Reason) (bws3Property, *bws3Error) {
	p := bws3Property{Rotated: s.Rotated, Faces: []bws3Face{}, Assessments: []bws3Assessment{}}
	faces := s.faces()
	if len(faces) == 0 {
		return p, &bws3NoFace
	}
	for _, f := range faces {
		at := func(l livenessd.Landmark) bws3Point {
			return bws3Point{tenth(f.Landmarks[l].X), tenth(f.Landmarks[l].Y)}
		}
		p.Faces = append(p.Faces, bws3Face{LeftEye: at(livenessd.LeftEye), RightEye: at(livenessd.RightEye)})
	}
	switch {
	case len(unfit) == 0:
		return p, nil
	case slices.Contains(unfit, livenessd.SeveralFaces):
		return p, &bws3Several
	case slices.Contains(unfit, livenessd.Cropped) || slices.Contains(unfit, livenessd.TooNear):
		p.Assessments = append(p.Assessments, bws3Assessment{"FullyVisibleFace", 0, "There is not enough space around the face."})
		return p, &bws3Cropped
	}
	var names []string
	for _, why := range unfit {
		names = append(names, bws3Unsuitable[why])
	}
	p.Faces = []bws3Face{}
	p.Assessments = append(p.Assessments, bws3Assessment{"SuitableFace", 0, "A face was rejected: " + strings.Join(names, ", ")})
	return p, &bws3NoFace
}

// Codes of gRPC.
const (
	grpcCancelled   = 1
	grpcInvalid     = 3
	grpcDenied      = 7
	grpcExhausted   = 8
	grpcInternal    = 13
	grpcUnavailable = 14
)

func bws3Refuse(x *exchange, why trouble) reply {
	say := func(status, code int, message string) reply {
		return reply{status, message, bws3Status{code, message, []string{}}}
	}
	switch why {
	case troubleUnauthorized:
		return reply{status: http.StatusUnauthorized} // the vendor's has no body
	case troubleForbidden:
		return say(http.StatusForbidden, grpcDenied, "The client is not allowed to use this API.")
	case troubleRate:
		return say(http.StatusTooManyRequests, grpcExhausted, "Too many requests.")
	case troubleQuota:
		return say(http.StatusTooManyRequests, grpcExhausted, "The quota is used up.")
	case troubleBusy:
		return say(http.StatusServiceUnavailable, grpcUnavailable, "Too many requests are waiting.")
	case troubleNotReady:
		return say(http.StatusServiceUnavailable, grpcUnavailable, "The service is currently unavailable.")
	case troubleGone:
		return say(http.StatusRequestTimeout, grpcCancelled, "The request was cancelled by the client.")
	case troubleTooLarge:
		return say(http.StatusBadRequest, grpcInvalid, "The request is too large.")
	case troubleImage, troubleImageLarge:
		return say(http.StatusBadRequest, grpcInvalid, bws3BadImage(x.why))
	case troubleRequest:
		if e := (*bws3Invalid)(nil); errors.As(x.why, &e) {
			return say(http.StatusBadRequest, grpcInvalid, e.message)
		}
		return say(http.StatusBadRequest, grpcInvalid, "The request could not be read.")
	}
	return say(http.StatusInternalServerError, grpcInternal, "The server experienced some unexpected behaviour.")
}

// bws3BadImage says which image cannot be used.
func bws3BadImage(why error) string {
	e := (*PictureError)(nil)
	if !errors.As(why, &e) {
		return "A live image could not be decoded."
	}
	if errors.Is(why, livenessd.ErrTooLarge) {
		return fmt.Sprintf("Live image %d is too large.", e.Picture+1)
	}
	return fmt.Sprintf("Live image %d could not be decoded.", e.Picture+1)
}

// bws3Health answers the health checks of the vendor's command line, which
// shows no credentials and prints the body.
func bws3Health(healthy func() bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status, text := http.StatusOK, "Healthy"
		if !healthy() {
			status, text = http.StatusServiceUnavailable, "Unhealthy"
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	})
}
