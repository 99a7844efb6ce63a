package identity

import (
	"context"
	"net/http"
	"strings"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/policy"
)

// Credentials is all a request presents to prove who sends it.
type Credentials struct {
	Cookies       []string // values of the session cookie
	Authorization []string // lines of the header Authorization
	APIKey        []string // lines of the header X-API-Key
	Socket        string   // the plugin through whose socket it came; or empty

	// Passive says that nobody's hand made the request: a page keeping itself
	// current by a stream. It does not keep a session from ending by its pause.
	Passive bool
}

// Credentials returns what a request presents.
func (s *Service) Credentials(r *http.Request) Credentials {
	c := Credentials{Authorization: r.Header.Values("Authorization"), APIKey: r.Header.Values("X-Api-Key"), Socket: actor.Socket(r.Context())}
	c.Passive = strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	for _, cookie := range r.CookiesNamed(s.CookieName()) {
		c.Cookies = append(c.Cookies, cookie.Value)
	}
	return c
}

// proof is a credential taken to be of one kind by where and how it was presented.
type proof struct{ kind, text string }

// proofs returns what is presented. One text presented twice is one credential; a
// line that can be none has an empty kind.
func (c Credentials) proofs() []proof {
	var all []proof
	add := func(p proof) {
		for _, have := range all {
			if have == p {
				return
			}
		}
		all = append(all, p)
	}
	if c.Socket != "" {
		add(proof{CredentialSocket, c.Socket})
	}
	for _, line := range c.Authorization {
		scheme, text, _ := strings.Cut(line, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			text = ""
		}
		add(proof{kindOf(text), text})
	}
	for _, line := range c.APIKey {
		p := proof{kindOf(line), line}
		if p.kind != CredentialAPIKey {
			p.kind = ""
		}
		add(p)
	}
	for _, value := range c.Cookies {
		p := proof{kindOf(value), value}
		if p.kind != CredentialSession {
			p.kind = ""
		}
		add(p)
	}
	return all
}

// kindOf tells by its form what a text may prove.
func kindOf(text string) string {
	switch {
	case isSecret(sessionPrefix, text):
		return CredentialSession
	case isSecret(apiKeyPrefix, text):
		return CredentialAPIKey
	case strings.Count(text, ".") == 2:
		return CredentialPlugin
	}
	return ""
}

// Authenticate returns who sends r, as Prove does.
func (s *Service) Authenticate(ctx context.Context, r *http.Request) (actor.Actor, error) {
	return s.Prove(ctx, s.Credentials(r))
}

// Prove returns who presents credentials: an anonymous actor when it presents
// nothing. Every credential presented must be good and all must prove the same
// party, else it is an Unauthenticated fault that does not say which or why; the
// audit has the reason. Of two the rights are those that both carry. It returns an
// Unavailable fault while credentials cannot be looked up, or a refusal recorded.
//
// A plugin's actor carries no traits: what a plugin may is asked of the registry
// at every decision.
func (s *Service) Prove(ctx context.Context, c Credentials) (actor.Actor, error) {
	proofs := c.proofs()
	if len(proofs) == 0 {
		return actor.Actor{Kind: actor.Anonymous, Tenant: actor.DefaultTenant}, nil
	}
	var who actor.Actor
	for i, p := range proofs {
		one, err := s.prove(ctx, p, c.Passive)
		if err != nil {
			return actor.Actor{}, s.deny(ctx, err)
		}
		if i == 0 {
			who = one
			continue
		}
		if one.Kind != who.Kind || one.ID != who.ID {
			return actor.Actor{}, s.deny(ctx, refused(&denial{Credential: p.kind, Reason: "two credentials of two parties"}))
		}
		who.Traits = inBoth(who.Traits, one.Traits)
		if one.OnBehalf != nil { // a key beside the session does not lead out of a look as somebody else
			who.OnBehalf, who.Credential = one.OnBehalf, one.Credential
		}
	}
	return who, nil
}

func (s *Service) prove(ctx context.Context, p proof, passive bool) (actor.Actor, error) {
	switch p.kind {
	case CredentialPlugin:
		c, err := s.verifyPluginToken(ctx, p.text)
		if err != nil {
			return actor.Actor{}, err
		}
		return pluginActor(c.Plugin, actor.Credential{Kind: CredentialPlugin, ID: c.ID}), nil
	case CredentialSocket:
		return s.atSocket(p.text)
	case CredentialSession, CredentialAPIKey:
		who, reason, err := s.person(ctx, p.kind, p.text, passive)
		if err != nil {
			return actor.Actor{}, unavailable(err)
		}
		if reason != "" {
			d := &denial{Credential: p.kind, Reason: reason}
			if who != nil {
				d.User, d.CredentialID = who.user.ID.String(), who.credential.ID
			}
			return actor.Actor{}, refused(d)
		}
		return who.actor(), nil
	}
	return actor.Actor{}, refused(&denial{Reason: "no form of ours"})
}

// Recheck returns who with the rights they have now, for work that outlasts its
// request, such as a stream; or an Unauthenticated fault once the credential they
// were proved by ended, other than by the age of a plugin's token. It prolongs
// nothing and records nothing.
func (s *Service) Recheck(ctx context.Context, who actor.Actor) (actor.Actor, error) {
	d := &denial{Credential: who.Credential.Kind, CredentialID: who.Credential.ID}
	switch who.Credential.Kind {
	case CredentialSession, CredentialAPIKey:
		p, reason, err := s.stillGood(ctx, who.Credential)
		if err != nil {
			return actor.Actor{}, unavailable(err)
		}
		if reason == "" && p.user.ID.String() == who.ID {
			return p.actor(), nil
		}
		d.Reason = reason
	case CredentialPlugin, CredentialSocket:
		state, generation, ok := s.Plugins.PluginStanding(who.ID)
		of, family, isToken := readTokenID(who.Credential.ID)
		ended := false
		if isToken {
			var err error
			if ended, err = s.familyEnded(ctx, family); err != nil {
				return actor.Actor{}, err
			}
		}
		switch {
		case !ok || isToken && of != generation || ended:
			d.Reason = "revoked"
		case state == policy.Disabled, state == policy.Quarantined:
			return actor.Actor{}, standsBack(state).Because(d)
		default:
			return who, nil
		}
	}
	return actor.Actor{}, refused(d)
}

// atSocket returns a plugin as the actor it is by the socket it called through, or
// a refusal as its token would be.
func (s *Service) atSocket(plugin string) (actor.Actor, error) {
	d := &denial{Credential: CredentialSocket, Plugin: plugin}
	switch state, _, ok := s.Plugins.PluginStanding(plugin); {
	case !ok:
		d.Reason = "plugin not registered"
		return actor.Actor{}, refused(d)
	case state == policy.Disabled, state == policy.Quarantined:
		d.Reason = "plugin " + string(state)
		return actor.Actor{}, standsBack(state).Because(d)
	}
	return pluginActor(plugin, actor.Credential{Kind: CredentialSocket, ID: plugin}), nil
}

func pluginActor(id string, c actor.Credential) actor.Actor {
	return actor.Actor{Kind: actor.Plugin, ID: id, Name: id, Tenant: actor.DefaultTenant, Credential: c}
}
