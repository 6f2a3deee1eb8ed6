// Package livenessd holds the nouns of the product: what a camera gives, what
// one picture shows, what the person is told, and what was decided.
//
// It does no I/O, starts no goroutine, reads no clock and imports only the
// standard library. Every folder beside it knows these nouns and its own trade
// and no other folder; cmd/livenessd joins them.
//
// # Coordinates and sides
//
// Pixel coordinates have their origin in the top left corner of the upright,
// unmirrored picture; x grows to the right, y grows downwards. "Left" and
// "right" in the names of prompts, directions, eyes and angles are the
// person's own. A person's left therefore lies to the right in the picture.
package livenessd

import "time"

// PixelFormat names how Frame.Data is laid out.
type PixelFormat string

const (
	MJPEG PixelFormat = "MJPEG" // one JPEG picture
	YUYV  PixelFormat = "YUYV"  // packed 4:2:2, 2 bytes a pixel, no padding
	NV12  PixelFormat = "NV12"  // planar Y then interleaved UV at half size, 1.5 bytes a pixel, even width and height
	GREY  PixelFormat = "GREY"  // 1 byte a pixel
	BGR   PixelFormat = "BGR"   // 3 bytes a pixel, B first; pictures decoded by us, never a camera
)

// Frame is one picture as a camera gave it. Whoever receives a Frame owns its
// Data; nobody writes to it afterwards.
type Frame struct {
	Seq    uint64    // the source's own count since it was opened; a gap means frames were lost
	At     time.Time // when the picture was taken
	Width  int       // pixels, as the driver really gives them
	Height int
	Format PixelFormat
	Data   []byte
}

// Camera says which device frames come from. It is stored with every result.
type Camera struct {
	Name      string  `json:"name"`             // what the operator calls it: the configured source
	Device    string  `json:"device,omitempty"` // stable path, e.g. /dev/v4l/by-id/…
	Driver    string  `json:"driver,omitempty"` // kernel driver, "replay" or "sim"
	Card      string  `json:"card,omitempty"`   // the device's own name for itself
	Bus       string  `json:"bus,omitempty"`    // where it is plugged in
	USB       string  `json:"usb,omitempty"`    // vendor and product, e.g. "046d:082d"; "" when it is not on USB
	Serial    string  `json:"serial,omitempty"` // the device's own; many have none
	Port      string  `json:"port,omitempty"`   // the socket, as udev names it under /dev/v4l/by-path
	Format    string  `json:"format,omitempty"`
	Width     int     `json:"width,omitempty"`
	Height    int     `json:"height,omitempty"`
	FPS       float64 `json:"fps,omitempty"`       // pictures a second that were agreed on; 0 when nobody says
	Other     bool    `json:"other,omitempty"`     // a camera was pinned, and this is another one
	Simulated bool    `json:"simulated,omitempty"` // the pictures do not show the room in front of the door
}

// CameraFault names what is wrong with the camera or its pictures. While one
// of them but FaultSlow holds nobody is judged.
type CameraFault string

const (
	FaultGone     CameraFault = "gone"     // no such camera, or it cannot be used
	FaultOther    CameraFault = "other"    // another camera than the pinned one, which is refused
	FaultSilent   CameraFault = "silent"   // it gives no pictures, or only broken ones
	FaultBlack    CameraFault = "black"    // its pictures are black or of one colour: covered, or no light
	FaultFrozen   CameraFault = "frozen"   // the same picture comes again and again
	FaultRepeated CameraFault = "repeated" // pictures of earlier come again
	FaultSlow     CameraFault = "slow"     // far fewer pictures a second than were agreed on; judged all the same
)

// CameraFaults are all of them.
var CameraFaults = []CameraFault{FaultGone, FaultOther, FaultSilent, FaultBlack, FaultFrozen, FaultRepeated, FaultSlow}

// Reason returns what the screen says about f.
func (f CameraFault) Reason() Reason {
	switch f {
	case FaultOther:
		return OtherCamera
	case FaultSilent:
		return SilentFeed
	case FaultBlack:
		return BlackFeed
	case FaultFrozen:
		return FrozenFeed
	case FaultRepeated:
		return RepeatedFeed
	case FaultSlow:
		return SlowFeed
	}
	return CameraLost
}

// Point is a place in a picture, in pixels.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// Rect is an upright rectangle in pixels; X, Y is its top left corner. It may
// reach beyond the picture where a face does.
type Rect struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W float64 `json:"w"`
	H float64 `json:"h"`
}

// Center returns the middle of r.
func (r Rect) Center() Point { return Point{r.X + r.W/2, r.Y + r.H/2} }

// IoU returns intersection over union of r and s, 0 when they do not meet.
func (r Rect) IoU(s Rect) float64 {
	w := min(r.X+r.W, s.X+s.W) - max(r.X, s.X)
	h := min(r.Y+r.H, s.Y+s.H) - max(r.Y, s.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	in := w * h
	return in / (r.W*r.H + s.W*s.H - in)
}

// Landmark indexes Face.Landmarks. Sides are the person's own.
type Landmark int

const (
	RightEye Landmark = iota // left in the picture
	LeftEye
	NoseTip
	RightMouth
	LeftMouth
	Landmarks // how many there are
)

// Face is one detected face.
type Face struct {
	Box       Rect             `json:"box"`
	Landmarks [Landmarks]Point `json:"landmarks"`
	Score     float64          `json:"score"` // the detector's confidence, 0..1
}

// Pose is the rotation of a head in degrees: 0, 0, 0 looks into the lens. Yaw
// is positive towards the person's own left, pitch positive upwards, roll
// positive towards the person's own left shoulder.
type Pose struct {
	Yaw   float64 `json:"yaw"`
	Pitch float64 `json:"pitch"`
	Roll  float64 `json:"roll"`
}

// Reason says why a picture or a check did not do, in terms of what somebody
// can change. It is a key of the language files.
type Reason string

const (
	NoFace          Reason = "no_face"
	SeveralFaces    Reason = "several_faces"
	TooFar          Reason = "too_far"
	TooNear         Reason = "too_near"
	OffCentre       Reason = "off_centre"
	Cropped         Reason = "cropped" // part of the face is outside the picture
	NotFrontal      Reason = "not_frontal"
	Blurred         Reason = "blurred"
	TooDark         Reason = "too_dark"
	TooBright       Reason = "too_bright"
	LowContrast     Reason = "low_contrast"
	Sunglasses      Reason = "sunglasses"
	Mask            Reason = "mask"
	Occluded        Reason = "occluded"
	TextureRejected Reason = "texture_rejected" // the skin does not look like skin in front of the lens
	TooFewFrames    Reason = "too_few_frames"   // not enough good frames to judge
	WrongMovement   Reason = "wrong_movement"   // another movement than the one asked for
	NoMovement      Reason = "no_movement"      // the movement did not come in time
	TooEarly        Reason = "movement_too_early"
	FlatMotion      Reason = "flat_motion" // it moved as a flat thing moves
	FaceLost        Reason = "face_lost"
	FaceChanged     Reason = "face_changed"  // the track was broken: it may be somebody else
	FrozenFeed      Reason = "frozen_feed"   // the same picture came again
	RepeatedFeed    Reason = "repeated_feed" // pictures from earlier came again
	TimeJump        Reason = "time_jump"
	SilentFeed      Reason = "silent_feed"  // no picture comes
	BlackFeed       Reason = "black_feed"   // covered, or no light at all
	SlowFeed        Reason = "slow_feed"    // far fewer pictures than agreed on
	OtherCamera     Reason = "other_camera" // another camera than the pinned one
	CameraLost      Reason = "camera_lost"
	TimedOut        Reason = "timed_out"
	Cancelled       Reason = "cancelled"
	Internal        Reason = "internal_error"
)

// Measure is one component of picture quality, named as in ISO/IEC 29794-5
// where that standard has a name for it.
type Measure struct {
	Name   string  `json:"name"`
	Score  float64 `json:"score"`            // 0..100, higher is better
	Value  float64 `json:"value"`            // in the measure's own unit; documented where it is computed
	Reason Reason  `json:"reason,omitempty"` // set exactly when the measure is not good enough
}

// Names of measures. Those of ISO/IEC 29794-5 first, our own after them.
const (
	InterEyeDistance       = "InterEyeDistance"
	HeadSize               = "HeadSize"
	LeftwardCrop           = "LeftwardCropOfTheFaceImage"
	RightwardCrop          = "RightwardCropOfTheFaceImage"
	MarginAbove            = "MarginAboveOfTheFaceImage"
	MarginBelow            = "MarginBelowOfTheFaceImage"
	HeadPoseYaw            = "HeadPoseYaw"
	HeadPosePitch          = "HeadPosePitch"
	HeadPoseRoll           = "HeadPoseRoll"
	Sharpness              = "Sharpness"
	LuminanceMean          = "LuminanceMean"
	LuminanceVariance      = "LuminanceVariance"
	DynamicRange           = "DynamicRange"
	UnderExposure          = "UnderExposurePrevention"
	OverExposure           = "OverExposurePrevention"
	IlluminationUniformity = "IlluminationUniformity"
	NaturalColour          = "NaturalColour"
	SingleFacePresent      = "SingleFacePresent"
	FacePosition           = "FacePosition" // ours: how near the face is to the middle of the picture
)

// Score is the outcome of one network or measurement: a calibrated probability
// of a bona fide presentation, and what it is compared with.
type Score struct {
	Value     float64 `json:"value"`     // 0..1
	Threshold float64 `json:"threshold"` // live at or above it
	Model     string  `json:"model"`     // digests of the networks that made it
}

// Observation is what one frame shows. It holds no picture.
type Observation struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Width   int       `json:"width"`
	Height  int       `json:"height"`
	Digest  uint64    `json:"-"`     // of the frame's bytes: equal pictures have equal digests (within one run of the daemon)
	Faces   []Face    `json:"faces"` // largest first
	Pose    Pose      `json:"pose"`  // of Faces[0]
	Quality []Measure `json:"quality"`
	// Attributes are probabilities by name ("mask", "sunglasses", "hat",
	// "veil", "occlusion") of Faces[0]; nil when no network computes them.
	Attributes map[string]float64 `json:"attributes,omitempty"`
	// Texture is nil when it was not computed. Absence is never a yes.
	Texture *Score `json:"texture,omitempty"`
	// Flow is how Faces[0] moved since the picture that the caller chose to
	// compare with; nil when none was chosen or the face could not be followed.
	Flow *Flow `json:"-"`
}

// Reasons returns the reasons of all measures that are not good enough, in
// order of Quality and each once.
func (o *Observation) Reasons() []Reason {
	var rs []Reason
	for _, m := range o.Quality {
		if m.Reason != "" {
			rs = AddReason(rs, m.Reason)
		}
	}
	return rs
}

// AddReason appends r unless it is there already.
func AddReason(rs []Reason, r Reason) []Reason {
	for _, x := range rs {
		if x == r {
			return rs
		}
	}
	return append(rs, r)
}

// Outcome is what is said about a person. The zero value is no outcome at all
// and never stands for one.
type Outcome string

const (
	Live    Outcome = "live"
	NotLive Outcome = "not_live"
	Retry   Outcome = "retry" // not judged: something was in the way, the person may try again
)

// Names of stages.
const (
	StageQuality = "quality"
	StageTexture = "texture"
	StageMotion  = "motion" // the head-movement challenge
	StageTrack   = "track"  // one face, unbroken, from a feed that moves on
)

// Stage is one of the checks that must all agree before a Result is live.
type Stage struct {
	Name      string   `json:"name"`
	Outcome   Outcome  `json:"outcome"`
	Score     float64  `json:"score"`
	Threshold float64  `json:"threshold"`
	Model     string   `json:"model,omitempty"`
	Frames    int      `json:"frames"` // frames that were judged
	Reasons   []Reason `json:"reasons,omitempty"`
}

// Result is one finished session.
type Result struct {
	ID         string        `json:"id"` // time-ordered (UUID version 7), given by the store's caller
	Session    string        `json:"session"`
	Reference  string        `json:"reference,omitempty"` // the caller's own number, passed through
	Seq        uint64        `json:"seq"`                 // gapless, in order of commitment; set by the store
	Boot       string        `json:"boot,omitempty"`      // the kernel's boot id: At is comparable within one
	Clock      Clock         `json:"clock,omitempty"`     // how far At can be trusted
	Started    time.Time     `json:"started"`
	At         time.Time     `json:"at"` // when it was decided
	Duration   time.Duration `json:"duration_ns"`
	Outcome    Outcome       `json:"outcome"`
	Reasons    []Reason      `json:"reasons,omitempty"`
	Stages     []Stage       `json:"stages"`
	Quality    []Measure     `json:"quality,omitempty"` // of the best frame
	Camera     Camera        `json:"camera"`
	Movements  []Direction   `json:"movements,omitempty"` // what was asked for
	Reduced    bool          `json:"reduced,omitempty"`   // they were asked for in the reduced size, see challenge.Config
	Attempt    int           `json:"attempt"`             // 1, or 2 after the one retry of a session
	Software   string        `json:"software,omitempty"`  // version of the daemon
	HasPicture bool          `json:"has_picture"`         // a picture was kept because the operator turned that on
}

// Direction is where a head turns, in the person's own left and right.
type Direction string

const (
	Left  Direction = "left"
	Right Direction = "right"
	Up    Direction = "up"
	Down  Direction = "down"
)

// Phase is where the kiosk is in its round.
type Phase string

const (
	PhaseNotReady Phase = "not_ready" // camera lost, networks missing, store unusable: View.Reason says which
	PhaseIdle     Phase = "idle"      // attract screen
	PhasePosition Phase = "position"
	PhaseHold     Phase = "hold"
	PhaseMove     Phase = "move"
	PhaseResult   Phase = "result"
	PhaseRest     Phase = "rest"   // until the person has stepped away
	PhaseLocked   Phase = "locked" // too many failures
)

// Prompt is the one thing the person is asked to do. It is a key of the
// language files ("prompt." + Prompt).
type Prompt string

const (
	PromptNone         Prompt = ""
	PromptApproach     Prompt = "approach" // attract screen
	PromptLookHere     Prompt = "look_here"
	PromptCloser       Prompt = "closer"
	PromptBack         Prompt = "back"
	PromptMoveLeft     Prompt = "move_left" // step or lean, not turn
	PromptMoveRight    Prompt = "move_right"
	PromptMoveUp       Prompt = "move_up"
	PromptMoveDown     Prompt = "move_down"
	PromptOnePerson    Prompt = "one_person"
	PromptFaceCamera   Prompt = "face_camera" // look straight ahead
	PromptMoreLight    Prompt = "more_light"
	PromptLessLight    Prompt = "less_light"
	PromptStill        Prompt = "hold_still" // also when the picture is blurred
	PromptUncover      Prompt = "uncover"    // sunglasses, mask, hand
	PromptTurnLeft     Prompt = "turn_left"
	PromptTurnRight    Prompt = "turn_right"
	PromptLookUp       Prompt = "look_up"
	PromptLookDown     Prompt = "look_down"
	PromptBackToCentre Prompt = "back_to_centre"
	PromptTryAgain     Prompt = "try_again" // shown for a moment before the retry
	PromptLive         Prompt = "result_live"
	PromptNotLive      Prompt = "result_not_live"
	PromptRetry        Prompt = "result_retry"
	PromptStepAway     Prompt = "step_away"
	PromptLocked       Prompt = "locked"
	PromptWait         Prompt = "please_wait"
)

// View is everything the screen shows at one moment. It never holds a score.
type View struct {
	Phase    Phase     `json:"phase"`
	Prompt   Prompt    `json:"prompt"`
	Arrow    Direction `json:"arrow,omitempty"`
	Progress float64   `json:"progress"`          // 0..1 of the session
	Step     int       `json:"step,omitempty"`    // 1-based, of the movements
	Steps    int       `json:"steps,omitempty"`   //
	Warning  bool      `json:"warning,omitempty"` // time is nearly over
	Outcome  Outcome   `json:"outcome,omitempty"` // in PhaseResult only
	Reason   Reason    `json:"reason,omitempty"`  // why retry or not ready, where the person can act on it
	Notice   Reason    `json:"notice,omitempty"`  // what the operator should mend; the person need not care
	Until    time.Time `json:"until,omitzero"`    // when PhaseLocked ends; else the limit of the present step, or of the session where that is sooner
}

// SessionState is where a session stands.
type SessionState string

const (
	SessionWaiting SessionState = "waiting" // for a person
	SessionRunning SessionState = "running"
	SessionDone    SessionState = "done"
)

// Session is one check as a caller of the API sees it.
type Session struct {
	ID        string       `json:"id"`
	Reference string       `json:"reference,omitempty"`
	State     SessionState `json:"state"`
	Created   time.Time    `json:"created"`
	Expires   time.Time    `json:"expires"`          // when a session nobody steps up to ends as retry
	Result    string       `json:"result,omitempty"` // id of its result, once done
	Outcome   Outcome      `json:"outcome,omitempty"`
	// Unrecorded says that the result waits in memory for a disk that can be
	// written: a power cut loses it.
	Unrecorded bool `json:"unrecorded,omitempty"`
}

// Clock says how far the time of day can be trusted. The order of results and
// events is that of their numbers, whatever the clock did.
type Clock string

const (
	ClockSynced   Clock = "synced"   // the kernel or systemd-timesyncd says that it follows a time server
	ClockUnsynced Clock = "unsynced" // it runs by itself
	ClockUnknown  Clock = "unknown"  // nobody says
	ClockWrong    Clock = "wrong"    // it shows a time before this program was built
)

// EventType names what happened.
type EventType string

const (
	EventStarted        EventType = "daemon.started"
	EventStopped        EventType = "daemon.stopped"
	EventSessionStarted EventType = "session.started"
	EventResult         EventType = "result"
	EventCameraLost     EventType = "camera.lost"
	EventCameraBack     EventType = "camera.back"
	EventCameraFault    EventType = "camera.fault"   // Detail begins with the CameraFault
	EventCameraWell     EventType = "camera.well"    // the fault is over
	EventCameraOther    EventType = "camera.other"   // another camera answers than the pinned one
	EventCameraPinned   EventType = "camera.pinned"  // an operator pinned a camera, or none any more
	EventCameraReset    EventType = "camera.reset"   // its USB device was switched off and on
	EventCameraGaveUp   EventType = "camera.gave_up" // the daemon ends, for systemd to start it anew
	EventLocked         EventType = "kiosk.locked"
	EventUnlocked       EventType = "kiosk.unlocked"
	EventStoreReplaced  EventType = "store.replaced" // a damaged file was set aside
	EventStoreFailed    EventType = "store.failed"   // nothing could be written; what was decided waited in memory
	EventStoreBack      EventType = "store.back"     // all of it is written
	EventClockJumped    EventType = "clock.jumped"   // times before and after do not compare
)

// Event is one entry of the journal that callers follow. IDs start at 1, have
// no gaps and never repeat, over restarts too.
type Event struct {
	ID      uint64    `json:"id"` // set by the store
	Type    EventType `json:"type"`
	At      time.Time `json:"at"`
	Boot    string    `json:"boot,omitempty"`
	Clock   Clock     `json:"clock,omitempty"`
	Session string    `json:"session,omitempty"`
	Result  *Result   `json:"result,omitempty"`
	Detail  string    `json:"detail,omitempty"` // one sentence for a person
}
