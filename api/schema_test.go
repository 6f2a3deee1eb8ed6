package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// openAPI is as much of the document as the tests read.
type openAPI struct {
	OpenAPI    string
	Paths      map[string]map[string]operation
	Components struct {
		Schemas   map[string]schema
		Responses map[string]response
	}

	values map[string]bool // "Schema.property=value" of all listed values that were answered
}

type operation struct {
	OperationID string
	Parameters  []struct {
		Name, In string
		Schema   schema
	}
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
	Responses map[string]response
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     map[string]struct{}
	Content     map[string]struct{ Schema schema }
}

// typeName is a schema's type; of several, the first.
type typeName string

func (n *typeName) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*n = typeName(one)
		return nil
	}
	var several []string
	if err := json.Unmarshal(b, &several); err != nil || len(several) == 0 {
		return fmt.Errorf("type %s", b)
	}
	*n = typeName(several[0])
	return nil
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 typeName
	Format               string
	OneOf                []schema
	Required             []string
	Properties           map[string]schema
	Items                *schema
	Enum                 []string
	Minimum, Maximum     *float64
	MaxLength            *int
	Default              any
	AdditionalProperties *bool
}

func parseDocument(t *testing.T) *openAPI {
	t.Helper()
	return parseOpenAPI(t, document)
}

// parseJoined parses what is served when the dialects are.
func parseJoined(t *testing.T) *openAPI {
	t.Helper()
	b, err := joinDocuments(document, dialectDocument)
	if err != nil {
		t.Fatal(err)
	}
	return parseOpenAPI(t, b)
}

func parseOpenAPI(t *testing.T, b []byte) *openAPI {
	t.Helper()
	d := openAPI{values: make(map[string]bool)}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatalf("document: %v", err)
	}
	for _, methods := range d.Paths {
		for _, op := range methods {
			for status, r := range op.Responses {
				name, ok := strings.CutPrefix(r.Ref, "#/components/responses/")
				if !ok {
					continue
				}
				if op.Responses[status], ok = d.Components.Responses[name]; !ok {
					t.Fatalf("there is no response %s", name)
				}
			}
		}
	}
	return &d
}

func (d *openAPI) resolve(s schema) schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

// check returns how value, as encoding/json decodes into any, differs from s.
// It is stricter than JSON Schema in one point: a property nobody documented
// is a difference. An object schema without properties allows anything.
func (d *openAPI) check(s schema, value any, at string) []string {
	name := strings.TrimPrefix(s.Ref, "#/components/schemas/")
	s = d.resolve(s)
	if len(s.OneOf) > 0 {
		return d.checkOneOf(s, value, at)
	}
	wrong := func(want string) []string { return []string{fmt.Sprintf("%s: %v is not %s", at, value, want)} }
	switch s.Type {
	case "string":
		v, ok := value.(string)
		if !ok || s.Enum != nil && !slices.Contains(s.Enum, v) {
			return wrong(fmt.Sprint("a string ", s.Enum))
		}
		if _, err := time.Parse(time.RFC3339Nano, v); s.Format == "date-time" && err != nil {
			return wrong("a date-time")
		}
	case "number", "integer":
		v, ok := value.(float64)
		if !ok || s.Type == "integer" && v != float64(int64(v)) {
			return wrong("a " + string(s.Type))
		}
	case "boolean":
		if _, ok := value.(bool); !ok {
			return wrong("a boolean")
		}
	case "array":
		v, ok := value.([]any)
		if !ok {
			return wrong("an array")
		}
		var diffs []string
		for i, x := range v {
			diffs = append(diffs, d.check(*s.Items, x, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return diffs
	case "object":
		return d.checkObject(name, s, value, at)
	default:
		return []string{at + ": the document gives no type that this test knows"}
	}
	return nil
}

func (d *openAPI) checkOneOf(s schema, value any, at string) []string {
	fits := 0
	var diffs []string
	for _, one := range s.OneOf {
		if wrong := d.check(one, value, at); len(wrong) > 0 {
			diffs = append(diffs, wrong...)
		} else {
			fits++
		}
	}
	if fits == 1 {
		return nil
	}
	return append(diffs, fmt.Sprintf("%s: %d of the alternatives fit", at, fits))
}

func (d *openAPI) checkObject(schemaName string, s schema, value any, at string) []string {
	v, ok := value.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s: %v is not an object", at, value)}
	}
	if s.Properties == nil {
		return nil
	}
	var diffs []string
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			diffs = append(diffs, at+"."+name+": required and missing")
		}
	}
	for name, x := range v {
		p, ok := s.Properties[name]
		if !ok {
			diffs = append(diffs, at+"."+name+": not documented")
			continue
		}
		if text, ok := x.(string); ok && p.Enum != nil {
			d.values[schemaName+"."+name+"="+text] = true
		}
		diffs = append(diffs, d.check(p, x, at+"."+name)...)
	}
	return diffs
}

// Ensure that the validator the other tests rely on can say no.
func TestValidatorRefuses(t *testing.T) {
	d := parseDocument(t)
	good := `{"id":"a","state":"done","created":"2026-03-01T12:00:00Z","expires":"2026-03-01T12:00:00Z"}`
	for name, tc := range map[string]struct {
		body string
		want int
	}{
		"good":          {good, 0},
		"missing":       {strings.Replace(good, `"id":"a",`, ``, 1), 1},
		"unknown":       {strings.Replace(good, `"id"`, `"x":1,"id"`, 1), 1},
		"wrong type":    {strings.Replace(good, `"a"`, `1`, 1), 1},
		"not in enum":   {strings.Replace(good, `"done"`, `"gone"`, 1), 1},
		"not a time":    {strings.Replace(good, `2026-03-01T12:00:00Z`, `noon`, 1), 1},
		"not an object": {`[]`, 1},
	} {
		var v any
		if err := json.Unmarshal([]byte(tc.body), &v); err != nil {
			t.Fatal(err)
		}
		if diffs := d.check(d.Components.Schemas["Session"], v, "session"); len(diffs) != tc.want {
			t.Errorf("%s: %d differences, want %d: %v", name, len(diffs), tc.want, diffs)
		}
	}
}
