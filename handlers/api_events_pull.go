package handlers

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/canonical"
)

// The forms in which events are pulled, by media type.
const (
	oneEvent   = "application/cloudevents+json"
	manyEvents = "application/cloudevents-batch+json"
	bareEvent  = "application/json" // the data; the attributes are headers
)

// longestPull is how long a pull may wait for the first event.
const longestPull = 30 * time.Second

// pullEvents handles GET /messaging/events/next.
func (s *Server) pullEvents(c echo.Context) error {
	form, err := eventForm(c.Request().Header.Get("Accept"))
	if err != nil {
		return err
	}
	most := 1
	if form == manyEvents {
		if most, err = pageSize(c, canonical.MostPulled, canonical.MostPulled); err != nil {
			return err
		}
	}
	wait, err := waitOf(c.QueryParam("wait"))
	if err != nil {
		return err
	}
	events, err := s.Events.Pull(c.Request().Context(), listening(c), most, wait)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return c.NoContent(http.StatusNoContent)
	}
	if form == bareEvent {
		for name, values := range events[0].Header() {
			c.Response().Header()[name] = values
		}
		return c.Blob(http.StatusOK, bareEvent, events[0].Data)
	}
	bodies := make([][]byte, len(events))
	for i, e := range events {
		if bodies[i], err = e.JSON(); err != nil {
			return err
		}
	}
	if form == oneEvent {
		return c.Blob(http.StatusOK, oneEvent, bodies[0])
	}
	return c.Blob(http.StatusOK, manyEvents, canonical.Batch(bodies))
}

// eventForm chooses the form that a request prefers (RFC 9110, section 12.5.1);
// without a preference, a batch.
func eventForm(accept string) (string, error) {
	chosen, best := "", 0.0
	for part := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		switch kind {
		case "*/*", "application/*":
			kind = manyEvents
		case oneEvent, manyEvents, bareEvent:
		default:
			continue
		}
		if q > best {
			chosen, best = kind, q
		}
	}
	if chosen == "" && strings.TrimSpace(accept) != "" {
		return "", fault.New(fault.Invalid, "request.accept", "Events are had as %s, %s or %s.", manyEvents, oneEvent, bareEvent)
	}
	if chosen == "" {
		chosen = manyEvents
	}
	return chosen, nil
}

// waitOf reads how many seconds a pull may wait.
func waitOf(raw string) (time.Duration, error) {
	if raw == "" {
		return 0, nil
	}
	seconds, err := strconv.Atoi(raw)
	if err != nil || seconds < 0 || seconds > int(longestPull/time.Second) {
		return 0, fault.New(fault.Invalid, "query.wait", "wait is a number of seconds from 0 to %d.", int(longestPull/time.Second))
	}
	return time.Duration(seconds) * time.Second, nil
}
