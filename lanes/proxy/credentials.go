package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Sealer works with the master key. settings.Sealer is one.
type Sealer interface {
	Seal(plain, aad []byte) ([]byte, error)
	Open(sealed, aad []byte) ([]byte, error)
}

// credentials are those in force, readable without a query.
type credentials struct {
	pool   *pgxpool.Pool // nil: there are none
	sealer Sealer
	now    atomic.Pointer[map[[2]string]*bound] // by plugin and domain
}

// bound is a credential in force.
type bound struct {
	Credential
	row    db.EgressCredential
	secret string // "": it cannot be opened
	tokens tokens // oauth2
}

// of returns the credential bound to a plugin and a host; nil when there is none.
func (s *credentials) of(plugin, host string) *bound {
	if all := s.now.Load(); all != nil {
		return (*all)[[2]string{plugin, host}]
	}
	return nil
}

// ready reads what is in force unless that was done before: a request must not go
// out without the credential it should have.
func (s *credentials) ready(ctx context.Context) error {
	if s.now.Load() != nil {
		return nil
	}
	return s.load(ctx)
}

// load reads what is in force. A credential that did not change keeps its token.
func (s *credentials) load(ctx context.Context) error {
	if s.pool == nil {
		return nil
	}
	rows, err := db.New(s.pool).EgressCredentialList(ctx)
	if err != nil {
		return db.Fault(err)
	}
	next := make(map[[2]string]*bound, len(rows))
	for _, row := range rows {
		b := s.of(row.PluginID, row.Domain)
		if b == nil || !b.row.SetAt.Equal(row.SetAt) || string(b.row.Sealed) != string(row.Sealed) || b.secret == "" {
			b = &bound{Credential: credentialOf(row), row: row}
			if plain, err := s.sealer.Open(row.Sealed, sealedFor(row.PluginID, row.Domain)); err == nil {
				b.secret = string(plain)
			}
		}
		next[[2]string{row.PluginID, row.Domain}] = b
	}
	s.now.Store(&next)
	return nil
}

// sealedFor binds a sealed secret to its row.
func sealedFor(plugin, domain string) []byte {
	return []byte("egress_credentials/" + plugin + "/" + domain)
}

func credentialOf(row db.EgressCredential) Credential {
	c := Credential{Plugin: row.PluginID, Domain: row.Domain, Kind: CredentialKind(row.Kind), SetBy: row.SetBy, SetAt: row.SetAt.UTC()}
	_ = json.Unmarshal(row.Terms, &c.Terms) // it was marshalled here
	return c
}

// Credentials returns what is bound, without the secrets, by plugin and domain.
func (l *Lane) Credentials(ctx context.Context) ([]Credential, error) {
	rows, err := db.New(l.credentials.pool).EgressCredentialList(ctx)
	if err != nil {
		return nil, db.Fault(err)
	}
	list := make([]Credential, 0, len(rows))
	for _, row := range rows {
		list = append(list, credentialOf(row))
	}
	return list, nil
}

// Bind makes the core add a credential to a plugin's requests to a domain, in place
// of the one before. Errors are faults: NotFound for the plugin, Unprocessable for
// a domain that its manifest does not declare and for what is wrong with c.
func (l *Lane) Bind(ctx context.Context, c Credential, secret string) (Credential, error) {
	p, ok := l.plugins.Snapshot().Plugin(c.Plugin)
	if !ok {
		return c, fault.New(fault.NotFound, "plugin.unknown", "No plugin is registered under the id %q.", c.Plugin)
	}
	c.Domain = strings.ToLower(c.Domain)
	if !slices.Contains(p.Manifest.AllowedDomains, c.Domain) {
		return c, fault.New(fault.Unprocessable, "proxy.domain", "The manifest of %s does not list %s among its allowed domains; only declared hosts can have a credential.", p.ID, c.Domain)
	}
	if err := c.check(secret); err != nil {
		return c, err
	}
	terms, err := json.Marshal(c.Terms)
	if err != nil {
		return c, err
	}
	sealed, err := l.credentials.sealer.Seal([]byte(secret), sealedFor(c.Plugin, c.Domain))
	if err != nil {
		return c, err
	}
	err = db.InTx(ctx, l.credentials.pool, func(q *db.Queries) error {
		row, err := q.EgressCredentialPut(ctx, db.EgressCredentialPutParams{PluginID: c.Plugin, Domain: c.Domain, Kind: string(c.Kind), Terms: terms, Sealed: sealed, SetBy: actor.From(ctx).ID})
		if err != nil {
			return err
		}
		c = credentialOf(row)
		return audit.Append(ctx, q, audit.Entry{Plugin: c.Plugin, Action: "egress.credential.set", Object: c.Plugin + "/" + c.Domain, Outcome: audit.OK, Detail: map[string]any{"kind": c.Kind, "terms": c.Terms}})
	})
	if err != nil {
		return c, err
	}
	return c, l.credentials.load(ctx)
}

// Unbind forgets a credential. The error is a NotFound fault when there is none.
func (l *Lane) Unbind(ctx context.Context, plugin, domain string) error {
	err := db.InTx(ctx, l.credentials.pool, func(q *db.Queries) error {
		row, err := q.EgressCredentialDelete(ctx, plugin, strings.ToLower(domain))
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.NotFound, "credential.unknown", "%s has no credential for %s.", plugin, domain)
		}
		if err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Plugin: plugin, Action: "egress.credential.remove", Object: plugin + "/" + row.Domain, Outcome: audit.OK, Detail: map[string]any{"kind": row.Kind}})
	})
	if err != nil {
		return err
	}
	return l.credentials.load(ctx)
}

// secretOf returns what is shown to the host now, and for oauth2 another one than
// was spent. The error is a fault.
func (l *Lane) secretOf(ctx context.Context, b *bound, spent string) (string, error) {
	if b.secret == "" {
		return "", fault.New(fault.Unavailable, CodeCredential, "The credential for %s cannot be opened; somebody has to set it again.", b.Domain)
	}
	if b.Kind != OAuth2Credential {
		return b.secret, nil
	}
	return b.tokens.get(ctx, l.now, spent, func(ctx context.Context) (string, time.Duration, error) {
		return l.fetchToken(ctx, &b.Credential, b.secret)
	})
}
