package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"livenessd"
)

// Pictures in these tests are named by their bytes. The fakes below say of
// each what the pipeline says of a picture that deserves it; that it does say
// so is tested where the pipeline is at hand (cmd/livenessd).

func jpegOf(name string) string { return "\xff\xd8\xff" + name }
func pngOf(name string) string  { return "\x89PNG\r\n\x1a\n" + name }
func b64(b string) string       { return base64.StdEncoding.EncodeToString([]byte(b)) }

const jobID = "01956f3e-0000-7000-8000-00000000a001"

var testScore = livenessd.Score{Value: 0.9, Threshold: 0.6, Model: "m1"}

// scene returns what a picture of this name shows.
func scene(name string) (Shown, bool) {
	box := livenessd.Rect{X: 220, Y: 140, W: 180, H: 230}
	s := Shown{Observation: livenessd.Observation{
		Width: 640, Height: 480,
		Faces: []livenessd.Face{{Box: box, Score: 0.99, Landmarks: [livenessd.Landmarks]livenessd.Point{
			livenessd.RightEye: {X: 271.4, Y: 224.9}, livenessd.LeftEye: {X: 351, Y: 221.2},
			livenessd.NoseTip: {X: 311, Y: 268}, livenessd.RightMouth: {X: 281, Y: 312}, livenessd.LeftMouth: {X: 343, Y: 310},
		}}},
		Attributes: map[string]float64{"mask": 0.01, "sunglasses": 0.02, "hat": 0.03, "veil": 0.01, "occlusion": 0.02},
		Quality: []livenessd.Measure{
			{Name: livenessd.SingleFacePresent, Score: 100},
			{Name: livenessd.InterEyeDistance, Value: 80, Score: 89},
			{Name: livenessd.Sharpness, Value: 0.006, Score: 75},
			{Name: livenessd.LuminanceMean, Value: 72, Score: 90},
			{Name: livenessd.LeftwardCrop, Value: 1.2, Score: 100}, {Name: livenessd.RightwardCrop, Value: 1.3, Score: 100},
			{Name: livenessd.MarginAbove, Value: 0.6, Score: 100}, {Name: livenessd.MarginBelow, Value: 0.48, Score: 100},
		},
	}}
	texture := testScore
	s.Texture = &texture
	flaw := func(measure string, value float64, why livenessd.Reason) {
		for i := range s.Quality {
			if s.Quality[i].Name == measure {
				s.Quality[i].Value, s.Quality[i].Score, s.Quality[i].Reason = value, 5, why
				return
			}
		}
		s.Quality = append(s.Quality, livenessd.Measure{Name: measure, Value: value, Score: 5, Reason: why})
	}
	switch name {
	case "live", "turn-left", "turn-right", "turn-up", "turn-down", "still", "flat":
	case "spoof":
		texture.Value = 0.15
	case "border-line":
		texture.Value = 0.6
	case "nearly":
		texture.Value = 0.5999999999
	case "none":
		s = Shown{Observation: livenessd.Observation{Width: 640, Height: 480, Quality: []livenessd.Measure{
			{Name: livenessd.SingleFacePresent, Reason: livenessd.NoFace}, {Name: livenessd.LuminanceMean, Value: 90, Score: 100},
		}}}
	case "several":
		second := s.Faces[0]
		second.Box = livenessd.Rect{X: 20, Y: 150, W: 150, H: 190}
		s.Faces = append(s.Faces, second)
		flaw(livenessd.SingleFacePresent, 0.83, livenessd.SeveralFaces)
	case "passer-by":
		second := s.Faces[0]
		second.Box = livenessd.Rect{X: 20, Y: 150, W: 40, H: 50}
		s.Faces = append(s.Faces, second)
	case "too-far":
		flaw(livenessd.InterEyeDistance, 25, livenessd.TooFar)
	case "too-near":
		flaw(livenessd.HeadSize, 0.95, livenessd.TooNear)
	case "cropped":
		flaw(livenessd.LeftwardCrop, -0.2, livenessd.Cropped)
	case "near-border":
		s.Quality[4].Value, s.Quality[4].Score = 0.01, 50
	case "off-centre":
		flaw(livenessd.FacePosition, 0.3, livenessd.OffCentre)
	case "turned":
		flaw(livenessd.HeadPoseYaw, 40, livenessd.NotFrontal)
	case "blurred":
		flaw(livenessd.Sharpness, 0.0002, livenessd.Blurred)
	case "dark":
		flaw(livenessd.LuminanceMean, 12, livenessd.TooDark)
	case "under-exposed":
		flaw(livenessd.UnderExposure, 0.7, livenessd.TooDark)
	case "bright":
		flaw(livenessd.LuminanceMean, 240, livenessd.TooBright)
	case "over-exposed":
		flaw(livenessd.OverExposure, 0.4, livenessd.TooBright)
	case "low-contrast":
		flaw(livenessd.DynamicRange, 3, livenessd.LowContrast)
	case "grey":
		s.Grey = true
	case "sunglasses":
		s.Attributes["sunglasses"] = 0.97
		flaw("EyesVisible", 0.97, livenessd.Sunglasses)
	case "mask":
		s.Attributes["mask"] = 0.98
		flaw("MouthOcclusionPrevention", 0.98, livenessd.Mask)
	case "mask-dark":
		s.Attributes["mask"] = 0.98
		flaw("MouthOcclusionPrevention", 0.98, livenessd.Mask)
		flaw(livenessd.LuminanceMean, 12, livenessd.TooDark)
	case "occluded":
		s.Attributes["occlusion"] = 0.9
	case "occluded-refused":
		s.Attributes["occlusion"] = 0.99
		flaw("FaceOcclusionPrevention", 0.99, livenessd.Occluded)
	case "hat":
		s.Attributes["hat"], s.Attributes["veil"] = 0.9, 0.8
	case "all-wrong":
		second := s.Faces[0]
		s.Faces = append(s.Faces, second)
		flaw(livenessd.SingleFacePresent, 1, livenessd.SeveralFaces)
		s.Attributes["mask"] = 0.98
		flaw("MouthOcclusionPrevention", 0.98, livenessd.Mask)
		flaw(livenessd.Sharpness, 0.0002, livenessd.Blurred)
	case "several-mask", "several-dark":
		second := s.Faces[0]
		s.Faces = append(s.Faces, second)
		flaw(livenessd.SingleFacePresent, 1, livenessd.SeveralFaces)
		if name == "several-mask" {
			flaw("MouthOcclusionPrevention", 0.98, livenessd.Mask)
		} else {
			flaw(livenessd.LuminanceMean, 12, livenessd.TooDark)
		}
	case "cut-off":
		s.Texture, s.Faces[0].Landmarks[livenessd.RightEye].X = nil, -3
	case "no-score":
		s.Texture = nil
	case "not-a-number":
		nan := 0.0
		texture.Value = nan / nan
	case "no-attributes":
		s.Attributes = nil
	case "on-its-side":
		s.Rotated = 90
	default:
		return Shown{}, false
	}
	return s, true
}

// retryError is an error that knows when to come back.
type retryError struct {
	error
	after time.Duration
}

func (e retryError) Unwrap() error             { return e.error }
func (e retryError) RetryAfter() time.Duration { return e.after }

// fakeJudge looks at names.
type fakeJudge struct{}

func (fakeJudge) Judge(ctx context.Context, q Inquiry) (Verdict, error) {
	var v Verdict
	for i, p := range q.Pictures {
		name := strings.TrimPrefix(strings.TrimPrefix(string(p), jpegOf("")), pngOf(""))
		switch name {
		case "broken":
			return Verdict{}, &PictureError{i, fmt.Errorf("picture %d: %w", i, livenessd.ErrNoPicture)}
		case "many-pixels":
			return Verdict{}, &PictureError{i, fmt.Errorf("picture %d: %w", i, livenessd.ErrTooLarge)}
		case "busy":
			return Verdict{}, retryError{livenessd.ErrOverloaded, 2500 * time.Millisecond}
		case "not-ready":
			return Verdict{}, fmt.Errorf("networks: %w", livenessd.ErrNotReady)
		case "fault":
			return Verdict{}, errors.New("secret path /var/lib/x")
		case "panic":
			panic("secret")
		case "too-few":
			return Verdict{}, nil
		case "leaves":
			<-ctx.Done()
			return Verdict{}, ctx.Err()
		}
		s, ok := scene(name)
		if !ok {
			return Verdict{}, &PictureError{i, fmt.Errorf("%w: %q", livenessd.ErrNoPicture, name)}
		}
		v.Pictures = append(v.Pictures, s)
		if q.Motion && i == 1 {
			v.Motion = &livenessd.Score{Value: 0.88, Threshold: 0.5, Model: "motion"}
			switch name {
			case "still":
				v.Motion = nil
			case "flat":
				v.Motion.Value, v.Heading = 0.1, 180
			case "turn-left":
				v.Heading = 176.4
			case "turn-right":
				v.Heading = 3.5
			case "turn-up":
				v.Heading = 88
			case "turn-down":
				v.Heading = 290
			}
		}
	}
	return v, nil
}

// fakeAccess knows one credential a scheme, "u"/"s"/"k"/"token", and some that
// meet limits, by the name of the user or the token.
type fakeAccess struct{}

func (fakeAccess) Admit(_ context.Context, d livenessd.Dialect, p Proof) (string, error) {
	who := string(p.User) + p.Token
	switch {
	case p.Scheme != SchemeBearer && string(p.Secret) != "s", p.Scheme == SchemeBasicKey && string(p.Key) != "k":
		return "", fmt.Errorf("%w: wrong", livenessd.ErrUnauthorized)
	}
	switch who {
	case "u", "poor", "\xfc":
		return "cred-" + fmt.Sprintf("%x", who), nil
	case "stranger":
		return "", fmt.Errorf("%w: not %s", livenessd.ErrForbidden, d)
	case "hasty":
		return "", retryError{livenessd.ErrRate, 90 * time.Second}
	case "broken-store":
		return "", errors.New("secret store fault")
	}
	return "", fmt.Errorf("%w: nobody", livenessd.ErrUnauthorized)
}

func (fakeAccess) Spend(credential string) error {
	if credential == "cred-"+fmt.Sprintf("%x", "poor") {
		return fmt.Errorf("%s: %w", credential, livenessd.ErrQuota)
	}
	return nil
}

func (fakeAccess) Refund(string) {}

// fakeJobs is the book.
type fakeJobs struct {
	mu   sync.Mutex
	jobs []livenessd.Job // guarded by mu
	err  error
}

func (f *fakeJobs) PutJob(j livenessd.Job) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.jobs = append(f.jobs, j)
	}
	return f.err
}

// last returns the newest job and how many there are.
func (f *fakeJobs) last() (livenessd.Job, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.jobs) == 0 {
		return livenessd.Job{}, 0
	}
	return f.jobs[len(f.jobs)-1], len(f.jobs)
}

// dialectServer serves everything with the fakes above, a clock that stands
// still and one id.
func dialectServer(t *testing.T, c Config) (*httptest.Server, *fakeJobs) {
	t.Helper()
	d := workingDeps()
	jobs := &fakeJobs{}
	d.Access, d.Jobs, d.Judge = fakeAccess{}, jobs, fakeJudge{}
	if c.Log == nil {
		c.Log = new(logged).logger()
	}
	s, err := newServer(c, d)
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return noon }
	s.newID = func() string { return jobID }
	return serveHandler(t, context.Background(), s.whole(nil)), jobs
}

// ask makes one call as a client on the LAN does.
func ask(t *testing.T, srv *httptest.Server, c call) answer {
	t.Helper()
	q, err := http.NewRequest(c.method, srv.URL+c.target, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	q.Host = "door.lan"
	q.Header.Set("User-Agent", "test")
	q.Header.Set("X-Request-Id", "test")
	for k, v := range c.header {
		q.Header[k] = []string{v} // as the vendor's client writes it
	}
	r, err := srv.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{r.StatusCode, r.Header, b}
}

// wire sends bytes as they are and returns the whole answer.
func wire(t *testing.T, srv *httptest.Server, request string) answer {
	t.Helper()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{r.StatusCode, r.Header, b}
}

// dialectCase is one line of a dialect's table.
type dialectCase struct {
	call
	status  int
	code    string // of the book
	outcome livenessd.Outcome
}

// speakAll runs a dialect's table: each answer has its golden, its status, and
// its line in the book unless the credential was no good.
func speakAll(t *testing.T, folder string, c Config, cases []dialectCase) {
	t.Helper()
	srv, jobs := dialectServer(t, c)
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			_, before := jobs.last()
			a := ask(t, srv, tc.call)
			compareGoldenIn(t, folder, tc.name, transcript(tc.call, a))
			if a.status != tc.status {
				t.Errorf("status %d, want %d: %s", a.status, tc.status, a.body)
			}
			if bytes.Contains(a.body, []byte("secret")) {
				t.Errorf("the answer tells a fault's own words: %s", a.body)
			}
			j, n := jobs.last()
			booked := a.status != http.StatusUnauthorized && !strings.HasPrefix(tc.name, "limit-")
			if !booked {
				if n != before {
					t.Errorf("a call without a good credential was booked: %+v", j)
				}
				return
			}
			if n != before+1 || j.ID != jobID || j.Status != tc.status || j.Code != tc.code || j.Outcome != tc.outcome || j.Credential == "" {
				t.Errorf("booked %d: %+v, want code %q and outcome %q", n-before, j, tc.code, tc.outcome)
			}
		})
	}
}

func itoa(n int) string  { return fmt.Sprint(n) }
func hexOf(n int) string { return fmt.Sprintf("%x", n) }
