package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/views"
)

// invitePage handles GET /invite.
func (s *Server) invitePage(c echo.Context) error {
	token := c.QueryParam("token")
	u, err := s.Identity.Invited(c.Request().Context(), token)
	if err != nil {
		return s.inviteGone(c, err)
	}
	name, _, password := accountFields(u.Name, "")
	return s.inviteForm(c, http.StatusOK, u, views.Invite{Token: token, Fields: []views.Field{*name, *password}})
}

// inviteForm draws the page behind a one-time link.
func (s *Server) inviteForm(c echo.Context, status int, u identity.User, p views.Invite) error {
	p.Org, p.Email, p.Rules = s.Settings.String(settings.Organisation), u.Email, passwordRules
	p.Reset = u.Status == identity.Active
	roles, err := s.roleLabels(c.Request().Context(), u.Roles)
	if err != nil {
		return err
	}
	p.Roles = roles
	return draw(c, s.visit(c.Request()), status, views.InvitePage(p))
}

// inviteGone says that a link does not work any more; any other error stays one.
func (s *Server) inviteGone(c echo.Context, err error) error {
	f := fault.Of(err)
	if f.Kind != fault.Gone {
		return err
	}
	return draw(c, s.visit(c.Request()), http.StatusGone, views.InvitePage(views.Invite{Gone: f.Sentence}))
}

// acceptInvite handles POST /invite: it sets the password and signs the person in.
func (s *Server) acceptInvite(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	ctx, token := c.Request().Context(), in.Get("token")
	u, err := s.Identity.Invited(ctx, token)
	if err != nil {
		return s.inviteGone(c, err)
	}
	joined, err := s.Identity.AcceptInvitation(ctx, token, in.Get("name"), in.Get("password"))
	if err == nil {
		granted, err := s.login(c, joined.Email, in.Get("password"))
		if err != nil {
			return err
		}
		return s.enter(c, granted, views.PathOverview)
	}
	f := fault.Of(err)
	if !isForm(f) {
		return s.inviteGone(c, err)
	}
	name, _, password := accountFields(in.Get("name"), "")
	p := views.Invite{Token: token, Errors: corrections(f, name, password)}
	p.Fields = []views.Field{*name, *password}
	return s.inviteForm(c, http.StatusUnprocessableEntity, u, p)
}
