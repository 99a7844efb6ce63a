package handlers_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/vivified/vivified/views"
)

func TestProfile(t *testing.T) {
	c := newCore(t)
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	hannah.get("/console/account").shows(t, 200, "hannah@example.com, local account, Viewer", "role Viewer", "Firefox on Linux", "this one", "No API key")
	hannah.post("/console/account/profile", url.Values{"name": {" "}}).shows(t, 422, "1 value needs a correction", "The name is missing.")
	told := hannah.swap("/console/account/profile", "/console/account", url.Values{"name": {"Hannah Weiß"}, "email": {"other@example.com"}})
	told.shows(t, 200, "Your profile is saved.", "hannah@example.com")
	if !strings.Contains(told.Body, `value="Hannah Weiß"`) {
		t.Error("the new name is not shown")
	}
}

func TestChangeOfPassword(t *testing.T) {
	const changed = "nine silver spoons"
	c := newCore(t)
	c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	elsewhere := c.stranger().signIn("hannah@example.com")
	stolen := hannah.session()

	hannah.post("/console/account/password", url.Values{"current": {"not this one"}, "password": {changed}}).shows(t, 422, "The current password is another one.")
	weak := hannah.post("/console/account/password", url.Values{"current": {password}, "password": {"short"}})
	weak.shows(t, 422, "The password has fewer than 12 characters.")
	weak.lacks(t, password, `value="short"`)

	hannah.swap("/console/account/password", "/console/account", url.Values{"current": {password}, "password": {changed}}).shows(t, 200, "Your password is changed.", "this one")
	if hannah.session() == stolen {
		t.Error("the session is the one from before")
	}
	hannah.get("/console/account").shows(t, 200, "Hannah Weiss")
	elsewhere.follow(elsewhere.get("/console/account")).shows(t, 200, "Sign in")
	if status, _ := c.api(stolen, "GET", "/auth/me", nil); status != http.StatusUnauthorized {
		t.Errorf("the session from before is answered %d", status)
	}
	for with, want := range map[string]int{password: http.StatusUnauthorized, changed: http.StatusSeeOther} {
		if p := c.stranger().post("/sign-in", url.Values{"email": {"hannah@example.com"}, "password": {with}}); p.StatusCode != want {
			t.Errorf("signing in with %q is answered %d, want %d", with, p.StatusCode, want)
		}
	}
	for range 5 {
		hannah.post("/console/account/password", url.Values{"current": {"a guess"}, "password": {changed}})
	}
	p := hannah.post("/console/account/password", url.Values{"current": {changed}, "password": {password}})
	p.shows(t, 429, "Too many attempts")
	if p.Header.Get("Retry-After") == "" {
		t.Error("nobody says when to try again")
	}
}

func TestOwnSessions(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	second, third, fourth := c.stranger().signIn("hannah@example.com"), c.stranger().signIn("hannah@example.com"), c.stranger().signIn("hannah@example.com")

	end := regexp.MustCompile(`action="(/console/account/sessions/[0-9a-f-]+/revoke)"`).FindAllStringSubmatch(hannah.get("/console/account").Body, -1)
	if len(end) != 3 {
		t.Fatalf("%d sessions can be ended, want 3: all but the one that looks", len(end))
	}
	hannah.follow(hannah.post(end[0][1], nil)).shows(t, 200, "The session has ended.")
	dead := 0
	for _, b := range []*browser{second, third, fourth} {
		if b.get("/console").StatusCode != http.StatusOK {
			dead++
		}
	}
	if dead != 1 {
		t.Errorf("%d browsers were signed out, want 1", dead)
	}
	hannah.post(end[0][1], nil).shows(t, 404, "There is no such session")
	marasOwn := must(c.Identity.Sessions(c.system(), mara.user.ID))(t)[0].ID.String()
	mara.get("/console").shows(t, 200)
	hannah.post(views.SessionPath(marasOwn, "revoke"), nil).shows(t, 404, "There is no such session")
	mara.get("/console").shows(t, 200)

	hannah.follow(hannah.post("/console/account/sessions/revoke-others", nil)).shows(t, 200, "Every other session of yours has ended.")
	for _, b := range []*browser{second, third, fourth} {
		b.follow(b.get("/console")).shows(t, 200, "Sign in")
	}
	own := must(c.Identity.Sessions(c.system(), hannah.user.ID))(t)
	if len(own) != 1 {
		t.Fatalf("%d sessions are left, want 1", len(own))
	}
	left := hannah.do("POST", views.SessionPath(own[0].ID.String(), "revoke"), nil, htmx("main#main", c.URL+"/console/account"))
	if to := left.Header.Get("HX-Redirect"); to != "/sign-in?notice=out" {
		t.Errorf("ending one's own session leads to %q", to)
	}
}

func TestOwnKeys(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	form := hannah.get("/console/account/keys/new")
	form.shows(t, 200, "New API key", "In 90 days", "viewer")
	form.lacks(t, `value="admin"`)
	hannah.post("/console/account/keys", url.Values{"name": {"job"}, "expires": {"90"}}).shows(t, 422, "Choose from your own traits.")
	hannah.post("/console/account/keys", url.Values{"name": {"job"}, "expires": {"90"}, "scope": {"admin"}}).shows(t, 422, "A key cannot carry what you do not have")
	hannah.post("/console/account/keys", url.Values{"name": {"job"}, "expires": {"4000"}, "scope": {"viewer"}}).shows(t, 422, "A key needs an end")

	h := htmx("div#vv-ask", c.URL+"/console/account")
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	made := hannah.do("POST", "/console/account/keys", strings.NewReader(url.Values{"name": {"Nightly export"}, "expires": {"90"}, "scope": {"viewer"}}.Encode()), h)
	made.shows(t, 201, "The key is ready", "cannot be shown again")
	key := made.once(t, "new-key")
	if status, _ := c.api(key, "GET", "/plugins", nil); status != http.StatusOK {
		t.Errorf("the key is answered %d", status)
	}
	listed := hannah.get("/console/account")
	listed.shows(t, 200, "Nightly export", "vv_…"+key[len(key)-4:])
	listed.lacks(t, key)
	if strings.Contains(c.Log.String(), key) {
		t.Error("the key is in the log")
	}

	id := must(c.Identity.APIKeys(c.system(), hannah.user.ID))(t)[0].ID.String()
	pat := c.person("pat@example.com", "Pat", "viewer")
	pat.post(views.KeyPath(id, "revoke"), nil).shows(t, 404, "There is no such key")
	pat.get(views.KeyPath(id, "revoke")).shows(t, 404, "There is no such key")
	hannah.get(views.KeyPath(id, "revoke")).shows(t, 200, "Revoke Nightly export?", "Last used")
	hannah.follow(hannah.post(views.KeyPath(id, "revoke"), nil)).shows(t, 200, "The key Nightly export is revoked.", "Revoked")
	if status, _ := c.api(key, "GET", "/plugins", nil); status != http.StatusUnauthorized {
		t.Errorf("a revoked key is answered %d", status)
	}
	hannah.post(views.KeyPath(id, "revoke"), nil).shows(t, 404, "There is no such key")

	// A user manager revokes a key on its owner's page, and on no other's.
	hannah.post("/console/account/keys", url.Values{"name": {"second"}, "expires": {"7"}, "scope": {"viewer"}}).shows(t, 201)
	id = must(c.Identity.APIKeys(c.system(), hannah.user.ID))(t)[0].ID.String()
	mara.post(views.UserPath(pat.user.ID.String(), "keys", id, "revoke"), nil).shows(t, 404, "There is no such key")
	mara.follow(mara.post(views.UserPath(hannah.user.ID.String(), "keys", id, "revoke"), nil)).shows(t, 200, "The key second of Hannah Weiss is revoked.")
}

func TestPreferences(t *testing.T) {
	c := newCore(t)
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	save := func(form url.Values) page { return hannah.post("/console/account/preferences", form) }
	saved := save(url.Values{"all": {"1"}, "theme": {"dark"}, "density": {"compact"}, "zone": {"Europe/Berlin"}, "keys": {"on"}})
	hannah.follow(saved).shows(t, 200, "Saved for this browser.")
	kept := hannah.get("/console/account").Body
	for _, want := range []string{`data-theme="dark"`, `data-density="compact"`, `value="Europe/Berlin"`} {
		if !strings.Contains(kept, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, cookie := range saved.Cookies() {
		if cookie.Name == views.PrefsCookie && (cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge < 1 || cookie.Path != "/") {
			t.Errorf("the cookie is %+v", cookie)
		}
	}
	hannah.follow(save(url.Values{"zone": {"Middle/Earth"}})).shows(t, 200, "There is no time zone of that name")
	hannah.follow(save(url.Values{"theme": {`"><script>`}})).lacks(t, `data-theme`)
	away := hannah.do("POST", "/console/account/preferences", strings.NewReader("theme=dark&back=https%3A%2F%2Fevil.example"), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	if to := away.Header.Get("Location"); to != "/console/account" {
		t.Errorf("saving leads to %q", to)
	}
}

func TestEndingAnothersSession(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	session := must(c.Identity.Sessions(c.system(), hannah.user.ID))(t)[0]
	path := views.UserPath(hannah.user.ID.String(), "sessions", session.ID.String(), "revoke")
	if !strings.Contains(mara.get(views.UserPath(hannah.user.ID.String())).Body, path) {
		t.Fatal("the session cannot be ended")
	}
	mara.follow(mara.post(path, nil)).shows(t, 200, "The session has ended.", "No session is open.")
	hannah.follow(hannah.get("/console")).shows(t, 200, "Sign in")
}

func TestDevices(t *testing.T) {
	c := newCore(t)
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0":           "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36":                         "Chrome on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15":                   "Safari on macOS",
		"curl/8.5.0":                "curl",
		"<script>alert(1)</script>": "<script>alert(1)<",
		"":                          "An unnamed browser",
	} {
		other := c.stranger()
		other.header.Set("User-Agent", agent)
		other.signIn("hannah@example.com")
		p := hannah.get("/console/account")
		p.lacks(t, "<script>alert")
		if !strings.Contains(p.Body, html.EscapeString(want)) {
			t.Errorf("%q is not shown as %q", agent, want)
		}
	}
}
