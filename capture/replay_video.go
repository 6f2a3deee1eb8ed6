package capture

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"livenessd"
)

// containers are the demuxers ffmpeg may use. Playlists are not among them:
// they could name other files.
const containers = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mjpeg,flv,ogg,asf,gif,ivf,h264,hevc,m4v"

// video plays what a child ffmpeg decodes: pictures as MJPEG from its standard
// output, their times from the lines that its showinfo filter writes to
// standard error just before.
type video struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	s      *splitter
	log    *videoLog
	logged chan struct{} // closed when log has read everything

	step  time.Duration // for pictures without a time
	begin time.Duration // time of the first picture
	last  time.Duration // offset of the last picture
	n     int
}

// openVideo starts ffmpeg, which must not read the network, other files than
// path, or our standard input. It is killed when ctx ends or by close.
func openVideo(ctx context.Context, program, path string, fps float64) (player, error) {
	program, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("it is no JPEG recording, so ffmpeg is needed to read it: install ffmpeg (%v): %w", err, livenessd.ErrNotReady)
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, program, "-nostdin", "-hide_banner", "-nostats", "-loglevel", "info",
		"-protocol_whitelist", "file", "-format_whitelist", containers, "-i", "file:"+path,
		"-map", "0:v:0", "-vf", "showinfo=checksum=0", "-fps_mode", "passthrough",
		"-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p",
		"-protocol_whitelist", "pipe", "-f", "mjpeg", "pipe:1")
	cmd.Env = []string{"LC_ALL=C", "AV_LOG_FORCE_NOCOLOR=1"} // FFREPORT would have it write files
	cmd.WaitDelay = 2 * time.Second
	v := &video{cmd: cmd, cancel: cancel, log: new(videoLog), logged: make(chan struct{}),
		step: time.Duration(float64(time.Second) / fps)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	v.s = newSplitter(out)
	go func() {
		defer close(v.logged)
		v.log.read(stderr)
	}()
	return v, nil
}

func (v *video) next() (shot, error) {
	data, h, err := v.s.next()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return shot{}, v.finish(err)
	}
	if err != nil {
		return shot{}, err
	}
	if v.n++; v.n > maxFrames {
		return shot{}, fmt.Errorf("more than %d pictures: %w", maxFrames, livenessd.ErrTooLarge)
	}
	return shot{data, h, v.offset()}, nil
}

// offset returns when the picture just read was taken. Its line was written
// before it was encoded, but may not have been read yet; a container without
// times gets the fixed rate.
func (v *video) offset() time.Duration {
	t, ok := v.log.time(v.n-1, 2*time.Second, v.logged)
	switch {
	case v.n == 1:
		v.begin = t
		return 0
	case !ok || t-v.begin <= v.last:
		v.last += v.step
	default:
		v.last = t - v.begin
	}
	return v.last
}

// finish waits for ffmpeg, whose pictures ended with eof, and returns eof if it
// was content, otherwise what it complained about.
func (v *video) finish(eof error) error {
	<-v.logged // before Wait, which closes the pipe
	if err := v.cmd.Wait(); err != nil {
		return fmt.Errorf("ffmpeg could not read it (%w): %s", err, v.log.tail())
	}
	return eof
}

// close ends ffmpeg if it still runs and waits for it.
func (v *video) close() error {
	v.cancel()
	<-v.logged
	if v.cmd.ProcessState == nil {
		// It was killed on purpose: how it ended says nothing.
		var exit *exec.ExitError
		if err := v.cmd.Wait(); err != nil && !errors.As(err, &exit) && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return nil
}

// videoLog keeps what is needed of ffmpeg's messages.
type videoLog struct {
	mu    sync.Mutex // guards the rest
	times []time.Duration
	lines []string // the last few that are not about a picture
}

// read reads until r ends. It never stops reading before that, or ffmpeg would
// stand still; lines beyond the bounds are dropped.
func (l *videoLog) read(r io.Reader) {
	br := bufio.NewReaderSize(r, 4096)
	for {
		line, prefix, err := br.ReadLine()
		if err != nil {
			return
		}
		l.add(string(line))
		for prefix && err == nil {
			_, prefix, err = br.ReadLine()
		}
	}
}

func (l *videoLog) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := showinfoTime(line); ok {
		if len(l.times) < maxFrames {
			l.times = append(l.times, t)
		}
		return
	}
	if strings.Contains(line, "showinfo") || strings.TrimSpace(line) == "" {
		return
	}
	l.lines = append(l.lines, fmt.Sprintf("%.200s", strings.TrimSpace(line)))
	if len(l.lines) > 3 {
		l.lines = l.lines[1:]
	}
}

// showinfoTime reads "pts_time:1.5" of a showinfo line about a picture. A
// picture without a time counts as one at 0, which offset replaces.
func showinfoTime(line string) (time.Duration, bool) {
	if !strings.Contains(line, "showinfo") || !strings.Contains(line, " n:") {
		return 0, false
	}
	_, after, ok := strings.Cut(line, "pts_time:")
	if !ok {
		return 0, false
	}
	field, _, _ := strings.Cut(strings.TrimLeft(after, " "), " ")
	sec, err := strconv.ParseFloat(field, 64)
	if err != nil || !(sec >= -maxSeconds && sec <= maxSeconds) {
		return 0, true
	}
	return time.Duration(sec * float64(time.Second)), true
}

// time returns the time of picture n, waiting for its line up to limit or
// until there will be no more lines.
func (l *videoLog) time(n int, limit time.Duration, ended <-chan struct{}) (time.Duration, bool) {
	deadline := time.Now().Add(limit)
	for over := false; ; {
		l.mu.Lock()
		if n < len(l.times) {
			t := l.times[n]
			l.mu.Unlock()
			return t, true
		}
		l.mu.Unlock()
		if over || time.Now().After(deadline) {
			return 0, false
		}
		select {
		case <-ended:
			over = true // one more look: the line may have come just before
		case <-time.After(time.Millisecond):
		}
	}
}

func (l *videoLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == 0 {
		return "it gave no reason"
	}
	return strings.Join(l.lines, "; ")
}
