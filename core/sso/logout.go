package sso

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/db"
)

// logoutEvent marks a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// tokenAAD binds a sealed ID token to its session.
func tokenAAD(session uuid.UUID) []byte { return []byte("sso/id-token/" + session.String()) }

// noteSession keeps which provider started a session.
func (s *Service) noteSession(ctx context.Context, q *db.Queries, p Provider, who vouched, g identity.Grant) error {
	sealed, err := s.Sealer.Seal([]byte(who.raw), tokenAAD(g.Session.ID))
	if err != nil {
		return err
	}
	return q.SSOSessionPut(ctx, db.SSOSessionPutParams{
		SessionID: g.Session.ID, Provider: p.ID, Issuer: p.Issuer, Subject: who.external.Subject, Sid: who.sid, IDToken: sealed,
	})
}

// SignOut is where somebody who signs out here also signs out.
type SignOut struct{ Provider, To string }

// SignOut returns where whoever acts signs out at the provider that started their
// session (OpenID Connect RP-Initiated Logout 1.0); the zero SignOut when there is
// none, or it takes none. It is a courtesy: on any failure there is none.
func (s *Service) SignOut(ctx context.Context) SignOut {
	session, err := uuid.Parse(actor.From(ctx).Credential.ID)
	if err != nil || actor.From(ctx).Credential.Kind != identity.CredentialSession {
		return SignOut{}
	}
	row, err := db.New(s.Pool).SSOSessionGet(ctx, session)
	if err != nil {
		return SignOut{}
	}
	p, err := s.Provider(ctx, row.Provider)
	if err != nil || !p.Options.SignOut || p.Issuer != row.Issuer {
		return SignOut{}
	}
	c, err := s.connect(ctx, p)
	if err != nil || c.meta.EndSession == "" {
		return SignOut{}
	}
	raw, err := s.Sealer.Open(row.IDToken, tokenAAD(session))
	if err != nil {
		return SignOut{}
	}
	to, err := url.Parse(c.meta.EndSession)
	if err != nil {
		return SignOut{}
	}
	q := to.Query()
	q.Set("id_token_hint", string(raw))
	q.Set("client_id", p.ClientID)
	q.Set("post_logout_redirect_uri", p.SignedOutURI)
	q.Set("state", "out")
	to.RawQuery = q.Encode()
	return SignOut{p.Name, to.String()}
}

// BackchannelLogout ends the sessions that a provider's logout token names (OpenID
// Connect Back-Channel Logout 1.0 section 2.6). It returns an Invalid fault for a
// token that is not exactly such a one, or was used before.
func (s *Service) BackchannelLogout(ctx context.Context, id, raw string) error {
	bad := func(why string) error {
		f := fault.New(fault.Invalid, "sso.logout_token", "The logout token is not valid.").Because(errors.New(why))
		if err := s.denied(ctx, id, f); !errors.Is(err, f) {
			return err
		}
		return f
	}
	forgive, err := s.People.CountReturn(ctx)
	if err != nil {
		return err
	}
	p, err := s.Provider(ctx, id)
	if err != nil {
		return err
	}
	c, err := s.connect(ctx, p)
	if err != nil {
		forgive(ctx)
		return err
	}
	_, doc, err := s.signed(ctx, p, c, raw)
	if err != nil {
		return bad(err.Error())
	}
	order, why := s.order(doc)
	if why != "" {
		return bad(why)
	}
	_, err = s.People.EndSessions(ctx, id, func(q *db.Queries) (map[uuid.UUID]uuid.UUID, error) {
		n, err := q.SSOLogoutTokenUse(ctx, db.SSOLogoutTokenUseParams{Issuer: p.Issuer, Jti: hashOf(order.jti), ExpiresAt: s.now().Add(2*Skew + 10*time.Minute)})
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, errReplay
		}
		rows, err := q.SSOSessionsOf(ctx, db.SSOSessionsOfParams{Provider: id, Issuer: p.Issuer, Subject: order.subject, Sid: order.sid})
		ended := map[uuid.UUID]uuid.UUID{}
		for _, r := range rows {
			ended[r.ID] = r.UserID
		}
		return ended, err
	})
	if errors.Is(err, errReplay) {
		return bad("used before")
	}
	if err == nil {
		forgive(ctx)
	}
	return err
}

var errReplay = errors.New("the logout token was used before")

// logoutOrder is what a logout token asks for: the end of one session there, or of all.
type logoutOrder struct{ jti, subject, sid string }

// order reads a logout token whose signature, issuer and audience are right; why
// says what else is not.
func (s *Service) order(doc Document) (o logoutOrder, why string) {
	o.jti, _ = doc["jti"].(string)
	o.subject, _ = doc["sub"].(string)
	o.sid, _ = doc["sid"].(string)
	events, _ := doc["events"].(map[string]any)
	_, marked := events[logoutEvent].(map[string]any)
	_, nonce := doc["nonce"]
	if _, ok := doc["exp"]; !ok { // required since the final specification; older providers leave it out
		if iat, ok := doc["iat"].(json.Number); ok {
			doc["exp"] = iat
		}
	}
	switch {
	case !marked:
		return o, "it is no logout token: its events claim does not say so"
	case nonce:
		return o, "it has a nonce, as ID tokens do"
	case o.jti == "" || len(o.jti) > 255:
		return o, "it has no jti"
	case o.subject == "" && o.sid == "":
		return o, "it names neither subject nor session"
	}
	if err := s.timely(doc, false); err != nil {
		return o, strings.TrimSuffix(err.Error(), ".")
	}
	if iat, err := doc["iat"].(json.Number).Int64(); err == nil && s.Now().Sub(time.Unix(iat, 0)) > 10*time.Minute {
		return o, "it was made more than ten minutes ago"
	}
	return o, ""
}
