package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
)

// consolePage is a page of the console that a person may or may not see.
type consolePage struct {
	title, path string
	needs       []trait.ID
}

// consolePages are the pages there are.
var consolePages = []consolePage{}

// console is the part of the table that answers people.
func (s *Server) console() []route { return nil }

// failPage answers an error as a page or a fragment.
func (s *Server) failPage(c echo.Context, status int, f *fault.Fault) {
	_ = c.String(status, f.Sentence)
}

var _ = http.StatusOK
