package handlers

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/views"
)

// What makes a burst: so many denials on one edge within so many minutes.
const (
	burst        = 10
	burstMinutes = 15
	mostBursts   = 5
)

// attention lists what waits for a person, as far as whoever looks may see it.
func (v *visit) attention(ctx context.Context) ([]views.Attention, error) {
	var items []views.Attention
	if v.who.Traits.Empty() {
		items = append(items, v.newcomer(ctx))
	}
	broken, err := v.breakGlassAttention(ctx)
	if err != nil {
		return nil, err
	}
	items = append(broken, items...)
	items = append(items, v.approvalAttention(ctx)...)
	if v.has(trait.Viewer) {
		for _, p := range v.snap.Plugins() {
			items = append(items, v.pluginAttention(ctx, p)...)
		}
		hosts, err := v.hostAttention(ctx)
		if err != nil {
			return nil, err
		}
		items = append(items, hosts...)
	}
	if v.has(trait.SystemMonitor) {
		denials, err := v.burstAttention(ctx)
		if err != nil {
			return nil, err
		}
		items = append(items, denials...)
	}
	return items, nil
}

// approvalAttention counts the requests that wait for whoever looks.
func (v *visit) approvalAttention(ctx context.Context) []views.Attention {
	counts, total, parts := v.approvals(ctx), 0, []string{}
	for _, k := range approval.Kinds() {
		if n := counts[k]; n > 0 {
			total += n
			parts = append(parts, strings.ToLower(views.ApprovalKind(k).Word())+": "+strconv.Itoa(n))
		}
	}
	if total == 0 {
		return nil
	}
	return []views.Attention{{
		Tone: views.Warn, Title: count(total, "request waits", "requests wait") + " for your word", Text: strings.Join(parts, ", ") + ".",
		Actions: []views.Action{{Label: "Review", Object: "approvals", Get: true, Href: views.PathApprovals}},
	}}
}

// newcomer tells somebody without any trait whom to ask.
func (v *visit) newcomer(ctx context.Context) views.Attention {
	a := views.Attention{Tone: views.Info, Title: "There is nothing here for you to see yet", Text: "No role gives you a trait."}
	if names := v.holders(ctx, trait.UserManager); len(names) > 0 {
		a.Text += " " + some(names) + " may give you one."
	}
	return a
}

// pluginAttention is what waits about one plugin.
func (v *visit) pluginAttention(ctx context.Context, p *registry.Plugin) []views.Attention {
	var items []views.Attention
	open := views.Action{Label: "Open", Object: p.Name, Get: true, Href: views.PluginPath(p.ID)}
	why := v.why(ctx, trait.PluginManager, managersOnly)
	switch {
	case isUnhealthy(p):
		text := orElse(p.HealthDetail, "It does not answer its health checks.")
		if p.HealthFailures > 0 {
			text = count(p.HealthFailures, "check", "checks") + " in a row failed. " + text
		}
		if names := v.pluginNames(v.dependents(p)); len(names) > 0 {
			text = strings.TrimSuffix(text, ".") + ". " + joined(names) + depend(len(names)) + " on it."
		}
		items = append(items, views.Attention{Tone: views.Danger, Title: p.Name + " is unhealthy", Text: text, Since: when(p.HealthAt), Actions: []views.Action{
			{Label: "Quarantine", Object: p.Name, Danger: true, Ask: true, Href: views.PluginPath(p.ID, "quarantine"), Why: why}, open,
		}})
	case p.State == policy.Quarantined:
		items = append(items, views.Attention{Tone: views.Danger, Title: p.Name + " is in quarantine", Text: orElse(reasonOf(p), "Its lanes are closed and its credentials are void."), Actions: []views.Action{open}})
	case p.State == policy.Active && p.Health == registry.Degraded:
		items = append(items, views.Attention{Tone: views.Warn, Title: p.Name + " is degraded", Text: orElse(p.HealthDetail, "It says so itself."), Since: when(p.HealthAt), Actions: []views.Action{open}})
	case p.State == policy.Registered:
		items = append(items, views.Attention{
			Tone: views.Info, Title: p.Name + " waits to be enabled", Text: "Version " + p.Version + asksForTraits(v.snap.Traits().Names(p.Manifest.Traits)), Since: p.RegisteredAt,
			Actions: []views.Action{{Label: "Review", Object: p.Name, Ask: true, Href: views.PluginPath(p.ID, "enable"), Why: why}, open},
		})
	}
	if p.Pending != nil {
		items = append(items, views.Attention{
			Tone: views.Warn, Title: p.Name + " asks for more", Text: "Version " + p.Pending.Version + ": " + shortened(pluginmgr.Widenings(v.snap.Traits(), p.Manifest, p.Pending)),
			Actions: []views.Action{{Label: "Review", Object: p.Name, Ask: true, Href: views.PluginPath(p.ID, "accept"), Why: why}, open},
		})
	}
	return items
}

func depend(n int) string {
	if n == 1 {
		return " depends"
	}
	return " depend"
}

func asksForTraits(names []string) string {
	if len(names) == 0 {
		return " asks for no trait."
	}
	return " asks for " + joined(names) + "."
}

// shortened joins the first few of several sentences' parts.
func shortened(parts []string) string {
	if n := len(parts); n > 3 {
		return strings.Join(parts[:3], "; ") + " and " + count(n-3, "more", "more") + "."
	}
	return strings.Join(parts, "; ") + "."
}

// hostAttention is what plugins asked the outside for in the last day and did not
// get: declared hosts nobody approved, and hosts no manifest declares.
func (v *visit) hostAttention(ctx context.Context) ([]views.Attention, error) {
	observed, err := v.Registry.Observed(ctx, 200)
	if err != nil {
		return nil, err
	}
	since := v.reader.Now.Add(-24 * time.Hour)
	type asked struct {
		hosts []string
		first time.Time
	}
	waiting, undeclared := map[string]*asked{}, map[string]*asked{}
	for _, o := range observed {
		p, ok := v.snap.Plugin(o.PluginID)
		if !ok || o.LastSeen.Before(since) || !p.Traits.Has(trait.ExternalService) && o.LastRule != "proxy.domain" {
			continue
		}
		into := undeclared
		if slices.Contains(p.Manifest.AllowedDomains, o.Domain) {
			if a, ok := v.snap.Approval(p.ID, o.Domain); ok && (a.ExpiresAt == nil || v.reader.Now.Before(*a.ExpiresAt)) {
				continue
			}
			into = waiting
		}
		if into[p.ID] == nil {
			into[p.ID] = &asked{first: o.FirstSeen}
		}
		into[p.ID].hosts = append(into[p.ID].hosts, o.Domain)
		if o.FirstSeen.Before(into[p.ID].first) {
			into[p.ID].first = o.FirstSeen
		}
	}
	var items []views.Attention
	for _, p := range v.snap.Plugins() {
		review := []views.Action{{Label: "Review", Object: p.Name, Get: true, Href: views.PluginPath(p.ID, "permissions") + "#domains"}}
		if a := waiting[p.ID]; a != nil {
			items = append(items, views.Attention{
				Tone: views.Warn, Title: count(len(a.hosts), "egress host waits", "egress hosts wait") + " for approval", Text: p.Name + " asks for " + some(a.hosts) + ".", Since: a.first, Actions: review,
			})
		}
		if a := undeclared[p.ID]; a != nil {
			items = append(items, views.Attention{
				Tone: views.Warn, Title: p.Name + " asked for hosts it does not declare", Text: some(a.hosts) + ". Nothing was let through.", Since: a.first, Actions: review,
			})
		}
	}
	return items, nil
}

// some joins the first three names, and counts the others.
func some(names []string) string {
	if n := len(names); n > 3 {
		return strings.Join(names[:3], ", ") + " and " + count(n-3, "other", "others")
	}
	return joined(names)
}

// burstAttention is where many requests were denied just now.
func (v *visit) burstAttention(ctx context.Context) ([]views.Attention, error) {
	var items []views.Attention
	for _, e := range v.Gate.Meter().Edges(burstMinutes) {
		f := v.Gate.Meter().Flow(e, 60)
		now, before := uint64(0), uint64(0)
		for i, n := range f.Denials {
			if i >= len(f.Denials)-burstMinutes {
				now += n
			} else {
				before += n
			}
		}
		if now < burst || laneOf(e.Action) == "" {
			continue
		}
		item, err := v.burst(ctx, e, int(now), int(before))
		if err != nil {
			return nil, err
		}
		if items = append(items, item); len(items) == mostBursts {
			break
		}
	}
	return items, nil
}

// burst puts many denials on an edge into words, with the latest decision.
func (v *visit) burst(ctx context.Context, e gate.Edge, now, before int) (views.Attention, error) {
	from, to := v.plugin(e.From).Name, v.plugin(e.To).Name
	item := views.Attention{
		Tone: views.Warn, Title: count(now, "denial", "denials") + " in 15 minutes", Since: v.reader.Now.Add(-burstMinutes * time.Minute),
		Text: from + doing(e.Action) + to + ".",
	}
	if before > 0 {
		item.Text += " In the 45 minutes before: " + count(before, "denial", "denials") + "."
	}
	if !v.has(trait.AuditViewer) {
		return item, nil
	}
	page, err := v.Audit.Search(ctx, audit.Filter{Plugin: e.From, Action: e.Action, Outcome: audit.Deny, Since: v.reader.Now.Add(-hour), Limit: 50})
	if err != nil {
		return item, err
	}
	for i := range page.Records {
		if r := &page.Records[i]; about(r, e.To) {
			item.Title += " by " + r.Rule
			item.Actions = []views.Action{{Label: "Why denied", Object: from, Get: true, Href: views.DecisionPath(r.ID.String())}}
			break
		}
	}
	return item, nil
}

// doing is the verb of an edge.
func doing(action string) string {
	switch policy.Action(action) {
	case policy.EventPublish:
		return " publishes "
	case policy.EventDeliver:
		return " publishes what is kept from "
	case policy.OperatorCall:
		return " calls "
	}
	return " asks for "
}
