package pipeline

import (
	"strings"
	"testing"

	"livenessd/models"
)

// Ensure that a trial tells a network that runs from one that does not, and
// says in one line what is wrong.
func TestTrial(t *testing.T) {
	classes := models.AttributeNames
	wrong := func(edit func(n *models.Network)) models.Network {
		n := small(t, "colours", models.RoleAttributes, classes...)
		edit(&n)
		return n
	}
	for _, c := range []struct {
		name string
		n    models.Network
		want string // part of the sentence, "" for none
	}{
		{"attributes", small(t, "colours", models.RoleAttributes, classes...), ""},
		{"texture", small(t, "colours", models.RoleTexture, "live", "a", "b", "c", "d"), ""},
		{"not a number", small(t, "nan", models.RoleTexture, "live", "a"), "not finite"},
		{"a layer that OpenCV does not have", small(t, "no-such-op", models.RoleTexture, "live", "a"), `"Einsum"`},
		{"too many logits", small(t, "colours", models.RoleAttributes, "mask", "hat"), "cannot be run"},
		{"no live class", small(t, "colours", models.RoleTexture, classes...), "no live class"},
		{"not a face network", small(t, "colours", models.RoleFace, classes...), "outputs"},
		{"other input", wrong(func(n *models.Network) { n.Input.Name = "picture" }), "cannot be run"},
		{"other output", wrong(func(n *models.Network) { n.Outputs[0].Name = "logits" }), "cannot be run"},
		{"cut off", wrong(func(n *models.Network) { n.Data = n.Data[:len(n.Data)/2] }), "cannot be loaded"},
		{"no runtime", wrong(func(n *models.Network) { n.Runtime = "" }), "runtime"},
		{"no data", wrong(func(n *models.Network) { n.Data = nil }), "no data"},
		{"no role", wrong(func(n *models.Network) { n.Role = "" }), "role"},
	} {
		trial, err := NewTrial(c.n)
		if err == nil {
			if err = trial.Feed(); err == nil {
				err = trial.Forward()
			}
			trial.Close()
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n")):
			t.Errorf("%s: %v, want one line with %q", c.name, err, c.want)
		}
	}
}

func TestPlainly(t *testing.T) {
	said := "OpenCV(4.6.0) ./modules/dnn/src/onnx/onnx_importer.cpp:1040: error: (-2:Unspecified error) in function 'handleNode'\n" +
		"> Node [Einsum@ai.onnx]:(a!b) parse error: OpenCV(4.6.0) ./modules/dnn/src/layer_internals.hpp:110: error: (-2:Unspecified error) " +
		"Can't create layer \"a!b\" of type \"Einsum\" in function 'getLayerInstance'\n"
	if got, want := plainly(said), `> Node [Einsum@ai.onnx]:(a!b) parse error: Can't create layer "a!b" of type "Einsum"`; got != want {
		t.Errorf("%s", got)
	}
}
