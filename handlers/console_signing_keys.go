package handlers

import (
	"context"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// consoleSigningKeys are the pages of the keys the core signs with.
func (s *Server) consoleSigningKeys() []route {
	needs := []trait.ID{trait.Admin}
	const one = views.PathSigningKeys + "/:key/revoke"
	return []route{
		{method: get, path: views.PathSigningKeys, who: users, needs: needs, action: "signing_key.view", handler: s.signingKeysPage},
		{method: get, path: views.PathSigningKeys + "/rotate", who: users, needs: needs, action: "signing_key.rotate", handler: s.askRotateSigning},
		{method: post, path: views.PathSigningKeys + "/rotate", who: users, needs: needs, action: "signing_key.rotate", handler: s.rotateSigning, body: form, fresh: true},
		{method: get, path: one, who: users, needs: needs, action: "signing_key.revoke", handler: s.askRevokeSigning},
		{method: post, path: one, who: users, needs: needs, action: "signing_key.revoke", handler: s.revokeSigning, body: form, fresh: true},
	}
}

// signingKeysFrame is where the pages of signing keys stand: beside the tokens.
func signingKeysFrame(href string) frame {
	return at(views.PathTokens, "Plugins", "", "Signing keys", href)
}

// signingKeysPage handles GET /console/signing-keys: the newest first.
func (s *Server) signingKeysPage(c echo.Context) error {
	v := s.visit(c.Request())
	keys, err := s.Identity.SigningKeys(c.Request().Context())
	if err != nil {
		return err
	}
	props := views.SigningKeys{
		Tabs:   v.registrationTabs(views.PathSigningKeys),
		Rotate: views.Action{Label: "Rotate", Icon: "rotate-ccw", Primary: true, Ask: true, Href: views.PathSigningKeys + "/rotate"},
	}
	signer := slices.IndexFunc(keys, func(k identity.SigningKey) bool { return k.Signs })
	for i, k := range slices.Backward(keys) {
		row := views.SigningKeyRow{ID: k.ID, From: k.NotBefore, Retire: k.Retire, Expires: k.Expires, Actions: []views.Action{
			{Label: "Revoke", Object: k.ID, Danger: true, Ask: true, Href: views.SigningKeyPath(k.ID, "revoke")},
		}}
		switch {
		case k.Signs:
			row.Phase = views.KeySigns
		case i < signer: // it gave way to a younger one
			row.Phase = views.KeyVerifies
		}
		props.Rows = append(props.Rows, row)
	}
	return answer(c, v, http.StatusOK, signingKeysFrame(""), props, views.SigningKeysPage, views.SigningKeysBody)
}

// askRotateSigning handles GET /console/signing-keys/rotate.
func (s *Server) askRotateSigning(c echo.Context) error {
	return ask(c, s.visit(c.Request()), http.StatusOK, signingKeysFrame(views.PathSigningKeys), views.Confirm{
		Title: "Rotate the signing key?", Back: views.PathSigningKeys,
		Text:   "A new key is published now and signs in ten minutes, so that others know it in time. What the present one signed holds until it runs out: no plugin notices.",
		Action: views.Action{Label: "Rotate", Icon: "rotate-ccw", Primary: true, Href: views.PathSigningKeys + "/rotate"},
	})
}

// rotateSigning handles POST to the same.
func (s *Server) rotateSigning(c echo.Context) error {
	if err := s.Identity.Rotate(c.Request().Context()); err != nil {
		return err
	}
	return s.done(c, flash{Text: "A new signing key is published; it signs in ten minutes."}, views.PathSigningKeys)
}

// signingKeyAt returns the signing key that the address names.
func (s *Server) signingKeyAt(ctx context.Context, kid string) (identity.SigningKey, error) {
	keys, err := s.Identity.SigningKeys(ctx)
	if err != nil {
		return identity.SigningKey{}, err
	}
	i := slices.IndexFunc(keys, func(k identity.SigningKey) bool { return k.ID == kid })
	if i < 0 {
		return identity.SigningKey{}, fault.New(fault.NotFound, "key.unknown", "No signing key of that id is in force.")
	}
	return keys[i], nil
}

// askRevokeSigning handles GET /console/signing-keys/:key/revoke.
func (s *Server) askRevokeSigning(c echo.Context) error {
	k, err := s.signingKeyAt(c.Request().Context(), c.Param("key"))
	if err != nil {
		return err
	}
	v, with := s.visit(c.Request()), 0
	for _, p := range v.snap.Plugins() {
		if p.State == policy.Active || p.State == policy.Unhealthy {
			with++
		}
	}
	return ask(c, v, http.StatusOK, signingKeysFrame(views.PathSigningKeys), views.Confirm{
		Title: "Revoke this signing key at once?", Back: views.PathSigningKeys,
		Text: "For a key that others may know. Everything it signed is void this moment, and a new key signs if this was the one that did. Plugins whose token it signed are refused until they get another by their refresh token; to change keys without that, rotate.",
		Reach: []views.KV{
			{Label: "Key", Value: k.ID, Mono: true}, {Label: "Plugins that may be refused", Value: count(with, "plugin", "plugins")},
		},
		Action: views.Action{Label: "Revoke", Icon: "ban", Danger: true, Primary: true, Href: views.SigningKeyPath(k.ID, "revoke")},
	})
}

// revokeSigning handles POST to the same.
func (s *Server) revokeSigning(c echo.Context) error {
	if err := s.Identity.RevokeKey(c.Request().Context(), c.Param("key")); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The key is revoked; everything it signed is void."}, views.PathSigningKeys)
}
