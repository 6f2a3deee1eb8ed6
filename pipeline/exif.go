package pipeline

import (
	"bytes"
	"encoding/binary"

	"livenessd"
)

// exifOrientation returns the orientation tag, 1..8, of a JPEG's EXIF segment
// (Exif 2.32, tag 0x0112), or 1 when there is none or it is damaged: a picture
// is not refused because of its notes.
func exifOrientation(jpg []byte) int {
	b := jpg
	if len(b) < 4 {
		return 1
	}
	b = b[2:] // SOI
	for len(b) >= 4 && b[0] == 0xff {
		marker, size := b[1], int(binary.BigEndian.Uint16(b[2:]))
		if marker == 0xda || size < 2 || size+2 > len(b) { // picture data follow, or a broken segment
			return 1
		}
		if tiff, ok := bytes.CutPrefix(b[4:size+2], []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return tiffOrientation(tiff)
		}
		b = b[size+2:]
	}
	return 1
}

func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == 0x0112 {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// Turn returns f, which must be livenessd.BGR, turned clockwise by 90, 180 or
// 270 degrees; f itself by any other angle. Its Data are new then, and f's are
// only read.
func Turn(f livenessd.Frame, degrees int) livenessd.Frame {
	switch degrees {
	case 90:
		return upright(f, 6)
	case 180:
		return upright(f, 3)
	case 270:
		return upright(f, 8)
	}
	return f
}

// upright returns f turned and mirrored so that EXIF orientation o becomes 1.
func upright(f livenessd.Frame, o int) livenessd.Frame {
	if o <= 1 || o > 8 {
		return f
	}
	w, h := f.Width, f.Height
	g := f
	if o >= 5 {
		g.Width, g.Height = h, w
	}
	g.Data = make([]byte, len(f.Data))
	for y := range g.Height {
		for x := range g.Width {
			sx, sy := x, y // where the upright pixel x, y lies in f
			switch o {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			copy(g.Data[3*(y*g.Width+x):][:3], f.Data[3*(sy*w+sx):])
		}
	}
	return g
}
