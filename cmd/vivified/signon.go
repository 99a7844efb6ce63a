package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/lanes/proxy"
)

// everywhere is what an administrator opens by naming an issuer: the private ranges
// it may lie in. Metadata services and link-local addresses stay closed.
var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// singleSignOn builds the service that signs people in by identity providers, and
// has it asked before passwords are switched off.
func singleSignOn(ctx context.Context, conf *settings.Settings, pool *pgxpool.Pool, people *identity.Service, sealer *settings.Sealer, writer *audit.Writer, public string, own []netip.AddrPort, log *slog.Logger) (*sso.Service, error) {
	roots, err := proxy.Roots(conf.String(settings.ProxyCAFile))
	if err != nil {
		return nil, err
	}
	s, err := sso.Open(sso.Config{
		Pool: pool, People: people, Sealer: sealer, Record: writer, Public: public, Roots: roots, BreakGlass: people.BreakGlassReady, Log: log,
		Judge: func(host string, named bool, at netip.AddrPort) error {
			j := proxy.Judge{Own: own}
			if named {
				j.Ranges = proxy.Ranges{host: everywhere}
			}
			return j.Address(host, at)
		},
	})
	if err != nil {
		return nil, err
	}
	conf.Guard(settings.AuthLocalLogin, func(ctx context.Context, on any) error {
		if on == true || conf.Bool(settings.AuthLocalLoginRescue) {
			return nil
		}
		return s.MayCloseLocal(ctx)
	})
	return s, addProvider(ctx, s, conf.String(settings.SSOProvider))
}

// addProvider adds the identity provider that the operator of the machine names,
// unless there is one of its id.
func addProvider(ctx context.Context, s *sso.Service, text string) error {
	if text == "" {
		return nil
	}
	d := sso.Draft{Enabled: true}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return fault.New(fault.Invalid, "settings.invalid", "sso_provider is not the JSON of an identity provider.").Because(err)
	}
	ctx = actor.With(ctx, actor.Core("settings"))
	if _, err := s.Provider(ctx, d.ID); !fault.Is(err, fault.NotFound) {
		return err
	}
	_, err := s.Create(ctx, d)
	return err
}
