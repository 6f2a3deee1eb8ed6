package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"livenessd/api"
)

// server is one listener and what answers on it.
type server struct {
	http     *http.Server
	listener net.Listener
	tls      bool
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
	local, err := api.New(api.Config{
		Hosts: cfg.Page.Hosts, Registerer: listenerLabel(reg, "page"), Log: log,
		Metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}),
	}, deps)
	if err != nil {
		return nil, fmt.Errorf("[page] %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", page)
	for _, path := range []string{"/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json"} {
		mux.Handle(path, local)
	}
	l, err := net.Listen("tcp", cfg.Page.Listen)
	if err != nil {
		return nil, fmt.Errorf("page.listen: %w: choose another port, or stop what uses this one", err)
	}
	servers = append(servers, newServer(ctx, l, mux, log))
	if cfg.LAN.Listen == "" {
		return servers, nil
	}
	s, err := listenLAN(ctx, cfg.LAN, reg, deps, log)
	if err != nil {
		return servers, err
	}
	return append(servers, s), nil
}

// listenerLabel tells the requests of one listener from those of another.
func listenerLabel(reg *prometheus.Registry, name string) prometheus.Registerer {
	return prometheus.WrapRegistererWith(prometheus.Labels{"listener": name}, reg)
}

// listenLAN opens the listener for other machines: TLS, and a token on every
// request.
func listenLAN(ctx context.Context, cfg LANConfig, reg *prometheus.Registry, deps api.Deps, log *slog.Logger) (*server, error) {
	authorize, err := tokenAuthorizer(cfg.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("lan.token_file: %w", err)
	}
	cert, err := tls.LoadX509KeyPair(cfg.Certificate, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("lan.certificate, lan.key: %w", err)
	}
	handler, err := api.New(api.Config{
		Hosts: cfg.Hosts, Authorize: authorize, Registerer: listenerLabel(reg, "lan"), Log: log,
	}, deps)
	if err != nil {
		return nil, fmt.Errorf("[lan] %w", err)
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("lan.listen: %w: choose another port, or stop what uses this one", err)
	}
	s := newServer(ctx, l, handler, log)
	s.tls = true
	s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	return s, nil
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
		if s.tls {
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
