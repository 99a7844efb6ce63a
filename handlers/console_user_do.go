package handlers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// saveRoles handles POST /console/users/:id/roles.
func (s *Server) saveRoles(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	held, err := s.Identity.Effective(ctx, u.ID)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	after, err := s.Identity.SetRoles(ctx, u.ID, keepEnds(in["roles"], held))
	if err == nil {
		switch {
		case slices.Equal(after.Roles, u.Roles):
			return s.done(c, flash{Tone: views.Info, Text: u.Name + " has these roles already."}, userPath(u))
		case v.isSelf(u):
			return signedOut(c, "ended")
		}
		return s.done(c, flash{Text: "The roles of " + u.Name + " are saved. Their sessions have ended; they sign in again."}, userPath(u))
	}
	f := fault.Of(err)
	if !isForm(f) && !isRefusal(f) {
		return err
	}
	props, err := v.user(ctx, u)
	if err != nil {
		return err
	}
	if props.RolesWhy != nil { // nothing was to be filled in
		return f
	}
	choices(props.Roles.Options, in["roles"])
	props.Roles.Error = f.Sentence
	return answerUser(c, v, http.StatusUnprocessableEntity, u, props)
}

// keepEnds returns the roles to give: those held already keep their end and their
// reason, so that saving a form makes nothing last longer.
func keepEnds(names []string, held []identity.Held) []identity.RoleGrant {
	given := map[string]identity.Source{}
	for _, h := range held {
		for _, from := range h.From {
			if from.From == identity.FromRole {
				given[from.Name] = from
			}
		}
	}
	grants := roleGrants(names)
	for i := range grants {
		was := given[grants[i].Role]
		grants[i].Expires, grants[i].Reason = was.Expires, was.Reason
	}
	return grants
}

// suspendUser handles POST /console/users/:id/suspend: their sessions, keys and
// links end at once.
func (s *Server) suspendUser(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	if f := v.notOneself(u); f != nil {
		return s.confirmSuspend(c, http.StatusUnprocessableEntity, u, f.Sentence)
	}
	if _, err := s.Identity.Suspend(c.Request().Context(), u.ID, strings.TrimSpace(in.Get("reason"))); err != nil {
		if f := fault.Of(err); isRefusal(f) {
			return s.confirmSuspend(c, http.StatusUnprocessableEntity, u, f.Sentence)
		}
		return err
	}
	return s.done(c, flash{Text: u.Name + " is suspended.", Undo: userPath(u, "restore")}, back(c, userPath(u)))
}

// restoreUser handles POST /console/users/:id/restore.
func (s *Server) restoreUser(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	after, err := s.Identity.Reactivate(c.Request().Context(), u.ID)
	if err != nil {
		return err
	}
	told := flash{Text: u.Name + " may sign in again."}
	if after.Status == identity.Invited {
		told.Text = u.Name + " is invited again; make a new link to send."
	}
	return s.done(c, told, back(c, userPath(u)))
}

// removeUser handles POST /console/users/:id/delete.
func (s *Server) removeUser(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	if f := v.notOneself(u); f != nil {
		return s.confirmDelete(c, http.StatusUnprocessableEntity, u, f.Sentence)
	}
	if strings.TrimSpace(in.Get("typed")) != u.Email {
		return s.confirmDelete(c, http.StatusUnprocessableEntity, u, "What was typed is not "+u.Email+"; nothing was changed.")
	}
	if err := s.Identity.Delete(c.Request().Context(), u.ID); err != nil {
		if f := fault.Of(err); isRefusal(f) {
			return s.confirmDelete(c, http.StatusUnprocessableEntity, u, f.Sentence)
		}
		return err
	}
	to := back(c, views.PathUsers)
	if strings.HasPrefix(to, userPath(u)) {
		to = views.PathUsers // their own page is over
	}
	return s.done(c, flash{Text: u.Name + " is deleted."}, to)
}

// makeLink handles POST /console/users/:id/link. The answer shows the link, this
// once.
func (s *Server) makeLink(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	link, err := s.Identity.NewLink(c.Request().Context(), u.ID)
	if err != nil {
		if f := fault.Of(err); isRefusal(f) {
			return s.confirmLink(c, http.StatusUnprocessableEntity, u, f.Sentence)
		}
		return err
	}
	return answerInvite(c, s.visit(c.Request()), http.StatusCreated, s.linkForm(link))
}

// endUserSession handles POST /console/users/:id/sessions/:session/revoke.
func (s *Server) endUserSession(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.endSessionOf(c, u.ID, userPath(u))
}

// revokeUserKey handles POST /console/users/:id/keys/:key/revoke.
func (s *Server) revokeUserKey(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	k, err := s.keyAt(c, u.ID)
	if err != nil {
		return err
	}
	if err := s.Identity.RevokeAPIKey(c.Request().Context(), k.ID); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The key " + k.Name + " of " + u.Name + " is revoked."}, back(c, userPath(u)))
}

// keyAt returns the key that the address names, which must be the person's.
func (s *Server) keyAt(c echo.Context, owner uuid.UUID) (identity.APIKey, error) {
	id, err := idParam(c, "key")
	if err != nil {
		return identity.APIKey{}, err
	}
	keys, err := s.Identity.APIKeys(c.Request().Context(), owner)
	if err != nil {
		return identity.APIKey{}, err
	}
	i := slices.IndexFunc(keys, func(k identity.APIKey) bool { return k.ID == id && k.RevokedAt == nil })
	if i < 0 {
		return identity.APIKey{}, fault.New(fault.NotFound, "key.unknown", "There is no such key; it may have been revoked.")
	}
	return keys[i], nil
}
