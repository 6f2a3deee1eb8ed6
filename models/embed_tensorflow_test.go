//go:build tensorflow

package models

import (
	"reflect"
	"testing"
)

// The texture networks for TensorFlow are those of set.json in another file:
// they see and say the same, and are judged in the same way.
func TestTensorFlowSet(t *testing.T) {
	if variant == nil {
		t.Skip("SKIPPED, not tested: models/tensorflow holds no set.json; models/train/savedmodel.py makes it of the project's own texture networks")
	}
	base, err := parse(builtin)
	must(t, err)
	own, err := parse(variant)
	must(t, err)
	if own.Face != nil || own.Attributes != nil || len(own.Texture) != len(base.Texture) {
		t.Fatalf("it names other networks than the %d for texture", len(base.Texture))
	}
	for i, s := range own.Texture {
		data, err := embedded(s.File)
		must(t, err)
		must(t, verify(data, s))
		if s.Runtime != RuntimeTensorFlow || s.Input.Layout != LayoutNHWC {
			t.Errorf("%s: runtime %s, layout %s", s.Name, s.Runtime, s.Input.Layout)
		}
		want := base.Texture[i]
		s.File, s.SHA256, s.Runtime = want.File, want.SHA256, want.Runtime
		s.Input.Name, s.Input.Layout = want.Input.Name, want.Input.Layout
		for k := range s.Outputs {
			s.Outputs[k].Name = want.Outputs[k].Name
		}
		if !reflect.DeepEqual(s, want) {
			t.Errorf("tensorflow/%s has\n%+v\n%s says\n%+v\nrun models/train/savedmodel.py", SetFile, s, SetFile, want)
		}
	}
	own.Fusion.Networks = base.Fusion.Networks
	if !reflect.DeepEqual(own.Fusion, base.Fusion) {
		t.Errorf("fusion is\n%+v\n%s says\n%+v\nrun models/train/savedmodel.py", *own.Fusion, SetFile, *base.Fusion)
	}
}
