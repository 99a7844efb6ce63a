package handlers

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/siem"
)

// sinkView is a sink of the audit. Its secret is never told.
type sinkView struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Kind        siem.Kind  `json:"kind"`
	Address     string     `json:"address"`
	CA          string     `json:"ca"`
	Certificate string     `json:"certificate"`
	SecretSetAt *time.Time `json:"secret_set_at"`
	Enabled     bool       `json:"enabled"`
	Version     int64      `json:"version"`
	CreatedBy   string     `json:"created_by"`
	CreatedAt   time.Time  `json:"created_at"`
	Sent        int64      `json:"sent"`
	Refused     int64      `json:"refused"`
	Missed      int64      `json:"missed"`
	Waiting     int64      `json:"waiting"`
	LagSeconds  float64    `json:"lag_seconds"`
	SentAt      *time.Time `json:"sent_at"`
	Failing     *time.Time `json:"failing_since"`
	Error       string     `json:"error,omitempty"`
}

func sinkOf(s siem.Sink) sinkView {
	return sinkView{
		s.ID.String(), s.Name, s.Kind, s.Address, s.CA, s.Certificate, s.SecretSet, s.Enabled, s.Version, s.CreatedBy, s.CreatedAt.UTC(),
		s.Sent, s.Rejected, s.Missed, s.Behind, s.Lag(time.Now()).Seconds(), s.SentAt, s.Failing, s.LastError,
	}
}

// sinkIn is what a request says of a sink.
type sinkIn struct {
	Name        string    `json:"name"`
	Kind        siem.Kind `json:"kind"`
	Address     string    `json:"address"`
	CA          string    `json:"ca"`
	Certificate string    `json:"certificate"`
	Secret      *string   `json:"secret"`
	Enabled     *bool     `json:"enabled"`
	FromStart   bool      `json:"from_start"`
	Version     int64     `json:"version"`
}

func (in *sinkIn) spec() siem.Spec {
	return siem.Spec{
		Name: in.Name, Kind: in.Kind, Address: in.Address, CA: in.CA, Certificate: in.Certificate, Secret: in.Secret,
		Enabled: in.Enabled == nil || *in.Enabled, FromStart: in.FromStart,
	}
}

// sinkID reads the id in the address.
func sinkID(c echo.Context) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return id, fault.New(fault.NotFound, "siem.unknown", "There is no such sink; it may have been removed.")
	}
	return id, nil
}

// listSinks handles GET /admin/audit/sinks.
func (s *Server) listSinks(c echo.Context) error {
	sinks, err := s.SIEM.Sinks(c.Request().Context())
	if err != nil {
		return err
	}
	items := make([]sinkView, len(sinks))
	for i, one := range sinks {
		items[i] = sinkOf(one)
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
}

// showSink handles GET /admin/audit/sinks/:id.
func (s *Server) showSink(c echo.Context) error {
	id, err := sinkID(c)
	if err != nil {
		return err
	}
	one, err := s.SIEM.Sink(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, sinkOf(one))
}

// addSink handles POST /admin/audit/sinks.
func (s *Server) addSink(c echo.Context) error {
	var in sinkIn
	if err := bind(c, &in); err != nil {
		return err
	}
	one, err := s.SIEM.Add(c.Request().Context(), in.spec())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, sinkOf(one))
}

// changeSink handles PUT /admin/audit/sinks/:id.
func (s *Server) changeSink(c echo.Context) error {
	id, err := sinkID(c)
	if err != nil {
		return err
	}
	var in sinkIn
	if err := bind(c, &in); err != nil {
		return err
	}
	one, err := s.SIEM.Change(c.Request().Context(), id, in.Version, in.spec())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, sinkOf(one))
}

// removeSink handles DELETE /admin/audit/sinks/:id.
func (s *Server) removeSink(c echo.Context) error {
	id, err := sinkID(c)
	if err != nil {
		return err
	}
	if err := s.SIEM.Remove(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "removed"})
}

// trySink handles POST /admin/audit/sinks/:id/try.
func (s *Server) trySink(c echo.Context) error {
	id, err := sinkID(c)
	if err != nil {
		return err
	}
	if err := s.SIEM.Try(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}
