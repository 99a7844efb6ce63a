package handlers_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

func TestGroups(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss")
	mara.get("/console/groups").shows(t, 200, "No group yet", "New group")
	mara.get("/console/groups/new").shows(t, 200, "New group", "Auditor", "Everybody in the group has them.")
	mara.post("/console/groups", url.Values{"name": {""}}).shows(t, 422, "needs a correction")

	made := mara.post("/console/groups", url.Values{"name": {"Ward 4B"}, "description": {"The fourth floor"}, "roles": {"auditor"}})
	at := made.Header.Get("Location")
	mara.follow(made).shows(t, 200, "The group Ward 4B is made.", "The fourth floor", "Auditor", "no end", "Nobody is in it", "audit_viewer")
	mara.post("/console/groups", url.Values{"name": {"ward 4b"}}).shows(t, 422, "Name: There is a group of that name already.")

	mara.get(at+"/join").shows(t, 200, "Add a person to Ward 4B?", "It carries Auditor")
	mara.post(at+"/join", url.Values{"email": {"nobody@example.com"}, "days": {""}}).shows(t, 422, "Nobody here has this address.")
	mara.follow(mara.post(at+"/join", url.Values{"email": {"hannah@example.com"}, "days": {"7"}, "reason": {"November"}})).shows(t, 200,
		"Hannah Weiss is in Ward 4B for 7 days. Their sessions have ended.", "November", "7 days")
	hannah.signIn("hannah@example.com").get("/console/audit").shows(t, 200, "Audit")

	mara.get(at+"/grant").shows(t, 200, "Give Ward 4B a role?", "1 person")
	mara.post(at+"/grant", url.Values{"role": {""}, "days": {""}}).shows(t, 422, "A role that was named does not exist.")
	mara.follow(mara.post(at+"/grant", url.Values{"role": {"viewer"}, "days": {"30"}})).shows(t, 200, "Ward 4B carries the role for 30 days.", "30 days")
	mara.follow(mara.post(at+"/roles/viewer/grant", url.Values{"days": {""}})).shows(t, 200, "Ward 4B carries the role.")
	mara.get(at+"/roles/operator/revoke").shows(t, 404, "Ward 4B carries no such role.")
	mara.get(at+"/roles/auditor/revoke").shows(t, 200, "Take Auditor from Ward 4B?", "1 person")
	mara.follow(mara.post(at+"/roles/auditor/revoke", nil)).shows(t, 200, "Ward 4B no longer carries Auditor.")
	hannah.signIn("hannah@example.com").get("/console/audit").shows(t, 403, "audit_viewer")

	mara.follow(mara.post(at+"/edit", url.Values{"name": {"Ward 5"}, "description": {""}})).shows(t, 200, "Ward 5 is saved.", "Viewer")
	mara.get("/console/groups?role=viewer").shows(t, 200, "Ward 5", "Viewer")
	mara.get("/console/groups?q=zzz").shows(t, 200, "No group fits all of this.")

	mara.get("/console/palette?q=ward").shows(t, 200, "Ward 5")
	mara.get("/console/palette?q=audit").shows(t, 200, "Groups and roles", "Auditor")
	hannah.get("/console/palette?q=ward").lacks(t, "Ward 5")
	mara.get(at+"/delete").shows(t, 200, "Delete Ward 5?", "1 person", "Viewer")
	mara.post(at+"/delete", url.Values{"typed": {"Ward 4B"}}).shows(t, 422, "nothing was changed")
	mara.follow(mara.post(at+"/delete", url.Values{"typed": {"Ward 5"}})).shows(t, 200, "The group Ward 5 is deleted.", "No group yet")
	mara.get(at).shows(t, 404, "There is no such group.")
	if got := c.records(audit.Filter{Action: "group.delete"}); len(got) != 1 {
		t.Errorf("the audit has %d rows of the deletion, want 1", len(got))
	}
}

// Who manages people reaches no further than their own traits: groups above them
// are shown, and cannot be changed.
func TestGroupsAboveOnesOwn(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	made := mara.post("/console/groups", url.Values{"name": {"Runners"}, "roles": {"admin"}})
	at := made.Header.Get("Location")
	pat, viewer := c.person("pat@example.com", "Pat", "user-manager"), c.person("viewer@example.com", "Viewer", "viewer")
	pat.get(at).shows(t, 200, "Runners carries traits above your own.", "Mara Lindqvist may grant it.")
	pat.get(at).lacks(t, `href="`+at+`/delete"`, `href="`+at+`/join"`)
	pat.post(at+"/delete", url.Values{"typed": {"Runners"}}).shows(t, 422, "This touches traits above your own")
	pat.post(at+"/join", url.Values{"email": {"viewer@example.com"}, "days": {""}}).shows(t, 422, "This touches traits above your own")
	pat.get("/console/groups/new").lacks(t, "Administrator")
	pat.post("/console/groups", url.Values{"name": {"More"}, "roles": {"admin"}}).shows(t, 422, "This touches traits above your own")
	viewer.get("/console/groups").shows(t, 403, "user_manager")
	viewer.get("/console").lacks(t, "/console/groups")
}

func TestRolesOfOnesOwn(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss")
	mara.get("/console/roles/new").shows(t, 200, "New role", "handles_pii")
	mara.post("/console/roles", url.Values{"label": {"Ward clerk"}}).shows(t, 422, "Traits: The role carries no trait. Choose at least one.")
	mara.post("/console/roles", url.Values{"label": {"Ward clerk"}, "name": {"Ward Clerk"}, "traits": {"viewer"}}).shows(t, 422, "Name: The name is not one of a role.")

	made := mara.post("/console/roles", url.Values{"label": {"Ward clerk"}, "description": {"Keeps lists"}, "traits": {"viewer", "handles_pii"}})
	at := views.RolePath("ward-clerk")
	if got := made.Header.Get("Location"); got != at {
		t.Fatalf("the role is made at %q: %s", got, made.text())
	}
	mara.follow(made).shows(t, 200, "The role Ward clerk is made.", "own", "Keeps lists", "handles_pii", "Brought along by these: audit_required", "Nobody has it")
	mara.post("/console/roles", url.Values{"label": {"Ward clerk"}, "traits": {"viewer"}}).shows(t, 422, "There is a role of that name already.")
	if copied := mara.get("/console/roles/new?like=ward-clerk"); !strings.Contains(copied.Body, `value="Keeps lists"`) || !strings.Contains(copied.Body, `value="handles_pii" checked`) {
		t.Errorf("a copy does not begin with what is copied: %s", copied.text())
	}

	u := c.firstUser("hannah@example.com")
	must(c.Identity.GiveRole(c.system(), u.ID, identity.RoleGrant{Role: "ward-clerk", Reason: "Ticket 12"}))(t)
	g := must(c.Identity.CreateGroup(c.system(), identity.GroupEdit{Name: "Ward 4B", Roles: []identity.RoleGrant{{Role: "ward-clerk"}}}))(t)
	mara.get(at).shows(t, 200, "Hannah Weiss", "role Ward clerk", "Ward 4B", "1 group")
	mara.get(at+"/edit").shows(t, 200, "Edit Ward clerk", "1 person has it", "1 group carries it")
	hannah.signIn("hannah@example.com").get("/console/plugins").shows(t, 200)
	mara.follow(mara.post(at+"/edit", url.Values{"label": {"Clerk"}, "traits": {"handles_internal"}})).shows(t, 200, "The role Clerk is saved.", "handles_internal")
	hannah.signIn("hannah@example.com").get("/console/plugins").shows(t, 403)
	mara.post(at+"/edit", url.Values{"label": {"Clerk"}}).shows(t, 422, "Choose at least one.")

	mara.get(at+"/delete").shows(t, 200, "Delete the role Clerk?", "1 person", "1 group", "Type ward-clerk to confirm")
	mara.post(at+"/delete", url.Values{"in_use": {"take"}, "typed": {"clerk"}}).shows(t, 422, "nothing was changed")
	mara.post(at+"/delete", url.Values{}).shows(t, 422, "say that it is to be taken from them")
	mara.follow(mara.post(at+"/delete", url.Values{"in_use": {"take"}, "typed": {"ward-clerk"}})).shows(t, 200, "The role Clerk is deleted.")
	mara.get(views.GroupPath(g.ID.String())).shows(t, 200, "None: being in it gives nothing.")

	shipped := mara.get(views.RolePath("auditor"))
	shipped.shows(t, 200, "shipped", "stays as it is; copy it")
	mara.get(views.RolePath("auditor", "edit")).shows(t, 409, "shipped")
	mara.post(views.RolePath("auditor", "edit"), url.Values{"label": {"X"}, "traits": {"viewer"}}).shows(t, 409, "shipped")
	mara.get(views.RolePath("nothing")).shows(t, 404, "There is no such role.")
}

// What ends by itself stands in one list, from which it is changed and taken away.
func TestExpiringGrants(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.person("hannah@example.com", "Hannah Weiss", "viewer")
	mara.get(views.PathExpiring).shows(t, 200, "Nothing ends by itself")
	at := views.UserPath(c.firstUser("hannah@example.com").ID.String())
	mara.post(at+"/grant", url.Values{"what": {"roles:auditor"}, "days": {"30"}, "reason": {"The report of March"}})
	mara.post(at+"/grant", url.Values{"what": {"traits:event_viewer"}, "days": {"1"}})
	list := mara.get(views.PathExpiring)
	list.shows(t, 200, "Hannah Weiss hannah@example.com event_viewer Mara Lindqvist", "ends in 1 day", "Role Auditor The report of March", "ends in 30 days")
	if strings.Index(list.text(), "event_viewer") > strings.Index(list.text(), "Role Auditor") {
		t.Error("what ends last stands first")
	}
	mara.follow(mara.post(at+"/roles/auditor/revoke", url.Values{"back": {views.PathExpiring}})).shows(t, 200, "Expiring grants", "no longer has the role auditor by hand")
	mara.get(views.PathExpiring).lacks(t, "Role Auditor")
	mara.get(views.PathExpiring+"?after=x").shows(t, 400, "start from the first")
	mara.get(views.PathRoles).shows(t, 200, "Expiring grants")
}

// firstUser returns the person of an address.
func (c *core) firstUser(email string) identity.User {
	c.t.Helper()
	page := must(c.Identity.Users(c.system(), identity.UserFilter{Text: email}))(c.t)
	for _, u := range page.Users {
		if strings.EqualFold(u.Email, email) {
			return u
		}
	}
	c.t.Fatalf("nobody has %s", email)
	return identity.User{}
}
