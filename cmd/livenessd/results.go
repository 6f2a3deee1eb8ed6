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

func resultsCommand(ctx context.Context, env *environment, args []string) (int, error) {
	l := newListing(env, "results", "results")
	cfg, err := l.parse(args)
	if err != nil {
		return exitMisused, err
	}
	read, done, err := openResults(cfg)
	if err != nil {
		return exitFailed, err
	}
	defer done()
	if err := printPages(ctx, env.out, l, read, line); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

// openResults reads the file, or asks the running daemon, which alone may have
// the file open.
func openResults(cfg Config) (pager[livenessd.Result], func(), error) {
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
func askDaemon(base string) pager[livenessd.Result] {
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
