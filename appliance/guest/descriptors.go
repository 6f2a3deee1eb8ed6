package main

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// The descriptors of a USB camera with one video stream on a bulk endpoint, as
// the USB Video Class 1.0 specification wants them; numbers are little-endian.

type size struct{ width, height, fps int }

var sizes = []size{{640, 480, 30}, {320, 240, 30}, {1280, 720, 15}}

const (
	ticks      = 10_000_000 // a second, in units of 100 ns
	maxPayload = 16384
)

func le(values ...any) []byte {
	var b bytes.Buffer
	for _, v := range values {
		binary.Write(&b, binary.LittleEndian, v) // into memory: cannot fail
	}
	return b.Bytes()
}

// frameDescriptors lists the sizes; subtype 7 is MJPEG, 5 uncompressed.
func frameDescriptors(subtype byte) (all []byte) {
	for i, s := range sizes {
		intervals := []uint32{ticks / 15, ticks / 5}
		if s.fps > 15 {
			intervals = append([]uint32{uint32(ticks / s.fps)}, intervals...)
		}
		d := le(byte(26+4*len(intervals)), byte(0x24), subtype, byte(i+1), byte(0), uint16(s.width), uint16(s.height),
			uint32(s.width*s.height*16), uint32(s.width*s.height*16*s.fps), uint32(s.width*s.height*2), intervals[0], byte(len(intervals)))
		for _, v := range intervals {
			d = append(d, le(v)...)
		}
		all = append(all, d...)
	}
	return all
}

func configuration() []byte {
	control := []byte{18, 0x24, 2, 1, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0} // camera terminal
	control = append(control, 11, 0x24, 5, 2, 1, 0, 0, 2, 0, 0, 0)                    // processing unit
	control = append(control, 9, 0x24, 3, 3, 0x01, 0x01, 0, 2, 0)                     // output terminal
	control = append(le([]byte{13, 0x24, 1}, uint16(0x100), uint16(13+len(control)), uint32(6_000_000), byte(1), byte(1)), control...)

	colour := []byte{6, 0x24, 0x0d, 1, 1, 4}
	stream := []byte{11, 0x24, 6, 1, byte(len(sizes)), 1, 1, 0, 0, 0, 0}
	stream = append(append(stream, frameDescriptors(7)...), colour...)
	stream = append(stream, 27, 0x24, 4, 2, byte(len(sizes)))
	stream = append(stream, "YUY2\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"...)
	stream = append(stream, 16, 1, 0, 0, 0, 0)
	stream = append(append(stream, frameDescriptors(5)...), colour...)
	stream = append(le([]byte{15, 0x24, 1, 2}, uint16(15+len(stream)), []byte{0x81, 0, 3, 0, 0, 0, 1, 0, 0}), stream...)

	b := []byte{8, 0x0b, 0, 2, 0x0e, 3, 0, 2} // association of the two interfaces
	b = append(append(b, 9, 4, 0, 0, 0, 0x0e, 1, 0, 2), control...)
	b = append(append(b, 9, 4, 1, 0, 1, 0x0e, 2, 0, 0), stream...)
	b = append(b, 7, 5, 0x81, 2, 0, 2, 0)
	return append(le([]byte{9, 2}, uint16(9+len(b)), []byte{2, 1, 0, 0x80, 250}), b...)
}

func device(product uint16) []byte {
	return le([]byte{18, 1, 0, 2, 0xef, 2, 1, 64}, uint16(0x1d6b), product, []byte{0, 1, 1, 2, 3, 1})
}

func text(s string) []byte {
	units := utf16.Encode([]rune(s))
	return append([]byte{byte(2 + 2*len(units)), 3}, le(units)...)
}

// commitment is the Video Probe and Commit Control.
type commitment struct {
	Hint                            uint16
	Format, Frame                   uint8
	Interval                        uint32
	KeyFrame, PFrame, Q, Win, Delay uint16
	MaxFrame, MaxPayload            uint32
}

// settle makes of what the host asked for what this camera can.
func (p *commitment) settle() {
	if p.Format < 1 || p.Format > 2 {
		p.Format = 1
	}
	if p.Frame < 1 || int(p.Frame) > len(sizes) {
		p.Frame = 1
	}
	s := sizes[p.Frame-1]
	p.Interval = max(p.Interval, uint32(ticks/s.fps))
	p.MaxFrame = uint32(s.width * s.height * 2)
	p.MaxPayload = maxPayload
}
