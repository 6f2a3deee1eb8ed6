package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// request and response travel as lines of JSON. machine.go beside this folder
// has the other end.
type request struct {
	ID   int64  `json:"id"`
	Run  string `json:"run,omitempty"`  // for sh
	Put  string `json:"put,omitempty"`  // path of a file to write
	Data []byte `json:"data,omitempty"` // its contents, or Run's standard input
}

type response struct {
	ID   int64  `json:"id"`
	Code int    `json:"code"`
	Out  string `json:"out"`
}

// agent serves requests on a virtio port until the machine stops, and lets the
// host reach the page, which listens on the loopback address alone.
func agent(args []string) error {
	if len(args) != 1 {
		return errors.New("agent: name the port")
	}
	port, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer port.Close()
	l, err := net.Listen("tcp", ":18080")
	if err != nil {
		return err
	}
	go forward(l, "127.0.0.1:8080")
	lines := bufio.NewReaderSize(port, 1<<20)
	var mu sync.Mutex // of writing
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF { // nobody is on the other side; a port that is closed would lose what comes next
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if err != nil {
			return err
		}
		var r request
		if json.Unmarshal(line, &r) != nil || r.ID == 0 {
			continue
		}
		go func() {
			b, err := json.Marshal(answer(r))
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			port.Write(append(b, '\n')) // whoever has gone does not wait for it
		}()
	}
}

func answer(r request) response {
	a := response{ID: r.ID}
	if r.Put != "" {
		if err := errors.Join(os.MkdirAll(filepath.Dir(r.Put), 0o755), os.WriteFile(r.Put, r.Data, 0o644)); err != nil {
			a.Code, a.Out = 1, err.Error()
		}
		return a
	}
	out, err := exec.Command("sh", "-c", r.Run).CombinedOutput()
	a.Out = string(out)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		a.Code = exit.ExitCode()
	} else if err != nil {
		a.Code, a.Out = 255, fmt.Sprint(a.Out, err)
	}
	return a
}

// forward joins each connection with one to address.
func forward(l net.Listener, address string) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			to, err := net.Dial("tcp", address)
			if err != nil {
				return
			}
			defer to.Close()
			go func() {
				io.Copy(to, from)
				to.(*net.TCPConn).CloseWrite()
			}()
			io.Copy(from, to) // either side's end is the end
		}()
	}
}
