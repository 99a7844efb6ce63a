package sso_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/sso"
)

func TestValues(t *testing.T) {
	doc, err := sso.ParseDocument([]byte(`{"groups":["a","b"],"realm_access":{"roles":["r1","r2"]},"https://x.test/roles":["n"],"https://x.test/app":{"role.list":["d"]},
		"teams":[{"name":"one"},{"name":"two"},3],"level":7,"staff":true,"nothing":null,"deep":{"er":{"value":"v"}}}`))
	must(t, err)
	for path, want := range map[string][]string{
		"groups": {"a", "b"}, "realm_access.roles": {"r1", "r2"}, "https://x.test/roles": {"n"}, "https://x.test/app.role.list": {"d"},
		"teams.name": {"one", "two"}, "level": {"7"}, "staff": {"true"}, "nothing": nil, "deep.er.value": {"v"}, "deep.er": nil, "Groups": nil, "other": nil,
	} {
		got, present := doc.Values(path)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
		if wanted := want != nil || path == "deep.er"; present != wanted {
			t.Errorf("%s is there: %v", path, present)
		}
	}
}

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"groups":["a",["b"],{"c":1}],"a.b":{"c.d":"e"}}`), "a.b.c.d", "a")
	f.Add([]byte(`{"":{"":"x"}}`), "..", "")
	f.Fuzz(func(t *testing.T, raw []byte, path, value string) {
		doc, err := sso.ParseDocument(raw)
		if err != nil {
			return
		}
		for _, match := range sso.Matches {
			m := sso.Map(doc, []sso.Rule{{Claim: path, Match: match, Value: value, Kind: sso.Role, Give: "viewer"}})
			if len(m.Rules) != 1 || m.Rules[0].Why == "" || m.Rules[0].Matched != (len(m.Mapped) == 1) {
				t.Errorf("%s %s %q makes %+v", path, match, value, m)
			}
		}
		if !json.Valid([]byte(doc.Masked([]string{path}))) {
			t.Errorf("what is shown is no JSON: %s", doc.Masked([]string{path}))
		}
	})
}
