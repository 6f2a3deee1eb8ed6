package capture

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"livenessd"
)

// maxJunk bounds what may stand between two pictures: a multipart header, a
// camera's padding.
const maxJunk = 64 << 10

// splitter reads one JPEG picture after the other from a stream: bare, one
// after the other, or as the parts of a multipart stream. It follows the
// segments, so a preview inside a segment does not end a picture.
type splitter struct {
	r     *bufio.Reader
	buf   []byte // the picture so far
	limit int    // how many bytes a picture may have
}

func newSplitter(r io.Reader) *splitter {
	return &splitter{r: bufio.NewReaderSize(r, 64<<10), limit: maxPicture}
}

// next returns the next picture, complete as completeJPEG makes it and owned by
// the caller; io.EOF after the last one; io.ErrUnexpectedEOF when the stream
// ends inside a picture.
func (s *splitter) next() ([]byte, jpegHeader, error) {
	if err := s.begin(); err != nil {
		return nil, jpegHeader{}, err
	}
	if err := s.collect(); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, jpegHeader{}, err
	}
	return completeJPEG(append([]byte(nil), s.buf...))
}

// begin skips to the next start of a picture: SOI and the first byte of the
// marker that has to follow it.
func (s *splitter) begin() error {
	var a, b byte
	for range maxJunk {
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		if a == 0xFF && b == mSOI && c == 0xFF {
			s.buf = append(s.buf[:0], a, b)
			return s.r.UnreadByte()
		}
		a, b = b, c
	}
	return fmt.Errorf("no picture begins within %d bytes: %w", maxJunk, livenessd.ErrNoPicture)
}

// collect reads up to and with the end marker.
func (s *splitter) collect() error {
	m, err := s.marker()
	for err == nil && m != mEOI {
		if m == mTEM || m >= mRST0 && m <= mSOI { // no length
			m, err = s.marker()
			continue
		}
		if err := s.segment(); err != nil {
			return err
		}
		if m == mSOS {
			m, err = s.entropy()
		} else {
			m, err = s.marker()
		}
	}
	return err
}

// marker reads FF (fill bytes FF …) and the code after it.
func (s *splitter) marker() (byte, error) {
	c, err := s.byte()
	if err != nil {
		return 0, err
	}
	if c != 0xFF {
		return 0, fmt.Errorf("a segment should begin at byte %d of the JPEG: %w", len(s.buf)-1, livenessd.ErrNoPicture)
	}
	for c == 0xFF {
		if c, err = s.byte(); err != nil {
			return 0, err
		}
	}
	return c, nil
}

// segment reads a length of two bytes, which counts itself, and what it covers.
func (s *splitter) segment() error {
	hi, err := s.byte()
	if err != nil {
		return err
	}
	lo, err := s.byte()
	if err != nil {
		return err
	}
	n := int(hi)<<8 | int(lo)
	if n < 2 {
		return fmt.Errorf("a segment of the JPEG has length %d: %w", n, livenessd.ErrNoPicture)
	}
	at := len(s.buf)
	s.buf = append(s.buf, make([]byte, n-2)...)
	_, err = io.ReadFull(s.r, s.buf[at:])
	return err
}

// entropy reads a scan's data and the marker after it, which it returns. In
// the data FF is followed by 00, and restart markers stand in between.
func (s *splitter) entropy() (byte, error) {
	var last byte
	for {
		c, err := s.byte()
		if err != nil {
			return 0, err
		}
		if last == 0xFF && c != 0 && c != 0xFF && (c < mRST0 || c > mRST7) {
			return c, nil
		}
		last = c
	}
}

func (s *splitter) byte() (byte, error) {
	if len(s.buf) >= s.limit {
		return 0, fmt.Errorf("a JPEG of more than %d bytes: %w", s.limit, livenessd.ErrTooLarge)
	}
	c, err := s.r.ReadByte()
	if err == nil {
		s.buf = append(s.buf, c)
	}
	return c, err
}
