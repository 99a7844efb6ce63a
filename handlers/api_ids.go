package handlers

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/storage"
)

// idView is what one plugin calls one thing.
type idView struct {
	Plugin string    `json:"plugin"`
	Model  string    `json:"model"`
	Local  string    `json:"id"`
	Global string    `json:"global_id"`
	At     time.Time `json:"bound_at"`
}

func idOf(b storage.Binding) idView {
	return idView{b.Plugin, b.Model, b.Local, b.Global, b.At.UTC()}
}

// bindID handles PUT /canonical/ids/:model.
func (s *Server) bindID(c echo.Context) error {
	var in struct {
		Local  string `json:"id"`
		Global string `json:"global_id"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	ctx := c.Request().Context()
	who := actor.From(ctx)
	b, err := s.IDs.Bind(ctx, who.Tenant, who.ID, c.Param("model"), in.Local, in.Global)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, idOf(b))
}

// showID handles GET /canonical/ids/:model?id=.
func (s *Server) showID(c echo.Context) error {
	ctx := c.Request().Context()
	b, err := s.IDs.Get(ctx, actor.From(ctx).ID, c.Param("model"), c.QueryParam("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, idOf(b))
}

// unbindID handles DELETE /canonical/ids/:model?id=.
func (s *Server) unbindID(c echo.Context) error {
	ctx := c.Request().Context()
	if err := s.IDs.Unbind(ctx, actor.From(ctx).ID, c.Param("model"), c.QueryParam("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// listIDs handles GET /admin/ids/:model?global_id=: what every plugin calls one thing.
func (s *Server) listIDs(c echo.Context) error {
	ctx := c.Request().Context()
	all, err := s.IDs.Of(ctx, actor.From(ctx).Tenant, c.Param("model"), c.QueryParam("global_id"))
	if err != nil {
		return err
	}
	items := []idView{}
	for _, b := range all {
		items = append(items, idOf(b))
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
}
