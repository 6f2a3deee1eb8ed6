package capture

import (
	"bytes"
	"unsafe"

	"github.com/blackjack/webcam"
	"github.com/blackjack/webcam/ioctl"
	"golang.org/x/sys/unix"
)

// What handle needs of the kernel's <linux/videodev2.h>. The layout follows C:
// Go aligns these fields alike on 32 and 64 bits.

const (
	bufVideoCapture = 1 // enum v4l2_buf_type
	memoryMmap      = 1 // enum v4l2_memory

	fieldAny  = 0 // enum v4l2_field
	fieldNone = 1 // progressive

	capVideoCapture = 0x00000001
	capStreaming    = 0x04000000
	capDeviceCaps   = 0x80000000

	bufFlagError              = 0x00000040
	bufFlagTimestampMask      = 0x0000e000
	bufFlagTimestampMonotonic = 0x00002000
)

type v4l2Capability struct {
	driver       [16]byte
	card         [32]byte
	bus          [32]byte
	version      uint32
	capabilities uint32
	deviceCaps   uint32
	_            [3]uint32
}

type v4l2PixFormat struct {
	width        uint32
	height       uint32
	pixelFormat  uint32
	field        uint32
	bytesPerLine uint32
	sizeImage    uint32
	_            [6]uint32
}

// v4l2Format holds a union of 200 bytes that is aligned like a pointer.
type v4l2Format struct {
	typ uint32
	_   [0]unsafe.Pointer
	pix v4l2PixFormat
	_   [200 - unsafe.Sizeof(v4l2PixFormat{})]byte
}

type v4l2Buffer struct {
	index     uint32
	typ       uint32
	bytesUsed uint32
	flags     uint32
	field     uint32
	timestamp unix.Timeval
	timecode  [4]uint32
	sequence  uint32
	memory    uint32
	offset    uintptr // union of offset, user pointer, planes
	length    uint32
	_         [2]uint32
}

// v4l2QueryMenu is packed in C; these fields have no padding anyway.
type v4l2QueryMenu struct {
	id    uint32
	index uint32
	name  [32]byte // union with a 64 bit value
	_     uint32
}

var (
	vidiocQueryMenu = ioctl.IoRW('V', 37, unsafe.Sizeof(v4l2QueryMenu{}))
	vidiocQueryCap  = ioctl.IoR('V', 0, unsafe.Sizeof(v4l2Capability{}))
	vidiocGFmt      = ioctl.IoRW('V', 4, unsafe.Sizeof(v4l2Format{}))
	vidiocDQBuf     = ioctl.IoRW('V', 17, unsafe.Sizeof(v4l2Buffer{}))
	vidiocStreamOff = ioctl.IoW('V', 19, unsafe.Sizeof(uint32(0)))
)

// text cuts a C string out of a fixed field. It comes from the device, so what
// is not printable becomes a question mark.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	out := make([]byte, len(b))
	for i, c := range b {
		if c < ' ' || c > '~' {
			c = '?'
		}
		out[i] = c
	}
	return string(out)
}

func fourCCText(f webcam.PixelFormat) string {
	return text([]byte{byte(f), byte(f >> 8), byte(f >> 16), byte(f >> 24)})
}
