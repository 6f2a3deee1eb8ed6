package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livenessd"
)

// tree makes a folder with these files in it, a line of text each.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, f), "x")
	}
	return dir
}

// shown returns presentations relative to dir, as "name: file file".
func shown(t *testing.T, dir string, found evalFound) []string {
	t.Helper()
	rel := func(path string) string {
		r, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var lines []string
	for _, p := range found.presentations {
		line := rel(p.name) + ":"
		for _, f := range p.files {
			line += " " + rel(f)
		}
		lines = append(lines, line)
	}
	return lines
}

// Ensure that folders of frames are one presentation and single files one
// each, in an order that a person would give them.
func TestFindPresentations(t *testing.T) {
	dir := tree(t, "b10.jpg", "b9.JPG", "a.png", "notes.txt", ".hidden.jpg", "clip.MP4",
		"anna/frame_10.jpg", "anna/frame_2.jpg", "anna/late/f1.webp", "ben/x/y/1.bmp", "ben/readme", ".git/1.jpg", "empty/.keep")
	if err := os.Symlink(dir, filepath.Join(dir, "anna", "loop")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "broken.jpg")); err != nil {
		t.Fatal(err)
	}
	far := tree(t, "1.jpg", "2.jpg")
	if err := os.Symlink(far, filepath.Join(dir, "carl")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		each bool
		want []string
	}{
		{false, []string{
			"a.png: a.png", "b9.JPG: b9.JPG", "b10.jpg: b10.jpg",
			"anna: anna/frame_2.jpg anna/frame_10.jpg", "anna/late: anna/late/f1.webp", "ben/x/y: ben/x/y/1.bmp", "carl: carl/1.jpg carl/2.jpg",
		}},
		{true, []string{
			"a.png: a.png", "b9.JPG: b9.JPG", "b10.jpg: b10.jpg",
			"anna/frame_2.jpg: anna/frame_2.jpg", "anna/frame_10.jpg: anna/frame_10.jpg", "anna/late/f1.webp: anna/late/f1.webp",
			"ben/x/y/1.bmp: ben/x/y/1.bmp", "carl/1.jpg: carl/1.jpg", "carl/2.jpg: carl/2.jpg",
		}},
	}
	for _, tt := range tests {
		found, err := findPresentations(context.Background(), dir, tt.each)
		if err != nil {
			t.Fatal(err)
		}
		if got := shown(t, dir, found); !slices.Equal(got, tt.want) {
			t.Errorf("each %v:\n%s\nwant\n%s", tt.each, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
		if found.pictures != 9 || found.skipped != 4 || filepath.Base(found.video) != "clip.MP4" {
			t.Errorf("%d pictures, %d skipped, video %q", found.pictures, found.skipped, found.video)
		}
	}
	// A folder that was given may itself be a link.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(far, link); err != nil {
		t.Fatal(err)
	}
	found, err := findPresentations(context.Background(), link, false)
	if err != nil || len(found.presentations) != 2 {
		t.Errorf("%+v %v", found, err)
	}
}

// Ensure that a folder without pictures is refused by name, and that a walk
// can be stopped.
func TestFindPresentationsRefuses(t *testing.T) {
	for _, tt := range []struct{ dir, want string }{
		{tree(t, "a/notes.txt"), "holds no picture"},
		{tree(t, "a/clip.mp4"), "clip.mp4"},
	} {
		_, err := findPresentations(context.Background(), tt.dir, false)
		if !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), tt.dir) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := findPresentations(ctx, tree(t, "a.jpg"), false); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Ensure the order of names.
func TestCompareNatural(t *testing.T) {
	ascending := []string{"", "0", "00", "01", "1", "2", "10", "99999999999999999998", "99999999999999999999", "a", "a1", "a1b", "a01c", "a2", "a10", "b"}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := compareNatural(a, b); sign(got) != sign(i-j) {
				t.Errorf("%q, %q: %d", a, b, got)
			}
		}
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// Ensure that the order of any names is an order: sorting relies on it.
func FuzzCompareNatural(f *testing.F) {
	f.Add("frame_2", "frame_10", "frame_02")
	f.Add("1a", "01", "1")
	f.Add("x007", "x7", "x07y")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, ba := compareNatural(a, b), compareNatural(b, a)
		if sign(ab) != -sign(ba) || (ab == 0) != (a == b) {
			t.Fatalf("%q, %q: %d and %d", a, b, ab, ba)
		}
		if ab <= 0 && compareNatural(b, c) <= 0 && compareNatural(a, c) > 0 {
			t.Fatalf("%q ≤ %q ≤ %q, but not the first and the last", a, b, c)
		}
	})
}
