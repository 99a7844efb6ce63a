package handlers

import (
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// about says what a request is about, so that administrators' rules can speak of
// the one thing, and of a plugin with its traits and state.
func (s *Server) about(c echo.Context, action string, needs trait.Set) gate.On {
	on := gate.On{Object: c.Request().URL.Path, ID: c.Param("id"), Method: c.Request().Method, Requires: needs}
	if policy.Action(action).Family() != "plugin" {
		return on
	}
	if p, ok := s.Registry.Snapshot().Plugin(on.ID); ok {
		on.Plugin = p.Party()
	}
	return on
}
