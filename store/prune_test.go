package store

import (
	"errors"
	"os"
	"testing"
	"time"

	"livenessd"
)

func TestPruneByAge(t *testing.T) {
	const day = 24 * time.Hour
	wrongPast := time.Date(1970, 1, 1, 0, 5, 0, 0, time.UTC)
	wrongFuture := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		at   []time.Time // in order of commitment
		want int         // removed from the beginning
	}{
		"none":                        {nil, 0},
		"young":                       {[]time.Time{noon, noon}, 0},
		"exactly the age":             {[]time.Time{noon.Add(-30 * day)}, 0},
		"old":                         {[]time.Time{noon.Add(-31 * day), noon.Add(-30*day - 1), noon}, 2},
		"clock not set, then right":   {[]time.Time{wrongPast, noon}, 0},
		"clock not set, then expired": {[]time.Time{wrongPast, wrongFuture, noon.Add(-40 * day), noon}, 3},
		"clock in the future":         {[]time.Time{wrongFuture, noon}, 0},
		"old one behind a young one":  {[]time.Time{noon, noon.Add(-40 * day)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, storePath(t), options())
			for _, at := range tc.at {
				r := result(at)
				put(t, s, r, []byte("picture"))
				if err := s.PutSession(livenessd.Session{ID: r.Session, Created: at}); err != nil {
					t.Fatal(err)
				}
			}
			done, err := s.Prune(noon)
			if want := (Pruned{Results: tc.want, Pictures: tc.want, Sessions: tc.want, Events: tc.want}); err != nil || done != want {
				t.Fatalf("got %+v, %v; want %+v", done, err, want)
			}
			for i, r := range all(t, s, false) {
				if r.Seq != uint64(tc.want+i+1) {
					t.Errorf("result %d is in place %d", r.Seq, i)
				}
			}
		})
	}
}

func TestPruneByNumber(t *testing.T) {
	o := options()
	o.MaxResults, o.MaxEvents = 10, 20
	path := storePath(t)
	s := open(t, path, o)
	total := pruneBatch + 30 // more than one batch
	if testing.Short() {
		total = 60
	}
	for range total {
		put(t, s, result(noon), nil)
	}
	done, err := s.Prune(noon)
	if err != nil || done.Results != total-10 || done.Events != total-20 {
		t.Fatalf("got %+v, %v", done, err)
	}
	var gone *GoneError
	_, err = s.Events(3, 5)
	if !errors.As(err, &gone) || gone.Oldest != uint64(total-19) {
		t.Fatalf("got %v", err)
	}
	events, err := s.Events(gone.Oldest-1, 100)
	if err != nil || len(events) != 20 || events[0].Result != nil || events[19].Result == nil {
		t.Fatalf("%d events, %v", len(events), err)
	}
	before, err := s.Stats()
	if err != nil || before.FreeBytes == 0 {
		t.Fatalf("%+v, %v", before, err)
	}
	for range total / 2 { // the space is used again
		put(t, s, result(noon), nil)
	}
	if after, err := s.Stats(); err != nil || after.FileBytes != before.FileBytes {
		t.Errorf("the file grew from %d to %d bytes, %v", before.FileBytes, after.FileBytes, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, path)
}

func TestPruneEverythingKeepsNumbers(t *testing.T) {
	path := storePath(t)
	s := open(t, path, options())
	put(t, s, result(noon), nil)
	later := noon.Add(60 * 24 * time.Hour)
	if done, err := s.Prune(later); err != nil || done.Events != 1 {
		t.Fatalf("got %+v, %v", done, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, options())
	if st, err := s.Stats(); err != nil || st.OldestEvent != 2 || st.LastEvent != 1 {
		t.Errorf("got %+v, %v", st, err)
	}
	if events, err := s.Events(1, 1); err != nil || len(events) != 0 {
		t.Errorf("got %v, %v", events, err)
	}
	r := result(later)
	if e := put(t, s, r, nil); e.ID != 2 || r.Seq != 2 {
		t.Errorf("event %d, result %d", e.ID, r.Seq)
	}
}

func TestPruneFilesAside(t *testing.T) {
	path := storePath(t)
	s := open(t, path, options())
	old, young, other := path+asideMark+"20260101T000000Z-2", path+asideMark+"20260303T000000Z", path+asideMark+"by-hand"
	for _, name := range []string{old, young, other} {
		mustWrite(t, name, []byte("x"))
	}
	if done, err := s.Prune(noon); err != nil || done != (Pruned{Aside: 1}) {
		t.Fatalf("got %+v, %v", done, err)
	}
	for name, want := range map[string]bool{old: false, young: true, other: true} {
		if _, err := os.Stat(name); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
