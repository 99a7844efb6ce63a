package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// userOf returns the person the address names.
func (s *Server) userOf(c echo.Context) (identity.User, error) {
	id, err := idParam(c, "id")
	if err != nil {
		return identity.User{}, fault.New(fault.NotFound, "user.unknown", "There is no such person.")
	}
	return s.Identity.User(c.Request().Context(), id)
}

// userPath is the address of a person's page, or of what is below it.
func userPath(u identity.User, below ...string) string {
	return views.UserPath(u.ID.String(), below...)
}

// userFrame is where a person's pages stand.
func userFrame(u identity.User, href string) frame {
	return at(views.PathUsers, "People", "", "Users", views.PathUsers, u.Name, href)
}

// userPage handles GET /console/users/:id.
func (s *Server) userPage(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	props, err := v.user(c.Request().Context(), u)
	if err != nil {
		return err
	}
	return answerUser(c, v, http.StatusOK, u, props)
}

func answerUser(c echo.Context, v *visit, status int, u identity.User, props views.UserDetail) error {
	return answer(c, v, status, userFrame(u, ""), props, views.UserPage, views.UserBody)
}

// user is the page of a person.
func (v *visit) user(ctx context.Context, u identity.User) (views.UserDetail, error) {
	roles, err := v.Identity.Roles(ctx)
	if err != nil {
		return views.UserDetail{}, err
	}
	why := v.whyNot(ctx, u, "")
	props := views.UserDetail{
		UserRow: v.userRow(u, roles), Since: u.CreatedAt, Actions: v.userActions(ctx, u), Facts: userFacts(u),
		Roles: v.roleField(roles, u.Roles), RolesWhy: why,
	}
	props.Roles.Named = true
	held, err := v.Identity.Effective(ctx, u.ID)
	if err != nil {
		return props, err
	}
	props.Traits, props.Given, props.Places = v.traitsFrom(ctx, held), v.given(ctx, u, held, why), v.places(ctx, u, why)
	if u.Status != identity.Deleted {
		props.Give = &views.Action{Label: "Give a role or trait", Icon: "plus", Ask: true, Href: userPath(u, "grant"), Why: why}
		props.Join = &views.Action{Label: "Add to a group", Icon: "plus", Ask: true, Href: userPath(u, "groups", "join"), Why: why}
	}
	if props.Factors, err = v.userFactors(ctx, u, why); err != nil {
		return props, err
	}
	if props.Identities, err = v.identitiesOf(ctx, u.ID, userPath(u, "identities")); err != nil {
		return props, err
	}
	for i := range props.Identities {
		props.Identities[i].Unlink.Why = why
	}
	if props.Sessions, err = v.sessionsOf(ctx, u.ID, userPath(u, "sessions")); err != nil {
		return props, err
	}
	for i := range props.Sessions {
		if props.Sessions[i].Revoke.Href != "" {
			props.Sessions[i].Revoke.Why = why
		}
	}
	props.Keys, err = v.keysOf(ctx, u.ID, func(k identity.APIKey) views.Action {
		return views.Action{Label: "Revoke", Object: k.Name, Danger: true, Href: userPath(u, "keys", k.ID.String(), "revoke"), Why: why}
	})
	if err != nil {
		return props, err
	}
	props.Moments, err = v.userMoments(ctx, u)
	return props, err
}

// userFacts is what is known of a person besides.
func userFacts(u identity.User) []views.KV {
	facts := []views.KV{{Label: "Source", Value: sourceOf(u)}, {Label: "Last seen", Value: "never"}}
	if u.LastLogin != nil {
		facts[1] = views.KV{Label: "Last seen", Body: views.Zoned(*u.LastLogin, views.Full)}
	}
	if u.PasswordSet != nil {
		facts = append(facts, views.KV{Label: "Password set", Body: views.Zoned(*u.PasswordSet, views.Full)})
	}
	return append(facts, views.KV{Label: "Id", Value: u.ID.String(), Mono: true, Copy: true})
}

// sessionsOf lists the sessions of a person; each but the one that looks can be
// ended below base.
func (v *visit) sessionsOf(ctx context.Context, id uuid.UUID, base string) ([]views.SessionRow, error) {
	sessions, err := v.Identity.Sessions(ctx, id)
	if err != nil {
		return nil, err
	}
	var rows []views.SessionRow
	for _, one := range sessions {
		row := views.SessionRow{ID: one.ID.String(), Device: device(one), Address: one.Address, Since: one.CreatedAt, LastSeen: one.SeenAt, Current: one.Current, How: howSignedIn(one)}
		if !one.Current {
			row.Revoke = views.Action{Label: "End", Object: row.Device, Danger: true, Href: base + "/" + row.ID + "/revoke"}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// keysShown is for how long a key stays listed after its end.
const keysShown = 30 * 24 * time.Hour

// keysOf lists the API keys of a person, those that still work with a way to
// revoke them.
func (v *visit) keysOf(ctx context.Context, id uuid.UUID, revoke func(identity.APIKey) views.Action) ([]views.KeyRow, error) {
	keys, err := v.Identity.APIKeys(ctx, id)
	if err != nil {
		return nil, err
	}
	var rows []views.KeyRow
	for _, k := range keys {
		end := k.ExpiresAt
		if k.RevokedAt != nil {
			end = *k.RevokedAt
		}
		if v.reader.Now.Sub(end) > keysShown {
			continue
		}
		row := views.KeyRow{
			ID: k.ID.String(), Name: k.Name, Prefix: "vv_…" + k.Hint, Scope: k.Scope, Created: k.CreatedAt, Expires: k.ExpiresAt, LastUsed: when(k.LastUsed), Revoked: k.RevokedAt != nil,
		}
		if end.After(v.reader.Now) {
			row.Revoke = revoke(k)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// userMoments is what a person did in the last week, as the page links to it: nil
// for those who may not read the audit.
func (v *visit) userMoments(ctx context.Context, u identity.User) ([]views.Moment, error) {
	if !v.has(trait.AuditViewer) {
		return nil, nil
	}
	page, err := v.Audit.Search(ctx, audit.Filter{Actor: u.ID.String(), Since: v.reader.Now.Add(-7 * 24 * time.Hour), Limit: 50})
	if err != nil {
		return nil, err
	}
	return append([]views.Moment{}, v.timeline(page.Records, 8)...), nil
}
