package handlers

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// consoleKeys is the part of the table for the page of API keys. A person's own are
// made, rotated and revoked below the account, those of others below theirs.
func (s *Server) consoleKeys() []route {
	people := []trait.ID{trait.UserManager}
	const own, other = views.PathKeys + "/:key", views.PathUsers + "/:id/keys/:key"
	return []route{
		{method: get, path: views.PathAPIKeys, who: users, handler: s.keysPage},
		{method: get, path: own + "/rotate", who: users, handler: s.askRotateKey},
		{method: post, path: own + "/rotate", who: users, handler: s.rotateOwnKey, body: form, fresh: true},
		{method: get, path: other + "/revoke", who: users, needs: people, action: "user.change", handler: s.askRevokeUserKey},
	}
}

// everybodysKeys is the address of the page of everybody's keys.
const everybodysKeys = views.PathAPIKeys + "?of=all"

// keysPage handles GET /console/api-keys: whoever looks sees their own, and
// administrators with ?of=all everybody's.
func (s *Server) keysPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	all := c.QueryParam("of") == "all"
	if all {
		if err := s.Gate.Admit(ctx, "key.list", c.Request().URL.Path, trait.SetOf(trait.Admin)); err != nil {
			return err
		}
	}
	before, err := keyCursor(c.QueryParam("after"))
	if err != nil {
		return err
	}
	own, err := ownID(ctx)
	if err != nil {
		return err
	}
	props := views.Keys{All: all, New: views.Action{Label: "New key", Icon: "plus", Primary: true, Ask: true, Href: views.PathKeys + "/new", Why: v.whyNoKeys(ctx)}}
	if v.has(trait.Admin) {
		props.Tabs = []views.Tab{{Label: "Yours", Href: views.PathAPIKeys, Current: !all}, {Label: "Everybody's", Href: everybodysKeys, Current: all}}
	}
	page, stale, here := identity.APIKeyPage{}, own, views.PathAPIKeys+"?"
	if all {
		stale, here = uuid.Nil, everybodysKeys+"&"
		page, err = s.Identity.AllAPIKeys(ctx, before, views.KeysPerPage)
	} else {
		page, err = v.ownKeys(ctx, own, before)
	}
	if err != nil {
		return err
	}
	if props.Stale, err = s.Identity.StaleKeys(ctx, stale); err != nil {
		return err
	}
	for _, k := range page.Keys {
		props.Rows = append(props.Rows, v.ownedKey(ctx, k, own))
	}
	if before != uuid.Nil {
		props.Pager.Newer = here[:len(here)-1]
	}
	if page.Next != uuid.Nil {
		props.Pager.Older = here + "after=" + page.Next.String()
	}
	return answer(c, v, http.StatusOK, at(views.PathAPIKeys, "People", "", "API keys", ""), props, views.KeysPage, views.KeysBody)
}

func keyCursor(after string) (uuid.UUID, error) {
	if after == "" {
		return uuid.Nil, nil
	}
	before, err := uuid.Parse(after)
	if err != nil {
		return uuid.Nil, fault.New(fault.Invalid, "cursor.malformed", "This page cannot be found; start from the first.")
	}
	return before, nil
}

// ownKeys is a page of a person's keys, newest first, less those that ended long ago.
func (v *visit) ownKeys(ctx context.Context, owner, before uuid.UUID) (identity.APIKeyPage, error) {
	keys, err := v.Identity.APIKeys(ctx, owner)
	if err != nil {
		return identity.APIKeyPage{}, err
	}
	keys = slices.DeleteFunc(keys, func(k identity.APIKey) bool {
		end := k.ExpiresAt
		if k.RevokedAt != nil {
			end = *k.RevokedAt
		}
		return v.reader.Now.Sub(end) > keysShown
	})
	if at := slices.IndexFunc(keys, func(k identity.APIKey) bool { return k.ID == before }); at >= 0 {
		keys = keys[at+1:]
	}
	page := identity.APIKeyPage{Keys: keys}
	if len(keys) > views.KeysPerPage {
		page.Keys = keys[:views.KeysPerPage]
		page.Next = page.Keys[views.KeysPerPage-1].ID
	}
	return page, nil
}

// ownedKey is a key as the page shows it, with what whoever looks may do with it.
func (v *visit) ownedKey(ctx context.Context, k identity.APIKey, self uuid.UUID) views.OwnedKey {
	id, live := k.ID.String(), k.Live(v.reader.Now)
	row := views.OwnedKey{
		KeyRow: views.KeyRow{ID: id, Name: k.Name, Prefix: "vv_…" + k.Hint, Scope: k.Scope, Created: k.CreatedAt, Expires: k.ExpiresAt, LastUsed: when(k.LastUsed), Revoked: k.RevokedAt != nil},
		Owner:  k.OwnerName, OwnerAt: views.UserPath(k.Owner.String()), From: k.UsedFrom, Stale: k.Stale(v.reader.Now), Over: !live,
	}
	revoke := views.Action{Label: "Revoke", Object: k.Name, Danger: true, Ask: true, Href: views.KeyPath(id, "revoke")}
	switch {
	case !live:
	case k.Owner == self:
		row.Actions = []views.Action{{Label: "Rotate", Object: k.Name, Ask: true, Href: views.KeyPath(id, "rotate"), Why: v.whyNoKeys(ctx)}, revoke}
	default:
		revoke.Href = views.UserPath(k.Owner.String(), "keys", id, "revoke")
		row.Actions = []views.Action{revoke}
	}
	return row
}

// askRevokeUserKey handles GET /console/users/:id/keys/:key/revoke.
func (s *Server) askRevokeUserKey(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	k, err := s.keyAt(c, u.ID)
	if err != nil {
		return err
	}
	return s.confirmRevokeKey(c, k, views.UserPath(u.ID.String(), "keys", k.ID.String(), "revoke"), back(c, everybodysKeys))
}
