package store

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"livenessd"
)

// BenchmarkPutResult measures commits to a real disk.
func BenchmarkPutResult(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "store.db"), options())
	for b.Loop() {
		put(b, s, result(noon), nil)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "results/s")
}

// BenchmarkOpen100k measures Open, which checks the whole file, with 100,000
// results and as many events.
func BenchmarkOpen100k(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store.db")
	s, _, err := Open(path, options())
	if err != nil {
		b.Fatal(err)
	}
	const total, batch = 100_000, 1000
	for range total / batch {
		if err := s.update(func(tx *bbolt.Tx) error { return bulk(s, tx, batch) }); err != nil {
			b.Fatal(err)
		}
	}
	st, err := s.Stats()
	if err != nil || st.Results != total || s.Close() != nil {
		b.Fatalf("%+v, %v", st, err)
	}
	data, err := json.Marshal(result(noon))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, _, err := Open(path, options())
		if err != nil || s.Close() != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(st.FileBytes)/1e6, "file-MB")
	b.ReportMetric(float64(len(data)), "bytes/result")
}

// bulk stores n results in one transaction.
func bulk(s *Store, tx *bbolt.Tx, n int) error {
	c, err := getCounters(tx)
	if err != nil {
		return err
	}
	for range n {
		r := result(noon)
		id, err := resultKey(r.ID)
		if err != nil {
			return err
		}
		c.Result++
		c.Results++
		r.Seq = c.Result
		if err := putResult(tx, r, id[:]); err != nil {
			return err
		}
		if _, err := s.appendEvent(tx, &c, livenessd.Event{Type: livenessd.EventResult, At: r.At}, r.Seq); err != nil {
			return err
		}
	}
	return putCounters(tx, c)
}
