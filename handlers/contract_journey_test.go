package handlers_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAnswersAreWhatTheContractSays goes through the whole interface, what works
// and what is refused, and leaves out no operation.
func TestAnswersAreWhatTheContractSays(t *testing.T) {
	c := &teller{core: newCore(t, host("pages.example.com")), t: t, doc: readContract(t), asked: map[string]bool{}}
	admin := c.setsUp()
	c.health(admin)
	publisher, caller := c.pluginsComeIn(admin)
	c.pluginsAreSteered(admin, publisher)
	c.settings(admin, publisher)
	c.marketplace(admin)
	c.rights(admin)
	c.policies(admin)
	c.approvals(admin)
	c.events(admin, publisher)
	c.letters(admin, publisher)
	c.calls(admin, caller)
	c.egress(admin, caller)
	c.people(admin)
	c.signOn(admin)
	c.groups(admin)
	c.keys(admin)
	c.factors(admin)
	c.breakGlass(admin)
	c.audit(admin)
	c.sinks(admin)
	c.retention(admin)
	c.alerts(admin)
	c.runtimes(admin)
	c.goodbye(admin, caller)

	withPages := []string{"setupPage", "signInPage", "signIn"} // the console's tests look at them
	for _, o := range c.doc.operations {
		if id := o.node["operationId"].(string); !c.asked[id] && !slices.Contains(withPages, id) {
			t.Errorf("nobody asked %s (%s %s)", id, o.method, o.path)
		}
	}
}

// setsUp makes the first administrator, refused first, and returns a token of theirs.
func (c *teller) setsUp() string {
	secret := must(c.Identity.NewSetupToken(c.system()))(c.t)
	who := map[string]any{"token": "another", "email": adminAt, "name": "Mara Lindqvist", "password": "short"}
	c.ask("", 401, "POST", "/setup", who)
	who["token"] = secret
	c.ask("", 422, "POST", "/setup", who)
	who["password"] = password
	c.ask("", 201, "POST", "/setup", who)
	c.ask("", 410, "POST", "/setup", who)
	c.ask("", 401, "POST", "/auth/login", map[string]any{"email": adminAt, "password": "another one entirely"})
	return c.ask("", 200, "POST", "/auth/login", map[string]any{"username": adminAt, "password": password})["token"].(string)
}

func (c *teller) health(admin string) {
	for _, path := range []string{"/health", "/health/live", "/health/ready", "/.well-known/jwks.json", "/metrics"} {
		c.ask("", 200, "GET", path, nil)
	}
	c.ask(admin, 200, "GET", "/auth/me", nil)
	c.ask("vvs_not-one-of-ours", 401, "GET", "/auth/me", nil)
	c.ask(admin, 403, "POST", "/auth/step-up", map[string]any{"password": "another one entirely"})
	c.ask(admin, 200, "POST", "/auth/step-up", map[string]any{"password": password})
}

// pluginsComeIn registers two plugins, the second of which declares what the first
// offers, and enables them.
func (c *teller) pluginsComeIn(admin string) (publisher, caller *target) {
	bad := manifestOf("Bad Id", map[string]any{"traits": []string{}})
	c.ask("", 400, "POST", "/plugins/register", bad)
	publisher = c.plugin("publisher", greeting(), nil)
	members := map[string]any{
		"traits": []string{"handles_internal", "external_service"}, "allowed_domains": []string{"pages.example.com"}, "dependencies": []string{"publisher"},
		"endpoints":     map[string]any{"ping": map[string]any{"path": "/ping"}, "item": map[string]any{"path": "/items/{id}"}},
		"config_schema": json.RawMessage(`{"type":"object","additionalProperties":false,"properties":{"size":{"type":"integer","minimum":1,"default":3},"key":{"type":"string","x-secret":true}}}`),
	}
	caller = c.plugin("caller", members, nil)
	m := manifestOf("caller", members)
	m["runtime"] = map[string]any{"kind": "external", "base_url": caller.URL}
	back := c.ask("", 200, "POST", "/plugins/register", m)
	fresh := c.ask("", 200, "POST", "/plugins/token", map[string]any{"refresh_token": back["refresh_token"]})
	c.ask("", 401, "POST", "/plugins/token", map[string]any{"refresh_token": back["refresh_token"]})
	c.ask(fresh["token"].(string), 401, "GET", "/plugins/caller/config", nil) // two parties held the family
	caller.Token = c.ask("", 200, "POST", "/plugins/register", m)["token"].(string)

	c.ask(admin, 409, "POST", "/plugins/caller/enable", nil) // its dependency first
	c.ask(admin, 200, "POST", "/plugins/publisher/enable", nil)
	c.ask(admin, 200, "POST", "/plugins/caller/enable", map[string]any{"accept": []string{}})
	c.ask(admin, 404, "POST", "/plugins/nobody/enable", nil)
	c.ask(publisher.Token, 200, "POST", "/plugins/heartbeat", nil)
	c.ask(publisher.Token, 200, "POST", "/plugins/publisher/heartbeat", map[string]any{"health": map[string]any{"status": "degraded", "queue": 7}})
	c.ask(publisher.Token, 403, "POST", "/plugins/caller/heartbeat", nil)
	return publisher, caller
}

func (c *teller) pluginsAreSteered(admin string, publisher *target) {
	c.ask(admin, 200, "GET", "/plugins", nil)
	c.ask(admin, 200, "GET", "/admin/plugins", nil)
	c.ask(admin, 200, "GET", "/plugins/publisher", nil)
	c.ask(admin, 404, "GET", "/plugins/nobody", nil)
	c.ask(admin, 400, "GET", "/plugins/%2e%2e/health", nil)
	c.ask(admin, 200, "GET", "/plugins/publisher/impact?action=disable", nil)
	c.ask(admin, 400, "GET", "/plugins/publisher/impact?action=paint", nil)
	c.ask(admin, 200, "GET", "/plugins/publisher/health", nil)
	c.ask(admin, 200, "GET", "/plugins/publisher/activity?limit=5", nil)
	c.ask(admin, 400, "GET", "/plugins/publisher/activity?since=yesterday", nil)
	c.ask(admin, 200, "POST", "/plugins/publisher/disable", map[string]any{"reason": "maintenance"})
	c.ask(publisher.Token, 401, "POST", "/messaging/events", map[string]any{"event_type": "greeting.requested"})
	c.ask(admin, 503, "GET", "/gateway/publisher/get_profile?id=1", nil)
	c.ask(admin, 409, "POST", "/plugins/publisher/disable", nil)
	c.ask(admin, 200, "POST", "/plugins/publisher/enable", nil)

	wider := greeting()
	wider["allowed_domains"], wider["traits"] = []string{"pages.example.com"}, []string{"handles_pii", "audit_required", "external_service"}
	publisher.again(wider)
	if waits := c.ask(admin, 200, "GET", "/plugins/publisher", nil); waits["pending_manifest"] == nil || waits["widenings"] == nil {
		c.t.Errorf("a wider manifest does not wait: %v", waits)
	}
}

func (c *teller) settings(admin string, publisher *target) {
	c.ask(admin, 200, "GET", "/admin/config", nil)
	c.ask(admin, 200, "GET", "/admin/config?origin=1", nil)
	c.ask(admin, 200, "PUT", "/admin/config", map[string]any{"key": "organisation", "value": "Example Ltd", "version": 0, "reason": "our name"})
	c.ask(admin, 409, "PUT", "/admin/config", map[string]any{"key": "organisation", "value": "Another", "version": 0})
	c.ask(admin, 422, "PUT", "/admin/config", map[string]any{"key": "organisatio", "value": "x"})
	c.ask(admin, 422, "POST", "/admin/config", map[string]any{"changes": []any{}})
	c.ask(admin, 200, "POST", "/admin/config", map[string]any{"changes": []any{
		map[string]any{"key": "log_level", "value": "warn"}, map[string]any{"key": "organisation", "value": nil},
	}})
	c.ask(admin, 400, "GET", "/admin/config/history?cursor=x", nil)
	past := c.ask(admin, 200, "GET", "/admin/config/history?limit=2", nil)["items"].([]any)
	c.ask(admin, 200, "POST", fmt.Sprintf("/admin/config/history/%v/restore", past[0].(map[string]any)["id"]), nil)
	c.ask(admin, 404, "POST", "/admin/config/history/999999/restore", nil)

	c.ask(admin, 200, "PUT", "/plugins/caller/config", map[string]any{"settings": map[string]any{"size": 5, "key": "a secret"}, "version": 0})
	c.ask(admin, 409, "PUT", "/plugins/caller/config", map[string]any{"settings": map[string]any{}, "version": 0})
	c.ask(admin, 422, "PUT", "/plugins/caller/config", map[string]any{"settings": map[string]any{"size": 0, "colour": 1}})
	c.ask(admin, 200, "GET", "/plugins/caller/config", nil)
	c.ask(publisher.Token, 200, "GET", "/plugins/publisher/config", nil)
	c.ask(publisher.Token, 403, "GET", "/plugins/caller/config", nil)
	c.ask(admin, 200, "PUT", "/plugins/caller/config", map[string]any{"settings": map[string]any{"size": 6}, "version": 1})
	c.ask(admin, 200, "GET", "/plugins/caller/config/history", nil)
	c.ask(admin, 404, "GET", "/plugins/nobody/config/history", nil)
	c.ask(admin, 200, "POST", "/plugins/caller/config/restore", map[string]any{"version": 1})
	c.ask(admin, 404, "POST", "/plugins/caller/config/restore", map[string]any{"version": 9})
	c.ask(publisher.Token, 403, "GET", "/plugins/caller/config/stream", nil)
	c.versions(publisher)
	c.ask(admin, 200, "GET", "/admin/secrets", nil)
	c.ask(admin, 200, "GET", "/admin/config/export", nil)
	c.ask(admin, 200, "POST", "/admin/config/import", map[string]any{"document": "settings: {organisation: Example Ltd}\nplugins: {caller: {size: 7}}", "reason": "from a file"})
	c.ask(admin, 422, "POST", "/admin/config/import", map[string]any{"document": "settings: {organisatio: x}"})
}

// versions hears the version of a plugin's own settings.
func (c *teller) versions(publisher *target) {
	r := c.request(c.t, publisher.Token, "GET", "/plugins/publisher/config/stream", nil)
	answer := must(http.DefaultClient.Do(r))(c.t)
	defer answer.Body.Close()
	c.asked[c.operation(r).node["operationId"].(string)] = true
	if id := streamedID(answer.Body); id != "0" {
		c.t.Errorf("the stream begins with version %q", id)
	}
}

func (c *teller) rights(admin string) {
	for _, path := range []string{"/admin/traits", "/admin/policies", "/admin/grants", "/admin/approvals", "/admin/approvals/egress", "/gateway/allowlist/effective", "/admin/features"} {
		c.ask(admin, 200, "GET", path, nil)
	}
	c.ask(admin, 201, "POST", "/admin/traits", map[string]any{"name": "sees_stock", "description": "Looks at the stock."})
	c.ask(admin, 422, "POST", "/admin/traits", map[string]any{"name": "admin"})
	grant := c.ask(admin, 201, "POST", "/admin/grants", map[string]any{"caller": "publisher", "target": "caller", "operations": []string{"ping"}})
	c.ask(admin, 422, "POST", "/admin/grants", map[string]any{"caller": "publisher", "target": "caller", "operations": []string{"fly"}})
	c.ask(admin, 404, "POST", "/admin/grants", map[string]any{"caller": "nobody", "target": "caller"})
	c.ask(admin, 200, "DELETE", "/admin/grants/"+grant["id"].(string), nil)
	c.ask(admin, 404, "DELETE", "/admin/grants/"+grant["id"].(string), nil)
	made := c.ask(admin, 201, "POST", "/admin/registration-tokens", map[string]any{"plugin": "stock", "label": "stock service", "expires_in": 3600})
	c.ask(admin, 422, "POST", "/admin/registration-tokens", map[string]any{"expires_in": -1})
	c.ask(admin, 200, "GET", "/admin/registration-tokens", nil)
	c.ask(admin, 200, "DELETE", "/admin/registration-tokens/"+made["id"].(string), nil)
	c.ask(admin, 404, "DELETE", "/admin/registration-tokens/none", nil)

	guest := c.member("guest@example.com", "Guest", "viewer")
	denied := c.ask(guest, 403, "POST", "/plugins/caller/disable", nil)
	c.ask(guest, 200, "GET", "/admin/decisions/"+denied["decision_id"].(string), nil)
	c.ask(c.member("other@example.com", "Other", "viewer"), 404, "GET", "/admin/decisions/"+denied["decision_id"].(string), nil)
}

// approvals asks for something and has a second person decide, and accepts what of
// a plugin waits.
func (c *teller) approvals(admin string) {
	asker := c.member("asker@example.com", "Ida Asker", "viewer")
	path := "/admin/approvals"
	c.ask(asker, 422, "POST", path, map[string]any{"kind": "elevation", "object": "event_viewer", "days": 1})
	c.ask(asker, 422, "POST", path, map[string]any{"kind": "poetry", "object": "event_viewer", "reason": "to see"})
	c.ask(asker, 409, "POST", path, map[string]any{"kind": "elevation", "object": "viewer", "days": 1, "reason": "to see"})
	made := c.ask(asker, 201, "POST", path, map[string]any{"kind": "elevation", "object": "event_viewer", "days": 1, "reason": "to see"})
	c.ask(asker, 200, "POST", path, map[string]any{"kind": "elevation", "object": "event_viewer", "days": 7, "reason": "still"})
	one := path + "/" + made["id"].(string)
	c.ask(asker, 200, "GET", one, nil)
	c.ask(asker, 403, "POST", one+"/approve", map[string]any{"reason": "by myself"})
	c.ask(admin, 200, "GET", path+"?state=waiting&kind=elevation", nil)
	c.ask(admin, 400, "GET", path+"?kind=poetry", nil)
	c.ask(admin, 400, "GET", path+"?cursor=x", nil)
	c.ask(admin, 422, "POST", one+"/approve", nil)
	if got := c.ask(admin, 200, "POST", one+"/approve", map[string]any{"reason": "agreed"}); got["state"] != "approved" || got["given_until"] == nil {
		c.t.Errorf("an approved request is %v", got)
	}
	c.ask(admin, 409, "POST", one+"/deny", map[string]any{"reason": "late"})
	c.ask(admin, 404, "GET", path+"/00000000-0000-4000-8000-000000000000", nil)

	asker = c.token("asker@example.com")
	denied := c.ask(asker, 403, "GET", "/admin/users", nil)["decision_id"].(string)
	asked := c.ask(asker, 201, "POST", "/admin/decisions/"+denied+"/request", map[string]any{"days": 1, "reason": "a look"})
	c.ask(asker, 200, "POST", "/admin/decisions/"+denied+"/request", map[string]any{"days": 1, "reason": "a look"})
	c.ask(asker, 403, "POST", "/admin/decisions/"+denied+"/grant", map[string]any{"days": 1, "reason": "a look"})
	c.ask(asker, 200, "POST", path+"/"+asked["id"].(string)+"/withdraw", nil)
	c.ask(asker, 409, "POST", path+"/"+asked["id"].(string)+"/withdraw", nil)
	again := c.ask(asker, 201, "POST", "/admin/decisions/"+denied+"/request", map[string]any{"days": 1, "reason": "a look"})
	c.ask(admin, 200, "POST", path+"/"+again["id"].(string)+"/deny", map[string]any{"reason": "not needed"})
	c.ask(admin, 201, "POST", "/admin/decisions/"+denied+"/grant", map[string]any{"days": 1, "reason": "needed after all"})
	c.ask(c.token("asker@example.com"), 200, "GET", "/admin/users", nil)

	waits := c.ask(admin, 200, "GET", "/plugins/publisher", nil)["waiting"].(map[string]any)
	c.ask(admin, 409, "POST", "/plugins/publisher/accept", map[string]any{"digest": "sha256:0"})
	c.ask(admin, 404, "POST", "/plugins/nobody/accept", map[string]any{"digest": waits["digest"]})
	if got := c.ask(admin, 200, "POST", "/plugins/publisher/accept", map[string]any{"digest": waits["digest"]}); got["waiting"] != nil || got["status"] != "active" {
		c.t.Errorf("an accepted plugin is %v", got)
	}
}

func (c *teller) events(admin string, publisher *target) {
	event := map[string]any{"event_type": "greeting.requested", "payload": map[string]any{"language": "en", "name": "Ada"}, "id": "one"}
	c.ask(publisher.Token, 202, "POST", "/messaging/events", event)
	if again := c.ask(publisher.Token, 202, "POST", "/messaging/events", event); again["duplicate"] != true {
		c.t.Errorf("the same id is published twice: %v", again)
	}
	batch := c.request(c.t, publisher.Token, "POST", "/messaging/events", []any{
		map[string]any{"specversion": "1.0", "id": "two", "source": "publisher", "type": "greeting.requested", "data": map[string]any{"language": "en"}},
		map[string]any{"specversion": "1.0", "id": "three", "source": "publisher", "type": "greeting.requested", "data": map[string]any{"language": "de"}},
	})
	batch.Header.Set("Content-Type", "application/cloudevents-batch+json")
	c.told(batch, 202)
	c.ask(publisher.Token, 403, "POST", "/messaging/events", map[string]any{"event_type": "something.else"})
	c.ask(publisher.Token, 400, "POST", "/messaging/events", map[string]any{"event_type": "!"})
	c.ask(publisher.Token, 422, "POST", "/messaging/events", map[string]any{"event_type": "greeting.requested", "payload": map[string]any{"language": 7}})
	c.ask(publisher.Token, 413, "POST", "/messaging/events", strings.Repeat(" ", 2<<20+1))
	c.ask(admin, 200, "GET", "/messaging/stats", nil)

	listener := c.enabled("listener", map[string]any{"events": map[string]any{"delivery": "stream", "subscribes": []string{"greeting.requested"}}}, nil)
	c.ask(listener.Token, 403, "GET", "/messaging/events/stream?types=something.else", nil)
	id := c.hears(listener, publisher)
	c.ask(listener.Token, 200, "POST", "/messaging/events/"+id+"/ack", nil)
	c.ask(listener.Token, 404, "POST", "/messaging/events/"+id+"/ack", nil)
	c.ask(listener.Token, 404, "POST", "/messaging/events/"+id+"/nak", nil)
	c.pulls(listener, publisher)
	c.binds(admin, listener)
}

// binds gives a thing its names.
func (c *teller) binds(admin string, plugin *target) {
	c.t.Helper()
	bound := c.ask(plugin.Token, 200, "PUT", "/canonical/ids/user", map[string]any{"id": "4711"})
	c.ask(plugin.Token, 409, "PUT", "/canonical/ids/user", map[string]any{"id": "4712", "global_id": bound["global_id"]})
	c.ask(plugin.Token, 400, "PUT", "/canonical/ids/user", map[string]any{"id": ""})
	c.ask(plugin.Token, 400, "PUT", "/canonical/ids/User", map[string]any{"id": "1"})
	c.ask(plugin.Token, 200, "GET", "/canonical/ids/user?id=4711", nil)
	c.ask(plugin.Token, 404, "GET", "/canonical/ids/user?id=1", nil)
	all := c.ask(admin, 200, "GET", "/admin/ids/user?global_id="+bound["global_id"].(string), nil)
	if len(all["items"].([]any)) != 1 {
		c.t.Errorf("the thing has the names %v", all)
	}
	c.ask(plugin.Token, 204, "DELETE", "/canonical/ids/user?id=4711", nil)
	c.ask(plugin.Token, 404, "DELETE", "/canonical/ids/user?id=4711", nil)
}

// pulls takes an event in each form there is.
func (c *teller) pulls(listener, publisher *target) {
	c.t.Helper()
	for _, form := range []string{"", "application/cloudevents+json", "application/json;q=0.9, text/html"} {
		publisher.publish("greeting.requested", map[string]any{"language": "en"})
		r := c.request(c.t, listener.Token, "GET", "/messaging/events/next?wait=20", nil)
		r.Header.Set("Accept", form)
		c.told(r, 200)
	}
	for _, bad := range []string{"wait=31", "limit=0", "consumer=No"} {
		c.ask(listener.Token, 400, "GET", "/messaging/events/next?"+bad, nil)
	}
	c.ask(listener.Token, 403, "GET", "/messaging/events/next?types=something.else", nil)
	r := c.request(c.t, listener.Token, "GET", "/messaging/events/next", nil)
	r.Header.Set("Accept", "text/html")
	c.told(r, 400)
	c.ask(listener.Token, 204, "GET", "/messaging/events/next?consumer=quiet", nil)
}

// hears opens a stream, has an event published, and returns its id as it arrived.
func (c *teller) hears(listener, publisher *target) string {
	c.t.Helper()
	r := c.request(c.t, listener.Token, "GET", "/messaging/events/stream?ack=explicit", nil)
	r.Header.Set("Accept", "text/event-stream")
	answer := must(http.DefaultClient.Do(r))(c.t)
	defer answer.Body.Close()
	o := c.operation(r)
	_, said := c.doc.response(c.t, o, answer.StatusCode)
	kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	if said["content"].(map[string]any)[kind] == nil {
		c.t.Fatalf("the stream comes as %d %q", answer.StatusCode, kind)
	}
	c.asked[o.node["operationId"].(string)] = true
	publisher.publish("greeting.requested", map[string]any{"language": "en"})
	id := streamedID(answer.Body)
	if id == "" {
		c.t.Fatal("the stream ended without an event")
	}
	return id
}

// streamedID returns the id of the next server-sent event, "" when none comes.
func streamedID(body io.Reader) string {
	for lines := bufio.NewScanner(body); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			return id
		}
	}
	return ""
}

func (c *teller) calls(admin string, caller *target) {
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		c.ask(admin, 200, method, "/gateway/caller/ping", nil)
		c.ask(admin, 200, method, "/gateway/caller/-/ping", nil)
	}
	c.ask(admin, 200, "POST", "/gateway/caller/ping", map[string]any{"payload": map[string]any{"a": 1}, "timeout": 5})
	c.ask(admin, 422, "GET", "/gateway/caller/ping?timeout=-1", nil)
	c.ask(admin, 400, "GET", "/gateway/caller/item", nil) // no value for its path
	c.ask(admin, 404, "GET", "/gateway/caller/fly", nil)
	c.ask(admin, 404, "GET", "/gateway/nobody/ping", nil)
	c.ask(admin, 403, "GET", "/gateway/publisher/get_profile?id=1", nil) // of class pii
	c.ask(caller.Token, 403, "GET", "/gateway/publisher/get_profile?id=1", nil)
	c.ask(admin, 200, "GET", "/gateway/stats", nil)
}

func (c *teller) egress(admin string, caller *target) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	c.t.Cleanup(site.Close)
	port := must(url.Parse(site.URL))(c.t).Port()
	page := "http://pages.example.com:" + port + "/"
	c.ask(caller.Token, 403, "POST", "/gateway/proxy", map[string]any{"url": page})
	approval := map[string]any{"plugin": "caller", "domain": "pages.example.com", "ports": []any{json.Number(port)}, "rate": 1000}
	c.ask(admin, 201, "POST", "/admin/approvals/egress", approval)
	c.ask(admin, 422, "POST", "/admin/approvals/egress", map[string]any{"plugin": "caller", "domain": "elsewhere.example.com"})
	if got := c.ask(caller.Token, 200, "POST", "/gateway/proxy", map[string]any{"url": page}); got["body"] != "hello" {
		c.t.Errorf("the proxy lane answers %v", got)
	}
	c.ask(caller.Token, 403, "POST", "/gateway/proxy", map[string]any{"url": "https://elsewhere.example.com/"})
	c.ask(caller.Token, 400, "POST", "/gateway/proxy", map[string]any{})
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		c.ask(caller.Token, 200, method, "/proxy?url="+url.QueryEscape(page), nil)
	}
	c.ask(caller.Token, 403, "GET", "/proxy?url="+url.QueryEscape("https://127.0.0.1/"), nil)
	c.ask(caller.Token, 400, "GET", "/proxy", nil)
	site.Close()
	if got := c.ask(caller.Token, 200, "POST", "/gateway/proxy", map[string]any{"url": page}); got["success"] != false {
		c.t.Errorf("a host that is gone is a success: %v", got)
	}
	c.ask(caller.Token, 502, "GET", "/proxy?url="+url.QueryEscape(page), nil)
	const credential = "/admin/egress/credentials/caller/pages.example.com"
	c.ask(admin, 200, "PUT", credential, map[string]any{"kind": "header", "name": "X-Api-Key", "secret": "4f9c0b7e2d"})
	c.ask(admin, 422, "PUT", credential, map[string]any{"kind": "header", "name": "Host", "secret": "short"})
	c.ask(admin, 422, "PUT", "/admin/egress/credentials/caller/elsewhere.example.com", map[string]any{"kind": "basic", "username": "a", "secret": "4f9c0b7e2d"})
	c.ask(admin, 404, "PUT", "/admin/egress/credentials/nobody/pages.example.com", map[string]any{"kind": "basic", "username": "a", "secret": "4f9c0b7e2d"})
	c.ask(admin, 200, "GET", "/admin/egress/credentials", nil)
	c.ask(admin, 200, "DELETE", credential, nil)
	c.ask(admin, 404, "DELETE", credential, nil)
	for _, one := range c.ask(admin, 200, "GET", "/admin/approvals/egress", nil)["egress"].([]any) {
		c.ask(admin, 200, "DELETE", "/admin/approvals/egress/"+one.(map[string]any)["id"].(string), nil)
	}
	c.ask(admin, 404, "DELETE", "/admin/approvals/egress/none", nil)
}

func (c *teller) people(admin string) {
	invited := c.ask(admin, 201, "POST", "/admin/users", map[string]any{"email": "jo@example.com", "name": "Jo Berg", "roles": []string{"viewer"}})
	c.ask(admin, 409, "POST", "/admin/users", map[string]any{"email": "guest@example.com", "name": "Guest"})
	c.ask(admin, 422, "POST", "/admin/users", map[string]any{"email": "no address", "name": "Jo"})
	c.ask(admin, 400, "POST", "/admin/users", `{"email":`)
	c.ask(admin, 400, "POST", "/admin/users", map[string]any{"email": 5})
	jo := "/admin/users/" + invited["user"].(map[string]any)["id"].(string)
	c.ask(admin, 200, "GET", "/admin/users?limit=1", nil)
	c.ask(admin, 400, "GET", "/admin/users?limit=0", nil)
	c.ask(admin, 200, "GET", "/admin/roles", nil)
	c.ask(admin, 200, "PATCH", jo, map[string]any{"name": "Jo Bergman", "roles": []string{"auditor"}})
	c.ask(admin, 422, "PATCH", jo, map[string]any{"roles": []string{"emperor"}})
	c.ask(admin, 200, "POST", jo+"/traits", map[string]any{"trait": "handles_pii", "reason": "support", "expires_at": time.Now().Add(time.Hour).UTC()})
	c.ask(admin, 200, "GET", jo, nil)
	c.ask(admin, 422, "POST", jo+"/traits", map[string]any{"trait": "external_service"})
	c.ask(admin, 200, "DELETE", jo+"/traits/handles_pii", nil)
	c.ask(admin, 404, "DELETE", jo+"/traits/handles_pii", nil)
	c.ask(admin, 200, "PATCH", jo, map[string]any{"status": "suspended", "reason": "away"})
	c.ask(admin, 200, "DELETE", jo, nil)
	c.ask(admin, 404, "DELETE", jo, nil)
	me := c.ask(admin, 200, "GET", "/auth/me", nil)
	c.ask(admin, 409, "DELETE", "/admin/users/"+me["id"].(string), nil)
}

func (c *teller) keys(admin string) {
	made := c.ask(admin, 201, "POST", "/admin/api-keys", map[string]any{"name": "ci", "scope": []string{"viewer"}, "expires_at": time.Now().Add(time.Hour).UTC()})
	c.ask(admin, 422, "POST", "/admin/api-keys", map[string]any{"name": "ci", "scope": []string{}, "expires_at": time.Now().Add(time.Hour).UTC()})
	key := made["key"].(string)
	c.ask(key, 403, "POST", "/admin/api-keys", map[string]any{"name": "ci", "scope": []string{"viewer"}, "expires_at": time.Now().Add(time.Hour).UTC()})
	c.ask(key, 200, "GET", "/plugins", nil)
	c.ask(admin, 200, "GET", "/admin/api-keys", nil)
	c.ask(admin, 200, "GET", "/admin/api-keys?of=all", nil)
	c.ask(admin, 400, "GET", "/admin/api-keys?of=all&cursor=x", nil)
	next := c.ask(admin, 201, "POST", "/admin/api-keys/"+made["id"].(string)+"/rotate", map[string]any{"overlap_hours": 1})
	c.ask(admin, 422, "POST", "/admin/api-keys/"+made["id"].(string)+"/rotate", map[string]any{"overlap_hours": 1000})
	c.ask(key, 200, "GET", "/plugins", nil)
	c.ask(next["key"].(string), 200, "GET", "/plugins", nil)
	c.ask(admin, 200, "DELETE", "/admin/api-keys/"+made["id"].(string), nil)
	c.ask(key, 401, "GET", "/plugins", nil)
	c.ask(admin, 404, "DELETE", "/admin/api-keys/none", nil)
}

// sinks forwards the audit to a receiver that takes it, and to nowhere.
func (c *teller) sinks(admin string) {
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	const path = "/admin/audit/sinks"
	in := map[string]any{"name": "siem", "kind": "otlp", "address": "http://logs.example.org/v1/logs"}
	c.ask(admin, 422, "POST", path, in)
	in["address"] = receiver.URL + "/v1/logs"
	made := c.ask(admin, 201, "POST", path, in)
	c.ask(admin, 409, "POST", path, in)
	one := path + "/" + made["id"].(string)
	c.ask(admin, 200, "GET", path, nil)
	c.ask(admin, 200, "GET", one, nil)
	c.ask(admin, 200, "POST", one+"/try", nil)
	in["version"] = made["version"]
	c.ask(admin, 200, "PUT", one, in)
	c.ask(admin, 409, "PUT", one, in)
	receiver.Close()
	c.ask(admin, 502, "POST", one+"/try", nil)
	c.ask(admin, 200, "DELETE", one, nil)
	c.ask(admin, 404, "GET", one, nil)
}

// retention holds records, purges others into an archive, and lets the held ones go.
func (c *teller) retention(admin string) {
	c.ask(admin, 200, "GET", "/admin/audit/retention", nil)
	const path = "/admin/audit/holds"
	in := map[string]any{"name": "Case 7", "reason": "A law suit.", "plugin": "labs"}
	held := c.ask(admin, 201, "POST", path, in)
	c.ask(admin, 409, "POST", path, in)
	c.ask(admin, 422, "POST", path, map[string]any{"name": "Case 8", "reason": ""})
	one := path + "/" + held["id"].(string)
	c.ask(admin, 200, "GET", path, nil)
	c.ask(admin, 200, "GET", one, nil)
	c.ask(admin, 404, "GET", path+"/none", nil)
	if did := c.ask(admin, 200, "POST", "/admin/audit/retention/purge", nil); did["records"].(float64) == 0 {
		c.t.Errorf("nothing was purged: %v", did)
	}
	c.ask(admin, 200, "POST", one+"/lift", map[string]any{"reason": "It was settled."})
	c.ask(admin, 409, "POST", one+"/lift", map[string]any{"reason": "It was settled."})
	list := c.ask(admin, 200, "GET", "/admin/audit/archives", nil)["items"].([]any)
	c.ask(admin, 200, "GET", "/admin/audit/archives/"+list[0].(map[string]any)["id"].(string), nil)
	c.ask(admin, 404, "GET", "/admin/audit/archives/none", nil)
	c.ask(admin, 200, "GET", "/admin/audit/retention", nil)
	if report := c.ask(admin, 200, "GET", "/admin/audit/verify", nil); report["ok"] != true {
		c.t.Errorf("the audit does not verify after a purge: %v", report)
	}
}

func (c *teller) audit(admin string) {
	c.ask(admin, 200, "GET", "/admin/audit?outcome=deny&limit=5", nil)
	c.ask(admin, 400, "GET", "/admin/audit?outcome=maybe", nil)
	c.ask(admin, 400, "GET", "/admin/audit?limit=501", nil)
	c.ask(admin, 200, "GET", "/admin/audit/export", nil)
	c.ask(admin, 200, "GET", "/admin/audit/export?format=csv", nil)
	c.ask(admin, 400, "GET", "/admin/audit/export?format=pdf", nil)
	if report := c.ask(admin, 200, "GET", "/admin/audit/verify", nil); report["ok"] != true {
		c.t.Errorf("the audit does not verify: %v", report)
	}
	c.ask(admin, 200, "GET", "/admin/audit/heads", nil)
	c.ask(admin, 200, "GET", "/admin/evidence?days=90", nil)
	c.ask(admin, 400, "GET", "/admin/evidence?days=7", nil)
	c.ask(admin, 200, "GET", "/admin/evidence/pack", nil)
	c.ask(admin, 400, "GET", "/admin/evidence/pack?days=soon", nil)
}

func (c *teller) goodbye(admin string, caller *target) {
	c.ask(admin, 200, "POST", "/plugins/caller/quarantine", map[string]any{"reason": "odd"})
	c.ask(caller.Token, 401, "POST", "/plugins/heartbeat", nil)
	c.ask(admin, 200, "DELETE", "/plugins/caller", nil)
	c.ask(admin, 404, "DELETE", "/plugins/caller", nil)
	c.ask(admin, 200, "POST", "/auth/logout", nil)
	c.ask(admin, 401, "GET", "/auth/me", nil)
}
