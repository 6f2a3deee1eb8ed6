package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"livenessd"
	"livenessd/store"
)

// jobsPage is a page of jobs, newest first, as it passes over the socket.
type jobsPage struct {
	Jobs []livenessd.Job `json:"jobs"`
	Next string          `json:"next,omitempty"`
}

func jobsCommand(ctx context.Context, env *environment, args []string) (int, error) {
	l := newListing(env, "jobs", "records")
	cfg, err := l.parse(args)
	if err != nil {
		return exitMisused, err
	}
	read, done, err := openJobs(cfg.Store.Path)
	if err != nil {
		return exitFailed, err
	}
	err = printPages(ctx, env.out, l, read, jobLine)
	if err = errors.Join(err, done()); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

// openJobs asks the daemon, or reads the file of one that is not running.
func openJobs(path string) (pager[livenessd.Job], func() error, error) {
	k, err := dialControl(path)
	if err == nil {
		return k.jobs, k.close, nil
	}
	if !errors.Is(err, livenessd.ErrNotFound) {
		return nil, nil, err
	}
	s, err := store.OpenReadOnly(path)
	if err != nil {
		return nil, nil, err
	}
	return storedJobs(s), s.Close, nil
}

func storedJobs(s *store.Store) pager[livenessd.Job] {
	return func(_ context.Context, cursor string, limit int) ([]livenessd.Job, string, error) {
		return s.Jobs(cursor, limit, true)
	}
}

// jobs reads a page from the running daemon.
func (k remoteKeys) jobs(ctx context.Context, cursor string, limit int) ([]livenessd.Job, string, error) {
	q := url.Values{"limit": {fmt.Sprint(limit)}, "cursor": {cursor}}
	var p jobsPage
	err := k.call(ctx, http.MethodGet, "/jobs?"+q.Encode(), nil, &p)
	return p.Jobs, p.Next, err
}

// jobLine is one call for a person to read.
func jobLine(j *livenessd.Job) string {
	outcome := string(j.Outcome)
	if outcome == "" {
		outcome = "-"
	}
	var scores string
	if j.Texture != nil {
		scores += fmt.Sprintf(" texture %.2f", j.Texture.Value)
	}
	if j.Motion != nil {
		scores += fmt.Sprintf(" motion %.2f", j.Motion.Value)
	}
	return strings.TrimRight(fmt.Sprintf("%s  %-10s  %-16s  %d %-8s  %5.0fms%s  %s  %s %s", j.At.Local().Format(time.DateTime), j.Dialect,
		j.Credential, j.Status, outcome, float64(j.Took.Microseconds())/1000, scores, j.ID, j.Code, j.Reference), " ")
}
