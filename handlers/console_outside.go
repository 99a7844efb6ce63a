package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/views"
)

// egressStates are the states the list of hosts can be filtered by.
var egressStates = []views.Status{views.Waiting, views.Approved, views.Expired, views.Declared, views.Denied}

// egressPage handles GET /console/egress.
func (s *Server) egressPage(c echo.Context) error {
	ctx, v, q := c.Request().Context(), s.visit(c.Request()), c.QueryParams()
	rows, err := v.hosts(ctx)
	if err != nil {
		return err
	}
	var plugins, states []views.Option
	for _, p := range v.snap.Plugins() {
		if slices.ContainsFunc(rows, func(r hostRow) bool { return r.plugin == p.ID }) {
			plugins = append(plugins, views.Option{Value: p.ID, Label: p.Name})
		}
	}
	for _, state := range egressStates {
		states = append(states, views.Option{Value: string(state), Label: state.Word()})
	}
	f := views.Filter{Path: views.PathEgress, Search: q.Get("q"), In: "host", Fields: []views.FilterField{
		{Name: "plugin", Label: "Plugin", Value: q.Get("plugin"), Options: plugins},
		{Name: "state", Label: "State", Value: q.Get("state"), Options: states},
	}}
	props := views.Egress{Tabs: v.egressTabs(views.PathEgress), Filter: f, Empty: views.Empty{
		Kind: views.NoneYet, Title: "No plugin reaches outside", Text: "Hosts that manifests declare, and those that plugins ask for, come here.",
	}}
	if len(rows) > 0 {
		props.Empty = f.Clear("No host of this plugin, state or name.")
	}
	rows = slices.DeleteFunc(rows, func(r hostRow) bool {
		return q.Get("plugin") != "" && r.plugin != q.Get("plugin") || q.Get("state") != "" && string(r.Status) != q.Get("state") ||
			!strings.Contains(r.Host, strings.ToLower(q.Get("q")))
	})
	if after := q.Get("after"); after != "" {
		rows = rows[slices.IndexFunc(append(rows, hostRow{key: after + "\x00"}), func(r hostRow) bool { return r.key > after }):]
		props.Pager = views.Pager{ByName: true, Newer: f.Link(views.PathEgress, nil)}
	}
	for i, r := range rows {
		if i == views.EgressPerPage {
			props.Pager.ByName, props.Pager.Older = true, f.Link(views.PathEgress, url.Values{"after": {rows[i-1].key}})
			break
		}
		props.Rows = append(props.Rows, r.EgressRow)
	}
	return answer(c, v, http.StatusOK, at(views.PathEgress, "Traffic", "", "Egress", ""), props, views.EgressPage, views.EgressBody)
}

// hostRow is a host of a plugin; key puts them in order.
type hostRow struct {
	views.EgressRow
	plugin, key string
}

// hosts lists what plugins declare, what was approved for them, and what they
// asked for, by plugin and host.
func (v *visit) hosts(ctx context.Context) ([]hostRow, error) {
	observed, err := v.Registry.Observed(ctx, 1000)
	if err != nil {
		return nil, err
	}
	page, err := v.Approvals.List(ctx, approval.Filter{Kind: approval.Egress, Limit: 200})
	if err != nil {
		return nil, err
	}
	var rows []hostRow
	for _, p := range v.snap.Plugins() {
		names := slices.Clone(p.Manifest.AllowedDomains)
		for _, a := range v.snap.Approvals() {
			if a.PluginID == p.ID {
				names = append(names, a.Domain)
			}
		}
		asked := map[string]registry.Observed{}
		for _, o := range observed {
			if o.PluginID == p.ID {
				asked[o.Domain], names = o, append(names, o.Domain)
			}
		}
		for _, host := range slices.Compact(slices.Sorted(slices.Values(names))) {
			i := slices.IndexFunc(page.Requests, func(r approval.Request) bool { return r.Subject == p.ID && r.Object == host }) // the newest
			var last *approval.Request
			if i >= 0 {
				last = &page.Requests[i]
			}
			rows = append(rows, v.host(ctx, p, host, asked[host], last))
		}
	}
	return rows, nil
}

// host is one host of a plugin, with what may be done about it.
func (v *visit) host(ctx context.Context, p *registry.Plugin, host string, asked registry.Observed, last *approval.Request) hostRow {
	flow := v.Gate.Meter().Flow(gate.Edge{Action: string(policy.ProxyRequest), From: p.ID, To: host}, 60)
	r := hostRow{plugin: p.ID, key: p.ID + " " + host, EgressRow: views.EgressRow{
		Plugin: v.plugin(p.ID), Host: host, Declared: slices.Contains(p.Manifest.AllowedDomains, host), Status: views.Declared,
		Passed: flow.Allowed, Denied: flow.Denied, Refused: asked.Requests, Last: asked.LastSeen, Rule: asked.LastRule,
	}}
	waits := last != nil && last.State == approval.Waiting
	a, approved := v.snap.Approval(p.ID, host)
	switch {
	case approved && a.InForce(v.reader.Now):
		r.Status = views.Approved
	case waits:
		r.Status = views.Waiting
	case approved:
		r.Status = views.Expired
	case !r.Declared || last != nil && last.State == approval.Denied:
		r.Status = views.Denied
	}
	if approved {
		r.Terms, r.By, r.Until = terms(a), v.approver(ctx, a), when(a.ExpiresAt)
		if !r.Declared {
			r.Terms += "; counts once a manifest declares it"
		}
	}
	if r.Status == views.Approved {
		r.Actions = []views.Action{{
			Label: "Withdraw", Object: host, Danger: true, Href: views.PluginPath(p.ID, "domains", "revoke"), Fields: []views.Hidden{{Name: "host", Value: host}},
		}}
		return r
	}
	if r.Declared {
		r.Actions = append(r.Actions, views.Action{Label: "Approve", Object: host, Ask: true, Href: views.PluginPath(p.ID, "domains", "approve") + "?host=" + url.QueryEscape(host)})
	} else if waits {
		r.Actions = append(r.Actions, views.Action{Label: "Propose", Object: host, Ask: true, Href: views.ApprovalPath(last.ID.String(), "approve")})
	}
	if waits {
		r.Actions = append(r.Actions, views.Action{Label: "Deny", Object: host, Ask: true, Danger: true, Href: views.ApprovalPath(last.ID.String(), "deny")})
	}
	return r
}
