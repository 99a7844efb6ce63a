package handlers

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// overviewPlugins is how many plugins the overview shows, the worst first.
const overviewPlugins = 8

// overviewPage handles GET /console.
func (s *Server) overviewPage(c echo.Context) error {
	v := s.visit(c.Request())
	props, err := v.overview(c.Request().Context())
	if err != nil {
		return err
	}
	f := at(views.PathOverview, "Home", "", "Overview", "")
	f.live = true
	return answer(c, v, http.StatusOK, f, props, views.OverviewPage, views.OverviewBody)
}

// overview gathers what whoever looks may see of everything. A part that is nil
// is not theirs; one that is empty has nothing to show yet.
func (v *visit) overview(ctx context.Context) (views.Overview, error) {
	o := views.Overview{}
	if v.may(views.PathEvents) {
		o.EventsAt = views.PathEvents
	}
	var err error
	if v.has(trait.Viewer) {
		if err := v.overviewPlugins(ctx, &o); err != nil {
			return o, err
		}
	}
	if o.Attention, err = v.attention(ctx); err != nil {
		return o, err
	}
	if v.has(trait.SystemMonitor) {
		o.Lanes = v.laneTiles()
	}
	if v.has(trait.AuditViewer) {
		if o.Events, o.Calls, o.Egress, err = v.traffic(ctx); err != nil {
			return o, err
		}
		proof, err := v.proof(ctx)
		if err != nil {
			return o, err
		}
		o.Proof = &proof
	}
	return o, nil
}

// overviewPlugins counts the plugins and shows the few that matter most now.
func (v *visit) overviewPlugins(ctx context.Context, o *views.Overview) error {
	all := slices.Clone(v.snap.Plugins())
	slices.SortStableFunc(all, func(a, b *registry.Plugin) int { return cmp.Or(cmp.Compare(urgency(a), urgency(b)), byName(a, b)) })
	o.Plugins, o.Table = len(all), []views.PluginLine{}
	for i, p := range all {
		if p.State == policy.Active && p.Health == registry.Healthy {
			o.Healthy++
		}
		if i >= overviewPlugins {
			continue
		}
		line, err := v.line(ctx, p)
		if err != nil {
			return err
		}
		o.Table = append(o.Table, line)
	}
	return nil
}

// urgency orders plugins, the worst first.
func urgency(p *registry.Plugin) int {
	switch {
	case isUnhealthy(p):
		return 0
	case p.State == policy.Quarantined:
		return 1
	case p.State == policy.Active && p.Health == registry.Degraded:
		return 2
	case p.State == policy.Registered || p.Pending != nil:
		return 3
	case p.State == policy.Active:
		return 4
	}
	return 5
}

func isUnhealthy(p *registry.Plugin) bool {
	return p.State == policy.Unhealthy || p.State == policy.Active && p.Health == registry.Unhealthy
}

// alarm is the share of denials above which a lane's figure is coloured.
const alarm = 0.05

// laneTiles are the three lanes over the last hour.
func (v *visit) laneTiles() []views.LaneTile {
	tiles := []views.LaneTile{
		{Lane: views.Canonical, Href: views.PathAudit + "?action=event.*"},
		{Lane: views.Operator, Href: views.PathAudit + "?action=operator.call"},
		{Lane: views.Proxy, Href: views.PathAudit + "?action=proxy.request"},
	}
	for i, action := range []string{"event.", "operator.", "proxy."} {
		v.fillTile(&tiles[i], v.Gate.Meter().Flow(gate.Edge{Action: action}, 60))
	}
	return tiles
}

// fillTile writes an hour of traffic into a tile. The minute that is not over yet
// would look like a fall, so it counts only while there is no other.
func (v *visit) fillTile(t *views.LaneTile, f gate.Flow) {
	last := len(f.Series) - 1
	for i, n := range f.Series[:last] {
		t.Series = append(t.Series, float64(n))
		if f.Denials[i] > 0 {
			t.DeniedAt = append(t.DeniedAt, i)
		}
	}
	t.Since = v.reader.Now.Add(-time.Hour)
	t.P95 = f.P95
	if all := f.Allowed + f.Denied; all > 0 {
		t.Denied = float64(f.Denied) / float64(all)
	}
	t.Alarm = t.Denied >= alarm
	t.PerMinute = recentRate(f.Series)
	if !v.may(views.PathAudit) {
		t.Href = ""
	}
}

// recentRate is the mean of the last five minutes that are over, or as many as
// there were since the traffic began.
func recentRate(series []uint64) float64 {
	over := series[:len(series)-1]
	first := slices.IndexFunc(over, func(n uint64) bool { return n > 0 })
	if first < 0 {
		return float64(series[len(series)-1])
	}
	over = over[max(first, len(over)-5):]
	sum := 0.0
	for _, n := range over {
		sum += float64(n)
	}
	return sum / float64(len(over))
}
