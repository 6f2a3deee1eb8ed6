package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// progress shows on a terminal how far a long job is. On anything else it
// shows nothing.
type progress struct {
	w     io.Writer // nil: not a terminal
	total int
	begun time.Time
	shown time.Time
}

func newProgress(w io.Writer, total int) *progress {
	p := &progress{total: total, begun: time.Now()}
	if f, ok := w.(*os.File); ok {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			p.w = w
		}
	}
	return p
}

// show draws the bar, ten times a second at most. What cannot be drawn is no
// reason to stop.
func (p *progress) show(done int) {
	if p.w == nil || (done < p.total && time.Since(p.shown) < 100*time.Millisecond) {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(p.w, "\r%s\x1b[K", bar(done, p.total, time.Since(p.begun)))
}

// clear takes the bar away: something else is to be written.
func (p *progress) clear() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// bar is one line, such as "[#####.....] 50 of 100 pictures, 00:12 left".
func bar(done, total int, elapsed time.Duration) string {
	const width = 30
	filled := 0
	if total > 0 {
		filled = width * done / total
	}
	left := "--:--"
	if done > 0 {
		s := int((elapsed * time.Duration(total-done) / time.Duration(done)).Round(time.Second).Seconds())
		left = fmt.Sprintf("%02d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("[%s%s] %d of %d pictures, %s left", strings.Repeat("#", filled), strings.Repeat(".", width-filled), done, total, left)
}
