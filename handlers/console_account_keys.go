package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// keyLives are how long a new API key may last, in days; the longest is the most
// that keys may.
var keyLives = []int{7, 30, 90, 365}

// usualKeyLife is chosen unless somebody chooses otherwise, in days.
const usualKeyLife = 90

// whyNoKeys says why whoever looks may make no API key now.
func (v *visit) whyNoKeys(ctx context.Context) *views.Why {
	switch {
	case v.who.Credential.Kind != identity.CredentialSession:
		return &views.Why{Text: "A key makes no keys; sign in with your password."}
	case v.who.Traits.Empty():
		return &views.Why{Text: "You have no trait that a key could carry.", Grantors: v.holders(ctx, trait.UserManager)}
	}
	return nil
}

// askKey handles GET /console/account/keys/new.
func (s *Server) askKey(c echo.Context) error {
	v := s.visit(c.Request())
	return answerKey(c, v, http.StatusOK, v.keyForm(url.Values{"expires": {strconv.Itoa(usualKeyLife)}}))
}

// answerKey sends the form, or the key that was made. It leads back to the account,
// or to the page of keys it was asked from.
func answerKey(c echo.Context, v *visit, status int, f views.KeyForm) error {
	if to := back(c, ""); strings.HasPrefix(to, views.PathAPIKeys) {
		f.Back = to
	}
	return dialog(c, v, status, keyFrame(f.Back, "API key"), f, views.KeyFormPage, views.KeyDialog)
}

// keyFrame is where the questions about a key stand: below the page they were asked
// from.
func keyFrame(from, title string) frame {
	if strings.HasPrefix(from, views.PathAPIKeys) {
		return at(views.PathAPIKeys, "People", "", "API keys", views.PathAPIKeys, title, "")
	}
	return at(views.PathAccount, "Account", views.PathAccount, title, "")
}

// keyForm asks for a new API key: a part of the traits of whoever looks.
func (v *visit) keyForm(in url.Values) views.KeyForm {
	f := views.KeyForm{
		Name:    views.Field{Name: "name", ID: "f-key-name", Label: "Name", Value: in.Get("name"), Required: true, MaxLength: 100, Autocomplete: "off", Help: "What it is for.", Focus: true},
		Expires: views.Field{Name: "expires", Label: "Expires", Type: views.Select, Required: true},
		Scope:   views.Field{Name: "scope", Label: "Scope", Type: views.Checks, Required: true, Help: "It carries these traits for as long as you have them."},
	}
	for _, days := range keyLives {
		f.Expires.Options = append(f.Expires.Options, views.Option{Value: strconv.Itoa(days), Label: "In " + count(days, "day", "days")})
	}
	for _, id := range v.who.Traits.IDs() {
		t := v.snap.Traits().Get(id)
		f.Scope.Options = append(f.Scope.Options, views.Option{Value: t.Name, Label: t.Name, Note: t.Label})
	}
	choices(f.Expires.Options, in["expires"])
	choices(f.Scope.Options, in["scope"])
	return f
}

// makeKey handles POST /console/account/keys. The answer shows the key, this once:
// it leads nowhere else, so that the key stands in no address.
func (s *Server) makeKey(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	var expires time.Time // no choice is no time, which is refused
	if days, err := strconv.Atoi(in.Get("expires")); err == nil && slices.Contains(keyLives, days) {
		expires = v.reader.Now.AddDate(0, 0, days)
	}
	_, secret, err := s.Identity.CreateAPIKey(c.Request().Context(), in.Get("name"), in["scope"], expires)
	if err == nil {
		return answerKey(c, v, http.StatusCreated, views.KeyForm{Key: secret})
	}
	f := fault.Of(err)
	if !isForm(f) {
		return err
	}
	asked := v.keyForm(in)
	asked.Errors = corrections(f, &asked.Name, &asked.Expires, &asked.Scope)
	return answerKey(c, v, http.StatusUnprocessableEntity, asked)
}

// ownKey returns the key of whoever acts that the address names. Another's is as
// unknown as none.
func (s *Server) ownKey(c echo.Context) (identity.APIKey, error) {
	ctx := c.Request().Context()
	id, err := ownID(ctx)
	if err != nil {
		return identity.APIKey{}, err
	}
	return s.keyAt(c, id)
}

// askRevokeKey handles GET /console/account/keys/:key/revoke.
func (s *Server) askRevokeKey(c echo.Context) error {
	k, err := s.ownKey(c)
	if err != nil {
		return err
	}
	return s.confirmRevokeKey(c, k, views.KeyPath(k.ID.String(), "revoke"), back(c, views.PathAccount))
}

// confirmRevokeKey asks before a key ends, with what it carries and when it was used.
func (s *Server) confirmRevokeKey(c echo.Context, k identity.APIKey, post, from string) error {
	q := views.Confirm{
		Title: "Revoke " + k.Name + "?", Text: "Whatever uses this key is refused from then on. It cannot be brought back.", Back: from,
		Reach: keyFacts(k),
		Action: views.Action{
			Label: "Revoke", Icon: "key-round", Danger: true, Primary: true, Href: post, Fields: []views.Hidden{{Name: "back", Value: from}},
		},
	}
	return dialog(c, s.visit(c.Request()), http.StatusOK, keyFrame(from, "Revoke"), q, views.ConfirmPage, views.ConfirmDialog)
}

// keyFacts is what to know of a key before it is changed.
func keyFacts(k identity.APIKey) []views.KV {
	facts := []views.KV{{Label: "Scope", Body: views.TraitChips(k.Scope)}, {Label: "Last used", Value: "never"}}
	if k.LastUsed != nil {
		facts[1] = views.KV{Label: "Last used", Body: views.Zoned(*k.LastUsed, views.Full)}
		if k.UsedFrom != "" {
			facts = append(facts, views.KV{Label: "Used from", Value: k.UsedFrom, Mono: true})
		}
	}
	return facts
}

// revokeOwnKey handles POST /console/account/keys/:key/revoke.
func (s *Server) revokeOwnKey(c echo.Context) error {
	k, err := s.ownKey(c)
	if err != nil {
		return err
	}
	if err := s.Identity.RevokeAPIKey(c.Request().Context(), k.ID); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The key " + k.Name + " is revoked."}, back(c, views.PathAccount))
}
