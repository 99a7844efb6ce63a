package handlers_test

import (
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

const signingKey = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"

// happens records something n times, as a plugin of that id does.
func (c *core) happens(n int, plugin string, e audit.Entry) {
	c.t.Helper()
	ctx := actor.With(c.t.Context(), actor.Actor{Kind: actor.Plugin, ID: plugin, Name: plugin, Tenant: actor.DefaultTenant})
	for range n {
		if err := db.InTx(ctx, c.DB.Pool, func(q *db.Queries) error { return audit.Append(ctx, q, e) }); err != nil {
			c.t.Fatal(err)
		}
	}
}

// watched has the rules held against everything that is recorded.
func (c *core) watched() {
	c.t.Helper()
	if err := c.Alerts.Tend(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// alerts opens one, acknowledges it, and tries, changes and removes rules.
func (c *teller) alerts(admin string) {
	c.watched()
	c.happens(20, "fax-bridge", audit.Entry{Action: "operator.call", Object: "labs/results", Outcome: audit.Deny, Rule: "operator.grant"})
	c.watched()
	const path, rules, silences = "/admin/alerts", "/admin/alerts/rules", "/admin/alerts/silences"
	list := c.ask(admin, 200, "GET", path+"?state=open&silenced=false&plugin=fax-bridge", nil)
	one := path + "/" + list["items"].([]any)[0].(map[string]any)["id"].(string)
	c.ask(admin, 400, "GET", path+"?state=loud", nil)
	c.ask(admin, 400, "GET", path+"?silenced=maybe", nil)
	c.ask(admin, 200, "GET", one, nil)
	c.ask(admin, 404, "GET", path+"/"+uuid.NewString(), nil)
	c.ask(admin, 201, "POST", silences, map[string]any{"alert": one[len(path)+1:], "reason": "It is being repaired.", "for": "1h"})
	c.ask(admin, 422, "POST", silences, map[string]any{"rule": "core.denials-plugin", "reason": "", "for": "1s"})
	c.ask(admin, 404, "POST", silences, map[string]any{"rule": "none", "reason": "x", "for": "1h"})
	quiet := c.ask(admin, 200, "GET", silences, nil)["items"].([]any)[0].(map[string]any)["id"].(string)
	c.ask(admin, 200, "DELETE", silences+"/"+quiet, nil)
	c.ask(admin, 404, "DELETE", silences+"/"+quiet, nil)
	c.ask(admin, 422, "POST", one+"/acknowledge", map[string]any{"note": ""})
	c.ask(admin, 200, "POST", one+"/acknowledge", map[string]any{"note": "Its grant ran out."})
	c.ask(admin, 409, "POST", one+"/acknowledge", map[string]any{"note": "Again."})

	c.ask(admin, 200, "GET", rules, nil)
	c.ask(admin, 200, "GET", rules+"/core.sink-lag", nil)
	c.ask(admin, 404, "GET", rules+"/none", nil)
	in := map[string]any{"name": "Denials of calls", "severity": "warning", "match": map[string]any{"action": "operator.call", "outcome": "deny"}, "count": 5, "window": "1m", "by": "actor"}
	made := c.ask(admin, 201, "POST", rules, in)
	c.ask(admin, 409, "POST", rules, in)
	mine := rules + "/" + made["id"].(string)
	in["version"] = made["version"]
	c.ask(admin, 200, "PUT", mine, in)
	c.ask(admin, 409, "PUT", mine, in)
	delete(in, "version")
	in["days"] = 1
	c.ask(admin, 200, "POST", rules+"/try", in)
	in["days"] = 400
	c.ask(admin, 422, "POST", rules+"/try", in)
	c.ask(admin, 409, "POST", rules+"/try", map[string]any{"name": "Only one", "severity": "info", "state": "admin.last", "days": 1})
	c.ask(admin, 422, "POST", rules, map[string]any{"name": "", "severity": "loud"})
	c.ask(admin, 200, "DELETE", mine, nil)
	c.ask(admin, 404, "DELETE", mine, nil)
	c.ask(admin, 409, "DELETE", rules+"/core.sink-lag", nil)

	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer receiver.Close()
	const channels = "/admin/alerts/channels/"
	c.ask(admin, 409, "POST", channels+"webhook/try", nil)
	c.ways = alert.Ways{WebhookURL: receiver.URL, WebhookSecret: signingKey}
	c.ask(admin, 200, "POST", channels+"webhook/try", nil)
	receiver.Close()
	c.ask(admin, 502, "POST", channels+"webhook/try", nil)
	c.ask(admin, 404, "POST", channels+"pigeon/try", nil)
}
