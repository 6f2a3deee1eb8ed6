package evaluate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteText writes r as a table for a terminal, the worst species in front.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d bona fide and %d attack presentations, judged by %s at threshold %.4g\n\n",
		r.Presentations.BonaFide, r.Presentations.Attack, r.JudgedBy, r.Threshold)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\trate\t95 % interval\terrors\t\n")
	for _, row := range r.rows() {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", row.Name, row.Rate, row.Interval, row.Errors, row.Note)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	b.WriteString("\n" + strings.Join(r.settings(), "\n") + "\n")
	_, err := io.WriteString(w, trimLines(b.String()))
	return err
}

// trimLines takes away the spaces that the table leaves at the ends of lines.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// row is one line of the table, as text.
type row struct {
	Name, Rate, Interval, Errors, Note string // exported for the page's template
}

// rows are the lines of the table, in the order in which they are shown.
func (r *Report) rows() []row {
	var rows []row
	for i, s := range r.Species {
		note := ""
		if i == 0 && len(r.Species) > 1 {
			note = "worst species"
		}
		if s.APCER == nil {
			rows = append(rows, row{"APCER " + s.Name, "-", "-", "0 of 0", "no response: " + list(s.Reasons)})
			continue
		}
		rows = append(rows, proportionRow("APCER "+s.Name, *s.APCER, note))
	}
	rows = append(rows,
		proportionRow("APCER pooled", r.APCERPooled, "all species together"),
		proportionRow("BPCER", r.BPCER, "people refused"),
		estimateRow("ACER", r.ACER, "mean of worst APCER and BPCER"),
		estimateRow("HTER", r.HTER, "mean of pooled APCER and BPCER"),
		estimateRow("EER", r.EER.Estimate, fmt.Sprintf("at threshold %.4g", r.EER.Threshold)),
		row{"AUC", fmt.Sprintf("%.4f", r.AUC.Rate), fmt.Sprintf("%.4f to %.4f", r.AUC.Low, r.AUC.High), "", "how often people score higher than attacks"},
		proportionRow("no response, people", r.NonResponse.BonaFide, list(r.NonResponse.BonaFideReasons)),
		proportionRow("no response, attacks", r.NonResponse.Attack, list(r.NonResponse.AttackReasons)),
	)
	if d := r.Direction; d != nil {
		rows = append(rows, proportionRow("direction wrong", d.Wrong, fmt.Sprintf("by more than 45 degrees; %d by more than 90, %d not seen to turn", d.Opposite, d.Unseen)))
	}
	return rows
}

func proportionRow(name string, p Proportion, note string) row {
	return row{name, percent(p.Rate), percent(p.Low) + " to " + percent(p.High), fmt.Sprintf("%d of %d", p.Errors, p.Of), note}
}

func estimateRow(name string, e Estimate, note string) row {
	return row{name, percent(e.Rate), percent(e.Low) + " to " + percent(e.High), "", note}
}

func percent(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) }

// settings says in sentences how the numbers were made.
func (r *Report) settings() []string {
	s := []string{"Each picture is a presentation."}
	if r.Level == "sequence" {
		s[0] = "A folder of pictures is one presentation, its score the mean over its pictures, better ones counting more."
		if r.JudgedBy == "motion" {
			s[0] = "A folder of two or more pictures is one presentation."
		}
	}
	if r.JudgedBy == "texture" {
		if r.Gate {
			s = append(s, "Pictures of poor quality were not scored, as at the kiosk (-gate).")
		} else {
			s = append(s, "Every picture with a face was scored, whatever its quality (no -gate).")
		}
	}
	s = append(s, "Presentations without a score are in none of the rates but \"no response\".")
	made := "livenessd " + r.Version
	for _, role := range slices.Sorted(maps.Keys(r.Models)) {
		made += fmt.Sprintf(", %s networks %s", role, r.Models[role])
	}
	s = append(s, made+".")
	if r.Calibration != nil {
		s = append(s, r.Calibration.sentences()...)
	}
	return s
}
