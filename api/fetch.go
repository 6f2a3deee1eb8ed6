package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"livenessd"
)

// Two dialects let a caller give the address of a picture instead of the
// picture. That makes this machine fetch what somebody else names, so it is
// off unless hosts are listed, and then goes to those hosts alone, over https
// alone, and never to an address of a private network.

var (
	errFetch        = errors.New("the picture could not be fetched")
	errFetchTimeout = errors.New("the picture did not come in time")
)

const (
	fetchTimeout = 15 * time.Second // as Verihubs documents it
	maxRedirects = 3
)

// fetcher gets pictures from listed hosts.
type fetcher struct {
	hosts   map[string]bool // "name:port"; empty fetches nothing
	client  *http.Client
	timeout time.Duration
}

// newFetcher checks hosts: names or addresses, with ":port" where it is not
// 443.
func newFetcher(hosts []string) (*fetcher, error) {
	f := &fetcher{hosts: make(map[string]bool), timeout: fetchTimeout}
	for _, h := range hosts {
		u, err := url.Parse("https://" + h)
		if err != nil || u.Host != h || !hostName.MatchString(strings.ToLower(u.Hostname())) {
			return nil, fmt.Errorf("image hosts: %q is not a host name, give it without scheme or path: %w", h, livenessd.ErrInvalid)
		}
		f.hosts[hostAndPort(u)] = true
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: refusePrivate}
	f.client = &http.Client{
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("%w: more than %d redirects", errFetch, maxRedirects)
			}
			return f.allowed(r.URL)
		},
		Transport: &http.Transport{
			// No proxy: it would look names up for us, unchecked.
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: 32 << 10, MaxConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
		},
	}
	return f, nil
}

func hostAndPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port)
}

// allowed tells why u is not fetched.
func (f *fetcher) allowed(u *url.URL) error {
	if len(f.hosts) == 0 {
		return fmt.Errorf("%w: addresses of pictures are not accepted here", errFetch)
	}
	if u.Scheme != "https" || u.User != nil || !f.hosts[hostAndPort(u)] {
		return fmt.Errorf("%w: only https addresses of listed hosts are", errFetch)
	}
	return nil
}

// get returns the at most limit bytes at address. Errors wrap errFetch,
// errFetchTimeout or livenessd.ErrTooLarge, or are ctx's.
func (f *fetcher) get(ctx context.Context, address string, limit int64) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%w: this is not an address", errFetch)
	}
	if err := f.allowed(u); err != nil {
		return nil, err
	}
	patient, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	b, err := f.fetch(patient, u, limit)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case patient.Err() != nil:
		return nil, fmt.Errorf("%w: %v", errFetchTimeout, err)
	}
	return b, err
}

func (f *fetcher) fetch(ctx context.Context, u *url.URL, limit int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errFetch, err)
	}
	r.Header.Set("Accept", "image/*")
	got, err := f.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errFetch, err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: its host answered %d", errFetch, got.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(got.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errFetch, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: the picture has more than %d bytes", livenessd.ErrTooLarge, limit)
	}
	return b, nil
}

// refusePrivate is asked for each address that is dialled, after names have
// been looked up, so a name that resolves to us or to our neighbours does not
// help.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !public(a.Addr()) {
		return fmt.Errorf("%w: %s is not a public address", errFetch, address)
	}
	return nil
}

// special are networks of IANA's special-purpose registries (RFC 6890 and its
// updates) that netip has no question for, and those that carry an IPv4 address
// inside an IPv6 one.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(texts ...string) []netip.Prefix {
	ps := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		ps[i] = netip.MustParsePrefix(t)
	}
	return ps
}

// public tells whether a is an address of the internet at large.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
