package policy_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// plugin is an active plugin of the default tenant.
func plugin(id string, traits ...trait.ID) policy.Party {
	return policy.Party{Kind: actor.Plugin, ID: id, Tenant: "default", State: policy.Active, Traits: trait.SetOf(traits...)}
}

func user(traits ...trait.ID) policy.Party {
	return policy.Party{Kind: actor.User, ID: "ada", Tenant: "default", Traits: trait.SetOf(traits...)}
}

// call is a request that every rule lets pass; each row of the table spoils one thing.
func call() policy.Request {
	return policy.Request{
		Action: policy.OperatorCall, Subject: plugin("greeter", trait.HandlesPII, trait.AuditRequired), Target: plugin("profiles"),
		Resource: policy.Resource{Name: "get_profile", Classes: trait.ClassesOf(trait.PII), Declared: true, Granted: true},
	}
}

func publish() policy.Request {
	return policy.Request{
		Action: policy.EventPublish, Subject: plugin("profiles", trait.HandlesPII, trait.AuditRequired),
		Resource: policy.Resource{Name: "user.created", Classes: trait.ClassesOf(trait.PII), Declared: true},
	}
}

func deliver() policy.Request {
	return policy.Request{
		Action: policy.EventDeliver, Subject: plugin("profiles"), Target: plugin("greeter", trait.HandlesPII, trait.AuditRequired),
		Resource: policy.Resource{Name: "user.created", Classes: trait.ClassesOf(trait.PII), Declared: true},
	}
}

func egress() policy.Request {
	return policy.Request{
		Action: policy.ProxyRequest, Subject: plugin("greeter", trait.ExternalService),
		Resource: policy.Resource{Name: "api.example.com", Declared: true, Egress: policy.Approved, Resolved: true},
	}
}

func manage() policy.Request {
	return policy.Request{Action: "plugin.enable", Subject: user(trait.PluginManager), Resource: policy.Resource{Name: "greeter", Requires: trait.SetOf(trait.PluginManager)}}
}

func TestDecide(t *testing.T) {
	for _, tt := range []struct {
		name    string
		base    func() policy.Request
		edit    func(*policy.Request)
		rule    string // "": allowed, whole
		redact  trait.Classes
		missing []string
		says    string
	}{
		{name: "a call with everything in order", base: call},
		{name: "a publication with everything in order", base: publish},
		{name: "a delivery with everything in order", base: deliver},
		{name: "an outward request with everything in order", base: egress},
		{name: "an administrative action with its trait", base: manage},

		{name: "a disabled caller", base: call, edit: func(r *policy.Request) { r.Subject.State = policy.Disabled }, rule: "core.active", says: "disabled"},
		{name: "an unhealthy target", base: call, edit: func(r *policy.Request) { r.Target.State = policy.Unhealthy }, rule: "core.active", says: "unhealthy"},
		{name: "a quarantined publisher", base: publish, edit: func(r *policy.Request) { r.Subject.State = policy.Quarantined }, rule: "core.active"},
		{name: "a registered plugin that nobody enabled", base: egress, edit: func(r *policy.Request) { r.Subject.State = policy.Registered }, rule: "core.active"},
		{name: "an event of a publisher disabled since still arrives", base: deliver, edit: func(r *policy.Request) { r.Subject.State = policy.Disabled }},
		{name: "a disabled receiver hears nothing", base: deliver, edit: func(r *policy.Request) { r.Target.State = policy.Disabled }, rule: "core.active"},
		{name: "a stranger", base: call, edit: func(r *policy.Request) { r.Subject = policy.Party{Kind: actor.Anonymous} }, rule: "core.active"},
		{name: "another tenant's plugin", base: call, edit: func(r *policy.Request) { r.Target.Tenant = "other" }, rule: "core.tenant"},
		{name: "a plugin shared by all tenants", base: call, edit: func(r *policy.Request) { r.Target.Tenant = policy.Everyone }},
		{name: "a party without a tenant", base: call, edit: func(r *policy.Request) { r.Subject.Tenant, r.Target.Tenant = "", "" }, rule: "core.tenant"},
		{name: "a person of another tenant, through a plugin shared by all", base: call, edit: func(r *policy.Request) {
			r.Subject.Tenant = policy.Everyone
			u := user(trait.HandlesPII, trait.AuditRequired)
			u.Tenant = "other"
			r.OnBehalf = &u
		}, rule: "core.tenant", says: "person acted for"},
		{name: "an event of another tenant", base: deliver, edit: func(r *policy.Request) { r.Subject.Tenant = "other" }, rule: "core.tenant"},
		{name: "a target that is no plugin", base: call, edit: func(r *policy.Request) { r.Target = policy.Party{} }, rule: "operator.target"},
		{name: "a dangerous operation, in any case", base: call, edit: func(r *policy.Request) { r.Resource.Name = "Delete_All" }, rule: "core.dangerous"},
		{name: "an undeclared operation", base: call, edit: func(r *policy.Request) { r.Resource.Declared = false }, rule: "operator.endpoint"},
		{name: "a call without a grant", base: call, edit: func(r *policy.Request) { r.Resource.Granted = false }, rule: "operator.grant", says: "dependency"},
		{name: "a person needs no grant", base: call, edit: func(r *policy.Request) {
			r.Subject, r.Resource.Granted = user(trait.HandlesPII, trait.AuditRequired), false
		}},
		{name: "a required trait the caller lacks", base: call, edit: func(r *policy.Request) { r.Resource.Requires = trait.SetOf(trait.CanViewUser) }, rule: "operator.traits", missing: []string{"can_view_user"}},
		{name: "a required trait the user acted for lacks", base: call, edit: func(r *policy.Request) {
			r.Resource.Requires = trait.SetOf(trait.CanViewUser)
			r.Subject.Traits = r.Subject.Traits.With(trait.CanViewUser)
			u := user(trait.HandlesPII, trait.AuditRequired)
			r.OnBehalf = &u
		}, rule: "operator.traits", missing: []string{"can_view_user"}, says: "person acted for"},
		{name: "a required trait nobody registered", base: call, edit: func(r *policy.Request) { r.Resource.Unknown = []string{"moon_access"} }, rule: "operator.traits", says: "moon_access"},
		{name: "a trait the plugin asks of people, and this one lacks", base: call, edit: func(r *policy.Request) {
			r.Subject, r.Resource.People = user(trait.HandlesPII, trait.AuditRequired), trait.SetOf(trait.CanViewUser)
		}, rule: "operator.traits", missing: []string{"can_view_user"}},
		{name: "a trait the plugin asks of people, and the one acted for lacks", base: call, edit: func(r *policy.Request) {
			u := user(trait.HandlesPII, trait.AuditRequired)
			r.OnBehalf, r.Resource.People = &u, trait.SetOf(trait.CanViewUser)
		}, rule: "operator.traits", missing: []string{"can_view_user"}},
		{name: "a trait the plugin asks of people is not asked of a plugin", base: call, edit: func(r *policy.Request) { r.Resource.People = trait.SetOf(trait.CanViewUser) }},
		{name: "data the caller's traits do not cover", base: call, edit: func(r *policy.Request) { r.Subject.Traits = trait.Set{} }, rule: "data.class", missing: []string{"handles_pii", "audit_required"}},
		{name: "phi is not covered by pii's trait", base: call, edit: func(r *policy.Request) { r.Resource.Classes = trait.ClassesOf(trait.PHI) }, rule: "data.class", missing: []string{"handles_phi"}},
		{name: "data the user acted for may not see", base: call, edit: func(r *policy.Request) { u := user(trait.Viewer); r.OnBehalf = &u }, rule: "data.class"},
		{name: "an administrator without a data trait sees no pii", base: call, edit: func(r *policy.Request) { r.Subject = user(trait.Admin) }, rule: "user.sensitive", missing: []string{"handles_pii", "audit_required"}},
		{name: "confidential is covered by a higher trait", base: call, edit: func(r *policy.Request) { r.Resource.Classes = trait.ClassesOf(trait.Confidential) }},
		{name: "confidential needs a trait", base: call, edit: func(r *policy.Request) {
			r.Resource.Classes, r.Subject.Traits = trait.ClassesOf(trait.Confidential), trait.Set{}
		}, rule: "data.class", missing: []string{"handles_confidential"}},
		{name: "internal and public need none", base: call, edit: func(r *policy.Request) {
			r.Resource.Classes, r.Subject.Traits = trait.ClassesOf(trait.Internal, trait.Public), trait.Set{}
		}},
		{name: "encryption the caller is not capable of", base: call, edit: func(r *policy.Request) { r.Resource.Encrypts = true }, rule: "data.encryption", missing: []string{"encryption_capable"}},
		{name: "an undeclared event type", base: publish, edit: func(r *policy.Request) { r.Resource.Declared = false }, rule: "event.publish"},
		{name: "an event of a class its publisher does not handle", base: publish, edit: func(r *policy.Request) { r.Resource.Classes = trait.ClassesOf(trait.PHI) }, rule: "data.class"},
		{name: "a receiver without the trait, fields marked", base: deliver, edit: func(r *policy.Request) { r.Target.Traits, r.Resource.Marked = trait.Set{}, true }, rule: "event.deliver", redact: trait.ClassesOf(trait.PII)},
		{name: "a receiver without the trait, fields not marked", base: deliver, edit: func(r *policy.Request) { r.Target.Traits = trait.Set{} }, rule: "event.deliver", missing: []string{"handles_pii", "audit_required"}},
		{name: "only what is missing is redacted", base: deliver, edit: func(r *policy.Request) {
			r.Resource.Classes, r.Resource.Marked = trait.ClassesOf(trait.PII, trait.PHI), true
		}, rule: "event.deliver", redact: trait.ClassesOf(trait.PHI)},
		{name: "an event its receiver does not subscribe to", base: deliver, edit: func(r *policy.Request) { r.Resource.Declared = false }, rule: "event.deliver", says: "does not subscribe"},
		{name: "an event that requires encryption", base: deliver, edit: func(r *policy.Request) { r.Resource.Encrypts = true }, rule: "data.encryption", missing: []string{"encryption_capable"}},
		{name: "an address nobody may reach", base: egress, edit: func(r *policy.Request) { r.Resource.Address = "10.0.0.1 is private." }, rule: "proxy.address", says: "10.0.0.1"},
		{name: "a method nobody approved", base: egress, edit: func(r *policy.Request) { r.Resource.Egress = policy.MethodNotApproved }, rule: "proxy.approved", says: "method"},
		{name: "a path nobody approved", base: egress, edit: func(r *policy.Request) { r.Resource.Egress = policy.PathNotApproved }, rule: "proxy.approved", says: "path"},
		{name: "a port nobody approved", base: egress, edit: func(r *policy.Request) { r.Resource.Egress = policy.PortNotApproved }, rule: "proxy.approved", says: "port"},
		{name: "egress without the trait", base: egress, edit: func(r *policy.Request) { r.Subject.Traits = trait.Set{} }, rule: "proxy.trait", missing: []string{"external_service"}},
		{name: "a URL with two readings", base: egress, edit: func(r *policy.Request) { r.Resource.URL = "It has user information." }, rule: "proxy.url"},
		{name: "an undeclared domain", base: egress, edit: func(r *policy.Request) { r.Resource.Declared = false }, rule: "proxy.domain"},
		{name: "a domain nobody approved", base: egress, edit: func(r *policy.Request) { r.Resource.Egress = policy.NotApproved }, rule: "proxy.approved"},
		{name: "an expired approval", base: egress, edit: func(r *policy.Request) { r.Resource.Egress = policy.Expired }, rule: "proxy.approved", says: "expired"},
		{name: "plain http", base: egress, edit: func(r *policy.Request) { r.Resource.Egress = policy.PlainNotApproved }, rule: "proxy.approved", says: "Plain http"},
		{name: "an administrative action without its trait", base: manage, edit: func(r *policy.Request) { r.Subject = user(trait.Viewer) }, rule: "console.access", missing: []string{"plugin_manager"}},
		{name: "a plugin administers nothing", base: manage, edit: func(r *policy.Request) { r.Subject = plugin("greeter", trait.PluginManager) }, rule: "console.access"},
		{name: "an administrative action for which nobody named a trait", base: manage, edit: func(r *policy.Request) { r.Resource.Requires = trait.Set{} }, rule: "console.access"},
		{name: "what everybody may see", base: manage, edit: func(r *policy.Request) {
			r.Action, r.Subject, r.Resource.Requires = policy.ConsoleView, user(), trait.Set{}
		}},
		{name: "an action of no known family", base: manage, edit: func(r *policy.Request) { r.Action = "rocket.launch" }, rule: "core.default", says: "no rule allows"},
		{name: "a family alone is no action", base: manage, edit: func(r *policy.Request) { r.Action = "plugin" }, rule: "core.default"},
		{name: "no action", base: manage, edit: func(r *policy.Request) { r.Action = "" }, rule: "core.default"},
		{name: "the core itself may", base: manage, edit: func(r *policy.Request) { r.Subject = policy.Party{Kind: actor.System, ID: "plugin manager"} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, r := policy.New(trait.Builtin()), tt.base()
			if tt.edit != nil {
				tt.edit(&r)
			}
			d := p.Decide(&r)
			wantAllow := tt.rule == "" || tt.redact != 0
			if d.Allow != wantAllow || d.Redact != tt.redact || tt.rule != "" && d.Rule != tt.rule {
				t.Fatalf("got allow=%v rule=%s redact=%s (%s), want allow=%v rule=%s redact=%s", d.Allow, d.Rule, d.Redact, d.Reason.Sentence, wantAllow, tt.rule, tt.redact)
			}
			if tt.rule != "" && (d.Reason.Sentence == "" || !strings.Contains(d.Reason.Sentence, tt.says)) {
				t.Errorf("the reason reads %q, want something about %q", d.Reason.Sentence, tt.says)
			}
			if tt.missing != nil && !slices.Equal(d.Reason.Missing, tt.missing) {
				t.Errorf("missing traits are %v, want %v", d.Reason.Missing, tt.missing)
			}
			agree(t, p, &r)
		})
	}
}

// Who can help depends on who lacks something: a plugin's traits are accepted
// when it is enabled, a person's are granted.
func TestADenialNamesWhoCanHelp(t *testing.T) {
	p := policy.New(trait.Builtin())
	for _, tt := range []struct {
		name string
		edit func(*policy.Request)
		want []string
	}{
		{"the calling plugin lacks a trait", func(r *policy.Request) { r.Subject.Traits = trait.Set{} }, []string{"plugin_manager"}},
		{"the calling person lacks one", func(r *policy.Request) { r.Subject = user() }, []string{"user_manager"}},
		{"the person acted for lacks one", func(r *policy.Request) { u := user(); r.OnBehalf = &u }, []string{"user_manager"}},
		{"there is no grant", func(r *policy.Request) { r.Resource.Granted = false }, []string{"plugin_manager", "policy_manager"}},
		{"nobody can help", func(r *policy.Request) { r.Resource.Name = "shutdown" }, nil},
	} {
		r := call()
		tt.edit(&r)
		if d := p.Decide(&r); d.Allow || !slices.Equal(d.Reason.Grantors, tt.want) {
			t.Errorf("%s: %s names %v, want %v", tt.name, d.Rule, d.Reason.Grantors, tt.want)
		}
	}
}

// What Rules hands out is a copy: nobody changes the policy through it.
func TestRulesAreTheCallersOwn(t *testing.T) {
	for _, r := range policy.Rules() {
		for i := range r.Actions {
			r.Actions[i] = "spoilt"
		}
		for i := range r.Grantors {
			r.Grantors[i] = "spoilt"
		}
	}
	ids := map[string]bool{}
	for _, r := range policy.Rules() {
		if ids[r.ID] || r.Sentence == "" || slices.Contains(r.Actions, "spoilt") || slices.Contains(r.Grantors, "spoilt") {
			t.Errorf("rule %s: twice, without a sentence, or spoilt: %+v", r.ID, r)
		}
		ids[r.ID] = true
	}
	p, r := policy.New(trait.Builtin()), call()
	r.Subject.Traits = trait.Set{}
	if d := p.Decide(&r); slices.Contains(d.Reason.Grantors, "spoilt") {
		t.Error("the policy itself was changed")
	}
}

// agree holds Decide and Explain against each other.
func agree(t *testing.T, p *policy.Policy, r *policy.Request) {
	t.Helper()
	d, ladder := p.Decide(r), p.Explain(r)
	i := slices.IndexFunc(ladder, func(x policy.Reason) bool { return x.Outcome == "deny" })
	switch {
	case d.Allow && i >= 0:
		t.Errorf("allowed, and yet rule %s denies in the explanation", ladder[i].Rule)
	case !d.Allow && i < 0:
		t.Errorf("denied by %s, and yet no rule denies in the explanation", d.Rule)
	case !d.Allow && ladder[i].Rule != d.Rule:
		t.Errorf("denied by %s, explained as denied by %s", d.Rule, ladder[i].Rule)
	}
	for _, x := range ladder[i+1:] {
		if i >= 0 && x.Outcome != "skipped" {
			t.Errorf("rule %s spoke after the denial", x.Rule)
		}
	}
}

// anything makes a request of random facts.
func anything(rnd *rand.Rand) policy.Request {
	set := func() trait.Set {
		var s trait.Set
		for range rnd.IntN(12) {
			s = s.With(trait.ID(rnd.IntN(trait.Builtin().Len())))
		}
		return s
	}
	states := []policy.State{"", policy.Registered, policy.Active, policy.Active, policy.Active, policy.Disabled, policy.Unhealthy, policy.Quarantined}
	kinds := []actor.Kind{"", actor.Anonymous, actor.User, actor.Plugin, actor.Plugin, actor.System}
	party := func() policy.Party {
		return policy.Party{Kind: kinds[rnd.IntN(len(kinds))], ID: "p", Tenant: []string{"", "default", "default", "other", "*"}[rnd.IntN(5)], State: states[rnd.IntN(len(states))], Traits: set()}
	}
	actions := []policy.Action{policy.EventPublish, policy.EventDeliver, policy.OperatorCall, policy.ProxyRequest, "plugin.enable", "nobody.knows"}
	r := policy.Request{
		Action: actions[rnd.IntN(len(actions))], Subject: party(), Target: party(),
		Resource: policy.Resource{
			Name: []string{"get", "shutdown", "a/b"}[rnd.IntN(3)], Requires: trait.SetOf(set().IDs()...), People: trait.SetOf(set().IDs()...), Classes: trait.Classes(rnd.IntN(32)),
			Declared: rnd.IntN(4) > 0, Granted: rnd.IntN(4) > 0, Egress: policy.Egress(rnd.IntN(3)), Encrypts: rnd.IntN(4) == 0, Marked: rnd.IntN(2) == 0, Resolved: rnd.IntN(2) == 0,
		},
	}
	if rnd.IntN(3) == 0 {
		u := party()
		r.OnBehalf = &u
	}
	return r
}

// FuzzDecide: a denial always has a reason, Decide and Explain agree, and one
// more trait never takes an allowed request away nor hides more of an event.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, uint8(seed))
	}
	p := policy.New(trait.Builtin())
	f.Fuzz(func(t *testing.T, seed uint64, more uint8) {
		r := anything(rand.New(rand.NewPCG(seed, 1)))
		d := p.Decide(&r)
		if !d.Allow && (d.Rule == "" || d.Reason.Sentence == "") {
			t.Fatalf("denied without a reason: %+v", r)
		}
		agree(t, p, &r)
		richer := r
		extra := trait.ID(int(more) % trait.Builtin().Len())
		richer.Subject.Traits = r.Subject.Traits.With(extra)
		richer.Target.Traits = r.Target.Traits.With(extra)
		if r.OnBehalf != nil {
			u := *r.OnBehalf
			u.Traits = u.Traits.With(extra)
			richer.OnBehalf = &u
		}
		e := p.Decide(&richer)
		if d.Allow && !e.Allow {
			t.Fatalf("with %v more, %s denies what was allowed", extra, e.Rule)
		}
		if d.Allow && e.Redact&^d.Redact != 0 {
			t.Fatalf("with %v more, more is hidden: %s", extra, e.Redact)
		}
	})
}
