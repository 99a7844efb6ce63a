package handlers

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// viewAs handles POST /admin/view-as.
func (s *Server) viewAs(c echo.Context) error {
	var in struct {
		User   uuid.UUID `json:"user"`
		Reason string    `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	v, err := s.Identity.ViewAs(c.Request().Context(), in.User, in.Reason)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, map[string]any{"user": s.userView(v.Viewed), "reason": v.Reason, "started_at": v.Started.UTC(), "ends_at": v.Ends.UTC()})
}

// stopViewing handles DELETE /admin/view-as.
func (s *Server) stopViewing(c echo.Context) error {
	if err := s.Identity.StopViewing(c.Request().Context()); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "stopped"})
}

// endsViewing reports whether a request is one of those that end a look as somebody
// else: all else that changes something is refused during one.
func endsViewing(r *http.Request) bool {
	switch r.URL.Path {
	case "/admin/view-as":
		return r.Method == http.MethodDelete
	case views.PathViewStop, views.PathSignOut, "/auth/logout":
		return r.Method == http.MethodPost
	}
	return false
}

// viewing keeps a look as somebody else from changing anything, and puts each page
// that is looked at on record, before it is answered.
func (s *Server) viewing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		who := actor.From(r.Context())
		if !who.Viewing() || endsViewing(r) {
			return next(c)
		}
		c.Set(routed, "view_as.page")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return fault.New(fault.Denied, "view_as.read_only", "You look as %s, which changes nothing; stop that first.", who.OnBehalf.Name)
		}
		if err := s.Gate.Record(r.Context(), audit.Entry{Action: "view_as.page", Object: r.URL.Path, Outcome: audit.OK}); err != nil {
			return err
		}
		return next(c)
	}
}

// notShown says why a page that the person looked as would see is refused to
// whoever looks, which they would not find out otherwise; any other refusal stays.
func notShown(who actor.Actor, needs trait.Set, err error) error {
	if f := fault.Of(err); f.Kind == fault.Denied && who.Viewing() && !needs.Empty() && who.OnBehalf.Traits.Covers(needs) {
		told := *f
		told.Code, told.Sentence = "view_as.beyond", who.OnBehalf.Name+" sees this page, and you may not: looking as somebody shows no more than you may see yourself."
		return &told
	}
	return err
}
