package sim

import (
	"testing"
	"time"
)

func BenchmarkFrame(b *testing.B) {
	for _, scene := range []string{"person", "print", "tablet"} {
		b.Run(scene, func(b *testing.B) {
			s, err := New(Config{Scene: scene, Seed: 2})
			if err != nil {
				b.Fatal(err)
			}
			at := time.Unix(0, 0)
			s.Frame(at)
			at = at.Add(5 * time.Second)
			for b.Loop() {
				at = at.Add(66 * time.Millisecond)
				s.Frame(at)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Config{Seed: 2}); err != nil {
			b.Fatal(err)
		}
	}
}
