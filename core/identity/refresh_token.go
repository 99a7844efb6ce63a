package identity

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/db"
)

// refreshLife is how long a refresh token may stay unused.
const refreshLife = 30 * 24 * time.Hour

// PluginTokens is what a registration or refresh answers.
type PluginTokens struct {
	Plugin       string
	Token        string
	ExpiresIn    time.Duration
	RefreshToken string // good once; the answer to its use carries the next
}

// IssuePluginTokens returns the tokens of a plugin that just registered or came
// back, as the database has it; its proof was checked before. A quarantined
// plugin is given none, a disabled one tokens that work once it is enabled.
func (s *Service) IssuePluginTokens(ctx context.Context, plugin string) (PluginTokens, error) {
	var issued PluginTokens
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		p, err := q.PluginLock(ctx, plugin)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.NotFound, "plugin.unknown", "No plugin is registered under that id.")
		}
		if err != nil {
			return err
		}
		if policy.State(p.State) == policy.Quarantined {
			return fault.New(fault.Denied, "plugin.quarantined", "This plugin is quarantined; its operator has to release it.")
		}
		if issued, err = s.issue(ctx, q, p, uuid.Must(uuid.NewV7())); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Plugin: plugin, Action: "plugin.token", Object: plugin, Outcome: audit.OK, Detail: map[string]any{"by": "registration"}})
	})
	return issued, err
}

// issue signs a token and stores the next refresh token of a family.
func (s *Service) issue(ctx context.Context, q *db.Queries, p db.Plugin, family uuid.UUID) (PluginTokens, error) {
	signed, err := s.signPluginToken(ctx, p, family)
	if err != nil {
		return PluginTokens{}, err
	}
	secret, hash := newSecret(refreshPrefix)
	now := s.now()
	err = q.RefreshTokenInsert(ctx, db.RefreshTokenInsertParams{
		Hash: hash, PluginID: p.ID, Generation: p.Generation, Family: family, At: now, ExpiresAt: now.Add(refreshLife),
	})
	return PluginTokens{Plugin: p.ID, Token: signed, ExpiresIn: pluginTokenLife, RefreshToken: secret}, err
}

// RefreshPlugin exchanges a refresh token for fresh tokens. A token that is not
// good is an Unauthenticated fault; one used before also ends every token descended
// from the same registration, access tokens too, because two parties hold it. While the plugin is
// disabled it is a Denied fault, and the token stays good.
func (s *Service) RefreshPlugin(ctx context.Context, refresh string) (PluginTokens, error) {
	issued, err := s.exchange(ctx, refresh, exchange{})
	return issued, s.deny(ctx, err)
}

// ReturnPlugin does the same for a plugin that comes back, also while it is
// disabled. Another plugin's token is an Unauthenticated fault, and stays good.
// Whoever asks records a refusal.
func (s *Service) ReturnPlugin(ctx context.Context, refresh, plugin string) (PluginTokens, error) {
	return s.exchange(ctx, refresh, exchange{plugin: plugin, disabledToo: true})
}

// CheckReturn returns nil when a refresh token proves that whoever presents it is a
// plugin that comes back, or the fault that ReturnPlugin would. It spends nothing; a
// token used before ends its family all the same. Whoever asks records a refusal.
func (s *Service) CheckReturn(ctx context.Context, refresh, plugin string) error {
	_, err := s.exchange(ctx, refresh, exchange{plugin: plugin, disabledToo: true, keep: true})
	return err
}

// exchange says how a refresh token is looked at.
type exchange struct {
	plugin      string // whose it must be; "" for anybody's
	disabledToo bool
	keep        bool // it is looked at and not spent
}

func (s *Service) exchange(ctx context.Context, refresh string, how exchange) (PluginTokens, error) {
	if !isSecret(refreshPrefix, refresh) {
		return PluginTokens{}, refused(&denial{Credential: CredentialRefresh, Reason: "form"})
	}
	var issued PluginTokens
	var denied error
	reused := false
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		p, row, err := lockRefresh(ctx, q, hashOf(refresh))
		if errors.Is(err, pgx.ErrNoRows) {
			denied = refused(&denial{Credential: CredentialRefresh, Reason: "unknown"})
			return nil
		}
		if err != nil {
			return err
		}
		d := &denial{Credential: CredentialRefresh, Plugin: p.ID}
		switch d.Reason = how.wrong(row, p, s.now()); {
		case d.Reason == "plugin disabled":
			denied = fault.New(fault.Denied, "plugin.disabled", "This plugin is disabled; its tokens work again once it is enabled.").Because(d)
			return nil
		case d.Reason != "":
			denied = refused(d)
			if d.Reason == usedBefore {
				reused = true
				return s.endFamily(ctx, q, row)
			}
			return nil
		}
		if how.keep {
			return nil
		}
		issued, err = s.rotateRefresh(ctx, q, row, p)
		return err
	})
	if err == nil {
		err = denied
	}
	if reused {
		s.changed(ctx)
	}
	return issued, err
}

// lockRefresh returns a refresh token and its plugin, locked in the order in which
// a plugin that leaves locks them.
func lockRefresh(ctx context.Context, q *db.Queries, hash []byte) (p db.Plugin, row db.PluginRefreshToken, err error) {
	id, err := q.RefreshTokenPlugin(ctx, hash)
	if err != nil {
		return p, row, err
	}
	if p, err = q.PluginLock(ctx, id); err != nil {
		return p, row, err
	}
	row, err = q.RefreshTokenLock(ctx, hash)
	return p, row, err
}

// usedBefore is why a refresh token is refused that two parties hold.
const usedBefore = "used before"

// wrong says why a refresh token is not good; "" when it is.
func (how exchange) wrong(row db.PluginRefreshToken, p db.Plugin, now time.Time) string {
	switch {
	case how.plugin != "" && how.plugin != p.ID:
		return "of another plugin"
	case row.RevokedAt != nil || row.Generation != p.Generation || policy.State(p.State) == policy.Quarantined:
		return "revoked"
	case row.UsedAt != nil:
		return usedBefore
	case !now.Before(row.ExpiresAt):
		return "expired"
	case policy.State(p.State) == policy.Disabled && !how.disabledToo:
		return "plugin disabled"
	}
	return ""
}

// endFamily revokes every refresh token descended from the same registration.
func (s *Service) endFamily(ctx context.Context, q *db.Queries, row db.PluginRefreshToken) error {
	n, err := q.RefreshTokenRevokeFamily(ctx, s.now(), row.Family)
	if err != nil {
		return err
	}
	return audit.Append(ctx, q, audit.Entry{Plugin: row.PluginID, Action: "plugin.token.revoke", Object: row.PluginID, Outcome: audit.OK, Detail: map[string]any{
		"reason": "a refresh token was used twice", "tokens": n,
	}})
}

// rotateRefresh spends a refresh token and issues what follows it.
func (s *Service) rotateRefresh(ctx context.Context, q *db.Queries, row db.PluginRefreshToken, p db.Plugin) (PluginTokens, error) {
	if err := q.RefreshTokenUse(ctx, s.now(), row.Hash); err != nil {
		return PluginTokens{}, err
	}
	issued, err := s.issue(ctx, q, p, row.Family)
	if err != nil {
		return PluginTokens{}, err
	}
	ctx = actor.With(ctx, actor.Actor{Kind: actor.Plugin, ID: p.ID, Name: p.Name, Tenant: p.TenantID, Credential: actor.Credential{Kind: CredentialRefresh, ID: row.Family.String()}})
	return issued, audit.Append(ctx, q, audit.Entry{Plugin: p.ID, Action: "plugin.token", Object: p.ID, Outcome: audit.OK, Detail: map[string]any{"by": "refresh"}})
}
