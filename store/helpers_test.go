package store

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"livenessd"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// TestMain lets the binary be its own child process: see child_test.go.
func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		os.Exit(runChild(role))
	}
	os.Exit(m.Run())
}

func options() Options {
	return Options{Timeout: 50 * time.Millisecond, KeepPictures: true, Now: func() time.Time { return noon }}
}

// open opens a store that has to be sound, closes it when the test ends and
// has bbolt check the file then.
func open(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, replaced, err := Open(path, o)
	if err != nil || replaced != nil {
		t.Fatalf("Open: %v, replaced %+v", err, replaced)
	}
	closeAndCheck(t, s)
	return s
}

func closeAndCheck(t testing.TB, s *Store) {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		check(t, s.path)
	})
}

// check asks both bbolt and our own reader whether the file is sound.
func check(t testing.TB, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inspect(bytes.NewReader(data), int64(len(data))); err != nil {
		t.Errorf("inspect: %v", err)
		return
	}
	boltCheck(t, path)
}

func boltCheck(t testing.TB, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatalf("bbolt.Open: %v", err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("Check: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func result(at time.Time) *livenessd.Result {
	id := newID()
	return &livenessd.Result{
		ID: id, Session: "s-" + id, Reference: "order 7", Boot: "b", Started: at.Add(-8 * time.Second), At: at,
		Duration: 8 * time.Second, Outcome: livenessd.Live, Attempt: 1,
		Stages: []livenessd.Stage{{Name: livenessd.StageTexture, Outcome: livenessd.Live, Score: 0.93, Threshold: 0.7, Frames: 9}},
		Camera: livenessd.Camera{Name: "door", Width: 1280, Height: 720},
	}
}

func put(t testing.TB, s *Store, r *livenessd.Result, picture []byte) livenessd.Event {
	t.Helper()
	e, err := s.PutResult(r, picture)
	if err != nil {
		t.Fatalf("PutResult: %v", err)
	}
	return e
}

// same compares by what JSON says, where equal times in different zones and
// empty slices do not differ.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// all walks every result, a few at a time.
func all(t testing.TB, s *Store, newestFirst bool) []livenessd.Result {
	t.Helper()
	var rs []livenessd.Result
	for cursor := ""; ; {
		page, next, err := s.Results(cursor, 7, newestFirst)
		if err != nil {
			t.Fatalf("Results(%q): %v", cursor, err)
		}
		rs = append(rs, page...)
		if next == "" {
			return rs
		}
		cursor = next
	}
}

func random(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// storePath returns a path in memory where there is such a place, because these
// tests sync thousands of times and do not cut the power.
func storePath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "livenessd-store-")
	if err != nil {
		return filepath.Join(t.TempDir(), "store.db")
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "store.db")
}

func filler(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func mustWrite(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
