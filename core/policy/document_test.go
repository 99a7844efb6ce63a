package policy_test

import (
	"strings"
	"testing"

	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// compiled returns a document that must be without findings.
func compiled(t testing.TB, text string) *policy.Document {
	t.Helper()
	d, found := policy.Compile(text, trait.Builtin())
	if len(found) > 0 {
		t.Fatalf("%v in\n%s", found, text)
	}
	return d
}

// Every finding stands at the place it speaks of, and says what to do.
func TestFindings(t *testing.T) {
	const annotated = `@id("r") @reason("Because.")` + "\n"
	for _, tt := range []struct {
		name, text   string
		severity     policy.Severity
		line, column int
		says         string
	}{
		{"no id", `@reason("Because.") forbid (principal, action, resource) when { context.hour < 6 };`, policy.Error, 1, 1, "no usable @id"},
		{"an id of another form", `@id("No Calls") @reason("Because.") forbid (principal, action, resource) when { context.hour < 6 };`, policy.Error, 1, 1, "no usable @id"},
		{"no reason", `@id("r") forbid (principal, action, resource) when { context.hour < 6 };`, policy.Error, 1, 1, "no @reason"},
		{"an annotation that means nothing", `@id("r") @reason("Because.") @raeson("x") forbid (principal, action, resource) when { context.hour < 6 };`, policy.Error, 1, 31, "@raeson"},
		{"an audit level that is none", `@id("r") @reason("Because.") @audit("all") forbid (principal, action, resource) when { context.hour < 6 };`, policy.Error, 1, 31, "audit level"},
		{"an effect misspelt", annotated + `forbit (principal, action, resource);`, policy.Error, 2, 1, "forbit"},
		{"a bracket too few", annotated + "forbid (principal, action, resource)\nwhen context.hour < 6 };", policy.Error, 3, 6, "{"},
		{"no end", annotated + "forbid (principal, action, resource)\nwhen { context.hour < 6 }", policy.Error, 3, 25, "no end"},
		{"an attribute nobody has", annotated + "forbid (principal, action, resource)\nwhen { principal.moon };", policy.Error, 3, 18, "no attribute “moon”"},
		{"a type that does not fit", annotated + "forbid (principal, action, resource)\nwhen { principal.id < 3 };", policy.Error, 3, 1, "and not a string"},
		{"an action nobody knows", annotated + `forbid (principal, action == Action::"moon.walk", resource);`, policy.Error, 2, 38, "no action “moon.walk”"},
		{"the action that stands for others", annotated + `forbid (principal, action == Action::"plugin.*", resource);`, policy.Error, 2, 38, "no action"},
		{"the same in a condition", annotated + "forbid (principal, action, resource)\nwhen { action == Action::\"plugin.*\" };", policy.Error, 3, 26, "no action"},
		{"a type nobody knows", annotated + `forbid (principal is Robot, action, resource);`, policy.Error, 2, 22, "no type “Robot”"},
		{"a principal the action never has", annotated + `forbid (principal is User, action == Action::"event.publish", resource);`, policy.Error, 2, 1, "No action has"},
		{"a trait nobody knows", annotated + "forbid (principal, action, resource)\nwhen { principal.traits.contains(\"handels_phi\") };", policy.Error, 3, 34, "Did you mean handles_phi"},
		{"an older name of a trait", annotated + "forbid (principal, action, resource)\nwhen { principal.traits.containsAny([\"viewer\", \"phi_handler\"]) };", policy.Error, 3, 48, "handles_phi"},
		{"a class nobody knows", annotated + "forbid (principal, action == Action::\"operator.call\", resource)\nwhen { resource.classes.contains(\"secret\") };", policy.Error, 3, 34, "no data class"},
		{"traits compared with classes", annotated + "forbid (principal, action == Action::\"operator.call\", resource)\nwhen { resource.classes == resource.requires };", policy.Error, 3, 17, "different things"},
		{"a fact that is not always there", annotated + "forbid (principal, action, resource)\nwhen { context.on_behalf.id == \"x\" };", policy.Error, 3, 16, "context has on_behalf"},
		{"a word the fact never has", annotated + "forbid (principal, action, resource)\nwhen { context.weekday == \"Sunday\" };", policy.Error, 3, 27, "monday"},
		{"a host that is none", annotated + `forbid (principal, action, resource == Domain::"*.example.com");`, policy.Error, 2, 48, "no host"},
		{"an operation that is none", annotated + `forbid (principal, action, resource == Operation::"get_profile");`, policy.Error, 2, 51, "no operation"},
		{"the attributes of a thing that is named", annotated + "forbid (principal, action, resource)\nwhen { Plugin::\"crm\".state == \"active\" };", policy.Error, 3, 22, "nothing is known"},
		{"decimals", annotated + "forbid (principal, action, resource)\nwhen { decimal(\"1.0\").lessThan(decimal(\"2.0\")) };", policy.Error, 3, 8, "decimal"},
		{"a permit that a trait takes away", annotated + "permit (principal, action == Action::\"operator.call\", resource)\nunless { principal.traits.contains(\"handles_phi\") };", policy.Error, 3, 1, "one more trait"},
		{"nested too deep", annotated + "forbid (principal, action, resource) when { " + strings.Repeat("(", 40) + "true" + strings.Repeat(")", 40) + " };", policy.Error, 1, 1, "nested"},
		{"too long a rule", annotated + "forbid (principal, action, resource) when { " + strings.Repeat("true && ", 2001) + "true };", policy.Error, 1, 1, "longer"},
		{"no UTF-8", "\xff", policy.Error, 1, 1, "UTF-8"},
		{"too large", strings.Repeat(" ", policy.MaxText+1), policy.Error, 1, 1, "KiB"},
		{"the same id twice", strings.Repeat(annotated+"forbid (principal, action, resource) when { context.hour < 6 };\n", 2), policy.Error, 3, 1, "line 1 has the same"},

		{"a condition that is never true", annotated + "forbid (principal, action, resource) when { context.hour > 23 };", policy.Warning, 1, 1, "never matches"},
		{"conditions that exclude each other by type", annotated + "forbid (principal is User, action, resource) when { principal is Plugin };", policy.Warning, 1, 1, "never matches"},
		{"a permit without effect", annotated + `permit (principal, action == Action::"proxy.request", resource);`, policy.Warning, 1, 1, "no effect"},
		{"a permit for people, who need none", annotated + `permit (principal is User, action == Action::"operator.call", resource);`, policy.Warning, 1, 1, "no effect"},
		{"a forbid of the way back", annotated + `forbid (principal, action in Action::"policy", resource);`, policy.Warning, 1, 1, "policy_manager"},
		{"a forbid of everything", annotated + `forbid (principal, action, resource);`, policy.Warning, 1, 1, "everything"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, found := policy.Compile(tt.text, trait.Builtin())
			if (d == nil) != (tt.severity == policy.Error) {
				t.Errorf("a document comes back: %v, beside %v", d != nil, found)
			}
			for _, f := range found {
				if strings.Contains(f.Message+" "+f.Fix, tt.says) {
					if f.Line != tt.line || f.Column != tt.column || f.Severity != tt.severity || f.Fix == "" {
						t.Errorf("got %+v, want it at %d:%d, %s, with a fix", f, tt.line, tt.column, tt.severity)
					}
					return
				}
			}
			t.Errorf("nothing about %q in %+v", tt.says, found)
		})
	}
}

func TestRulesOfADocument(t *testing.T) {
	d := compiled(t, "// one\n"+`@id("night") @reason("Nobody calls at night.")
forbid (principal, action == Action::"operator.call", resource) when { context.hour < 6 };

@id("billing-reads") @reason("Billing reads profiles.") @audit("detailed")
permit (principal == Plugin::"billing", action == Action::"operator.call", resource == Operation::"profiles/get_profile");`)
	rules := d.Rules()
	if len(rules) != 2 {
		t.Fatalf("got %d rules", len(rules))
	}
	if r := rules[0]; r.ID != "night" || r.Name() != "admin.night" || r.Effect != policy.Forbid || r.Line != 2 || len(r.Actions) != 1 || r.Actions[0] != policy.OperatorCall {
		t.Errorf("the first reads %+v", r)
	}
	if r := rules[1]; r.Effect != policy.Permit || r.Audit != policy.AuditDetailed || r.Line != 5 || r.Reason != "Billing reads profiles." {
		t.Errorf("the second reads %+v", r)
	}
}

func TestTheEmptyDocument(t *testing.T) {
	for _, text := range []string{"", "  \n", "// nothing yet\n"} {
		if d := compiled(t, text); d == nil || len(d.Rules()) != 0 {
			t.Errorf("%q is no document without rules", text)
		}
	}
}
