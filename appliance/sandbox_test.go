package appliance

import (
	"context"
	"crypto/tls"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Ensure that the daemon's unit refuses what the daemon does not need, and
// only that. The same attempts outside of it show that they are worth something.
func TestSandbox(t *testing.T) {
	l := sharedGuest(t)
	const probeUnit = "[Service]\nExecStartPre=/bin/sh -c '/usr/local/bin/guest probe >/var/lib/livenessd/probe'\n"
	if err := l.Put(context.Background(), "/etc/systemd/system/livenessd.service.d/probe.conf", []byte(probeUnit)); err != nil {
		t.Fatal(err)
	}
	l.sh("systemctl daemon-reload && systemctl restart livenessd; rm /etc/systemd/system/livenessd.service.d/probe.conf; systemctl daemon-reload")
	inside, outside := outcomes(l.sh("cat /var/lib/livenessd/probe; rm /var/lib/livenessd/probe")), outcomes(l.sh("/usr/local/bin/guest probe; rm -f /etc/livenessd/probe /usr/probe /run/probe"))
	if len(inside) < 15 || len(inside) != len(outside) {
		t.Fatalf("%d attempts inside, %d outside", len(inside), len(outside))
	}
	allowed := map[string]bool{"open a camera": true, "reach this machine": true, "reset a camera": true}
	for what, got := range inside {
		t.Logf("%s: %s", what, got)
		if (got == "done") != allowed[what] {
			t.Errorf("inside the unit, to %s: %s", what, got)
		}
		// Inside a guest without a way out, these two need not work outside either.
		if outside[what] != "done" && !strings.HasPrefix(what, "reach another machine") {
			t.Errorf("outside of the unit, to %s: %s: the attempt shows nothing", what, outside[what])
		}
	}
	l.settled()
}

func outcomes(out string) map[string]string {
	m := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^([^:]+): (.*)$`).FindAllStringSubmatch(out, -1) {
		m[line[1]] = line[2]
	}
	return m
}

// Ensure that other machines are let in by the socket alone, and that the
// daemon still reaches none by itself.
func TestLANSocket(t *testing.T) {
	l := sharedGuest(t)
	l.sh("systemctl enable -q livenessd.socket && systemctl stop livenessd && systemctl start livenessd.socket livenessd")
	lan := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	l.until("the API answers another machine", func() (bool, string) {
		resp, err := lan.Get("https://" + l.LAN + "/v1/results")
		if err != nil {
			return false, err.Error()
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusForbidden, resp.Status // who shows no token is told so
	})
	l.sh("systemctl disable -q --now livenessd.socket; systemctl restart livenessd")
	if resp, err := lan.Get("https://" + l.LAN + "/v1/results"); err == nil {
		resp.Body.Close()
		t.Error("with the socket disabled the API still answers other machines")
	}
	l.settled()
}

// Ensure that a stop is clean.
func TestStop(t *testing.T) {
	l := sharedGuest(t)
	took := l.sh("a=$(date +%%s%%N); systemctl stop livenessd; b=$(date +%%s%%N); echo $(( (b-a)/1000000 ))")
	t.Logf("stopped in %s ms", took)
	if got := l.sh("systemctl show -P Result -P ExecMainStatus livenessd"); got != "success\n0" {
		t.Errorf("the stop ended as %q", got)
	}
	l.sh("systemctl start livenessd")
	l.settled()
}

// Ensure that a daemon that hangs is started anew by systemd's watchdog.
func TestWatchdog(t *testing.T) {
	l := sharedGuest(t)
	before := l.restarts()
	l.sh("kill -STOP $(systemctl show -P MainPID livenessd)")
	took := l.until("it is restarted", func() (bool, string) { return l.restarts() > before, "no restart" })
	t.Logf("restarted %.1f s after it hung", took.Seconds())
	if got := l.sh("journalctl -b -o cat -u livenessd | grep -c 'Watchdog timeout'"); got == "0" {
		t.Error("the watchdog was not the reason")
	}
	l.settled()
}
