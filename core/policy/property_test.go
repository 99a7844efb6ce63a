package policy_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// orderly completes a request of the writer's so that the built-in rules tend to
// let it pass, and the admin rules get a say.
func orderly(rnd *rand.Rand, r policy.Request) policy.Request {
	for _, p := range []*policy.Party{&r.Subject, &r.Target, r.OnBehalf} {
		if p == nil || p.Kind == "" || rnd.IntN(8) == 0 {
			continue
		}
		p.Tenant = "default"
		p.Traits = p.Traits.With(trait.HandlesPHI).With(trait.HandlesPII).With(trait.AuditRequired).With(trait.EncryptionCapable).With(trait.ExternalService).With(trait.Viewer)
		if p.Kind == actor.Plugin {
			p.State = policy.Active
		}
	}
	r.Resource.Tenant, r.Resource.Declared, r.Resource.Egress, r.Resource.Resolved = "default", rnd.IntN(8) > 0, policy.Approved, true
	r.Resource.Requires = r.Resource.Requires.With(trait.Viewer)
	return r
}

// FuzzAdminRules holds a policy with random admin rules against what is promised
// of all of them.
func FuzzAdminRules(f *testing.F) {
	for seed := range uint64(400) {
		f.Add(seed, uint8(seed))
	}
	plain := policy.New(trait.Builtin())
	f.Fuzz(func(t *testing.T, seed uint64, more uint8) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		kind := asked[rnd.IntN(len(asked))]
		w := &writer{Rand: rnd, action: kind.action, who: kind.who, what: kind.what}
		text := w.document("forbid", "permit")
		d, _ := policy.Compile(text, trait.Builtin())
		if d == nil {
			return
		}
		again, _ := policy.Compile(d.Text(), trait.Builtin())
		p, twin := plain.With(d, 1), plain.With(again, 1)
		for range 20 {
			r := orderly(rnd, w.request())
			got, without := p.Decide(&r), plain.Decide(&r)
			byAdmin := strings.HasPrefix(got.Rule, policy.AdminPrefix)
			switch {
			case !got.Allow && (got.Rule == "" || got.Reason.Sentence == ""):
				t.Fatalf("denied without a reason: %+v\n%s", r, text)
			case !without.Allow && without.Rule != "operator.grant" && (got.Allow || byAdmin):
				t.Fatalf("%s denies, and the admin rules make %+v of it\n%s", without.Rule, got, text)
			case without.Allow && !got.Allow && !byAdmin:
				t.Fatalf("allowed without admin rules, and denied by %s with them\n%s", got.Rule, text)
			case !without.Allow && got.Allow && !byAdmin:
				t.Fatalf("granted by nobody: %+v\n%s", got, text)
			case without.Redact != got.Redact && got.Allow:
				t.Fatalf("admin rules change what is redacted: %v, %v\n%s", without.Redact, got.Redact, text)
			}
			matched, failing := policy.Said(p, &r)
			denies := slices.ContainsFunc(d.Rules(), func(rule policy.AdminRule) bool {
				return slices.Contains(failing, rule.ID) || rule.Effect == policy.Forbid && slices.Contains(matched, rule.ID)
			})
			if denies && got.Allow {
				t.Fatalf("%v match and %v have no value, and it is allowed\n%s", matched, failing, text)
			}
			agree(t, p, &r)
			if diff := cmp.Diff(got, twin.Decide(&r), cmp.AllowUnexported(policy.Matches{})); diff != "" {
				t.Fatalf("compiled again it decides otherwise:\n%s\n%s", diff, text)
			}
			extra := trait.ID(int(more) % trait.Builtin().Len())
			richer := r
			richer.Subject.Traits, richer.Target.Traits = r.Subject.Traits.With(extra), r.Target.Traits.With(extra)
			if r.OnBehalf != nil {
				u := *r.OnBehalf
				u.Traits = u.Traits.With(extra)
				richer.OnBehalf = &u
			}
			if then := p.Decide(&richer); got.Allow && !then.Allow && !strings.HasPrefix(then.Rule, policy.AdminPrefix) {
				t.Fatalf("one more trait, and %s denies what no forbid speaks of: %+v\n%s", then.Rule, r, text)
			}
		}
	})
}

// FuzzTheWayBack: whatever the rules say, who holds policy_manager reaches what
// the rules are repaired with, as without them.
func FuzzTheWayBack(f *testing.F) {
	for _, text := range []string{
		`@id("a") @reason("No.") forbid (principal, action, resource);`,
		`@id("a") @reason("No.") forbid (principal is User, action in Action::"policy", resource);`,
		`@id("a") @reason("No.") forbid (principal, action == Action::"policy.view", resource) when { principal.traits.contains("policy_manager") };`,
		`@id("a") @reason("No.") forbid (principal == User::"ada", action in Action::"administration", resource);`,
		`@id("a") @reason("No.") forbid (principal, action, resource) when { context.hour + 9223372036854775807 > 3 };`,
		`@id("a") @reason("No.") permit (principal, action, resource) when { context.hour * 9223372036854775807 > 3 };`,
	} {
		f.Add(text)
	}
	plain := policy.New(trait.Builtin())
	f.Fuzz(func(t *testing.T, text string) {
		d, _ := policy.Compile(text, trait.Builtin())
		if d == nil {
			return
		}
		p := plain.With(d, 1)
		for _, a := range append(policy.Actions(), "policy.publish", "policy.new-verb", "approval.decide", "auth.step_up", "session.end", "account.change", "console.view") {
			if !slices.Contains([]string{"account", "approval", "auth", "console", "policy", "session"}, a.Family()) {
				continue
			}
			r := policy.Request{
				Action: a, Subject: user(trait.PolicyManager, trait.Viewer, trait.Approver), At: time.Date(2026, 3, 17, 5, 0, 0, 0, time.UTC),
				Resource: policy.Resource{Name: "/console/policies", Requires: trait.SetOf(trait.PolicyManager)},
			}
			if got, want := p.Decide(&r), plain.Decide(&r); got.Allow != want.Allow || !got.Allow {
				t.Fatalf("%s is closed to those who could repair it, by %s", a, got.Rule)
			}
			agree(t, p, &r)
		}
	})
}

// FuzzCompile: nothing that is written breaks the compiler, and what is refused
// is refused with a place that exists.
func FuzzCompile(f *testing.F) {
	f.Add(policy.Schema())
	f.Add(`@id("a") @reason("No.") forbid (principal, action, resource) when { ((((((((((1 + -2 * 3 < 4)))))))))) };`)
	f.Add(`@id("a") @reason("No.") forbid (principal, action, resource) when { {a: 1}.a == 1 && [1,2].contains(1) && ip("::1").isLoopback() };`)
	f.Add(`@id("a") @reason("No.") forbid (principal, action, resource) unless { "\u{1F600}" like "*\*" || principal has "x y" || if true then false else true };`)
	f.Add(`@id("a") @reason("No.") permit (principal in [User::"x"], action in [], resource is Plugin in Plugin::"p");`)
	f.Add("/* \" */ @id(\"a\") // ;\n@reason(\"\\\"\") forbid (principal, action, resource);;")
	for seed := range uint64(30) {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 5)), action: policy.OperatorCall, who: "Plugin", what: "Operation"}
		f.Add(w.document("forbid", "permit"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, found := policy.Compile(text, trait.Builtin())
		lines := strings.Count(text, "\n") + 1
		for _, x := range found {
			if x.Line < 1 || x.Line > lines || x.Column < 1 || x.Message == "" || x.Fix == "" || x.Severity != policy.Error && x.Severity != policy.Warning {
				t.Errorf("a finding without place or words: %+v", x)
			}
		}
		if refused := slices.ContainsFunc(found, func(x policy.Finding) bool { return x.Severity == policy.Error }); refused != (d == nil) {
			t.Errorf("refused: %v, and a document: %v", refused, d != nil)
		}
		if d == nil {
			return
		}
		if list, err := cedar.NewPolicyListFromBytes("", []byte(text)); err != nil || len(list) != len(d.Rules()) {
			t.Errorf("Cedar reads %d rules (%v), and we %d", len(list), err, len(d.Rules()))
		}
		p, r := policy.New(trait.Builtin()).With(d, 1), call()
		agree(t, p, &r)
	})
}
