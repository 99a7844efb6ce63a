package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/local"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// gather reads the facts.
func (s *Service) gather(ctx context.Context, since, at time.Time) (*Facts, error) {
	conf := s.Settings
	f := &Facts{
		At: at, Since: since,
		SecondFactor: conf.String(settings.SecondFactor), Grace: conf.Duration(settings.SecondFactorGrace), Fresh: conf.Duration(settings.StepUp),
		Emergency: conf.Duration(settings.BreakGlassSession), Idle: conf.Duration(settings.SessionIdle), IdlePHI: conf.Duration(settings.SessionIdlePHI),
		Absolute: conf.Duration(settings.SessionAbsolute), KeyLife: conf.Duration(settings.KeyLife),
		LocalLogin: conf.Bool(settings.AuthLocalLogin), Rescue: conf.Bool(settings.AuthLocalLoginRescue), FourEyes: conf.Bool(settings.PolicyFourEyes),
		Registration: conf.String(settings.Registration), AutoEnable: conf.Bool(settings.AutoEnable), EgressAuto: conf.Bool(settings.EgressAutoApprove),
		HeadsEvery: conf.Duration(settings.AuditHeadsInterval), KeepPHI: conf.Int(settings.AuditKeepPHI), KeepSecurity: conf.Int(settings.AuditKeepSecurity), KeepOther: conf.Int(settings.AuditKeepOther),
		Secure: s.Secure, KeyOutside: s.KeyOutside, Database: databaseWay(conf.String(settings.DatabaseURL)), Bus: urlWay(conf.String(settings.NATSURL)),
		Rules: s.Rules.InForce(), AdminRules: len(s.Rules.RulesInForce()),
	}
	for _, p := range s.Plugins.Snapshot().Plugins() {
		if p.State == policy.Active {
			f.Plugins = append(f.Plugins, pluginOf(p))
		}
	}
	for _, read := range [...]func(context.Context, *Facts) error{s.people, s.keys, s.sinks, s.chains, s.archived, s.trails} {
		if err := read(ctx, f); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func pluginOf(p *registry.Plugin) Plugin {
	one := Plugin{ID: p.ID, PHI: p.Traits.Has(trait.HandlesPHI), Audited: p.Traits.Has(trait.AuditRequired), Recorded: p.Level() > audit.None, Way: urlWay(p.Address)}
	if p.Manifest != nil && p.Manifest.Security.Classes.Has(trait.PHI) {
		one.PHI = true
	}
	return one
}

func (s *Service) people(ctx context.Context, f *Facts) error {
	roles, err := s.People.Roles(ctx)
	if err != nil {
		return err
	}
	for _, r := range roles {
		f.Roles = append(f.Roles, r.Name)
	}
	glass, err := s.People.BreakGlassAccounts(ctx)
	if err != nil {
		return err
	}
	for _, g := range glass {
		f.Glass = append(f.Glass, Glass{Name: g.User.Name, Active: g.User.Status == identity.Active, Expires: g.Expires})
	}
	unseen, err := s.People.BreakGlassAlerts(ctx)
	if err != nil {
		return err
	}
	f.Unseen = len(unseen)
	providers, err := s.SSO.Providers(ctx)
	for _, p := range providers {
		if p.Enabled {
			f.Providers = append(f.Providers, p.Name)
		}
	}
	return err
}

func (s *Service) keys(ctx context.Context, f *Facts) error {
	keys, err := s.People.SigningKeys(ctx)
	for _, k := range keys {
		f.Keys = append(f.Keys, Key{ID: k.ID, Signs: k.Signs, Expires: k.Expires})
	}
	return err
}

func (s *Service) sinks(ctx context.Context, f *Facts) error {
	sinks, err := s.SIEM.Sinks(ctx)
	for _, one := range sinks {
		f.Sinks = append(f.Sinks, Sink{Name: one.Name, Enabled: one.Enabled, Failing: one.Failing != nil, Behind: one.Behind, Missed: one.Missed})
	}
	return err
}

// archived reads what was purged, and what must not be.
func (s *Service) archived(ctx context.Context, f *Facts) error {
	q := db.New(s.Pool)
	sum, err := q.ArchiveTotals(ctx)
	if err != nil {
		return db.Fault(err)
	}
	f.Archived = Archived{Files: sum.Archives, Records: sum.Records}
	if f.Archived.Holds, err = q.HoldCount(ctx, actor.From(ctx).Tenant); err != nil {
		return db.Fault(err)
	}
	f.Archived.First, err = q.ArchiveFirst(ctx, audit.ChangeChain)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return db.Fault(err)
}

// chains reads how far the audit goes, and when it was last verified.
func (s *Service) chains(ctx context.Context, f *Facts) error {
	heads, err := s.Audit.Heads(ctx)
	if err != nil {
		return err
	}
	f.Chains = len(heads)
	for _, h := range heads {
		f.Records += h.Seq
	}
	first, err := s.Audit.Get(ctx, audit.ChangeChain, 1)
	switch {
	case err == nil:
		f.First = first.At
	case !fault.Is(err, fault.NotFound):
		return err
	}
	switch file, err := os.Stat(s.Heads); {
	case err == nil:
		f.Heads = &File{At: file.ModTime(), Bytes: file.Size()}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for _, c := range s.Copies {
		f.Copies = append(f.Copies, c.State())
	}
	last, err := s.Audit.Search(ctx, audit.Filter{Action: "audit.verify", Outcome: audit.OK, Limit: 1})
	if err != nil || len(last.Records) == 0 {
		return err
	}
	r := &last.Records[0]
	var found struct {
		OK   *bool `json:"ok"`
		Rows int64 `json:"rows"`
	}
	if json.Unmarshal(r.Detail, &found) == nil && found.OK != nil {
		f.Verified = &Verified{At: r.At, By: r.ActorName, OK: *found.OK, Rows: found.Rows}
	}
	return nil
}

// trails reads when each kind of record was last written: one row of each.
func (s *Service) trails(ctx context.Context, f *Facts) error {
	f.Last = map[string]time.Time{}
	asked := map[string]bool{}
	for _, c := range controls {
		for _, t := range c.trails {
			if asked[t.action] {
				continue
			}
			asked[t.action] = true
			page, err := s.Audit.Search(ctx, audit.Filter{Action: t.action, Since: f.Since, Until: f.At, Limit: 1})
			if err != nil {
				return err
			}
			if len(page.Records) > 0 {
				f.Last[t.action] = page.Records[0].At
			}
		}
	}
	return nil
}

// databaseWay says how the database at a URL is reached; "" is the core's own. A
// connection that may fall back to clear text counts as clear.
func databaseWay(raw string) Way {
	if raw == "" {
		return Here
	}
	conf, err := pgconn.ParseConfig(raw)
	if err != nil {
		return Clear
	}
	way := oneWay(conf.Host, conf.TLSConfig != nil)
	for _, f := range conf.Fallbacks {
		if oneWay(f.Host, f.TLSConfig != nil) == Clear {
			way = Clear
		}
	}
	return way
}

// urlWay says how what is at a URL is reached; "" is inside the core.
func urlWay(raw string) Way {
	if raw == "" {
		return Here
	}
	u, err := url.Parse(raw)
	if err != nil {
		return Clear
	}
	return oneWay(u.Hostname(), u.Scheme == "https" || u.Scheme == "tls" || u.Scheme == "wss")
}

func oneWay(host string, encrypted bool) Way {
	switch {
	case local.Host(host) || strings.HasPrefix(host, "/"): // or a socket
		return Here
	case encrypted:
		return Encrypted
	}
	return Clear
}
