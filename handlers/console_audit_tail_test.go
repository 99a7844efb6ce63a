package handlers_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/trait"
)

// The audit page goes on by itself with what fits its filter, and says so in the
// audit; a list of the past or of words does not.
func TestAuditGoesOn(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	shown := mara.get("/console/audit?action=test.*&address=")
	shown.shows(t, 200, "No record fits the filter yet.", "Look again", "Pause")
	tail := strings.ReplaceAll(regexp.MustCompile(`hx-sse:connect="([^"]+)"`).FindStringSubmatch(shown.Body)[1], "&amp;", "&")
	for _, past := range []string{"?range=custom&from=2026-01-01T00:00", "?q=hello", "?cursor=x"} {
		if p := mara.get("/console/audit" + past); strings.Contains(p.Body, "hx-sse:connect") {
			t.Errorf("%s goes on", past)
		}
	}
	mara.get("/console/audit/stream?from=nowhere").shows(t, 400)
	c.person("vic@example.com", "Vic", "viewer").get(tail).shows(t, 403)

	stream := mara.stream(tail, nil)
	c.happens(1, "fax-bridge", audit.Entry{Action: "other.thing", Object: "not shown", Outcome: audit.OK})
	c.happens(1, "fax-bridge", audit.Entry{Action: "test.change", Object: "this one", Outcome: audit.OK})
	if row := next(t, stream, "this one"); strings.Contains(row.data, "not shown") || row.id == "" {
		t.Errorf("the stream sent %+v", row)
	}
	live := 0
	for _, r := range c.records(audit.Filter{Action: "audit.read", Limit: 50}) {
		if strings.Contains(string(r.Detail), `"live"`) {
			live++
		}
	}
	if live != 1 {
		t.Errorf("following is recorded %d times, want once", live)
	}
}

// A page of what touched protected health information carries who saw it and when;
// others do not.
func TestWatermark(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.happens(1, "fax-bridge", audit.Entry{Action: "test.plain", Object: "letters/1", Outcome: audit.OK, Classes: trait.ClassesOf(trait.PII)})
	c.happens(1, "fax-bridge", audit.Entry{Action: "test.phi", Object: "labs/1", Outcome: audit.OK, Classes: trait.ClassesOf(trait.PHI)})
	mark := "PHI · Mara"
	for path, marked := range map[string]bool{
		"/console/audit?action=test.phi": true, "/console/audit?action=test.plain": false, "/console/audit?action=test.*": true,
		"/console/audit/change/" + c.seqOf("test.phi"): true, "/console/audit/change/" + c.seqOf("test.plain"): false, "/console/users": false,
	} {
		p := mara.get(path)
		if p.StatusCode != 200 || strings.Contains(p.Body, mark) != marked || strings.Contains(p.Body, `class="vv-mark"`) != marked {
			t.Errorf("%s: answered %d, marked %t, want %t", path, p.StatusCode, strings.Contains(p.Body, mark), marked)
		}
	}
}

// seqOf is the number of the one record of an action in the chain of changes.
func (c *core) seqOf(action string) string {
	c.t.Helper()
	all := c.records(audit.Filter{Action: action, Limit: 1})
	if len(all) != 1 {
		c.t.Fatalf("there are %d records of %s", len(all), action)
	}
	return strconv.FormatInt(all[0].Seq, 10)
}
