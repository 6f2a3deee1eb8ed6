package api

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"livenessd"
)

// bioid speaks as BioID's classic web API: one picture, or two with a movement
// between them.
var bioid = &dialect{
	name:    livenessd.DialectBioID,
	paths:   []string{"/passivelivedetection", "/extension/passivelivedetection", bioidTwo, "/extension" + bioidTwo},
	prove:   basicProof,
	respond: bioidRespond,
	refuse:  bioidRefuse,
	allow:   "Authorization, Content-Type",

	challenge: basicRealm("BioID Web Service"),
}

const (
	bioidTwo = "/livedetection" // the path for two pictures

	bioidImage = 10 << 20 // bytes of a picture
	bioidBody  = 28 << 20 // two of them in base64, and the rest

	// bioidNoFace is the status when there is no face, or more than one: the
	// vendor names "no face found" as an example of 400, and elsewhere lists
	// such errors with the samples of a 200.
	bioidNoFace = http.StatusBadRequest
)

// errMediaType is a body whose type is not said or not known.
var errMediaType = errors.New("the media type of the body is not one that is read")

// bioidImages returns the texts of the pictures that a body holds, in their
// order: n of them, under their names where the body has names. What begins as
// a data URL is one whatever the Content-Type: clients send it under several.
func bioidImages(contentType string, body []byte, n int) ([][]byte, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, errNoImage
	}
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case n == 1 && isDataURL(body):
		return [][]byte{body}, nil
	case err != nil:
		return nil, errMediaType
	case media == "multipart/form-data":
		return bioidNamed(n, func(name string) ([]byte, error) { return formPart(contentType, body, name) })
	case media == "application/json" || strings.HasSuffix(media, "+json"):
		return bioidJSON(body, n)
	case media == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, fmt.Errorf("%w: %v", errBody, err)
		}
		return bioidNamed(n, func(name string) ([]byte, error) { return []byte(form.Get(name)), nil })
	case n == 1 && (media == "text/plain" || strings.HasPrefix(media, "image/")):
		return [][]byte{body}, nil
	}
	return nil, errMediaType
}

// bioidJSON reads a string that is the one picture, or an object that names
// the pictures.
func bioidJSON(body []byte, n int) ([][]byte, error) {
	if n == 1 && body[0] == '"' {
		text, err := jsonText(body)
		if err != nil {
			return nil, err
		}
		return [][]byte{text}, nil
	}
	fields, err := jsonObject(body)
	if err != nil {
		return nil, err
	}
	return bioidNamed(n, func(name string) ([]byte, error) {
		if isNull(fields[name]) {
			return nil, errNoImage
		}
		return jsonText(fields[name])
	})
}

// bioidNamed takes pictures by their names. The vendor names two and leaves
// the name of a single one open.
func bioidNamed(n int, get func(name string) ([]byte, error)) ([][]byte, error) {
	if n == 2 {
		texts := make([][]byte, n)
		for i, name := range []string{"liveimage1", "liveimage2"} {
			var err error
			if texts[i], err = get(name); err != nil {
				return nil, err
			}
		}
		return texts, nil
	}
	for _, name := range []string{"image", "liveimage", "liveimage1"} {
		text, err := get(name)
		if errors.Is(err, errNoImage) || err == nil && len(text) == 0 {
			continue
		}
		return [][]byte{text}, err
	}
	return nil, errNoImage
}

// bioidPicture returns the picture of a text; a picture's own bytes are taken
// as they are.
func (x *exchange) bioidPicture(text []byte) ([]byte, error) {
	if isJPEG(text) || isPNG(text) {
		if len(text) > bioidImage {
			return nil, &PictureError{Err: fmt.Errorf("%w: the picture has more than %d bytes", livenessd.ErrTooLarge, bioidImage)}
		}
		return text, nil
	}
	if isWebURL(text) { // this service never fetched any
		return nil, errImageText
	}
	return x.image(text, bioidImage)
}

type bioidResult struct {
	Success bool          `json:"Success"`
	JobID   string        `json:"JobID"`
	State   string        `json:"State"`
	Errors  []bioidError  `json:"Errors"`
	Samples []bioidSample `json:"Samples"`
}

type bioidError struct {
	Code    string `json:"Code"`
	Message string `json:"Message"`
	Details string `json:"Details"`
}

type bioidSample struct {
	Errors     []bioidError `json:"Errors"`
	EyeCenters bioidEyes    `json:"EyeCenters"`
}

// bioidEyes are in pixels. The right eye is the person's, to the left in the
// picture.
type bioidEyes struct {
	RightEyeX float64 `json:"RightEyeX"`
	RightEyeY float64 `json:"RightEyeY"`
	LeftEyeX  float64 `json:"LeftEyeX"`
	LeftEyeY  float64 `json:"LeftEyeY"`
}

// bioidMessage is the body of a refusal.
type bioidMessage struct {
	Message   string `json:"Message"`
	Exception string `json:"ExceptionMessage,omitempty"`
}

func bioidRespond(x *exchange) (reply, error) {
	n := 1
	if strings.HasSuffix(x.r.URL.Path, bioidTwo) {
		n = 2
	}
	state := x.r.URL.Query()["state"]
	if len(state) > 0 {
		x.named(state[0])
	}
	body, err := x.body(bioidBody)
	if err != nil {
		return reply{}, err
	}
	texts, err := bioidImages(x.r.Header.Get("Content-Type"), body, n)
	if errors.Is(err, errMediaType) || errors.Is(err, errNotForm) {
		x.why = err
		return bioidSay(http.StatusUnsupportedMediaType, "UnsupportedMediaType"), nil
	}
	if err != nil {
		return reply{}, err
	}
	pictures := make([][]byte, n)
	for i, text := range texts {
		if pictures[i], err = x.bioidPicture(text); err != nil {
			return reply{}, err
		}
	}
	j, err := x.judge(pictures, rules{motion: n == 2, tolerate: turnedTolerated})
	if err != nil {
		return reply{}, err
	}
	if code := bioidFaces(&j); code != "" {
		return bioidSay(bioidNoFace, code), nil
	}
	result := x.bioidResult(&j)
	code := ""
	if !result.Success {
		code = result.Errors[0].Code
	}
	if n == 2 && len(state) == 0 { // without a state the answer is a bare yes or no
		return reply{http.StatusOK, code, result.Success}, nil
	}
	return reply{http.StatusOK, code, result}, nil
}

// turnedTolerated: the second of two pictures is to show a turned head.
func turnedTolerated(i int) []livenessd.Reason {
	if i == 0 {
		return nil
	}
	return []livenessd.Reason{livenessd.NotFrontal}
}

// bioidFaces returns the code of a picture without exactly one face.
func bioidFaces(j *judgement) string {
	for _, unfit := range j.unfit {
		switch {
		case slices.Contains(unfit, livenessd.NoFace):
			return "NoFaceFound"
		case slices.Contains(unfit, livenessd.SeveralFaces):
			return "MultipleFacesFound"
		}
	}
	return ""
}

// bioidResult says what each sample shows and what follows for the whole.
func (x *exchange) bioidResult(j *judgement) bioidResult {
	r := bioidResult{
		Success: j.outcome == livenessd.Live, JobID: x.job.ID, State: x.echo,
		Errors: []bioidError{}, Samples: make([]bioidSample, len(j.Pictures)),
	}
	if !r.Success {
		r.Errors = append(r.Errors, bioidError{Code: bioidFailed, Message: "The submitted samples do not prove that they are recorded from a live person"})
	}
	for i := range j.Pictures {
		s := bioidSample{Errors: bioidQuality(&j.Pictures[i], j.unfit[i])}
		if t := j.textures[i]; t != nil && !passes(t) {
			s.Errors = append(s.Errors, bioidError{Code: bioidFailed,
				Message: "The sample has been discarded as it cannot be proven that it has been recorded from a live person."})
		}
		if i == 1 && !passes(j.Motion) {
			s.Errors = append(s.Errors, bioidError{Code: "UnnaturalMotionDetected", Message: "The 3D detector observed some unnatural motion."})
		}
		eyes := j.Pictures[i].Faces[0].Landmarks
		s.EyeCenters = bioidEyes{
			RightEyeX: tenth(eyes[livenessd.RightEye].X), RightEyeY: tenth(eyes[livenessd.RightEye].Y),
			LeftEyeX: tenth(eyes[livenessd.LeftEye].X), LeftEyeY: tenth(eyes[livenessd.LeftEye].Y),
		}
		r.Samples[i] = s
	}
	return r
}

const bioidFailed = "LiveDetectionFailed"

// bioidQuality has the vendor's words for what is wrong with a picture, one
// for each reason.
func bioidQuality(s *Shown, unfit []livenessd.Reason) []bioidError {
	errs := []bioidError{}
	for _, why := range unfit {
		e := bioidError{Code: "UnsuitableImage", Message: "The face is not fully visible in the image."}
		switch why {
		case livenessd.TooFar:
			e = bioidError{Code: "ImageTooSmall", Message: "The part of the image containing the found face is too small."}
			if m, ok := s.measure(livenessd.InterEyeDistance); ok {
				e.Details = fmt.Sprintf("The found face has an eye-distance of %.0f pixels.", m.Value)
			}
		case livenessd.NotFrontal:
			e = bioidError{Code: "WrongViewingDirection", Message: "Look straight ahead into the camera."}
		case livenessd.Blurred:
			e = bioidError{Code: "ImageTooBlurry", Message: "The image is too blurry, i.e. is it not sharp enough."}
		case livenessd.TooDark:
			e = bioidLight(s, livenessd.UnderExposure, bioidError{"FaceTooDark", "The face is too dark.", ""},
				bioidError{"ImageUnderExposure", "The image is under-exposed, i.e. it has too many very dark pixels.", "The amount of very dark pixels is %.2f%%."})
		case livenessd.TooBright:
			e = bioidLight(s, livenessd.OverExposure, bioidError{"FaceTooBright", "The face is too bright.", ""},
				bioidError{"ImageOverExposure", "The image is over-exposed, i.e. it has too many very light pixels.", "The amount of very bright pixels is %.2f%%."})
		case livenessd.LowContrast:
			e = bioidError{Code: "FaceContrastTooLow", Message: "The contrast within the face is too low."}
		case livenessd.Sunglasses:
			e = bioidError{Code: "IrisNotFound", Message: "A face was found, however, at least one eye could not be seen."}
		}
		errs = append(errs, e)
	}
	return errs
}

// bioidLight tells a face in bad light from a picture whose measure of
// exposure is at fault.
func bioidLight(s *Shown, measure string, face, exposure bioidError) bioidError {
	m, ok := s.measure(measure)
	if !ok || m.Reason == "" {
		return face
	}
	exposure.Details = fmt.Sprintf(exposure.Details, 100*m.Value)
	return exposure
}

// bioidSay is a refusal; its message is a code.
func bioidSay(status int, code string) reply {
	return reply{status, code, bioidMessage{Message: code}}
}

func bioidRefuse(_ *exchange, why trouble) reply {
	switch why {
	case troubleUnauthorized:
		return bioidSay(http.StatusUnauthorized, "Authorization has been denied for this request.")
	case troubleForbidden:
		return bioidSay(http.StatusForbidden, "Authorization has been denied for this request.")
	case troubleRate:
		return bioidSay(http.StatusTooManyRequests, "TooManyRequests")
	case troubleQuota:
		return bioidSay(http.StatusTooManyRequests, "QuotaExceeded")
	case troubleBusy, troubleNotReady:
		return bioidSay(http.StatusServiceUnavailable, "ServiceUnavailable")
	case troubleGone:
		return bioidSay(http.StatusRequestTimeout, "RequestCancelled")
	case troubleTooLarge:
		return bioidSay(http.StatusRequestEntityTooLarge, "RequestTooLarge")
	case troubleNoImage:
		return bioidSay(http.StatusBadRequest, "MissingData")
	case troubleRequest, troubleImageText, troubleImage, troubleImageLarge:
		return bioidSay(http.StatusBadRequest, "InvalidSampleData")
	}
	return reply{http.StatusInternalServerError, "InternalServerError", bioidMessage{"An error has occurred.", "internal error"}}
}
