package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"livenessd"
)

// types maps the document's schemas to what is encoded.
var types = map[string]reflect.Type{
	"Session":     reflect.TypeFor[livenessd.Session](),
	"Result":      reflect.TypeFor[livenessd.Result](),
	"Stage":       reflect.TypeFor[livenessd.Stage](),
	"Measure":     reflect.TypeFor[livenessd.Measure](),
	"Camera":      reflect.TypeFor[livenessd.Camera](),
	"Event":       reflect.TypeFor[livenessd.Event](),
	"ResultPage":  reflect.TypeFor[resultPage](),
	"ReadyReason": reflect.TypeFor[Reason](),
	"Readiness":   reflect.TypeFor[readyBody](),
	"Health":      reflect.TypeFor[healthBody](),
	"Error":       reflect.TypeFor[errorBody](),
	"ErrorDetail": reflect.TypeFor[errorDetail](),

	"VerihubsAnswer":      reflect.TypeFor[verihubsAnswer](),
	"VerihubsLiveness":    reflect.TypeFor[verihubsLiveness](),
	"VerihubsBox":         reflect.TypeFor[verihubsBox](),
	"VerihubsLandmarks":   reflect.TypeFor[verihubsLandmarks](),
	"VerihubsQuality":     reflect.TypeFor[verihubsImageScore](),
	"VerihubsAttributes":  reflect.TypeFor[verihubsAttributes](),
	"GLAIRAnswer":         reflect.TypeFor[glairAnswer](),
	"GLAIRResult":         reflect.TypeFor[glairResult](),
	"GLAIRFault":          reflect.TypeFor[glairFault](),
	"GLAIRDenied":         reflect.TypeFor[glairDenied](),
	"TrustmaticAnswer":    reflect.TypeFor[trustmaticAnswer](),
	"BioIDResult":         reflect.TypeFor[bioidResult](),
	"BioIDError":          reflect.TypeFor[bioidError](),
	"BioIDSample":         reflect.TypeFor[bioidSample](),
	"BioIDEyeCenters":     reflect.TypeFor[bioidEyes](),
	"BioIDMessage":        reflect.TypeFor[bioidMessage](),
	"BWS3Answer":          reflect.TypeFor[bws3Answer](),
	"BWS3Error":           reflect.TypeFor[bws3Error](),
	"BWS3ImageProperties": reflect.TypeFor[bws3Property](),
	"BWS3Face":            reflect.TypeFor[bws3Face](),
	"BWS3Point":           reflect.TypeFor[bws3Point](),
	"BWS3Assessment":      reflect.TypeFor[bws3Assessment](),
	"BWS3Status":          reflect.TypeFor[bws3Status](),
}

// enums maps the document's closed lists to the nouns' types.
var enums = map[string]string{
	"SessionState": "SessionState", "Outcome": "Outcome", "Direction": "Direction",
	"Reason": "Reason", "EventType": "EventType", "Clock": "Clock",
}

// Ensure that each schema has exactly the fields that its type encodes, of
// the right kind, required where they are always there.
func TestSchemasMatchTypes(t *testing.T) {
	d := parseJoined(t)
	for name, s := range d.Components.Schemas {
		typ, isType := types[name]
		_, isEnum := enums[name]
		switch {
		case isType:
			matchStruct(t, d, name, s, typ)
		case !isEnum && !strings.HasSuffix(name, "Request"):
			t.Errorf("schema %s has no type here", name)
		}
	}
	for name := range types {
		if _, ok := d.Components.Schemas[name]; !ok {
			t.Errorf("type of %s has no schema", name)
		}
	}
}

func matchStruct(t *testing.T, d *openAPI, name string, s schema, typ reflect.Type) {
	t.Helper()
	encoded := make(map[string]bool)
	for i := range typ.NumField() {
		f := typ.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" {
			continue
		}
		encoded[tag] = true
		p, ok := s.Properties[tag]
		if !ok {
			t.Errorf("%s.%s is encoded and not documented", name, tag)
			continue
		}
		if always := !strings.Contains(options, "omit"); always != slices.Contains(s.Required, tag) {
			t.Errorf("%s.%s: always there: %t; the document differs", name, tag, always)
		}
		if got, want := d.kind(p), kindOf(f.Type); got != want {
			t.Errorf("%s.%s is documented as %s and encoded as %s", name, tag, got, want)
		}
	}
	for tag := range s.Properties {
		if !encoded[tag] {
			t.Errorf("%s.%s is documented and not encoded", name, tag)
		}
	}
}

// kind names what a schema allows; an object of the document by its name.
func (d *openAPI) kind(s schema) string {
	r := d.resolve(s)
	switch {
	case r.Type == "array":
		return "array of " + d.kind(*r.Items)
	case r.Type == "object":
		return strings.TrimPrefix(s.Ref, "#/components/schemas/")
	case r.Format != "":
		return r.Format
	case s.Ref != "":
		return enums[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	return string(r.Type)
}

// kindOf names what encoding/json makes of a type, in the words of kind.
func kindOf(t reflect.Type) string {
	for name, typ := range types {
		if t == typ {
			return name
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.Slice:
		return "array of " + kindOf(t.Elem())
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return "date-time"
		}
	case reflect.String:
		if t.PkgPath() != "" {
			return t.Name()
		}
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float64:
		return "number"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "integer"
	}
	return "unknown " + t.String()
}

// Ensure that the document's lists are the constants of the nouns, none less
// and none more.
func TestEnumsMatchConstants(t *testing.T) {
	d := parseDocument(t)
	file, err := parser.ParseFile(token.NewFileSet(), "../livenessd.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := make(map[string][]string)
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		typ, ok := v.Type.(*ast.Ident)
		lit, isLit := v.Values[0].(*ast.BasicLit)
		if ok && isLit && lit.Kind == token.STRING {
			s, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			constants[typ.Name] = append(constants[typ.Name], s)
		}
		return true
	})
	for name, typ := range enums {
		want, got := constants[typ], slices.Clone(d.Components.Schemas[name].Enum)
		slices.Sort(want)
		slices.Sort(got)
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s\ndocument  %v\nconstants %v", name, got, want)
		}
	}
}

// Ensure that the bounds the document gives are those of the decoders.
func TestBoundsMatchDecoders(t *testing.T) {
	d := parseDocument(t)
	q := d.Components.Schemas["SessionRequest"]
	if len(q.Properties) != 3 || q.AdditionalProperties == nil || *q.AdditionalProperties {
		t.Errorf("SessionRequest: %+v", q)
	}
	if n := q.Properties["reference"].MaxLength; n == nil || *n != maxReference {
		t.Errorf("reference: %v", n)
	}
	p := q.Properties["timeout_s"]
	if p.Minimum == nil || *p.Minimum != 1 || p.Maximum == nil || *p.Maximum != maxTimeout {
		t.Errorf("timeout_s: %+v", p)
	}
	found := 0
	for _, q := range d.Paths["/v1/results"]["get"].Parameters {
		found++
		switch q.Name {
		case "cursor":
			if q.Schema.MaxLength == nil || *q.Schema.MaxLength != maxCursor {
				t.Errorf("cursor: %+v", q.Schema)
			}
		case "limit":
			s := q.Schema
			if *s.Minimum != 1 || *s.Maximum != maxLimit || s.Default != float64(defaultLimit) {
				t.Errorf("limit: %+v", s)
			}
		case "order":
			if !slices.Equal(q.Schema.Enum, []string{"newest", "oldest"}) || q.Schema.Default != "newest" {
				t.Errorf("order: %+v", q.Schema)
			}
		default:
			t.Errorf("parameter %s is not one of ours", q.Name)
		}
	}
	if found != 3 {
		t.Errorf("%d parameters of /v1/results documented", found)
	}
}

// Ensure that every route of the server is in the document; the reverse is
// TestNative's.
func TestRoutesAreDocumented(t *testing.T) {
	d := parseDocument(t)
	s := &server{describing: &describing{}}
	documented := 0
	for _, methods := range d.Paths {
		documented += len(methods)
	}
	routes := append(s.native(), s.health(nil)...)
	for _, r := range routes {
		if _, ok := d.Paths[r.path][strings.ToLower(r.method)]; !ok {
			t.Errorf("%s %s is served and not documented", r.method, r.path)
		}
	}
	if documented != len(routes)+1 { // and GET /metrics, which may be absent
		t.Errorf("%d operations documented, %d served", documented, len(routes)+1)
	}
}
