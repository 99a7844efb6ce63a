package views_test

import (
	"fmt"
	"math"
	"net/url"
	"reflect"
	"time"

	"github.com/a-h/templ"

	"github.com/vivified/vivified/views"
)

// now is the moment all samples are seen at.
var now = time.Date(2026, 11, 20, 12, 34, 56, 789e6, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// sample is one page with props as a handler would fill them.
type sample struct {
	name string
	path string
	draw func(edit func(reflect.Value)) (page, body templ.Component)
}

// in makes a sample of a page inside the shell. Edit, when given, changes the
// shell and the props before they are drawn.
func in[P any](name, path string, crumbs []views.Crumb, p func() P, page func(views.Shell, P) templ.Component, body func(P) templ.Component) sample {
	return sample{name, path, func(edit func(reflect.Value)) (templ.Component, templ.Component) {
		s, props := shell(path, crumbs), p()
		if edit != nil {
			edit(reflect.ValueOf(&s).Elem())
			edit(reflect.ValueOf(&props).Elem())
		}
		return page(s, props), body(props)
	}}
}

// alone makes a sample of a page without the shell, or of a dialog.
func alone[P any](name, path string, p func() P, draw func(P) templ.Component) sample {
	return sample{name, path, func(edit func(reflect.Value)) (templ.Component, templ.Component) {
		props := p()
		if edit != nil {
			edit(reflect.ValueOf(&props).Elem())
		}
		return draw(props), nil
	}}
}

func shell(path string, crumbs []views.Crumb) views.Shell {
	nav := views.StandardNav(path, func(string) bool { return true })
	nav[0].Items[0].Count, nav[0].Items[0].Tone = 3, views.Warn
	return views.Shell{
		Title: crumbs[len(crumbs)-1].Label, Org: "Northgate Regional", Nav: nav, Crumbs: crumbs,
		Person: views.Person{Name: "Mara Lindqvist", Email: "mara.lindqvist@northgate.example"},
		Live:   path == views.PathOverview || path == views.PathEvents,
	}
}

func crumbs(pairs ...string) []views.Crumb {
	var out []views.Crumb
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, views.Crumb{Label: pairs[i], Href: pairs[i+1]})
	}
	return out
}

var (
	publisher = views.Party{Kind: views.Plugin, Name: "Hello Publisher", Href: views.PluginPath("hello-publisher")}
	greeter   = views.Party{Kind: views.Plugin, Name: "Hello Greeter", Href: views.PluginPath("hello-greeter")}
	lurker    = views.Party{Kind: views.Plugin, Name: "Hello Lurker", Href: views.PluginPath("hello-lurker")}
	core      = views.Party{Kind: views.System, Name: "Core"}
)

// notYours is a new one each time, because the hostile test writes into props.
func notYours() *views.Why {
	return &views.Why{Text: "Only plugin managers may change a plugin.", Trait: "plugin_manager", Grantors: []string{"Mara Lindqvist", "Joel Whitaker"}, Decision: decisionID}
}

const decisionID = "01959f3c-7a10-7e4c-9d21-6f2ab0c41d55"

func bars(n int, bad ...int) []views.Status {
	out := make([]views.Status, n)
	for i := range out {
		out[i] = views.Healthy
	}
	for k, i := range bad {
		out[i] = []views.Status{views.Degraded, views.Unhealthy, views.Unknown}[k%3]
	}
	return out
}

func wave(n int, height, turn float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		x := float64(i) / float64(n)
		out[i] = height * (1.4 + math.Sin(6*x+turn) + 0.2*math.Sin(41*x) + 0.15*math.Cos(67*x))
	}
	return out
}

func enable(id, name string) views.Action {
	return views.Action{Label: "Enable", Object: name, Icon: "power", Href: views.PluginPath(id, "enable")}
}

func disable(id, name string) views.Action {
	return views.Action{Label: "Disable", Object: name, Icon: "power-off", Href: views.PluginPath(id, "disable")}
}

func lines() []views.PluginLine {
	all := []views.Lane{views.Canonical, views.Operator, views.Proxy}
	locked := disable("hello-lurker", "Hello Lurker")
	locked.Why = notYours()
	return []views.PluginLine{
		{ID: "fax-bridge", Name: "Fax Bridge", Icon: "send", Version: "3.1.0", State: views.Active, Health: views.Unhealthy, Bars: bars(48, 40, 46, 20, 45, 47), Traits: []string{"handles_phi", "external_service", "audit_required"}, Lanes: all, Actions: []views.Action{disable("fax-bridge", "Fax Bridge")}},
		{ID: "hello-lurker", Name: "Hello Lurker", Version: "0.1.0", State: views.Active, Health: views.Degraded, Bars: bars(48, 47), Traits: []string{"integration_plugin"}, Lanes: all[:1], P95: 840 * time.Millisecond, Actions: []views.Action{locked}},
		{ID: "imaging-index", Name: "Imaging Index", Icon: "stethoscope", Version: "1.4.0", State: views.Disabled, Bars: bars(48), Traits: []string{"handles_phi"}, Actions: []views.Action{enable("imaging-index", "Imaging Index")}},
		{ID: "hello-greeter", Name: "Hello Greeter", Icon: "message-square", Version: "0.1.0", State: views.Active, Health: views.Healthy, Bars: bars(48), Traits: []string{"handles_pii", "audit_required", "external_service"}, Lanes: all, P95: 18700 * time.Microsecond, Actions: []views.Action{disable("hello-greeter", "Hello Greeter")}},
		{ID: "hello-publisher", Name: "Hello Publisher", Icon: "radio-tower", Version: "0.1.0", State: views.Active, Health: views.Healthy, Bars: bars(48, 11), Traits: []string{"handles_pii", "audit_required"}, Lanes: all[:2], P95: 6200 * time.Microsecond, Actions: []views.Action{disable("hello-publisher", "Hello Publisher")}},
		{ID: "new-comer", Name: "A plugin with a rather long name that must not break the table", Version: "2.0.0-rc.1", State: views.Registered, Bars: bars(48, 1, 2), Actions: []views.Action{{Label: "Enable", Object: "it", Ask: true, Icon: "power", Href: views.PluginPath("new-comer", "enable")}}},
	}
}

func traffic(l views.Lane) []views.Traffic {
	rows := []views.Traffic{}
	for i := range 6 {
		t := views.Traffic{At: ago(time.Duration(i*7+2) * time.Second), From: publisher, Outcome: views.Allowed}
		switch l {
		case views.Canonical:
			t.What, t.To, t.Outcome, t.Href = "greeting.requested", "2 receivers", views.Delivered, views.EventPath(fmt.Sprintf("01959f3c-7a10-7e4c-9d21-00000000000%d", i))
			if i%3 == 1 {
				t.From, t.What, t.Outcome = greeter, "greeting.sent", views.Redacted
			}
		case views.Operator:
			t.From, t.What, t.To, t.Href = greeter, "get_profile", "Hello Publisher", views.DecisionPath(decisionID)
			if i%3 == 0 {
				t.From, t.Outcome, t.Rule = lurker, views.Denied, "operator.grant"
			}
		default:
			t.From, t.What, t.Href = greeter, "weather.example.org", views.DecisionPath(decisionID)
			if i%2 == 1 {
				t.From, t.What, t.Outcome, t.Rule = lurker, "telemetry.example.net", views.Denied, "proxy.domain"
			}
		}
		rows = append(rows, t)
	}
	return rows
}

func overview() views.Overview {
	return views.Overview{
		EventsAt: views.PathEvents, Plugins: 14, Healthy: 11,
		Attention: []views.Attention{
			{Tone: views.Info, Title: "A plugin waits to be enabled", Text: "New Comer 2.0.0-rc.1 registered and asks for 3 traits.", Since: ago(2 * time.Minute), Actions: []views.Action{{Label: "Review", Get: true, Href: views.PluginPath("new-comer")}}},
			{Tone: views.Warn, Title: "42 denials in 15 minutes by operator.grant", Text: "Hello Lurker calls Hello Publisher without a grant. Usual rate: 1 an hour.", Since: ago(6 * time.Minute), Actions: []views.Action{{Label: "Why denied", Get: true, Href: views.DecisionPath(decisionID)}}},
			{Tone: views.Danger, Title: "Fax Bridge is unhealthy", Text: "21 health checks in a row failed. Discharge Letters and Referral Desk depend on it.", Since: ago(10 * time.Minute), Actions: []views.Action{
				{Label: "Quarantine", Object: "Fax Bridge", Danger: true, Ask: true, Href: views.PluginPath("fax-bridge", "quarantine")},
				{Label: "Open", Object: "Fax Bridge", Get: true, Href: views.PluginPath("fax-bridge")},
			}},
			{Tone: views.Warn, Title: "1 egress domain waits for approval", Text: "Hello Greeter asks for weather.example.org, since it was registered.", Since: ago(134 * time.Minute), Actions: []views.Action{{Label: "Review", Get: true, Href: views.PluginPath("hello-greeter", "permissions")}}},
		},
		Lanes: []views.LaneTile{
			{Lane: views.Canonical, PerMinute: 118.4, P95: 6200 * time.Microsecond, Denied: 0.0004, Series: wave(72, 80, 0), DeniedAt: []int{25, 51}, Since: ago(24 * time.Hour), Href: views.PathAudit + "?action=event.deliver"},
			{Lane: views.Operator, PerMinute: 64.9, P95: 18700 * time.Microsecond, Denied: 0.021, Alarm: true, Series: wave(72, 40, 2), DeniedAt: []int{8, 29, 64, 66, 68, 70}, Since: ago(24 * time.Hour), Href: views.PathAudit + "?action=operator.call"},
			{Lane: views.Proxy, PerMinute: 3.2, P95: 212 * time.Millisecond, Denied: 0.0031, Series: wave(72, 3, 4), DeniedAt: []int{15, 44}, Since: ago(24 * time.Hour), Href: views.PathAudit + "?action=proxy.request"},
		},
		Table: lines(), Events: traffic(views.Canonical), Calls: traffic(views.Operator), Egress: traffic(views.Proxy),
		Proof: &views.Proof{Status: views.Intact, Records: 1048213, Head: ago(2 * time.Second), Checked: ago(4 * time.Minute), By: "Mara Lindqvist", Chains: 2},
	}
}

func plugins() views.Plugins {
	return views.Plugins{
		Total: 14, Rows: lines(),
		Filter: views.Filter{Path: views.PathPlugins, In: "name, id", Fields: []views.FilterField{
			{Name: "state", Label: "State", Value: "active", Options: []views.Option{{Value: "active", Label: "Active"}, {Value: "disabled", Label: "Disabled"}}},
			{Name: "trait", Label: "Trait", Options: []views.Option{{Value: "handles_phi", Label: "handles_phi"}}},
		}},
		Pager: views.Pager{Older: views.PathPlugins + "?cursor=abc", Note: "25 a page"},
	}
}

func head(tab string) views.PluginHead {
	id := "hello-greeter"
	return views.PluginHead{
		ID: id, Name: "Hello Greeter", Icon: "message-square", Version: "0.1.0", Publisher: "Vivified", Runtime: "external",
		Description: "Greets whoever asks, after looking up their name and the weather.",
		State:       views.Active, Health: views.Unhealthy, Since: ago(18 * 24 * time.Hour),
		Actions: []views.Action{
			{Label: "Quarantine", Icon: "octagon-x", Danger: true, Ask: true, Href: views.PluginPath(id, "quarantine")},
			{Label: "Unregister", Icon: "trash-2", Danger: true, Ask: true, Href: views.PluginPath(id, "unregister"), Why: notYours()},
			{Label: "Disable", Icon: "power-off", Primary: true, Ask: true, Href: views.PluginPath(id, "disable")},
		},
		Banner: &views.Banner{Tone: views.Danger, Title: "Unhealthy since 12:21:40 UTC.", Text: "GET /health answers 503 since then; the lanes are closed to it.", Actions: []views.Action{{Label: "Its activity", Get: true, Href: views.PluginPath(id, "activity")}}},
		Tabs:   views.PluginTabs(id, tab, 38),
	}
}

func pluginOverview() views.PluginOverview {
	return views.PluginOverview{
		Head: head(""), Classes: []views.Class{"pii", "internal"},
		Health:  views.HealthHistory{Bars: bars(96, 22, 95, 40, 57, 94, 41), From: ago(24 * time.Hour), Each: 15 * time.Minute, Reason: "503 Service Unavailable: carrier unreachable", Last: &views.HealthCheck{At: ago(8 * time.Second), Status: views.Unhealthy, How: "GET /health", Took: 12 * time.Millisecond, Fails: 21}},
		Metrics: []views.KV{{Label: "Uptime", Value: "2 h 14 min"}, {Label: "Memory", Value: "38 MiB"}},
		Edges: []views.LaneEdge{
			{Lane: views.Canonical, Text: "receives", What: "greeting.requested", PerMinute: 12, P95: 7 * time.Millisecond, Denied: 17, Rule: "core.active", RuleHref: views.DecisionPath(decisionID)},
			{Lane: views.Operator, Text: "calls Hello Publisher", What: "get_profile", PerMinute: 11.8, P95: 16 * time.Millisecond},
			{Lane: views.Proxy, Text: "asks", What: "weather.example.org", PerMinute: 3.6, P95: 1900 * time.Millisecond, Denied: 2, Rule: "proxy.approved"},
		},
		Facts: []views.KV{
			{Label: "Address", Value: "http://127.0.0.1:42117", Mono: true},
			{Label: "Audit level", Value: "detailed"},
			{Label: "Manifest", Value: "sha256:51be77aa03c1f0b2e0a4d9c3b1aa0b5523e9911fe0a451be77aa03c1f0b2e0a4", Mono: true, Copy: true},
			{Label: "Registered", Body: views.Zoned(ago(18*24*time.Hour), views.Full)},
			{Label: "Contracts", Value: "CommunicationPlugin"},
			{Label: "Last heartbeat", Value: ""},
		},
		Dependents: []views.Dependent{{Name: "Discharge Letters", Href: views.PluginPath("discharge"), Icon: "file-text", Status: views.Waiting}, {Name: "Referral Desk", Href: views.PluginPath("referral"), Icon: "send", Status: views.Healthy}},
		Moments: []views.Moment{
			{At: ago(13 * time.Minute), Tone: views.Danger, Text: "Marked unhealthy", Note: "503 four times"},
			{At: ago(3 * time.Hour), Tone: views.OK, Text: "Enabled", Note: "by Mara Lindqvist, 3 traits accepted", Href: views.RecordPath("change", 41)},
			{At: ago(50 * time.Hour), Icon: "plug", Text: "Registered", Note: "0.1.0, from 127.0.0.1"},
		},
	}
}

func permissions() views.PluginPermissions {
	return views.PluginPermissions{
		Head: head("permissions"),
		Traits: []views.TraitLine{
			{Name: "handles_pii", Status: views.Accepted, By: "Mara Lindqvist", At: ago(3 * time.Hour)},
			{Name: "audit_required", Status: views.Accepted, By: "Mara Lindqvist", At: ago(3 * time.Hour)},
			{Name: "external_service", Status: views.Waiting},
		},
		Classes: []views.ClassLine{{Class: "phi", Trait: "handles_phi"}, {Class: "pii", Trait: "handles_pii", Covered: true}, {Class: "internal"}},
		Domains: []views.DomainLine{
			{Host: "weather.example.org", Status: views.Approved, Terms: "GET, port 443, 60 /min, until 18 December 2026", By: "Mara Lindqvist", At: ago(3 * time.Hour), Actions: []views.Action{{Label: "Revoke", Object: "weather.example.org", Danger: true, Href: views.PluginPath("hello-greeter", "domains", "revoke"), Fields: []views.Hidden{{Name: "host", Value: "weather.example.org"}}}}},
			{Host: "maps.example.org", Status: views.Waiting, Terms: "asked for since it was registered", Actions: []views.Action{{Label: "Approve", Object: "maps.example.org", Ask: true, Href: views.PluginPath("hello-greeter", "domains", "approve")}}},
		},
		Events: []views.EventRight{{Type: "greeting.sent", Publish: true, Classes: []views.Class{"internal"}}, {Type: "greeting.requested", Classes: []views.Class{"pii"}, Redacted: []string{"address.street", "phone"}}},
		Operations: []views.OperationLine{
			{Name: "greet", Method: "POST", Path: "/greet/{user_id}", Class: "pii", Traits: []string{"handles_pii"}},
			{Name: "health", Method: "GET", Path: "/health", Class: "internal"},
		},
		Grants:   []views.GrantLine{{From: views.Dependent{Name: "Hello Greeter"}, To: views.Dependent{Name: "Hello Publisher", Href: views.PluginPath("hello-publisher")}, What: "any declared operation", By: "Mara Lindqvist", At: ago(3 * time.Hour)}},
		Depends:  []views.DependencyLine{{Name: "hello-publisher", Version: "≥ 0.1.0", Status: views.Active, Href: views.PluginPath("hello-publisher")}, {Name: "IdentityPlugin", Status: views.Missing}},
		Grantors: []views.Party{{Kind: views.User, Name: "Mara Lindqvist", Note: "plugin_manager"}, {Kind: views.User, Name: "Joel Whitaker", Note: "egress_approver"}},
	}
}

func laneMap() views.LaneMap {
	node := func(name string) views.MapNode { return views.MapNode{ID: name, Name: name} }
	down := views.MapNode{ID: "fax", Name: "Fax Bridge", Trouble: "unhealthy"}
	host := views.MapNode{ID: "host", Name: "api.claims-hub.example", Outside: true}
	edge := func(lane views.Lane, from, to views.MapNode, rate float64, denied int) views.MapEdge {
		return views.MapEdge{Lane: lane, From: from, To: to, PerMinute: rate, P95: 16 * time.Millisecond, Denied: denied, Href: views.PathLanes + "?edge=" + url.QueryEscape(from.ID+"|"+to.ID)}
	}
	m := views.LaneMap{
		Minutes: 15, Live: views.PathLanes + "/live?minutes=15", More: 3,
		Totals: []views.LaneTotal{{Lane: views.Canonical, PerMinute: 118.4, P95: 6 * time.Millisecond}, {Lane: views.Operator, PerMinute: 64.9, P95: 19 * time.Millisecond}, {Lane: views.Proxy, PerMinute: 3.2, P95: 212 * time.Millisecond}},
		Ranges: []views.MapChoice{{Label: "15 m", Href: views.PathLanes, Current: true}, {Label: "60 m", Href: views.PathLanes + "?minutes=60"}},
		Lanes:  []views.MapChoice{{Label: "All", Href: views.PathLanes, Current: true}, {Label: "Proxy", Href: views.PathLanes + "?lane=proxy"}},
		Edges: []views.MapEdge{
			edge(views.Operator, node("Appointment Reminders"), node("Document Vault"), 2.8, 42), edge(views.Canonical, node("EHR Bridge"), down, 0, 17), edge(views.Proxy, node("Claims Clearing <b>"), host, 0, 9),
			edge(views.Canonical, node("EHR Bridge"), node("Document Vault"), 62, 0), edge(views.Canonical, node("EHR Bridge"), node("A plugin whose name is far too long for its box"), 1, 0),
			{Lane: views.Canonical, From: node("EHR Bridge"), To: node("patient.admitted"), Ends: true, PerMinute: 31, Failed: 2, Href: views.PathLanes},
		},
	}
	for i := range 14 {
		m.Edges = append(m.Edges, edge(views.Operator, node(fmt.Sprintf("Plugin %d", i)), node("Document Vault"), float64(i), 0))
	}
	m.Edges[0].Picked = true
	m.Picked = &views.PickedEdge{
		Edge: m.Edges[0], Series: []float64{1, 4, 2, 3}, Denied: []int{2, 3}, Since: ago(15 * time.Minute), Rules: []views.RuleCount{{Rule: "data.class", N: 41, Href: views.DecisionPath(decisionID)}},
		Actions: []views.Action{{Label: "Why denied", Icon: "ban", Get: true, Href: views.DecisionPath(decisionID)}},
	}
	return m
}
