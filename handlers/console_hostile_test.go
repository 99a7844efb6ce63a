package handlers_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// hostile are texts that try to become more than text.
func hostile(t testing.TB) []string {
	t.Helper()
	file := must(os.Open("testdata/xss_payloads.jsonl"))(t)
	defer file.Close()
	out := []string{
		`<hx-partial hx-target="#main"><h1>owned</h1></hx-partial>`, `"><form action=//evil.example><input name=token>`,
		`' autofocus onfocus=alert(1) x='`, `</textarea><script>alert(1)</script>`, `//evil.example/x`, `javascript:alert(1)`,
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var row struct{ Payload string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		out = append(out, row.Payload)
	}
	return out
}

// elements are the tags the console draws; a page with another was added to.
var elements = strings.Fields(`html head meta title link script body a div nav span svg use ul li p label input header button ol main section form
	h1 h2 h3 b small br hr kbd dl dt dd table thead tbody tr th td time select option textarea path rect g text aside footer dialog template
	code pre ins del hx-partial`)

// addresses are the attributes that lead somewhere.
var addresses = []string{"href", "src", "action", "formaction", "hx-get", "hx-post", "hx-sse:connect", "poster", "data", "xlink:href"}

// harmless fails the test when a page holds an element, a handler or an address
// that the console does not draw, or markup of the texts as it is.
func (p page) harmless(t testing.TB) {
	t.Helper()
	for _, text := range hostile(t) {
		if strings.Contains(text, "<") {
			p.lacks(t, text)
		}
	}
	tokens := html.NewTokenizer(strings.NewReader(p.Body))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			if tokens.Err() != io.EOF {
				t.Fatal(tokens.Err())
			}
			return
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := tokens.Token()
			if !slices.Contains(elements, tag.Data) {
				t.Errorf("%s holds <%s>", p.Request.URL.Path, tag.Data)
			}
			if tag.Data == "script" && !slices.ContainsFunc(tag.Attr, func(a html.Attribute) bool { return a.Key == "src" }) {
				t.Errorf("%s holds a script of its own", p.Request.URL.Path)
			}
			for _, a := range tag.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc":
					t.Errorf("%s: <%s %s=%q>", p.Request.URL.Path, tag.Data, a.Key, a.Val)
				case slices.Contains(addresses, a.Key) && !(strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "//") || strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "?")):
					t.Errorf("%s: <%s %s=%q> leads away", p.Request.URL.Path, tag.Data, a.Key, a.Val)
				}
			}
		}
	}
}

func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	mara := c.setUp()
	pages := []string{"/console", "/console/plugins", "/console/users", "/console/audit", "/console/audit?action=plugin.*", "/console/events", "/console/account", "/console/audit?action=user.*"}
	taken := 0
	for i, payload := range hostile(t) {
		id := fmt.Sprintf("hostile-%02d", i)
		members := greeting()
		members["name"], members["description"], members["publisher"], members["license"], members["category"], members["icon"] = payload, payload, payload, payload, payload, payload
		members["traits"], members["allowed_domains"] = []string{"handles_pii", "audit_required", "external_service", payload}, []string{"api.example.org"}
		m := manifestOf(id, members)
		m["runtime"] = map[string]any{"kind": "external", "base_url": "http://127.0.0.1:9"}
		if status, answer := c.api("", "POST", "/plugins/register", m); status != http.StatusOK {
			t.Logf("%q is refused: %v", payload, answer["detail"])
			continue // refused: it is shown nowhere
		}
		taken++
		p := &target{core: c, ID: id}
		_, answer := c.api("", "POST", "/plugins/register", m)
		p.Token, _ = answer["token"].(string)
		mara.post(views.PluginPath(id, "enable"), nil)
		_, sent := p.do("POST", "/messaging/events", map[string]any{"event_type": "greeting.requested", "payload": map[string]string{"language": payload, "name": payload}, "id": payload})
		if event, ok := sent["event_id"].(string); ok && !strings.ContainsAny(event, "/\\%?#") {
			pages = append(pages, views.EventPath(event))
		}
		p.do("POST", "/messaging/events", map[string]any{"event_type": payload, "payload": map[string]string{}})
		p.do("POST", "/gateway/proxy", map[string]any{"url": "https://" + payload + "/", "method": "GET"})
		p.do("POST", "/gateway/"+id+"/"+url.PathEscape(payload), map[string]any{})
		mara.post(views.PluginPath(id, "quarantine"), url.Values{"reason": {payload}})
		pages = append(pages, views.PluginPath(id), views.PluginPath(id, "permissions"), views.PluginPath(id, "unregister"), views.PluginPath(id, "activity"), views.PluginPath(id, "quarantine"), views.PluginPath(id, "enable"))
		for _, path := range []string{"/console/plugins?q=", "/console/audit?q=", "/console/audit?object=", "/console/users?q=", "/console/palette?q=", "/console/events?type=", "/sign-in?next=", "/console/nothing/", "/setup?token=", "/invite?token=", "/console/audit?range=custom&from="} {
			pages = append(pages, path+url.QueryEscape(payload))
		}
		if link, err := c.Identity.Invite(c.system(), identity.Invitation{Email: id + "@example.com", Name: payload}); err == nil {
			pages = append(pages, views.UserPath(link.User.ID.String()), "/invite?token="+link.Secret)
		}
	}
	if taken < 10 {
		t.Fatalf("only %d hostile manifests are taken: this test tests nothing", taken)
	}
	for _, r := range c.records(audit.Filter{Limit: 150}) {
		pages = append(pages, views.RecordPath(r.Chain, r.Seq), views.DecisionPath(r.ID.String()))
	}
	for _, path := range pages {
		p := mara.get(path)
		if p.StatusCode >= 500 {
			t.Errorf("GET %s: %d %s", path, p.StatusCode, p.text())
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
			p.harmless(t)
		}
		if t.Failed() {
			t.Fatalf("at %s", path)
		}
	}
	part := mara.do("GET", "/console/plugins", nil, htmx("main#main", c.URL+"/console"))
	part.harmless(t)
	live := next(t, mara.stream("/console/live", nil), "#attention")
	page{part.Response, live.data}.harmless(t)
}
