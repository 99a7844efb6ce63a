package trait_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/trait"
)

func TestBuiltinTableIsComplete(t *testing.T) {
	r := trait.Builtin()
	seen := map[string]bool{}
	for i, row := range r.All() {
		if row.Name == "" || row.Category == "" || row.Label == "" || row.Icon == "" || row.Description == "" || row.Assignable == 0 {
			t.Errorf("trait %d (%q) lacks a column: %+v", i, row.Name, row)
		}
		if int(row.ID) != i {
			t.Errorf("%s stands at %d and says %d", row.Name, i, row.ID)
		}
		if seen[row.Name] {
			t.Errorf("%s stands twice", row.Name)
		}
		seen[row.Name] = true
		if row.Custom {
			t.Errorf("%s is built in and says custom", row.Name)
		}
		if !strings.HasSuffix(row.Description, ".") {
			t.Errorf("%s: the description %q is no sentence", row.Name, row.Description)
		}
		for _, c := range row.Conflicts {
			if !slices.Contains(r.Get(c).Conflicts, row.ID) {
				t.Errorf("%s conflicts with %s, but not the other way round", row.Name, r.Get(c).Name)
			}
		}
	}
	want := strings.Fields(`admin operator developer viewer
		plugin_manager config_manager user_manager audit_viewer system_monitor policy_manager egress_approver event_viewer
		model_steward storage_viewer rule_editor approver can_view_user admin_capable
		handles_phi handles_pii handles_confidential handles_internal handles_public
		audit_required encryption_required requires_encryption encryption_capable external_service network_isolated
		hipaa_compliant gdpr_compliant soc2_compliant
		communication_plugin storage_plugin identity_plugin integration_plugin workflow_plugin internal_plugin
		notifications provides_ui user_data cloud`)
	set, unknown := r.Parse(want)
	if unknown != nil {
		t.Errorf("unknown: %v", unknown)
	}
	if diff := cmp.Diff(want, r.Names(set)); diff != "" {
		t.Errorf("names in order of the table (-want +got):\n%s", diff)
	}
	if r.Len() != len(want) {
		t.Errorf("the table has %d traits, want %d", r.Len(), len(want))
	}
}

func TestOnlyTheRightPartiesAreAssignable(t *testing.T) {
	for _, row := range trait.Builtin().All() {
		switch row.Category {
		case trait.CategoryRole, trait.CategoryCapability:
			if row.Assignable != trait.ToUser {
				t.Errorf("%s: roles and capabilities are for users only", row.Name)
			}
		case trait.CategoryCompliance, trait.CategoryPluginType:
			if row.Assignable != trait.ToPlugin {
				t.Errorf("%s: is for plugins only", row.Name)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	for _, tc := range []struct {
		name  string
		want  trait.ID
		alias bool
		ok    bool
	}{
		{"handles_phi", trait.HandlesPHI, false, true},
		{"phi_handler", trait.HandlesPHI, true, true},
		{"requires_phi", trait.HandlesPHI, true, true},
		{"pii_processor", trait.HandlesPII, true, true},
		{"can_receive_confidential", trait.HandlesConfidential, true, true},
		{"external_api", trait.ExternalService, true, true},
		{"Handles_PHI", 0, false, false},
		{" handles_phi", 0, false, false},
		{"contains_phi", 0, false, false},
		{"", 0, false, false},
	} {
		got, alias, ok := trait.Builtin().Lookup(tc.name)
		if got.ID != tc.want || alias != tc.alias || ok != tc.ok {
			t.Errorf("Lookup(%q) = %d, alias %v, ok %v", tc.name, got.ID, alias, ok)
		}
	}
}

func TestEffective(t *testing.T) {
	for _, tc := range []struct{ have, want string }{
		{"", ""},
		{"viewer", "viewer"},
		{"operator", "operator viewer"},
		{"developer", "developer viewer"},
		{"handles_phi", "handles_phi audit_required"},
		{"handles_pii", "handles_pii audit_required"},
		{"handles_confidential", "handles_confidential"},
		{"admin", `admin operator developer viewer plugin_manager config_manager user_manager audit_viewer system_monitor policy_manager
			egress_approver event_viewer model_steward storage_viewer rule_editor approver can_view_user admin_capable`},
	} {
		r := trait.Builtin()
		have, _ := r.Parse(strings.Fields(tc.have))
		if diff := cmp.Diff(strings.Fields(tc.want), r.Names(r.Effective(have))); diff != "" {
			t.Errorf("Effective(%s) (-want +got):\n%s", tc.have, diff)
		}
	}
}

func TestAdminImpliesEveryCapabilityAndNoData(t *testing.T) {
	r := trait.Builtin()
	all := r.Effective(trait.SetOf(trait.Admin))
	for _, row := range r.All() {
		want := row.Category == trait.CategoryRole || row.Category == trait.CategoryCapability
		if all.Has(row.ID) != want {
			t.Errorf("admin has %s: %v, want %v", row.Name, all.Has(row.ID), want)
		}
	}
}

func TestImpliedBy(t *testing.T) {
	r := trait.Builtin()
	want := []trait.ID{trait.Admin, trait.Operator, trait.Developer}
	if diff := cmp.Diff(want, r.ImpliedBy(trait.Viewer)); diff != "" {
		t.Errorf("viewer is implied by (-want +got):\n%s", diff)
	}
	if got := r.ImpliedBy(trait.HandlesPHI); got != nil {
		t.Errorf("handles_phi is implied by %v; nothing may imply data access", got)
	}
}

func TestWithCustomTraits(t *testing.T) {
	base := trait.Builtin()
	first := trait.ID(base.Len())
	r, err := base.With([]trait.Trait{
		{Name: "finance_access", Label: "Finance", Assignable: trait.ToUser | trait.ToPlugin, Implies: []trait.ID{first + 1}},
		{Name: "ledger_reader", Label: "Ledger", Assignable: trait.ToUser, Conflicts: []trait.ID{trait.Cloud}, Category: "role", ID: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, alias, ok := r.Lookup("finance_access")
	if !ok || alias || got.ID != first || !got.Custom || got.Category != trait.CategoryCustom {
		t.Errorf("finance_access = %+v, %v, %v", got, alias, ok)
	}
	if diff := cmp.Diff([]string{"finance_access", "ledger_reader"}, r.Names(r.Effective(trait.SetOf(first)))); diff != "" {
		t.Errorf("finance_access implies (-want +got):\n%s", diff)
	}
	if !slices.Contains(r.Get(trait.Cloud).Conflicts, first+1) {
		t.Error("a custom trait's conflict must hold in both directions")
	}
	if len(base.Get(trait.Cloud).Conflicts) != 0 || base.Len() != int(first) {
		t.Error("With changed the registry it was called on")
	}
	if r.Effective(trait.SetOf(trait.Admin)).Has(first) {
		t.Error("admin must not hold a domain trait nobody granted")
	}
	if _, err := r.With([]trait.Trait{{Name: "finance_access", Assignable: trait.ToUser}}); refusedFor(err) != "trait.duplicate" {
		t.Errorf("a second finance_access gave %v", err)
	}
}

func TestWithRefuses(t *testing.T) {
	for rule, row := range map[string][]trait.Trait{
		"trait.name":       {{Name: "Finance"}, {Name: ""}, {Name: "a__b"}, {Name: "_a"}, {Name: "9a"}, {Name: "a b"}, {Name: "ä"}, {Name: strings.Repeat("a", 65)}},
		"trait.reserved":   {{Name: "root"}, {Name: "superuser"}, {Name: "system"}, {Name: "contains_phi"}, {Name: "contains_money"}, {Name: "phi"}, {Name: "handles_money"}},
		"trait.duplicate":  {{Name: "viewer"}, {Name: "phi_handler"}},
		"trait.reference":  {{Name: "x", Implies: []trait.ID{255}}, {Name: "x", Prerequisites: []trait.ID{trait.ID(trait.Builtin().Len())}}},
		"trait.escalation": {{Name: "x", Implies: []trait.ID{trait.Admin}}, {Name: "x", Implies: []trait.ID{trait.HandlesPHI}}, {Name: "x", Implies: []trait.ID{trait.Viewer}}},
	} {
		for _, tr := range row {
			tr.Assignable = trait.ToUser
			r, err := trait.Builtin().With([]trait.Trait{tr})
			if r != nil || refusedFor(err) != rule {
				t.Errorf("%+v: got %v, want %s", tr, err, rule)
			}
		}
	}
	if _, err := trait.Builtin().With([]trait.Trait{{Name: "x"}}); refusedFor(err) != "trait.assignable" {
		t.Errorf("a trait for nobody gave %v", err)
	}
	if _, err := trait.Builtin().With(make([]trait.Trait, 256)); refusedFor(err) != "trait.limit" {
		t.Errorf("256 custom traits gave %v", err)
	}
}

// refusedFor returns the rule of the first refusal, or "".
func refusedFor(err error) string {
	if refused, ok := errors.AsType[trait.RefusedError](err); ok {
		return refused[0].Rule
	}
	return ""
}

func TestForbidden(t *testing.T) {
	for _, name := range []string{"admin", "ADMIN", " root ", "\tSystem\n", "superuser\u00a0", "\u200bAdmin", "\ufeffroot", "admin\x00"} {
		if !trait.Forbidden(name) {
			t.Errorf("%q passes", name)
		}
	}
	for _, name := range []string{"", "administrator", "system_monitor", "ad min", "admin_capable"} {
		if trait.Forbidden(name) {
			t.Errorf("%q is refused", name)
		}
	}
}

func TestClassOf(t *testing.T) {
	want := map[string]trait.Class{
		"public": trait.Public, "internal": trait.Internal, "confidential": trait.Confidential, "pii": trait.PII, "phi": trait.PHI,
		"handles_public": trait.Public, "handles_internal": trait.Internal, "handles_confidential": trait.Confidential,
		"handles_pii": trait.PII, "handles_phi": trait.PHI, "contains_public": trait.Public, "contains_pii": trait.PII,
		"contains_phi": trait.PHI, "contains_confidential": trait.Confidential, "contains_internal": trait.Internal,
		"phi_handler": trait.PHI, "requires_phi": trait.PHI, "pii_processor": trait.PII, "can_receive_confidential": trait.Confidential,
	}
	for marker, class := range want {
		if got, ok := trait.ClassOf(marker); !ok || got != class {
			t.Errorf("ClassOf(%s) = %s, %v", marker, got, ok)
		}
	}
	for _, marker := range []string{"", "PHI", " phi", "contains_", "contains_contains_phi", "handles_money", "audit_required", "external_api"} {
		if got, ok := trait.ClassOf(marker); ok {
			t.Errorf("ClassOf(%q) = %s; it is no marker", marker, got)
		}
	}
	for c := trait.Public; c <= trait.PHI; c++ {
		if got, _ := trait.ClassOf(trait.Builtin().Get(c.Access()).Name); got != c {
			t.Errorf("%s is opened by %s", c, trait.Builtin().Get(c.Access()).Name)
		}
	}
}

func TestMissingFor(t *testing.T) {
	for _, tc := range []struct {
		classes trait.Classes
		have    trait.Set
		want    trait.Set
	}{
		{trait.ClassesOf(trait.Public, trait.Internal), trait.Set{}, trait.Set{}},
		{trait.ClassesOf(trait.PHI), trait.Set{}, trait.SetOf(trait.HandlesPHI, trait.AuditRequired)},
		{trait.ClassesOf(trait.PHI), trait.SetOf(trait.HandlesPHI), trait.SetOf(trait.AuditRequired)},
		{trait.ClassesOf(trait.PHI), trait.SetOf(trait.HandlesPII, trait.AuditRequired), trait.SetOf(trait.HandlesPHI)},
		{trait.ClassesOf(trait.Confidential), trait.Set{}, trait.SetOf(trait.HandlesConfidential)},
		{trait.ClassesOf(trait.Confidential), trait.SetOf(trait.HandlesPII), trait.Set{}},
	} {
		if got := tc.have.MissingFor(tc.classes); got != tc.want {
			t.Errorf("%v lacks %v for %s, want %v", tc.have.IDs(), got.IDs(), tc.classes, tc.want.IDs())
		}
	}
}
