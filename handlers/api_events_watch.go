package handlers

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/canonical"
)

// eventView is an event as whoever looks may see it.
type eventView struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Source   string          `json:"source"`
	Subject  string          `json:"subject,omitempty"`
	Time     time.Time       `json:"time"`
	Trace    string          `json:"trace_id"`
	Classes  []string        `json:"classification"`
	Sequence uint64          `json:"sequence"`
	Data     json.RawMessage `json:"data,omitempty"`
	Redacted []string        `json:"redacted,omitempty"`
	Withheld string          `json:"withheld,omitempty"` // why nothing of the data is shown
}

func eventOf(e canonical.Event) eventView {
	v := eventView{
		ID: e.ID, Type: e.Type, Source: e.Publisher, Subject: e.Subject, Time: e.Time.UTC(), Trace: e.Trace, Classes: e.Classes.Names(), Sequence: e.Sequence,
		Data: e.Data, Redacted: e.Removed, Withheld: e.Withheld,
	}
	if v.Classes == nil {
		v.Classes = []string{}
	}
	return v
}

// eventQuery reads what events are asked for.
func eventQuery(c echo.Context) (canonical.Query, error) {
	q := canonical.Query{
		ID: c.QueryParam("id"), Type: c.QueryParam("type"), Source: c.QueryParam("plugin"), Subject: c.QueryParam("subject"),
		Trace: c.QueryParam("trace"), Class: c.QueryParam("class"),
	}
	for name, into := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		raw := c.QueryParam(name)
		if raw == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, raw)
		if err != nil {
			return q, fault.New(fault.Invalid, "query."+name, "%s is a time such as 2026-03-17T14:00:00Z.", name)
		}
		*into = at
	}
	return q, q.Check()
}

// listEvents handles GET /messaging/events: those that fit, the newest first.
func (s *Server) listEvents(c echo.Context) error {
	q, err := eventQuery(c)
	if err != nil {
		return err
	}
	if q.Most, err = pageSize(c, 50, mostEvents); err != nil {
		return err
	}
	if raw := c.QueryParam("cursor"); raw != "" {
		if q.Before, err = strconv.ParseUint(raw, 10, 64); err != nil || q.Before == 0 {
			return fault.New(fault.Invalid, "query.cursor", "The cursor is none that this core gave; begin without one.")
		}
	}
	found, err := s.Events.Search(c.Request().Context(), q)
	if err != nil {
		return err
	}
	items, next := []eventView{}, ""
	for _, e := range found.Events {
		items = append(items, eventOf(e))
	}
	if found.Next > 0 {
		next = strconv.FormatUint(found.Next, 10)
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": next})
}

// showEvent handles GET /messaging/events/:id.
func (s *Server) showEvent(c echo.Context) error {
	e, err := s.Events.Find(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, eventOf(e))
}

// tailEvents handles GET /messaging/events/tail: new events as they come.
func (s *Server) tailEvents(c echo.Context) error {
	q, err := eventQuery(c)
	if err != nil {
		return err
	}
	out := sse(c)
	ctx, stop := s.whileGood(c.Request().Context())
	defer stop()
	if err := out.comment("open"); err != nil {
		return nil // the reader has gone
	}
	return s.Events.Tail(ctx, func(e canonical.Event) error {
		if !q.Fits(e) {
			return nil
		}
		body, err := json.Marshal(eventOf(e))
		if err != nil {
			return err
		}
		return out.send(e.ID, e.Type, body)
	})
}

// replayEvent handles POST /messaging/events/:id/replay.
func (s *Server) replayEvent(c echo.Context) error {
	var in struct {
		Plugin   string `json:"plugin"`
		Consumer string `json:"consumer"`
		Reason   string `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	if in.Plugin == "" {
		return fault.New(fault.Unprocessable, "event.receiver", "Say which plugin is to receive it once more.")
	}
	if err := s.Events.ReplayEvent(c.Request().Context(), c.Param("id"), in.Plugin, in.Consumer, in.Reason); err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, map[string]string{"status": "replayed", "event_id": c.Param("id"), "plugin": in.Plugin})
}

// replayFrom handles POST /messaging/consumers/:id/replay.
func (s *Server) replayFrom(c echo.Context) error {
	var in struct {
		Consumer  string    `json:"consumer"`
		Beginning bool      `json:"beginning"`
		Time      time.Time `json:"time"`
		Event     string    `json:"event_id"`
		Reason    string    `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	from := canonical.From{Beginning: in.Beginning, Time: in.Time, Event: in.Event}
	first, err := s.Events.ReplayFrom(c.Request().Context(), c.Param("id"), in.Consumer, from, in.Reason)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, map[string]any{"status": "replaying", "plugin": c.Param("id"), "sequence": first})
}
