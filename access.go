package livenessd

import "time"

// Dialect is the language in which a device on the LAN asks: one of the five
// services whose clients find their answers here.
type Dialect string

const (
	DialectBioID      Dialect = "bioid"      // POST /passivelivedetection, /livedetection and their /extension/ forms
	DialectBWS3       Dialect = "bws3"       // POST /api/v1/livenessdetection, GET /livez and /readyz
	DialectTrustmatic Dialect = "trustmatic" // POST /api/v1/face/liveness
	DialectGLAIR      Dialect = "glair"      // POST /face/v1/passive-liveness
	DialectVerihubs   Dialect = "verihubs"   // POST /v1/face/liveness
)

// Dialects are all of them, in the order in which they are listed to people.
var Dialects = []Dialect{DialectBioID, DialectBWS3, DialectTrustmatic, DialectGLAIR, DialectVerihubs}

// Job is the record of one call of the API: who asked what, and what was
// said. It never holds a picture.
type Job struct {
	ID         string        `json:"id"`  // time-ordered (UUID version 7), given by the store's caller; what the caller of the API was told
	Seq        uint64        `json:"seq"` // gapless, in order of commitment; set by the store
	At         time.Time     `json:"at"`  // when the request was received
	Took       time.Duration `json:"took_ns"`
	Dialect    Dialect       `json:"dialect"`
	Credential string        `json:"credential,omitempty"` // the credential's name, "" when none was shown or it was wrong
	Reference  string        `json:"reference,omitempty"`  // the caller's own reference number, session or state
	Client     string        `json:"client,omitempty"`     // what the caller says it is (User-Agent), shortened
	Status     int           `json:"status"`               // HTTP status of the answer; 499 when the caller went away
	Code       string        `json:"code,omitempty"`       // the dialect's own code of the answer
	Outcome    Outcome       `json:"outcome,omitempty"`    // "" when nothing was judged
	Reasons    []Reason      `json:"reasons,omitempty"`
	Texture    *Score        `json:"texture,omitempty"` // nil: not computed
	Motion     *Score        `json:"motion,omitempty"`
	Pictures   int           `json:"pictures"` // how many the request held
}
