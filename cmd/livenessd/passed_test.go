package main

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Ensure that a socket which systemd opened is the one of the API for other
// machines, over TLS, whatever lan.listen says, and that more are refused.
func TestPassedSocket(t *testing.T) {
	for _, sockets := range []string{"1", "2"} {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		// The shell knows its own number, which is the program's too.
		cmd := exec.Command("sh", "-c", `export LISTEN_PID=$$; exec "$0" "$@"`, binary(t), "run", "-camera", "sim:nobody", "-listen", "127.0.0.1:0",
			"-store", filepath.Join(t.TempDir(), "l.db"), "-set", "models.dirs="+t.TempDir(), "-set", "lan.listen=127.0.0.1:1")
		cmd.Env = append(os.Environ(), "LISTEN_FDS="+sockets)
		cmd.ExtraFiles = []*os.File{f, f}
		var errs syncBuffer
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		f.Close()
		l.Close() // the daemon has a copy
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.Contains(lines.Text(), "https://"+l.Addr().String()+"/") {
		}
		if sockets == "2" {
			if err := cmd.Wait(); err == nil || !strings.Contains(errs.String(), "one ListenStream") {
				t.Errorf("two sockets: %v, %s", err, errs.String())
			}
			continue
		}
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		resp, err := client.Get("https://" + l.Addr().String() + "/healthz")
		if err != nil {
			t.Errorf("%v\n%s", err, errs.String())
		} else {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, errs.String())
		}
	}
}
