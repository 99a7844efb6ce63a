package handlers

import (
	"context"
	"net/http"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// viewNote says on each page as whom whoever looks does so, with the way out; nil
// when they do so as themselves.
func (v *visit) viewNote(ctx context.Context) *views.Banner {
	if v.viewer == nil {
		return nil
	}
	b := &views.Banner{
		Tone: views.Warn, Title: "You look as " + v.who.Name + ".", Text: "Nothing can be changed, and you see no more than you may yourself. Each page is recorded.",
		Actions: []views.Action{{Label: "Stop", Icon: "eye", Href: views.PathViewStop}},
	}
	// The way out is there also when the end is not known.
	if look, ok, err := v.Identity.Viewing(ctx); err == nil && ok {
		b.Title = "You look as " + v.who.Name + " until " + look.Ends.In(v.zone()).Format("15:04") + "."
	}
	return b
}

// noted puts the note before a part of a page, which stands for the whole of it.
func (v *visit) noted(ctx context.Context, body templ.Component) templ.Component {
	if note := v.viewNote(ctx); note != nil {
		return templ.Join(views.Notice(*note), body)
	}
	return body
}

// askViewAs handles GET /console/users/:id/view-as.
func (s *Server) askViewAs(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.confirmViewAs(c, http.StatusOK, u, "")
}

// confirmViewAs asks for a reason, and says what will be seen.
func (s *Server) confirmViewAs(c echo.Context, status int, u identity.User, refused string) error {
	q := userQuestion(c, u, "View as", "view-as")
	q.Title = "View the console as " + u.Name + "?"
	q.Text = "For 15 minutes you see what " + u.Name + " sees, but no more than you may see yourself. Nothing can be changed meanwhile. The beginning, the end and each page are recorded."
	q.Action.Label, q.Action.Icon, q.Error = "Start", "eye", refused
	q.Fields = []views.Field{{Name: "reason", Label: "Reason", Help: "Kept in the audit.", MaxLength: 500, Required: true, Value: c.FormValue("reason"), Focus: true}}
	return s.askedOf(c, status, u, q)
}

// startViewing handles POST /console/users/:id/view-as.
func (s *Server) startViewing(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	if _, err := s.Identity.ViewAs(c.Request().Context(), u.ID, in.Get("reason")); err != nil {
		if f := fault.Of(err); isForm(f) || isRefusal(f) {
			return s.confirmViewAs(c, http.StatusUnprocessableEntity, u, f.Sentence)
		}
		return err
	}
	return wholePage(c, views.PathOverview)
}

// endViewing handles POST /console/view-as/stop.
func (s *Server) endViewing(c echo.Context) error {
	if err := s.Identity.StopViewing(c.Request().Context()); err != nil {
		return err
	}
	s.keepFlash(c, flash{Text: "You look as yourself again."})
	return wholePage(c, views.PathUsers)
}

// wholePage leads to a page that replaces all there is, the rail too.
func wholePage(c echo.Context, to string) error {
	if isPart(c.Request()) {
		c.Response().Header().Set("HX-Redirect", to)
		return c.NoContent(http.StatusOK)
	}
	return c.Redirect(http.StatusSeeOther, to)
}
