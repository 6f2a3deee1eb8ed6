//go:build matprofile

package pipeline

import (
	"bytes"
	"testing"

	"gocv.io/x/gocv"

	"livenessd"
)

// Every Mat is closed, whatever the way through Analyze. Run with -tags matprofile.
func TestNoMatsLeft(t *testing.T) {
	p := open(t)
	before := gocv.MatProfile.Count()
	for _, path := range some(t, 5, shared(t, "data", "nuaa-train"), "Client", "*", "*.jpg") {
		if _, err := p.Analyze(fileFrame(t, path)); err != nil {
			t.Error(err)
		}
		var c Cutout
		if _, err := p.AnalyzeWith(fileFrame(t, path), Need{Cutout: &c}); err != nil {
			t.Error(err)
		}
		if _, err := Track(&c, &c); err != nil {
			t.Error(err)
		}
	}
	if _, err := p.Analyze(livenessd.Frame{Format: livenessd.MJPEG, Data: asJPEG(t, corners())}); err != nil {
		t.Error(err)
	}
	if _, err := p.Analyze(livenessd.Frame{Format: livenessd.MJPEG, Data: asJPEG(t, corners())[:200]}); err == nil {
		t.Error("half a picture was analysed")
	}
	if n := gocv.MatProfile.Count(); n != before || n != 0 {
		var b bytes.Buffer
		must(t, gocv.MatProfile.WriteTo(&b, 1))
		t.Errorf("%d Mats open, %d before\n%s", n, before, b.String())
	}
}
