package api

import (
	"errors"
	"net/http"

	"livenessd"
)

// native returns the routes of the product's own dialect.
func (s *server) native() []route {
	return []route{
		{"POST", "/v1/sessions", s.startSession},
		{"GET", "/v1/sessions/{id}", s.getSession},
		{"DELETE", "/v1/sessions/{id}", s.cancelSession},
		{"GET", "/v1/results", s.listResults},
		{"GET", "/v1/results/{id}", s.getResult},
		{"DELETE", "/v1/results/{id}", s.eraseResult},
		{"GET", "/v1/events", s.followEvents},
	}
}

func (s *server) startSession(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	q, err := decodeSessionRequest(body)
	if err != nil {
		return err
	}
	session, err := s.Kiosk.Start(r.Context(), q)
	if errors.Is(err, livenessd.ErrNotReady) {
		ref := *refuse(err)
		ref.reasons = s.Ready()
		return &ref
	}
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/sessions/"+session.ID)
	return writeJSON(w, http.StatusCreated, session)
}

func (s *server) getSession(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "session")
	if err != nil {
		return err
	}
	session, err := s.Kiosk.Session(id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, session)
}

func (s *server) cancelSession(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "session")
	if err != nil {
		return err
	}
	if err := s.Kiosk.Cancel(id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// resultPage is the answer to GET /v1/results.
type resultPage struct {
	Results []livenessd.Result `json:"results"`
	Next    string             `json:"next"` // cursor of the next page, "" on the last one
}

func (s *server) listResults(w http.ResponseWriter, r *http.Request) error {
	p, err := decodePage(r)
	if err != nil {
		return err
	}
	results, next, err := s.Results.Results(p.cursor, p.limit, p.newestFirst)
	if errors.Is(err, livenessd.ErrInvalid) {
		return inField("cursor", err) // the one thing in it we cannot check ourselves
	}
	if err != nil {
		return err
	}
	out := resultPage{Results: make([]livenessd.Result, len(results)), Next: next}
	for i, result := range results {
		out.Results[i] = complete(result)
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) getResult(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "result")
	if err != nil {
		return err
	}
	result, err := s.Results.Result(id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, complete(result))
}

func (s *server) eraseResult(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "result")
	if err != nil {
		return err
	}
	if err := s.Results.Delete(id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// complete returns r with a list where a cancelled session left none: callers
// are promised an array and null is not one.
func complete(r livenessd.Result) livenessd.Result {
	if r.Stages == nil {
		r.Stages = []livenessd.Stage{}
	}
	return r
}
