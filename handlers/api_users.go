package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// listUsers handles GET /admin/users.
func (s *Server) listUsers(c echo.Context) error {
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	page, err := s.Identity.Users(c.Request().Context(), identity.UserFilter{
		Text: c.QueryParam("q"), Status: identity.Status(c.QueryParam("status")), Role: c.QueryParam("role"), Cursor: c.QueryParam("cursor"), Limit: limit,
	})
	if err != nil {
		return err
	}
	items := []userView{}
	for _, u := range page.Users {
		items = append(items, s.userView(u))
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": page.Next})
}

// inviteUser handles POST /admin/users: the answer carries the one-time link.
func (s *Server) inviteUser(c echo.Context) error {
	var in struct {
		Email string   `json:"email"`
		Name  string   `json:"name"`
		Roles []string `json:"roles"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	link, err := s.Identity.Invite(c.Request().Context(), identity.Invitation{Email: in.Email, Name: in.Name, Roles: roleGrants(in.Roles)})
	if err != nil {
		return err
	}
	return noStore(c, http.StatusCreated, map[string]any{
		"user": s.userView(link.User), "invite_url": s.inviteURL(link.Secret), "expires_at": link.Expires.UTC(),
	})
}

func (s *Server) inviteURL(secret string) string {
	return s.Public + views.PathInvite + "?token=" + secret
}

func roleGrants(names []string) []identity.RoleGrant {
	grants := []identity.RoleGrant{}
	for _, n := range names {
		grants = append(grants, identity.RoleGrant{Role: n})
	}
	return grants
}

func idParam(c echo.Context, name string) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Param(name))
	if err != nil {
		return uuid.Nil, fault.New(fault.NotFound, name+".unknown", "There is nothing with this id.")
	}
	return id, nil
}

// showUser handles GET /admin/users/:id: the person, and where each trait comes from.
func (s *Server) showUser(c echo.Context) error {
	ctx := c.Request().Context()
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	user, err := s.Identity.User(ctx, id)
	if err != nil {
		return err
	}
	held, err := s.Identity.Effective(ctx, id)
	if err != nil {
		return err
	}
	type holding struct {
		Trait   string            `json:"trait"`
		From    []identity.Source `json:"from"`
		Expires *time.Time        `json:"expires_at,omitempty"`
	}
	effective := []holding{}
	for _, h := range held {
		effective = append(effective, holding{h.Trait.Name, h.From, h.Expires})
	}
	return c.JSON(http.StatusOK, struct {
		userView
		Effective []holding `json:"effective"`
	}{s.userView(user), effective})
}

// changeUser handles PATCH /admin/users/:id.
func (s *Server) changeUser(c echo.Context) error {
	ctx := c.Request().Context()
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	var in struct {
		Name   *string   `json:"name"`
		Roles  *[]string `json:"roles"`
		Status *string   `json:"status"`
		Reason string    `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	if in.Status != nil && *in.Status != "active" && *in.Status != "suspended" {
		return fault.New(fault.Unprocessable, "user.status", "The status is active or suspended.")
	}
	user, err := s.Identity.User(ctx, id)
	if err != nil {
		return err
	}
	if in.Name != nil {
		if user, err = s.Identity.SetName(ctx, id, *in.Name); err != nil {
			return err
		}
	}
	if in.Roles != nil {
		if user, err = s.Identity.SetRoles(ctx, id, roleGrants(*in.Roles)); err != nil {
			return err
		}
	}
	if in.Status != nil {
		if *in.Status == "suspended" {
			user, err = s.Identity.Suspend(ctx, id, in.Reason)
		} else {
			user, err = s.Identity.Reactivate(ctx, id)
		}
		if err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, s.userView(user))
}

// deleteUser handles DELETE /admin/users/:id.
func (s *Server) deleteUser(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	if err := s.Identity.Delete(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "deleted"})
}

// grantTrait handles POST /admin/users/:id/traits.
func (s *Server) grantTrait(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	var in struct {
		Trait     string     `json:"trait"`
		Reason    string     `json:"reason"`
		ExpiresAt *time.Time `json:"expires_at"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	user, err := s.Identity.GrantTrait(c.Request().Context(), id, identity.TraitGrant{Trait: in.Trait, Reason: in.Reason, Expires: in.ExpiresAt})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.userView(user))
}

// revokeTrait handles DELETE /admin/users/:id/traits/:trait.
func (s *Server) revokeTrait(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	user, err := s.Identity.RevokeTrait(c.Request().Context(), id, c.Param("trait"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.userView(user))
}

// listRoles handles GET /admin/roles.
func (s *Server) listRoles(c echo.Context) error {
	roles, err := s.Identity.Roles(c.Request().Context())
	if err != nil {
		return err
	}
	type role struct {
		Name        string   `json:"name"`
		Label       string   `json:"label"`
		Description string   `json:"description"`
		Traits      []string `json:"traits"`
		Builtin     bool     `json:"builtin"`
	}
	items := []role{}
	for _, r := range roles {
		items = append(items, role(r))
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
}

// keyView is an API key as its owner sees it; its secret is shown once only.
type keyView struct {
	ID        uuid.UUID  `json:"id"`
	Name      string     `json:"name"`
	Hint      string     `json:"hint"`
	Scope     []string   `json:"scope"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	LastUsed  *time.Time `json:"last_used_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	Key       string     `json:"key,omitempty"`
}

func keyOf(k identity.APIKey) keyView {
	return keyView{ID: k.ID, Name: k.Name, Hint: k.Hint, Scope: k.Scope, CreatedAt: k.CreatedAt.UTC(), ExpiresAt: k.ExpiresAt.UTC(), LastUsed: k.LastUsed, RevokedAt: k.RevokedAt}
}

// listKeys handles GET /admin/api-keys: the caller's own.
func (s *Server) listKeys(c echo.Context) error {
	ctx := c.Request().Context()
	owner, err := uuid.Parse(actor.From(ctx).ID)
	if err != nil {
		return fault.New(fault.Denied, "identity.people_only", "Only people have API keys.")
	}
	keys, err := s.Identity.APIKeys(ctx, owner)
	if err != nil {
		return err
	}
	items := []keyView{}
	for _, k := range keys {
		items = append(items, keyOf(k))
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
}

// createKey handles POST /admin/api-keys.
func (s *Server) createKey(c echo.Context) error {
	var in struct {
		Name      string    `json:"name"`
		Scope     []string  `json:"scope"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	key, secret, err := s.Identity.CreateAPIKey(c.Request().Context(), in.Name, in.Scope, in.ExpiresAt)
	if err != nil {
		return err
	}
	v := keyOf(key)
	v.Key = secret
	return noStore(c, http.StatusCreated, v)
}

// revokeKey handles DELETE /admin/api-keys/:id.
func (s *Server) revokeKey(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	own, err := s.ownsKey(ctx, id)
	if err != nil {
		return err
	}
	if !own {
		if err := s.Gate.Admit(ctx, "key.revoke", id.String(), trait.SetOf(trait.UserManager)); err != nil {
			return err
		}
	}
	if err := s.Identity.RevokeAPIKey(ctx, id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "revoked"})
}

// ownsKey reports whether a key is the acting person's.
func (s *Server) ownsKey(ctx context.Context, id uuid.UUID) (bool, error) {
	owner, err := uuid.Parse(actor.From(ctx).ID)
	if err != nil {
		return false, fault.New(fault.Denied, "identity.people_only", "Only people have API keys.")
	}
	keys, err := s.Identity.APIKeys(ctx, owner)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(keys, func(k identity.APIKey) bool { return k.ID == id }), nil
}

// features handles GET /admin/features: what the console shows this person.
func (s *Server) features(c echo.Context) error {
	who, snap := actor.From(c.Request().Context()), s.Registry.Snapshot()
	type page struct {
		Page    string `json:"page"`
		Path    string `json:"path"`
		Allowed bool   `json:"allowed"`
		Reason  string `json:"reason,omitempty"`
	}
	type plugin struct {
		Plugin  string   `json:"plugin"`
		Traits  []string `json:"traits"`
		Allowed bool     `json:"allowed"`
		Reason  string   `json:"reason,omitempty"`
	}
	pages, list := []page{}, []plugin{}
	for _, p := range consolePages {
		v := page{Page: p.title, Path: p.path, Allowed: who.Traits.Covers(trait.SetOf(p.needs...))}
		if !v.Allowed {
			v.Reason = "needs " + missingNames(snap.Traits(), who.Traits.Missing(trait.SetOf(p.needs...)))
		}
		pages = append(pages, v)
	}
	for _, p := range snap.Plugins() {
		need := p.Manifest.Security.Requires.Traits
		missing := who.Traits.MissingFor(p.Manifest.Security.Classes).Union(who.Traits.Missing(need))
		v := plugin{Plugin: p.ID, Traits: snap.Traits().Names(p.Traits), Allowed: missing.Empty() && len(p.Manifest.Security.Requires.Unknown) == 0}
		if !v.Allowed {
			v.Reason = "needs " + missingNames(snap.Traits(), missing)
		}
		list = append(list, v)
	}
	body, err := json.Marshal(map[string]any{"pages": pages, "plugins": list})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h := c.Response().Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "private, no-cache")
	if c.Request().Header.Get("If-None-Match") == tag {
		return c.NoContent(http.StatusNotModified)
	}
	return c.JSONBlob(http.StatusOK, body)
}

func missingNames(r *trait.Registry, missing trait.Set) string {
	names := r.Names(missing)
	slices.Sort(names)
	out := ""
	for i, n := range names {
		if i > 0 {
			out += ", "
		}
		out += n
	}
	return out
}
