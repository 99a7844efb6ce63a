package handlers

import (
	"encoding/json"
	"net/http"
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

// wantedEvents returns what tells whether an event is among those a query asks for.
func wantedEvents(c echo.Context) func(canonical.Event) bool {
	typ, plugin, trace := c.QueryParam("type"), c.QueryParam("plugin"), c.QueryParam("trace")
	return func(e canonical.Event) bool {
		return (typ == "" || e.Type == typ) && (plugin == "" || e.Publisher == plugin) && (trace == "" || e.Trace == trace)
	}
}

// listEvents handles GET /messaging/events: the newest, the newest first.
func (s *Server) listEvents(c echo.Context) error {
	limit, err := pageSize(c, 50, mostEvents)
	if err != nil {
		return err
	}
	all, err := s.Events.Recent(c.Request().Context(), mostEvents)
	if err != nil {
		return err
	}
	items, fits := []eventView{}, wantedEvents(c)
	for _, e := range all {
		if fits(e) && len(items) < limit {
			items = append(items, eventOf(e))
		}
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
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
	out, fits := sse(c), wantedEvents(c)
	ctx, stop := s.whileGood(c.Request().Context())
	defer stop()
	if err := out.comment("open"); err != nil {
		return nil // the reader has gone
	}
	return s.Events.Tail(ctx, func(e canonical.Event) error {
		if !fits(e) {
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
