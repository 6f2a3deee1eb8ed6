package evaluate

import (
	"encoding/csv"
	"io"
	"strconv"
)

// WriteScores writes ps as CSV, one presentation a line, under the heading
// path,class,species,score,frames,reason: enough to compute every rate again.
// score is empty for a non-response, reason for all others; frames is how many
// pictures gave the score.
func WriteScores(w io.Writer, ps []Presentation) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"path", "class", "species", "score", "frames", "reason"}); err != nil {
		return err
	}
	for i := range ps {
		p := &ps[i]
		score, reason := "", p.Reason
		if p.Scored {
			score, reason = strconv.FormatFloat(p.Score, 'g', -1, 64), ""
		}
		if err := c.Write([]string{p.Path, string(p.Class), p.Species, score, strconv.Itoa(p.Frames), reason}); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}
