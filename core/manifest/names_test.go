package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/manifest"
)

func TestNormalizeEventType(t *testing.T) {
	for in, want := range map[string]string{
		"user.created":      "user.created",
		"UserCreated":       "user.created",
		"userCreated":       "user.created",
		"User.Created":      "user.created",
		"UserRoleChanged":   "user.role.changed",
		"comms.CallMissed":  "comms.call.missed",
		"PHIAccessed":       "phi.accessed",
		"UserPHI":           "user.phi",
		"V2Started":         "v2.started",
		"user.created.v2":   "user.created.v2",
		"user_role.changed": "user_role.changed",
		"user-role.changed": "user-role.changed",
		"User_Created":      "user_created",
		"heartbeat":         "heartbeat",
	} {
		got, ok := manifest.NormalizeEventType(in)
		if got != want || !ok {
			t.Errorf("%q becomes %q, %v; want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"", ".", "a.", ".a", "a..b", "a b", "1a", "-a", "a.-b", "a.*", "*", ">", "a.>", "é", "a/b", "a\n", "a\x00", strings.Repeat("a", 129)} {
		if got, ok := manifest.NormalizeEventType(in); ok {
			t.Errorf("%q passes as %q", in, got)
		}
	}
}

func TestMatchEventType(t *testing.T) {
	for _, tc := range []struct {
		pattern, typ string
		want         bool
	}{
		{"user.created", "user.created", true},
		{"UserCreated", "user.created", true},
		{"user.created", "UserCreated", true},
		{"user.*", "user.created", true},
		{"user.*", "UserCreated", true},
		{"user.*", "user.role.changed", true},
		{"User.*", "user.created", true},
		{"user.*", "user", false},
		{"user.*", "users.created", false},
		{"user", "user.created", false},
		{"user.created", "user.created.v2", false},
		{"*", "user.created", false},
		{"", "", false},
		{"user.*", "user.*", false},
		{"user.>", "user.created", false},
	} {
		if got := manifest.MatchEventType(tc.pattern, tc.typ); got != tc.want {
			t.Errorf("MatchEventType(%q, %q) = %v", tc.pattern, tc.typ, got)
		}
	}
}

func TestMatchEventTypeDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { manifest.MatchEventType("user.created", "user.created") }); n != 0 {
		t.Errorf("%v allocations for normalised names", n)
	}
}

func FuzzNormalizeEventType(f *testing.F) {
	for _, s := range []string{"UserCreated", "user.created", "PHIAccessed", "a..b", "A.B", "É"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		typ, ok := manifest.NormalizeEventType(s)
		if !ok {
			return
		}
		if again, ok := manifest.NormalizeEventType(typ); !ok || again != typ {
			t.Errorf("%q becomes %q, and that %q, %v", s, typ, again, ok)
		}
		if !manifest.MatchEventType(s, typ) || strings.ContainsAny(typ, " *>/ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			t.Errorf("%q becomes %q", s, typ)
		}
	})
}

func TestRange(t *testing.T) {
	for _, tc := range []struct{ source, in, out string }{
		{"1.2.3", "1.2.3 1.2.3+build", "1.2.2 1.2.4 1.2.3-rc"},
		{"=1.2.3", "1.2.3", "1.2.4"},
		{"^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0 2.0.0-alpha 1.3.0-alpha"},
		{"^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2 1.0.0"},
		{"^0.0.3", "0.0.3", "0.0.4 0.0.2"},
		{"^1.2", "1.2.0 1.99.0", "1.1.9 2.0.0"},
		{"^1", "1.0.0 1.5.5", "0.9.9 2.0.0"},
		{"^0.0", "0.0.0 0.0.9", "0.1.0"},
		{"^0", "0.9.9", "1.0.0"},
		{"~1.2.3", "1.2.3 1.2.9", "1.3.0"},
		{"~1.2", "1.2.0 1.2.9", "1.3.0"},
		{"~1", "1.0.0 1.9.9", "2.0.0"},
		{"1.x", "1.0.0 1.9.9", "2.0.0 0.9.0"},
		{"1.2.*", "1.2.0 1.2.9", "1.3.0"},
		{"1.2", "1.2.0 1.2.9", "1.3.0"},
		{"*", "0.0.0 9.9.9", "1.0.0-rc"},
		{"x", "0.0.0", ""},
		{">=1.0.0 <2.0.0", "1.0.0 1.9.9", "2.0.0 0.9.9 2.0.0-rc"},
		{">= 1.0.0  < 2.0.0", "1.0.0", "2.0.0"},
		{">1.2", "1.3.0", "1.2.0 1.2.9"},
		{"<=1.2", "1.2.9 0.1.0", "1.3.0"},
		{"<1.2", "1.1.9", "1.2.0"},
		{">=1.2", "1.2.0 2.0.0", "1.1.9"},
		{"<=1.2.3", "1.2.3", "1.2.4"},
		{">1.2.3", "1.2.4", "1.2.3"},
		{"^1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.10 1.2.3 1.4.0", "1.2.3-beta.1 1.2.4-beta.3 2.0.0"},
		{"1.0.0 || ^2.1", "1.0.0 2.1.0 2.9.0", "1.0.1 2.0.0 3.0.0"},
		{">*", "", "1.0.0 0.0.0"},
	} {
		r, ok := manifest.ParseRange(tc.source)
		if !ok || r.String() != tc.source {
			t.Errorf("%q does not parse", tc.source)
			continue
		}
		for _, v := range strings.Fields(tc.in) {
			if !r.Contains(v) {
				t.Errorf("%q leaves out %s", tc.source, v)
			}
		}
		for _, v := range strings.Fields(tc.out) {
			if r.Contains(v) {
				t.Errorf("%q holds %s", tc.source, v)
			}
		}
		if r.Contains("1.0") || r.Contains("") {
			t.Errorf("%q holds what is no version", tc.source)
		}
	}
	for _, bad := range []string{"", " ", "latest", "v1.0.0", "1.2.3.4", "^", ">=", "1 - 2", "1.x.3", "x.1", "01.2.3", "1.2.03", "||", "1.0.0 ||", "1.2-beta", "^^1", "1,2", "99999999999999999999.0.0",
		"1.2.3-", "1.2.3-01", "1.2.3-a..b", strings.Repeat("1.0.0 ", 60)} {
		if _, ok := manifest.ParseRange(bad); ok {
			t.Errorf("%q parses", bad)
		}
	}
	var none manifest.Range
	if !none.Contains("1.0.0") || !none.Contains("1.0.0-rc") || none.Contains("x") {
		t.Error("the zero Range must hold every version")
	}
}

func TestCompareVersions(t *testing.T) {
	order := []string{"0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0", "99999999999999999999.0.0"}
	for i, a := range order {
		for j, b := range order {
			if got, want := manifest.CompareVersions(a, b), sign(i-j); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestOrder(t *testing.T) {
	for _, tc := range []struct {
		needs        map[string][]string
		order, cycle string
	}{
		{nil, "", ""},
		{map[string][]string{"a": nil, "c": nil, "b": nil}, "a b c", ""},
		{map[string][]string{"a": {"b"}, "b": {"c"}}, "c b a", ""},
		{map[string][]string{"a": {"c", "b"}, "b": {"d"}, "c": {"d"}, "d": nil}, "d b c a", ""},
		{map[string][]string{"a": {"a"}}, "", "a a"},
		{map[string][]string{"a": {"b"}, "b": {"a"}}, "", "a b a"},
		{map[string][]string{"x": {"a"}, "a": {"b"}, "b": {"c"}, "c": {"a"}}, "", "a b c a"},
		{map[string][]string{"a": {"b", "b"}, "b": nil}, "b a", ""},
	} {
		order, cycle := manifest.Order(tc.needs)
		if diff := cmp.Diff(tc.order+"; "+tc.cycle, strings.Join(order, " ")+"; "+strings.Join(cycle, " ")); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tc.needs, diff)
		}
	}
	// A chain as long as there can be plugins needs no stack.
	chain := map[string][]string{"p0": nil}
	for i := 1; i < 100_000; i++ {
		chain[fmt.Sprint("p", i)] = []string{fmt.Sprint("p", i-1)}
	}
	if order, cycle := manifest.Order(chain); len(order) != len(chain) || cycle != nil || order[len(order)-1] != "p99999" {
		t.Errorf("a chain of %d gave %d and %v", len(chain), len(order), cycle)
	}
	chain["p0"] = []string{"p99999"}
	if order, cycle := manifest.Order(chain); order != nil || len(cycle) != len(chain)+1 {
		t.Errorf("a circle of %d gave %d and a circle of %d", len(chain), len(order), len(cycle))
	}
}
