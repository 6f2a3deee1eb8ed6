package api

import (
	"context"

	"livenessd"
)

// Scheme is how a request shows who it is.
type Scheme string

const (
	SchemeBasic    Scheme = "basic"     // RFC 7617: User and Secret, as bytes, in whatever encoding the client chose
	SchemeBearer   Scheme = "bearer"    // RFC 6750: Token
	SchemeBasicKey Scheme = "basic+key" // User, Secret, and Key from the header x-api-key; all three must be right
	SchemePair     Scheme = "pair"      // User from the header App-ID, Secret from API-Key
)

// Proof is what a request shows of who it is. Exactly the fields of its Scheme
// are set. It is not to be logged.
type Proof struct {
	Scheme       Scheme
	User, Secret []byte
	Key          []byte
	Token        string
}

// Access decides who may ask in which dialect.
type Access interface {
	// Admit returns the name of the credential that p proves. Errors wrap
	// livenessd.ErrUnauthorized (wrong or none), livenessd.ErrForbidden (right,
	// but not for d) or livenessd.ErrRate (too many calls; the error may have a
	// method RetryAfter() time.Duration).
	Admit(ctx context.Context, d livenessd.Dialect, p Proof) (credential string, err error)
	// Spend takes one call from the credential's quota; the error wraps
	// livenessd.ErrQuota when none is left. It is called once a request is well
	// formed and before its pictures are looked at.
	Spend(credential string) error
	// Refund gives back what Spend took for a call that was not judged through
	// no fault of its caller.
	Refund(credential string)
}

// Jobs keeps the book of calls.
type Jobs interface {
	// PutJob records j, within a moment of its return at most, and sets nothing
	// in the caller's copy.
	PutJob(j livenessd.Job) error
}

// Judge is the one neutral call behind all dialects.
type Judge interface {
	// Judge looks at the pictures of q. It waits for its turn; when that takes
	// too long the error wraps livenessd.ErrOverloaded (and may have a method
	// RetryAfter() time.Duration), when nobody can be judged now
	// livenessd.ErrNotReady, when ctx ended ctx.Err(). A *PictureError says that
	// a picture cannot be read.
	Judge(ctx context.Context, q Inquiry) (Verdict, error)
}

// Inquiry asks whether pictures are of one live person.
type Inquiry struct {
	// Pictures are one or two encoded pictures, in the order in which they were
	// taken: JPEG, PNG, GIF, BMP, TIFF or WebP, whatever anybody declared. They
	// are only read, and not kept after Judge has returned.
	Pictures [][]byte
	// Motion asks to judge the movement from the first to the second as well.
	Motion bool
}

// Verdict is what the pictures of an Inquiry show.
type Verdict struct {
	Pictures []Shown // one for each picture, in the same order
	// Motion is nil when it was not asked for, or when the two pictures do not
	// show enough movement of one face to tell. Absence is never a yes.
	Motion *livenessd.Score
	// Heading is where the face of the second picture has turned to since the
	// first, in degrees of the upright picture: 360 towards its right edge, 90
	// up, 180 left, 270 down; in ]0,360]. 0 is not computed, or no movement.
	Heading float64
}

// Shown is what one picture shows.
type Shown struct {
	// Observation's coordinates are those of the picture as it came, turned by
	// its EXIF orientation and then by Rotated.
	livenessd.Observation
	// Rotated is by how many degrees the picture had to be turned clockwise to
	// find a face that is upright: 0, 90, 180 or 270.
	Rotated int
	// Grey says that the picture has no colours.
	Grey bool
}

// PictureError says which picture of an Inquiry cannot be read.
type PictureError struct {
	Picture int   // index in Inquiry.Pictures
	Err     error // wraps livenessd.ErrNoPicture or livenessd.ErrTooLarge
}

func (e *PictureError) Error() string { return e.Err.Error() }
func (e *PictureError) Unwrap() error { return e.Err }
