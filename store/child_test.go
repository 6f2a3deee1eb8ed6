package store

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"livenessd"
)

const (
	childRole = "LIVENESSD_STORE_CHILD"
	childPath = "LIVENESSD_STORE_PATH"
)

// runChild is the main function of a child process.
func runChild(role string) int {
	o := Options{KeepPictures: true, Timeout: time.Second}
	var err error
	switch role {
	case "writer":
		err = childWriter(os.Getenv(childPath), o)
	case "small-disk":
		err = childSmallDisk(os.Getenv(childPath), o)
	case "read-only":
		err = childReadOnly(os.Getenv(childPath), o)
	default:
		err = fmt.Errorf("unknown role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

func child(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childRole+"="+role, childPath+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// digest stands for a result in the child's announcements.
func digest(r livenessd.Result) string {
	data, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// childWriter stores results until it is killed and announces each once
// PutResult returned.
func childWriter(path string, o Options) error {
	s, replaced, err := Open(path, o)
	if err != nil {
		return err
	}
	if replaced != nil {
		return fmt.Errorf("the file was found damaged: %s", replaced.Reason)
	}
	fmt.Println("open")
	for i := 0; ; i++ {
		r := result(time.Now())
		r.Reference = strings.Repeat("x", i%300)
		if _, err := s.PutResult(r, []byte(r.ID)); err != nil {
			return err
		}
		fmt.Println(r.ID, digest(*r))
		if i%8 == 7 {
			if err := s.PutSession(livenessd.Session{ID: r.Session, Created: r.At}); err != nil {
				return err
			}
		}
	}
}

// TestKill kills a writing process 200 times, 25 times a file. The kernel's
// cache survives a kill, so this shows that commits are whole, not that the
// disk kept them.
func TestKill(t *testing.T) {
	rnd := random(t)
	files, kills := 8, 25
	if testing.Short() {
		files = 1
	}
	total := 0
	for range files {
		path := storePath(t)
		announced := map[string]string{}
		for i := range kills {
			wait := time.Duration(rnd.IntN(20_000)) * time.Microsecond
			fresh := killOne(t, path, wait, i%8 == 0)
			maps.Copy(announced, fresh)
			if _, err := os.Stat(path); os.IsNotExist(err) && len(announced) == 0 {
				continue // killed before the file was made
			}
			if i == kills-1 {
				fresh = announced
			}
			verifyAnnounced(t, path, fresh, i == kills-1)
			if t.Failed() {
				t.Fatalf("after kill %d", i+1)
			}
		}
		check(t, path)
		total += len(announced)
	}
	t.Logf("%d kills, %d results announced", files*kills, total)
	if total == 0 {
		t.Fatal("no result was announced")
	}
}

// killOne runs a writer, kills it and returns what it announced. early kills it
// while it may still be opening the file.
func killOne(t *testing.T, path string, wait time.Duration, early bool) map[string]string {
	t.Helper()
	cmd := child(t, "writer", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !early && !lines.Scan() {
		t.Fatalf("the child said nothing: %v", cmd.Wait())
	}
	time.Sleep(wait)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	announced := map[string]string{}
	for lines.Scan() {
		if id, sum, ok := strings.Cut(lines.Text(), " "); ok && len(sum) == 64 {
			announced[id] = sum
		}
	}
	err = cmd.Wait()
	if state, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || state.Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return announced
}

// verifyAnnounced opens the file, which checks every page of it, and looks for
// the announced results. whole walks all results too.
func verifyAnnounced(t *testing.T, path string, announced map[string]string, whole bool) {
	t.Helper()
	s, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for id, want := range announced {
		if r, err := s.Result(id); err != nil || digest(r) != want {
			t.Errorf("result %s: %v", id, err)
		}
		if picture, err := s.Picture(id); err != nil || string(picture) != id {
			t.Errorf("picture of %s: %v", id, err)
		}
	}
	st, err := s.Stats()
	// A kill between the reservation of the first numbers and the making of the
	// file leaves the reserved ones out.
	first := st.LastSeq - uint64(st.Results)
	if err != nil || (first != 0 && first != idBlock) || st.LastEvent != st.LastSeq || uint64(st.Events) != uint64(st.Results) {
		t.Errorf("numbers and counts do not agree: %+v, %v", st, err)
	}
	if !whole {
		return
	}
	for i, r := range all(t, s, false) {
		if r.Seq != uint64(i+1) {
			t.Fatalf("result %d is in place %d", r.Seq, i+1)
		}
	}
}

// childSmallDisk fills the store against a limit of the file's size, as a full
// disk does, then lifts the limit and goes on.
func childSmallDisk(path string, o Options) error {
	signal.Ignore(syscall.SIGXFSZ) // so that the write fails instead
	s, _, err := Open(path, o)
	if err != nil {
		return err
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	stored := 0
	// The last limit lies within the file, so that the write itself fails and
	// not only its growing.
	for _, size := range []uint64{64 << 10, 200 << 10, 1 << 20, 3<<20 + 12345, 120 << 10} {
		limit := old
		limit.Cur = size
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
		n, err := fillUp(s)
		stored += n
		if err == nil {
			return fmt.Errorf("the store grew beyond %d bytes", size)
		}
		fmt.Println("refused:", err)
		if _, err := s.PutEvent(livenessd.Event{Type: livenessd.EventStarted}); err != nil {
			fmt.Println("an event too:", err)
		}
		if rs, _, err := s.Results("", 1, true); err != nil || (stored > 0 && len(rs) != 1) {
			return fmt.Errorf("reading on a full disk: %d results, %v", len(rs), err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			return err
		}
		if _, err := s.PutResult(result(time.Now()), nil); err != nil {
			return fmt.Errorf("writing after space was found: %w", err)
		}
		stored++
	}
	st, err := s.Stats()
	if err != nil || st.Results != stored || st.LastSeq != uint64(stored) {
		return fmt.Errorf("%d results are there, the last is %d; %d were stored (%v)", st.Results, st.LastSeq, stored, err)
	}
	fmt.Println("stored", stored)
	return s.Close()
}

func fillUp(s *Store) (stored int, err error) {
	for range 2000 {
		if _, err := s.PutResult(result(time.Now()), make([]byte, 9000)); err != nil {
			return stored, err
		}
		stored++
	}
	return stored, nil
}

func TestFullDisk(t *testing.T) {
	path := storePath(t)
	out, err := child(t, "small-disk", path).Output()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(out), "refused:"); n != 5 {
		t.Errorf("%d refusals instead of 5", n)
	}
	check(t, path)
}
