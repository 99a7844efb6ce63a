package handlers_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// canary is a secret with a character for every encoding to change.
const canary = `C4N4RY/s3cr3t+"&<%>~?`

// spellings returns the forms in which text might give itself away.
func spellings(text string) map[string]string {
	b := []byte(text)
	inJSON, _ := json.Marshal(text)
	forms := map[string]string{
		"plain": text, "start": text[:12], "hex": hex.EncodeToString(b), "HEX": strings.ToUpper(hex.EncodeToString(b)),
		"JSON": strings.Trim(string(inJSON), `"`), "URL query": url.QueryEscape(text), "URL path": url.PathEscape(text),
	}
	for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for shift := range 3 { // wherever it begins in what was encoded
			s := enc.EncodeToString(append(make([]byte, shift), b...))
			forms[fmt.Sprint(name, shift)] = s[(shift*8+5)/6 : len(s)-2]
		}
	}
	return forms
}

// pgDump returns a dump of the database, as an operator makes one.
func pgDump(t *testing.T, address string) string {
	t.Helper()
	program, err := exec.LookPath(filepath.Join(os.Getenv("PG_BIN"), "pg_dump"))
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
		if len(found) == 0 {
			t.Skip("there is no pg_dump on this machine")
		}
		program = found[len(found)-1]
	}
	out, err := exec.Command(program, "--dbname", address).Output()
	if err != nil {
		t.Fatalf("pg_dump: %v", err)
	}
	return string(out)
}

// A secret that was planted everywhere a secret can be set is in no dump, log,
// trace, page, export, error or metric, in no spelling.
func TestCanary(t *testing.T) {
	c := newCore(t)
	admin := c.setUp()
	token := c.token(adminAt)
	mail := c.plugin("mail", map[string]any{"config_schema": mailSettings}, nil)
	c.enabled("caller", map[string]any{"traits": []string{"external_service"}, "allowed_domains": []string{"api.example.com"}}, nil)
	saw := map[string]string{} // everything anybody gets, by where
	api := func(method, path string, body any) {
		t.Helper()
		answer := must(http.DefaultClient.Do(c.request(t, token, method, path, body)))(t)
		defer answer.Body.Close()
		raw := must(io.ReadAll(answer.Body))(t)
		saw[method+" "+path+fmt.Sprint(" ", len(saw))] = fmt.Sprint(answer.Header, string(raw))
	}

	api("PUT", "/plugins/mail/config", map[string]any{"settings": map[string]any{"host": "mx.example", "password": canary, "auth": map[string]any{"kind": "token", "token": canary}}})
	if _, own := c.api(mail.Token, "GET", "/plugins/mail/config", nil); own["settings"].(map[string]any)["password"] != canary {
		t.Fatalf("the canary is not planted: %v", own)
	}
	api("PUT", "/plugins/mail/config", map[string]any{"settings": map[string]any{"host": canary, "port": canary, "password": []any{canary}, "colour": canary}})
	api("PUT", "/admin/config", map[string]any{"key": "metrics_token", "value": "C4N4RY-metrics-s3cr3t"})
	api("PUT", "/admin/config", map[string]any{"key": "log_level", "value": canary})
	api("PUT", "/admin/config", map[string]any{"key": "metrics_tokn", "value": canary})
	api("PUT", "/admin/egress/credentials/caller/api.example.com", map[string]any{"kind": "header", "name": "x-api-key", "secret": canary})
	api("POST", "/admin/config/import", map[string]any{"document": "settings: {metrics_token: '" + canary})
	api("POST", "/admin/master-key/rotate", map[string]any{})
	saw["the form, refused"] = admin.post("/console/plugins/mail/configuration", url.Values{"version": {"1"}, "/host": {"not a host"}, "/password": {canary}}).Body
	saw["the form, redrawn"] = admin.post("/console/plugins/mail/configuration/form", url.Values{"do": {"show:"}, "/password": {canary}, "/auth#of": {"1"}, "/auth/token": {canary}}).Body
	saw["the setting, refused"] = admin.post("/console/configuration/keys/metrics_token", url.Values{"version": {"9"}, "value": {canary}}).Body
	for _, path := range []string{
		"/console", "/console/plugins/mail", "/console/plugins/mail/configuration", "/console/plugins/mail/configuration?as=json", "/console/plugins/mail/activity",
		"/console/configuration", "/console/configuration/keys/metrics_token", "/console/configuration/history", "/console/secrets", "/console/audit", "/console/egress/credentials",
	} {
		saw["page "+path] = admin.get(path).Body
	}
	for _, path := range []string{
		"/plugins/mail/config", "/plugins/mail/config/history", "/plugins/mail", "/admin/config", "/admin/config?origin=1", "/admin/config/history", "/admin/config/export", "/admin/secrets",
		"/admin/master-key", "/admin/audit?limit=200", "/admin/audit/export?format=jsonl", "/admin/audit/export?format=csv", "/admin/egress/credentials", "/metrics", "/health/ready",
	} {
		api("GET", path, nil)
	}
	saw["pg_dump"] = pgDump(t, c.DB.OwnerURL)
	// What is broken is logged, too.
	if _, err := c.DB.Owner.Exec(t.Context(), "UPDATE settings SET sealed = set_byte(sealed, 90, 255 - get_byte(sealed, 90)) WHERE key = '/auth/token'"); err != nil {
		t.Fatal(err)
	}
	_, broken := c.api(mail.Token, "GET", "/plugins/mail/config", nil)
	saw["what is broken"], saw["the log"] = fmt.Sprint(broken), c.Log.String()

	for where, text := range saw {
		for _, secret := range []string{canary, "C4N4RY-metrics-s3cr3t"} {
			for spelling, form := range spellings(secret) {
				if strings.Contains(text, form) {
					t.Errorf("%s has the secret %s", where, spelling)
				}
			}
		}
	}
	t.Logf("a dump of %d bytes, a log of %d, %d answers and pages", len(saw["pg_dump"]), len(saw["the log"]), len(saw))
	if len(saw["pg_dump"]) < 10_000 || !strings.Contains(saw["pg_dump"], "sealing_keys") || !strings.Contains(saw["the log"], "msg=") {
		t.Error("the test no longer looks at what it wants to look at")
	}
}
