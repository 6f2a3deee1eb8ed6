package capture

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"livenessd"
)

// DefaultFPS is the rate of recordings that hold no times.
const DefaultFPS = 15

// ReplayConfig says which recording to play, and how.
type ReplayConfig struct {
	Name string // what the operator calls it; the path's last element when empty

	// Path is a folder of JPEG files, a file of JPEG pictures one after the
	// other (bare or as a multipart stream), or a video that the machine's
	// ffmpeg can read.
	//
	// A folder may hold frames.csv (or timestamps.txt) with a line
	// "name,seconds" for each picture; then exactly those files are played.
	// Without it all *.jpg and *.jpeg are played at FPS, in natural order of
	// their names: 2.jpg before 10.jpg.
	Path string

	// Speed is 1 to play as recorded, 2 for twice as fast, and 0 for as fast
	// as frames are taken. At 0 a frame's At still follows the recording
	// (beginning + offset), so whatever judges by At sees recorded time; then
	// deliver should block rather than drop. Otherwise At is when the frame
	// was due.
	Speed float64

	Loop bool    // begin again at the end; At and Seq keep growing
	FPS  float64 // of recordings that hold no times; 0 means DefaultFPS

	// Start is the At of the first frame; zero means the moment it is played.
	Start time.Time

	// FFmpeg is the program to read videos with; empty means ffmpeg from PATH.
	FFmpeg string
}

// Replay plays a recording. It is a Source.
type Replay struct{ cfg ReplayConfig }

// NewReplay checks cfg. Errors wrap livenessd.ErrInvalid or ErrNotFound and
// name the field.
func NewReplay(cfg ReplayConfig) (*Replay, error) {
	if cfg.Path == "" {
		return nil, fmt.Errorf("no recording is named: give the path of a folder or file: %w", livenessd.ErrInvalid)
	}
	if !(cfg.Speed >= 0 && cfg.Speed <= 1000) {
		return nil, fmt.Errorf("replay speed %v: it has to be between 0 (as fast as possible) and 1000: %w", cfg.Speed, livenessd.ErrInvalid)
	}
	if cfg.FPS != 0 && !(cfg.FPS >= 0.1 && cfg.FPS <= 240) {
		return nil, fmt.Errorf("replay rate %v: it has to be between 0.1 and 240 pictures a second: %w", cfg.FPS, livenessd.ErrInvalid)
	}
	if _, err := os.Stat(cfg.Path); err != nil {
		return nil, missing(cfg.Path, err)
	}
	cfg.Name = cmp.Or(cfg.Name, filepath.Base(cfg.Path))
	cfg.FPS = cmp.Or(cfg.FPS, DefaultFPS)
	cfg.FFmpeg = cmp.Or(cfg.FFmpeg, "ffmpeg")
	return &Replay{cfg}, nil
}

func missing(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("recording %s is not there: %w", path, livenessd.ErrNotFound)
	}
	return fmt.Errorf("recording %s cannot be read: %w", path, err)
}

// shot is one picture of a recording, complete as completeJPEG makes it.
type shot struct {
	data   []byte
	header jpegHeader
	offset time.Duration // from the recording's beginning; grows
}

// player reads a recording once, from beginning to end.
type player interface {
	next() (shot, error) // io.EOF after the last
	close() error
}

// Stream implements Source. It may run several times at once.
func (r *Replay) Stream(ctx context.Context, opened func(livenessd.Camera), deliver func(livenessd.Frame)) error {
	run := &replayRun{cfg: r.cfg, opened: opened, deliver: deliver}
	for ctx.Err() == nil {
		err := run.once(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("recording %s: %w", r.cfg.Path, err)
		case run.seq == 0:
			return fmt.Errorf("recording %s holds no picture: %w", r.cfg.Path, livenessd.ErrInvalid)
		case !r.cfg.Loop:
			return fmt.Errorf("recording %s: %w", r.cfg.Path, ErrEnd)
		}
	}
	return nil
}

// replayRun is one Stream.
type replayRun struct {
	cfg     ReplayConfig
	opened  func(livenessd.Camera)
	deliver func(livenessd.Frame)

	start time.Time     // At of offset 0
	wall  time.Time     // when that was played
	base  time.Duration // offset at which the present round began
	seq   uint64
}

// once plays the recording from beginning to end.
func (r *replayRun) once(ctx context.Context) (err error) {
	p, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	step := time.Duration(float64(time.Second) / r.cfg.FPS)
	var last time.Duration
	for n := 0; ; n++ {
		s, err := p.next()
		if errors.Is(err, io.EOF) {
			r.base += last + step
			return nil
		}
		if err != nil {
			return fmt.Errorf("picture %d: %w", n+1, err)
		}
		if n > 0 {
			step = s.offset - last // what the next round follows at
		}
		last = s.offset
		if !r.play(ctx, s) {
			return nil
		}
	}
}

// play waits until s is due and delivers it; false when ctx ended first.
func (r *replayRun) play(ctx context.Context, s shot) bool {
	if r.seq == 0 {
		r.wall = time.Now()
		r.start = r.cfg.Start
		if r.start.IsZero() {
			r.start = r.wall
		}
	}
	offset := r.base + s.offset
	if r.cfg.Speed > 0 {
		offset = time.Duration(float64(offset) / r.cfg.Speed)
		if !sleep(ctx, time.Until(r.wall.Add(offset))) {
			return false
		}
	}
	if ctx.Err() != nil {
		return false
	}
	if r.seq == 0 {
		r.opened(livenessd.Camera{
			Name: r.cfg.Name, Device: r.cfg.Path, Driver: "replay", Card: "recording", Simulated: true,
			Format: string(livenessd.MJPEG), Width: s.header.width, Height: s.header.height,
		})
	}
	r.seq++
	r.deliver(livenessd.Frame{
		Seq: r.seq, At: r.start.Add(offset), Format: livenessd.MJPEG,
		Width: s.header.width, Height: s.header.height, Data: s.data,
	})
	return true
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// open looks at what kind of recording it is.
func (r *replayRun) open(ctx context.Context) (player, error) {
	fi, err := os.Stat(r.cfg.Path)
	if err != nil {
		return nil, err
	}
	if fi.IsDir() {
		return openFolder(r.cfg.Path, r.cfg.FPS)
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("it is neither a folder nor a file: %w", livenessd.ErrInvalid)
	}
	f, err := os.Open(r.cfg.Path)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, f.Close())
	}
	if !isMJPEG(head[:n]) {
		if err := f.Close(); err != nil {
			return nil, err
		}
		return openVideo(ctx, r.cfg.FFmpeg, r.cfg.Path, r.cfg.FPS)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &mjpegFile{f: f, s: newSplitter(f), fps: r.cfg.FPS}, nil
}

// isMJPEG tells by a file's first bytes: a picture, the boundary of a multipart
// stream, or the header of one that was kept with it.
func isMJPEG(head []byte) bool {
	head = bytes.TrimLeft(head, "\r\n")
	for _, p := range []string{"\xFF\xD8\xFF", "--", "HTTP/1.", "Content-"} {
		if bytes.HasPrefix(head, []byte(p)) {
			return true
		}
	}
	return false
}

// mjpegFile plays a file of pictures at a fixed rate.
type mjpegFile struct {
	f   *os.File
	s   *splitter
	fps float64
	n   int
}

func (m *mjpegFile) next() (shot, error) {
	data, h, err := m.s.next()
	if err != nil {
		return shot{}, err
	}
	m.n++
	return shot{data, h, at(m.n-1, m.fps)}, nil
}

func (m *mjpegFile) close() error { return m.f.Close() }

// at is when picture n is due at a fixed rate.
func at(n int, fps float64) time.Duration {
	return time.Duration(float64(n) / fps * float64(time.Second))
}
