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
	"github.com/vivified/vivified/db"
)

// maxKeyOverlap is for how long a rotated key may go on beside its successor.
const maxKeyOverlap = 7 * 24 * time.Hour

// KeyStale is for how long a key in force is not used until it is called stale.
const KeyStale = 90 * 24 * time.Hour

// Stale reports whether nobody used a key in force for a long time.
func (k APIKey) Stale(now time.Time) bool {
	since := k.CreatedAt
	if k.LastUsed != nil {
		since = *k.LastUsed
	}
	return k.Live(now) && now.Sub(since) >= KeyStale
}

// Live reports whether a key is in force.
func (k APIKey) Live(now time.Time) bool { return k.RevokedAt == nil && now.Before(k.ExpiresAt) }

// RotateAPIKey makes a key of the same name, life and scope in place of one of
// whoever acts, who must be signed in by a session. The old one ends after overlap,
// at most a week, or at its own end if that comes sooner. What the owner has no
// more is left out of the scope. The secret is returned this once.
func (s *Service) RotateAPIKey(ctx context.Context, id uuid.UUID, overlap time.Duration) (APIKey, string, error) {
	owner, _, err := s.ownCredentials(ctx)
	if err != nil {
		return APIKey{}, "", err
	}
	if overlap < 0 || overlap > maxKeyOverlap {
		return APIKey{}, "", violation("key.overlap", "/overlap", "The old key goes on for at most a week.", "Name 0 to 168 hours.")
	}
	now, secret, hash := s.now(), "", []byte(nil)
	var key APIKey
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.APIKeyLock(ctx, id)
		old := apiKeyOf(row)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && (old.Owner != owner || !old.Live(now)) {
			return fault.New(fault.NotFound, "key.unknown", "There is no such key; it may have been revoked.")
		}
		if err != nil {
			return err
		}
		scope, _ := s.Traits().Parse(old.Scope)
		if scope = inBoth(scope, actor.From(ctx).Traits); scope.Empty() {
			return violation("scope.beyond", "/scope", "You have nothing any more of what this key carries.", "Make a new key.")
		}
		secret, hash = newSecret(apiKeyPrefix)
		life := min(old.ExpiresAt.Sub(old.CreatedAt), s.KeyLife())
		added, err := q.APIKeyInsert(ctx, db.APIKeyInsertParams{
			ID: uuid.Must(uuid.NewV7()), Hash: hash, Hint: secret[len(secret)-4:], Owner: owner, Name: old.Name, Scope: s.Traits().Names(scope), At: now, ExpiresAt: now.Add(life),
		})
		if err != nil {
			return err
		}
		key = apiKeyOf(added)
		key.Replaces = &old.ID
		if err := q.APIKeyReplaces(ctx, old.ID, key.ID); err != nil {
			return err
		}
		if err := q.APIKeyRotated(ctx, now.Add(overlap), old.ID); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "key.rotate", Object: key.ID.String(), Outcome: audit.OK, Detail: map[string]any{
			"owner": owner, "name": key.Name, "scope": key.Scope, "expires_at": key.ExpiresAt, "replaces": old.ID, "old_ends_at": now.Add(overlap),
		}})
	})
	if err != nil {
		return APIKey{}, "", err
	}
	s.changed(ctx)
	return key, secret, nil
}

// StaleKeys counts the stale keys of a person, or of everybody for the zero id.
func (s *Service) StaleKeys(ctx context.Context, owner uuid.UUID) (int, error) {
	now := s.now()
	n, err := db.New(s.Pool).APIKeysStale(ctx, db.APIKeysStaleParams{TenantID: actor.From(ctx).Tenant, Owner: owner, At: now, Before: now.Add(-KeyStale)})
	return int(n), db.Fault(err)
}
