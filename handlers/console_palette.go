package handlers

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// mostFound bounds the results of one kind.
const mostFound = 6

// palette handles GET /console/palette?q=.
func (s *Server) palette(c echo.Context) error {
	v := s.visit(c.Request())
	q := strings.ToLower(strings.TrimSpace(c.QueryParam("q")))
	props := views.Palette{Query: c.QueryParam("q")}
	props.Groups = append(props.Groups, views.PaletteGroup{Label: "Pages", Items: v.findPages(q)})
	plugins, actions := v.findPlugins(q)
	props.Groups = append(props.Groups, views.PaletteGroup{Label: "Plugins", Items: plugins})
	people, err := v.findPeople(c.Request().Context(), q)
	if err != nil {
		return err
	}
	sets, err := v.findSets(c.Request().Context(), q)
	if err != nil {
		return err
	}
	props.Groups = append(props.Groups, views.PaletteGroup{Label: "People", Items: people}, views.PaletteGroup{Label: "Groups and roles", Items: sets}, views.PaletteGroup{Label: "Actions", Items: actions})
	if isPart(c.Request()) {
		return draw(c, v, http.StatusOK, views.PaletteResults(props))
	}
	return draw(c, v, http.StatusOK, views.PalettePage(v.shell(c.Request().Context(), at("", "Search", "")), props))
}

// findPages are the pages whoever looks may open.
func (v *visit) findPages(q string) []views.PaletteItem {
	keys, icons := map[string]string{}, map[string]views.IconName{views.PathAccount: "user-round"}
	for _, g := range views.StandardNav("", v.may) {
		for _, i := range g.Items {
			keys[i.Href], icons[i.Href] = i.Key, g.Icon
		}
	}
	var items []views.PaletteItem
	for _, p := range consolePages {
		if !v.may(p.path) || !strings.Contains(strings.ToLower(p.title), q) {
			continue
		}
		item := views.PaletteItem{Label: p.title, Href: p.path, Icon: icons[p.path]}
		if key := keys[p.path]; key != "" {
			item.Note = "g " + key
		}
		items = append(items, item)
	}
	return items
}

// findPlugins are the plugins whose name or id is asked for, and what can be done
// about them.
func (v *visit) findPlugins(q string) (plugins, actions []views.PaletteItem) {
	if !v.may(views.PathPlugins) || q == "" {
		return nil, nil
	}
	for _, p := range slices.SortedFunc(slices.Values(v.snap.Plugins()), byName) {
		if !strings.Contains(strings.ToLower(p.Name), q) && !strings.Contains(p.ID, q) {
			continue
		}
		line := views.PluginLine{State: views.Status(p.State), Health: views.Status(p.Health)}
		status := line.State
		if p.State == policy.Active {
			status = line.Health
		}
		plugins = append(plugins, views.PaletteItem{Label: p.Name, Href: views.PluginPath(p.ID), Icon: orIcon(iconOf(p)), Note: p.ID, Status: status})
		if v.has(trait.PluginManager) {
			actions = append(actions, pluginActions(p)...)
		}
		if len(plugins) == mostFound {
			break
		}
	}
	return plugins, actions[:min(len(actions), mostFound)]
}

func orIcon(icon views.IconName) views.IconName {
	if icon == "" {
		return "blocks"
	}
	return icon
}

// pluginActions lead to the questions before what can be done about a plugin.
func pluginActions(p *registry.Plugin) []views.PaletteItem {
	var items []views.PaletteItem
	switch p.State {
	case policy.Registered, policy.Disabled:
		items = append(items, views.PaletteItem{Label: "Enable " + p.Name + "…", Href: views.PluginPath(p.ID, "enable"), Icon: "power"})
	case policy.Active, policy.Unhealthy:
		items = append(items, views.PaletteItem{Label: "Disable " + p.Name + "…", Href: views.PluginPath(p.ID, "disable"), Icon: "power-off"})
	}
	if registry.CanMove(p.State, policy.Quarantined) {
		items = append(items, views.PaletteItem{Label: "Quarantine " + p.Name + "…", Href: views.PluginPath(p.ID, "quarantine"), Icon: "octagon-x", Danger: true})
	}
	return items
}

// findPeople are the people whose name or address is asked for.
func (v *visit) findPeople(ctx context.Context, q string) ([]views.PaletteItem, error) {
	if !v.may(views.PathUsers) || q == "" {
		return nil, nil
	}
	page, err := v.Identity.Users(ctx, identity.UserFilter{Text: q, Limit: mostFound})
	if err != nil {
		return nil, err
	}
	var items []views.PaletteItem
	for _, u := range page.Users {
		items = append(items, views.PaletteItem{Label: u.Name, Href: views.UserPath(u.ID.String()), Icon: "user-round", Note: u.Email})
	}
	return items, nil
}

// findSets are the groups and roles whose name is asked for.
func (v *visit) findSets(ctx context.Context, q string) ([]views.PaletteItem, error) {
	if !v.may(views.PathGroups) || q == "" {
		return nil, nil
	}
	page, err := v.Identity.Groups(ctx, identity.GroupFilter{Text: q, Limit: mostFound})
	if err != nil {
		return nil, err
	}
	roles, err := v.Identity.Roles(ctx)
	if err != nil {
		return nil, err
	}
	var items []views.PaletteItem
	for _, g := range page.Groups {
		items = append(items, views.PaletteItem{Label: g.Name, Href: groupPath(g), Icon: "users", Note: "group"})
	}
	for _, r := range roles {
		if len(items) < 2*mostFound && (strings.Contains(strings.ToLower(r.Label), q) || strings.Contains(r.Name, q)) {
			items = append(items, views.PaletteItem{Label: roleLabel(r), Href: views.RolePath(r.Name), Icon: "key-round", Note: "role"})
		}
	}
	return items, nil
}
