package handlers

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/canonical"
)

// letterView is a dead letter. The data of its event is read at the event.
type letterView struct {
	ID         string     `json:"id"`
	Plugin     string     `json:"plugin"`
	Consumer   string     `json:"consumer,omitempty"`
	EventID    string     `json:"event_id"`
	EventType  string     `json:"event_type"`
	Source     string     `json:"source"`
	Trace      string     `json:"trace_id"`
	Classes    []string   `json:"classification"`
	EventTime  time.Time  `json:"event_time"`
	Attempts   int        `json:"attempts"`
	Reason     string     `json:"reason"`
	Time       time.Time  `json:"time"`
	State      string     `json:"state"`
	SettledAt  *time.Time `json:"settled_at,omitempty"`
	SettledBy  string     `json:"settled_by,omitempty"`
	SettledWhy string     `json:"settled_why,omitempty"`
}

func letterOf(d canonical.DeadLetter) letterView {
	v := letterView{
		ID: d.ID.String(), Plugin: d.Plugin, Consumer: d.Consumer, EventID: d.EventID, EventType: d.EventType, Source: d.Publisher, Trace: d.Trace,
		Classes: append([]string{}, d.Classes.Names()...), EventTime: d.EventAt.UTC(), Attempts: d.Attempts, Reason: d.Reason, Time: d.DiedAt.UTC(),
		State: d.State, SettledBy: d.SettledBy, SettledWhy: d.SettledWhy,
	}
	if d.SettledAt != nil {
		at := d.SettledAt.UTC()
		v.SettledAt = &at
	}
	return v
}

// letterStates are the states of a dead letter, as a query names them.
var letterStates = []string{canonical.LetterWaiting, canonical.LetterReplayed, canonical.LetterDiscarded}

// listLetters handles GET /messaging/dead-letters.
func (s *Server) listLetters(c echo.Context) error {
	f := canonical.LetterFilter{
		Plugin: c.QueryParam("plugin"), Type: c.QueryParam("type"), Event: c.QueryParam("event"), State: c.QueryParam("state"), Search: c.QueryParam("q"),
	}
	if f.State != "" && !slices.Contains(letterStates, f.State) {
		return fault.New(fault.Invalid, "query.state", "state is waiting, replayed or discarded.")
	}
	limit, err := pageSize(c, 50, 500)
	if err != nil {
		return err
	}
	f.Most = limit
	if raw := c.QueryParam("cursor"); raw != "" {
		if f.After, err = readPlace(raw); err != nil {
			return err
		}
	}
	letters, err := s.Events.DeadLetters(c.Request().Context(), f)
	if err != nil {
		return err
	}
	items, next := []letterView{}, ""
	for _, d := range letters {
		items = append(items, letterOf(d))
	}
	if len(letters) == limit {
		last := letters[limit-1]
		next = writePlace(canonical.Place{At: last.DiedAt, ID: last.ID})
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": next})
}

// writePlace writes where a page of dead letters ended, as a cursor.
func writePlace(p canonical.Place) string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.At.UTC().Format(time.RFC3339Nano) + " " + p.ID.String()))
}

func readPlace(raw string) (*canonical.Place, error) {
	bad := fault.New(fault.Invalid, "query.cursor", "The cursor is none that this core gave; begin without one.")
	text, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil {
		return nil, bad
	}
	at, id, _ := strings.Cut(string(text), " ")
	var p canonical.Place
	if p.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return nil, bad
	}
	if p.ID, err = uuid.Parse(id); err != nil {
		return nil, bad
	}
	return &p, nil
}

// letterID reads which dead letter a path names.
func letterID(c echo.Context) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return id, fault.New(fault.NotFound, "event.dead_letter", "There is no dead letter with this id.")
	}
	return id, nil
}

// showLetter handles GET /messaging/dead-letters/:id.
func (s *Server) showLetter(c echo.Context) error {
	id, err := letterID(c)
	if err != nil {
		return err
	}
	d, err := s.Events.DeadLetter(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, letterOf(d))
}

// reasonIn is the body of what somebody orders, with the reason.
type reasonIn struct {
	Reason string `json:"reason"`
}

// replayLetter handles POST /messaging/dead-letters/:id/replay.
func (s *Server) replayLetter(c echo.Context) error {
	return s.settledLetter(c, func(id uuid.UUID, why string) error { return s.Events.ReplayLetter(c.Request().Context(), id, why) })
}

// discardLetter handles POST /messaging/dead-letters/:id/discard.
func (s *Server) discardLetter(c echo.Context) error {
	return s.settledLetter(c, func(id uuid.UUID, why string) error { return s.Events.DiscardLetter(c.Request().Context(), id, why) })
}

// settledLetter does something about a dead letter and answers with it.
func (s *Server) settledLetter(c echo.Context, do func(id uuid.UUID, why string) error) error {
	id, err := letterID(c)
	if err != nil {
		return err
	}
	var in reasonIn
	if err := bind(c, &in); err != nil {
		return err
	}
	if err := do(id, in.Reason); err != nil {
		return err
	}
	d, err := s.Events.DeadLetter(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, letterOf(d))
}

// replayLetters handles POST /messaging/dead-letters/replay: all that wait and fit.
func (s *Server) replayLetters(c echo.Context) error {
	var in struct {
		Plugin string `json:"plugin"`
		Type   string `json:"type"`
		Reason string `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	n, err := s.Events.ReplayLetters(c.Request().Context(), canonical.LetterFilter{Plugin: in.Plugin, Type: in.Type}, in.Reason)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]int{"replayed": n})
}
