package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"livenessd"
	"livenessd/store"
)

// pageOfResults is how many results are asked for at a time.
const pageOfResults = 100

// pager reads one page of results, newest first.
type pager func(ctx context.Context, cursor string, limit int) ([]livenessd.Result, string, error)

func resultsCommand(ctx context.Context, env *environment, args []string) (int, error) {
	f := newFlags(env, "results", "")
	asJSON := f.Bool("json", false, "one JSON object a line")
	limit := f.Int("limit", 20, "how many of the newest; 0 for all")
	path := f.String("store", "", "`file` that keeps the results (store.path)")
	if err := f.Parse(args); err != nil {
		return exitMisused, err
	}
	if f.NArg() > 0 || *limit < 0 {
		return exitMisused, fmt.Errorf("%w: results takes no arguments, and a -limit of 0 or more", livenessd.ErrInvalid)
	}
	if *path != "" {
		f.settings = append(f.settings, "store.path="+*path)
	}
	cfg, err := f.config()
	if err != nil {
		return exitMisused, err
	}
	read, done, err := openResults(cfg)
	if err != nil {
		return exitFailed, err
	}
	defer done()
	if err := printResults(ctx, env.out, read, *limit, *asJSON); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

// openResults reads the file, or asks the running daemon, which alone may have
// the file open.
func openResults(cfg Config) (pager, func(), error) {
	s, err := store.OpenReadOnly(cfg.Store.Path)
	if err == nil {
		return func(_ context.Context, cursor string, limit int) ([]livenessd.Result, string, error) {
			return s.Results(cursor, limit, true)
		}, func() { s.Close() }, nil
	}
	if !errors.Is(err, livenessd.ErrBusy) {
		return nil, nil, err
	}
	_, port, err := net.SplitHostPort(cfg.Page.Listen)
	if err != nil || port == "0" {
		return nil, nil, fmt.Errorf("the daemon has %s open, and its address cannot be told from page.listen = %q", cfg.Store.Path, cfg.Page.Listen)
	}
	return askDaemon("http://" + cfg.Page.Listen), func() {}, nil
}

// askDaemon returns a pager that reads from the native API.
func askDaemon(base string) pager {
	client := &http.Client{Timeout: 10 * time.Second}
	return func(ctx context.Context, cursor string, limit int) ([]livenessd.Result, string, error) {
		q := url.Values{"limit": {fmt.Sprint(limit)}, "order": {"newest"}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/results?"+q.Encode(), nil)
		if err != nil {
			return nil, "", err
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, "", fmt.Errorf("the daemon does not answer: %w", err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
		if err != nil {
			return nil, "", err
		}
		if resp.StatusCode != http.StatusOK {
			return nil, "", fmt.Errorf("the daemon answers %s: %s", resp.Status, strings.TrimSpace(string(body[:min(len(body), 300)])))
		}
		var page struct {
			Results []livenessd.Result `json:"results"`
			Next    string             `json:"next"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, "", fmt.Errorf("the daemon's answer: %w", err)
		}
		return page.Results, page.Next, nil
	}
}

func printResults(ctx context.Context, w io.Writer, read pager, limit int, asJSON bool) error {
	enc := json.NewEncoder(w)
	cursor := ""
	for n := 0; limit == 0 || n < limit; {
		want := pageOfResults
		if limit > 0 {
			want = min(want, limit-n)
		}
		page, next, err := read(ctx, cursor, want)
		if err != nil {
			return err
		}
		for _, r := range page {
			if asJSON {
				err = enc.Encode(r)
			} else {
				_, err = fmt.Fprintln(w, line(&r))
			}
			if err != nil {
				return err
			}
		}
		n += len(page)
		if next == "" || len(page) == 0 {
			return nil
		}
		cursor = next
	}
	return nil
}

// line is one result for a person to read.
func line(r *livenessd.Result) string {
	var texture string
	for _, s := range r.Stages {
		if s.Name == livenessd.StageTexture && s.Frames > 0 {
			texture = fmt.Sprintf(" texture %.2f", s.Score)
		}
	}
	var why []string
	for _, reason := range r.Reasons {
		why = append(why, string(reason))
	}
	return fmt.Sprintf("%s  %-8s  %5.1fs%s  %s  %s", r.At.Local().Format(time.DateTime), r.Outcome, r.Duration.Seconds(), texture, r.ID, strings.Join(why, ", "))
}
