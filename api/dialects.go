package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"livenessd"
)

// dialects are all that are spoken, a file each.
var dialects = []*dialect{bioid, bws3, trustmatic, glair, verihubs}

// strangePaths are those below which the services have more than is spoken
// here. Their clients are told so, and not that they may not ask.
var strangePaths = []string{"/api/", "/extension/", "/face/"}

// DialectPaths lists the paths that belong to the dialects of other services,
// as net/http patterns: one that ends in a slash has all below it.
func DialectPaths() []string {
	paths := append(slices.Clone(strangePaths), "/livez")
	for _, d := range dialects {
		paths = append(paths, d.paths...)
	}
	slices.Sort(paths)
	return paths
}

// withDialects serves the dialects beside own. Their requests carry
// credentials of their own, so where they come from and by which name the
// machine was addressed does not matter.
func (s *server) withDialects(own http.Handler) http.Handler {
	m := http.NewServeMux()
	for _, d := range dialects {
		h := s.speak(d)
		for _, p := range d.paths {
			m.Handle(http.MethodPost+" "+p, h)
			m.Handle(http.MethodOptions+" "+p, h)
			m.Handle(p, s.only(http.MethodPost))
		}
	}
	for _, p := range strangePaths {
		m.Handle(p, s.nothing())
	}
	m.Handle("GET /livez", bws3Health(func() bool { return true }))
	m.Handle("/livez", s.only("GET, HEAD"))
	// /readyz is ours too. Whoever may not have our answer, with its reasons,
	// hears the vendor's.
	ready := bws3Health(func() bool { return len(s.Ready()) == 0 })
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if s.guard.check(r) != nil {
			ready.ServeHTTP(w, r)
			return
		}
		own.ServeHTTP(w, r)
	})
	// Whoever writes a client reads this first, from wherever it will run.
	m.Handle("GET /openapi.json", s.handler(s.describing.asJSON))
	m.Handle("GET /docs", s.handler(s.describing.asPage))
	m.Handle("/", own)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !clean(r.URL.Path) { // see mux
			own.ServeHTTP(w, r)
			return
		}
		m.ServeHTTP(w, r)
	})
}

// checkOrigins names the first origin that no browser would send.
func checkOrigins(origins []string) error {
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != o {
			return fmt.Errorf("origins: %q is not a scheme, a host and perhaps a port, as in https://desk.example: %w", o, livenessd.ErrInvalid)
		}
	}
	return nil
}
