package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// document describes the native API, dialectDocument what the dialects add to
// it or put in the place of something in it. Tests keep both equal to what is
// served.
var (
	//go:embed openapi.json
	document []byte
	//go:embed dialects.json
	dialectDocument []byte
	//go:embed docs.html
	docsPage string
)

// describing is the document as it is served, and as a page to be read.
type describing struct{ document, page []byte }

// newDescribing joins the documents of what is served.
func newDescribing(withDialects bool) (*describing, error) {
	d := &describing{document: document}
	if withDialects {
		joined, err := joinDocuments(document, dialectDocument)
		if err != nil {
			return nil, fmt.Errorf("api: join the documents: %w", err)
		}
		d.document = joined
	}
	page, err := docs(d.document)
	if err != nil {
		return nil, fmt.Errorf("api: draw the document: %w", err)
	}
	d.page = page
	return d, nil
}

func (d *describing) asJSON(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(d.document)
	return nil
}

// asPage is one page without scripts or anything from elsewhere.
func (d *describing) asPage(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_, _ = w.Write(d.page)
	return nil
}

// joinDocuments puts the members of added into own: those of objects are
// joined down to the single path, schema and response, which is replaced.
func joinDocuments(own, added []byte) ([]byte, error) {
	return joinObjects(own, added, 2)
}

func joinObjects(own, added []byte, depth int) ([]byte, error) {
	var a, b map[string]json.RawMessage
	if err := json.Unmarshal(own, &a); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(added, &b); err != nil {
		return nil, err
	}
	for name, v := range b {
		if old, both := a[name]; both && depth > 0 && name != "info" && old[0] == '{' && !strings.HasPrefix(name, "/") {
			joined, err := joinObjects(old, v, depth-1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			v = joined
		}
		a[name] = v
	}
	return json.Marshal(a)
}

// What follows is as much of OpenAPI 3.1 as the page shows.

type docFile struct {
	Info       struct{ Title, Version, Description string }
	Paths      map[string]map[string]docOperation
	Components struct {
		Schemas         map[string]docSchema
		Responses       map[string]docResponse
		SecuritySchemes map[string]struct{ Type, Scheme, In, Name string }
	}
}

type docOperation struct {
	Summary    string
	Security   []map[string][]string
	Parameters []struct {
		Name, In, Description string
		Schema                docSchema
	}
	RequestBody struct{ Content map[string]docContent }
	Responses   map[string]docResponse
}

type docResponse struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     map[string]struct{ Description string }
	Content     map[string]docContent
}

type docContent struct{ Schema docSchema }

type docSchema struct {
	Ref         string `json:"$ref"`
	Type        any
	Description string
	Required    []string
	Properties  map[string]docSchema
	Items       *docSchema
	Enum        []any
	OneOf       []docSchema
	Minimum     *float64
	Maximum     *float64
	MaxLength   *int
	Default     any
}

// docs draws the document.
func docs(document []byte) ([]byte, error) {
	var d docFile
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, err
	}
	t, err := template.New("docs").Funcs(template.FuncMap{
		"resolve": d.resolve, "kind": kindLink, "security": d.security, "upper": strings.ToUpper, "contains": slices.Contains[[]string],
	}).Parse(docsPage)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// resolve returns the response that r refers to.
func (d docFile) resolve(r docResponse) docResponse {
	if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
		return d.Components.Responses[name]
	}
	return r
}

// security says which credentials an operation asks for.
func (d docFile) security(o docOperation) string {
	var names []string
	for _, all := range o.Security {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			switch s := d.Components.SecuritySchemes[name]; s.Type {
			case "apiKey":
				names = append(names, s.Name)
			default:
				names = append(names, "Authorization: "+s.Scheme)
			}
		}
	}
	return strings.Join(names, ", ")
}

// kindLink says in a few words what a schema allows, with links to schemas
// that have names. All of its text is escaped.
func kindLink(s docSchema) template.HTML {
	escape := template.HTMLEscapeString
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return template.HTML(`<a href="#` + escape(name) + `">` + escape(name) + `</a>`)
	}
	if s.Items != nil {
		return "list of " + kindLink(*s.Items)
	}
	if len(s.OneOf) > 0 {
		var kinds []string
		for _, o := range s.OneOf {
			kinds = append(kinds, string(kindLink(o)))
		}
		return template.HTML(strings.Join(kinds, " or "))
	}
	words := []string{}
	switch t := s.Type.(type) {
	case string:
		words = append(words, escape(t))
	case []any:
		for _, x := range t {
			words = append(words, escape(fmt.Sprint(x)))
		}
	}
	text := strings.Join(words, " or ")
	number := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		text += ", " + number(*s.Minimum) + " to " + number(*s.Maximum)
	case s.MaxLength != nil:
		text += ", at most " + strconv.Itoa(*s.MaxLength) + " characters"
	}
	if s.Default != nil {
		text += ", default " + escape(fmt.Sprint(s.Default))
	}
	if len(s.Enum) > 0 {
		var values []string
		for _, e := range s.Enum {
			values = append(values, "<code>"+escape(fmt.Sprint(e))+"</code>")
		}
		text += ": " + strings.Join(values, ", ")
	}
	return template.HTML(text)
}
