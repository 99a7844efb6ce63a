package handlers

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/market"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// publisherKeysPage handles GET /console/marketplace/keys.
func (s *Server) publisherKeysPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	keys, err := s.Shelf.Keys(ctx)
	if err != nil {
		return err
	}
	why := v.why(ctx, trait.Admin, "Only administrators say whose signatures count.")
	props := views.PublisherKeys{
		Needed: s.Settings.Int(settings.MarketplaceSignatures),
		Add:    views.Action{Label: "Trust a key", Icon: "plus", Primary: true, Get: true, Href: views.PathPublisherKeys + "/new", Why: why},
	}
	for _, k := range keys {
		row := views.PublisherKey{ID: k.ID, Name: k.Name, By: k.AddedBy, At: k.AddedAt, Reason: k.Reason}
		if k.Revoked != nil {
			row.Revoked = *k.Revoked
		} else {
			row.Actions = []views.Action{{Label: "Revoke", Object: k.Name, Icon: "ban", Danger: true, Ask: true, Href: views.PathPublisherKeys + "/" + k.ID + "/revoke", Why: why}}
		}
		props.Keys = append(props.Keys, row)
	}
	return answer(c, v, http.StatusOK, marketFrame("Trusted keys", ""), props, views.PublisherKeysPage, views.PublisherKeysBody)
}

func keyTrust(in url.Values) views.KeyTrust {
	return views.KeyTrust{Fields: []views.Field{
		{Name: "name", Label: "Whose key", Value: in.Get("name"), Required: true, MaxLength: 120, Autocomplete: "off", Focus: true},
		{Name: "pem", Label: "Public key", Type: views.Area, Value: in.Get("pem"), Required: true, Mono: true, Help: "A PEM block PUBLIC KEY with an ed25519 key, as “vivified sign-key” writes into FILE.pub."},
	}}
}

func trustKeyFrame() frame {
	return marketFrame("Trusted keys", views.PathPublisherKeys, "Trust a key", "")
}

// trustKeyPage handles GET /console/marketplace/keys/new.
func (s *Server) trustKeyPage(c echo.Context) error {
	return answer(c, s.visit(c.Request()), http.StatusOK, trustKeyFrame(), keyTrust(url.Values{}), views.KeyTrustPage, views.KeyTrustBody)
}

// trustKey handles POST /console/marketplace/keys.
func (s *Server) trustKey(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	k, err := s.Shelf.AddKey(c.Request().Context(), in.Get("name"), in.Get("pem"))
	if err == nil {
		return s.done(c, flash{Text: "Signatures of " + k.Name + " count from now on."}, views.PathPublisherKeys)
	}
	f := fault.Of(err)
	if f.Kind != fault.Invalid && f.Kind != fault.Unprocessable && f.Kind != fault.Conflict {
		return err
	}
	asked := keyTrust(in)
	field := "pem"
	if f.Code == "marketplace.key_name" {
		field = "name"
	}
	asked.Errors = corrections(&fault.Fault{Kind: f.Kind, Code: f.Code, Sentence: f.Sentence, Violations: []fault.Violation{{Rule: f.Code, Path: "/" + field, Message: f.Sentence}}}, pointers(asked.Fields)...)
	return answer(c, s.visit(c.Request()), http.StatusUnprocessableEntity, trustKeyFrame(), asked, views.KeyTrustPage, views.KeyTrustBody)
}

// keyAt is the key that an address names.
func (s *Server) publisherKeyAt(c echo.Context) (market.Key, error) {
	keys, err := s.Shelf.Keys(c.Request().Context())
	if err != nil {
		return market.Key{}, err
	}
	for _, k := range keys {
		if k.ID == c.Param("key") && k.Revoked == nil {
			return k, nil
		}
	}
	return market.Key{}, fault.New(fault.NotFound, "marketplace.key_unknown", "No key in force has this id.")
}

func revokePublisherKeyAsk(k market.Key) views.Confirm {
	return views.Confirm{
		Title: "Stop trusting " + k.Name + "?", Text: "From now on its signatures count no more, also those it made before. Plugins that need them are not installed, and not started again.",
		Back: views.PathPublisherKeys, Reach: []views.KV{{Label: "Key", Value: k.ID, Mono: true}}, Fields: []views.Field{{Name: "reason", Label: "Reason", Required: true, MaxLength: 500, Autocomplete: "off", Focus: true}},
		Action: views.Action{Label: "Revoke", Icon: "ban", Danger: true, Primary: true, Href: views.PathPublisherKeys + "/" + k.ID + "/revoke"},
	}
}

// askRevokePublisher handles GET /console/marketplace/keys/:key/revoke.
func (s *Server) askRevokePublisher(c echo.Context) error {
	k, err := s.publisherKeyAt(c)
	if err != nil {
		return err
	}
	return ask(c, s.visit(c.Request()), http.StatusOK, marketFrame("Trusted keys", views.PathPublisherKeys), revokePublisherKeyAsk(k))
}

// revokePublisher handles POST /console/marketplace/keys/:key/revoke.
func (s *Server) revokePublisher(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	k, err := s.publisherKeyAt(c)
	if err != nil {
		return err
	}
	if err := s.Shelf.RevokeKey(c.Request().Context(), k.ID, in.Get("reason")); err != nil {
		return err
	}
	return s.done(c, flash{Text: k.Name + " is not trusted any more."}, views.PathPublisherKeys)
}
