package sso

import (
	"context"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Providers returns every provider, by name.
func (s *Service) Providers(ctx context.Context) ([]Provider, error) {
	rows, err := db.New(s.Pool).SSOProviderList(ctx, actor.From(ctx).Tenant)
	if err != nil {
		return nil, db.Fault(err)
	}
	all := make([]Provider, len(rows))
	for i, row := range rows {
		if all[i], err = s.providerOf(row); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Provider returns one provider, or a NotFound fault.
func (s *Service) Provider(ctx context.Context, id string) (Provider, error) {
	row, err := db.New(s.Pool).SSOProviderGet(ctx, actor.From(ctx).Tenant, id)
	if err != nil {
		return Provider{}, noProvider(err)
	}
	return s.providerOf(row)
}

// Button is a way to sign in, as everybody may see it.
type Button struct{ ID, Name, Icon string }

// Buttons returns the ways to sign in that are switched on, by name.
func (s *Service) Buttons(ctx context.Context) ([]Button, error) {
	all, err := s.Providers(ctx)
	if err != nil {
		return nil, err
	}
	var on []Button
	for _, p := range all {
		if p.Enabled {
			on = append(on, Button{p.ID, p.Name, p.Icon})
		}
	}
	return on, nil
}

// usable returns a provider that people may sign in by, or a NotFound fault that
// is the same for one that is switched off: strangers ask.
func (s *Service) usable(ctx context.Context, id string, purpose Purpose) (Provider, error) {
	p, err := s.Provider(ctx, id)
	if err == nil && !p.Enabled && purpose != Test {
		err = fault.New(fault.NotFound, "sso.unknown", "There is no such identity provider.")
	}
	return p, err
}
