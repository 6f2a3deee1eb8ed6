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
)
