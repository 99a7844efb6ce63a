package rulebook_test

import (
	"strings"
	"testing"

	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/trait"
)

// Whatever text comes: it is either refused, with a sentence, or it can decide.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{"", open, closed, strings.Replace(closed, "forbid", "forbit", 1), closed + closed, "\x00", "\xff", "@id(\"\n", "permit (principal, action, resource);"} {
		f.Add(text)
	}
	b := &rulebook.Rulebook{Config: rulebook.Config{Traits: trait.Builtin}}
	f.Fuzz(func(t *testing.T, text string) {
		check, err := b.Check(text, []rulebook.Test{expects("deny", "")})
		if err != nil {
			refused(t, err, "policy.invalid")
			return
		}
		if len(check.Results) != 1 || check.Results[0].Why == "" {
			t.Errorf("its test says %+v", check.Results)
		}
		for _, r := range check.Rules {
			if !strings.HasPrefix(r.ID, "admin.") || r.Sentence == "" || r.Line < 1 {
				t.Errorf("a rule is %+v", r)
			}
		}
	})
}
