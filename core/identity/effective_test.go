package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

// Every trait is said to come from somewhere, and ends with its last reason.
func TestEffective(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	u := w.person("pat@example.com", "Pat")
	day, week := w.in(24*time.Hour), w.in(7*24*time.Hour)
	_, err := w.SetRoles(w.core(), u.ID, []identity.RoleGrant{{Role: "operator", Expires: day}, {Role: "viewer"}})
	works(t, "roles", err)
	_, err = w.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: "phi_handler", Reason: "Covering the desk", Expires: week})
	works(t, "trait", err)
	_, err = w.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: "audit_required"})
	works(t, "trait", err)

	type row struct {
		Trait   string
		From    []string
		Expires *time.Time
	}
	rows := func() (rows []row) {
		held, err := w.Effective(w.core(), u.ID)
		works(t, "effective", err)
		for _, h := range held {
			r := row{Trait: h.Trait.Name, Expires: h.Expires}
			for _, s := range h.From {
				r.From = append(r.From, strings.TrimSpace(string(s.From)+" "+s.Name))
			}
			rows = append(rows, r)
		}
		return rows
	}
	want := []row{
		{"operator", []string{"role operator"}, day},
		{"viewer", []string{"implied operator", "role viewer"}, nil},
		{"plugin_manager", []string{"role operator"}, day},
		{"system_monitor", []string{"role operator"}, day},
		{"event_viewer", []string{"role operator"}, day},
		{"handles_phi", []string{"direct"}, week},
		{"audit_required", []string{"direct", "implied handles_phi"}, nil},
	}
	if diff := cmp.Diff(want, rows(), cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("effective (-want +got):\n%s", diff)
	}
	held, err := w.Effective(w.core(), u.ID)
	works(t, "effective", err)
	phi := held[5].From[0]
	if phi.Reason != "Covering the desk" || phi.GrantedBy != "test" || !phi.GrantedAt.Equal(w.clock.now()) {
		t.Errorf("handles_phi comes from %+v", phi)
	}
	// The set that decides is the same list.
	names := func() (names []string) {
		u, err := w.User(w.core(), u.ID)
		works(t, "user", err)
		return trait.Builtin().Names(u.Traits)
	}
	if diff := cmp.Diff([]string{"operator", "viewer", "plugin_manager", "system_monitor", "event_viewer", "handles_phi", "audit_required"}, names()); diff != "" {
		t.Errorf("traits (-want +got):\n%s", diff)
	}
	w.clock.set(*day)
	if diff := cmp.Diff([]string{"viewer", "handles_phi", "audit_required"}, names()); diff != "" {
		t.Errorf("traits when the role ends (-want +got):\n%s", diff)
	}
	w.clock.set(*week)
	if diff := cmp.Diff([]string{"viewer", "audit_required"}, names()); diff != "" {
		t.Errorf("traits when the grant ends (-want +got):\n%s", diff)
	}
	_, err = w.RevokeTrait(w.core(), u.ID, "audit_required")
	works(t, "revoke", err)
	if diff := cmp.Diff([]row{{"viewer", []string{"role viewer"}, nil}}, rows()); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
	// A trait ends within a running session, too.
	_, err = w.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: "event_viewer", Expires: w.in(10 * time.Minute)})
	works(t, "grant", err)
	g := w.login("pat@example.com")
	for _, want := range []bool{true, false} {
		who, err := w.bearer(g.Secret)
		if err != nil || who.Has(trait.EventViewer) != want {
			t.Errorf("at %s the session holds event_viewer: %v, %v", w.clock.now(), who.Has(trait.EventViewer), err)
		}
		w.clock.move(10 * time.Minute)
	}
}

// What roles carry that is not for people, or does not exist, gives nothing.
func TestEffectiveFailsClosed(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	w.exec("INSERT INTO roles (name, label, traits) VALUES ('odd', 'Odd', '{viewer,external_service,nonsense,contains_phi}')")
	u := w.person("pat@example.com", "Pat", "odd")
	if u.Traits != trait.SetOf(trait.Viewer) {
		t.Errorf("holds %v", trait.Builtin().Names(u.Traits))
	}
	for _, name := range []string{"external_service", "encryption_required", "root", "", "contains_phi"} {
		_, err := w.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: name})
		is(t, "grant "+name, err, fault.Unprocessable, "trait.not_assignable")
	}
	_, err := w.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: "viewer", Expires: w.in(0)})
	is(t, "an end by now", err, fault.Unprocessable, "expires.past")
	_, err = w.RevokeTrait(w.core(), u.ID, "viewer")
	is(t, "revoke what came by a role", err, fault.NotFound, "trait.not_granted")
	_, err = w.RevokeTrait(w.core(), u.ID, "\x00")
	is(t, "revoke nonsense", err, fault.NotFound, "trait.not_granted")
}
