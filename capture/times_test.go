package capture

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"livenessd"
)

func TestParseTimes(t *testing.T) {
	tests := []struct {
		name, in string
		want     []still
		err      string // part of the error's text
	}{
		{"plain", "a.jpg,0\nb.jpg,0.5\n", []still{{"a.jpg", 0}, {"b.jpg", 500 * time.Millisecond}}, ""},
		{"header, comment, spaces", "name,seconds\r\n# made by hand\r\n\r\n a.jpg , 1.5 \r\n", []still{{"a.jpg", 0}}, ""},
		{"any beginning", "a,100.25\nb,101", []still{{"a", 0}, {"b", 750 * time.Millisecond}}, ""},
		{"empty", "# nothing\n", nil, "no picture"},
		{"no comma", "a.jpg 1\n", nil, "line 1: it should read"},
		{"not later", "a,1\nb,1\n", nil, "line 2: the time has to be later"},
		{"out of the folder", "../a.jpg,1\n", nil, "line 1"},
		{"a folder", "..,1\n", nil, "line 1"},
		{"not a number", "a.jpg,one\n", nil, "line 1"},
		{"not a time", "a.jpg,NaN\n", nil, "line 1"},
		{"negative", "a.jpg,-1\n", nil, "line 1"},
		{"for ever", "a.jpg,1e300\n", nil, "line 1"},
		{"long line", "a.jpg," + strings.Repeat("1", 2*maxLine), nil, "after 0 pictures"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseTimes(strings.NewReader(tt.in))
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if tt.err != "" && !strings.HasPrefix(tt.err, "after") && !errors.Is(err, livenessd.ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", err)
			}
		})
	}
}

func FuzzTimes(f *testing.F) {
	f.Add("name,seconds\na.jpg,0\nb.jpg,0.0667\n")
	f.Add("a,1e5\n#\n\n b , 100001")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := parseTimes(strings.NewReader(in))
		if (err == nil) != (len(got) > 0) {
			t.Fatalf("%d pictures and error %v", len(got), err)
		}
		for i, s := range got {
			if strings.ContainsAny(s.name, "/\x00") || s.name == "" || s.name == ".." {
				t.Fatalf("name %q", s.name)
			}
			if i > 0 && s.offset <= got[i-1].offset {
				t.Fatalf("times do not grow at %d", i)
			}
		}
	})
}

func TestNatural(t *testing.T) {
	want := []string{"1.jpg", "2.jpg", "02.jpg", "10.jpg", "a1b2.jpg", "a1b10.jpg", "a02b1.jpg", "b.jpg"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, natural)
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
