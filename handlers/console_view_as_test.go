package handlers_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/vivified/vivified/core/audit"
)

// Looking as somebody else an administrator sees what that person sees and no more
// than they may, changes nothing wherever they try, and leaves a record of each page.
func TestViewAsInTheConsole(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("publisher", greeting(), nil)
	nora := c.person("nora@example.com", "Nora Stern", "developer")
	page := "/console/users/" + nora.user.ID.String()
	mara.get(page).shows(t, 200, "View as")
	mara.post(page+"/view-as", url.Values{"reason": {" "}}).shows(t, 422, "The reason is missing.")
	if got := mara.post(page+"/view-as", url.Values{"reason": {"She reports an empty page."}}); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("the look begins with %d: %.300s", got.StatusCode, got.Body)
	}

	seen := mara.get("/console")
	seen.shows(t, 200, "You look as Nora Stern until", "Stop", "Nora Stern", "Events")
	seen.lacks(t, "/console/audit", "/console/users", "Mara Lindqvist")
	mara.do("GET", "/console/events", nil, htmx("main#main", c.URL+"/console")).shows(t, 200, "You look as Nora Stern until")
	mara.get("/console/account").shows(t, 200, "nora@example.com", "You look as Nora Stern until")
	mara.get("/console/users").shows(t, 403)

	// Every route that is not safe refuses, whatever it is.
	safe := []string{http.MethodGet, http.MethodHead}
	for _, r := range c.Server.Table() {
		if slices.Contains(safe, r[0]) || slices.Contains(toAnyone, r[0]+" "+r[1]) {
			continue
		}
		if r[1] == "/sign-out" || r[1] == "/auth/logout" || r[1] == "/console/view-as/stop" || r[1] == "/admin/view-as" {
			continue
		}
		if got := mara.status(methodOf(r[0]), address(r[1])); got != http.StatusForbidden {
			t.Errorf("looking as somebody else %s %s answers %d", r[0], r[1], got)
		}
	}
	rows := c.records(audit.Filter{Action: "view_as.page", Outcome: audit.OK, Limit: 100})
	for _, path := range []string{"/console", "/console/events", "/console/account", "/console/users"} {
		if !slices.ContainsFunc(rows, func(r audit.Record) bool {
			return r.Object == path && r.ActorID == mara.user.ID.String() && r.OnBehalfID == nora.user.ID.String()
		}) {
			t.Errorf("that %s was looked at is not recorded", path)
		}
	}

	if got := mara.post("/console/view-as/stop", nil); got.StatusCode != http.StatusSeeOther {
		t.Errorf("stop answers %d", got.StatusCode)
	}
	mara.get("/console/users").shows(t, 200, "Nora Stern")
	for _, action := range []string{"view_as.start", "view_as.end"} {
		if n := len(c.records(audit.Filter{Action: action, Outcome: audit.OK})); n != 1 {
			t.Errorf("%d rows of %s", n, action)
		}
	}
}
