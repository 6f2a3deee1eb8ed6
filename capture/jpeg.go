package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"sync"

	"livenessd"
)

// Bounds on any picture, checked before anything is allocated for it.
const (
	maxSide    = 8192     // pixels
	maxPicture = 32 << 20 // bytes
)

// JPEG markers, from ITU-T T.81 table B.1.
const (
	mSOF0 = 0xC0 // baseline; C1 extended, C2 progressive
	mSOF2 = 0xC2
	mDHT  = 0xC4
	mRST0 = 0xD0
	mRST7 = 0xD7
	mSOI  = 0xD8
	mEOI  = 0xD9
	mSOS  = 0xDA
	mTEM  = 0x01
)

// jpegHeader is what stands in front of a JPEG picture's data.
type jpegHeader struct {
	width, height int  // pixels, as coded; no orientation tag is applied
	huffman       bool // the tables are there; many cameras leave them out
	scan          int  // offset of the SOS marker
	data          int  // offset of what follows the SOS segment
}

// parseJPEG walks the segments of data up to its first scan. It reads no
// further than data and allocates nothing but errors, which wrap ErrNoPicture
// or ErrTooLarge.
func parseJPEG(data []byte) (jpegHeader, error) {
	var h jpegHeader
	if len(data) < 4 || data[0] != 0xFF || data[1] != mSOI {
		return h, fmt.Errorf("it does not begin as a JPEG: %w", livenessd.ErrNoPicture)
	}
	for i := 2; ; {
		for i < len(data) && data[i] == 0xFF && i+1 < len(data) && data[i+1] == 0xFF {
			i++ // fill bytes
		}
		if i+4 > len(data) {
			return h, fmt.Errorf("the JPEG ends in its header: %w", livenessd.ErrNoPicture)
		}
		if data[i] != 0xFF {
			return h, fmt.Errorf("byte %d of the JPEG should begin a segment: %w", i, livenessd.ErrNoPicture)
		}
		m, body := data[i+1], data[i+2:]
		if m == mTEM || m >= mRST0 && m <= mSOI {
			i += 2 // markers without a length
			continue
		}
		n := int(binary.BigEndian.Uint16(body))
		if m == mEOI || n < 2 || n > len(body) {
			return h, fmt.Errorf("segment %#x at byte %d of the JPEG is cut off: %w", m, i, livenessd.ErrNoPicture)
		}
		switch body = body[2:n]; {
		case m == mDHT:
			h.huffman = true
		case m >= mSOF0 && m <= mSOF2:
			if err := h.frame(body); err != nil {
				return h, err
			}
		case m == mSOS:
			if h.width == 0 {
				return h, fmt.Errorf("the JPEG does not say its size: %w", livenessd.ErrNoPicture)
			}
			h.scan, h.data = i, i+2+n
			return h, nil
		}
		i += 2 + n
	}
}

// frame reads a frame header (T.81, B.2.2): precision, lines, samples a line,
// components.
func (h *jpegHeader) frame(b []byte) error {
	if len(b) < 6 || len(b) < 6+3*int(b[5]) {
		return fmt.Errorf("the JPEG's frame header is cut off: %w", livenessd.ErrNoPicture)
	}
	if h.width != 0 {
		return fmt.Errorf("the JPEG has two frame headers: %w", livenessd.ErrNoPicture)
	}
	h.height, h.width = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	if b[0] != 8 || b[5] != 1 && b[5] != 3 {
		return fmt.Errorf("the JPEG has %d components of %d bits, only 1 or 3 of 8 are read: %w", b[5], b[0], livenessd.ErrNoPicture)
	}
	if h.width == 0 || h.height == 0 {
		return fmt.Errorf("the JPEG says it is %d x %d pixels: %w", h.width, h.height, livenessd.ErrNoPicture)
	}
	if h.width > maxSide || h.height > maxSide {
		return fmt.Errorf("the JPEG is %d x %d pixels, the limit is %d: %w", h.width, h.height, maxSide, livenessd.ErrTooLarge)
	}
	return nil
}

// completeJPEG checks that data is one whole JPEG picture and returns it cut
// off after its end marker (cameras pad) and with the standard Huffman tables
// put in where a camera left them out, as motion JPEG allows. The result may
// share memory with data.
func completeJPEG(data []byte) ([]byte, jpegHeader, error) {
	if len(data) > maxPicture {
		return nil, jpegHeader{}, fmt.Errorf("the JPEG has %d bytes, the limit is %d: %w", len(data), maxPicture, livenessd.ErrTooLarge)
	}
	h, err := parseJPEG(data)
	if err != nil {
		return nil, h, err
	}
	end := bytes.LastIndex(data[h.data:], []byte{0xFF, mEOI})
	if end < 0 {
		return nil, h, fmt.Errorf("the JPEG has no end: %w", livenessd.ErrNoPicture)
	}
	data = data[:h.data+end+2]
	if h.huffman {
		return data, h, nil
	}
	dht := standardHuffman()
	out := make([]byte, 0, len(data)+len(dht))
	out = append(out, data[:h.scan]...)
	out = append(out, dht...)
	out = append(out, data[h.scan:]...)
	h.scan, h.data = h.scan+len(dht), h.data+len(dht)
	h.huffman = true
	return out, h, nil
}

// standardHuffman returns the DHT segment with the four tables of T.81 annex K,
// which motion JPEG means when it has none. Go's encoder always writes exactly
// these, so they are taken from a picture it made.
var standardHuffman = sync.OnceValue(func() []byte {
	m := image.NewRGBA(image.Rect(0, 0, 8, 8))
	m.Set(0, 0, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	data := b.Bytes()
	for i := 2; ; {
		n := int(binary.BigEndian.Uint16(data[i+2:]))
		if data[i+1] == mDHT {
			return data[i : i+2+n]
		}
		i += 2 + n
	}
})
