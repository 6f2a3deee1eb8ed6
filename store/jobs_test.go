package store

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"livenessd"
)

func job(at time.Time) livenessd.Job {
	return livenessd.Job{
		ID: newID(), At: at, Took: 40 * time.Millisecond, Dialect: livenessd.DialectBWS3, Credential: "gate", Reference: "visit 7",
		Status: 200, Outcome: livenessd.Live, Texture: &livenessd.Score{Value: 0.9, Threshold: 0.5, Model: "m"}, Pictures: 1,
	}
}

func TestJobs(t *testing.T) {
	path := storePath(t)
	s := open(t, path, options())
	var want []livenessd.Job
	for i := range 5 {
		j := job(noon)
		if err := s.PutJobs(j); err != nil {
			t.Fatal(err)
		}
		j.Seq = uint64(i + 1)
		want = append(want, j)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, options())
	for _, j := range want {
		if got, err := s.Job(j.ID); err != nil || !same(got, j) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	page, next, err := s.Jobs("", 3, true)
	if err != nil || len(page) != 3 || !same(page[0], want[4]) {
		t.Fatalf("got %+v, %v", page, err)
	}
	if page, next, err = s.Jobs(next, 3, true); err != nil || next != "" || len(page) != 2 || !same(page[1], want[0]) {
		t.Errorf("got %+v, %q, %v", page, next, err)
	}
	if _, err := s.Job(newID()); !errors.Is(err, livenessd.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Job("7"); !errors.Is(err, livenessd.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if st, err := s.Stats(); err != nil || st.Jobs != 5 || st.LastEvent != 0 {
		t.Errorf("got %+v, %v", st, err)
	}
}

func TestJobRefusals(t *testing.T) {
	s := open(t, storePath(t), options())
	stored := job(noon)
	if err := s.PutJobs(stored); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*livenessd.Job){
		"no id":          func(j *livenessd.Job) { j.ID = "" },
		"twice":          func(j *livenessd.Job) { j.ID = stored.ID },
		"no time":        func(j *livenessd.Job) { j.At = time.Time{} },
		"no dialect":     func(j *livenessd.Job) { j.Dialect = "" },
		"odd outcome":    func(j *livenessd.Job) { j.Outcome = "yes" },
		"long reference": func(j *livenessd.Job) { j.Reference = strings.Repeat("x", livenessd.MaxJobText+1) },
		"not a score":    func(j *livenessd.Job) { j.Texture = &livenessd.Score{Value: math.NaN()} },
	} {
		j := job(noon)
		change(&j)
		if err := s.PutJobs(j); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	fine := job(noon)
	for _, js := range [][]livenessd.Job{{fine, fine}, {fine, stored}, {fine, {}}} {
		if err := s.PutJobs(js...); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	}
	if st, err := s.Stats(); err != nil || st.Jobs != 1 {
		t.Errorf("refusals left traces: %+v, %v", st, err)
	}
}

// TestSharedCommits shows that callers at the same moment lose nothing, that
// the numbers have no gap, and that one who is refused does not harm another.
func TestSharedCommits(t *testing.T) {
	s := open(t, storePath(t), options())
	c := credential("gate")
	c.Quota = 100
	if err := s.AddCredential(c); err != nil {
		t.Fatal(err)
	}
	twice := job(noon)
	if err := s.PutJobs(twice); err != nil {
		t.Fatal(err)
	}
	const callers, each = 16, 10
	var group sync.WaitGroup
	var mu sync.Mutex
	spent := 0
	for range callers {
		group.Go(func() {
			for range each {
				err := s.SpendQuota("gate")
				if err == nil {
					mu.Lock()
					spent++
					mu.Unlock()
				} else if !errors.Is(err, livenessd.ErrQuota) {
					t.Error(err)
				}
				if err := s.PutJobs(twice); !errors.Is(err, livenessd.ErrInvalid) {
					t.Errorf("stored twice: %v", err)
				}
				if err := s.PutJobs(job(noon)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	all, err := s.Credentials()
	if err != nil || spent != 100 || all[0].Used != 100 {
		t.Errorf("%d spent, %+v, %v", spent, all, err)
	}
	seen := uint64(0)
	for cursor, more := "", true; more; more = cursor != "" {
		page, next, err := s.Jobs(cursor, 50, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range page {
			if seen++; j.Seq != seen {
				t.Fatalf("job %d has the number %d", seen, j.Seq)
			}
		}
		cursor = next
	}
	if seen != callers*each+1 {
		t.Errorf("%d jobs", seen)
	}
}

func TestPruneJobs(t *testing.T) {
	o := options()
	o.MaxJobs = 10
	s := open(t, storePath(t), o)
	for i := range 30 {
		at := noon
		if i >= 15 {
			at = noon.Add(time.Minute)
		}
		if err := s.PutJobs(job(at)); err != nil {
			t.Fatal(err)
		}
	}
	if done, err := s.Prune(noon); err != nil || done != (Pruned{Jobs: 20}) {
		t.Fatalf("got %+v, %v", done, err)
	}
	page, _, err := s.Jobs("", 100, false)
	if err != nil || len(page) != 10 || page[0].Seq != 21 {
		t.Fatalf("%d left, %v", len(page), err)
	}
	if done, err := s.Prune(noon.Add(DefaultMaxAge + time.Hour)); err != nil || done.Jobs != 10 {
		t.Errorf("got %+v, %v", done, err)
	}
}

// BenchmarkPutJob measures commits of jobs to a real disk, by one caller and
// by many at a time.
func BenchmarkPutJob(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s := open(b, b.TempDir()+"/store.db", options())
			work := make(chan struct{})
			var group sync.WaitGroup
			for range callers {
				group.Go(func() {
					for range work {
						if err := s.PutJobs(job(noon)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.ResetTimer()
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}
