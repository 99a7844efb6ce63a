package handlers

import (
	"context"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// rolesTabs are the pages of roles and traits.
func rolesTabs(current string) []views.Tab {
	return []views.Tab{
		{Label: "Roles", Href: views.PathRoles, Current: current == views.PathRoles},
		{Label: "Expiring grants", Href: views.PathExpiring, Current: current == views.PathExpiring},
	}
}

// expiringPage handles GET /console/roles/expiring.
func (s *Server) expiringPage(c echo.Context) error {
	ctx, v, cursor := c.Request().Context(), s.visit(c.Request()), c.QueryParam("after")
	grants, next, err := s.Identity.ExpiringGrants(ctx, cursor, views.ExpiringPerPage)
	if err != nil {
		return err
	}
	props := views.ExpiringGrants{Tabs: rolesTabs(views.PathExpiring), Pager: views.Pager{ByName: true}}
	for _, g := range grants {
		props.Rows = append(props.Rows, v.expiringRow(ctx, g))
	}
	if cursor != "" {
		props.Pager.Newer = views.PathExpiring
	}
	if next != "" {
		props.Pager.Older = views.PathExpiring + "?" + url.Values{"after": {next}}.Encode()
	}
	return answer(c, v, http.StatusOK, at(views.PathRoles, "People", "", "Roles & traits", views.PathRoles, "Expiring grants", ""), props, views.ExpiringPage, views.ExpiringBody)
}

// expiringRow is what a person was given, with what changes or ends it now.
func (v *visit) expiringRow(ctx context.Context, g identity.Expiring) views.ExpiringRow {
	row := views.ExpiringRow{Person: g.User.Name, Email: g.User.Email, Href: userPath(g.User), At: g.GrantedAt, Reason: g.Reason, Expires: g.Expires}
	why := v.whyNot(ctx, g.User, "")
	switch g.Kind {
	case identity.GivenTrait:
		row.Trait, row.Actions = g.Name, givenActions(g.User, giveTrait, g.Name, g.Name, why)
	case identity.GivenRole:
		label := orElse(g.Label, g.Name)
		row.What, row.Actions = "Role "+label, givenActions(g.User, giveRole, g.Name, label, why)
	default:
		row.What, row.Actions = "Group "+g.Label, placeActions(g.User, g.Name, g.Label, why)
	}
	if row.By = v.nameOf(ctx, g.GrantedBy); g.Provider != "" {
		row.By, row.Actions = v.providerName(ctx, g.Provider), nil
	}
	return row
}
