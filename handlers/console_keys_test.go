package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/vivified/vivified/views"
)

func TestKeysPage(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	hannah.get("/console/api-keys").shows(t, 200, "API keys", "No API key", "New key")
	hannah.get("/console/api-keys").lacks(t, "Everybody")
	hannah.get("/console/api-keys?of=all").shows(t, 403, "admin is missing")
	hannah.get("/console/api-keys?after=x").shows(t, 400, "start from the first")

	made := hannah.post(views.PathKeys, url.Values{"name": {"Nightly export"}, "expires": {"90"}, "scope": {"viewer"}, "back": {"/console/api-keys"}})
	made.shows(t, 201, "The key is ready")
	if !strings.Contains(made.Body, `href="/console/api-keys" data-reload`) {
		t.Error("the form does not lead back to the page of keys")
	}
	key := made.once(t, "new-key")
	if status, _ := c.api(key, "GET", "/plugins", nil); status != http.StatusOK {
		t.Fatalf("the key is answered %d", status)
	}
	hannah.get("/console/api-keys").shows(t, 200, "Nightly export", "127.0.0.1", "Rotate", "Revoke")
	mara.get("/console/api-keys").lacks(t, "Nightly export")
	mara.get("/console/api-keys?of=all").shows(t, 200, "Nightly export", "Hannah Weiss", "Everybody")

	id := must(c.Identity.APIKeys(c.system(), hannah.user.ID))(t)[0].ID.String()
	of := views.UserPath(hannah.user.ID.String(), "keys", id, "revoke")
	hannah.get(of).shows(t, 403)
	mara.get(of).shows(t, 200, "Revoke Nightly export?", "127.0.0.1")
	mara.follow(mara.post(of, url.Values{"back": {"/console/api-keys?of=all"}})).shows(t, 200, "The key Nightly export of Hannah Weiss is revoked.", "Everybody", "Revoked")
	if status, _ := c.api(key, "GET", "/plugins", nil); status != http.StatusUnauthorized {
		t.Errorf("a revoked key is answered %d", status)
	}
}

func TestRotateKey(t *testing.T) {
	c := newCore(t)
	c.setUp()
	hannah := c.person("hannah@example.com", "Hannah Weiss", "viewer")
	pat := c.person("pat@example.com", "Pat Doe", "viewer")
	old := hannah.post(views.PathKeys, url.Values{"name": {"job"}, "expires": {"90"}, "scope": {"viewer"}}).once(t, "new-key")
	id := must(c.Identity.APIKeys(c.system(), hannah.user.ID))(t)[0].ID.String()
	rotate := views.KeyPath(id, "rotate")
	hannah.get(rotate).shows(t, 200, "Rotate job?", "goes on for 7 days", "ends at once")
	pat.get(rotate).shows(t, 404, "There is no such key")
	pat.post(rotate, url.Values{"overlap": {"1"}}).shows(t, 404, "There is no such key")
	for _, wrong := range []string{"", "-1", "169", "1e3"} {
		hannah.post(rotate, url.Values{"overlap": {wrong}}).shows(t, 422, "Choose for how long the old key goes on.")
	}

	works := func(key string, want int) {
		t.Helper()
		if status, _ := c.api(key, "GET", "/plugins", nil); status != want {
			t.Errorf("a key is answered %d, want %d", status, want)
		}
	}
	turned := hannah.post(rotate, url.Values{"overlap": {"24"}, "back": {"/console/api-keys"}})
	turned.shows(t, 201, "The key is ready", "The old key goes on until")
	second := turned.once(t, "new-key")
	works(old, http.StatusOK)
	works(second, http.StatusOK)

	id = must(c.Identity.APIKeys(c.system(), hannah.user.ID))(t)[0].ID.String()
	last := hannah.post(views.KeyPath(id, "rotate"), url.Values{"overlap": {"0"}})
	last.shows(t, 201, "The old key has ended.")
	works(second, http.StatusUnauthorized)
	works(last.once(t, "new-key"), http.StatusOK)
	if strings.Contains(c.Log.String(), second) {
		t.Error("the key is in the log")
	}
}
