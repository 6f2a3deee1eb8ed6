package evaluate

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"livenessd"
)

// Ensure how far a presentation is said to lie above the border.
func TestMargin(t *testing.T) {
	at := squash
	tests := []struct {
		name      string
		looks     []Look
		threshold float64
		want      float64
	}{
		{"one look", []Look{{at(2), 1}}, 0.5, 2},
		{"below", []Look{{at(-3), 0.2}}, 0.5, -3},
		{"another threshold", []Look{{at(2), 1}}, at(0.5), 1.5},
		{"two alike about the middle", []Look{{at(1), 1}, {at(5), 1}}, 0.5, 3},
		{"the better one counts more", []Look{{at(1), 1}, {at(5), 1e9}}, 0.5, 5},
		{"sure of people", []Look{{1, 1}}, 0.5, certain},
		{"sure of an attack", []Look{{0, 1}}, 0.5, -certain},
	}
	for _, tt := range tests {
		if got := margin(tt.looks, tt.threshold); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// door invents n presentations each of people, prints and screens, whose log
// odds lie half a unit about those given.
func door(n int, people, prints, screens float64) (Setup, []Presentation) {
	setup := Setup{Level: "sequence", Threshold: 0.5, Species: map[string]string{"print": "p", "screen": "s"}}
	var ps []Presentation
	for i := range n {
		off := (float64(i)+0.5)/float64(n) - 0.5
		for _, k := range []struct {
			class   Class
			species string
			z       float64
		}{{BonaFide, "", people}, {Attack, "print", prints}, {Attack, "screen", screens}} {
			v := logistic(k.z + off)
			ps = append(ps, Presentation{Class: k.class, Species: k.species, Scored: true, Score: v, Looks: []Look{{v, 1}}})
		}
	}
	return setup, ps
}

// Ensure where the border moves.
func TestCalibrate(t *testing.T) {
	tests := []struct {
		name                    string
		n                       int
		people, prints, screens float64
		low, high               float64 // of the shift
		errors                  int     // of people, with it
	}{
		{"right as it is", 100, 4, -4, -4, -0.05, 0.05, 0},
		{"people far below", 100, -2, -10, -10, 4.5, 6.1, 0},
		{"attacks far above", 100, 10, 2, 2, -6.1, -4.5, 0},
		{"few move it less", 10, -2, -10, -10, 2, 4.5, 0},
		{"one species is as good as the people", 200, 5, -5, 5, -5.5, -3, 0},
	}
	for _, tt := range tests {
		setup, ps := door(tt.n, tt.people, tt.prints, tt.screens)
		c, err := Calibrate(setup, ps)
		if err != nil {
			t.Fatal(err)
		}
		if c.Shift < tt.low || c.Shift > tt.high || !(c.ShiftLow < c.Shift && c.Shift < c.ShiftHigh) {
			t.Errorf("%s: moves by %v (%v to %v), want %v to %v", tt.name, c.Shift, c.ShiftLow, c.ShiftHigh, tt.low, tt.high)
		}
		if c.BPCER.Errors != tt.errors || c.BPCER.Of != tt.n || c.APCERPooled.Of != 2*tt.n {
			t.Errorf("%s: %+v", tt.name, c)
		}
		slices.Reverse(ps)
		if again, err := Calibrate(setup, ps); err != nil || math.Abs(again.Shift-c.Shift) > 1e-9 {
			t.Errorf("%s: the order moves %v to %v, %v", tt.name, c.Shift, again, err)
		}
	}
}

// Ensure that no other border costs less, and that how well it is known is the
// curvature of the cost.
func TestBorderIsLeast(t *testing.T) {
	bona, attacks := []float64{3, 1, -0.5, 4}, map[string][]float64{"a": {-2, 0.3}, "b": {-6, 2, -1}}
	cost := func(t float64) float64 {
		sum := t * t / 2 / (doorsDiffer * doorsDiffer)
		for _, m := range bona {
			sum += 4 * math.Log1p(math.Exp(t-m)) / 4
		}
		for _, ms := range attacks {
			for _, m := range ms {
				sum += 4 * math.Log1p(math.Exp(m-t)) / float64(2*len(ms))
			}
		}
		return sum
	}
	at, spread := border(bona, attacks, 4)
	const h = 1e-3
	if cost(at) > cost(at-h) || cost(at) > cost(at+h) {
		t.Errorf("%v costs %v; beside it %v and %v", at, cost(at), cost(at-h), cost(at+h))
	}
	if curve := (cost(at-h) - 2*cost(at) + cost(at+h)) / h / h; math.Abs(1/math.Sqrt(curve)-spread) > 1e-3 {
		t.Errorf("spread %v, curvature %v", spread, curve)
	}
}

// Ensure that nothing is made of too little.
func TestCalibrateRefuses(t *testing.T) {
	setup, few := door(9, 3, -3, -3)
	if _, err := Calibrate(setup, few); !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), "9 bona fide and 18 attack") {
		t.Error(err)
	}
	setup, blind := door(10, 3, -3, -3)
	blind[0].Looks, blind[0].Path = nil, "visitor/7"
	if _, err := Calibrate(setup, blind); !errors.Is(err, livenessd.ErrInvalid) || !strings.Contains(err.Error(), "visitor/7") {
		t.Error(err)
	}
}
