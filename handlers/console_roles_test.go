package handlers_test

import (
	"net/url"
	"testing"

	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

func TestRolesAndTraits(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "auditor")
	must(c.Identity.CreateRole(c.system(), identity.Role{Name: "ward-clerk", Label: "Ward clerk", Traits: []string{"handles_pii"}}))(t)
	mara.get("/console/roles").shows(t, 200, "Roles & traits", "Administrator 1 people", "Ward clerk 0 people", "Capability", "Data access", "audit_viewer by admin", "audit_required by handles_phi and handles_pii")
	mara.get("/console/roles").lacks(t, "network_isolated") // not for people
	only := mara.get("/console/roles?q=audit_v")
	only.shows(t, 200, "audit_viewer")
	only.lacks(t, "event_viewer")
	mara.get("/console/roles?q=zzz").shows(t, 200, "Nothing matches")

	one := views.TraitPath("audit_viewer")
	mara.get(one).shows(t, 200, "Hannah Weiss", "role Auditor", "Mara Lindqvist", "implied by admin", "no end")
	mara.get(one+"/grant").shows(t, 200, "Grant audit_viewer?", "E-mail of the person")
	mara.post(one+"/grant", url.Values{"email": {"nobody@example.com"}, "days": {"1"}}).shows(t, 422, "Nobody here has this address.")
	mara.follow(mara.post(views.TraitPath("event_viewer", "grant"), url.Values{"email": {"hannah@example.com"}, "days": {"30"}, "reason": {"Migration"}})).shows(t, 200,
		"Hannah Weiss has the trait event_viewer for 30 days.", "granted by Mara Lindqvist: Migration")
	mara.follow(mara.post("/console/roles/grant", url.Values{"what": {"roles:ward-clerk"}, "email": {"hannah@example.com"}, "days": {""}})).shows(t, 200, "Ward clerk 1 people")
	mara.get(views.TraitPath("external_service")).shows(t, 404, "There is no such trait for people.")
	hannah.signIn("hannah@example.com").get("/console/roles").shows(t, 403, "user_manager")

	pat := c.person("pat@example.com", "Pat", "user-manager")
	pat.get(views.TraitPath("handles_phi")).shows(t, 200, "It is above your own traits.")
	pat.post(views.TraitPath("handles_phi", "grant"), url.Values{"email": {"hannah@example.com"}, "days": {"1"}}).shows(t, 422, "This touches traits above your own")
}
