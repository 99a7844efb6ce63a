package operator_test

import (
	"testing"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/operator"
)

func TestParseRoute(t *testing.T) {
	tests := []struct{ uri, target, operation, path, query string }{
		{"/gateway/user-management/get_profile", "user-management", "get_profile", "/", ""},
		{"/gateway/user-management/users.list?limit=5", "user-management", "users.list", "/", "limit=5"},
		{"/gateway/org.example.Mail/send", "org.example.Mail", "send", "/", ""},
		{"/gateway/identity/-/api/users/%41lice?x=..%2f", "identity", "", "/api/users/Alice", "x=..%2f"},
		{"/gateway/identity/-/", "identity", "", "/", ""},
		{"/gateway/identity/-/health/", "identity", "", "/health/", ""},
	}
	for _, tt := range tests {
		r, err := operator.ParseRoute(tt.uri)
		if err != nil {
			t.Errorf("%s was refused: %v", tt.uri, err)
			continue
		}
		if r.Target != tt.target || r.Operation != tt.operation || r.Path.String() != tt.path || r.Path.Query != tt.query {
			t.Errorf("%s was read as %+v", tt.uri, r)
		}
	}
}

func TestParseRouteRefuses(t *testing.T) {
	for uri, code := range map[string]string{
		"/gateway":                              operator.CodeName,
		"/gateway/":                             operator.CodeName,
		"/gateway/identity":                     operator.CodeName,
		"/gateway/identity/":                    operator.CodeName,
		"/gateway/identity/-":                   operator.CodeName,
		"/gateway/identity/-x":                  operator.CodeName,
		"/gateway/identity/1st":                 operator.CodeName,
		"/gateway/identity/a/b":                 operator.CodeName,
		"/gateway/%69dentity/health":            operator.CodeName,
		"/gateway/identity/%68ealth":            operator.CodeName,
		"/gateway/identity/%2d/health":          operator.CodeName,
		"/g%61teway/identity/health":            operator.CodeName,
		"/plugins/identity/health":              operator.CodeName,
		"/gateway/identity/health%23":           operator.CodeCharacter,
		"/gateway/identity;x=1/health":          operator.CodeCharacter,
		"/gateway/identity/-/../admin":          operator.CodeDots,
		"/gateway/%2e%2e/health":                operator.CodeDots,
		"/gateway//health":                      operator.CodeSeparator,
		"http://core/gateway/identity/health":   operator.CodeForm,
		"/gateway/identity/-//evil.example":     operator.CodeSeparator,
		"/gateway/identity/-/http://evil.test/": operator.CodeSeparator,
	} {
		if _, err := operator.ParseRoute(uri); err == nil || fault.Of(err).Code != code {
			t.Errorf("%s: got %v, want %s", uri, err, code)
		}
	}
}
