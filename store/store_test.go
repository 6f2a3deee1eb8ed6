package store

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"livenessd"
)

func TestPutAndRead(t *testing.T) {
	path := storePath(t)
	s := open(t, path, options())
	r, picture := result(noon), []byte("a picture")
	news := s.Changed()
	e := put(t, s, r, picture)
	select {
	case <-news:
	default:
		t.Error("Changed was not closed")
	}
	if r.Seq != 1 || !r.HasPicture || e.ID != 1 || e.Type != livenessd.EventResult || e.Session != r.Session || !same(e.Result, r) {
		t.Fatalf("result %+v, event %+v", r, e)
	}
	for range 2 {
		if got, err := s.Result(r.ID); err != nil || !same(got, r) {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := s.Picture(r.ID); err != nil || !bytes.Equal(got, picture) {
			t.Errorf("got %q, %v", got, err)
		}
		if got, err := s.Events(0, 0); err != nil || len(got) != 1 || !same(got[0], e) {
			t.Errorf("got %+v, %v", got, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path, options())
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
}

func TestNoPictureUnlessAsked(t *testing.T) {
	o := options()
	o.KeepPictures = false
	path := storePath(t)
	s := open(t, path, o)
	r, secret := result(noon), []byte("nobody asked for this picture")
	put(t, s, r, secret)
	if _, err := s.Picture(r.ID); !errors.Is(err, livenessd.ErrNotFound) || r.HasPicture {
		t.Errorf("got %v, %v", err, r.HasPicture)
	}
	if data, err := os.ReadFile(path); err != nil || bytes.Contains(data, secret) {
		t.Errorf("the picture is in the file (%v)", err)
	}
}

func TestRefusals(t *testing.T) {
	s := open(t, storePath(t), options())
	stored := result(noon)
	put(t, s, stored, nil)
	with := func(change func(*livenessd.Result)) *livenessd.Result {
		r := result(noon)
		change(r)
		return r
	}
	for name, tc := range map[string]struct {
		r       *livenessd.Result
		picture []byte
		want    error
	}{
		"no id":       {with(func(r *livenessd.Result) { r.ID = "" }), nil, livenessd.ErrInvalid},
		"version 4":   {with(func(r *livenessd.Result) { r.ID = "9b2b2f0a-6a1c-4d7e-8a53-0a1f6d1f2b11" }), nil, livenessd.ErrInvalid},
		"upper case":  {with(func(r *livenessd.Result) { r.ID = strings.ToUpper(r.ID) }), nil, livenessd.ErrInvalid},
		"braces":      {with(func(r *livenessd.Result) { r.ID = "{" + r.ID + "}" }), nil, livenessd.ErrInvalid},
		"twice":       {with(func(r *livenessd.Result) { r.ID = stored.ID }), nil, livenessd.ErrInvalid},
		"no outcome":  {with(func(r *livenessd.Result) { r.Outcome = "" }), nil, livenessd.ErrInvalid},
		"odd outcome": {with(func(r *livenessd.Result) { r.Outcome = "LIVE" }), nil, livenessd.ErrInvalid},
		"no time":     {with(func(r *livenessd.Result) { r.At = time.Time{} }), nil, livenessd.ErrInvalid},
		"not a score": {with(func(r *livenessd.Result) { r.Stages[0].Score = math.NaN() }), nil, livenessd.ErrInvalid},
		"large":       {with(func(r *livenessd.Result) { r.Reference = strings.Repeat("x", maxRecord) }), nil, livenessd.ErrTooLarge},
		"picture":     {result(noon), make([]byte, MaxPicture+1), livenessd.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.PutResult(tc.r, tc.picture); !errors.Is(err, tc.want) {
				t.Errorf("got %v", err)
			}
			if tc.r.Seq != 0 {
				t.Errorf("the result got the number %d", tc.r.Seq)
			}
		})
	}
	for _, e := range []livenessd.Event{{}, {Type: livenessd.EventResult}, {Type: livenessd.EventLocked, Result: stored}} {
		if _, err := s.PutEvent(e); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("%+v: got %v", e, err)
		}
	}
	for _, id := range []string{"", strings.Repeat("x", 129), "a\xff"} {
		if err := s.PutSession(livenessd.Session{ID: id}); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("session %q: got %v", id, err)
		}
	}
	for _, cursor := range []string{"o1", "n", "n0", "n-1", "nx", "1", "n99999999999999999999"} {
		if _, _, err := s.Results(cursor, 1, true); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("cursor %q: got %v", cursor, err)
		}
	}
	if st, err := s.Stats(); err != nil || st.Results != 1 || st.LastSeq != 1 || st.LastEvent != 1 {
		t.Errorf("refusals left traces: %+v, %v", st, err)
	}
}

func TestOpenRefusals(t *testing.T) {
	path := storePath(t)
	s := open(t, path, options())
	if _, _, err := Open(path, options()); !errors.Is(err, livenessd.ErrBusy) || !strings.Contains(err.Error(), path) {
		t.Errorf("open twice: got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(filepath.Dir(path), "missing", "store.db")
	for _, p := range []string{"", missing, "/proc/store.db", "/dev/null"} {
		if _, _, err := Open(p, options()); !errors.Is(err, livenessd.ErrInvalid) {
			t.Errorf("%q: got %v", p, err)
		}
	}
	o := options()
	o.MaxResults = -1
	if _, _, err := Open(path, o); !errors.Is(err, livenessd.ErrInvalid) {
		t.Errorf("a negative bound: got %v", err)
	}
	if _, err := OpenReadOnly(missing); !errors.Is(err, livenessd.ErrNotFound) {
		t.Errorf("read only, no file: got %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	path := storePath(t)
	w := open(t, path, options())
	r := result(noon)
	put(t, w, r, nil)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	closeAndCheck(t, s)
	if got := all(t, s, true); len(got) != 1 || !same(got[0], r) || s.LastEvent() != 1 {
		t.Errorf("got %+v", got)
	}
	if _, err := s.PutResult(result(noon), nil); !errors.Is(err, livenessd.ErrNotReady) {
		t.Errorf("got %v", err)
	}
	if err := s.Delete(r.ID); !errors.Is(err, livenessd.ErrNotReady) {
		t.Errorf("got %v", err)
	}
	if again, err := OpenReadOnly(path); err != nil || again.Close() != nil {
		t.Errorf("two readers: %v", err)
	}
}

func TestReadOnlyLeavesDamageAlone(t *testing.T) {
	path := storePath(t)
	mustWrite(t, path, []byte("no store"))
	if _, err := OpenReadOnly(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v", entries, err)
	}
}

func TestSymbolicLink(t *testing.T) {
	path := storePath(t)
	mustWrite(t, path, []byte("damaged"))
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	s, replaced, err := Open(link, options())
	if err != nil || replaced == nil || filepath.Dir(replaced.Path) != filepath.Dir(path) {
		t.Fatalf("%+v, %v", replaced, err)
	}
	closeAndCheck(t, s)
	if fi, err := os.Lstat(link); err != nil || fi.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced (%v)", err)
	}
}

func TestEraseLeavesNothingToRead(t *testing.T) {
	s := open(t, storePath(t), options())
	r := result(noon)
	put(t, s, r, []byte("picture"))
	kept := result(noon)
	put(t, s, kept, []byte("another"))
	if err := s.PutSession(livenessd.Session{ID: r.Session, Created: noon}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(r.ID); err != nil {
		t.Fatal(err)
	}
	_, errR := s.Result(r.ID)
	_, errP := s.Picture(r.ID)
	_, errS := s.Session(r.Session)
	for _, err := range []error{errR, errP, errS, s.Delete(r.ID)} {
		if !errors.Is(err, livenessd.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
	events, err := s.Events(0, 10)
	if err != nil || len(events) != 2 || events[0].Result != nil || events[0].Detail != resultGone || !same(events[1].Result, kept) {
		t.Errorf("got %+v, %v", events, err)
	}
	next := result(noon)
	if put(t, s, next, nil); next.Seq != 3 {
		t.Errorf("the number %d came after 2", next.Seq)
	}
}

// TestGreatestPictures shows that the largest pages bbolt can make of them
// still pass the check of the next Open.
func TestGreatestPictures(t *testing.T) {
	path := storePath(t)
	s := open(t, path, options())
	var ids []string
	for i := range 6 {
		r := result(noon)
		size := MaxPicture
		if i == 2 {
			size = 10
		}
		put(t, s, r, make([]byte, size))
		ids = append(ids, r.ID)
	}
	if err := errors.Join(s.Delete(ids[0]), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, options())
	if picture, err := s.Picture(ids[5]); err != nil || len(picture) != MaxPicture {
		t.Errorf("%d bytes, %v", len(picture), err)
	}
}

func TestSessions(t *testing.T) {
	s := open(t, storePath(t), options())
	v := livenessd.Session{ID: "a b/ü", State: livenessd.SessionWaiting, Created: noon}
	for _, state := range []livenessd.SessionState{livenessd.SessionWaiting, livenessd.SessionRunning, livenessd.SessionDone} {
		v.State = state
		if err := s.PutSession(v); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Session(v.ID); err != nil || !same(got, v) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if st, err := s.Stats(); err != nil || st.Sessions != 1 {
		t.Errorf("got %+v, %v", st, err)
	}
}

func TestWalkWhileWriting(t *testing.T) {
	for _, newestFirst := range []bool{false, true} {
		s := open(t, storePath(t), options())
		var ids []string
		for range 50 {
			r := result(noon)
			put(t, s, r, nil)
			ids = append(ids, r.ID)
		}
		seen := map[string]int{}
		for cursor := ""; ; {
			page, next, err := s.Results(cursor, 5, newestFirst)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				seen[r.ID]++
			}
			if cursor = next; next == "" || len(seen) > 100 {
				break
			}
			put(t, s, result(noon), nil)
			// The result under the cursor may go.
			if err := s.Delete(page[4].ID); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range ids {
			if seen[id] != 1 {
				t.Errorf("newest first %v: %s was seen %d times", newestFirst, id, seen[id])
			}
		}
	}
}

func TestFollow(t *testing.T) {
	s := open(t, storePath(t), options())
	const writers, each = 4, 25
	var group sync.WaitGroup
	rnd := rand.New(rand.NewPCG(3, 4))
	seeds := make([]uint64, writers)
	for i := range seeds {
		seeds[i] = rnd.Uint64()
	}
	for i := range writers {
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(seeds[i], 5))
			for range each {
				if err := someWork(s, rnd); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var got []uint64
	for len(got) < writers*each {
		news := s.Changed()
		after := uint64(len(got))
		events, err := s.Events(after, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			<-news
		}
		for _, e := range events {
			got = append(got, e.ID)
		}
	}
	group.Wait()
	for i, id := range got {
		if id != uint64(i+1) {
			t.Fatalf("event %d came as number %d", id, i+1)
		}
	}
}

// someWork writes exactly one event and reads around.
func someWork(s *Store, rnd *rand.Rand) error {
	var err error
	if rnd.IntN(3) == 0 {
		_, err = s.PutEvent(livenessd.Event{Type: livenessd.EventCameraLost})
	} else {
		_, err = s.PutResult(result(noon), make([]byte, rnd.IntN(4000)))
	}
	_, errStats := s.Stats()
	_, _, errResults := s.Results("", 3, true)
	_, errPrune := s.Prune(noon)
	return errors.Join(err, errStats, errResults, errPrune)
}

func TestCloseWakesFollowers(t *testing.T) {
	s := open(t, storePath(t), options())
	news := s.Changed()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-news
	if _, err := s.Events(0, 1); !errors.Is(err, livenessd.ErrNotReady) {
		t.Errorf("got %v", err)
	}
	if _, err := s.PutResult(result(noon), nil); !errors.Is(err, livenessd.ErrNotReady) {
		t.Errorf("got %v", err)
	}
}

func TestEventsAfterUnknown(t *testing.T) {
	s := open(t, storePath(t), options())
	put(t, s, result(noon), nil)
	for _, after := range []uint64{2, 1 << 40, math.MaxUint64} {
		var gone *GoneError
		if _, err := s.Events(after, 1); !errors.As(err, &gone) || gone.Oldest != 1 {
			t.Errorf("after %d: got %v", after, err)
		}
	}
	if events, err := s.Events(1, 1); err != nil || len(events) != 0 {
		t.Errorf("got %v, %v", events, err)
	}
}

// TestModel compares the store with a slice under random operations.
func TestModel(t *testing.T) {
	rnd := random(t)
	o := options()
	o.MaxResults, o.MaxEvents = 60, 80
	path := storePath(t)
	s := open(t, path, o)
	type entry struct {
		r       livenessd.Result
		picture []byte
	}
	var model []entry
	seq, events := uint64(0), uint64(0)
	for range 1200 {
		switch n := rnd.IntN(100); {
		case n < 60:
			e := entry{r: *result(noon)}
			if rnd.IntN(3) == 0 {
				e.picture = filler(rnd, 1+rnd.IntN(20000))
			}
			ev := put(t, s, &e.r, e.picture)
			seq, events = seq+1, events+1
			if e.r.Seq != seq || ev.ID != events {
				t.Fatalf("result %d and event %d after %d and %d", e.r.Seq, ev.ID, seq-1, events-1)
			}
			model = append(model, e)
		case n < 70 && len(model) > 0:
			i := rnd.IntN(len(model))
			if err := s.Delete(model[i].r.ID); err != nil {
				t.Fatal(err)
			}
			model = slices.Delete(model, i, i+1)
		case n < 73:
			if _, err := s.Prune(noon); err != nil {
				t.Fatal(err)
			}
			model = slices.Clone(model[max(0, len(model)-o.MaxResults):])
		case n < 75:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, path, o)
		case len(model) > 0:
			e := model[rnd.IntN(len(model))]
			got, err := s.Result(e.r.ID)
			picture, errP := s.Picture(e.r.ID)
			if err != nil || !same(got, e.r) || !bytes.Equal(picture, e.picture) || (errP == nil) != (e.picture != nil) {
				t.Fatalf("result %s: %v, %v", e.r.ID, err, errP)
			}
		}
	}
	for _, newestFirst := range []bool{false, true} {
		got := all(t, s, newestFirst)
		if newestFirst {
			slices.Reverse(got)
		}
		if !slices.EqualFunc(got, model, func(r livenessd.Result, e entry) bool { return same(r, e.r) }) {
			t.Errorf("%d results, %d in the model", len(got), len(model))
		}
	}
	if st, err := s.Stats(); err != nil || st.Results != len(model) || st.LastSeq != seq || st.LastEvent != events {
		t.Errorf("got %+v, %v", st, err)
	}
}
