package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"livenessd/api"
)

// server is one listener and what answers on it.
type server struct {
	http     *http.Server
	listener net.Listener
	cert     *lanCert // of a listener with TLS, else nil
}

// listen opens every listener before anything is served: a port that is taken
// ends the program. The first server is the page's.
func listen(ctx context.Context, cfg Config, reg *prometheus.Registry, deps api.Deps, page http.Handler, log *slog.Logger) (servers []*server, err error) {
	defer func() {
		if err != nil {
			for _, s := range servers {
				s.listener.Close()
			}
		}
	}()
	local, err := api.New(apiConfig(cfg.API, api.Config{
		Hosts: cfg.Page.Hosts, Registerer: listenerLabel(reg, "page"), Log: log,
		Metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}),
	}), deps)
	if err != nil {
		return nil, fmt.Errorf("[page] %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", page)
	for _, path := range append(api.DialectPaths(), "/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs") {
		mux.Handle(path, local)
	}
	l, err := net.Listen("tcp", cfg.Page.Listen)
	if err != nil {
		return nil, fmt.Errorf("page.listen: %w: choose another port, or stop what uses this one", err)
	}
	servers = append(servers, newServer(ctx, l, mux, log))
	lan, err := lanListener(cfg.LAN, os.Getenv, log)
	if lan == nil || err != nil {
		return servers, err
	}
	s, err := listenLAN(ctx, cfg, lan, reg, deps, log)
	if err != nil {
		lan.Close()
		return servers, err
	}
	return append(servers, s), nil
}

// lanListener is the socket that systemd opened for other machines, else the
// one that lan.listen names, else nil.
func lanListener(cfg LANConfig, getenv func(string) string, log *slog.Logger) (net.Listener, error) {
	passed, err := passedListeners(getenv)
	switch {
	case err != nil:
		return nil, err
	case len(passed) > 1:
		for _, l := range passed {
			l.Close()
		}
		return nil, fmt.Errorf("systemd passed %d sockets: livenessd.socket may have one ListenStream", len(passed))
	case len(passed) == 1:
		if cfg.Listen != "" {
			log.Info("systemd's socket is used, and not lan.listen", "socket", passed[0].Addr().String(), "lan.listen", cfg.Listen)
		}
		return passed[0], nil
	case cfg.Listen == "":
		return nil, nil
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("lan.listen: %w: choose another port, or stop what uses this one", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() && getenv("NOTIFY_SOCKET") != "" {
		log.Warn("the packaged unit lets no other machine through to lan.listen: leave it empty, and run `systemctl enable livenessd.socket` and `systemctl stop livenessd && systemctl start livenessd.socket livenessd`")
	}
	return l, nil
}

// apiConfig adds to c what both listeners have.
func apiConfig(shared APIConfig, c api.Config) api.Config {
	c.Origins, c.ImageHosts, c.Version = shared.Origins, shared.ImageHosts, "livenessd "+versionString()
	return c
}

// listenerLabel tells the requests of one listener from those of another.
func listenerLabel(reg *prometheus.Registry, name string) prometheus.Registerer {
	return prometheus.WrapRegistererWith(prometheus.Labels{"listener": name}, reg)
}

// listenLAN makes the server for other machines on l: TLS, the dialects with
// their own credentials, and the native API for who has the token.
func listenLAN(ctx context.Context, cfg Config, l net.Listener, reg *prometheus.Registry, deps api.Deps, log *slog.Logger) (*server, error) {
	authorize := func(*http.Request) error { return errNoToken }
	if cfg.LAN.TokenFile != "" {
		var err error
		if authorize, err = tokenAuthorizer(cfg.LAN.TokenFile); err != nil {
			return nil, fmt.Errorf("lan.token_file: %w", err)
		}
	}
	cert, err := lanCertificate(cfg, log)
	if err != nil {
		return nil, err
	}
	handler, err := api.New(apiConfig(cfg.API, api.Config{
		Hosts: cfg.LAN.Hosts, Authorize: authorize, Registerer: listenerLabel(reg, "lan"), Log: log,
	}), deps)
	if err != nil {
		return nil, fmt.Errorf("[lan] %w", err)
	}
	s := newServer(ctx, newCrowd(l, maxLANConnections), handler, log)
	s.cert = cert
	s.http.TLSConfig = &tls.Config{GetCertificate: cert.get, MinVersion: tls.VersionTLS12}
	return s, nil
}

var errNoToken = errors.New("lan.token_file is not set: the native API is for this machine only")

// lanCertificate is the operator's, or one of our own beside the store.
func lanCertificate(cfg Config, log *slog.Logger) (*lanCert, error) {
	file, key := cfg.LAN.Certificate, cfg.LAN.Key
	if file == "" {
		hosts := cfg.LAN.Hosts
		if host, _, err := net.SplitHostPort(cfg.LAN.Listen); err == nil && host != "" {
			hosts = append(slices.Clone(hosts), host)
		}
		var err error
		if file, key, err = ownCertificateFiles(filepath.Dir(cfg.Store.Path), hosts, time.Now()); err != nil {
			return nil, fmt.Errorf("a certificate for lan.listen cannot be made; set lan.certificate and lan.key: %w", err)
		}
	}
	cert, err := openCertificate(file, key, log)
	if err != nil {
		return nil, fmt.Errorf("lan.certificate, lan.key: %w", err)
	}
	return cert, nil
}

// maxLANConnections is how many connections of other machines are open at one
// time; more wait until one of these ends.
const maxLANConnections = 256

// crowd is a listener that bounds how many of its connections are open.
type crowd struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newCrowd(l net.Listener, most int) *crowd {
	return &crowd{Listener: l, places: make(chan struct{}, most), closed: make(chan struct{})}
}

func (c *crowd) Accept() (net.Conn, error) {
	select {
	case c.places <- struct{}{}:
	case <-c.closed:
		return nil, net.ErrClosed
	}
	conn, err := c.Listener.Accept()
	if err != nil {
		<-c.places
		return nil, err
	}
	return &counted{Conn: conn, leave: sync.OnceFunc(func() { <-c.places })}, nil
}

func (c *crowd) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

// counted is a connection that frees its place when it is closed.
type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

func newServer(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) *server {
	return &server{listener: l, http: &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx }, // ends event streams, which Shutdown would wait for
	}}
}

// serve answers until ctx ends, and then finishes what it has begun.
func (s *server) serve(ctx context.Context) error {
	done := make(chan error, 1)
	go func() {
		if s.cert != nil {
			done <- s.http.ServeTLS(s.listener, "", "")
		} else {
			done <- s.http.Serve(s.listener)
		}
	}()
	select {
	case err := <-done:
		return fmt.Errorf("%s: %w", s.listener.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		s.http.Close() // whoever is still there had a second
	}
	<-done
	return nil
}
