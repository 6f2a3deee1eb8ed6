package evaluate

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"livenessd"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Ensure exact intervals against published and hand-computed ones.
func TestClopperPearson(t *testing.T) {
	tests := []struct {
		k, n      int
		low, high float64
	}{
		{0, 10, 0, 1 - math.Pow(0.025, 0.1)},                // closed form at k = 0
		{10, 10, math.Pow(0.025, 0.1), 1},                   // and at k = n
		{0, 1, 0, 0.975},                                    //
		{1, 2, 1 - math.Sqrt(0.975), math.Sqrt(0.975)},      // closed form for n = 2
		{5, 10, 0.187086, 0.812914},                         // tables of the binomial distribution
		{4, 20, 0.057334, 0.436614},                         // the same
		{81, 263, 0.252737, 0.367622},                       // Newcombe 1998, Statistics in Medicine 17, table I: 0.2527, 0.3676
		{15, 148, 0.057844, 0.161650},                       // ibidem: 0.0578, 0.1617
		{1, 29, 0.000873, 0.177645},                         // ibidem: 0.0009, 0.1776
		{0, 1_000_000, 0, 1 - math.Pow(0.025, 1.0/1000000)}, //
	}
	for _, tt := range tests {
		low, high := ClopperPearson(tt.k, tt.n, 0.05)
		if math.Abs(low-tt.low) > 2e-6 || math.Abs(high-tt.high) > 2e-6 {
			t.Errorf("%d of %d: %.6f to %.6f, want %.6f to %.6f", tt.k, tt.n, low, high, tt.low, tt.high)
		}
	}
}

// tail returns the probability of k or more of n.
func tail(k, n int, p float64) float64 {
	sum := 0.0
	for i := k; i <= n; i++ {
		lg := func(x int) float64 { v, _ := math.Lgamma(float64(x + 1)); return v }
		sum += math.Exp(lg(n) - lg(i) - lg(n-i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

// Ensure that the quantiles satisfy their definition over a wide range.
func TestClopperPearsonDefinition(t *testing.T) {
	for _, n := range []int{1, 3, 17, 200, 3000} {
		for _, share := range []float64{0, 0.01, 0.3, 0.5, 0.97, 1} {
			k := int(math.Round(share * float64(n)))
			low, high := ClopperPearson(k, n, 0.05)
			if k > 0 {
				if got := tail(k, n, low); math.Abs(got-0.025) > 1e-6 {
					t.Errorf("%d of %d: at the low end %v, want 0.025", k, n, got)
				}
			}
			if k < n {
				if got := 1 - tail(k+1, n, high); math.Abs(got-0.025) > 1e-6 {
					t.Errorf("%d of %d: at the high end %v, want 0.025", k, n, got)
				}
			}
		}
	}
}

func sorted(scores ...float64) *group {
	g := &group{scores: scores}
	g.sort()
	return g
}

// Ensure equal error rates and areas of cases that can be worked out by hand.
func TestEqualAndRank(t *testing.T) {
	tests := []struct {
		name         string
		bona, attack *group
		eer, auc     float64
	}{
		{"separated", sorted(0.8, 0.9), sorted(0.1, 0.2, 0.3), 0, 1},
		{"the wrong way round", sorted(0.1, 0.2), sorted(0.8, 0.9), 1, 0},
		{"all equal", sorted(0.5, 0.5, 0.5), sorted(0.5, 0.5), 0.5, 0.5},
		{"one each", sorted(1), sorted(0), 0, 1},
		{"one each, equal", sorted(0), sorted(0), 0.5, 0.5},
		{"one of four crosses each way", sorted(0.3, 0.7, 0.8, 0.9), sorted(0.1, 0.2, 0.4, 0.6), 0.25, 14.0 / 16},
		// At 0.7 half of the attacks pass and 1 of 3 people is refused, at 0.8
		// half and 2 of 3: in between both are 1/2.
		{"unequal numbers", sorted(0.4, 0.7, 0.9), sorted(0.2, 0.8), 1.0 / 2, 4.0 / 6},
		// (1/2, 1/4) at 0.5 and (0, 1/4) above it: where both are 1/4.
		{"between two thresholds", sorted(0.2, 0.6, 0.7, 0.9), sorted(0.1, 0.5), 0.25, 7.0 / 8},
		{"a tie", sorted(0.5, 0.9), sorted(0.5, 0.1), 0.25, 3.5 / 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, a := equal(tt.bona, tt.attack), rank(tt.bona, tt.attack)
			if math.Abs(e.Rate-tt.eer) > 1e-12 {
				t.Errorf("EER %v, want %v", e.Rate, tt.eer)
			}
			if math.Abs(a.Rate-tt.auc) > 1e-12 {
				t.Errorf("AUC %v, want %v", a.Rate, tt.auc)
			}
			for _, x := range []Estimate{e.Estimate, a} {
				if !(0 <= x.Low && x.Low <= x.Rate && x.Rate <= x.High && x.High <= 1) || x.High-x.Low < 0.1 {
					t.Errorf("interval %+v", x)
				}
			}
		})
	}
}

// Ensure that intervals hold the true value as often as they say: 400 draws of
// 40 people and 60 attacks from normal distributions whose true AUC and EER
// are known.
func TestCoverage(t *testing.T) {
	const draws, shift = 400, 2.0
	normal := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	auc, eer, threshold := normal(shift/math.Sqrt2), normal(-shift/2), squash(shift/2)
	rng := rand.New(rand.NewPCG(1, 2))
	held := map[string]int{}
	count := func(name string, e Estimate, truth float64) {
		if e.Low <= truth && truth <= e.High {
			held[name]++
		}
	}
	for range draws {
		ps := []Presentation{}
		for i := range 100 {
			p := Presentation{Class: BonaFide, Scored: true, Score: squash(rng.NormFloat64() + shift)}
			if i >= 40 {
				p = Presentation{Class: Attack, Species: strconv.Itoa(i % 2), Scored: true, Score: squash(rng.NormFloat64())}
			}
			ps = append(ps, p)
		}
		r, err := Judge(Setup{Threshold: threshold, Species: map[string]string{"0": "", "1": ""}}, ps)
		if err != nil {
			t.Fatal(err)
		}
		count("auc", r.AUC, auc)
		count("eer", r.EER.Estimate, eer)
		count("acer", r.ACER, eer)
		count("hter", r.HTER, eer)
		count("bpcer", Estimate{Low: r.BPCER.Low, High: r.BPCER.High}, eer)
	}
	t.Logf("of %d: %v", draws, held)
	for _, name := range []string{"auc", "eer", "acer", "hter", "bpcer"} {
		// 95 % less three standard errors; Newcombe's interval is no exact one.
		if held[name] < draws*92/100 {
			t.Errorf("%s: the interval held the truth %d times of %d", name, held[name], draws)
		}
	}
}

func squash(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// invented are made-up presentations of all kinds.
func invented() (Setup, []Presentation) {
	setup := Setup{
		Version: "v1", JudgedBy: "texture", Level: "sequence", Threshold: 0.5,
		Models:  map[string]string{"face": "0123456789ab", "texture": "ba9876543210"},
		Species: map[string]string{"print": "data/print", "screen <b>": "data/screen <b>", "mask": "data/mask"},
	}
	var ps []Presentation
	add := func(c Class, species string, scores ...float64) {
		for i, s := range scores {
			p := Presentation{Path: species + "/" + strconv.Itoa(i), Class: c, Species: species, Scored: s >= 0, Score: s, Frames: 10, Of: 10}
			if !p.Scored {
				p.Score, p.Frames, p.Reason = 0, 0, "no_face"
			}
			ps = append(ps, p)
		}
	}
	add(BonaFide, "", 0.9, 0.8, 0.95, 0.5, 0.45, 0.99, 0.7, 0.6, -1, 0.85)
	add(Attack, "print", 0.1, 0.2, 0.05, 0.3, 0.01)
	add(Attack, "screen <b>", 0.1, 0.5, 0.7, 0.3, -1)
	add(Attack, "mask", -1, -1)
	return setup, ps
}

// Ensure every rate of a small evaluation, worked out by hand.
func TestJudge(t *testing.T) {
	r, err := Judge(invented())
	if err != nil {
		t.Fatal(err)
	}
	if r.Presentations != (Counts{Total: 22, BonaFide: 10, Attack: 12}) {
		t.Errorf("presentations %+v", r.Presentations)
	}
	for _, tt := range []struct {
		name       string
		p          Proportion
		errors, of int
	}{
		{"BPCER: one of nine is below", r.BPCER, 1, 9},
		{"print: none", r.APCER["print"], 0, 5},
		{"screen: two of four, at the threshold counts", r.APCER["screen <b>"], 2, 4},
		{"worst", r.APCERMax.Proportion, 2, 4},
		{"pooled", r.APCERPooled, 2, 9},
		{"silent people", r.NonResponse.BonaFide, 1, 10},
		{"silent attacks", r.NonResponse.Attack, 3, 12},
	} {
		if tt.p.Errors != tt.errors || tt.p.Of != tt.of || tt.p.Rate != float64(tt.errors)/float64(tt.of) {
			t.Errorf("%s: %+v, want %d of %d", tt.name, tt.p, tt.errors, tt.of)
		}
	}
	if want := (2.0/4 + 1.0/9) / 2; math.Abs(r.ACER.Rate-want) > 1e-12 {
		t.Errorf("ACER %v, want %v", r.ACER.Rate, want)
	}
	if want := (2.0/9 + 1.0/9) / 2; math.Abs(r.HTER.Rate-want) > 1e-12 {
		t.Errorf("HTER %v, want %v", r.HTER.Rate, want)
	}
	// At 0.6, 1 of 9 attacks passes and 2 of 9 people are refused; at 0.5, 2
	// and 1: the lines cross half-way.
	if want := 1.5 / 9; math.Abs(r.EER.Rate-want) > 1e-12 {
		t.Errorf("EER %v, want %v", r.EER.Rate, want)
	}
	if r.APCERMax.Species != "screen <b>" || r.Species[0].Name != "screen <b>" || r.Species[2].Name != "mask" || r.Species[2].APCER != nil {
		t.Errorf("worst is %q, order %+v", r.APCERMax.Species, r.Species)
	}
	if _, has := r.APCER["mask"]; has {
		t.Error("a species without a score has an APCER")
	}
	first, last := r.Points[0], r.Points[len(r.Points)-1]
	if first.APCER != 1 || first.BPCER != 0 || last.APCER != 0 || last.BPCER != 1 {
		t.Errorf("the curve goes from %+v to %+v", first, last)
	}
}

// Ensure that nobody gets a report that says nothing.
func TestJudgeRefuses(t *testing.T) {
	person, photo := Presentation{Class: BonaFide, Scored: true, Score: 0.9}, Presentation{Class: Attack, Species: "print", Scored: true}
	silent := Presentation{Class: BonaFide, Reason: "too_dark"}
	wild := person
	wild.Score = math.NaN()
	stranger := photo
	stranger.Species = "unheard of"
	tests := []struct {
		name      string
		threshold float64
		ps        []Presentation
		want      string
	}{
		{"nothing", 0.5, nil, "no bona fide"},
		{"no attack", 0.5, []Presentation{person}, "no attack"},
		{"nobody answered", 0.5, []Presentation{silent, silent, photo}, "too_dark 2"},
		{"not a number", 0.5, []Presentation{wild, photo}, "NaN"},
		{"species", 0.5, []Presentation{person, stranger}, "unheard of"},
		{"no class", 0.5, []Presentation{{Scored: true}}, "not known"},
		{"threshold 0", 0, []Presentation{person, photo}, "threshold"},
		{"threshold NaN", math.NaN(), []Presentation{person, photo}, "threshold"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Judge(Setup{Threshold: tt.threshold, Species: map[string]string{"print": "p"}}, tt.ps)
			if r != nil || !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, %v", r, err)
			}
		})
	}
}

// Ensure that the curve is bounded and only falls and rises.
func TestPoints(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	bona, attack := &group{}, &group{}
	for range 2000 {
		bona.scores = append(bona.scores, rng.Float64())
		attack.scores = append(attack.scores, rng.Float64()*0.9)
	}
	bona.sort()
	attack.sort()
	ps := points(bona, attack, map[string]*group{"x": attack, "silent": {silent: 1}})
	if len(ps) != maxPoints || ps[0].APCER != 1 || ps[len(ps)-1].BPCER != 1 {
		t.Errorf("%d points from %+v to %+v", len(ps), ps[0], ps[len(ps)-1])
	}
	for i, p := range ps[1:] {
		if q := ps[i]; p.Threshold <= q.Threshold || p.APCER > q.APCER || p.BPCER < q.BPCER || p.APCERMax != p.APCER {
			t.Fatalf("%+v after %+v", p, q)
		}
	}
}

// Ensure that the shapes that others read do not change unnoticed.
func TestGoldens(t *testing.T) {
	setup, ps := invented()
	r, err := Judge(setup, ps)
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(io.Writer) error{
		"report.json": r.WriteJSON,
		"report.txt":  r.WriteText,
		"scores.csv":  func(w io.Writer) error { return WriteScores(w, ps) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, b.Bytes()) {
			t.Errorf("%s differs; -update writes it anew:\n%s", golden, b.Bytes())
		}
	}
}

// Ensure that the list of scores gives every rate again.
func TestScoresSuffice(t *testing.T) {
	setup, ps := invented()
	want, err := Judge(setup, ps)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteScores(&b, ps); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var again []Presentation
	for _, l := range lines[1:] {
		p := Presentation{Path: l[0], Class: Class(l[1]), Species: l[2], Scored: l[3] != "", Reason: l[5]}
		if p.Scored {
			if p.Score, err = strconv.ParseFloat(l[3], 64); err != nil {
				t.Fatal(err)
			}
		}
		again = append(again, p)
	}
	got, err := Judge(setup, again)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(want)
	c, _ := json.Marshal(got)
	if !bytes.Equal(a, c) {
		t.Errorf("%s\n%s", a, c)
	}
}

// Ensure that the page is well-formed, needs nothing from outside, and that a
// folder's name cannot put anything into it.
func TestHTML(t *testing.T) {
	setup, ps := invented()
	for _, threshold := range []float64{0.001, 0.5, 0.9, 1} {
		setup.Threshold = threshold
		r, err := Judge(setup, ps)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"<b>", "NaN", "Inf", "src=", "href=", "url(", "<script", "%!"} {
			if strings.Contains(b.String(), bad) {
				t.Errorf("threshold %v: the page has %q in it", threshold, bad)
			}
		}
		d := xml.NewDecoder(&b)
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		open, seen := 0, map[string]int{}
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("threshold %v: %v", threshold, err)
			}
			switch e := tok.(type) {
			case xml.StartElement:
				open++
				seen[e.Name.Local]++
			case xml.EndElement:
				open--
			}
		}
		if open != 0 || seen["svg"] != 2 || seen["desc"] != 2 || seen["table"] != 1 || seen["circle"] != 3 {
			t.Errorf("threshold %v: %d left open, %v", threshold, open, seen)
		}
	}
}

// Ensure the scale of the plots.
func TestRoundUp(t *testing.T) {
	for v, want := range map[float64]float64{0.02: 0.02, 0.021: 0.05, 0.5: 0.5, 0.51: 1, 1: 1, 0.11: 0.2, 0.001: 0.001} {
		if got := roundUp(v); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v: %v, want %v", v, got, want)
		}
	}
	if a, b := probit(0.5), probit(0.975); math.Abs(a) > 1e-12 || math.Abs(b-1.959964) > 1e-6 {
		t.Errorf("probit %v, %v", a, b)
	}
	if detPlace(0) != 0 || detPlace(1) != 1 || detPlace(0.01) >= detPlace(0.02) {
		t.Error("places on the axis")
	}
	if shorten("äöüß", 3) != "äö…" || shorten("abc", 3) != "abc" {
		t.Error("shorten")
	}
}

// Ensure that directions are counted where the truth is known, and only there.
func TestDirections(t *testing.T) {
	ps := []Presentation{
		{Class: BonaFide, Scored: true, Score: 0.9, Truth: 360, Turned: 40},     // right, a little up
		{Class: BonaFide, Scored: true, Score: 0.9, Truth: 90, Turned: 136},     // 46 degrees off
		{Class: BonaFide, Scored: true, Score: 0.1, Truth: 180, Turned: 360},    // the other way
		{Class: BonaFide, Reason: "no_movement", Truth: 270},                    // not seen
		{Class: BonaFide, Scored: true, Score: 0.9, Turned: 10},                 // not known
		{Class: Attack, Species: "print", Scored: true, Score: 0.2, Turned: 20}, // not known
	}
	setup := Setup{Threshold: 0.5, JudgedBy: "motion", Level: "sequence", Species: map[string]string{"print": "p"}}
	r, err := Judge(setup, ps)
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Direction; d == nil || d.Wrong.Errors != 3 || d.Wrong.Of != 4 || d.Opposite != 1 || d.Unseen != 1 {
		t.Errorf("%+v", d)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "direction wrong") {
		t.Errorf("%v: %s", err, text.String())
	}
	for i := range ps {
		ps[i].Truth = 0
	}
	if r, err = Judge(setup, ps); err != nil || r.Direction != nil {
		t.Errorf("without a truth: %+v, %v", r.Direction, err)
	}
	ps[0].Truth = 361
	if _, err = Judge(setup, ps); err == nil {
		t.Error("a direction of 361 degrees is accepted")
	}
}
