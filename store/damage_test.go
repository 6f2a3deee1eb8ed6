package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"livenessd"
)

// sample is a store with some of everything, several pages deep, and its bytes.
type sample struct {
	data    []byte
	ids     []byte // of the side file
	results map[string]livenessd.Result
	jobs    map[string]livenessd.Job
	last    uint64
}

func makeSample(t testing.TB, results int) sample {
	t.Helper()
	path := storePath(t)
	s, _, err := Open(path, options())
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	// The last commit stores something: where its header page is lost, the
	// commit before it counts, and an erasure would be undone.
	results -= results%7 - 5
	a := sample{results: map[string]livenessd.Result{}, jobs: map[string]livenessd.Job{}}
	if err := s.AddCredential(credential("gate")); err != nil {
		t.Fatal(err)
	}
	for i := range results {
		var picture []byte
		if i%9 == 0 {
			picture = filler(rnd, 2000+rnd.IntN(9000))
		}
		r := result(noon)
		put(t, s, r, picture)
		a.results[r.ID] = *r
		if i%5 == 0 {
			if err := s.PutSession(livenessd.Session{ID: r.Session, Created: noon, Result: r.ID}); err != nil {
				t.Fatal(err)
			}
		}
		if i%3 == 0 {
			j := job(noon)
			if err := s.PutJobs(j); err != nil {
				t.Fatal(err)
			}
			a.jobs[j.ID] = j
		}
		if i%7 == 3 {
			if err := s.Delete(r.ID); err != nil {
				t.Fatal(err)
			}
			delete(a.results, r.ID)
		}
	}
	a.last = s.LastEvent()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, path)
	for name, to := range map[string]*[]byte{path: &a.data, path + ".ids": &a.ids} {
		if *to, err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// openDamaged opens data as a store. Either everything is there as before, or
// the damage is told, the file is set aside unchanged, and what was carried
// over is right. It returns nil in the first case.
func (a sample) openDamaged(t *testing.T, what string, data []byte) *Replaced {
	t.Helper()
	path := storePath(t)
	mustWrite(t, path, data)
	mustWrite(t, path+".ids", a.ids)
	s, replaced, err := Open(path, options())
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer s.Close()
	got := all(t, s, false)
	for _, r := range got {
		if want, ok := a.results[r.ID]; !ok || r.Seq != want.Seq || r.Outcome != want.Outcome || !r.At.Equal(want.At) {
			t.Fatalf("%s: the result %s is not as it was stored", what, r.ID)
		}
	}
	jobs, _, err := s.Jobs("", MaxPage, false)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for _, j := range jobs {
		want := a.jobs[j.ID]
		if want.Seq = j.Seq; !same(j, want) {
			t.Fatalf("%s: the job %s is not as it was stored", what, j.ID)
		}
	}
	creds, err := s.Credentials()
	if err != nil || len(creds) > 1 || (len(creds) == 1 && !same(creds[0], credential("gate"))) {
		t.Fatalf("%s: credentials %+v, %v", what, creds, err)
	}
	if replaced == nil {
		if len(jobs) != len(a.jobs) || len(creds) != 1 {
			t.Fatalf("%s: %d of %d jobs, %d credentials, and nothing was said", what, len(jobs), len(a.jobs), len(creds))
		}
		if len(got) != len(a.results) || s.LastEvent() != a.last {
			t.Fatalf("%s: %d of %d results, last event %d of %d, and nothing was said", what, len(got), len(a.results), s.LastEvent(), a.last)
		}
		return nil
	}
	if len(got) != replaced.Results || len(jobs) != replaced.Jobs || len(creds) != replaced.Credentials {
		t.Fatalf("%s: %d results, %d jobs, %d credentials, said to be carried over: %+v", what, len(got), len(jobs), len(creds), replaced)
	}
	aside, err := os.ReadFile(replaced.Path)
	if err != nil || !bytes.Equal(aside, data) {
		t.Fatalf("%s: the file set aside is not the damaged one (%v)", what, err)
	}
	r := result(noon)
	if e := put(t, s, r, nil); e.ID <= a.last || r.Seq <= a.last {
		t.Fatalf("%s: event %d and result %d repeat numbers up to %d", what, e.ID, r.Seq, a.last)
	}
	events, err := s.Events(s.LastEvent()-2, 10)
	if err != nil || len(events) != 2 || events[0].Type != livenessd.EventStoreReplaced || !strings.Contains(events[0].Detail, replaced.Path) {
		t.Fatalf("%s: the journal says %+v, %v", what, events, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, path)
	return replaced
}

func TestDamageWhole(t *testing.T) {
	a := makeSample(t, 120)
	n := len(a.data)
	for name, tc := range map[string]struct {
		data []byte
		all  bool // everything can be carried over
	}{
		"empty":           {nil, false},
		"text":            {[]byte(strings.Repeat("listen = \"127.0.0.1:8080\"\n", 900)), false},
		"short text":      {[]byte("hello\n"), false},
		"zeros":           {make([]byte, n), false},
		"both headers":    {append(make([]byte, 8192), a.data[8192:]...), false},
		"first header":    {append(make([]byte, 4096), a.data[4096:]...), false},
		"header 100":      {a.data[:100], false},
		"one page":        {a.data[:4096], false},
		"two pages":       {a.data[:8192], false},
		"half":            {a.data[:n/2], false},
		"not a whole one": {a.data[:n/2+100], false},
	} {
		t.Run(name, func(t *testing.T) {
			r := a.openDamaged(t, name, tc.data)
			if r == nil {
				t.Fatal("the damage was not seen")
			}
			t.Logf("%+v", *r)
		})
	}
}

// TestDamageHeader shows that a header page that is lost costs nothing else.
func TestDamageHeader(t *testing.T) {
	a := makeSample(t, 60)
	for page := range 2 {
		data := bytes.Clone(a.data)
		data[page*4096+40] ^= 0x10
		r := a.openDamaged(t, "header", data)
		if r == nil {
			t.Fatalf("the damaged header %d was not seen", page)
		}
		if len(a.results)-r.Results > 1 {
			t.Errorf("header %d: %d of %d results carried over", page, r.Results, len(a.results))
		}
	}
}

func TestDamageScattered(t *testing.T) {
	a := makeSample(t, 120)
	rnd := random(t)
	rounds := 100
	if testing.Short() {
		rounds = 15
	}
	seen, carried := 0, 0
	for range rounds {
		data := bytes.Clone(a.data)
		what := spoil(rnd, data)
		if r := a.openDamaged(t, what, data); r != nil {
			seen++
			carried += r.Results
		}
	}
	t.Logf("%d of %d damages mattered; %.0f of %d results carried over on average", seen, rounds, float64(carried)/float64(max(seen, 1)), len(a.results))
	if seen == 0 {
		t.Error("no damage was seen")
	}
}

// spoil changes data at one to three places.
func spoil(rnd *rand.Rand, data []byte) string {
	const page = 4096
	pages := len(data) / page
	what := ""
	for range 1 + rnd.IntN(3) {
		at := rnd.IntN(pages) * page
		switch rnd.IntN(5) {
		case 0:
			clear(data[at : at+page])
			what += " zero page"
		case 1:
			from := rnd.IntN(pages) * page
			copy(data[at:at+page], data[from:from+page])
			what += " misplaced page"
		case 2: // where a page describes itself
			data[at+rnd.IntN(64)] ^= 1 << rnd.IntN(8)
			what += " bit in a page header"
		default:
			data[at+rnd.IntN(page)] ^= 1 << rnd.IntN(8)
			what += " bit"
		}
	}
	return what
}

// FuzzInspect shows that our reader never panics and that bbolt finds nothing
// wrong with a file that it passes.
func FuzzInspect(f *testing.F) {
	a := makeSample(f, 12)
	f.Add(uint32(0), []byte{}, false)
	f.Add(uint32(4096+16+32), []byte{9}, true)
	f.Add(uint32(8192+8), []byte{1, 0, 255, 255}, false)
	f.Add(uint32(3*4096), []byte{3, 0, 0, 0, 0, 0, 0, 0, 1}, true)
	f.Add(uint32(0), []byte{48}, false) // a header page that calls itself another
	path := storePath(f)
	f.Fuzz(func(t *testing.T, at uint32, with []byte, mend bool) {
		data := bytes.Clone(a.data)
		copy(data[int(at)%len(data):], with)
		if mend {
			mendHeaders(data)
		}
		if _, err := inspect(bytes.NewReader(data), int64(len(data))); err != nil {
			lenientWalk(t, data)
			return
		}
		mustWrite(t, path, data)
		boltCheck(t, path)
	})
}

func lenientWalk(t *testing.T, data []byte) {
	p, _ := openPages(bytes.NewReader(data), int64(len(data)))
	if p == nil {
		return
	}
	p.lenient = true
	p.restart()
	if err := p.walk(p.root, nil, nil, 0, func(depth int, isBucket bool, key, value []byte) error {
		if !isBucket {
			return nil
		}
		return p.bucket(string(key), depth, value, func(int, bool, []byte, []byte) error { return nil })
	}); err != nil {
		t.Fatalf("a lenient walk ended: %v", err)
	}
}

// mendHeaders makes the checksums of both header pages right again.
func mendHeaders(data []byte) {
	for at := 16; at < 8192; at += 4096 {
		sum := fnv.New64a()
		sum.Write(data[at : at+56])
		binary.NativeEndian.PutUint64(data[at+56:], sum.Sum64())
	}
}

func TestDirectoryInPlace(t *testing.T) {
	path := storePath(t)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	_, _, err := Open(path, options())
	if !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v", err)
	}
}

// TestNoRoomToReplace shows that a damaged file stays where it is until a fresh
// one could be made whole.
func TestNoRoomToReplace(t *testing.T) {
	path := storePath(t)
	mustWrite(t, path, []byte("damaged"))
	if err := os.MkdirAll(path+".new/in-the-way", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, replaced, err := Open(path, options()); err == nil || replaced != nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v, %v", replaced, err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "damaged" {
		t.Fatalf("got %q, %v", data, err)
	}
	if err := os.RemoveAll(path + ".new"); err != nil {
		t.Fatal(err)
	}
	s, replaced, err := Open(path, options())
	if err != nil || replaced == nil {
		t.Fatalf("got %v, %v", replaced, err)
	}
	closeAndCheck(t, s)
}

func TestNewerSchema(t *testing.T) {
	path := storePath(t)
	s := open(t, path, options())
	put(t, s, result(noon), nil)
	if err := s.update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucket([]byte("something new")); err != nil {
			return err
		}
		return putData(tx, bucketMeta, keySchema, []byte("3"))
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, replaced, err := Open(path, options())
	if !errors.Is(err, livenessd.ErrInvalid) || replaced != nil || !strings.Contains(err.Error(), "schema 3") {
		t.Fatalf("got %v, %v", replaced, err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Fatalf("the file was changed (%v)", err)
	}
	if err := os.Remove(path); err != nil { // the cleanup wants a store of our schema
		t.Fatal(err)
	}
	if s, _, err := Open(path, options()); err != nil || s.Close() != nil {
		t.Fatal(err)
	}
}

// TestCutWhileOpen cuts the file short under an open store, as a failing disk
// does: reading the mapped file then faults.
func TestCutWhileOpen(t *testing.T) {
	path := storePath(t)
	s, _, err := Open(path, options())
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		put(t, s, result(noon), make([]byte, 5000))
	}
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := s.Results("", 1000, false); !errors.Is(err, livenessd.ErrNotReady) {
			t.Fatalf("got %v", err)
		}
	}
	if _, err := s.PutResult(result(noon), nil); !errors.Is(err, livenessd.ErrNotReady) {
		t.Fatalf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestNumbersWithoutSideFile loses both the store and the file beside it.
func TestNumbersWithoutSideFile(t *testing.T) {
	path := storePath(t)
	mustWrite(t, path, []byte("nothing"))
	s, replaced, err := Open(path, options())
	if err != nil || replaced == nil {
		t.Fatalf("%v, %v", replaced, err)
	}
	closeAndCheck(t, s)
	if s.LastEvent() <= uint64(noon.UnixMilli()) {
		t.Errorf("the journal goes on at %d", s.LastEvent())
	}
	var gone *GoneError
	if _, err := s.Events(0, 10); !errors.As(err, &gone) || !errors.Is(err, livenessd.ErrGone) || gone.Oldest != s.LastEvent() {
		t.Errorf("got %v", err)
	}
}

func TestRemovedByHand(t *testing.T) {
	path := storePath(t)
	s, _, err := Open(path, options())
	if err != nil {
		t.Fatal(err)
	}
	e := put(t, s, result(noon), nil)
	if err := errors.Join(s.Close(), os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	if next := put(t, open(t, path, options()), result(noon), nil); next.ID <= e.ID {
		t.Errorf("event %d comes after %d", next.ID, e.ID)
	}
}
