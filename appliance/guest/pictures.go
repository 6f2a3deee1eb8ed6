package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pictures is what the camera sees, and which fault it has.
type pictures struct {
	mu       sync.Mutex // guards what follows
	room     []byte     // JPEG
	black    []byte
	fault    string  // "" for none, else a word of tell
	truncate int     // so many pictures come cut off
	fps      float64 // at most; 0 is the rate that was agreed on
	count    uint64
}

func newPictures(feed, serial string) (*pictures, error) {
	p := &pictures{}
	var err error
	if p.room, err = drawn(func(x, y int) uint8 { return uint8(60 + (x/16+y/16)%2*40 + (x+y)/10 + rand.IntN(12)) }); err != nil {
		return nil, err
	}
	if p.black, err = drawn(func(int, int) uint8 { return uint8(2 + rand.IntN(3)) }); err != nil {
		return nil, err
	}
	if feed != "" {
		l, err := net.Listen("tcp", feed)
		if err != nil {
			return nil, err
		}
		go p.receive(l)
	}
	name := socketOf(serial)
	os.Remove(name)
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, err
	}
	go p.listen(l)
	return p, nil
}

func socketOf(serial string) string { return "/run/fakecamera-" + serial }

func drawn(at func(x, y int) uint8) ([]byte, error) {
	img := image.NewGray(image.Rect(0, 0, sizes[0].width, sizes[0].height))
	for y := range sizes[0].height {
		for x := range sizes[0].width {
			img.SetGray(x, y, color.Gray{Y: at(x, y)})
		}
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, img, nil)
	return b.Bytes(), err
}

// receive takes pictures: their length in four bytes, big end first, and JPEG.
func (p *pictures) receive(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			r := bufio.NewReader(conn)
			for {
				var n uint32
				if binary.Read(r, binary.BigEndian, &n) != nil || n > 4<<20 {
					return
				}
				b := make([]byte, n)
				if _, err := io.ReadFull(r, b); err != nil {
					return
				}
				p.mu.Lock()
				p.room = b
				p.mu.Unlock()
			}
		}()
	}
}

// next returns a picture: no two are of the same bytes, as no two of a real
// camera are, unless that is the fault. nil: the camera is silent.
func (p *pictures) next() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	from := p.room
	switch p.fault {
	case "silent", "wedged":
		return nil
	case "frozen":
		return from
	case "black":
		from = p.black
	}
	n := p.count
	if p.fault == "repeated" {
		n %= 30 // a second of pictures, again and again
	}
	b := marked(from, n)
	if p.truncate > 0 {
		p.truncate--
		b = b[:len(b)/3]
	}
	return b
}

// marked puts a JPEG comment behind the start of the picture.
func marked(b []byte, n uint64) []byte {
	if len(b) < 2 {
		return b
	}
	out := append(bytes.Clone(b[:2]), 0xff, 0xfe, 0, 10)
	return append(binary.BigEndian.AppendUint64(out, n), b[2:]...)
}

// reset ends what a reset of the USB device mends.
func (p *pictures) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == "wedged" {
		p.fault = ""
	}
}

// wait returns how long a picture takes at the agreed interval.
func (p *pictures) wait(interval time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fps > 0 {
		return time.Duration(float64(time.Second) / p.fps)
	}
	return interval
}

// listen takes the words of tell.
func (p *pictures) listen(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil {
			err = p.obey(strings.Fields(line))
		}
		fmt.Fprintln(conn, map[bool]any{true: "ok", false: err}[err == nil])
		conn.Close()
	}
}

func (p *pictures) obey(words []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(words) == 1 && words[0] == "well":
		p.fault, p.fps, p.truncate = "", 0, 0
	case len(words) == 1 && strings.Contains(" silent wedged frozen repeated black ", " "+words[0]+" "):
		p.fault = words[0]
	case len(words) == 2 && words[0] == "truncate":
		n, err := strconv.Atoi(words[1])
		p.truncate = n
		return err
	case len(words) == 2 && words[0] == "fps":
		v, err := strconv.ParseFloat(words[1], 64)
		p.fps = v
		return err
	default:
		return errors.New("say well, silent, wedged, frozen, repeated, black, truncate N or fps N")
	}
	return nil
}

// tell gives the camera with the serial number in front a fault, or none.
func tell(args []string) error {
	if len(args) < 2 {
		return errors.New("tell SERIAL well|silent|wedged|frozen|repeated|black|truncate N|fps N")
	}
	conn, err := net.Dial("unix", socketOf(args[0]))
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintln(conn, strings.Join(args[1:], " "))
	said, err := io.ReadAll(conn)
	if err == nil && strings.TrimSpace(string(said)) != "ok" {
		err = errors.New(strings.TrimSpace(string(said)))
	}
	return err
}
