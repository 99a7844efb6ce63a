package handlers_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// mailSettings is the schema of a plugin that sends mail.
var mailSettings = map[string]any{
	"type": "object", "required": []string{"host", "password"},
	"properties": map[string]any{
		"host":     map[string]any{"type": "string", "format": "hostname", "title": "Server", "x-test": true},
		"port":     map[string]any{"type": "integer", "minimum": 1, "maximum": 65535, "default": 587},
		"password": map[string]any{"type": "string", "minLength": 4, "x-secret": true},
		"domains":  map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
		"hold":     map[string]any{"type": "boolean"},
		"hours":    map[string]any{"type": "integer", "x-show-if": map[string]any{"hold": true}},
		"auth": map[string]any{"type": "object", "oneOf": []any{
			map[string]any{"title": "None", "properties": map[string]any{"kind": map[string]any{"const": "none"}}},
			map[string]any{"title": "Token", "properties": map[string]any{"kind": map[string]any{"const": "token"}, "token": map[string]any{"type": "string", "x-secret": true}}},
		}},
	},
}

// tries answers as a plugin that can try settings, and keeps what it was sent.
func tries(sent *string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/config/test" {
			return
		}
		body, _ := io.ReadAll(r.Body)
		*sent = string(body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"ok": false, "message": "The relay does not know this user."}`))
	})
}

// The form works by itself, without a script: every button is a request.
func TestAPluginIsConfiguredInTheConsole(t *testing.T) {
	c := newCore(t)
	admin := c.setUp()
	var sent string
	mail := c.plugin("mail", map[string]any{"config_schema": mailSettings}, tries(&sent))
	const tab, secret = "/console/plugins/mail/configuration", "hunter2-of-the-mail"
	never := func(what string, p page) page {
		t.Helper()
		if strings.Contains(p.Body, secret) {
			t.Errorf("%s shows the secret", what)
		}
		return p
	}
	has := func(what string, p page, status int, want ...string) {
		t.Helper()
		if p.StatusCode != status {
			t.Errorf("%s: %d; want %d", what, p.StatusCode, status)
		}
		for _, w := range want {
			if !strings.Contains(p.Body, w) {
				t.Errorf("%s lacks %q:\n%.3000s", what, w, p.Body)
			}
		}
	}
	has("the form", admin.get(tab), 200, "It cannot be enabled yet", "Server and Password", `name="/host"`, `name="/domains#n" value="0"`, "Test connection")
	has("as JSON", admin.get(tab+"?as=json"), 200, `name="json"`)
	form := url.Values{"version": {"0"}, "/host": {"not a host"}, "/port": {"70000"}, "/password": {secret}, "/domains#n": {"0"}, "/hold": {"off"}, "/auth#of": {""}}
	wrong := never("a refusal", admin.post(tab, form))
	has("a refusal", wrong, 422, "2 values need a correction; nothing was saved", "must be a valid hostname", "must be at most 65535", "not a host", `aria-invalid="true"`, "data-focus")

	form.Set("do", "add:/domains")
	has("one more", never("one more", admin.post(tab+"/form", form)), 200, `name="/domains/0"`, "Discard")
	form.Set("do", "show:")
	form["/hold"] = []string{"off", "on"}
	has("what follows a switch", admin.post(tab+"/form", form), 200, `name="/hours"`, "Asked because hold is on.")
	form.Set("/auth#of", "1")
	has("what follows a choice", admin.post(tab+"/form", form), 200, `name="/auth/token"`)

	form.Del("do")
	form.Set("/host", "smtp.example.com")
	form.Set("/port", "25")
	form["/domains#n"], form["/domains/0"] = []string{"1"}, []string{"a.example"}
	form.Set("do", "try:")
	has("a trial", never("a trial", admin.post(tab+"/form", form)), 200, "It does not work.", "The relay does not know this user.")
	if !strings.Contains(sent, `"password":"`+secret+`"`) || !strings.Contains(sent, `"port":25`) {
		t.Errorf("the plugin was asked to try %s", sent)
	}
	form.Del("do")
	saved := admin.post(tab, form)
	has("saving", never("saving", admin.follow(saved)), 200, "Set on", `value="25"`, "Reset to 587", "a secret")
	form.Set("version", "0")
	form.Set("/host", "other.example.com")
	has("an older version", admin.post(tab, form), 422, "changed meanwhile")

	_, own := c.api(mail.Token, "GET", "/plugins/mail/config", nil)
	raw, _ := json.Marshal(own["settings"])
	if want := `{"auth":{"kind":"token"},"domains":["a.example"],"hold":true,"host":"smtp.example.com","password":"` + secret + `","port":25}`; string(raw) != want {
		t.Errorf("the plugin has\n%s; want\n%s", raw, want)
	}
	has("the JSON twin", never("the JSON twin", admin.get(tab+"?as=json")), 200, "&#34;set&#34;: true")
	has("the JSON twin, saved", admin.follow(admin.post(tab, url.Values{"version": {"1"}, "as": {"json"}, "json": {`{"host": "b.example", "password": {"set": true}}`}})), 200, "b.example")
	has("broken JSON", admin.post(tab, url.Values{"version": {"2"}, "as": {"json"}, "json": {`{"host": `}}), 422, "cannot be read as JSON", `{&#34;host&#34;: `)
	has("what was", never("what was", admin.follow(admin.post(tab+"/restore/1", url.Values{}))), 200, "smtp.example.com", "a.example")
	has("the secrets", never("the secrets", admin.get("/console/secrets")), 200, "/password", "mail", "Seals and opens")
}

// A plugin hears of a change within a second.
func TestSettingsArePushed(t *testing.T) {
	c := newCore(t)
	admin := c.firstAdmin()
	mail := c.plugin("mail", map[string]any{"config_schema": mailSettings}, nil)
	answer := must(http.DefaultClient.Do(c.request(t, mail.Token, "GET", "/plugins/mail/config/stream", nil)))(t)
	defer answer.Body.Close()
	if id := streamedID(answer.Body); id != "0" {
		t.Fatalf("the stream begins with %q", id)
	}
	asked := time.Now()
	if status, said := c.api(admin, "PUT", "/plugins/mail/config", map[string]any{"settings": map[string]any{"host": "a.example"}}); status != 200 {
		t.Fatal(status, said)
	}
	if id := streamedID(answer.Body); id != "1" {
		t.Errorf("then comes %q", id)
	}
	if took := time.Since(asked); took > 5*time.Second { // a second, on a machine that does nothing else
		t.Errorf("it took %v", took)
	}
}

func TestSettingsInTheConsole(t *testing.T) {
	c := newCore(t)
	admin := c.setUp()
	const path = "/console/configuration"
	if p := admin.get(path); !strings.Contains(p.Body, "log_level") || !strings.Contains(p.Body, "Default") || !strings.Contains(p.Body, "More settings") {
		t.Errorf("the settings: %.2000s", p.Body)
	}
	if p := admin.get(path + "?q=metrics"); strings.Contains(p.Body, "session_idle") || !strings.Contains(p.Body, "metrics_token") {
		t.Errorf("a search: %.2000s", p.Body)
	}
	wrong := admin.post(path+"/keys/session_idle", url.Values{"value": {"soon"}, "version": {"0"}})
	if wrong.StatusCode != 422 || !strings.Contains(wrong.Body, "must be") || !strings.Contains(wrong.Body, `value="soon"`) {
		t.Errorf("a wrong value: %d %.2000s", wrong.StatusCode, wrong.Body)
	}
	saved := admin.follow(admin.post(path+"/keys/session_idle", url.Values{"value": {"30m"}, "version": {"0"}, "reason": {"shared desks"}}))
	if !strings.Contains(saved.Body, "30m") || !strings.Contains(saved.Body, "Back to the layer below") || !strings.Contains(saved.Body, "Database") {
		t.Errorf("saved: %.3000s", saved.Body)
	}
	if p := admin.post(path+"/keys/session_idle", url.Values{"value": {"31m"}, "version": {"0"}}); p.StatusCode != 422 || !strings.Contains(p.Body, "changed meanwhile") {
		t.Errorf("over somebody else's change: %d", p.StatusCode)
	}
	admin.post(path+"/keys/metrics_token", url.Values{"value": {"scrape-4711"}, "version": {"0"}})
	for _, at := range []string{path, path + "/keys/metrics_token", path + "/history", "/console/secrets"} {
		if p := admin.get(at); p.StatusCode != 200 || strings.Contains(p.Body, "scrape-4711") {
			t.Errorf("%s answers %d, or shows the secret", at, p.StatusCode)
		}
	}
	history := admin.get(path + "/history?key=session_idle")
	if !strings.Contains(history.Body, "shared desks") || !strings.Contains(history.Body, "Restore") {
		t.Errorf("the history: %.3000s", history.Body)
	}
	admin.post(path+"/keys/session_idle", url.Values{"unset": {"on"}, "version": {"1"}})
	if p := admin.get(path + "/keys/session_idle"); strings.Contains(p.Body, "Back to the layer below") {
		t.Error("unset, the database still has a value")
	}
	locked := admin.get(path + "/keys/listen")
	if !strings.Contains(locked.Body, "cannot be changed here") || strings.Contains(locked.Body, `name="version"`) && strings.Contains(locked.Body, ">Save<") {
		t.Errorf("what only the operator decides: %.3000s", locked.Body)
	}
	viewer := c.person("v@example.com", "Vera", "viewer")
	if p := viewer.post(path+"/keys/organisation", url.Values{"value": {"x"}, "version": {"0"}}); p.StatusCode != 403 {
		t.Errorf("a viewer's change is answered with %d", p.StatusCode)
	}
	rotated := admin.follow(admin.post("/console/secrets/rotate", url.Values{}))
	if !strings.Contains(rotated.Body, "Opens") {
		t.Errorf("after a rotation: %.3000s", rotated.Body)
	}
}
