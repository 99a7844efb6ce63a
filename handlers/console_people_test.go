package handlers_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// once returns what a page shows this once, in the field of an id.
func (p page) once(t testing.TB, id string) string {
	t.Helper()
	found := regexp.MustCompile(`id="` + id + `" value="([^"]+)"`).FindStringSubmatch(p.Body)
	if found == nil {
		t.Fatalf("%s shows nothing in %s: %s", p.Request.URL.Path, id, p.text())
	}
	return found[1]
}

// dialogOf asks for a dialog as htmx does.
func (b *browser) dialogOf(path, from string) page {
	b.t.Helper()
	return b.do("GET", path, nil, htmx("div#vv-ask", b.core.URL+from))
}

func TestInvitation(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	mara.get("/console/users").shows(t, 200, "Users", "Mara Lindqvist", "you", "Administrator", "Active")
	mara.get("/console/users/invite").shows(t, 200, "Invite a person", "Auditor", "Make the link")
	if p := mara.dialogOf("/console/users/invite", "/console/users"); !strings.HasPrefix(strings.TrimSpace(p.Body), "<dialog") {
		t.Errorf("htmx is answered with no dialog: %.80s", p.Body)
	}

	bad := mara.post("/console/users/invite", url.Values{"email": {"nobody"}, "name": {"Ines Okafor"}, "roles": {"auditor"}})
	bad.shows(t, 422, "1 value needs a correction", "This is not an e-mail address.")
	if !strings.Contains(bad.Body, `value="Ines Okafor"`) {
		t.Error("what was typed is lost")
	}
	mara.post("/console/users/invite", url.Values{"email": {adminAt}, "name": {"Twin"}}).shows(t, 422, "Somebody has that address already.")

	made := mara.post("/console/users/invite", url.Values{"email": {"ines@example.com"}, "name": {"Ines Okafor"}, "roles": {"auditor"}})
	made.shows(t, 201, "Send this link to Ines Okafor", "not shown again")
	if got := made.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("the page with the link may be kept: %q", got)
	}
	link := must(url.Parse(made.once(t, "invite-link")))(t)
	mara.get("/console/users").shows(t, 200, "Ines Okafor", "Invited")
	mara.get("/console/users").lacks(t, link.Query().Get("token"))

	ines := c.stranger()
	ines.get(link.RequestURI()).shows(t, 200, "ines@example.com")
	joined := ines.post("/invite", url.Values{"token": {link.Query().Get("token")}, "name": {"Inés Okafor"}, "password": {password}})
	ines.follow(joined).shows(t, 200)
	ines.get("/console/account").shows(t, 200, "Inés Okafor", "Auditor", "audit_viewer")
	ines.get("/console/users").shows(t, 403, "user_manager", "Mara Lindqvist")
	c.stranger().get(link.RequestURI()).shows(t, 410)
	if strings.Contains(c.Log.String(), link.Query().Get("token")) {
		t.Error("the link is in the log")
	}
}

func TestNewLink(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	one := views.UserPath(hannah.user.ID.String(), "link")
	mara.get(one).shows(t, 200, "Make a password link for Hannah Weiss?")
	asked := mara.do("POST", one, nil, htmx("main#main", c.URL+"/console/users"))
	asked.shows(t, 201, "Send this link to Hannah Weiss")
	if got := asked.Header.Get("HX-Retarget"); got != "#vv-ask" {
		t.Errorf("the link goes to %q", got)
	}
	link := must(url.Parse(asked.once(t, "invite-link")))(t)
	if p := c.stranger().post("/invite", url.Values{"token": {link.Query().Get("token")}, "password": {"nine silver spoons"}}); p.StatusCode != http.StatusSeeOther {
		t.Fatalf("the link sets no password: %d %s", p.StatusCode, p.text())
	}
	hannah.follow(hannah.get("/console/account")).shows(t, 200, "Sign in")
}

func TestRoles(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	one := views.UserPath(hannah.user.ID.String())
	mara.get(one).shows(t, 200, "Hannah Weiss", "role Viewer", "Roles", "Signed in")
	hannah.get("/console/audit").shows(t, 403)

	tomorrow := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)
	must(c.Identity.SetRoles(c.system(), hannah.user.ID, []identity.RoleGrant{{Role: "auditor", Expires: &tomorrow}}))(t)
	mara.follow(mara.post(one+"/roles", url.Values{"roles": {"auditor", "viewer"}})).shows(t, 200, "The roles of Hannah Weiss are saved.")
	for _, h := range must(c.Identity.Effective(c.system(), hannah.user.ID))(t) {
		if h.Trait.Name == "audit_viewer" && (h.Expires == nil || !h.Expires.Equal(tomorrow)) {
			t.Errorf("saving the form moved the end of a role to %v", h.Expires)
		}
	}
	hannah.follow(hannah.get("/console")).shows(t, 200, "Sign in")
	hannah.signIn("hannah@example.com").get("/console/audit").shows(t, 200, "Audit")

	mara.post(one+"/roles", url.Values{"roles": {"emperor"}}).shows(t, 422, "A role that was named does not exist.")
	mara.follow(mara.post(one+"/roles", url.Values{"roles": {"auditor", "viewer"}})).shows(t, 200, "has these roles already")
	mara.post(views.UserPath(mara.user.ID.String(), "roles"), url.Values{"roles": {"viewer"}}).shows(t, 422, "This is the last active administrator")
	mara.get("/console/users/0195aa10-7e4c-7d21-9f00-4c1d55b0c41d").shows(t, 404, "There is no such person.")
	mara.get("/console/users/hannah").shows(t, 404, "There is no such person.")
}

func TestSuspension(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	one := views.UserPath(hannah.user.ID.String())
	mara.get(one+"/suspend").shows(t, 200, "Suspend Hannah Weiss?", "1 session, 0 API keys")
	told := mara.swap(one+"/suspend", "/console/users", url.Values{"reason": {"on leave"}, "back": {"/console/users"}})
	told.shows(t, 200, "Hannah Weiss is suspended.", "Suspended", "Undo")
	hannah.follow(hannah.get("/console")).shows(t, 200, "Sign in")
	if p := hannah.post("/sign-in", url.Values{"email": {"hannah@example.com"}, "password": {password}}); p.StatusCode != http.StatusUnauthorized {
		t.Errorf("a suspended person signs in: %d", p.StatusCode)
	}
	if n := len(c.records(audit.Filter{Action: "user.suspend", Outcome: audit.OK})); n != 1 {
		t.Errorf("%d suspensions are recorded, want 1", n)
	}
	mara.get("/console/users?state=suspended").shows(t, 200, "Hannah Weiss", "Restore")
	mara.get("/console/users?state=suspended").lacks(t, views.UserPath(mara.user.ID.String()))
	mara.follow(mara.post(one+"/restore", nil)).shows(t, 200, "Hannah Weiss may sign in again.")
	hannah.signIn("hannah@example.com").get("/console").shows(t, 200)
	mara.post(one+"/restore", nil).shows(t, 409, "Hannah Weiss is active")

	own := views.UserPath(mara.user.ID.String())
	mara.get("/console/users").shows(t, 200, "Nobody suspends or deletes themselves")
	mara.post(own+"/suspend", nil).shows(t, 422, "Nobody suspends or deletes themselves")
	mara.post(own+"/delete", url.Values{"typed": {adminAt}}).shows(t, 422, "Nobody suspends or deletes themselves")
	mara.get("/console").shows(t, 200)
}

func TestDeletion(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	one := views.UserPath(hannah.user.ID.String())
	mara.get(one+"/delete").shows(t, 200, "Delete Hannah Weiss?", "Type hannah@example.com to confirm")
	mara.post(one+"/delete", url.Values{"typed": {"hannah"}}).shows(t, 422, "nothing was changed")
	gone := mara.post(one+"/delete", url.Values{"typed": {"hannah@example.com"}, "back": {one}})
	if got := gone.Header.Get("Location"); got != "/console/users" {
		t.Errorf("a deletion leads to %q", got)
	}
	mara.follow(gone).shows(t, 200, "Hannah Weiss is deleted.")
	hannah.follow(hannah.get("/console")).shows(t, 200, "Sign in")
	kept := mara.get(one)
	kept.shows(t, 200, "Hannah Weiss was deleted")
	for _, action := range kept.actions() {
		if strings.HasPrefix(action, one) {
			t.Errorf("somebody deleted can still be changed by %s", action)
		}
	}
	mara.post(one+"/suspend", nil).shows(t, 404, "There is no such person.")
}

// A user manager who is no administrator sees why an administrator is out of
// reach, and is refused when asking anyway.
func TestNobodyReachesAboveThemselves(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.person("tomas@example.com", "Tomás Ferreira", "admin") // so that nobody is the last one
	admin := views.UserPath(mara.user.ID.String())
	must(c.Identity.Invite(c.system(), identity.Invitation{Email: "pat@example.com", Name: "Pat", Roles: []identity.RoleGrant{{Role: "viewer"}}}))(t)
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	must(c.Identity.GrantTrait(c.system(), hannah.user.ID, identity.TraitGrant{Trait: "user_manager", Reason: "covers for Mara"}))(t)
	hannah.signIn("hannah@example.com")

	hannah.get("/console/account").shows(t, 200, "covers for Mara")
	p := hannah.get(admin)
	p.lacks(t, "In audit", "Activity") // she is no auditor
	p.shows(t, 200, "Mara Lindqvist has traits above your own.", "Mara Lindqvist and Tomás Ferreira may grant it.")
	for _, action := range p.actions() {
		if strings.HasPrefix(action, admin) {
			t.Errorf("an action above one's own is offered: %s", action)
		}
	}
	hannah.get("/console/users/invite").lacks(t, `value="admin"`)
	hannah.post("/console/users/invite", url.Values{"email": {"eve@example.com"}, "name": {"Eve"}, "roles": {"admin"}}).shows(t, 422, "This touches traits above your own")
	hannah.post(admin+"/roles", url.Values{"roles": {"viewer"}}).shows(t, 403, "This touches traits above your own")
	hannah.post(admin+"/suspend", nil).shows(t, 422, "This touches traits above your own")
	hannah.post(admin+"/delete", url.Values{"typed": {adminAt}}).shows(t, 422, "This touches traits above your own")
	hannah.post(admin+"/link", nil).shows(t, 422, "This touches traits above your own")
	session := must(c.Identity.Sessions(c.system(), mara.user.ID))(t)[0]
	hannah.post(admin+"/sessions/"+session.ID.String()+"/revoke", nil).shows(t, 403, "This touches traits above your own")
	mara.get("/console").shows(t, 200)
}

func TestUserList(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	for _, name := range []string{"Ada", "Ben"} {
		must(c.Identity.Invite(c.system(), identity.Invitation{Email: strings.ToLower(name) + "@example.com", Name: name, Roles: []identity.RoleGrant{{Role: "viewer"}}}))(t)
	}
	for query, want := range map[string][]string{
		"": {"Ada", "Ben", "Mara"}, "?q=ben": {"Ben"}, "?state=invited": {"Ada", "Ben"}, "?role=admin": {"Mara"}, "?q=zoe": nil, "?state=deleted": {"Ada", "Ben", "Mara"},
	} {
		var got []string
		for _, m := range regexp.MustCompile(`(?s)<a class="vv-who two".*?<span>\s*(\w+)`).FindAllStringSubmatch(mara.get("/console/users"+query).Body, -1) {
			got = append(got, m[1])
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q lists others (-want +got):\n%s", query, d)
		}
	}
	mara.get("/console/users?q=zoe").shows(t, 200, "Nothing matches")
	mara.get("/console/users?after=x").shows(t, 400, "start from the first")
}
