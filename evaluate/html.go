package evaluate

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Parse(page))

// WriteHTML writes r as one page that needs nothing from outside: the table,
// the DET curve and the histograms.
func (r *Report) WriteHTML(w io.Writer) error {
	data := struct {
		Report      *Report
		Front, Rows []row
		DET, Hist   template.HTML
		Settings    []string
	}{
		Report: r,
		Front: []row{
			proportionRow("APCER, worst: "+r.APCERMax.Species, r.APCERMax.Proportion, "attacks pass"),
			proportionRow("BPCER", r.BPCER, "people refused"),
			estimateRow("ACER", r.ACER, "mean of the two"),
			estimateRow("EER", r.EER.Estimate, "all species together"),
		},
		Rows: r.rows(),
		DET:  r.det(), Hist: r.histograms(), Settings: r.settings(),
	}
	return pageTemplate.Execute(w, data)
}
