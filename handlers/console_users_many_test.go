package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

func TestUsersFilters(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	group := must(c.Identity.CreateGroup(c.system(), identity.GroupEdit{Name: "Night shift"}))(t).ID.String()
	own := views.UserPath(mara.user.ID.String())
	for query, want := range map[string]bool{"trait=viewer": true, "trait=admin": false, "source=local": true, "source=oidc": false, "role=viewer": true, "group=" + group: false} {
		p := mara.get("/console/users?" + query)
		p.shows(t, 200, "Users")
		if got := strings.Contains(p.Body, views.UserPath(hannah.user.ID.String())); got != want {
			t.Errorf("%s lists Hannah: %t", query, got)
		}
	}
	mara.get("/console/users?role=viewer").lacks(t, own+"/suspend")
	mara.get("/console/users?group="+group).shows(t, 200, "Group is Night shift", "Nobody fits all of this.")
	mara.get("/console/users?group=x").shows(t, 400, "the id of a group")
	mara.follow(mara.post(views.PathViews, url.Values{"page": {views.PathUsers}, "name": {"Viewers"}, "query": {"role=viewer"}})).shows(t, 200, "The view Viewers is saved.", "Role is Viewer")
}

func TestBulk(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah, pat := c.person("hannah@example.com", "Hannah Weiss", "viewer"), c.person("pat@example.com", "Pat Doe", "viewer")
	all := []string{hannah.user.ID.String(), pat.user.ID.String(), mara.user.ID.String()}
	mara.get("/console/users").shows(t, 200, "With those marked", "Invite several")
	asked := mara.get("/console/users/bulk?" + url.Values{"do": {"suspend"}, "people": all}.Encode())
	asked.shows(t, 200, "Suspend: 3 people?", "Hannah Weiss, Pat Doe, Mara Lindqvist", "Reason")
	mara.get("/console/users/bulk?do=suspend").shows(t, 422, "Mark one to 30 people")
	mara.get("/console/users/bulk?do=crown&people="+all[0]).shows(t, 422, "nothing that can be done to several")
	hannah.get("/console/users/bulk?do=suspend&people="+all[1]).shows(t, 403)

	done := mara.post("/console/users/bulk", url.Values{"do": {"suspend"}, "people": all, "reason": {"leave"}})
	done.shows(t, 200, "2 done, 1 refused.", "Hannah Weiss", "Nobody suspends or deletes themselves")
	hannah.follow(hannah.get("/console")).shows(t, 200, "Sign in")
	mara.post("/console/users/bulk", url.Values{"do": {"reactivate"}, "people": all[:2]}).shows(t, 200, "2 done, 0 refused.")

	mara.post("/console/users/bulk", url.Values{"do": {"give_role"}, "people": all[:2], "role": {"auditor"}, "ends": {"4000"}}).shows(t, 422, "Choose an end from the list.")
	mara.post("/console/users/bulk", url.Values{"do": {"give_role"}, "people": all[:2], "role": {"auditor"}, "ends": {"7"}}).shows(t, 200, "2 done, 0 refused.")
	mara.get("/console/users?role=auditor").shows(t, 200, "Hannah Weiss", "Pat Doe")
	mara.post("/console/users/bulk", url.Values{"do": {"take_role"}, "people": all[:1], "role": {"auditor"}}).shows(t, 200, "1 done, 0 refused.")
	mara.post("/console/users/bulk", url.Values{"do": {"take_role"}, "people": all[2:], "role": {"admin"}}).shows(t, 200, "0 done, 1 refused.", "last active administrator")

	group := must(c.Identity.CreateGroup(c.system(), identity.GroupEdit{Name: "Night shift"}))(t).ID.String()
	mara.post("/console/users/bulk", url.Values{"do": {"join_group"}, "people": all[:2], "group": {"x"}}).shows(t, 422, "Choose a group.")
	mara.post("/console/users/bulk", url.Values{"do": {"join_group"}, "people": all[:2], "group": {group}}).shows(t, 200, "2 done, 0 refused.")
	mara.get("/console/users?group="+group).shows(t, 200, "Hannah Weiss", "Pat Doe")
	mara.post("/console/users/bulk", url.Values{"do": {"leave_group"}, "people": all[:2], "group": {group}}).shows(t, 200, "2 done, 0 refused.")
	mara.post("/console/users/bulk", url.Values{"do": {"sign_out"}, "people": all[:2]}).shows(t, 200, "2 done, 0 refused.")
}

func TestInviteSeveral(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	mara.get("/console/users/invite/many").shows(t, 200, "Invite several", "Auditor")
	mara.post("/console/users/invite/many", url.Values{"list": {"\n"}, "roles": {"auditor"}}).shows(t, 422, "One to a hundred people can be invited at once.")
	made := mara.post("/console/users/invite/many", url.Values{"list": {"Ines Okafor <ines@example.com>\nnobody\ntom@example.com"}, "roles": {"auditor"}})
	made.shows(t, 200, "2 done, 1 refused.", "ines@example.com", "This is not an e-mail address.")
	if got := made.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("the page with the links may be kept: %q", got)
	}
	list := mara.get("/console/users")
	list.shows(t, 200, "Invitations not taken yet", "ines@example.com", "Mara Lindqvist", "Withdraw", "New link")
	list.lacks(t, "token=")
	mara.get("/console/users?role=viewer").lacks(t, "Invitations not taken yet")

	var tom string
	for _, u := range must(c.Identity.Users(c.system(), identity.UserFilter{Status: identity.Invited}))(t).Users {
		if u.Email == "tom@example.com" {
			tom = u.ID.String()
		}
	}
	withdraw := views.UserPath(tom, "withdraw")
	mara.get(withdraw).shows(t, 200, "Withdraw the invitation of tom?")
	mara.follow(mara.post(withdraw, nil)).shows(t, 200, "The invitation of tom is withdrawn.")
	mara.get("/console/users").lacks(t, "tom@example.com")
	if p := mara.post(withdraw, nil); p.StatusCode < http.StatusBadRequest {
		t.Errorf("an invitation is withdrawn twice: %d", p.StatusCode)
	}
	mara.post(views.UserPath(mara.user.ID.String(), "withdraw"), nil).shows(t, 422, "no invitation to take back")
}
