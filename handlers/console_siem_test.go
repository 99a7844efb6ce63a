package handlers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vivified/vivified/core/audit"
)

// An administrator adds a sink, tries it, corrects it and removes it; an auditor
// sees how it fares and why it is not his to change.
func TestSinksInTheConsole(t *testing.T) {
	var received, refuses atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if refuses.Load() == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		received.Add(int64(strings.Count(string(body), `"stringValue":"{`)))
	}))
	defer receiver.Close()
	const path = "/console/audit/forwarding"
	c := newCore(t)
	mara, hana := c.setUp(), c.person("hana@example.com", "Hana", "auditor")
	leads := func(p page) {
		t.Helper()
		if at := p.Header.Get("Location"); p.StatusCode != http.StatusSeeOther || at != path {
			t.Fatalf("answered %d to %q: %s", p.StatusCode, at, p.text())
		}
	}
	mara.get(path).shows(t, 200, "The audit is kept here only", "Add a sink")
	mara.get(path+"/new").shows(t, 200, "RFC 5424", "Private key")
	if offer := mara.get(path + "/new?kind=webhook"); !strings.Contains(offer.Body, `value="whsec_`) {
		t.Error("no signing key is offered")
	}
	mara.get(path+"/new?kind=pigeon").shows(t, 200, "Syslog")

	in := url.Values{"kind": {"otlp"}, "name": {"Collector"}, "address": {"http://logs.example.org/"}, "secret": {"a token"}, "enabled": {"on"}}
	refused := mara.post(path, in)
	refused.shows(t, 422, "1 value needs a correction", "not sent in clear")
	if strings.Contains(refused.Body, "a token") {
		t.Error("the secret came back to the page")
	}
	in.Set("address", receiver.URL+"/v1/logs")
	leads(mara.post(path, in))
	list := mara.get(path)
	list.shows(t, 200, "Collector is added", "OpenTelemetry", "Active", "Change", "Remove")
	one := regexp.MustCompile(path + `/[0-9a-f-]{36}`).FindString(list.Body)

	leads(mara.post(one+"/try", nil))
	mara.get(path).shows(t, 200, "Collector took a trial record.")
	if received.Load() == 0 {
		t.Error("the receiver has nothing")
	}
	refuses.Store(1)
	leads(mara.post(one+"/try", nil))
	mara.get(path).shows(t, 200, "did not take a trial record", "503 Service Unavailable")

	form := mara.get(one)
	form.shows(t, 200, "Change Collector", "Empty keeps it.", "Remove the Bearer token")
	version := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(form.Body)[1]
	change := url.Values{"name": {"Collector"}, "address": {"https://elsewhere.example.org/v1/logs"}, "version": {version}}
	mara.post(one, change).shows(t, 422, "asked for again when the sink moves")
	change.Set("clear", "on")
	leads(mara.post(one, change))
	mara.get(path).shows(t, 200, "Disabled", "elsewhere.example.org")
	mara.post(one, change).shows(t, 422, "Somebody else changed this sink meanwhile")

	hana.get(path).shows(t, 200, "Collector", "Only configuration managers may change where the audit goes.")
	hana.post(one+"/remove", nil).shows(t, 403)
	hana.get(one).shows(t, 403)
	c.person("vic@example.com", "Vic", "viewer").get(path).shows(t, 403)

	mara.get(one+"/remove").shows(t, 200, "Remove Collector?", "the audit here stays whole")
	leads(mara.post(one+"/remove", nil))
	mara.get(one).shows(t, 404)
	mara.get(path+"/none").shows(t, 404)
	if n := len(c.records(audit.Filter{Action: "audit.sink.*", Limit: 10})); n != 3 {
		t.Errorf("%d changes are recorded, want 3", n)
	}
}
