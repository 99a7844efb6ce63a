package handlers_test

import (
	"net/url"
	"regexp"
	"testing"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// A registration token is shown once, lets its plugin in, and nothing more once it
// is revoked.
func TestRegistrationTokens(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	mara.get(views.PathTokens).shows(t, 200, "Registration tokens", "No token yet", "Signing keys")
	mara.get(views.PathTokens+"/new").shows(t, 200, "New registration token", "In 1 day")
	mara.post(views.PathTokens, url.Values{"plugin": {"Not An Id"}, "hours": {"24"}}).shows(t, 422, "Id of the plugin: This is not the id of a plugin.")
	mara.post(views.PathTokens, url.Values{"hours": {"5"}}).shows(t, 422, "needs a correction")

	made := mara.post(views.PathTokens, url.Values{"label": {"The stock service"}, "plugin": {"stock"}, "hours": {"1"}})
	made.shows(t, 201, "The token is ready", "stock registers by it as often as it starts")
	secret := made.once(t, "new-token")
	list := mara.get(views.PathTokens)
	list.shows(t, 200, "The stock service", "stock", "Mara Lindqvist", "Open", "1 h")
	list.lacks(t, secret)

	lets := func() error { return c.Identity.CheckRegistrationToken(c.system(), secret, "stock") }
	if err := lets(); err != nil {
		t.Fatalf("the token lets its plugin not in: %v", err)
	}
	at := regexp.MustCompile(views.PathTokens + `/[0-9a-f-]{36}/revoke`).FindString(list.Body)
	mara.get(at).shows(t, 200, "Revoke The stock service?", "Used by no plugin yet")
	mara.follow(mara.post(at, nil)).shows(t, 200, "The registration token is revoked.", "Revoked")
	mara.get(at).shows(t, 404, "revoked already")
	if lets() == nil {
		t.Error("the revoked token still lets its plugin in")
	}
	if got := c.records(audit.Filter{Action: "registration_token.revoke"}); len(got) != 1 {
		t.Errorf("the audit has %d rows of the revocation, want 1", len(got))
	}

	pat, viewer := c.person("pat@example.com", "Pat", "plugin-manager"), c.person("viewer@example.com", "Viewer", "viewer")
	only := pat.get(views.PathTokens)
	only.shows(t, 200, "The stock service")
	only.lacks(t, views.PathSigningKeys)
	pat.get(views.PathSigningKeys).shows(t, 403, "admin")
	viewer.get(views.PathTokens).shows(t, 403, "plugin_manager")
}

func TestSigningKeysRotateAndEnd(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	keys := func() []identity.SigningKey { return must(c.Identity.SigningKeys(c.system()))(t) }
	first := keys()[0]
	mara.get(views.PathSigningKeys).shows(t, 200, "Signing keys", "Signs")
	mara.get(views.PathSigningKeys+"/rotate").shows(t, 200, "Rotate the signing key?", "no plugin notices")
	mara.follow(mara.post(views.PathSigningKeys+"/rotate", nil)).shows(t, 200, "it signs in ten minutes", "Published", "Signs")
	if got := keys(); len(got) != 2 || !got[0].Signs || got[0].ID != first.ID {
		t.Fatalf("after rotating the keys are %+v", got)
	}
	at := views.SigningKeyPath(first.ID, "revoke")
	mara.get(at).shows(t, 200, "Revoke this signing key at once?", first.ID)
	mara.follow(mara.post(at, nil)).shows(t, 200, "everything it signed is void", "Signs")
	for _, k := range keys() {
		if k.ID == first.ID {
			t.Errorf("the revoked key is in force: %+v", k)
		}
	}
	mara.get(at).shows(t, 404, "No signing key of that id is in force.")
}
