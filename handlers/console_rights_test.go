package handlers_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

func TestGivingByHand(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	one := views.UserPath(hannah.user.ID.String())
	mara.get(one).shows(t, 200, "Given by hand", "Role Viewer", "In no group.")
	mara.get(one+"/grant").shows(t, 200, "Give Hannah Weiss a role or trait?", "Trait event_viewer", "30 days", "No end")

	gave := mara.post(one+"/grant", url.Values{"what": {"traits:event_viewer"}, "days": {"7"}, "reason": {"Watches the migration"}})
	mara.follow(gave).shows(t, 200, "Hannah Weiss has the trait event_viewer for 7 days. Their sessions have ended.", "granted by Mara Lindqvist: Watches the migration", "ends in 7 days")
	hannah.signIn("hannah@example.com").get("/console/events").shows(t, 200)
	mara.post(one+"/grant", url.Values{"what": {"roles:auditor"}, "days": {"other"}, "other_days": {"0"}}).shows(t, 422, "a number of days from 1 to 3650")
	mara.post(one+"/grant", url.Values{"what": {"roles:emperor"}, "days": {"1"}}).shows(t, 422, "A role that was named does not exist.")
	mara.post(one+"/grant", url.Values{"days": {"1"}}).shows(t, 422, "Choose a role or a trait.")
	mara.follow(mara.post(one+"/grant", url.Values{"what": {"roles:auditor"}, "days": {"other"}, "other_days": {"3"}, "reason": {"Yearly review"}})).shows(t, 200, "the role auditor for 3 days", "Yearly review", "role Auditor")
	mara.follow(mara.post(one+"/roles", url.Values{"roles": {"auditor"}})).shows(t, 200, "Yearly review") // the form of roles keeps reasons
	mara.follow(mara.post(one+"/roles/auditor/grant", url.Values{"days": {""}})).shows(t, 200, "no end")

	mara.get(one+"/traits/event_viewer/revoke").shows(t, 200, "Take the trait event_viewer from Hannah Weiss?", "Loses", "event_viewer")
	mara.get(one+"/roles/auditor/revoke").shows(t, 200, "Loses", "audit_viewer")
	mara.follow(mara.post(one+"/roles/auditor/revoke", nil)).shows(t, 200, "no longer has the role auditor by hand")
	mara.follow(mara.post(one+"/traits/event_viewer/revoke", nil)).shows(t, 200, "no longer has the trait event_viewer")
	mara.post(one+"/traits/event_viewer/revoke", nil).shows(t, 422, "was not given that trait by itself")
	self := views.UserPath(mara.user.ID.String())
	mara.post(self+"/roles/admin/revoke", nil).shows(t, 422, "This is the last active administrator")
	mara.get("/console").shows(t, 200)
}

func TestPlacesInGroups(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	one := views.UserPath(hannah.user.ID.String())
	mara.get(one+"/groups/join").shows(t, 200, "There is no group that you may put people into.")
	ward := must(c.Identity.CreateGroup(c.system(), identity.GroupEdit{Name: "Ward 4B", Roles: []identity.RoleGrant{{Role: "auditor"}}}))(t)
	must(c.Identity.CreateGroup(c.system(), identity.GroupEdit{Name: "Chiefs", Roles: []identity.RoleGrant{{Role: "admin"}}}))(t)

	joined := mara.post(one+"/groups/join", url.Values{"group": {ward.ID.String()}, "days": {"1"}, "reason": {"Covers the desk"}})
	mara.follow(joined).shows(t, 200, "Hannah Weiss is in the group for 1 day.", "Ward 4B", "Covers the desk", "group Ward 4B → role Auditor")
	hannah.signIn("hannah@example.com").get("/console/account").shows(t, 200, "group Ward 4B → role Auditor")
	mara.post(one+"/groups/join", url.Values{"group": {"x"}, "days": {"1"}}).shows(t, 422, "Choose a group.")
	mara.follow(mara.post(one+"/groups/"+ward.ID.String()+"/join", url.Values{"days": {""}})).shows(t, 200, "no end")
	mara.get(one+"/groups/"+ward.ID.String()+"/leave").shows(t, 200, "Take Hannah Weiss out of Ward 4B?", "Auditor")
	mara.follow(mara.post(one+"/groups/"+ward.ID.String()+"/leave", nil)).shows(t, 200, "Hannah Weiss is out of Ward 4B.", "In no group.")

	end := time.Now().Add(time.Hour)
	must(c.Identity.SetExternal(c.system(), hannah.user.ID, identity.External{Provider: "okta", Roles: []string{"operator"}, Groups: nil}))(t)
	must(c.Identity.JoinGroup(c.system(), ward.ID, hannah.user.ID, identity.MemberGrant{Expires: &end}))(t)
	mara.get(one).shows(t, 200, "role Operator, by okta", "ends in 1 h")
}

// A user manager who is no administrator gives nothing above themselves.
func TestNobodyGivesAboveThemselves(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "user-manager")
	pat := c.person("pat@example.com", "Pat", "viewer")
	chiefs := must(c.Identity.CreateGroup(c.system(), identity.GroupEdit{Name: "Chiefs", Roles: []identity.RoleGrant{{Role: "admin"}}}))(t)
	one := views.UserPath(pat.user.ID.String())
	hannah.get(one+"/grant").lacks(t, "Role Administrator", "Trait policy_manager", "Trait handles_phi")
	hannah.get(one+"/groups/join").lacks(t, "Chiefs")
	const refused = "This touches traits above your own"
	hannah.post(one+"/grant", url.Values{"what": {"traits:policy_manager"}, "days": {"1"}}).shows(t, 422, refused)
	hannah.post(one+"/grant", url.Values{"what": {"roles:admin"}, "days": {"1"}}).shows(t, 422, refused)
	hannah.post(one+"/groups/join", url.Values{"group": {chiefs.ID.String()}, "days": {"1"}}).shows(t, 422, refused)
	hannah.post(views.UserPath(mara.user.ID.String())+"/roles/admin/revoke", nil).shows(t, 422, refused)
}
