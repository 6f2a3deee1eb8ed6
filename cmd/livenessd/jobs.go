package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// jobsPager reads one page of jobs.
type jobsPager func(ctx context.Context, cursor string, limit int) (jobsPage, error)

func jobsCommand(ctx context.Context, env *environment, args []string) (int, error) {
	f := newFlags(env, "jobs", "")
	asJSON := f.Bool("json", false, "one JSON object a line")
	limit := f.Int("limit", 20, "how many of the newest; 0 for all")
	path := f.String("store", "", "`file` that keeps the records (store.path)")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	if f.NArg() > 0 || *limit < 0 {
		return exitMisused, fmt.Errorf("%w: jobs takes no arguments, and a -limit of 0 or more", livenessd.ErrInvalid)
	}
	if *path != "" {
		f.settings = append(f.settings, "store.path="+*path)
	}
	cfg, err := f.config()
	if err != nil {
		return exitMisused, err
	}
	read, done, err := openJobs(cfg.Store.Path)
	if err != nil {
		return exitFailed, err
	}
	err = printJobs(ctx, env.out, read, *limit, *asJSON)
	if err = errors.Join(err, done()); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

// openJobs asks the daemon, or reads the file of one that is not running.
func openJobs(path string) (jobsPager, func() error, error) {
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

func storedJobs(s *store.Store) jobsPager {
	return func(_ context.Context, cursor string, limit int) (p jobsPage, err error) {
		p.Jobs, p.Next, err = s.Jobs(cursor, limit, true)
		return p, err
	}
}

// jobs reads a page from the running daemon.
func (k remoteKeys) jobs(ctx context.Context, cursor string, limit int) (p jobsPage, err error) {
	q := url.Values{"limit": {fmt.Sprint(limit)}, "cursor": {cursor}}
	return p, k.call(ctx, http.MethodGet, "/jobs?"+q.Encode(), nil, &p)
}

func printJobs(ctx context.Context, w io.Writer, read jobsPager, limit int, asJSON bool) error {
	enc := json.NewEncoder(w)
	cursor := ""
	for n := 0; limit == 0 || n < limit; {
		want := pageOfResults
		if limit > 0 {
			want = min(want, limit-n)
		}
		page, err := read(ctx, cursor, want)
		if err != nil {
			return err
		}
		for _, j := range page.Jobs {
			if asJSON {
				err = enc.Encode(j)
			} else {
				_, err = fmt.Fprintln(w, jobLine(&j))
			}
			if err != nil {
				return err
			}
		}
		n += len(page.Jobs)
		if page.Next == "" || len(page.Jobs) == 0 {
			return nil
		}
		cursor = page.Next
	}
	return nil
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
