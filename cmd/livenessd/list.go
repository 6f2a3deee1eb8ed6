package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"livenessd"
)

// pageOfRecords is how many records are asked for at a time.
const pageOfRecords = 100

// pager reads one page of records, newest first, and the cursor of the next.
type pager[T any] func(ctx context.Context, cursor string, limit int) (page []T, next string, err error)

// listing is what the commands share that print records, newest first.
type listing struct {
	*flags
	asJSON bool
	limit  int
}

func newListing(env *environment, name, records string) *listing {
	l := &listing{flags: newFlags(env, name, "")}
	l.BoolVar(&l.asJSON, "json", false, "one JSON object a line")
	l.IntVar(&l.limit, "limit", 20, "how many of the newest; 0 for all")
	l.storeFlag(records)
	return l
}

// parse reads the arguments and returns the configuration.
func (l *listing) parse(args []string) (Config, error) {
	if err := l.Parse(args); err != nil {
		return Config{}, err
	}
	if l.NArg() > 0 || l.limit < 0 {
		return Config{}, fmt.Errorf("%w: %s takes no arguments, and a -limit of 0 or more", livenessd.ErrInvalid, l.Name())
	}
	return l.config()
}

// printPages prints so many records as l says, page by page.
func printPages[T any](ctx context.Context, w io.Writer, l *listing, read pager[T], line func(*T) string) error {
	enc := json.NewEncoder(w)
	cursor := ""
	for n := 0; l.limit == 0 || n < l.limit; {
		want := pageOfRecords
		if l.limit > 0 {
			want = min(want, l.limit-n)
		}
		page, next, err := read(ctx, cursor, want)
		if err != nil {
			return err
		}
		for i := range page {
			if l.asJSON {
				err = enc.Encode(page[i])
			} else {
				_, err = fmt.Fprintln(w, line(&page[i]))
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
