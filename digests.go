package livenessd

// MaxDigests is how many pictures Digests remembers: more than two minutes at
// 30 a second.
const MaxDigests = 4096

// Digests remembers the digests of the newest pictures, so that a recording is
// known when it comes again. The zero value is ready. It is not for use by
// several goroutines at a time.
type Digests struct {
	known map[uint64]struct{}
	order []uint64 // ring of what is in known
	next  int
}

// Has reports whether d is remembered.
func (s *Digests) Has(d uint64) bool {
	_, ok := s.known[d]
	return ok
}

// Add remembers d, which is not remembered yet, and forgets the oldest when
// there are more than MaxDigests.
func (s *Digests) Add(d uint64) {
	if s.known == nil {
		s.known = make(map[uint64]struct{}, MaxDigests)
		s.order = make([]uint64, 0, MaxDigests)
	}
	if len(s.order) < MaxDigests {
		s.order = append(s.order, d)
	} else {
		delete(s.known, s.order[s.next])
		s.order[s.next] = d
		s.next = (s.next + 1) % MaxDigests
	}
	s.known[d] = struct{}{}
}
