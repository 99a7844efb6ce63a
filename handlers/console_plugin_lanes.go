package handlers

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/lanes/canonical"
	"github.com/vivified/vivified/lanes/operator"
	"github.com/vivified/vivified/views"
)

// pluginLanesPage handles GET /console/plugins/:id/lanes.
func (s *Server) pluginLanesPage(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	ctx, v := c.Request().Context(), s.visit(c.Request())
	props := views.PluginLanes{Head: v.head(ctx, p, "lanes"), Calls: v.called(p)}
	if props.Map, err = v.laneMap(ctx, views.PluginPath(p.ID, "lanes"), p.ID, c.QueryParams()); err != nil {
		return err
	}
	if props.Listens, err = v.listens(ctx, p); err != nil {
		return err
	}
	return answer(c, v, http.StatusOK, pluginFrame(p), props, views.PluginLanesPage, views.PluginLanesBody)
}

// pluginLanesLive handles GET /console/plugins/:id/lanes/live.
func (s *Server) pluginLanesLive(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	return s.redrawn(c, func(v *visit, ctx context.Context) (templ.Component, error) {
		m, err := v.laneMap(ctx, views.PluginPath(p.ID, "lanes"), p.ID, c.QueryParams())
		return views.LaneMapLive(m), err
	})
}

// circuits are the states of a circuit breaker in words.
var circuits = map[operator.Circuit]string{
	operator.Closed: "closed: calls pass", operator.Open: "open: it fails too often, so calls are refused at once", operator.HalfOpen: "half open: one call tries whether it is back",
}

// called is how a plugin fares as a target on this replica; nil when it offers no operation.
func (v *visit) called(p *registry.Plugin) []views.KV {
	if len(p.Manifest.Endpoints) == 0 {
		return nil
	}
	targets := v.Calls.Targets()
	t := operator.Target{Circuit: operator.Closed}
	if i := slices.IndexFunc(targets, func(t operator.Target) bool { return t.ID == p.ID }); i >= 0 {
		t = targets[i]
	}
	facts := []views.KV{
		{Label: "Circuit", Value: circuits[t.Circuit]},
		{Label: "In flight", Value: count(t.InFlight, "call", "calls")},
		{Label: "Last 10 s", Value: count(t.Calls, "call", "calls") + ", " + strconv.Itoa(t.Failed) + " failed"},
	}
	if !t.Since.IsZero() {
		facts = append(facts, views.KV{Label: "Since", Body: views.Zoned(t.Since, views.Clock)})
	}
	return facts
}

// listens is what waits for a plugin that hears events; nil when it hears none. A
// bus that is away is said, and the rest of the page stands.
func (v *visit) listens(ctx context.Context, p *registry.Plugin) ([]views.KV, error) {
	if len(p.Manifest.Events.Subscribes) == 0 {
		return nil, nil
	}
	facts := []views.KV{{Label: "Hears", Value: strings.Join(p.Manifest.Events.Subscribes, ", "), Mono: true}}
	stats, err := v.Events.Stats(ctx)
	if err != nil {
		return append(facts, views.KV{Label: "Waiting", Value: "not known: the event bus does not answer"}), nil
	}
	var waiting int64
	for consumer, n := range stats.Waiting {
		if canonical.ConsumerOf(consumer, p.ID) {
			waiting += n
		}
	}
	facts = append(facts, views.KV{Label: "Waiting", Value: count(int(waiting), "event", "events")})
	letters, err := v.Events.WaitingLetters(ctx)
	if err != nil {
		return nil, err
	}
	dead := views.KV{Label: "Dead letters", Value: strconv.Itoa(letters[p.ID])}
	if v.has(trait.EventViewer) {
		dead.Href = views.PluginPath(p.ID, "dead-letters")
	}
	return append(facts, dead), nil
}
