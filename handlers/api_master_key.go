package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// showMasterKey handles GET /admin/master-key: what keeps the secrets. No key is in it.
func (s *Server) showMasterKey(c echo.Context) error {
	custody, err := s.Keyring.Custody(c.Request().Context())
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, custody)
}

// rotateMasterKey handles POST /admin/master-key/rotate.
func (s *Server) rotateMasterKey(c echo.Context) error {
	custody, err := s.Keyring.Rotate(c.Request().Context())
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, custody)
}
