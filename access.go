package livenessd

import (
	"slices"
	"time"
)

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

// MaxJobText bounds the texts in a Job that callers choose, in bytes.
const MaxJobText = 1024

// Job is the record of one call of the API: who asked what, and what was
// said. It never holds a picture.
type Job struct {
	ID         string        `json:"id"`  // time-ordered (UUID version 7), given by the store's caller; what the caller of the API was told
	Seq        uint64        `json:"seq"` // gapless, in order of commitment; set by the store
	At         time.Time     `json:"at"`  // when the request was received
	Took       time.Duration `json:"took_ns"`
	Dialect    Dialect       `json:"dialect"`
	Credential string        `json:"credential,omitempty"` // the credential's name, "" when none was shown or it was wrong
	Reference  string        `json:"reference,omitempty"`  // the caller's own reference number, session or state; at most MaxJobText bytes
	Client     string        `json:"client,omitempty"`     // what the caller says it is (User-Agent); at most MaxJobText bytes
	Status     int           `json:"status"`               // HTTP status of the answer; 499 when the caller went away
	Code       string        `json:"code,omitempty"`       // the dialect's own code of the answer
	Outcome    Outcome       `json:"outcome,omitempty"`    // "" when nothing was judged
	Reasons    []Reason      `json:"reasons,omitempty"`
	Texture    *Score        `json:"texture,omitempty"` // nil: not computed
	Motion     *Score        `json:"motion,omitempty"`
	Pictures   int           `json:"pictures"` // how many the request held
}

// Credential is the account of one caller on the LAN. Which secrets it has
// follows from the dialects that it was made for. All of it but the signing
// key is of no use to a thief who cannot guess.
type Credential struct {
	Name     string    `json:"name"` // what operators and jobs call it; unique
	Created  time.Time `json:"created"`
	Dialects []Dialect `json:"dialects"`          // in which it may ask; none: it is suspended
	User     string    `json:"user"`              // Basic user, App-ID or subject of a token; printable ASCII, not unique
	Secret   string    `json:"secret,omitempty"`  // argon2id of password, App-Secret or API-Key, as the PHC string format writes it
	Key      string    `json:"key,omitempty"`     // the same of the x-api-key
	Signing  []byte    `json:"signing,omitempty"` // HMAC key of its tokens, which can only be checked with the key itself
	Quota    uint64    `json:"quota,omitempty"`   // calls it may make in all; 0: no bound
	Used     uint64    `json:"used,omitempty"`    // of Quota; not counted where there is none
	Rate     float64   `json:"rate,omitempty"`    // calls a minute; 0: no bound
}

// May tells whether c is made for dialect d.
func (c *Credential) May(d Dialect) bool { return slices.Contains(c.Dialects, d) }
