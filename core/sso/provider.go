package sso

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Provider is an identity provider that people sign in by.
type Provider struct {
	ID       string     `json:"id"` // in addresses; never changes
	Name     string     `json:"name"`
	Icon     string     `json:"icon"`
	Issuer   string     `json:"issuer"`
	ClientID string     `json:"client_id"`
	SecretAt *time.Time `json:"client_secret_set_at"` // nil: none, a public client
	Scopes   []string   `json:"scopes"`
	Claims   Claims     `json:"claims"`
	Domains  []string   `json:"domains"` // of addresses that may sign in; empty: any
	Options  Options    `json:"options"`
	Rules    []Rule     `json:"rules"`
	Enabled  bool       `json:"enabled"`
	Version  int64      `json:"version"`

	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedBy string    `json:"updated_by"`
	UpdatedAt time.Time `json:"updated_at"`

	// What to register at the provider, letter by letter.
	RedirectURI    string `json:"redirect_uri"`
	SignedOutURI   string `json:"post_logout_redirect_uri"`
	BackchannelURI string `json:"backchannel_logout_uri"`

	tenant string
	sealed []byte
}

// Claims are the paths of the claims that say who somebody is: see [Values].
type Claims struct {
	Email string `json:"email"` // default email
	Name  string `json:"name"`  // default name
}

// Options are how a provider is used.
type Options struct {
	Create     bool `json:"create"`      // people nobody is linked with are added at their first sign-in
	TrustEmail bool `json:"trust_email"` // the provider owns its addresses, and need not say email_verified
	UserInfo   bool `json:"userinfo"`    // ask the userinfo endpoint as well
	SignOut    bool `json:"sign_out"`    // signing out here also signs out there

	// Of these values of amr (RFC 8176) and acr, each says that a second factor was
	// shown; none configured: nothing it says does. Those of acr are asked for.
	FactorAMR []string `json:"factor_amr"`
	FactorACR []string `json:"factor_acr"`

	// TrustPrompt takes a provider's word that it asks whenever it is told to, though
	// it does not say when it asked (auth_time).
	TrustPrompt bool `json:"trust_prompt"`
}

// Draft is what an administrator says of a provider.
type Draft struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Icon     string   `json:"icon"`
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"`
	Secret   *string  `json:"client_secret"` // nil: stays; "": cleared
	Scopes   []string `json:"scopes"`
	Claims   Claims   `json:"claims"`
	Domains  []string `json:"domains"`
	Options  Options  `json:"options"`
	Rules    []Rule   `json:"rules"`
	Enabled  bool     `json:"enabled"`
	Version  *int64   `json:"version"` // not nil: only if it is still this one
}

// Draft returns p as it would be said again.
func (p Provider) Draft() Draft {
	version := p.Version
	return Draft{
		ID: p.ID, Name: p.Name, Icon: p.Icon, Issuer: p.Issuer, ClientID: p.ClientID, Scopes: p.Scopes, Claims: p.Claims, Domains: p.Domains,
		Options: p.Options, Rules: p.Rules, Enabled: p.Enabled, Version: &version,
	}
}

// secretAAD binds a sealed client secret to its provider and issuer: whoever could
// write the table alone could not have it sent elsewhere.
func secretAAD(id, issuer string) []byte { return []byte("sso/client-secret/" + id + "/" + issuer) }

func (s *Service) providerOf(row db.SSOProvider) (Provider, error) {
	p := Provider{
		ID: row.ID, Name: row.Name, Icon: row.Icon, Issuer: row.Issuer, ClientID: row.ClientID, SecretAt: row.SecretAt, Scopes: row.Scopes, Domains: row.Domains,
		Enabled: row.Enabled, Version: row.Version, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedBy: row.UpdatedBy, UpdatedAt: row.UpdatedAt,
		RedirectURI: s.RedirectURI(row.ID), SignedOutURI: s.SignedOutURI(), BackchannelURI: s.BackchannelURI(row.ID),
		tenant: row.TenantID, sealed: row.ClientSecret,
	}
	err := errors.Join(json.Unmarshal(row.Claims, &p.Claims), json.Unmarshal(row.Options, &p.Options), json.Unmarshal(row.Rules, &p.Rules))
	p.Options.FactorAMR, p.Options.FactorACR = distinct(p.Options.FactorAMR), distinct(p.Options.FactorACR) // none, not null
	return p, err
}

// secret opens the client secret; "" for a public client.
func (s *Service) secret(p Provider) (string, error) {
	if len(p.sealed) == 0 {
		return "", nil
	}
	plain, err := s.Sealer.Open(p.sealed, secretAAD(p.ID, p.Issuer))
	return string(plain), err
}

// noProvider translates a row that is not there.
func noProvider(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.NotFound, "sso.unknown", "There is no such identity provider.")
	}
	return db.Fault(err)
}
