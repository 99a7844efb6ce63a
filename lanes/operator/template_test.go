package operator_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/operator"
)

func TestCompileTemplateRefuses(t *testing.T) {
	for path, code := range map[string]string{
		"":                operator.CodeForm,
		"users":           operator.CodeForm,
		"http://x/users":  operator.CodeForm,
		"/users?x=1":      operator.CodeCharacter,
		"/users#x":        operator.CodeCharacter,
		"//users":         operator.CodeSeparator,
		"/a//b":           operator.CodeSeparator,
		`/a\b`:            operator.CodeSeparator,
		"/a/../b":         operator.CodeDots,
		"/a/%2e%2e/b":     operator.CodeDots,
		"/{id}/{id}":      operator.CodeName,
		"/{Id}":           operator.CodeCharacter,
		"/{}":             operator.CodeCharacter,
		"/{id}.json":      operator.CodeCharacter,
		"/x{id}":          operator.CodeCharacter,
		"/{id":            operator.CodeCharacter,
		"/{a}{b}":         operator.CodeCharacter,
		"/a b":            operator.CodeCharacter,
		"/a;b/{id}":       operator.CodeCharacter,
		"/\uff0e\uff0e/x": operator.CodeLookalike,
	} {
		_, err := operator.CompileTemplate(path)
		if err == nil || fault.Of(err).Code != code {
			t.Errorf("%q: got %v, want %s", path, err, code)
		}
	}
}

func TestTemplateMatch(t *testing.T) {
	tests := []struct {
		template, path string
		params         map[string]string // nil: no match
	}{
		{"/health", "/health", map[string]string{}},
		{"/health", "/Health", nil},
		{"/health", "/health/", nil},
		{"/health/", "/health/", map[string]string{}},
		{"/health/", "/health", nil},
		{"/health", "/", nil},
		{"/", "/", map[string]string{}},
		{"/api/users/{id}", "/api/users/%41lice", map[string]string{"id": "Alice"}},
		{"/api/users/{id}", "/api/users/a%20b", map[string]string{"id": "a b"}},
		{"/api/users/{id}", "/api/users/", nil},
		{"/api/users/{id}", "/api/users", nil},
		{"/api/users/{id}", "/api/users/1/", nil},
		{"/api/users/{id}", "/api/users/1/delete", nil},
		{"/{tenant}/users/{id}", "/acme/users/7", map[string]string{"tenant": "acme", "id": "7"}},
		{"/{a}/", "/x/", map[string]string{"a": "x"}},
	}
	for _, tt := range tests {
		path, err := operator.CanonicalPath(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		params, ok := compile(t, tt.template).Match(path.Segments)
		if ok != (tt.params != nil) || !cmp.Equal(params, tt.params) {
			t.Errorf("%s against %s: %v %v, want %v", tt.template, tt.path, params, ok, tt.params)
		}
	}
	if _, ok := (operator.Template{}).Match(nil); ok {
		t.Error("the zero template matched the empty path")
	}
}

func TestTemplateExpand(t *testing.T) {
	const template = "/api/{kind}/{id}"
	tests := []struct {
		params                map[string]string
		path, missing, refuse string
	}{
		{params: map[string]string{"kind": "users", "id": "Alice", "unused": "x"}, path: "/api/users/Alice"},
		{params: map[string]string{"kind": "users", "id": "a b✓"}, path: "/api/users/a%20b%E2%9C%93"},
		{params: map[string]string{"kind": "users", "id": "100%"}, path: "/api/users/100%25"},
		{params: map[string]string{"kind": "users", "id": "a..b"}, path: "/api/users/a..b"},
		{params: map[string]string{"kind": "users"}, missing: "id"},
		{params: nil, missing: "kind"},
		{params: map[string]string{"kind": "users", "id": ""}, refuse: operator.CodeBlank},
		{params: map[string]string{"kind": "users", "id": " "}, refuse: operator.CodeBlank},
		{params: map[string]string{"kind": "users", "id": ".."}, refuse: operator.CodeDots},
		{params: map[string]string{"kind": "..", "id": "admin"}, refuse: operator.CodeDots},
		{params: map[string]string{"kind": "users", "id": "1/../../admin"}, refuse: operator.CodeSeparator},
		{params: map[string]string{"kind": "users", "id": `1\admin`}, refuse: operator.CodeSeparator},
		{params: map[string]string{"kind": "users", "id": "%2e%2e"}, refuse: operator.CodeEncoding},
		{params: map[string]string{"kind": "users", "id": "1?admin=1"}, refuse: operator.CodeCharacter},
		{params: map[string]string{"kind": "users", "id": "1#x"}, refuse: operator.CodeCharacter},
		{params: map[string]string{"kind": "users", "id": "{kind}"}, refuse: operator.CodeCharacter},
		{params: map[string]string{"kind": "users", "id": "1\r\nHost: x"}, refuse: operator.CodeCharacter},
		{params: map[string]string{"kind": "users", "id": "\xff"}, refuse: operator.CodeEncoding},
		{params: map[string]string{"kind": "users", "id": strings.Repeat("x", operator.MaxSegment+1)}, refuse: operator.CodeLength},
	}
	for _, tt := range tests {
		path, missing, err := compile(t, template).Expand(tt.params)
		code := ""
		if err != nil {
			code = fault.Of(err).Code
		}
		if path != tt.path || missing != tt.missing || code != tt.refuse {
			t.Errorf("%q: got path %q, missing %q, refused by %q; want %q, %q, %q", tt.params, path, missing, code, tt.path, tt.missing, tt.refuse)
		}
	}
}

// What Expand builds is what a request for it would be judged to be.
func FuzzTemplateExpand(f *testing.F) {
	f.Add("Alice", "1")
	f.Add("../x", "%2e")
	f.Add("a;b", "✓")
	f.Fuzz(func(t *testing.T, kind, id string) {
		template := compile(t, "/api/{kind}/{id}")
		params := map[string]string{"kind": kind, "id": id}
		expanded, missing, err := template.Expand(params)
		if err != nil {
			return
		}
		path, err := operator.CanonicalPath(expanded)
		if missing != "" || err != nil {
			t.Fatalf("%q: missing %q, %v", expanded, missing, err)
		}
		matched, ok := template.Match(path.Segments)
		if !ok || !cmp.Equal(matched, params) || path.String() != expanded {
			t.Fatalf("%q expanded to %q, which gives back %q as %q", params, expanded, matched, path)
		}
	})
}

func TestMoreSpecificTemplatesComeFirst(t *testing.T) {
	want := []string{"/api/users/me", "/api/users/{id}", "/api/{kind}/me", "/api/{kind}/{id}", "/{any}/users/{id}"}
	templates := make([]operator.Template, 0, len(want))
	for _, i := range []int{4, 2, 0, 3, 1} {
		templates = append(templates, compile(t, want[i]))
	}
	slices.SortFunc(templates, operator.Template.Compare)
	var got []string
	for _, tpl := range templates {
		got = append(got, tpl.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
