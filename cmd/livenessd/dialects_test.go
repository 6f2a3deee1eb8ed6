package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	xdraw "golang.org/x/image/draw"

	"livenessd"
	"livenessd/api"
)

// anyone admits everybody and keeps the last job.
type anyone struct{ last livenessd.Job }

func (*anyone) Admit(context.Context, livenessd.Dialect, api.Proof) (string, error) {
	return "test", nil
}
func (*anyone) Spend(string) error             { return nil }
func (*anyone) Refund(string)                  {}
func (a *anyone) PutJob(j livenessd.Job) error { a.last = j; return nil }

// album holds the pictures of the test: photographs of people, and what can be
// made of them.
type album struct {
	t    *testing.T
	eyes analyzer
	live image.Image    // a person at a webcam, 640×480
	face livenessd.Rect // in it
}

func newAlbum(t *testing.T, eyes analyzer) *album {
	a := &album{t: t, eyes: eyes}
	a.live = a.photo("nuaa-train", "Client", "0001", "0001_00_00_01_109.jpg")
	frame, err := readPicture(filepath.Join(needData(t, "nuaa-train", "Client", "0001"), "0001_00_00_01_109.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := eyes.Follow(frame, false, nil)
	if err != nil || len(o.Faces) != 1 {
		t.Fatalf("%d faces in the photograph: %v", len(o.Faces), err)
	}
	a.face = o.Faces[0].Box
	return a
}

// photo reads a photograph.
func (a *album) photo(parts ...string) image.Image {
	a.t.Helper()
	b, err := os.ReadFile(filepath.Join(needData(a.t, parts[:len(parts)-1]...), parts[len(parts)-1]))
	if err != nil {
		a.t.Fatal(err)
	}
	m, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		a.t.Fatal(err)
	}
	return m
}

// still returns the picture of a clip at a moment.
func (a *album) still(clip, at string) image.Image {
	a.t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		a.t.Skip("SKIPPED: ffmpeg is missing: apt-get install ffmpeg")
	}
	out, err := exec.CommandContext(a.t.Context(), ffmpeg, "-v", "error", "-ss", at, "-i", filepath.Join(needData(a.t, "clips"), clip),
		"-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "-").Output()
	if err != nil {
		a.t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		a.t.Fatal(err)
	}
	return m
}

// around cuts the live picture, the edges given in faces' widths and heights
// from those of the face; negative cuts into the face.
func (a *album) around(left, top, right, bottom float64) image.Image {
	f := a.face
	r := image.Rect(int(f.X-left*f.W), int(f.Y-top*f.H), int(f.X+f.W+right*f.W), int(f.Y+f.H+bottom*f.H))
	return drawn(r.Intersect(a.live.Bounds()).Size(), func(dst draw.Image) {
		draw.Draw(dst, dst.Bounds(), a.live, r.Intersect(a.live.Bounds()).Min, draw.Src)
	})
}

func drawn(size image.Point, paint func(draw.Image)) image.Image {
	m := image.NewRGBA(image.Rectangle{Max: size})
	paint(m)
	return m
}

// scaled returns m with other sides, in the middle of a canvas.
func scaled(m image.Image, w, h int, canvas image.Point) image.Image {
	return drawn(canvas, func(dst draw.Image) {
		draw.Draw(dst, dst.Bounds(), image.NewUniform(color.RGBA{120, 125, 130, 255}), image.Point{}, draw.Src)
		at := image.Pt((canvas.X-w)/2, (canvas.Y-h)/2)
		xdraw.BiLinear.Scale(dst, image.Rectangle{Min: at, Max: at.Add(image.Pt(w, h))}, m, m.Bounds(), xdraw.Over, nil)
	})
}

// twice puts m beside itself.
func twice(m image.Image) image.Image {
	s := m.Bounds().Size()
	return drawn(image.Pt(2*s.X, s.Y), func(dst draw.Image) {
		draw.Draw(dst, image.Rect(0, 0, s.X, s.Y), m, m.Bounds().Min, draw.Src)
		draw.Draw(dst, image.Rect(s.X, 0, 2*s.X, s.Y), m, m.Bounds().Min, draw.Src)
	})
}

// blurred takes detail away by making m small and large again.
func blurred(m image.Image, by int) image.Image {
	s := m.Bounds().Size()
	small := drawn(s.Div(by), func(dst draw.Image) { xdraw.BiLinear.Scale(dst, dst.Bounds(), m, m.Bounds(), xdraw.Src, nil) })
	return drawn(s, func(dst draw.Image) { xdraw.CatmullRom.Scale(dst, dst.Bounds(), small, small.Bounds(), xdraw.Src, nil) })
}

// lit multiplies the light.
func lit(m image.Image, by float64) image.Image { return graded(m, by, 0) }

// graded multiplies the light and adds to it, 0 to 255.
func graded(m image.Image, by, plus float64) image.Image {
	return drawn(m.Bounds().Size(), func(dst draw.Image) {
		b := m.Bounds()
		for y := range b.Dy() {
			for x := range b.Dx() {
				r, g, bl, _ := m.At(b.Min.X+x, b.Min.Y+y).RGBA()
				v := func(c uint32) uint8 { return uint8(min(by*float64(c>>8)+plus, 255)) }
				dst.Set(x, y, color.RGBA{v(r), v(g), v(bl), 255})
			}
		}
	})
}

// colourless takes the colours out, and is kept in a colour picture.
func colourless(m image.Image) image.Image {
	g := image.NewGray(m.Bounds())
	draw.Draw(g, g.Bounds(), m, m.Bounds().Min, draw.Src)
	return drawn(m.Bounds().Size(), func(dst draw.Image) { draw.Draw(dst, dst.Bounds(), g, g.Bounds().Min, draw.Src) })
}

// onItsSide turns m by 90 degrees anticlockwise.
func onItsSide(m image.Image) image.Image {
	b := m.Bounds()
	return drawn(image.Pt(b.Dy(), b.Dx()), func(dst draw.Image) {
		for y := range b.Dy() {
			for x := range b.Dx() {
				dst.Set(y, b.Dx()-1-x, m.At(b.Min.X+x, b.Min.Y+y))
			}
		}
	})
}

func asJPEG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// palette writes m as the vendor's own samples are written.
func asPalettePNG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var p color.Palette
	for r := range 6 {
		for g := range 7 {
			for b := range 6 {
				p = append(p, color.RGBA{uint8(r * 51), uint8(g * 42), uint8(b * 51), 255})
			}
		}
	}
	q := image.NewPaletted(m.Bounds(), p)
	draw.FloydSteinberg.Draw(q, q.Bounds(), m, m.Bounds().Min)
	var b bytes.Buffer
	if err := png.Encode(&b, q); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Ensure that every code of the five documents comes of a picture that
// deserves it, through the very pipeline and judging of the daemon.
func TestDialectsSeePictures(t *testing.T) {
	eyes := newEyes(t)
	a := newAlbum(t, eyes)
	size := a.live.Bounds().Size()
	mask := a.photo("masks", "with_mask", "0932.jpg")
	pictures := map[string]image.Image{
		"live":        a.live,
		"spoof":       a.photo("nuaa-train", "Imposter", "0001", "0001_00_00_01_111.jpg"),
		"none":        drawn(image.Pt(320, 240), func(dst draw.Image) { draw.Draw(dst, dst.Bounds(), image.White, image.Point{}, draw.Src) }),
		"several":     twice(a.around(0.6, 0.5, 0.6, 0.5)),
		"too-near":    a.around(0.5, 0.02, 0.5, 0.02),
		"near-border": a.around(0.02, 0.6, 1, 0.6),
		"cropped":     a.around(-0.35, 0.6, 1, 0.6),
		"occluded":    a.photo("masks", "without_mask", "2020-06-23-120107.jpg"),
		"small":       scaled(a.live, size.X/4, size.Y/4, size),
		"turned":      a.photo("masks", "without_mask", "462.jpg"),
		"blurred":     blurred(a.live, 12),
		"dark":        lit(a.live, 0.3),
		"dim":         graded(a.live, 0.25, 13),
		"bright":      graded(a.live, 0.5, 200),
		"doubtful":    a.photo("masks", "without_mask", "175.jpg"),
		"over":        lit(a.live, 6),
		"under":       lit(a.live, 0.1),
		"faded":       graded(a.live, 0.2, 90),
		"grey":        colourless(a.live),
		"sunglasses":  a.photo("masks", "without_mask", "248.jpg"),
		"mask":        mask,
		"mask-blur":   blurred(mask, 8),
		"masks":       twice(a.photo("masks", "with_mask", "0_0_0_copy_29.jpg")),
		"two-dark":    twice(lit(a.around(0.6, 0.5, 0.6, 0.5), 0.3)),
		"masks-blur":  twice(blurred(mask, 8)),
		"on-its-side": onItsSide(a.live),
		"squeezed":    scaled(a.live, size.X*3/4, size.Y, size),
		"ahead":       a.still("d9.mp4", "2"),
		"to-one-side": a.still("d9.mp4", "7"),
		"to-other":    a.still("d9.mp4", "10.55"),
	}
	data := make(map[string][]byte)
	for name, m := range pictures {
		data[name] = asJPEG(t, m)
	}
	data["palette"] = asPalettePNG(t, a.live)

	who := &anyone{}
	h, err := api.New(api.Config{Log: slog.New(slog.DiscardHandler)}, api.Deps{
		Results: noResults{}, Journal: noJournal{}, Kiosk: noKiosk{}, Ready: func() []api.Reason { return nil },
		Access: who, Jobs: who, Judge: newJudge(t.Context(), eyes, newGate(1, 8, time.Minute, &precedence{})),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()

	const all = `,"validate_quality":true,"validate_attribute":true,"validate_nface":true`
	for _, tc := range []struct{ dialect, pictures, more, want string }{
		{"verihubs", "live", all, `"liveness":{"probability":0.9`},
		{"verihubs", "live", all, `"message":"Request Success"`},
		{"verihubs", "spoof", "", `"status":false}`},
		{"verihubs", "none", all, `"FACE_NOT_DETECTED"`},
		{"verihubs", "mask", all, `"FAIL_ON_2"`},
		{"verihubs", "sunglasses", all, `"FAIL_ON_2"`},
		{"verihubs", "blurred", all, `"FAIL_ON_4"`},
		{"verihubs", "dark", all, `"FAIL_ON_4"`},
		{"verihubs", "grey", all, `"FAIL_ON_4"`},
		{"verihubs", "mask-blur", all, `"FAIL_ON_6"`},
		{"verihubs", "several", all, `"FAIL_ON_8"`},
		{"verihubs", "masks", all, `"FAIL_ON_10"`},
		{"verihubs", "two-dark", all, `"FAIL_ON_12"`},
		{"verihubs", "masks-blur", all, `"FAIL_ON_14"`},
		{"verihubs", "palette", "", `"status":true}`},
		{"verihubs", "on-its-side", "", `"rotation":90`},

		{"glair", "live", "", `"LOW"`},
		{"glair", "doubtful", "", `"MODERATE"`},
		{"glair", "spoof", "", `"HIGH"`},
		{"glair", "none", "", `"face not detected"`},
		{"glair", "several", "", `"too many faces detected"`},

		{"trustmatic", "live", "", `"score":0.9`},
		{"trustmatic", "spoof", "", `"score":0.0`},
		{"trustmatic", "mask", "", `"hasError":false`},
		{"trustmatic", "too-near", "", `"FACE_TOO_CLOSE"`},
		{"trustmatic", "near-border", "", `"FACE_CLOSE_TO_BORDER"`},
		{"trustmatic", "cropped", "", `"FACE_CROPPED"`},
		{"trustmatic", "occluded", "", `"FACE_IS_OCCLUDED"`},
		{"trustmatic", "sunglasses", "", `"FACE_IS_OCCLUDED"`},
		{"trustmatic", "none", "", `"FACE_NOT_FOUND"`},
		{"trustmatic", "several", "", `"TOO_MANY_FACES"`},
		{"trustmatic", "small", "", `"FACE_TOO_SMALL"`},
		{"trustmatic", "turned", "", `"FACE_ANGLE_TOO_LARGE"`},

		{"bioid", "live", "", `{"Success":true`},
		{"bioid", "palette", "", `{"Success":true`},
		{"bioid", "spoof", "", `"LiveDetectionFailed"`},
		{"bioid", "none", "", `"NoFaceFound"`},
		{"bioid", "several", "", `"MultipleFacesFound"`},
		{"bioid", "cropped", "", `"UnsuitableImage"`},
		{"bioid", "small", "", `"ImageTooSmall"`},
		{"bioid", "turned", "", `"WrongViewingDirection"`},
		{"bioid", "blurred", "", `"ImageTooBlurry"`},
		{"bioid", "sunglasses", "", `"IrisNotFound"`},
		{"bioid", "dim", "", `"FaceTooDark"`},
		{"bioid", "bright", "", `"FaceTooBright"`},
		{"bioid", "over", "", `"ImageOverExposure"`},
		{"bioid", "under", "", `"ImageUnderExposure"`},
		{"bioid", "faded", "", `"FaceContrastTooLow"`},
		{"bioid", "ahead to-one-side", "", `{"Success":true`},
		{"bioid", "live squeezed", "", `"UnnaturalMotionDetected"`},

		{"bws3", "live", "", `"live":true`},
		{"bws3", "palette", "", `"live":true`},
		{"bws3", "on-its-side", "", `"rotated":90`},
		{"bws3", "spoof", "", `"RejectedByPassiveLiveDetection"`},
		{"bws3", "none", "", `"FaceNotFound"`},
		{"bws3", "several", "", `"MultipleFacesFound"`},
		{"bws3", "cropped", "", `"ThumbnailExtractionFailed"`},
		{"bws3", "small", "", `EyesTooCloseTogether`},
		{"bws3", "turned", "", `Profile`},
		{"bws3", "ahead to-one-side", "", `"live":true`},
		{"bws3", "ahead to-one-side", `"left"`, `"live":true`},
		{"bws3", "ahead to-other", `"right"`, `"live":true`},
		{"bws3", "ahead to-other", `"left"`, `"RejectedByChallengeResponse"`},
		{"bws3", "ahead to-one-side", `"up","right"`, `"RejectedByChallengeResponse"`},
		{"bws3", "live squeezed", "", `"RejectedByActiveLiveDetection"`},
		{"bws3", "live live", "", `"RejectedByActiveLiveDetection"`},
	} {
		t.Run(tc.dialect+" "+tc.pictures+tc.more, func(t *testing.T) {
			var send [][]byte
			for _, name := range strings.Fields(tc.pictures) {
				if data[name] == nil {
					t.Fatalf("no picture %q", name)
				}
				send = append(send, data[name])
			}
			got := askDialect(t, srv.URL, tc.dialect, send, tc.more)
			if !strings.Contains(got, tc.want) {
				t.Errorf("got %s\nwant %s; booked %+v", got, tc.want, who.last)
			}
			if who.last.Outcome == "" || who.last.Pictures != len(send) {
				t.Errorf("booked %+v", who.last)
			}
		})
	}
}

// askDialect sends pictures as a client of a dialect does and returns the
// body of the answer.
func askDialect(t *testing.T, base, dialect string, pictures [][]byte, more string) string {
	t.Helper()
	first := base64.StdEncoding.EncodeToString(pictures[0])
	second := ""
	if len(pictures) > 1 {
		second = base64.StdEncoding.EncodeToString(pictures[1])
	}
	path, contentType, body := "", "application/json", ""
	switch dialect {
	case "verihubs":
		path, body = "/v1/face/liveness", `{"image":"`+first+`"`+more+`}`
	case "glair":
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		part, err := w.CreateFormFile("image", "blob")
		if err == nil {
			_, err = part.Write(pictures[0])
		}
		if err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		path, contentType, body = "/face/v1/passive-liveness", w.FormDataContentType(), form.String()
	case "trustmatic":
		path, body = "/api/v1/face/liveness", `{"sessionId":"s","faceImageBase":"data:image/png;base64,`+first+`"}`
	case "bioid":
		path, contentType, body = "/passivelivedetection", "text/plain", "data:image/png;base64,"+first
		if second != "" {
			path, contentType = "/livedetection?state=details", "application/json"
			body = fmt.Sprintf(`{"liveimage1":"data:image/png;base64,%s","liveimage2":"data:image/png;base64,%s"}`, first, second)
		}
	case "bws3":
		path, body = "/api/v1/livenessdetection", `{"liveImages":[{"image":"`+first+`"}]}`
		if second != "" {
			body = `{"liveImages":[{"image":"` + first + `"},{"image":"` + second + `","tags":[` + more + `]}]}`
		}
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", contentType)
	q.Header.Set("x-api-key", "k")
	q.Header.Set("App-ID", "u")
	q.Header.Set("API-Key", "s")
	if q.SetBasicAuth("u", "s"); dialect == "bws3" {
		q.Header.Set("Authorization", "Bearer t")
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	got, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// The rest of the API, which this test does not ask. An embedded interface
// under its own name would hide the method of that name.
type (
	results   = api.Results
	noResults struct{ results }
	noJournal struct{ api.Journal }
	noKiosk   struct{ api.Kiosk }
)
