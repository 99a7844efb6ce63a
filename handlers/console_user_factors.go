package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// resetFactorsAt is where the second factors of a person are removed, below them.
const resetFactorsAt = "reset-factors"

// userFactors is what their page shows of a person's second factors; nil for
// somebody deleted, who has none.
func (v *visit) userFactors(ctx context.Context, u identity.User, why *views.Why) (*views.UserFactors, error) {
	if u.Status == identity.Deleted {
		return nil, nil
	}
	has, err := v.Identity.Factors(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	f := &views.UserFactors{Since: when(has.TOTP), Codes: has.RecoveryCodes, Required: has.Required, Due: when(has.Due)}
	for _, k := range has.Passkeys {
		f.Passkeys = append(f.Passkeys, views.PasskeyRow{Name: k.Name, Added: k.Added, LastUsed: k.LastUsed})
	}
	if v.isSelf(u) {
		why = &views.Why{Text: "Your own are changed on your account page."}
	}
	if !has.None() {
		f.Reset = &views.Action{Label: "Reset", Object: "the second factors of " + u.Name, Danger: true, Ask: true, Href: userPath(u, resetFactorsAt), Why: why}
	}
	return f, nil
}

// askResetFactors handles GET /console/users/:id/reset-factors.
func (s *Server) askResetFactors(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.confirmResetFactors(c, http.StatusOK, u, "")
}

// confirmResetFactors says what is removed, and what comes of it.
func (s *Server) confirmResetFactors(c echo.Context, status int, u identity.User, refused string) error {
	has, err := s.Identity.Factors(c.Request().Context(), u.ID)
	if err != nil {
		return err
	}
	gone := []string{count(len(has.Passkeys), "passkey", "passkeys"), count(has.RecoveryCodes, "recovery code", "recovery codes")}
	if has.TOTP != nil {
		gone = append([]string{"the authenticator app"}, gone...)
	}
	q := userQuestion(c, u, "Reset", resetFactorsAt)
	q.Title = "Reset the second factors of " + u.Name + "?"
	q.Text = "For somebody who lost theirs; make sure by another way that it is them. They are signed out everywhere, and their password alone lets them in again."
	if has.Required {
		q.Text = "For somebody who lost theirs; make sure by another way that it is them. They are signed out everywhere, and after their password they can do nothing but set up a new one."
	}
	q.Action.Icon, q.Action.Danger, q.Error = "lock-keyhole", true, refused
	q.Reach = []views.KV{{Label: "Removed", Value: joined(gone)}}
	return s.askedOf(c, status, u, q)
}

// resetUserFactors handles POST to the same.
func (s *Server) resetUserFactors(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	if err := s.Identity.ResetFactors(c.Request().Context(), u.ID); err != nil {
		if f := fault.Of(err); isRefusal(f) {
			return s.confirmResetFactors(c, http.StatusUnprocessableEntity, u, f.Sentence)
		}
		return err
	}
	return s.done(c, flash{Text: "The second factors of " + u.Name + " are removed, and they are signed out."}, back(c, userPath(u)))
}
