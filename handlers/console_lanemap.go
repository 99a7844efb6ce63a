package handlers

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// mapEdges is how many edges the lane map lists.
const mapEdges = 50

// mapMinutes are the times the lane map can show: what the meter remembers.
var mapMinutes = []int{5, 15, 60}

// edgeLanes says on which lane an action passes.
var edgeLanes = map[policy.Action]views.Lane{
	policy.EventPublish: views.Canonical, policy.EventDeliver: views.Canonical, policy.OperatorCall: views.Operator, policy.ProxyRequest: views.Proxy,
}

// laneMapPage handles GET /console/lanes.
func (s *Server) laneMapPage(c echo.Context) error {
	v := s.visit(c.Request())
	m, err := v.laneMap(c.Request().Context(), views.PathLanes, "", c.QueryParams())
	if err != nil {
		return err
	}
	return answer(c, v, http.StatusOK, at(views.PathLanes, "Traffic", "", "Lane map", ""), m, views.LaneMapPage, views.LaneMapBody)
}

// laneMapLive handles GET /console/lanes/live: the map drawn anew whenever
// something passed.
func (s *Server) laneMapLive(c echo.Context) error {
	return s.redrawn(c, func(v *visit, ctx context.Context) (templ.Component, error) {
		m, err := v.laneMap(ctx, views.PathLanes, "", c.QueryParams())
		return views.LaneMapLive(m), err
	})
}

// laneMap is the traffic of the last minutes on this replica, as a query asks for it
// at the address of a page: all of it, or that of one plugin.
func (v *visit) laneMap(ctx context.Context, page, plugin string, q url.Values) (views.LaneMap, error) {
	minutes, err := strconv.Atoi(q.Get("minutes"))
	if err != nil || !slices.Contains(mapMinutes, minutes) {
		minutes = 15
	}
	lane, picked := views.Lane(q.Get("lane")), q.Get("edge")
	link := func(path string, change ...string) string {
		next := url.Values{"minutes": {strconv.Itoa(minutes)}}
		for _, name := range []string{"lane", "edge"} {
			if q.Get(name) != "" {
				next.Set(name, q.Get(name))
			}
		}
		for i := 0; i+1 < len(change); i += 2 {
			if next.Set(change[i], change[i+1]); change[i+1] == "" {
				next.Del(change[i])
			}
		}
		return path + "?" + next.Encode()
	}
	m := views.LaneMap{Minutes: minutes, Lane: lane, Live: link(page + "/live")}
	for _, n := range mapMinutes {
		m.Ranges = append(m.Ranges, views.MapChoice{Label: strconv.Itoa(n) + " m", Href: link(page, "minutes", strconv.Itoa(n)), Current: n == minutes})
	}
	m.Lanes = []views.MapChoice{{Label: "All", Href: link(page, "lane", ""), Current: lane == ""}}
	for _, l := range []struct {
		lane   views.Lane
		action string
	}{{views.Canonical, "event."}, {views.Operator, string(policy.OperatorCall)}, {views.Proxy, string(policy.ProxyRequest)}} {
		f := v.Gate.Meter().Flow(gate.Edge{Action: l.action, From: plugin}, minutes) // of one plugin: what it does
		m.Totals = append(m.Totals, views.LaneTotal{Lane: l.lane, PerMinute: f.PerMinute, P95: f.P95})
		m.Lanes = append(m.Lanes, views.MapChoice{Label: strings.ToUpper(string(l.lane[:1])) + string(l.lane[1:]), Href: link(page, "lane", string(l.lane)), Current: l.lane == lane})
	}
	lines := map[string]gate.Edge{}
	for _, e := range v.Gate.Meter().Edges(minutes) {
		on, ok := edgeLanes[policy.Action(e.Action)]
		if !ok || lane != "" && on != lane || e.From == "" || e.To == "" { // what the meter had no room for is counted under its lane alone
			continue
		}
		if plugin != "" && e.From != plugin && e.To != plugin {
			continue
		}
		key := e.Action + "|" + e.From + "|" + e.To
		lines[key] = e
		f := v.Gate.Meter().Flow(e, minutes)
		m.Edges = append(m.Edges, views.MapEdge{
			Lane: on, From: v.mapNode(e.From), To: v.mapEnd(e), Ends: e.Action == string(policy.EventPublish), PerMinute: f.PerMinute, P95: f.P95,
			Denied: int(f.Denied), Failed: int(f.Failed), Href: link(page, "edge", key), Picked: key == picked,
		})
	}
	slices.SortStableFunc(m.Edges, func(a, b views.MapEdge) int {
		return cmp.Or(cmp.Compare(b.Denied, a.Denied), cmp.Compare(b.PerMinute, a.PerMinute))
	})
	if len(m.Edges) > mapEdges {
		m.More = len(m.Edges) - mapEdges
		m.Edges = m.Edges[:mapEdges]
	}
	i := slices.IndexFunc(m.Edges, func(e views.MapEdge) bool { return e.Picked })
	if i < 0 {
		return m, nil
	}
	m.Picked, err = v.pickedEdge(ctx, lines[picked], m.Edges[i], minutes)
	return m, err
}

// mapNode is a party: a plugin by its name, and people as one, because who they are
// is for the audit to say.
func (v *visit) mapNode(id string) views.MapNode {
	p, ok := v.snap.Plugin(id)
	if !ok {
		return views.MapNode{ID: "people", Name: "People"}
	}
	n := views.MapNode{ID: id, Name: p.Name}
	if p.State != policy.Active {
		n.Trouble = string(p.State)
	}
	return n
}

// mapEnd is where an edge ends.
func (v *visit) mapEnd(e gate.Edge) views.MapNode {
	switch policy.Action(e.Action) {
	case policy.ProxyRequest:
		return views.MapNode{ID: "host " + e.To, Name: e.To, Outside: true}
	case policy.EventPublish:
		return views.MapNode{ID: "type " + e.To, Name: e.To}
	}
	if _, ok := v.snap.Plugin(e.To); !ok {
		return views.MapNode{ID: "gone " + e.To, Name: e.To, Trouble: "not registered"}
	}
	return v.mapNode(e.To)
}

// pickedEdge adds how an edge went minute by minute, and which rules denied.
func (v *visit) pickedEdge(ctx context.Context, e gate.Edge, edge views.MapEdge, minutes int) (*views.PickedEdge, error) {
	f := v.Gate.Meter().Flow(e, minutes)
	p := &views.PickedEdge{Edge: edge, Since: v.reader.Now.Add(-time.Duration(minutes) * time.Minute)}
	for i, n := range f.Series {
		p.Series = append(p.Series, float64(n))
		if f.Denials[i] > 0 {
			p.Denied = append(p.Denied, i)
		}
	}
	if _, ok := v.snap.Plugin(e.From); ok && v.has(trait.Viewer) {
		p.Actions = append(p.Actions, views.Action{Label: "Permissions", Object: edge.From.Name, Icon: "blocks", Get: true, Href: views.PluginPath(e.From, "permissions")})
	}
	if !v.has(trait.AuditViewer) {
		return p, nil
	}
	q := url.Values{"action": {e.Action}, "range": {"1h"}}
	if _, ok := v.snap.Plugin(e.From); ok {
		q.Set("plugin", e.From)
	}
	p.Actions = append(p.Actions, views.Action{Label: "Decisions", Icon: "scroll-text", Get: true, Href: views.PathAudit + "?" + q.Encode()})
	if f.Denied == 0 {
		return p, nil
	}
	page, err := v.Audit.Search(ctx, audit.Filter{Plugin: q.Get("plugin"), Action: e.Action, Outcome: audit.Deny, Since: p.Since, Limit: 200})
	if err != nil {
		return nil, err
	}
	for i := range page.Records {
		r := &page.Records[i]
		if r.ActorID != e.From && r.Plugin != e.From || !about(r, e.To) {
			continue
		}
		at := slices.IndexFunc(p.Rules, func(c views.RuleCount) bool { return c.Rule == r.Rule })
		if at < 0 {
			at = len(p.Rules)
			p.Rules = append(p.Rules, views.RuleCount{Rule: r.Rule, Href: views.DecisionPath(r.ID.String())})
		}
		p.Rules[at].N++
	}
	if len(p.Rules) > 0 {
		p.Actions = append([]views.Action{{Label: "Why denied", Icon: "ban", Get: true, Href: p.Rules[0].Href}}, p.Actions...)
	}
	return p, nil
}
