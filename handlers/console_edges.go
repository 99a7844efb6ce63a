package handlers

import (
	"context"
	"strings"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// mostEdges is how many lines of traffic a plugin's page shows.
const mostEdges = 12

// edges are what a plugin did on the lanes in the last hour, for those who may
// see traffic. Nil means that whoever looks may not.
func (v *visit) edges(ctx context.Context, p *registry.Plugin) ([]views.LaneEdge, error) {
	if !v.has(trait.SystemMonitor) {
		return nil, nil
	}
	edges := []views.LaneEdge{}
	for _, e := range v.Gate.Meter().Edges(60) {
		line, ok := v.edge(e, p.ID)
		if !ok {
			continue
		}
		f := v.Gate.Meter().Flow(e, 60)
		line.PerMinute, line.P95, line.Denied = f.PerMinute, f.P95, int(f.Denied)
		if f.Denied > 0 && v.has(trait.AuditViewer) {
			if err := v.lastDenial(ctx, e, &line); err != nil {
				return nil, err
			}
		}
		if edges = append(edges, line); len(edges) == mostEdges {
			break
		}
	}
	return edges, nil
}

// edge puts a line of traffic into words, seen from a plugin. ok is false when
// the plugin has no part in it.
func (v *visit) edge(e gate.Edge, id string) (line views.LaneEdge, ok bool) {
	if e.From != id && e.To != id {
		return line, false
	}
	switch policy.Action(e.Action) {
	case policy.EventPublish:
		line = views.LaneEdge{Lane: views.Canonical, Text: "publishes", What: e.To}
	case policy.EventDeliver:
		line = views.LaneEdge{Lane: views.Canonical, Text: "is heard by", What: e.To}
		if e.To == id {
			line.Text, line.What = "hears", e.From
		}
	case policy.OperatorCall:
		line = views.LaneEdge{Lane: views.Operator, Text: "calls", What: e.To}
		if e.To == id {
			line.Text, line.What = "is called by", v.caller(e.From)
		}
	case policy.ProxyRequest:
		line = views.LaneEdge{Lane: views.Proxy, Text: "asks", What: e.To}
	default:
		return line, false
	}
	return line, true
}

// caller names who calls: a plugin by its id, a person as such.
func (v *visit) caller(id string) string {
	if _, ok := v.snap.Plugin(id); ok {
		return id
	}
	return "a person"
}

// lastDenial notes the rule of the latest denial on an edge, and its decision.
func (v *visit) lastDenial(ctx context.Context, e gate.Edge, line *views.LaneEdge) error {
	page, err := v.Audit.Search(ctx, audit.Filter{Plugin: e.From, Action: e.Action, Outcome: audit.Deny, Since: v.reader.Now.Add(-hour), Limit: 50})
	if err != nil {
		return err
	}
	for i := range page.Records {
		r := &page.Records[i]
		if r.ActorID != e.From && r.Plugin != e.From || !about(r, e.To) {
			continue
		}
		line.Rule, line.RuleHref = r.Rule, views.DecisionPath(r.ID.String())
		return nil
	}
	return nil
}

// about reports whether a record's object is, or begins or ends with, a name.
func about(r *audit.Record, name string) bool {
	if r.ObjectPlugin == name {
		return true
	}
	for part := range strings.SplitSeq(r.Object, "/") {
		if part == name {
			return true
		}
	}
	for _, receiver := range r.Receivers {
		if receiver == name {
			return true
		}
	}
	return false
}
