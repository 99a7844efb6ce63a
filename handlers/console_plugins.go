package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// pluginsPage handles GET /console/plugins.
func (s *Server) pluginsPage(c echo.Context) error {
	ctx, v, q := c.Request().Context(), s.visit(c.Request()), c.QueryParams()
	all := slices.SortedFunc(slices.Values(v.snap.Plugins()), byName)
	props := views.Plugins{Total: len(all), Filter: v.pluginFilter(all, q)}
	fitting := slices.DeleteFunc(all, func(p *registry.Plugin) bool { return !v.fits(p, q) })
	shown, pager := pageOf(fitting, q.Get("after"), props.Filter)
	props.Pager = pager
	for _, p := range shown {
		line, err := v.line(ctx, p)
		if err != nil {
			return err
		}
		line.Actions = []views.Action{v.turn(ctx, p, p.Name)}
		props.Rows = append(props.Rows, line)
	}
	return answer(c, v, http.StatusOK, at(views.PathPlugins, "Plugins", "", "Installed", ""), props, views.PluginsPage, views.PluginsBody)
}

// byName orders plugins as people look for them.
func byName(a, b *registry.Plugin) int {
	if d := strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)); d != 0 {
		return d
	}
	return strings.Compare(a.ID, b.ID)
}

// pluginStates are the states the list can be filtered by.
var pluginStates = []views.Status{views.Registered, views.Active, views.Unhealthy, views.Disabled, views.Quarantined}

// pluginFilter is the bar above the list, with the states and the traits there are.
func (v *visit) pluginFilter(all []*registry.Plugin, q url.Values) views.Filter {
	var states, traits []views.Option
	for _, s := range pluginStates {
		states = append(states, views.Option{Value: string(s), Label: s.Word()})
	}
	var held trait.Set
	for _, p := range all {
		held = held.Union(p.Traits)
	}
	for _, name := range v.snap.Traits().Names(held) {
		traits = append(traits, views.Option{Value: name, Label: name})
	}
	return views.Filter{Path: views.PathPlugins, Search: q.Get("q"), In: "name, id", Fields: []views.FilterField{
		{Name: "state", Label: "State", Value: q.Get("state"), Options: states},
		{Name: "trait", Label: "Trait", Value: q.Get("trait"), Options: traits},
	}}
}

// fits reports whether a plugin is among those a query asks for.
func (v *visit) fits(p *registry.Plugin, q url.Values) bool {
	text := strings.ToLower(strings.TrimSpace(q.Get("q")))
	if text != "" && !strings.Contains(strings.ToLower(p.Name), text) && !strings.Contains(p.ID, text) {
		return false
	}
	if state := q.Get("state"); state != "" && state != string(p.State) {
		return false
	}
	if name := q.Get("trait"); name != "" {
		t, _, ok := v.snap.Traits().Lookup(name)
		return ok && p.Traits.Has(t.ID)
	}
	return true
}

// pageOf cuts the page that begins after a plugin, and leads to those beside it.
func pageOf(all []*registry.Plugin, after string, f views.Filter) ([]*registry.Plugin, views.Pager) {
	const size = views.PluginsPerPage
	start := 0
	if i := slices.IndexFunc(all, func(p *registry.Plugin) bool { return p.ID == after }); i >= 0 {
		start = i + 1
	}
	pager := views.Pager{ByName: true}
	if start > 0 {
		pager.Newer = f.Link(f.Path, nil)
		if before := start - size; before > 0 {
			pager.Newer = f.Link(f.Path, url.Values{"after": {all[before-1].ID}})
		}
	}
	end := min(start+size, len(all))
	if end < len(all) {
		pager.Older = f.Link(f.Path, url.Values{"after": {all[end-1].ID}})
	}
	return all[start:end], pager
}
