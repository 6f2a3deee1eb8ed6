package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"livenessd"
	"livenessd/api"
	"livenessd/capture"
	"livenessd/pipeline"
	"livenessd/store"
)

// BenchmarkLoad has clients ask without a pause, each with a 640×480 picture,
// while frames come from a camera at 30 a second and are judged with texture.
// It prints how many of those were judged (0 clients is the measure), the
// requests a second, how long they took and how many were told to come again.
// TEST_LOAD says for how long, 15s without it.
func BenchmarkLoad(b *testing.B) {
	duration := asked(b, "TEST_LOAD", 15*time.Second)
	for _, clients := range []int{0, 1, 8, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			l := newLoad(b, newEyes(b))
			for b.Loop() {
				l.measure(b, clients, duration)
			}
		})
	}
}

// BenchmarkOutside prints how long a request takes with nothing else to do,
// and which part of it is spent in the networks, in decoding the picture, and
// in all the rest: with the built-in networks, and with the public ones, which
// take three times as long.
func BenchmarkOutside(b *testing.B) {
	b.Run("built-in", func(b *testing.B) { outside(b, newEyes(b)) })
	b.Run("public", func(b *testing.B) { outside(b, publicEyes(b)) })
}

func outside(b *testing.B, eyes eyes) {
	l := newLoad(b, eyes)
	networks := l.trials(b)
	ask := l.client(b)
	for range 5 {
		if status, err := ask(); err != nil || status != http.StatusOK {
			b.Fatal(status, err)
		}
	}
	var whole, inside, decoding []time.Duration
	for b.Loop() {
		begin := time.Now()
		if status, err := ask(); err != nil || status != http.StatusOK {
			b.Fatal(status, err)
		}
		whole = append(whole, time.Since(begin))
		inside = append(inside, networks())
		begin = time.Now()
		if _, err := pipeline.DecodePicture(l.film[0], pipeline.DefaultLimits()); err != nil {
			b.Fatal(err)
		}
		decoding = append(decoding, time.Since(begin))
	}
	request, forward, decode := median(whole), median(inside), median(decoding)
	b.ReportMetric(ms(request), "request-p50-ms")
	b.ReportMetric(ms(forward), "networks-p50-ms")
	b.ReportMetric(ms(decode), "decode-p50-ms")
	b.ReportMetric(100*(1-forward.Seconds()/request.Seconds()), "%outside-networks")
	b.ReportMetric(100*(1-(forward+decode).Seconds()/request.Seconds()), "%rest")
}

func median(ds []time.Duration) time.Duration {
	ds = slices.Sorted(slices.Values(ds))
	return ds[len(ds)/2]
}

// load is the API over the real store, credentials, gate and networks.
type load struct {
	eyes   eyes
	first  *precedence
	server *httptest.Server
	film   [][]byte
	secret secrets
}

func newLoad(b *testing.B, eyes eyes) *load {
	l := &load{eyes: eyes, first: &precedence{}, film: film(b, 90), secret: secrets{Name: "load", User: "load"}}
	log := slog.New(slog.DiscardHandler)
	s, _, err := store.Open(filepath.Join(b.TempDir(), "s.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	if err := s.AddCredential(l.secret.credential([]livenessd.Dialect{livenessd.DialectVerihubs})); err != nil {
		b.Fatal(err)
	}
	who, err := newAccess(s, log)
	if err != nil {
		b.Fatal(err)
	}
	cfg := defaultConfig().API
	calls := newBook(s.PutJobs, false, log)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- calls.run(ctx) }()
	b.Cleanup(func() { cancel(); <-ended })
	gate := newGate(cfg.Analyses, cfg.Waiting, time.Duration(cfg.Patience), l.first)
	handler, err := api.New(apiConfig(cfg, api.Config{Log: log}), api.Deps{
		Results: s, Journal: s, Kiosk: callers{}, Ready: func() []api.Reason { return nil },
		Access: who, Jobs: calls, Judge: newJudge(context.Background(), l.eyes, gate),
	})
	if err != nil {
		b.Fatal(err)
	}
	l.server = httptest.NewServer(handler)
	b.Cleanup(l.server.Close)
	return l
}

// client returns a function that asks once and returns the status.
func (l *load) client(b *testing.B) func() (int, error) {
	body, err := json.Marshal(map[string]string{"image": base64.StdEncoding.EncodeToString(l.film[0])})
	if err != nil {
		b.Fatal(err)
	}
	c := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	b.Cleanup(c.CloseIdleConnections)
	return func() (int, error) {
		req, err := http.NewRequest(http.MethodPost, l.server.URL+"/v1/face/liveness", bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		req.Header.Set("App-ID", l.secret.User)
		req.Header.Set("API-Key", l.secret.Secret)
		req.Header.Set("Content-Type", "application/json")
		resp, err := c.Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, err
	}
}

// trials returns a function that runs every network once, as a request does,
// and returns how long they alone took.
func (l *load) trials(b *testing.B) func() time.Duration {
	var all []*pipeline.Trial
	for _, n := range l.eyes.set.Networks() {
		t, err := pipeline.NewTrial(n)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(t.Close)
		all = append(all, t)
	}
	return func() (sum time.Duration) {
		for _, t := range all {
			if err := t.Feed(); err != nil {
				b.Fatal(err)
			}
			begin := time.Now()
			if err := t.Forward(); err != nil {
				b.Fatal(err)
			}
			sum += time.Since(begin)
		}
		return sum
	}
}

func (l *load) measure(b *testing.B, clients int, duration time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	var group sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	var later, lost atomic.Int64
	begin := time.Now()
	for range clients {
		ask := l.client(b)
		group.Go(func() {
			for ctx.Err() == nil {
				begin := time.Now()
				status, err := ask()
				switch {
				case err != nil:
					lost.Add(1)
					b.Error("a request without an answer: ", err)
				case status == http.StatusOK:
					mu.Lock()
					took = append(took, time.Since(begin))
					mu.Unlock()
				case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
					later.Add(1)
				default:
					b.Error("status ", status)
				}
			}
		})
	}
	ages, peak := l.camera(b, ctx)
	seconds := time.Since(begin).Seconds()
	group.Wait()
	slices.Sort(ages)
	b.ReportMetric(float64(len(ages))/seconds, "frames/s")
	b.ReportMetric(ms(ages[len(ages)/2]), "frame-p50-ms")
	b.ReportMetric(ms(ages[len(ages)*99/100]), "frame-p99-ms")
	b.ReportMetric(peak, "MiB-peak")
	if slices.Sort(took); len(took) > 0 {
		b.ReportMetric(float64(len(took))/seconds, "requests/s")
		b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
		b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
	}
	b.ReportMetric(float64(later.Load()), "told-later")
	b.ReportMetric(float64(lost.Load()), "lost")
	b.ReportMetric(0, "ns/op") // the duration was given, not measured
}

// camera judges frames as the terminal does until ctx ends; it returns their
// ages when they had been judged, and the greatest resident memory met.
func (l *load) camera(b *testing.B, ctx context.Context) (ages []time.Duration, peak float64) {
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
				l.first.arrived()
				slot.Put(livenessd.Frame{Seq: i, At: now, Width: 640, Height: 480, Format: livenessd.MJPEG, Data: slices.Clone(l.film[int(i)%len(l.film)])})
			}
		}
	}()
	for {
		f, err := slot.Take(ctx)
		if err != nil {
			break
		}
		l.first.begin()
		_, err = l.eyes.Analyze(f, true)
		l.first.end()
		if err != nil {
			b.Fatal(err)
		}
		if ages = append(ages, time.Since(f.At)); len(ages)%30 == 0 {
			peak = max(peak, resident(b))
		}
	}
	<-fed
	return ages, peak
}
