package handlers

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

// keyView is an API key as its owner sees it; its secret is shown once only.
type keyView struct {
	ID        uuid.UUID  `json:"id"`
	Name      string     `json:"name"`
	Hint      string     `json:"hint"`
	Scope     []string   `json:"scope"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	LastUsed  *time.Time `json:"last_used_at"`
	UsedFrom  string     `json:"last_used_address,omitempty"`
	Stale     bool       `json:"stale"`
	Replaces  *uuid.UUID `json:"replaces,omitempty"`
	Owner     *keyOwner  `json:"owner,omitempty"` // where keys of several people are listed
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	Key       string     `json:"key,omitempty"`
}

// keyOwner is whose a key is.
type keyOwner struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}

func keyOf(k identity.APIKey) keyView {
	return keyView{
		ID: k.ID, Name: k.Name, Hint: k.Hint, Scope: k.Scope, CreatedAt: k.CreatedAt.UTC(), ExpiresAt: k.ExpiresAt.UTC(),
		LastUsed: k.LastUsed, UsedFrom: k.UsedFrom, Stale: k.Stale(time.Now()), Replaces: k.Replaces, RevokedAt: k.RevokedAt,
	}
}

// listKeys handles GET /admin/api-keys: the caller's own, or everybody's with
// ?of=all, which only administrators see.
func (s *Server) listKeys(c echo.Context) error {
	ctx := c.Request().Context()
	if c.QueryParam("of") == "all" {
		return s.listAllKeys(c)
	}
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
	return c.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": ""})
}

func (s *Server) listAllKeys(c echo.Context) error {
	ctx := c.Request().Context()
	if err := s.Gate.Admit(ctx, "key.list", c.Request().URL.Path, trait.SetOf(trait.Admin)); err != nil {
		return err
	}
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	before := uuid.Nil
	if cursor := c.QueryParam("cursor"); cursor != "" {
		if before, err = uuid.Parse(cursor); err != nil {
			return fault.New(fault.Invalid, "cursor.malformed", "This page cannot be found; start from the first.")
		}
	}
	page, err := s.Identity.AllAPIKeys(ctx, before, limit)
	if err != nil {
		return err
	}
	items, next := []keyView{}, ""
	for _, k := range page.Keys {
		v := keyOf(k)
		v.Owner = &keyOwner{k.Owner, k.OwnerName}
		items = append(items, v)
	}
	if page.Next != uuid.Nil {
		next = page.Next.String()
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": next})
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

// rotateKey handles POST /admin/api-keys/:id/rotate: the new key is shown this
// once, the old one ends after the overlap.
func (s *Server) rotateKey(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	in := struct {
		Overlap int `json:"overlap_hours"`
	}{24}
	if err := bind(c, &in); err != nil {
		return err
	}
	key, secret, err := s.Identity.RotateAPIKey(c.Request().Context(), id, time.Duration(min(in.Overlap, 1<<20))*time.Hour)
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
