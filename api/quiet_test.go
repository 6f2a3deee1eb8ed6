package api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"livenessd"
)

// pipeListener hands out one end of in-memory connections, which have no
// buffer at all and work with synctest's clock.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l pipeListener) Close() error   { close(l.done); return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// overPipe serves d in the bubble and returns a connection on which events
// were asked for. end is the end of the server's context; stop also closes
// everything and waits for it.
func overPipe(t *testing.T, c Config, d Deps) (conn net.Conn, end, stop func()) {
	t.Helper()
	c.Authorize = func(*http.Request) error { return nil } // a pipe has no loopback address
	h, err := New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := pipeListener{make(chan net.Conn), make(chan struct{})}
	srv := &http.Server{Handler: h, BaseContext: func(net.Listener) context.Context { return ctx }}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := srv.Serve(l); err != http.ErrServerClosed {
			t.Errorf("serve: %v", err)
		}
	})
	client, server := net.Pipe()
	l.conns <- server
	if _, err := io.WriteString(client, "GET /v1/events?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return client, cancel, func() {
		cancel()
		client.Close()
		if err := srv.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		wg.Wait()
	}
}

// Ensure that silence is never longer than the heartbeat, to the tick, and
// that an event begins the count anew.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := workingDeps()
		j := newMemoryJournal()
		d.Journal = j
		conn, _, stop := overPipe(t, Config{Log: new(logged).logger()}, d)
		defer stop()
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newStream(r)
		s.mustNext(t)
		start := time.Now()
		for n := 1; n <= 3; n++ {
			if b := s.mustNext(t); b.comment != "still here" || time.Since(start) != time.Duration(n)*15*time.Second {
				t.Fatalf("heartbeat %d: %+v after %s", n, b, time.Since(start))
			}
		}
		time.Sleep(7 * time.Second)
		j.add(livenessd.Event{Type: livenessd.EventCameraLost, At: noon})
		if b := s.mustNext(t); b.id != "1" || time.Since(start) != 52*time.Second {
			t.Fatalf("event %+v after %s", b, time.Since(start))
		}
		if b := s.mustNext(t); b.comment == "" || time.Since(start) != 67*time.Second {
			t.Fatalf("heartbeat after an event: %+v after %s", b, time.Since(start))
		}
	})
}

// Ensure that a stream that ends long after its last write ends in due form,
// which a client can tell from a cut.
func TestQuietStreamEndsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, end, stop := overPipe(t, Config{Log: new(logged).logger()}, workingDeps())
		defer stop()
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newStream(r)
		for range 4 {
			s.mustNext(t)
		}
		time.Sleep(12 * time.Second) // more than the write timeout, less than a heartbeat
		end()
		if b, err := s.next(); err != io.EOF {
			t.Errorf("got %+v, %v; want a whole end", b, err)
		}
	})
}

// Ensure that a client that stops reading is cut off by the write deadline
// and leaves its place.
func TestSlowFollowerIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := workingDeps()
		log := new(logged)
		conn, _, stop := overPipe(t, Config{Log: log.logger(), MaxStreams: 1}, d)
		defer stop()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if strings.Contains(log.String(), "cut off") {
			t.Fatal("cut off before its time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !strings.Contains(log.String(), "event stream cut off") {
			t.Fatalf("not cut off; log:\n%s", log)
		}
		// The connection is closed; were it not, this would block for ever and
		// synctest would say so.
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("connection left open: %v", err)
		}
	})
}

// Ensure that a slow client on a real connection, with the kernel's buffers
// between, is cut off too.
func TestSlowFollowerOverTCP(t *testing.T) {
	d := workingDeps()
	j := newMemoryJournal()
	d.Journal = j
	log := new(logged)
	srv := serve(t, Config{Log: log.logger(), WriteTimeout: 50 * time.Millisecond}, d)
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 64<<10)
	for until := time.Now().Add(patience); !strings.Contains(log.String(), "event stream cut off"); {
		if time.Now().After(until) {
			t.Fatal("a client that does not read was not cut off")
		}
		j.add(livenessd.Event{Type: livenessd.EventCameraLost, At: noon, Detail: long})
		if j.LastEvent() > 256 {
			j.forget(j.LastEvent() - 200) // bounds the test's memory
		}
		time.Sleep(time.Millisecond)
	}
}

// Ensure that an event committed between looking and waiting is not slept
// through.
func TestFollowMissesNoCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := workingDeps()
		j := newMemoryJournal()
		added := false
		d.Journal = brokenJournal{j, func(es []livenessd.Event, err error) ([]livenessd.Event, error) {
			if !added {
				added = true
				j.add(livenessd.Event{Type: livenessd.EventLocked, At: noon})
			}
			return es, err
		}}
		conn, _, stop := overPipe(t, Config{Log: new(logged).logger(), Heartbeat: time.Hour}, d)
		defer stop()
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newStream(r)
		s.mustNext(t)
		start := time.Now()
		if b := s.mustNext(t); b.id != "1" || time.Since(start) != 0 {
			t.Errorf("got %+v after %s, want event 1 at once", b, time.Since(start))
		}
	})
}
