package api

import "net/http"

// health returns the routes for those who watch over the daemon rather than
// use it. metrics may be nil.
func (s *server) health(metrics http.Handler) []route {
	routes := []route{
		{"GET", "/healthz", alive},
		{"GET", "/readyz", s.readiness},
		{"GET", "/openapi.json", s.describing.asJSON},
		{"GET", "/docs", s.describing.asPage},
	}
	if metrics != nil {
		routes = append(routes, route{"GET", "/metrics", func(w http.ResponseWriter, r *http.Request) error {
			metrics.ServeHTTP(w, r)
			return nil
		}})
	}
	return routes
}

type healthBody struct {
	Status string `json:"status"` // "ok"
}

// alive answers as long as the process does; whether the frame loop turns is
// the watchdog's question and whether the kiosk can judge is /readyz's.
func alive(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, healthBody{"ok"})
}

type readyBody struct {
	Ready    bool     `json:"ready"`
	Reasons  []Reason `json:"reasons"`
	Warnings []Reason `json:"warnings"`
}

func (s *server) readiness(w http.ResponseWriter, _ *http.Request) error {
	body := readyBody{Reasons: []Reason{}, Warnings: []Reason{}}
	body.Reasons = append(body.Reasons, s.Ready()...)
	if s.Warnings != nil {
		body.Warnings = append(body.Warnings, s.Warnings()...)
	}
	status := http.StatusServiceUnavailable
	if body.Ready = len(body.Reasons) == 0; body.Ready {
		status = http.StatusOK
	}
	return writeJSON(w, status, body)
}
