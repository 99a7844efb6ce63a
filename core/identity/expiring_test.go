package identity_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// What ends is listed the soonest first, page by page, and no more once it ended.
func TestExpiringGrants(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada@example.com", "Ada")
	g := w.group("Ward 4B", []string{"viewer"})
	_, err := w.GiveRole(w.core(), ada.ID, identity.RoleGrant{Role: "auditor", Reason: "March", Expires: w.in(3 * time.Hour)})
	works(t, "give a role", err)
	_, err = w.GiveRole(w.core(), ada.ID, identity.RoleGrant{Role: "operator"})
	works(t, "give a role without an end", err)
	_, err = w.GrantTrait(w.core(), ada.ID, identity.TraitGrant{Trait: "event_viewer", Expires: w.in(time.Hour)})
	works(t, "grant a trait", err)
	_, err = w.JoinGroup(w.core(), g.ID, ada.ID, identity.MemberGrant{Expires: w.in(2 * time.Hour)})
	works(t, "join", err)

	all := func() (labels []string) {
		for cursor := ""; ; {
			page, next, err := w.ExpiringGrants(w.core(), cursor, 1)
			works(t, "list", err)
			for _, e := range page {
				labels = append(labels, e.Kind+" "+e.Label+" "+e.Reason)
			}
			if cursor = next; next == "" {
				return labels
			}
		}
	}
	if d := cmp.Diff([]string{"trait event_viewer ", "group Ward 4B ", "role Auditor March"}, all()); d != "" {
		t.Errorf("what ends (-want +got):\n%s", d)
	}
	w.clock.move(time.Hour)
	if d := cmp.Diff([]string{"group Ward 4B ", "role Auditor March"}, all()); d != "" {
		t.Errorf("what ends an hour later (-want +got):\n%s", d)
	}
	works(t, "delete her", w.Delete(w.core(), ada.ID))
	if got := all(); got != nil {
		t.Errorf("of somebody deleted there ends %q", got)
	}
	for _, bad := range []string{"x", "!", "e30x"} {
		_, _, err := w.ExpiringGrants(w.core(), bad, 0)
		is(t, "cursor "+bad, err, fault.Invalid, "cursor.malformed")
	}
}
