package livenessd

import "testing"

// Ensure that the memory is bounded and that the oldest go first.
func TestDigests(t *testing.T) {
	var s Digests
	if s.Has(0) {
		t.Error("knows a picture before the first")
	}
	for i := range uint64(MaxDigests + 10) {
		s.Add(i)
	}
	if len(s.known) != MaxDigests || len(s.order) != MaxDigests {
		t.Errorf("remembers %d and %d", len(s.known), len(s.order))
	}
	for d, want := range map[uint64]bool{0: false, 9: false, 10: true, MaxDigests + 9: true} {
		if s.Has(d) != want {
			t.Errorf("%d: %v", d, !want)
		}
	}
}
