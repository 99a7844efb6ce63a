package handlers

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// pluginFrame is where a plugin's pages stand.
func pluginFrame(p *registry.Plugin) frame {
	return at(views.PathPlugins, "Plugins", "", "Installed", views.PathPlugins, p.Name, "")
}

// pluginPage handles GET /console/plugins/:id.
func (s *Server) pluginPage(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	ctx, v := c.Request().Context(), s.visit(c.Request())
	props := views.PluginOverview{Head: v.head(ctx, p, ""), Classes: classes(p.Manifest.Security.Classes), Facts: v.pluginFacts(p)}
	if props.Health, props.Metrics, err = v.healthOf(ctx, p); err != nil {
		return err
	}
	if props.Edges, err = v.edges(ctx, p); err != nil {
		return err
	}
	if props.Moments, err = v.pluginMoments(ctx, p); err != nil {
		return err
	}
	if impact, err := s.Plugins.Impact(p.ID, "disable"); err == nil {
		for _, id := range impact.Dependents {
			if other, ok := v.snap.Plugin(id); ok {
				props.Dependents = append(props.Dependents, v.dependent(other))
			}
		}
	}
	return answer(c, v, http.StatusOK, pluginFrame(p), props, views.PluginOverviewPage, views.PluginOverviewBody)
}

// dependent is another plugin beside this one.
func (v *visit) dependent(p *registry.Plugin) views.Dependent {
	d := views.Dependent{Name: p.Name, Href: v.plugin(p.ID).Href, Icon: iconOf(p), Status: views.Status(p.State)}
	if p.State == policy.Active {
		d.Status = views.Status(p.Health)
	}
	return d
}

// head is what every tab of a plugin's page begins with.
func (v *visit) head(ctx context.Context, p *registry.Plugin, tab string) views.PluginHead {
	h := views.PluginHead{
		ID: p.ID, Name: p.Name, Icon: iconOf(p), Version: p.Version, Description: p.Manifest.Description, Publisher: p.Manifest.Publisher,
		Runtime: p.Manifest.Runtime.Kind, State: views.Status(p.State), Health: views.Status(p.Health), Banner: v.banner(ctx, p),
		Tabs: views.PluginTabs(p.ID, tab, 0),
	}
	switch p.State {
	case policy.Active, policy.Unhealthy:
		h.Since = when(p.EnabledAt)
	case policy.Registered:
		h.Since = p.RegisteredAt
	}
	for tab, needs := range map[string]trait.ID{"configuration": trait.ConfigManager, "activity": trait.AuditViewer, "lanes": trait.SystemMonitor} {
		if !v.has(needs) {
			h.Tabs = slices.DeleteFunc(h.Tabs, func(t views.Tab) bool { return t.Href == views.PluginPath(p.ID, tab) })
		}
	}
	if !v.readsLogs(p) {
		h.Tabs = slices.DeleteFunc(h.Tabs, func(t views.Tab) bool { return t.Href == views.PluginPath(p.ID, "logs") })
	}
	if v.has(trait.EventViewer) && len(p.Manifest.Events.Subscribes) > 0 {
		h.Tabs = append(h.Tabs, v.lettersTab(ctx, p, tab))
	}
	why := v.why(ctx, trait.PluginManager, managersOnly)
	if registry.CanMove(p.State, policy.Quarantined) {
		h.Actions = append(h.Actions, views.Action{Label: "Quarantine", Icon: "octagon-x", Danger: true, Ask: true, Href: views.PluginPath(p.ID, "quarantine"), Why: why})
	}
	h.Actions = append(h.Actions, views.Action{Label: "Unregister", Icon: "trash-2", Danger: true, Ask: true, Href: views.PluginPath(p.ID, "unregister"), Why: why})
	turn := v.turn(ctx, p, "")
	turn.Primary = turn.Label == "Enable" && turn.Why == nil
	h.Actions = append(h.Actions, turn)
	if why != nil { // one reason for all of them is said once
		h.Actions = []views.Action{turn}
	}
	return h
}

// banner is the state of a plugin that changes what its page means, the worst one.
func (v *visit) banner(ctx context.Context, p *registry.Plugin) *views.Banner {
	why := v.why(ctx, trait.PluginManager, managersOnly)
	switch {
	case p.State == policy.Quarantined:
		return &views.Banner{Tone: views.Danger, Title: "In quarantine.", Text: orElse(reasonOf(p), "Its lanes are closed and its credentials are void until somebody releases it.")}
	case p.State == policy.Unhealthy || p.State == policy.Active && p.Health == registry.Unhealthy:
		return &views.Banner{Tone: views.Danger, Title: "Unhealthy.", Text: orElse(p.HealthDetail, "It does not answer its health checks.")}
	case p.Pending != nil:
		return &views.Banner{Tone: views.Warn, Title: "Version " + p.Pending.Version + " asks for more.", Text: "It stays as it was until somebody accepts that.", Actions: []views.Action{
			{Label: "Review", Icon: "git-compare", Ask: true, Href: views.PluginPath(p.ID, "accept"), Why: why},
		}}
	case p.State == policy.Registered:
		return &views.Banner{Tone: views.Info, Title: "Waits to be enabled.", Text: "It may use no lane before somebody has seen what it asks for."}
	case p.State == policy.Disabled && p.StateReason != "":
		return &views.Banner{Tone: views.Info, Title: "Disabled.", Text: reasonOf(p)}
	}
	return nil
}

func reasonOf(p *registry.Plugin) string {
	if p.StateReason == "" {
		return ""
	}
	return "Reason: " + p.StateReason
}

// pluginFacts is what is known of a plugin besides.
func (v *visit) pluginFacts(p *registry.Plugin) []views.KV {
	m := p.Manifest
	facts := []views.KV{
		{Label: "Address", Value: p.Address, Mono: true},
		{Label: "Manifest", Value: m.Digest(), Mono: true, Copy: true},
		{Label: "Audit level", Value: m.Compliance.AuditLevel},
		{Label: "Registered", Body: views.Zoned(p.RegisteredAt, views.Clock)},
	}
	if p.EnabledAt != nil {
		facts = append(facts, views.KV{Label: "Enabled", Body: views.Zoned(*p.EnabledAt, views.Clock)})
	}
	if p.LastHeartbeat != nil {
		facts = append(facts, views.KV{Label: "Last heartbeat", Body: views.Zoned(*p.LastHeartbeat, views.Clock)})
	}
	for _, f := range []views.KV{
		{Label: "Contracts", Value: strings.Join(m.Contracts, ", ")}, {Label: "Category", Value: m.Category}, {Label: "Licence", Value: m.License},
		{Label: "Controls", Value: strings.Join(m.Compliance.Controls, ", ")},
	} {
		if f.Value != "" {
			facts = append(facts, f)
		}
	}
	if days := m.Compliance.RetentionDays; days > 0 {
		facts = append(facts, views.KV{Label: "Kept for", Value: count(days, "day", "days")})
	}
	return facts
}

// healthOf is a plugin's health over a day, and the numbers it last gave of itself.
func (v *visit) healthOf(ctx context.Context, p *registry.Plugin) (views.HealthHistory, []views.KV, error) {
	from := v.reader.Now.Add(-dayBars * dayEach)
	samples, err := v.Registry.History(ctx, p.ID, from)
	if err != nil || len(samples) == 0 {
		return views.HealthHistory{}, nil, err
	}
	h := views.HealthHistory{Bars: make([]views.Status, dayBars), From: from, Each: dayEach}
	for _, one := range samples {
		mark(h.Bars, one.At, registry.Health(one.Health), from, dayEach)
	}
	for i, b := range h.Bars {
		if b == "" {
			h.Bars[i] = views.Unknown
		}
	}
	last := samples[len(samples)-1]
	h.Last = &views.HealthCheck{
		At: last.At, Status: views.Status(last.Health), How: checkedBy(p.Manifest.HealthCheck), Took: time.Duration(last.LatencyUs) * time.Microsecond, Fails: p.HealthFailures,
	}
	if last.Health != string(registry.Healthy) {
		h.Reason = last.Detail
	}
	h.Uses = usesOf(samples)
	return h, metricsOf(last.Metrics), nil
}

// checkedBy says how the core finds out whether a plugin is well.
func checkedBy(c *manifest.HealthCheck) string {
	switch {
	case c == nil:
		return "heartbeat"
	case c.Type == manifest.HealthTCP:
		return "TCP connection"
	default:
		return "GET " + c.Path
	}
}

// metricsOf lists the numbers of a health answer. Their names tell the unit of the
// two that every plugin has; the others stand as they are.
func metricsOf(raw json.RawMessage) []views.KV {
	var numbers map[string]float64
	if json.Unmarshal(raw, &numbers) != nil {
		return nil
	}
	var kvs []views.KV
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		kvs = append(kvs, views.KV{Label: metricName(name), Value: metric(name, numbers[name])})
	}
	return kvs
}

// metricName writes the name of a number for people: memory_usage becomes Memory usage.
func metricName(name string) string {
	words := strings.ReplaceAll(name, "_", " ")
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:]
}

// metric writes a number with the unit its name implies: seconds for uptime,
// bytes for memory.
func metric(name string, n float64) string {
	switch {
	case strings.Contains(name, "uptime") && n >= 0 && n < math.MaxInt32:
		return (time.Duration(n) * time.Second).String()
	case strings.Contains(name, "memory") && n >= 1<<20:
		return strconv.FormatFloat(n/(1<<20), 'f', 1, 64) + " MiB"
	case n == math.Trunc(n) && math.Abs(n) < 1e15:
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	return strconv.FormatFloat(n, 'g', 4, 64)
}
