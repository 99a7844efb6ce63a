package handlers_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"testing"
)

var sealedForm = regexp.MustCompile(`name="step-up.form" value="([^"]+)"`)

// What is dangerous is asked about again once the proof is old, and then done as it
// was asked, with what was typed; the API says how to prove it again.
func TestStepUp(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	token := c.token(adminAt)
	emile := c.person("emile@example.com", "Emile", "viewer")
	path := "/console/users/" + emile.user.ID.String() + "/suspend"
	if _, err := c.DB.Owner.Exec(t.Context(), "UPDATE sessions SET proved_at = now() - interval '1 hour'"); err != nil {
		t.Fatal(err)
	}
	c.Identity.Invalidate()

	asked := mara.post(path, url.Values{"reason": {"a <secret> reason"}})
	asked.shows(t, http.StatusForbidden, "Confirm that it is you")
	asked.lacks(t, "secret> reason", "secret&gt; reason")
	m := sealedForm.FindStringSubmatch(asked.Body)
	if m == nil {
		t.Fatal("what was typed is lost")
	}
	sealed := html.UnescapeString(m[1])
	answer := url.Values{"step-up.form": {sealed}, "step-up.password": {"another one entirely"}}
	mara.post(path, answer).shows(t, http.StatusForbidden, "not accepted")
	mara.post("/console/users/"+emile.user.ID.String()+"/delete", url.Values{"step-up.form": {sealed}, "step-up.password": {password}}).shows(t, http.StatusBadRequest)
	answer.Set("step-up.password", password)
	if p := mara.post(path, answer); p.StatusCode != http.StatusSeeOther {
		t.Fatalf("the proof is good, and the answer %d %s", p.StatusCode, p.text())
	}
	if emile.get("/console").StatusCode == http.StatusOK {
		t.Error("the person was not suspended")
	}

	if status, p := c.api(token, "DELETE", "/admin/users/"+emile.user.ID.String(), nil); status != http.StatusForbidden || p["code"] != "auth.step_up" {
		t.Errorf("a program with an old proof is answered %d %v", status, p)
	}
	if status, _ := c.api(token, "POST", "/auth/step-up", map[string]any{"password": password}); status != http.StatusOK {
		t.Errorf("a proof is answered %d", status)
	}
	if status, _ := c.api(token, "DELETE", "/admin/users/"+emile.user.ID.String(), nil); status != http.StatusOK {
		t.Errorf("after the proof: %d", status)
	}
}
