package main

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"livenessd"
	"livenessd/capture"
	"livenessd/capture/sim"
	"livenessd/challenge"
)

// BenchmarkSustained feeds 640×480 JPEG frames at 30 a second into the slot,
// as a camera does, and takes them out through the whole analysis and
// judgement, texture on every frame. It prints drops, the time from frame to
// observation, and resident memory in the first and the last tenth.
// TEST_SOAK says for how long, 20s without it.
func BenchmarkSustained(b *testing.B) {
	duration := asked(b, "TEST_SOAK", 20*time.Second)
	eyes := newEyes(b)
	film := film(b, 90)
	for b.Loop() {
		measure(b, eyes, film, duration)
	}
}

// asked is the duration that the environment names, or else usual.
func asked(b *testing.B, name string, usual time.Duration) time.Duration {
	v := os.Getenv(name)
	if v == "" {
		return usual
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return d
}

// film draws frames before the measurement begins: drawing is no part of it.
func film(b *testing.B, n int) [][]byte {
	s, err := sim.New(sim.Config{Seed: 7})
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var frames [][]byte
	for i := range n + 60 {
		at = at.Add(time.Second / 15)
		if f := s.Frame(at); i >= 60 { // somebody has walked up
			frames = append(frames, f.Data)
		}
	}
	return frames
}

func measure(b *testing.B, eyes eyes, film [][]byte, duration time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	slot := capture.NewSlot()
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		tick := time.NewTicker(time.Second / 30)
		defer tick.Stop()
		for i := uint64(0); ; i++ {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				data := slices.Clone(film[int(i)%len(film)]) // a camera's buffer is copied too
				slot.Put(livenessd.Frame{Seq: i, At: now, Width: 640, Height: 480, Format: livenessd.MJPEG, Data: data})
			}
		}
	}()
	rng, err := newRand()
	if err != nil {
		b.Fatal(err)
	}
	kiosk, err := challenge.NewKiosk(challenge.DefaultConfig(), rng, newID)
	if err != nil {
		b.Fatal(err)
	}
	var ages []time.Duration
	var memory []float64
	begin, next := time.Now(), time.Now()
	for {
		f, err := slot.Take(ctx)
		if err != nil {
			break
		}
		o, err := eyes.Analyze(f, true)
		if err != nil {
			b.Fatal(err)
		}
		kiosk.Step(&o)
		ages = append(ages, time.Since(f.At))
		if time.Now().After(next) {
			memory, next = append(memory, resident(b)), next.Add(duration/50)
		}
	}
	<-fed
	slices.Sort(ages)
	frames, drops := slot.Frames(), slot.Drops()
	tenth := max(1, len(memory)/10)
	b.ReportMetric(float64(frames)/time.Since(begin).Seconds(), "frames/s")
	b.ReportMetric(100*float64(drops)/float64(frames), "%drops")
	b.ReportMetric(ms(ages[len(ages)/2]), "p50-ms")
	b.ReportMetric(ms(ages[len(ages)*99/100]), "p99-ms")
	b.ReportMetric(slices.Max(memory[:tenth]), "MiB-first-tenth")
	b.ReportMetric(slices.Max(memory[len(memory)-tenth:]), "MiB-last-tenth")
	b.ReportMetric(0, "ns/op") // the duration was given, not measured
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// resident returns the process's resident memory in MiB.
func resident(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	b.Fatal("/proc/self/status has no VmRSS")
	return 0
}
