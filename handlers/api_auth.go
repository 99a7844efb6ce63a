package handlers

import (
	"cmp"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// jwks handles GET /.well-known/jwks.json.
func (s *Server) jwks(c echo.Context) error {
	set, err := s.Identity.JWKS(c.Request().Context())
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=60")
	return c.JSON(http.StatusOK, set)
}

// setup handles POST /setup with JSON.
func (s *Server) setup(c echo.Context) error {
	var in struct{ Token, Email, Name, Password string }
	if err := bind(c, &in); err != nil {
		return err
	}
	user, err := s.Identity.CompleteSetup(c.Request().Context(), in.Token, in.Email, in.Name, in.Password)
	if err != nil {
		return err
	}
	s.SetUp()
	return noStore(c, http.StatusCreated, map[string]any{"user": s.userView(user)})
}

// logIn handles POST /auth/login.
func (s *Server) logIn(c echo.Context) error {
	var in struct {
		Username string `json:"username"`
		Email    string `json:"email"`
		Password string `json:"password"`
		OTP      string `json:"otp"`
		Reason   string `json:"reason"` // of an account for emergencies
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	var granted identity.Grant
	var err error
	ctx, account := c.Request().Context(), cmp.Or(in.Email, in.Username)
	if in.Reason == "" {
		granted, err = s.Identity.Login(ctx, identity.SignIn{Account: account, Password: in.Password, Code: in.OTP, Client: program(c)})
	} else {
		granted, err = s.Identity.BreakTheGlass(ctx, identity.Emergency{Account: account, Password: in.Password, Reason: in.Reason, Client: program(c)})
	}
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{
		"token": granted.Secret, "expires_in": int(time.Until(granted.Session.ExpiresAt).Seconds()), "user": s.userView(granted.User), "mfa_required": false,
	})
}

// program is who asks as a client of sessions: not a browser.
func program(c echo.Context) identity.Client {
	return identity.Client{Kind: identity.KindToken, UserAgent: c.Request().UserAgent()}
}

// me handles GET /auth/me.
func (s *Server) me(c echo.Context) error {
	ctx := c.Request().Context()
	id, err := uuid.Parse(actor.From(ctx).ID)
	if err != nil {
		return fault.New(fault.Denied, "identity.people_only", "This address answers people only.")
	}
	user, err := s.Identity.User(ctx, id)
	if err != nil {
		return err
	}
	v := s.userView(user)
	// A key carries less than its owner: what counts is what this credential may.
	v.Traits = s.Registry.Snapshot().Traits().Names(actor.From(ctx).Traits)
	return noStore(c, http.StatusOK, v)
}

// logout handles POST /auth/logout.
func (s *Server) logout(c echo.Context) error {
	if err := s.Identity.Logout(c.Request().Context()); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "signed out"})
}

// userView is a person as the API shows it.
type userView struct {
	ID        uuid.UUID   `json:"id"`
	Username  string      `json:"username"`
	Email     string      `json:"email"`
	Name      string      `json:"name"`
	Source    string      `json:"source"`
	Status    string      `json:"status"`
	Roles     []string    `json:"roles"` // given by hand
	Groups    []groupName `json:"groups"`
	Traits    []string    `json:"traits"`
	CreatedAt time.Time   `json:"created_at"`
	LastLogin *time.Time  `json:"last_login_at"`
}

func (s *Server) userView(u identity.User) userView {
	roles := u.Roles
	if roles == nil {
		roles = []string{}
	}
	return userView{
		ID: u.ID, Username: u.Email, Email: u.Email, Name: u.Name, Source: u.Source, Status: string(u.Status), Roles: roles, Groups: groupsOf(u),
		Traits: s.Registry.Snapshot().Traits().Names(u.Traits), CreatedAt: u.CreatedAt.UTC(), LastLogin: u.LastLogin,
	}
}
