package policy_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// guide is the page about policy.
func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The guide lists the built-in rules as they are, in the order they are asked.
func TestTheGuideListsTheRules(t *testing.T) {
	var table strings.Builder
	for _, r := range policy.Rules() {
		fmt.Fprintf(&table, "| `%s` | %s |\n", r.ID, r.Sentence)
	}
	if !strings.Contains(guide(t), table.String()) {
		t.Errorf("docs/policy.md does not list the built-in rules so:\n%s", table.String())
	}
}

// Every example of the guide compiles without a finding, and does what is said of it.
func TestCookbook(t *testing.T) {
	var text strings.Builder
	for _, block := range regexp.MustCompile("(?s)```cedar\n(.*?)```").FindAllStringSubmatch(guide(t), -1) {
		compiled(t, block[1])
		text.WriteString(block[1] + "\n")
	}
	d := compiled(t, text.String())
	p := policy.New(trait.Builtin()).With(d, 1)
	at := func(day, hour int) time.Time { return time.Date(2026, 12, day, hour, 0, 0, 0, time.UTC) } // the 1st is a Tuesday
	phi := trait.SetOf(trait.HandlesPHI, trait.AuditRequired)
	person := func(traits ...trait.ID) *policy.Party { u := user(traits...); return &u }

	calls := func(to, operation string, edit func(*policy.Request)) policy.Request {
		r := call()
		r.Target.ID, r.Resource.Name, r.At, r.Method = to, operation, at(1, 12), "GET"
		if edit != nil {
			edit(&r)
		}
		return r
	}
	ungranted := func(caller string, traits ...trait.ID) func(*policy.Request) {
		return func(r *policy.Request) {
			r.Subject, r.Resource.Granted, r.Resource.Classes = plugin(caller, traits...), false, 0
		}
	}
	reaches := func(host string, traits ...trait.ID) policy.Request {
		r := egress()
		r.Resource.Name, r.At = host, at(1, 12)
		r.Subject.Traits = r.Subject.Traits.Union(trait.SetOf(traits...))
		return r
	}
	hears := func(receiver, typ string) policy.Request {
		r := deliver()
		r.Target.ID, r.Resource.Name, r.At = receiver, typ, at(1, 12)
		return r
	}
	manages := func(action policy.Action, day int, on policy.Party, traits ...trait.ID) policy.Request {
		r := manage()
		r.Action, r.At, r.Target, r.Subject = action, at(day, 12), on, user(append(traits, trait.PluginManager)...)
		return r
	}
	holdsPHI := func(onBehalf *policy.Party) func(*policy.Request) {
		return func(r *policy.Request) {
			r.Subject.Traits, r.Resource.Classes, r.OnBehalf = phi, trait.ClassesOf(trait.PHI), onBehalf
		}
	}
	seen := map[string]bool{}
	for _, tt := range []struct {
		name    string
		request policy.Request
		denied  string // by this rule; "": allowed
		granted string // by this rule
		audit   policy.Level
	}{
		{name: "payroll at noon", request: calls("payroll", "pay", nil)},
		{name: "payroll at night", request: calls("payroll", "pay", func(r *policy.Request) { r.At = at(1, 23) }), denied: "no-calls-at-night"},
		{name: "billing reads a profile", request: calls("profiles", "get_profile", ungranted("billing")), granted: "billing-reads-profiles", audit: policy.AuditDetailed},
		{name: "billing deletes a profile", request: calls("profiles", "delete_profile", ungranted("billing")), denied: "operator.grant"},
		{name: "a notifier looks somebody up", request: calls("contacts", "find", ungranted("mailer", trait.Notifications, trait.HandlesPII)), granted: "notifiers-read-contacts"},
		{name: "another plugin looks somebody up", request: calls("contacts", "find", ungranted("mailer", trait.Notifications)), denied: "operator.grant"},
		{name: "a plugin reaches the outside", request: reaches("api.example.org")},
		{name: "a plugin with health data reaches the outside", request: reaches("api.example.org", trait.HandlesPHI), denied: "phi-stays-inside"},
		{name: "a closed domain", request: reaches("example.com"), denied: "no-example-com"},
		{name: "a host below it", request: reaches("api.example.com"), denied: "no-example-com"},
		{name: "a host that only ends like it", request: reaches("notexample.com")},
		{name: "the status page", request: reaches("status.example.com")},
		{name: "reading on a Saturday", request: calls("profiles", "get_profile", func(r *policy.Request) { r.At = at(5, 12) })},
		{name: "writing on a Saturday", request: calls("profiles", "set_profile", func(r *policy.Request) { r.At, r.Method = at(5, 12), "POST" }), denied: "read-only-at-weekends"},
		{name: "writing on a Friday", request: calls("profiles", "set_profile", func(r *policy.Request) { r.At, r.Method = at(4, 12), "POST" })},
		{name: "health data for a person who may see it", request: calls("records", "get", holdsPHI(person(trait.HandlesPHI, trait.AuditRequired))), audit: policy.AuditComplete},
		{name: "health data for the plugin itself", request: calls("records", "get", holdsPHI(nil)), denied: "phi-only-for-a-person"},
		{name: "the greeter hears of a user", request: hears("greeter", "user.created")},
		{name: "the greeter hears of a payment", request: hears("greeter", "payment.received"), denied: "greeter-hears-no-payments"},
		{name: "billing hears of a payment", request: hears("billing", "payment.received")},
		{name: "a plugin is disabled before the freeze", request: manages(policy.PluginDisable, 20, plugin("crm"))},
		{name: "a plugin is disabled in the freeze", request: manages(policy.PluginDisable, 3, plugin("crm")), denied: "audit-freeze"},
		{name: "an administrator disables it in the freeze", request: manages(policy.PluginDisable, 3, plugin("crm"), trait.Admin)},
		{name: "a plugin manager enables a plugin", request: manages(policy.PluginEnable, 20, plugin("crm"))},
		{name: "a plugin manager enables one that reaches the outside", request: manages(policy.PluginEnable, 20, plugin("crm", trait.ExternalService)), denied: "enable-external-with-egress"},
		{name: "one who may approve egress enables it", request: manages(policy.PluginEnable, 20, plugin("crm", trait.ExternalService), trait.EgressApprover)},
		{name: "health data that nobody granted", request: calls("records", "get", func(r *policy.Request) {
			holdsPHI(person(trait.HandlesPHI, trait.AuditRequired))(r)
			r.Resource.Granted = false
		}), denied: "operator.grant"},
	} {
		got := p.Decide(&tt.request)
		rule := strings.TrimPrefix(got.Rule, policy.AdminPrefix)
		if got.Allow == (tt.denied != "") || tt.denied+tt.granted != "" && rule != tt.denied+tt.granted || got.Audit < tt.audit {
			t.Errorf("%s: allowed=%v by %s (%s), audit level %d; want denied by %q, granted by %q, level %d",
				tt.name, got.Allow, got.Rule, got.Reason.Sentence, got.Audit, tt.denied, tt.granted, tt.audit)
		}
		agree(t, p, &tt.request)
		for i := range got.Matched.Len() {
			seen[d.Rules()[got.Matched.At(i)].ID] = true
		}
	}
	for _, r := range d.Rules() {
		if !seen[r.ID] {
			t.Errorf("no example matches %s", r.ID)
		}
	}
	if n := len(d.Rules()); n < 9 {
		t.Errorf("the guide has %d rules", n)
	}
}

// A rule without a value denies, and says so.
func TestARuleWithoutAValueDenies(t *testing.T) {
	p := policy.New(trait.Builtin()).With(compiled(t, `@id("broken") @reason("Because.")
forbid (principal, action, resource) when { context.hour + 9223372036854775807 < 0 };`), 1)
	r := call()
	r.At = time.Date(2026, 3, 17, 14, 0, 0, 0, time.UTC)
	if d := p.Decide(&r); d.Allow || d.Rule != "admin.broken" || !strings.Contains(d.Reason.Sentence, "could not be evaluated") || len(d.Reason.Grantors) == 0 {
		t.Errorf("decided %+v", d)
	}
	agree(t, p, &r)
}

// The core itself is nobody's principal, and a stranger is denied before any rule is asked.
func TestAdminRulesBindPeopleAndPlugins(t *testing.T) {
	d, _ := policy.Compile(`@id("all") @reason("No.") forbid (principal, action, resource);`, trait.Builtin())
	p := policy.New(trait.Builtin()).With(d, 1)
	for kind, want := range map[actor.Kind]string{actor.System: "console.access", actor.User: "admin.all", actor.Anonymous: "console.access"} {
		r := manage()
		r.Subject.Kind = kind
		if got := p.Decide(&r); got.Rule != want {
			t.Errorf("%s is decided by %s, want %s", kind, got.Rule, want)
		}
	}
	r := manage()
	if r.Action = "plugin.not-in-the-schema"; p.Decide(&r).Rule != "admin.all" {
		t.Error("a rule about everything does not bind an action that the schema does not name")
	}
}
