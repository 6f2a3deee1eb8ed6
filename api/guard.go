package api

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"livenessd"
)

// guard decides who may ask at all. A browser on this machine can reach the
// loopback address from any page it shows; the three checks before Authorize
// keep those pages out: a foreign name that resolves to us shows in Host, a
// foreign page shows in Origin or Sec-Fetch-Site, which pages cannot forge.
type guard struct {
	hosts     map[string]bool // besides loopback, as hostOf writes them
	authorize func(*http.Request) error
}

var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$`)

func newGuard(hosts []string, authorize func(*http.Request) error) (guard, error) {
	g := guard{hosts: make(map[string]bool), authorize: authorize}
	for _, h := range hosts {
		name := strings.ToLower(strings.TrimSuffix(h, "."))
		if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
			name = a.String()
		} else if !hostName.MatchString(name) {
			return guard{}, fmt.Errorf("hosts: %q is not a host name or an IP address; give it without scheme, port or wildcard: %w",
				h, livenessd.ErrInvalid)
		}
		g.hosts[name] = true
	}
	return g, nil
}

// check returns why r is not served.
func (g guard) check(r *http.Request) error {
	if !g.hostAllowed(r.Host) {
		return forbidden("host_refused", "Host",
			"this host name is not one of this machine's; use localhost or add the name to the configured hosts")
	}
	if !sameOrigin(r) {
		return forbidden("origin_refused", "Origin", "pages of another site may not use this API")
	}
	if g.authorize == nil {
		if !fromLoopback(r.RemoteAddr) {
			return forbidden("forbidden", "", "only programs on this machine may use this API")
		}
		return nil
	}
	if err := g.authorize(r); err != nil {
		return &refusal{
			status: http.StatusForbidden, code: "forbidden",
			message: "this request is not authorised", cause: err,
		}
	}
	return nil
}

func forbidden(code, field, message string) error {
	return &refusal{status: http.StatusForbidden, code: code, field: field, message: message}
}

func (g guard) hostAllowed(host string) bool {
	name := hostOf(host)
	if name == "localhost" || g.hosts[name] {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.Unmap().IsLoopback()
}

// hostOf is a Host header without its port, in lower case; an IPv6 address
// without brackets and in its canonical form.
func hostOf(host string) string {
	name, _, err := net.SplitHostPort(host)
	if err != nil { // no port
		name = host
		if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
			name = name[1 : len(name)-1]
		}
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if a, err := netip.ParseAddr(name); err == nil {
		return a.String()
	}
	return name
}

// sameOrigin tells whether r comes from no page at all or from one of ours.
// Unlike the usual check against forged requests it covers reading too: what
// is read here is about people.
func sameOrigin(r *http.Request) bool {
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	for _, origin := range r.Header.Values("Origin") {
		if !strings.EqualFold(origin, "http://"+r.Host) && !strings.EqualFold(origin, "https://"+r.Host) {
			return false
		}
	}
	return true
}

// fromLoopback tells whether a connection's remote address is this machine.
func fromLoopback(remote string) bool {
	a, err := netip.ParseAddrPort(remote)
	return err == nil && a.Addr().Unmap().IsLoopback()
}
