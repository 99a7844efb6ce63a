package handlers

import (
	"context"
	"net/url"
	"slices"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// keptLists are the lists whose filters can be kept under a name.
var keptLists = []string{views.PathAudit, views.PathEvents, views.PathUsers}

// saved are the saved views of a list. They are a courtesy: where they cannot be
// read now, there are none.
func (v *visit) saved(ctx context.Context, list string) *views.Saved {
	all, err := v.Identity.SavedViews(ctx, list)
	if err != nil {
		v.Log.WarnContext(ctx, "saved views are not shown", "error", err)
	}
	s := &views.Saved{}
	for _, one := range all {
		query, err := url.ParseQuery(one.Query)
		if err != nil {
			continue
		}
		line := views.SavedView{Name: one.Name, Query: query, Shared: one.Shared}
		if !one.Own {
			line.By = one.Owner
		}
		if one.Own || v.has(trait.UserManager) {
			line.Remove = views.ViewPath(one.ID.String(), "remove")
		}
		s.Views = append(s.Views, line)
	}
	return s
}

// saveView handles POST /console/views.
func (s *Server) saveView(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	list := in.Get("page")
	if !slices.Contains(keptLists, list) {
		return fault.New(fault.Unprocessable, "view.page", "Views of that page cannot be kept.")
	}
	one, err := s.Identity.SaveView(c.Request().Context(), list, in.Get("name"), in.Get("query"), in.Get("shared") == "on")
	if err != nil {
		return err
	}
	back := list
	if one.Query != "" {
		back += "?" + one.Query
	}
	return s.done(c, flash{Text: "The view " + one.Name + " is saved."}, back)
}

// removeView handles POST /console/views/:id/remove.
func (s *Server) removeView(c echo.Context) error {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return fault.New(fault.NotFound, "view.unknown", "There is no such saved view of yours; it may have been removed.")
	}
	one, err := s.Identity.RemoveView(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return s.done(c, flash{Text: "The view " + one.Name + " is removed."}, back(c, one.Page))
}
