package handlers

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/canonical"
)

// transform handles POST /canonical/transform.
func (s *Server) transform(c echo.Context) error {
	var in struct {
		Plugin      string          `json:"plugin"`
		Transformer string          `json:"transformer"`
		Data        json.RawMessage `json:"data"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	if len(in.Data) == 0 {
		return fault.New(fault.Invalid, "event.data", "Give the data to be transformed.")
	}
	out, err := s.Events.Try(c.Request().Context(), canonical.Trial{Plugin: in.Plugin, Transformer: in.Transformer, Data: in.Data})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"data": out})
}
