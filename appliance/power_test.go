package appliance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// announced is what the daemon has told somebody, and must never forget.
type announced struct {
	results map[string]bool   // by id
	waiting map[string]bool   // results of which it said that they are on no disk yet: a power cut may take them
	events  map[uint64]string // by id, as they came
	jobs    map[string]bool   // by id
}

func nothing() *announced {
	return &announced{results: map[string]bool{}, waiting: map[string]bool{}, events: map[uint64]string{}, jobs: map[string]bool{}}
}

// write lets sessions begin and end until ctx does, and notes each result that
// the daemon has announced.
func (l *lab) write(ctx context.Context, known *announced) (made int) {
	for ctx.Err() == nil {
		if l.once(known) {
			made++
		}
	}
	return made
}

// once lets one session begin and end, as soon as the screen has shown the last
// one's result, and reports whether its own was announced.
func (l *lab) once(known *announced) bool {
	status, body := http.StatusConflict, ""
	for begin := time.Now(); status == http.StatusConflict && time.Since(begin) < patience; {
		status, body = l.ask(http.MethodPost, "/v1/sessions", `{"reference":"cut"}`)
		time.Sleep(50 * time.Millisecond)
	}
	var s struct {
		ID, Result string
		Unrecorded bool
	}
	if status != http.StatusCreated || json.Unmarshal([]byte(body), &s) != nil {
		return false // not ready yet, or gone already
	}
	if status, _ := l.ask(http.MethodDelete, "/v1/sessions/"+s.ID, ""); status != http.StatusNoContent {
		return false
	}
	status, body = l.ask(http.MethodGet, "/v1/sessions/"+s.ID, "")
	if status != http.StatusOK || json.Unmarshal([]byte(body), &s) != nil || s.Result == "" {
		return false
	}
	if s.Unrecorded {
		known.waiting[s.Result] = true
		return false
	}
	known.results[s.Result] = true
	return true
}

// call asks in the words of GLAIR for nothing in particular, and notes the id
// under which the answer says that the call is in the book.
func (l *lab) call(known *announced, user, secret, key string) {
	req, err := http.NewRequest(http.MethodPost, l.Page+"/face/v1/passive-liveness", strings.NewReader("--x--\r\n"))
	if err != nil {
		l.Error(err)
		return
	}
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	req.Header.Set("x-api-key", key)
	req.SetBasicAuth(user, secret)
	resp, err := client.Do(req)
	if err != nil {
		return // the power is gone
	}
	resp.Body.Close()
	if id := resp.Header.Get("Request-Id"); id != "" && resp.StatusCode == http.StatusBadRequest {
		known.jobs[id] = true
	}
}

// Ensure that after the power was cut while results were written everything
// that was announced is there, with nobody's help.
func TestPowerCut(t *testing.T) {
	need(t)
	const few = 3
	cuts := count(t, "APPLIANCE_CUTS", few)
	disk := filepath.Join(suite.dir, "cuts.qcow2")
	if err := Overlay(disk, installed(t), "qcow2"); err != nil {
		t.Fatal(err)
	}
	known := nothing()
	var caller struct {
		User, Secret string
		APIKey       string `json:"api_key"`
	}
	for n := 0; ; n++ {
		l := boot(t, disk, Options{})
		l.plug(first)
		if n == 0 {
			l.configure(testCamera, "SESSION_START=request", "SESSION_SHOW_RESULT=100ms", "API_RECORD_FIRST=true")
			if err := json.Unmarshal([]byte(l.sh("livenessd key add -for glair -json cut")), &caller); err != nil {
				t.Fatal(err)
			}
		}
		l.settled()
		l.check(known)
		if enough(t, n, cuts, few, 20*time.Minute) {
			cuts = n
			l.off()
			break
		}
		// The first call of each kind takes longest: the secret is checked.
		jobs := len(known.jobs)
		l.until("a call is answered", func() (bool, string) {
			l.call(known, caller.User, caller.Secret, caller.APIKey)
			return len(known.jobs) > jobs, "none was"
		})
		l.until("a session ends", func() (bool, string) { return l.once(known), "none did" })
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Duration(2000+rand.IntN(5000))*time.Millisecond, func() {
			l.Cut()
			cancel()
		})
		var following sync.WaitGroup
		following.Go(func() {
			for ctx.Err() == nil {
				l.call(known, caller.User, caller.Secret, caller.APIKey)
				time.Sleep(200 * time.Millisecond) // sessions shall have their turn
			}
		})
		following.Go(func() { l.follow(ctx, 0, 0, func(id uint64, data string) { known.events[id] = data }) })
		made := l.write(ctx, known)
		cancel()
		following.Wait()
		t.Logf("cut %d: %d more results written until then; announced in all: %d results, %d events, %d jobs", n+1, made, len(known.results), len(known.events), len(known.jobs))
	}
	if len(known.results) < cuts || len(known.jobs) < 2*cuts {
		t.Errorf("only %d results and %d jobs were announced in %d cuts: the check shows little", len(known.results), len(known.jobs), cuts)
	}
}

// follow reads the daemon's events after the one given, until ctx ends or, if
// quiet is not 0, until none came for so long.
func (l *lab) follow(ctx context.Context, after uint64, quiet time.Duration, take func(id uint64, data string)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprint(l.Page, "/v1/events?after=", after), nil)
	if err != nil {
		l.Error(err)
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if quiet != 0 {
			l.Errorf("the events cannot be followed: %v", err)
		}
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && quiet != 0 {
		l.Errorf("the events cannot be followed: %s", resp.Status)
	}
	var timer *time.Timer
	if quiet != 0 { // from the first answer on: a daemon that has just started has other things to do
		timer = time.AfterFunc(quiet, cancel)
	}
	var id uint64
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			if id, err = strconv.ParseUint(text, 10, 64); err != nil {
				l.Error(err)
			}
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			take(id, data)
			if timer != nil {
				timer.Reset(quiet)
			}
		}
	}
}

// check compares what is there with what was announced.
func (l *lab) check(known *announced) {
	l.Helper()
	for id := range known.results {
		if status, body := l.ask(http.MethodGet, "/v1/results/"+id, ""); status != http.StatusOK {
			l.Errorf("result %s was announced and is gone: %d %s", id, status, body)
		}
	}
	there := map[uint64]string{}
	l.follow(context.Background(), 0, 5*time.Second, func(id uint64, data string) {
		if id != uint64(len(there))+1 {
			l.Errorf("event %d follows %d", id, len(there))
		}
		there[id] = data
		if strings.Contains(data, "store.replaced") {
			l.Errorf("the store was damaged: %s", data)
		}
	})
	for id, data := range known.events {
		if there[id] != data {
			l.Errorf("event %d was announced as %s, and is %q", id, data, there[id])
		}
	}
	if len(known.jobs) > 0 {
		book := l.sh("livenessd jobs -json -limit 1000000")
		for id := range known.jobs {
			if !strings.Contains(book, id) {
				l.Errorf("job %s was announced and is gone", id)
			}
		}
	}
	l.Logf("%d results, %d events and %d jobs that were announced are there", len(known.results), len(known.events), len(known.jobs))
}

// Ensure that a store which somebody has damaged is set aside at the start,
// and the terminal works on.
func TestDamagedStore(t *testing.T) {
	l := sharedGuest(t)
	l.sh("systemctl stop livenessd; dd if=/dev/urandom of=/var/lib/livenessd/livenessd.db bs=4096 count=3 conv=notrunc status=none; systemctl start livenessd")
	l.settled()
	if got := l.sh("ls /var/lib/livenessd"); strings.Count(got, "livenessd.db") < 2 {
		t.Errorf("the damaged file is not there: %s", got)
	}
	// A new journal has gone on behind what the old one may have held, and says
	// from where to whoever comes with a number of the old one.
	var gone struct{ Error struct{ Oldest uint64 } }
	if status, body := l.ask(http.MethodGet, "/v1/events?after=0", ""); status != http.StatusGone || json.Unmarshal([]byte(body), &gone) != nil || gone.Error.Oldest == 0 {
		t.Fatalf("asked for the old journal's events it answers %d %s", status, body)
	}
	told := false
	l.follow(context.Background(), gone.Error.Oldest-1, 5*time.Second, func(_ uint64, data string) { told = told || strings.Contains(data, "store.replaced") })
	if !told {
		t.Error("no event tells of it")
	}
}

// Ensure that a kernel which panics is reset by the hardware's watchdog.
func TestHardwareWatchdog(t *testing.T) {
	need(t)
	l := boot(t, installed(t), Options{Append: "panic=0"})
	l.sh("mkdir -p /etc/systemd/system.conf.d && sed 's/20$/10/' /usr/share/doc/livenessd/examples/hardware-watchdog.conf >/etc/systemd/system.conf.d/watchdog.conf && systemctl daemon-reexec; sync")
	begin := time.Now()
	go l.try("echo c >/proc/sysrq-trigger") // no answer comes
	select {
	case <-l.Ended():
		t.Logf("the watchdog reset the machine %.1f s after the panic", time.Since(begin).Seconds())
	case <-time.After(patience):
		t.Errorf("nothing reset the machine for %v", patience)
	}
}
