package handlers_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/vivified/vivified/core/audit"
)

// Somebody who watches the system sees an alert, silences it, acknowledges it, and
// sees its records only with the trait for the audit.
func TestAlertsInTheConsole(t *testing.T) {
	const path = "/console/alerts"
	c := newCore(t)
	mara, olaf := c.setUp(), c.person("olaf@example.com", "Olaf", "operator")
	c.watched()
	mara.get(path).shows(t, 200, "No alert yet", "0 open alerts")
	c.happens(20, "fax-bridge", audit.Entry{Action: "operator.call", Object: "labs/results", Outcome: audit.Deny, Rule: "operator.grant"})
	c.watched()
	list := mara.get(path)
	list.shows(t, 200, "A plugin is denied again and again: fax-bridge", "Warning", "Open", "1 open alert", "Acknowledge", "Silence")
	one := regexp.MustCompile(path + `/[0-9a-f-]{36}`).FindString(list.Body)
	mara.get(one).shows(t, 200, "operator.call by fax-bridge on labs/results was denied (operator.grant).", "its manifest lacks something", "All like these", "operator.grant")
	olaf.get(one).shows(t, 200, "The records are for those who read the audit")
	c.person("vic@example.com", "Vic", "viewer").get(path).shows(t, 403)

	leads := func(p page, to string) {
		t.Helper()
		if at := p.Header.Get("Location"); p.StatusCode != http.StatusSeeOther || at != to {
			t.Fatalf("answered %d to %q: %s", p.StatusCode, at, p.text())
		}
	}
	mara.get(one+"/silence").shows(t, 200, "No channel is told meanwhile", "30 days")
	mara.post(one+"/silence", url.Values{"for": {"1h"}, "reason": {" "}}).shows(t, 422, "The reason has 1 to 1000 characters.")
	leads(mara.post(one+"/silence", url.Values{"for": {"1h"}, "reason": {"It is being repaired."}}), one)
	mara.get(path+"?state=silenced").shows(t, 200, "Silenced until", "0 open alerts")
	silences := mara.get(path + "/silences")
	silences.shows(t, 200, "It is being repaired.", "fax-bridge")
	leads(mara.post(regexp.MustCompile(path+`/silences/[0-9a-f-]{36}/end`).FindString(silences.Body), nil), path+"/silences")
	mara.get(path+"/silences").shows(t, 200, "Nothing is silenced")

	olaf.get(one+"/acknowledge").shows(t, 200, "resolved once its condition ends")
	olaf.post(one+"/acknowledge", nil).shows(t, 422, "The note has 1 to 1000 characters.")
	leads(olaf.post(one+"/acknowledge", url.Values{"note": {"Its grant ran out."}}), one)
	mara.get(one).shows(t, 200, "Acknowledged by Olaf", "Its grant ran out.")
	olaf.post(one+"/acknowledge", url.Values{"note": {"Again."}}).shows(t, 422, "acknowledged already")
	mara.get(path+"?state=acknowledged&severity=warning&rule=core.denials-plugin").shows(t, 200, "by Olaf")
	mara.get(path+"?state=loud").shows(t, 400)
	mara.get(path+"/none").shows(t, 404)
}

// Rules are added, tried on the past, corrected, changed and put back.
func TestAlertRulesInTheConsole(t *testing.T) {
	const path = "/console/alerts/rules"
	c := newCore(t)
	mara, olaf := c.setUp(), c.person("olaf@example.com", "Olaf", "operator")
	mara.get(path).shows(t, 200, "A plugin is unhealthy", "20 records within 5 minutes: outcome deny, by a plugin, told apart by actor.", "Not set up", "Add a rule")
	olaf.get(path).shows(t, 200, "Only configuration managers may change rules.")
	olaf.get(path+"/new").shows(t, 403)
	mara.get(path+"/new?kind=health").shows(t, 200, "a sink of the audit takes no records")
	in := url.Values{"name": {"Denials of calls"}, "severity": {"warning"}, "action": {"operator call"}, "outcome": {"deny"}, "count": {"5"}, "window": {"soon"}, "by": {"actor"}, "channels": {"webhook"}, "enabled": {"on"}}
	mara.post(path, in).shows(t, 422, "2 values need a correction", "whole seconds", "name of an action")
	in.Set("action", "operator.call")
	in.Set("window", "1m")
	in.Set("days", "7")
	c.happens(12, "fax-bridge", audit.Entry{Action: "operator.call", Object: "labs/results", Outcome: audit.Deny, Rule: "operator.grant"})
	mara.post(path+"/try", in).shows(t, 200, "1 alert", "12 of 12 records match", "Denials of calls: fax-bridge", "Nothing was saved")
	added := mara.post(path, in)
	if added.StatusCode != http.StatusSeeOther {
		t.Fatalf("answered %d: %s", added.StatusCode, added.text())
	}
	list := mara.get(path)
	list.shows(t, 200, "Denials of calls is added.", "5 records within 1 minute: operator.call, outcome deny, told apart by actor.")
	one := regexp.MustCompile(path + `/[0-9a-f]{8}-[0-9a-f-]{27}`).FindString(list.Body)
	form := mara.get(one)
	form.shows(t, 200, "Change Denials of calls")
	version := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(form.Body)[1]
	in.Set("version", version)
	in.Del("enabled")
	mara.post(one, in)
	mara.get(path).shows(t, 200, "Denials of calls is saved.", "Off")
	mara.post(one, in).shows(t, 422, "Somebody else changed this rule meanwhile")
	mara.get(one+"/remove").shows(t, 200, "Remove Denials of calls?")
	mara.post(one+"/remove", nil)
	mara.get(one).shows(t, 404)

	lag := url.Values{"name": {"A sink of the audit lags"}, "severity": {"critical"}, "kind": {"health"}, "state": {"sink.lag"}, "for": {"1h"}, "version": {"0"}, "enabled": {"on"}}
	mara.post(path+"/core.sink-lag", lag)
	mara.get(path).shows(t, 200, "A sink of the audit waits for records for 1 hour.", "Shipped, changed by")
	mara.get(path+"/core.sink-lag/remove").shows(t, 200, "as shipped?")
	mara.post(path+"/core.sink-lag/remove", nil)
	mara.get(path).shows(t, 200, "A sink of the audit waits for records for 10 minutes.")
	mara.post(path+"/core.sink-lag/silence", url.Values{"for": {"4h"}, "reason": {"The collector moves."}})
	mara.get("/console/alerts/silences").shows(t, 200, "The collector moves.", "every alert")
	mara.post("/console/alerts/channels/email/try", nil)
	mara.get(path).shows(t, 200, "The channel email is not set up.")
}
