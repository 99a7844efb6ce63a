package sso

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/db"
)

// Create adds a provider. It returns an Unprocessable fault with every rule the
// draft breaks, a Conflict fault when the id is taken, and a Denied one when its
// mapping would give what whoever acts could not give.
func (s *Service) Create(ctx context.Context, d Draft) (Provider, error) {
	d, err := s.check(ctx, d, nil)
	if err != nil {
		return Provider{}, err
	}
	var p Provider
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		now, tenant := s.now(), actor.From(ctx).Tenant
		sealed, at, err := s.seal(d, Provider{}, now)
		if err != nil {
			return err
		}
		claims, options, rules := documents(d)
		row, err := q.SSOProviderInsert(ctx, db.SSOProviderInsertParams{
			ID: d.ID, TenantID: tenant, Name: d.Name, Icon: d.Icon, Issuer: d.Issuer, ClientID: d.ClientID, ClientSecret: sealed, SecretAt: at,
			Scopes: d.Scopes, Claims: claims, Domains: d.Domains, Options: options, Rules: rules, Enabled: d.Enabled, By: actor.From(ctx).ID, At: now,
		})
		if db.Violates(err, "sso_providers_pkey") {
			return fault.New(fault.Conflict, "sso.id", "There is a provider %q already; choose another id.", d.ID)
		}
		if err != nil {
			return err
		}
		if p, err = s.providerOf(row); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "sso.change", Object: "sso/" + d.ID, Outcome: audit.OK, After: s.record(p, d.Secret)})
	})
	return p, err
}

// Update replaces a provider. It refuses as Create does, and with a Conflict fault
// when somebody else was faster.
func (s *Service) Update(ctx context.Context, id string, d Draft) (Provider, error) {
	d.ID = id
	before, err := s.Provider(ctx, id)
	if err != nil {
		return Provider{}, err
	}
	if d, err = s.check(ctx, d, &before); err != nil {
		return Provider{}, err
	}
	var p Provider
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.SSOProviderLock(ctx, before.tenant, id)
		if err != nil {
			return noProvider(err)
		}
		if row.Version != before.Version || d.Version != nil && *d.Version != row.Version {
			return fault.New(fault.Conflict, "sso.version", "Somebody else changed this provider meanwhile; look again.")
		}
		sealed, at, err := s.seal(d, before, s.now())
		if err != nil {
			return err
		}
		claims, options, rules := documents(d)
		row, err = q.SSOProviderUpdate(ctx, db.SSOProviderUpdateParams{
			ID: id, Name: d.Name, Icon: d.Icon, Issuer: d.Issuer, ClientID: d.ClientID, ClientSecret: sealed, SecretAt: at,
			Scopes: d.Scopes, Claims: claims, Domains: d.Domains, Options: options, Rules: rules, Enabled: d.Enabled, By: actor.From(ctx).ID, At: s.now(),
		})
		if err != nil {
			return err
		}
		if p, err = s.providerOf(row); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "sso.change", Object: "sso/" + id, Outcome: audit.OK, Before: s.record(before, nil), After: s.record(p, d.Secret)})
	})
	return p, err
}

// Delete removes a provider: its links, what its claims gave, and the sessions it
// started end.
func (s *Service) Delete(ctx context.Context, id string) error {
	p, err := s.Provider(ctx, id)
	if err != nil {
		return err
	}
	if err := s.mayMap(ctx, p.Rules); err != nil {
		return err
	}
	by := actor.From(ctx)
	people, err := db.New(s.Pool).SSOProviderPeople(ctx, id)
	if err != nil {
		return db.Fault(err)
	}
	for _, user := range people {
		if _, err := s.People.SetExternal(ctx, user, identity.External{Provider: id}); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	_, err = s.People.EndSessions(ctx, id, func(q *db.Queries) (map[uuid.UUID]uuid.UUID, error) {
		if _, err := q.SSOProviderLock(ctx, p.tenant, id); err != nil {
			return nil, noProvider(err)
		}
		rows, err := q.SSOSessionsBy(ctx, id)
		if err != nil {
			return nil, err
		}
		ended := map[uuid.UUID]uuid.UUID{}
		for _, r := range rows {
			ended[r.ID] = r.UserID
		}
		if _, err := q.SSOProviderDelete(ctx, id); err != nil {
			return nil, err
		}
		return ended, audit.Append(actor.With(ctx, by), q, audit.Entry{Action: "sso.delete", Object: "sso/" + id, Outcome: audit.OK, Before: s.record(p, nil)})
	})
	s.People.Invalidate()
	return err
}

// seal returns the sealed secret of a draft and since when it is set. A secret does
// not follow a provider to another issuer: it would be sent to whoever that is, so
// it has to be entered again.
func (s *Service) seal(d Draft, before Provider, now time.Time) ([]byte, *time.Time, error) {
	switch {
	case d.Secret == nil && d.Issuer == before.Issuer:
		return orEmpty(before.sealed), before.SecretAt, nil
	case d.Secret == nil || *d.Secret == "":
		return []byte{}, nil, nil
	}
	sealed, err := s.Sealer.Seal([]byte(*d.Secret), secretAAD(d.ID, d.Issuer))
	return sealed, &now, err
}

func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// record is a provider as the audit shows it, a new secret as a keyed hash.
func (s *Service) record(p Provider, secret *string) json.RawMessage {
	shown := struct {
		Provider
		Secret string `json:"client_secret,omitempty"`
	}{Provider: p}
	if secret != nil && *secret != "" {
		shown.Secret = s.Sealer.Digest("sso/client-secret", []byte(*secret))
	}
	raw, _ := json.Marshal(shown) // of strings, lists and times
	return raw
}

func documents(d Draft) (claims, options, rules json.RawMessage) {
	claims, _ = json.Marshal(d.Claims)
	options, _ = json.Marshal(d.Options)
	rules, _ = json.Marshal(d.Rules)
	return claims, options, rules
}

// mayMap returns a Denied fault when rules give what whoever acts could not give.
func (s *Service) mayMap(ctx context.Context, rules []Rule) error {
	all := Mapping{}
	for _, r := range rules {
		all.Mapped = append(all.Mapped, Given{Kind: r.Kind, Name: r.Give})
	}
	return s.People.MayMap(ctx, all.external(""))
}
