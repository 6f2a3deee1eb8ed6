package livenessd

import "errors"

// Sentinels that more than one folder speaks of. Folders wrap them with %w and
// a sentence of their own that names the field, the file or the device.
var (
	ErrNotFound  = errors.New("not found")
	ErrInvalid   = errors.New("invalid") // the caller can mend it
	ErrBusy      = errors.New("busy")    // ask again later
	ErrNotReady  = errors.New("not ready")
	ErrTooLarge  = errors.New("too large")
	ErrNoPicture = errors.New("not a picture")
	ErrGone      = errors.New("no longer kept") // e.g. events older than the journal's bound

	// What a device on the LAN may be told before anything is judged.
	ErrUnauthorized = errors.New("credentials missing or wrong")
	ErrForbidden    = errors.New("credentials not valid for this") // right, but not for this dialect
	ErrQuota        = errors.New("quota used up")
	ErrRate         = errors.New("too many requests") // of one credential; the error may tell when with RetryAfter() time.Duration
	ErrOverloaded   = errors.New("overloaded")        // of all together: it waited as long as it may
)
