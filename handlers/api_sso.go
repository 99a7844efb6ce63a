package handlers

import (
	"encoding/json"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/core/trait"
)

// apiSSO is the part of the table that keeps identity providers.
func (s *Server) apiSSO() []route {
	people := []trait.ID{trait.UserManager}
	const one, attempt = "/admin/sso/:provider", "/admin/sso/:provider/attempts/:attempt"
	return []route{
		{method: get, path: "/admin/sso", who: users, needs: people, action: "sso.view", handler: s.listProviders},
		{method: post, path: "/admin/sso", who: users, needs: people, action: "sso.change", fresh: true, handler: s.addProvider, body: 256 << 10},
		{method: get, path: one, who: users, needs: people, action: "sso.view", handler: s.showProvider},
		{method: put, path: one, who: users, needs: people, action: "sso.change", fresh: true, handler: s.setProvider, body: 256 << 10},
		{method: del, path: one, who: users, needs: people, action: "sso.change", fresh: true, handler: s.removeProvider},
		{method: post, path: one + "/check", who: users, needs: people, action: "sso.view", handler: s.checkProvider, slow: true},
		{method: post, path: one + "/dry-run", who: users, needs: people, action: "sso.view", handler: s.dryRun, body: 256 << 10},
		{method: get, path: one + "/attempts", who: users, needs: people, action: "sso.view", handler: s.listAttempts},
		{method: get, path: attempt, who: users, needs: people, action: "sso.view", handler: s.showAttempt},
		{method: post, path: attempt + "/link", who: users, needs: people, action: "sso.link", fresh: true, handler: s.linkAttempt},
		{method: get, path: "/admin/users/:id/identities", who: users, needs: people, action: "user.view", handler: s.listIdentities},
		{method: del, path: "/admin/users/:id/identities/:identity", who: users, needs: people, action: "sso.link", fresh: true, handler: s.unlinkIdentity},
	}
}

// listProviders handles GET /admin/sso.
func (s *Server) listProviders(c echo.Context) error {
	items, err := s.SSO.Providers(c.Request().Context())
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "local_login": s.Identity.LocalLogin()})
}

// showProvider handles GET /admin/sso/:provider.
func (s *Server) showProvider(c echo.Context) error {
	p, err := s.SSO.Provider(c.Request().Context(), c.Param("provider"))
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, p)
}

// addProvider handles POST /admin/sso.
func (s *Server) addProvider(c echo.Context) error {
	in := sso.Draft{Enabled: true}
	if err := bind(c, &in); err != nil {
		return err
	}
	p, err := s.SSO.Create(c.Request().Context(), in)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusCreated, p)
}

// setProvider handles PUT /admin/sso/:provider. What is left out takes its default,
// but the client secret, which stays.
func (s *Server) setProvider(c echo.Context) error {
	in := sso.Draft{Enabled: true}
	if err := bind(c, &in); err != nil {
		return err
	}
	p, err := s.SSO.Update(c.Request().Context(), c.Param("provider"), in)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, p)
}

// removeProvider handles DELETE /admin/sso/:provider.
func (s *Server) removeProvider(c echo.Context) error {
	if err := s.SSO.Delete(c.Request().Context(), c.Param("provider")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// checkProvider handles POST /admin/sso/:provider/check: what the provider says of itself now.
func (s *Server) checkProvider(c echo.Context) error {
	found, err := s.SSO.Check(c.Request().Context(), c.Param("provider"))
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, found)
}

// dryRun handles POST /admin/sso/:provider/dry-run: which roles and traits claims
// would give, by the rules sent or those in force. Without claims those of the last
// sign-in are taken.
func (s *Server) dryRun(c echo.Context) error {
	var in struct {
		Claims json.RawMessage `json:"claims"`
		Rules  []sso.Rule      `json:"rules"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	ctx := c.Request().Context()
	p, err := s.SSO.Provider(ctx, c.Param("provider"))
	if err != nil {
		return err
	}
	rules := p.Rules
	if in.Rules != nil {
		rules = in.Rules
	}
	doc, err := s.claimsToTry(c, p, in.Claims)
	if err != nil {
		return err
	}
	m, err := s.SSO.DryRun(ctx, doc, rules)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, m)
}

// claimsToTry returns the claims that were pasted, else those of the last sign-in.
func (s *Server) claimsToTry(c echo.Context, p sso.Provider, pasted []byte) (sso.Document, error) {
	if len(pasted) == 0 || string(pasted) == "null" {
		doc, _, err := s.SSO.LastClaims(c.Request().Context(), p.ID)
		return doc, err
	}
	doc, err := sso.ParseDocument(pasted)
	if err != nil {
		return nil, fault.New(fault.Unprocessable, "sso.claims", "These are no claims: %s.", err).Because(err)
	}
	return doc, nil
}

// attemptView is an attempt as the API shows it: its claims masked.
type attemptView struct {
	sso.Attempt
	Claims json.RawMessage `json:"claims,omitempty"`
}

// listAttempts handles GET /admin/sso/:provider/attempts.
func (s *Server) listAttempts(c echo.Context) error {
	ctx := c.Request().Context()
	limit, err := pageSize(c, 30, 100)
	if err != nil {
		return err
	}
	p, err := s.SSO.Provider(ctx, c.Param("provider"))
	if err != nil {
		return err
	}
	f := sso.AttemptFilter{Provider: p.ID, Limit: limit}
	if raw := c.QueryParam("cursor"); raw != "" {
		if f.Before, err = uuid.Parse(raw); err != nil {
			return fault.New(fault.Invalid, "query.cursor", "The cursor is the one of the page before.")
		}
	}
	items, err := s.SSO.Attempts(ctx, f)
	if err != nil {
		return err
	}
	next := ""
	if len(items) == limit {
		next = items[len(items)-1].ID.String()
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "next_cursor": next})
}

// attemptOf returns the attempt the address names.
func (s *Server) attemptOf(c echo.Context) (sso.Attempt, error) {
	id, _ := uuid.Parse(c.Param("attempt")) // what is no id is nobody's
	a, err := s.SSO.Attempt(c.Request().Context(), id)
	if err == nil && a.Provider != c.Param("provider") {
		err = fault.New(fault.NotFound, "sso.attempt", "There is no such attempt; they are kept for thirty days.")
	}
	return a, err
}

// showAttempt handles GET /admin/sso/:provider/attempts/:attempt.
func (s *Server) showAttempt(c echo.Context) error {
	a, err := s.attemptOf(c)
	if err != nil {
		return err
	}
	masked, err := s.maskedClaims(c, a)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, attemptView{a, json.RawMessage(masked)})
}

// maskedClaims returns the claims of an attempt as they may be shown; "" for none.
func (s *Server) maskedClaims(c echo.Context, a sso.Attempt) (string, error) {
	doc, err := s.SSO.ClaimsOf(a)
	if err != nil || doc == nil {
		return "", err
	}
	p, err := s.SSO.Provider(c.Request().Context(), a.Provider)
	if err != nil {
		return "", err
	}
	return doc.Masked(p.Reads()), nil
}

// linkAttempt handles POST /admin/sso/:provider/attempts/:attempt/link.
func (s *Server) linkAttempt(c echo.Context) error {
	var in struct {
		User uuid.UUID `json:"user_id"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	a, err := s.attemptOf(c)
	if err != nil {
		return err
	}
	if err := s.SSO.LinkAttempt(c.Request().Context(), a.ID, in.User); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// listIdentities handles GET /admin/users/:id/identities.
func (s *Server) listIdentities(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	items, err := s.Identity.Linked(c.Request().Context(), u.ID)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items})
}

// unlinkIdentity handles DELETE /admin/users/:id/identities/:identity.
func (s *Server) unlinkIdentity(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	id, err := idParam(c, "identity")
	if err != nil {
		return err
	}
	if err := s.Identity.Unlink(c.Request().Context(), u.ID, id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
