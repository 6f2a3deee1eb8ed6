package appliance

import (
	"net/http"
	"strings"
	"testing"
)

// Ensure that installing one file leaves a daemon that runs, a page that
// answers, and units without a fault.
func TestInstall(t *testing.T) {
	need(t)
	installed(t)
	for _, fault := range suite.faults {
		t.Error(fault)
	}
}

// look examines a system into which the package has just been installed.
func (l *lab) look(complain func(format string, args ...any)) {
	l.Helper()
	if got := l.sh("systemctl is-enabled livenessd; systemctl is-active livenessd"); got != "enabled\nactive" {
		complain("the unit is %q", got)
	}
	if status, body := l.ask(http.MethodGet, "/", ""); status != http.StatusOK || !strings.Contains(body, "<html") {
		complain("the page: %d %s", status, body)
	}
	if status, body := l.ask(http.MethodGet, "/healthz", ""); status != http.StatusOK {
		complain("/healthz: %d %s", status, body)
	}
	if codes, answered := l.reasons(); !answered || len(codes) == 0 {
		complain("it is ready without a camera")
	}
	l.until("systemctl status says what is missing", func() (bool, string) {
		got := l.sh("systemctl show -P StatusText livenessd")
		return strings.Contains(got, "camera"), got
	})
	if got, err := l.try("systemd-analyze verify --man=no livenessd.service livenessd.socket livenessd-kiosk.service"); err != nil || strings.TrimSpace(got) != "" {
		complain("systemd-analyze verify: %s %v", got, err)
	}
	if got := l.sh("journalctl -u livenessd LIVENESSD_PAGE=http://127.0.0.1:8080/ -o cat | tail -1"); !strings.Contains(got, "ready") {
		complain("the journal's fields do not find the start: %q", got)
	}
	got, err := l.try("systemd-analyze security --no-pager --threshold=15 livenessd.service | tail -1")
	l.Log(strings.TrimSpace(got))
	if err != nil {
		complain("exposure: %v", err)
	}
}

// Ensure that an upgrade over a running daemon goes by itself, and that
// removing and purging do.
func TestUpgradeAndRemoval(t *testing.T) {
	l := sharedGuest(t)
	before := l.sh("systemctl show -P MainPID livenessd")
	l.sh("livenessd key add -for bws3 lobby")
	l.install()
	if after := l.sh("systemctl show -P MainPID livenessd"); after == before || after == "0" {
		t.Errorf("the upgrade left process %s, then %s", before, after)
	}
	l.settled()
	if got := l.sh("livenessd key list"); !strings.Contains(got, "lobby") {
		t.Errorf("the credential is gone: %s", got)
	}
	l.sh("livenessd key remove lobby")
}
