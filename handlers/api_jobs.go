package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/job"
)

// jobID reads the id in the address.
func jobID(c echo.Context) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return id, fault.New(fault.NotFound, "job.unknown", "There is no such job.")
	}
	return id, nil
}

// listJobs handles GET /admin/jobs: the newest first.
func (s *Server) listJobs(c echo.Context) error {
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	q := job.Query{Plugin: c.QueryParam("plugin"), Open: c.QueryParam("open") == "true", Most: int32(limit)}
	if raw := c.QueryParam("cursor"); raw != "" {
		if q.Before, err = uuid.Parse(raw); err != nil {
			return fault.New(fault.Invalid, "query.cursor", "The cursor is the one of the page before.")
		}
	}
	items, err := s.Jobs.List(c.Request().Context(), q)
	if err != nil {
		return err
	}
	next := ""
	if len(items) == limit {
		next = items[len(items)-1].ID.String()
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": next})
}

// jobGlance is how often a stream looks whether its job came further.
const jobGlance = 400 * time.Millisecond

// showJob handles GET /admin/jobs/:id; as server-sent events, each time the job
// came further, until it has ended.
func (s *Server) showJob(c echo.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	j, err := s.Jobs.Get(c.Request().Context(), id)
	if err != nil {
		return err
	}
	if !strings.Contains(c.Request().Header.Get("Accept"), "text/event-stream") {
		return c.JSON(http.StatusOK, j)
	}
	out := sse(c)
	ctx, stop := s.whileGood(c.Request().Context())
	defer stop()
	tick := time.NewTicker(jobGlance)
	defer tick.Stop()
	var told time.Time
	for {
		if !j.Updated.Equal(told) {
			told = j.Updated
			body, err := json.Marshal(j)
			if err != nil {
				return err
			}
			if err := out.send(j.Updated.UTC().Format(time.RFC3339Nano), "job", body); err != nil {
				return nil // the reader has gone
			}
		}
		if j.State.Ended() {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if j, err = s.Jobs.Get(ctx, id); err != nil {
			return nil // the reader comes again, and is told then
		}
	}
}

// cancelJob handles POST /admin/jobs/:id/cancel.
func (s *Server) cancelJob(c echo.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	if err := s.Jobs.Cancel(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, map[string]string{"status": "cancelling"})
}

// retryJob handles POST /admin/jobs/:id/retry.
func (s *Server) retryJob(c echo.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	j, err := s.Jobs.Again(c.Request().Context(), id)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", "/admin/jobs/"+j.ID.String())
	return c.JSON(http.StatusAccepted, map[string]any{"job": j})
}
