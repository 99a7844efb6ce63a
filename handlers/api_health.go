package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vivified/vivified/core/trait"
)

// health handles GET /health.
func (s *Server) health(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "ok", "message": "Vivified core running", "version": s.Version})
}

// live handles GET /health/live: the process answers.
func (s *Server) live(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

// ready handles GET /health/ready: everything the core needs answers.
func (s *Server) ready(c echo.Context) error {
	checks := s.Ready(c.Request().Context())
	status, word := http.StatusOK, "ok"
	for i, check := range checks {
		if !check.OK {
			status, word = http.StatusServiceUnavailable, "unavailable"
			c.Response().Header().Set("Retry-After", "2")
			checks[i].Why = "does not answer" // the reason is for the log, not for strangers
		}
	}
	return c.JSON(status, map[string]any{"status": word, "checks": checks})
}

// metrics handles GET /metrics: for scrapers, and for people who watch the system.
func (s *Server) metrics(c echo.Context) error {
	if !s.mayScrape(c) {
		if err := s.Gate.Admit(c.Request().Context(), "metrics.read", "/metrics", trait.SetOf(trait.SystemMonitor)); err != nil {
			return err
		}
	}
	promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}).ServeHTTP(c.Response(), c.Request())
	return nil
}
