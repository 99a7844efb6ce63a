package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/views"
)

// Who lost their second factor gets in again by a user manager's hand, who reaches
// no further than their own traits, and not by their own.
func TestSecondFactorsAreReset(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	vera := c.member("vera@example.com", "Vera", "viewer")
	at := views.UserPath(c.firstUser("vera@example.com").ID.String())
	none := mara.get(at)
	none.shows(t, 200, "Authenticator app not set up", "Passkeys none", "Required no")
	none.lacks(t, "/reset-factors")

	_, begun := c.api(vera, "POST", "/auth/factors/totp", nil)
	if status, answer := c.api(vera, "POST", "/auth/factors/totp/confirm", map[string]any{"otp": codeOf(t, begun["secret"].(string), time.Now())}); status != http.StatusOK {
		t.Fatalf("no second factor: %d %v", status, answer)
	}
	mara.get(at).shows(t, 200, "Authenticator app since", "Recovery codes 10 left", "Reset")
	mara.get(at+"/reset-factors").shows(t, 200, "Reset the second factors of Vera?", "the authenticator app, 0 passkeys and 10 recovery codes", "their password alone lets them in again")
	mara.follow(mara.post(at+"/reset-factors", nil)).shows(t, 200, "The second factors of Vera are removed", "Authenticator app not set up")
	if status, _ := c.api(vera, "GET", "/auth/me", nil); status != http.StatusUnauthorized {
		t.Errorf("a session of hers goes on: %d", status)
	}
	c.token("vera@example.com") // by the password alone
	if got := c.records(audit.Filter{Action: "factor.reset"}); len(got) != 1 || got[0].ActorName != "Mara Lindqvist" {
		t.Errorf("the audit has %+v of the reset", got)
	}

	own := views.UserPath(c.firstUser(adminAt).ID.String())
	pat := c.person("pat@example.com", "Pat", "user-manager")
	pat.post(own+"/reset-factors", nil).shows(t, 422, "This touches traits above your own")
	mara.post(own+"/reset-factors", nil).shows(t, 422, "Your own second factors are changed on your account page.")
	vera = c.token("vera@example.com")
	if status, _ := c.api(vera, "DELETE", "/admin/users/"+c.firstUser(adminAt).ID.String()+"/factors", nil); status != http.StatusForbidden {
		t.Errorf("a viewer resets factors: %d", status)
	}
}
