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
	signed, err := s.signPluginToken(ctx, p)
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

// RefreshPlugin exchanges a refresh token for fresh tokens. A token that is
// not good is an Unauthenticated fault; one used before also ends every token
// descended from the same registration, because two parties hold it. While the
// plugin is disabled it is a Denied fault, and the token stays good.
func (s *Service) RefreshPlugin(ctx context.Context, refresh string) (PluginTokens, error) {
	return s.refresh(ctx, refresh, "", false)
}

// ReturnPlugin does the same for a plugin that comes back and presents its refresh
// token as the proof that it is that plugin, also while it is disabled. Another
// plugin's token is an Unauthenticated fault, and stays good.
func (s *Service) ReturnPlugin(ctx context.Context, refresh, plugin string) (PluginTokens, error) {
	return s.refresh(ctx, refresh, plugin, true)
}

func (s *Service) refresh(ctx context.Context, refresh, plugin string, disabledToo bool) (PluginTokens, error) {
	if !isSecret(refreshPrefix, refresh) {
		return PluginTokens{}, s.deny(ctx, refused(&denial{Credential: CredentialRefresh, Reason: "form"}))
	}
	var issued PluginTokens
	var denied error
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.RefreshTokenLock(ctx, hashOf(refresh))
		if errors.Is(err, pgx.ErrNoRows) {
			denied = refused(&denial{Credential: CredentialRefresh, Reason: "unknown"})
			return nil
		}
		if err != nil {
			return err
		}
		p, err := q.PluginLock(ctx, row.PluginID)
		if err != nil {
			return err
		}
		now, d := s.now(), &denial{Credential: CredentialRefresh, Plugin: p.ID}
		switch {
		case plugin != "" && plugin != p.ID:
			d.Reason = "of another plugin"
		case row.RevokedAt != nil || row.Generation != p.Generation || policy.State(p.State) == policy.Quarantined:
			d.Reason = "revoked"
		case row.UsedAt != nil:
			d.Reason = "used twice; its family is revoked"
			if _, err := q.RefreshTokenRevokeFamily(ctx, now, row.Family); err != nil {
				return err
			}
		case !now.Before(row.ExpiresAt):
			d.Reason = "expired"
		case policy.State(p.State) == policy.Disabled && !disabledToo:
			d.Reason = "plugin disabled"
			denied = fault.New(fault.Denied, "plugin.disabled", "This plugin is disabled; its tokens work again once it is enabled.").Because(d)
			return nil
		default:
			return s.rotate(ctx, q, row, p, &issued)
		}
		denied = refused(d)
		return nil
	})
	if err != nil {
		return PluginTokens{}, err
	}
	if denied != nil {
		return PluginTokens{}, s.deny(ctx, denied)
	}
	return issued, nil
}

// rotate spends a refresh token and issues what follows it.
func (s *Service) rotate(ctx context.Context, q *db.Queries, row db.PluginRefreshToken, p db.Plugin, issued *PluginTokens) error {
	if err := q.RefreshTokenUse(ctx, s.now(), row.Hash); err != nil {
		return err
	}
	var err error
	if *issued, err = s.issue(ctx, q, p, row.Family); err != nil {
		return err
	}
	ctx = actor.With(ctx, actor.Actor{Kind: actor.Plugin, ID: p.ID, Name: p.Name, Tenant: p.TenantID, Credential: actor.Credential{Kind: CredentialRefresh, ID: row.Family.String()}})
	return audit.Append(ctx, q, audit.Entry{Plugin: p.ID, Action: "plugin.token", Object: p.ID, Outcome: audit.OK, Detail: map[string]any{"by": "refresh"}})
}
