package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"livenessd/models"
)

func timed(role models.Role, name string, inUse bool, ms ...int) *timedNetwork {
	t := &timedNetwork{n: models.Network{Spec: models.Spec{Role: role, Name: name}}, inUse: inUse}
	for _, m := range ms {
		t.forward = append(t.forward, time.Duration(m)*time.Millisecond)
		t.whole = append(t.whole, time.Duration(m+1)*time.Millisecond)
	}
	return t
}

// Ensure that networks which run one after the other are summed round by round
// and held against the reference for their role.
func TestComparisons(t *testing.T) {
	nets := []*timedNetwork{
		timed(models.RoleFace, "own", true, 3, 5, 3), timed(models.RoleConfirm, "sure", true, 1, 1, 2), timed(models.RoleTexture, "skin", true, 3, 3, 9),
		timed(models.RoleFace, "yunet-n-320", false, 10, 8, 10),
		timed(models.RoleTexture, "minifasnet-v2-2.7", false, 1, 2, 3), timed(models.RoleTexture, "minifasnet-v1se-4.0", false, 5, 4, 4),
		timed(models.RoleTexture, "minifas-98.20", false, 70, 70, 70),
	}
	r := benchReport{Rounds: 3}
	r.add(nets, 2)
	want := []comparison{{models.RoleFace, 2, 0.5}, {models.RoleTexture, 2, 0.5}}
	if !slices.Equal(r.Comparisons, want) {
		t.Errorf("%+v, want %+v", r.Comparisons, want)
	}
	if n := len(r.Timings); n != 9 {
		t.Fatalf("%d lines, want each network and two pairs", n)
	}
	if both := r.Timings[7]; !both.InUse || !slices.Equal(both.Names, []string{"own", "sure"}) || both.Median != 5 {
		t.Errorf("%+v", both)
	}
	pair := r.Timings[8]
	if pair.InUse || len(pair.Names) != 2 || pair.Median != 6 || pair.P90 != 7 || pair.Whole != 8 {
		t.Errorf("%+v", pair)
	}
	if !slices.Equal(nets[0].forward, []time.Duration{3e6, 5e6, 3e6}) {
		t.Error("the order of rounds was lost")
	}

	// Half of the pair is not what is compared with.
	r = benchReport{}
	r.add(nets[2:5], 1)
	if len(r.Comparisons) != 0 {
		t.Errorf("%+v", r.Comparisons)
	}
}

func TestQuantile(t *testing.T) {
	ds := func(ms ...int) []time.Duration { return timed("", "", false, ms...).forward }
	for _, c := range []struct {
		ds   []time.Duration
		q    int
		want float64
	}{
		{ds(7), 50, 7}, {ds(7), 90, 7}, {ds(3, 1, 2), 50, 2}, {ds(4, 3, 2, 1), 50, 2},
		{ds(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), 90, 9}, {ds(10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 11), 90, 10},
	} {
		if got := quantile(c.ds, c.q); got != c.want {
			t.Errorf("%v at %d: %v, want %v", c.ds, c.q, got, c.want)
		}
	}
}

// Ensure that every network is timed with each number of threads.
func TestBenchCommand(t *testing.T) {
	set := "models.dirs=" + siteWith(t, colours(), madeNetwork(t, "colours")) + "," + t.TempDir()
	code, out, errs := cli(t, "model", "-bench", "-n", "1", "-json", "-set", set)
	var r benchReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	seen := map[string]int{}
	for _, x := range r.Timings {
		if !(x.Median > 0 && x.P90 >= x.Median && x.Whole >= x.Median) {
			t.Errorf("%+v", x)
		}
		seen[strings.Join(x.Names, "+")] += x.Threads
	}
	if seen["site-colours"] != 3 || r.Rounds != 1 || r.CPUs < 1 {
		t.Errorf("%+v", r)
	}
}

func TestBenchTable(t *testing.T) {
	r := benchReport{Rounds: 9, CPUs: 2}
	r.add([]*timedNetwork{timed(models.RoleFace, "own", true, 4), timed(models.RoleFace, "yunet-n-320", false, 8)}, 2)
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	want := `9 rounds, all networks in each, on 2 processors; milliseconds

threads  role                     median       p90  with input  network
      2  face        in use        4.000     4.000       5.000  own
      2  face        reference     8.000     8.000       9.000  yunet-n-320

face, threads 2: 0.50 times the reference's median
`
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}
