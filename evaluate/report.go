package evaluate

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"
)

// Report is an evaluation in the terms of ISO/IEC 30107-3. Its JSON form is
// stable: keys are added, never renamed. Rates are shares, 0 to 1.
//
//   - BPCER: people who were refused (bona fide presentation classification
//     error rate).
//   - APCER: attacks that passed, for each species of attack by itself. APCERMax
//     is the worst species, and the one to quote.
//   - ACER: (APCERMax + BPCER) / 2.
//   - HTER: (APCERPooled + BPCER) / 2, with all attacks in one.
//   - EER: where BPCER and the pooled APCER are equal.
//   - AUC: how often a person scores higher than an attack.
//   - NonResponse: presentations without a score (BPNRR and APNRR); they are in
//     none of the other rates.
//   - Direction: how often heads were seen to turn where they truly did.
//   - Calibration: how these presentations would move the border.
type Report struct {
	Version       string                `json:"version"`
	JudgedBy      string                `json:"judged_by"`
	Level         string                `json:"level"`
	Gate          bool                  `json:"gate"`
	Models        map[string]string     `json:"models"`
	Threshold     float64               `json:"threshold"`
	Presentations Counts                `json:"presentations"`
	BPCER         Proportion            `json:"bpcer"`
	APCER         map[string]Proportion `json:"apcer"` // by species; one without any score is not in it
	APCERMax      Worst                 `json:"apcer_max"`
	APCERPooled   Proportion            `json:"apcer_pooled"`
	ACER          Estimate              `json:"acer"`
	HTER          Estimate              `json:"hter"`
	EER           Equal                 `json:"eer"`
	AUC           Estimate              `json:"auc"`
	NonResponse   NonResponse           `json:"non_response"`
	Direction     *Direction            `json:"direction,omitempty"`   // nil where no turn is known
	Calibration   *Calibration          `json:"calibration,omitempty"` // nil where nobody asked for it; to be set before the report is written
	Species       []Species             `json:"species"`               // worst first
	Points        []Point               `json:"points"`                // by threshold, ascending

	bona, attack *group
	species      map[string]*group
}

// Counts is how many presentations there were, those without a score included.
type Counts struct {
	Total    int `json:"total"`
	BonaFide int `json:"bona_fide"`
	Attack   int `json:"attack"`
}

// Worst is the species with the highest APCER.
type Worst struct {
	Species string `json:"species"`
	Proportion
}

// NonResponse counts presentations without a score.
type NonResponse struct {
	BonaFide        Proportion     `json:"bona_fide"`
	Attack          Proportion     `json:"attack"`
	BonaFideReasons map[string]int `json:"bona_fide_reasons"`
	AttackReasons   map[string]int `json:"attack_reasons"`
}

// Species is one kind of attack.
type Species struct {
	Name          string         `json:"name"`
	Path          string         `json:"path"`
	Presentations int            `json:"presentations"`
	APCER         *Proportion    `json:"apcer"` // null when none of them has a score
	NonResponse   Proportion     `json:"non_response"`
	Reasons       map[string]int `json:"reasons"` // of the non-responses
}

// newReport computes every number. The groups are sorted; bona and attack have
// scores.
func newReport(setup Setup, bona, attack *group, species map[string]*group) *Report {
	t := setup.Threshold
	r := &Report{
		Version: setup.Version, JudgedBy: setup.JudgedBy, Level: setup.Level, Gate: setup.Gate,
		Models: orEmpty(setup.Models), Threshold: t,
		Presentations: Counts{Total: bona.all() + attack.all(), BonaFide: bona.all(), Attack: attack.all()},
		BPCER:         proportion(bona.below(t), len(bona.scores)),
		APCER:         map[string]Proportion{},
		APCERPooled:   proportion(attack.atLeast(t), len(attack.scores)),
		EER:           equal(bona, attack),
		AUC:           rank(bona, attack),
		NonResponse: NonResponse{
			BonaFide: proportion(bona.silent, bona.all()), BonaFideReasons: orEmpty(bona.reasons),
			Attack: proportion(attack.silent, attack.all()), AttackReasons: orEmpty(attack.reasons),
		},
		Points: points(bona, attack, species),
		bona:   bona, attack: attack, species: species,
	}
	for name, g := range species {
		if g.all() == 0 {
			continue
		}
		s := Species{
			Name: name, Path: setup.Species[name], Presentations: g.all(),
			NonResponse: proportion(g.silent, g.all()), Reasons: orEmpty(g.reasons),
		}
		if len(g.scores) > 0 {
			p := proportion(g.atLeast(t), len(g.scores))
			s.APCER, r.APCER[name] = &p, p
		}
		r.Species = append(r.Species, s)
	}
	slices.SortFunc(r.Species, worse)
	worst := r.Species[0]
	r.APCERMax = Worst{Species: worst.Name, Proportion: *worst.APCER}
	r.ACER = halfSum(slices.Collect(maps.Values(r.APCER)), r.BPCER)
	r.HTER = halfSum([]Proportion{r.APCERPooled}, r.BPCER)
	return r
}

// worse orders species by APCER, highest first, those without one last; of
// equal ones, that with more presentations, which says more, comes first.
func worse(a, b Species) int {
	rate := func(s Species) float64 {
		if s.APCER == nil {
			return -1
		}
		return s.APCER.Rate
	}
	return cmp.Or(cmp.Compare(rate(b), rate(a)), cmp.Compare(b.Presentations, a.Presentations), cmp.Compare(a.Name, b.Name))
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// WriteJSON writes r as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // names are for people to read
	e.SetIndent("", "  ")
	return e.Encode(r)
}
