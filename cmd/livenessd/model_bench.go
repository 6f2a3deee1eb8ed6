package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"livenessd/models"
	"livenessd/pipeline"
)

// publishedPair are the reference networks for texture that their authors
// publish to be used together: the sum of both is what the built-in texture
// network is held against.
var publishedPair = []string{"minifasnet-v2-2.7", "minifasnet-v1se-4.0"}

// benchRoles is the order of the table.
var benchRoles = []models.Role{models.RoleFace, models.RoleConfirm, models.RoleTexture, models.RoleAttributes}

// benchThreads are the numbers of threads that each network is timed with.
var benchThreads = []int{1, 2}

// warmUp is how often a network runs before its time counts.
const warmUp = 2

// timedNetwork is one network under the clock.
type timedNetwork struct {
	n       models.Network
	inUse   bool
	trial   *pipeline.Trial
	forward []time.Duration // of the network alone, by round
	whole   []time.Duration // with the cutting out and filling in before it
}

// timing is a line of the table: one network, or several summed by round.
type timing struct {
	Role    models.Role `json:"role"`
	Names   []string    `json:"names"`
	InUse   bool        `json:"in_use"` // else a reference
	Threads int         `json:"threads"`
	Median  float64     `json:"median_ms"`
	P90     float64     `json:"p90_ms"`
	Whole   float64     `json:"with_input_median_ms"` // with the cutting out and filling in
}

// comparison holds the networks in use against the reference for their role.
type comparison struct {
	Role    models.Role `json:"role"`
	Threads int         `json:"threads"`
	Ratio   float64     `json:"ratio"` // median in use over median of the reference
}

type benchReport struct {
	Rounds      int          `json:"rounds"`
	CPUs        int          `json:"cpus"`
	Timings     []timing     `json:"timings"`
	Comparisons []comparison `json:"comparisons"`
}

// benchNetworks times all networks in one run: in each round every one of them
// runs once, so that whatever else the machine does hits all alike.
func benchNetworks(ctx context.Context, w io.Writer, dirs []string, rounds int, asJSON bool) (int, error) {
	nets, err := loadForBench(ctx, dirs)
	defer func() {
		for _, t := range nets {
			t.trial.Close()
		}
	}()
	if err != nil {
		return exitFailed, err
	}
	report := benchReport{Rounds: rounds, CPUs: runtime.NumCPU()}
	for _, threads := range benchThreads {
		pipeline.SetThreads(threads)
		if err := race(ctx, nets, rounds); err != nil {
			return exitFailed, err
		}
		report.add(nets, threads)
	}
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return exitOK, e.Encode(report)
	}
	return exitOK, report.print(w)
}

// loadForBench loads the networks in use and those of the reference that are
// there. What was loaded is returned with an error, too.
func loadForBench(ctx context.Context, dirs []string) ([]*timedNetwork, error) {
	set, err := models.Load(dirs)
	if err != nil {
		return nil, fmt.Errorf("[models] %w", err)
	}
	reference, err := models.Reference(dirs)
	if err != nil {
		return nil, err
	}
	var nets []*timedNetwork
	for i, n := range append(set.Networks(), reference...) {
		same := func(t *timedNetwork) bool { return t.n.SHA256 == n.SHA256 }
		if slices.ContainsFunc(nets, same) {
			continue
		}
		if err := tryStrangers(ctx, []models.Network{n}); err != nil {
			return nets, fmt.Errorf("[models] %w", err)
		}
		trial, err := pipeline.NewTrial(n)
		if err != nil {
			return nets, fmt.Errorf("[models] %w", err)
		}
		nets = append(nets, &timedNetwork{n: n, inUse: i < len(set.Networks()), trial: trial})
	}
	place := func(t *timedNetwork) int { return slices.Index(benchRoles, t.n.Role) }
	slices.SortStableFunc(nets, func(a, b *timedNetwork) int { return place(a) - place(b) })
	return nets, nil
}

func race(ctx context.Context, nets []*timedNetwork, rounds int) error {
	for _, t := range nets {
		t.forward, t.whole = t.forward[:0], t.whole[:0]
	}
	for round := range warmUp + rounds {
		for _, t := range nets {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			begin := time.Now()
			if err := t.trial.Feed(); err != nil {
				return err
			}
			fed := time.Now()
			if err := t.trial.Forward(); err != nil {
				return err
			}
			if done := time.Now(); round >= warmUp {
				t.forward = append(t.forward, done.Sub(fed))
				t.whole = append(t.whole, done.Sub(begin))
			}
		}
	}
	return nil
}

// add reports each network, then by role the sums that are compared.
func (r *benchReport) add(nets []*timedNetwork, threads int) {
	for _, t := range nets {
		r.Timings = append(r.Timings, sum([]*timedNetwork{t}, threads))
	}
	for _, role := range benchRoles {
		var own, others []*timedNetwork
		for _, t := range nets {
			// A reference is asked once.
			if t.inUse && (t.n.Role == role || (role == models.RoleFace && t.n.Role == models.RoleConfirm)) {
				own = append(own, t)
			}
			if t.n.Role != role || t.inUse {
				continue
			}
			if role != models.RoleTexture || slices.Contains(publishedPair, t.n.Name) {
				others = append(others, t)
			}
		}
		if len(own) == 0 || len(others) == 0 || (role == models.RoleTexture && len(others) != len(publishedPair)) {
			continue
		}
		a, b := sum(own, threads), sum(others, threads)
		for _, s := range []timing{a, b} {
			if len(s.Names) > 1 {
				r.Timings = append(r.Timings, s)
			}
		}
		r.Comparisons = append(r.Comparisons, comparison{role, threads, a.Median / b.Median})
	}
}

// sum makes one line of networks of one role that run one after the other.
func sum(nets []*timedNetwork, threads int) timing {
	t := timing{Role: nets[0].n.Role, InUse: nets[0].inUse, Threads: threads}
	forward, whole := make([]time.Duration, len(nets[0].forward)), make([]time.Duration, len(nets[0].forward))
	for _, n := range nets {
		t.Names = append(t.Names, n.n.Name)
		for i := range forward {
			forward[i] += n.forward[i]
			whole[i] += n.whole[i]
		}
	}
	t.Median, t.P90, t.Whole = quantile(forward, 50), quantile(forward, 90), quantile(whole, 50)
	return t
}

// quantile returns the nearest-rank q-th percentile of ds in milliseconds,
// rounded to microseconds. ds is not empty and gets sorted.
func quantile(ds []time.Duration, q int) float64 {
	slices.Sort(ds)
	return float64(ds[max((len(ds)*q+99)/100, 1)-1].Microseconds()) / 1000
}

func (r benchReport) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rounds, all networks in each, on %d processors; milliseconds\n\n", r.Rounds, r.CPUs)
	fmt.Fprintf(&b, "%-7s  %-10s  %-9s  %8s  %8s  %10s  %s\n", "threads", "role", "", "median", "p90", "with input", "network")
	for _, t := range r.Timings {
		use := "reference"
		if t.InUse {
			use = "in use"
		}
		fmt.Fprintf(&b, "%7d  %-10s  %-9s  %8.3f  %8.3f  %10.3f  %s\n", t.Threads, t.Role, use, t.Median, t.P90, t.Whole, strings.Join(t.Names, " + "))
	}
	for _, c := range r.Comparisons {
		fmt.Fprintf(&b, "\n%s, threads %d: %.2f times the reference's median", c.Role, c.Threads, c.Ratio)
	}
	if len(r.Comparisons) > 0 {
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
