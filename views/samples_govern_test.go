package views_test

import (
	"fmt"
	"net/url"
	"time"

	"github.com/vivified/vivified/views"
)

func steps() []views.Step {
	return []views.Step{
		{Rule: "core.active", Verdict: views.Pass, Text: "Hello Lurker and Hello Publisher are active and healthy."},
		{Rule: "core.tenant", Verdict: views.Pass, Text: "Both belong to Northgate Regional."},
		{Rule: "core.dangerous", Verdict: views.NotApplied, Text: "get_profile is not a dangerous operation."},
		{Rule: "operator.grant", Verdict: views.Pass, Text: "The dependency was accepted by Mara Lindqvist on 2 November 2026."},
		{Rule: "data.class", Verdict: views.Deny, Text: "PII needs handles_pii and audit_required of the caller.", Missing: []string{"handles_pii"}, Held: []string{"audit_required"}},
		{Rule: "user.sensitive", Verdict: views.NotReached, Text: "Already denied."},
	}
}

func auditRows(n int) []views.AuditRow {
	var rows []views.AuditRow
	for i := range n {
		seq := int64(1048213 - i)
		r := views.AuditRow{
			Chain: "lane/core-1", Seq: seq, At: ago(time.Duration(i*i*37) * time.Second), Actor: greeter, Action: "operator.call",
			Object: "Hello Publisher get_profile", Outcome: views.Allowed, Classes: []views.Class{"pii"},
			Toggle: fmt.Sprintf("?open=lane~core-1.%d&outcome=deny&plugin=hello-greeter&range=7d", seq),
		}
		switch i % 5 {
		case 1:
			r.Actor, r.Outcome, r.Rule = lurker, views.Denied, "operator.grant"
		case 2:
			r.Actor, r.Action, r.Object, r.Outcome, r.Classes = views.Party{Kind: views.User, Name: "Mara Lindqvist", Note: "via API key"}, "plugin.enable", "Hello Greeter", views.Done, nil
			r.Chain = "change"
		case 3:
			r.Actor, r.Action, r.Object, r.Outcome, r.Classes = core, "plugin.mark_unhealthy", "Fax Bridge", views.Done, nil
		case 4:
			r.Action, r.Object, r.Outcome, r.Classes = "event.deliver", "greeting.requested to 2 receivers", views.Failed, []views.Class{"phi", "pii"}
		}
		rows = append(rows, r)
	}
	return rows
}

func record(r views.AuditRow) views.AuditRecord {
	return views.AuditRecord{
		AuditRow: r, Decision: decisionID, Trace: "7c1f09b2e4d84a557c1f09b2e4d84a55", Address: "10.20.4.118", Replica: "core-1",
		Prev: "b81c04aa1fe92cc07722b81c04aa1fe92cc07722b81c04aa1fe92cc077226f2d", Hash: "2ea97f0011fe92cc07722b81c04aa1fe92cc07722b81c04aa1fe92cc0772d310", Intact: views.Intact,
		Changes: []views.Change{{Name: "carrier.host", Before: "api.example.org", After: "api.example.org"}, {Name: "retry.max", Before: "3", After: "5"}, {Name: "carrier.api_key", Before: "hmac:7d02…91af", After: "hmac:c44e…03b8 (secret replaced)"}, {Name: "carrier.region", After: "eu", Added: true}, {Name: "carrier.legacy", Before: "true", Gone: true}},
		Reasons: steps()[3:], Facts: []views.KV{{Label: "Sizes", Value: "412 B in, 1,208 B out"}, {Label: "Took", Value: "16 ms"}}, OnBehalf: "Hannah Weiss",
		JSON: `{"seq":1048211,"action":"plugin.enable"}`,
	}
}

func audit() views.Audit {
	f := views.AuditFilter{Plugin: "hello-greeter", Outcome: "deny", Range: views.Range{Value: "7d"}}
	rows := auditRows(views.AuditPerPage)
	bar := f.Bar(views.PathAudit, nil, []views.Option{{Value: "hello-greeter", Label: "Hello Greeter"}})
	bar.Saved = &views.Saved{Views: []views.SavedView{
		{Name: "Denied today", Query: url.Values{"outcome": {"deny"}}, Remove: views.ViewPath("v1", "remove")}, {Name: "Ours <b>", Query: url.Values{"q": {"x"}}, By: "Mara Lindqvist"}, {Name: "All", Shared: true},
	}}
	open := record(rows[2])
	return views.Audit{
		List:   views.AuditList{Filter: bar, Rows: rows, Open: &open, Pager: views.Pager{Older: views.PathAudit + "?cursor=x", Note: "30 a page"}},
		Chain:  views.Chain{Proof: *overview().Proof},
		Verify: views.Action{Label: "Verify the chain", Icon: "shield-check", Primary: true, Href: views.PathVerify}, Export: true,
	}
}

func verified() views.Audit {
	a := audit()
	a.List.Rows, a.List.Open = nil, nil
	a.List.Filter = views.AuditFilter{Actor: "Tomás Ferreira", Range: views.Range{Value: "custom", From: "2026-11-01T00:00", To: "2026-11-02T00:00"}}.Bar(views.PathAudit, nil, nil)
	a.Verify.Why = &views.Why{Text: "A verification runs already."}
	a.Verified = &views.Verification{Status: views.Broken, Records: 1048213, Took: 930 * time.Millisecond, Chains: []views.ChainCheck{
		{Chain: "change", Records: 412, Status: views.Intact},
		{Chain: "lane/core-1", Records: 1047801, Status: views.Broken, Bad: 730112, Reason: "Its hash is not that of its content.", Href: views.RecordPath("lane/core-1", 730112)},
	}}
	return a
}

func decision() views.Decision {
	return views.Decision{
		ID: decisionID, Title: "Hello Lurker could not call get_profile", At: ago(8 * time.Minute), Who: lurker, Action: "operator.call", Object: "Hello Publisher, get_profile",
		Lane: views.Operator, Classes: []views.Class{"pii"}, Trace: "7c1f09b2e4d84a557c1f09b2e4d84a55", Record: views.RecordPath("lane/core-1", 1048190), Seq: 1048190,
		Steps: steps(), Note: "Deny wins",
		Facts:   []views.KV{{Label: "Caller’s state", Value: "active, healthy"}, {Label: "Caller’s traits", Body: views.TraitChips([]string{"audit_required", "integration_plugin"})}, {Label: "Target’s state", Value: "active, healthy"}, {Label: "Method", Value: "GET", Mono: true}},
		Missing: []views.MissingTrait{{Name: "handles_pii", Of: "Hello Lurker", Grantors: []views.Party{{Kind: views.User, Name: "Mara Lindqvist", Note: "plugin_manager"}, {Kind: views.User, Name: "Joel Whitaker", Note: "plugin_manager"}}}},
	}
}

func eventRows(n int) []views.EventRow {
	var rows []views.EventRow
	for i := range n {
		r := views.EventRow{ID: fmt.Sprintf("01959f3c-7a10-7e4c-9d21-%012d", i), At: ago(time.Duration(i*4) * time.Second), Type: "greeting.requested", Source: publisher, Classes: []views.Class{"pii"}, Counts: views.Deliveries{Delivered: 1, Redacted: 1}, Trace: "7c1f09b2e4d84a55"}
		if i%3 == 1 {
			r.Type, r.Source, r.Classes, r.Counts = "greeting.sent", greeter, []views.Class{"internal"}, views.Deliveries{Delivered: 2}
		}
		if i%7 == 6 {
			r.Counts = views.Deliveries{Dropped: 1, Waiting: 1}
		}
		rows = append(rows, r)
	}
	return rows
}

func events() views.Events {
	f := views.EventFilter{Type: "greeting.requested"}
	return views.Events{Rows: eventRows(views.EventsPerPage), Types: 4, Tail: f.Tail(), Filter: f.Bar([]views.Option{{Value: "greeting.requested", Label: "greeting.requested"}}, nil), Pager: views.Pager{Older: views.PathEvents + "?cursor=x"}}
}

func event() views.Event {
	return views.Event{
		EventRow: eventRows(1)[0], Decision: decisionID, JSON: `{"type":"greeting.requested"}`,
		Envelope: []views.KV{
			{Label: "Id", Value: "01959f3c-7a10-7e4c-9d21-000000000000", Mono: true, Copy: true}, {Label: "Type", Value: "greeting.requested", Mono: true}, {Label: "Source", Value: "hello-publisher, stamped by the core"},
			{Label: "Time", Body: views.Zoned(now, views.Precise)}, {Label: "Trace", Value: "7c1f09b2e4d84a557c1f09b2e4d84a55", Mono: true, Copy: true}, {Label: "Schema", Value: ""},
		},
		Fields: []views.EventField{{Path: "user_id", Value: "4711"}, {Path: "name", Class: "pii", Redacted: true}, {Path: "language", Value: "en", Class: "public"}, {Path: "address.street", Class: "phi", Redacted: true}},
		Hidden: &views.Why{Text: "2 fields are hidden from you.", Trait: "handles_pii", Grantors: []string{"Joel Whitaker"}},
		Receipts: []views.Receipt{
			{Receiver: greeter, Outcome: views.Delivered, At: now, Attempts: 1},
			{Receiver: lurker, Outcome: views.Redacted, At: now, Attempts: 2, Fields: []string{"name", "address.street"}, Rule: "data.class", Reason: "Fields of class PII were taken out.", Missing: []string{"handles_pii"}, Decision: decisionID},
			{Receiver: views.Party{Kind: views.Plugin, Name: "Archive"}, Outcome: views.Dropped, Rule: "core.active", Reason: "Archive is disabled.", Decision: decisionID},
		},
	}
}

func forwarding() views.Forwarding {
	return views.Forwarding{
		Add: views.Action{Label: "Add a sink", Icon: "plus", Primary: true, Get: true, Href: views.PathForwarding + "/new"},
		Sinks: []views.SinkRow{
			{ID: "s1", Name: "Splunk", Kind: "Syslog", Address: "logs.northgate.example:6514", State: views.Active, Sent: 1048213, SentAt: ago(2 * time.Second), Actions: []views.Action{{Label: "Try", Object: "Splunk", Icon: "send", Href: views.SinkPath("s1", "try")}}},
			{
				ID: "s2", Name: "Collector", Kind: "OpenTelemetry", Address: "https://collector.northgate.example/v1/logs", State: views.Failing, Error: "it answered 503 Service Unavailable", Since: ago(7 * time.Minute),
				Waiting: 3120, Oldest: ago(7 * time.Minute), Sent: 1045093, SentAt: ago(7 * time.Minute), Refused: 3, Missed: 12,
			},
			{ID: "s3", Name: "Old <script>", Kind: "Webhook", Address: "https://old.example/", State: views.Disabled},
		},
	}
}

func keeping() views.Retention {
	return views.Retention{
		Keep: []views.KeepLine{{What: "Protected health information", Days: 2555, Least: 2190, Setting: "audit_keep_phi"}, {What: "Everything else", Days: 90, Setting: "audit_keep_other"}},
		Due:  ago(-72 * time.Hour), Records: 48211, Last: &views.PurgeDone{At: ago(20 * 24 * time.Hour), By: "Mara Ellison", Records: 1, Archives: 1, Error: "The archive audit-2019-10.jsonl does not verify."},
		Chains: []views.ChainDue{{Name: "change", Stays: 1, StaysAt: ago(time.Hour)}, {Name: "lane/core", Records: 48211, Stays: 48212, StaysAt: ago(2190 * 24 * time.Hour), Hold: "Case 7"}},
		Holds: []views.HoldRow{
			{ID: "h1", Name: "Case 7", Reason: "A law suit <script>", Keeps: "plugin labs, from 1 January 2020", By: "Mara Ellison", At: ago(48 * time.Hour), Actions: []views.Action{{Label: "Lift", Object: "Case 7", Icon: "x", Danger: true, Ask: true, Href: views.RetentionPath("holds", "h1", "lift")}}},
			{ID: "h2", Name: "Case 6", Reason: "A law suit", Keeps: "everything", By: "Mara Ellison", At: ago(480 * time.Hour), LiftedAt: ago(time.Hour), LiftedBy: "Joel Whitaker", LiftReason: "It was settled."},
		},
		Archives: []views.ArchiveRow{
			{Name: "audit-2019-10-lane-core-5a1c2f09-1.jsonl", Place: "s3", Chain: "lane/core", First: 1, Last: 48211, Begins: ago(2600 * 24 * time.Hour), Ends: ago(2580 * 24 * time.Hour), Bytes: 38100224, Verified: ago(20 * 24 * time.Hour), Purged: true, Actions: []views.Action{{Label: "Download", Object: "the archive", Icon: "download", Get: true, Href: views.RetentionPath("archives", "a1")}}},
			{Name: "audit-2019-11-change-0a1c2f09-1.jsonl", Place: "folder", Chain: "change", First: 1, Last: 2, Bytes: 920, Verified: ago(time.Hour)},
		},
		Hold:  views.Action{Label: "Place a hold", Icon: "lock", Primary: true, Get: true, Ask: true, Href: views.RetentionPath("holds", "new")},
		Purge: views.Action{Label: "Purge now", Icon: "trash-2", Danger: true, Ask: true, Href: views.RetentionPath("purge")},
	}
}

func sinkForm() views.SinkForm {
	f := views.SinkForm{
		Title: "Add a sink", Text: "RFC 5424 messages over TLS.", Path: views.PathForwarding, Verb: "Add the sink", Hidden: []views.Hidden{{Name: "kind", Value: "syslog"}},
		Fields: []views.Field{
			{Name: "name", Label: "Name", Value: "Splunk", Required: true}, {Name: "address", Label: "Server", Required: true, Mono: true, Error: "That is not a server's address."},
			{Name: "ca", Label: "Authority", Type: views.Area, Mono: true, Help: "In PEM."}, {Name: "enabled", Label: "Send to it", Type: views.Switch, Checked: true},
		},
		Kinds: []views.Tab{{Label: "Syslog", Href: views.PathForwarding + "/new?kind=syslog", Current: true}, {Label: "Webhook", Href: views.PathForwarding + "/new?kind=webhook"}},
	}
	f.Errors = views.Errors("1 value needs a correction; nothing was saved", f.Fields...)
	return f
}
