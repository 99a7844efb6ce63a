package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// usualKeyLife is how far ahead an API key may expire unless configured otherwise.
const usualKeyLife = 366 * 24 * time.Hour

// APIKey is a person's key for programs. It carries at most its scope, and never
// more than its owner has at the time.
type APIKey struct {
	ID        uuid.UUID
	Owner     uuid.UUID
	OwnerName string // in AllAPIKeys only
	Name      string
	Hint      string   // its last four characters
	Scope     []string // traits by name
	CreatedAt time.Time
	ExpiresAt time.Time
	LastUsed  *time.Time // exact to a minute
	UsedFrom  string     // the address of that use
	Replaces  *uuid.UUID // the key it was rotated from
	RevokedAt *time.Time
}

func apiKeyOf(row db.APIKey) APIKey {
	return APIKey{
		ID: row.ID, Owner: row.Owner, Name: row.Name, Hint: row.Hint, Scope: row.Scope,
		CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt, LastUsed: row.LastUsedAt, UsedFrom: row.LastUsedAddress, Replaces: row.Replaces, RevokedAt: row.RevokedAt,
	}
}

// CreateAPIKey makes a key for whoever acts, who must be signed in by a session.
// The secret is returned this once. scope names at least one trait and none the
// owner lacks; expires is required, at most a year ahead.
func (s *Service) CreateAPIKey(ctx context.Context, name string, scope []string, expires time.Time) (APIKey, string, error) {
	owner, _, err := s.ownCredentials(ctx)
	if err != nil {
		return APIKey{}, "", err
	}
	if name, err = cleanName(name); err != nil {
		return APIKey{}, "", err
	}
	now := s.now()
	if most := s.KeyLife(); !expires.After(now) || expires.Sub(now) > most {
		return APIKey{}, "", violation("expires.range", "/expires_at", fmt.Sprintf("A key needs an end, at most %d days ahead.", int(most.Hours()/24)), "Name an earlier time.")
	}
	set, unknown := s.Traits().Parse(scope)
	if len(unknown) > 0 || set.Empty() {
		return APIKey{}, "", violation("scope.unknown", "/scope", "The scope names no trait, or one that does not exist.", "Choose from your own traits.")
	}
	if lacking := actor.From(ctx).Traits.Missing(set); !lacking.Empty() {
		return APIKey{}, "", violation("scope.beyond", "/scope", "A key cannot carry what you do not have: "+strings.Join(s.Traits().Names(lacking), ", ")+".", "Choose from your own traits.")
	}
	secret, hash := newSecret(apiKeyPrefix)
	var key APIKey
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.APIKeyInsert(ctx, db.APIKeyInsertParams{
			ID: uuid.Must(uuid.NewV7()), Hash: hash, Hint: secret[len(secret)-4:], Owner: owner, Name: name,
			Scope: s.Traits().Names(set), At: now, ExpiresAt: expires.UTC(),
		})
		if err != nil {
			return err
		}
		key = apiKeyOf(row)
		return audit.Append(ctx, q, audit.Entry{Action: "key.create", Object: key.ID.String(), Outcome: audit.OK, Detail: map[string]any{
			"owner": owner, "name": name, "scope": key.Scope, "expires_at": key.ExpiresAt,
		}})
	})
	if err != nil {
		return APIKey{}, "", err
	}
	return key, secret, nil
}

// RevokeAPIKey ends a key: one's own, or one of somebody whose sensitive traits
// the caller has as well. It returns a NotFound fault when there is none.
func (s *Service) RevokeAPIKey(ctx context.Context, id uuid.UUID) error {
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.APIKeyByID(ctx, id)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && row.User.TenantID != actor.From(ctx).Tenant {
			return fault.New(fault.NotFound, "key.unknown", "There is no such key; it may have been revoked.")
		}
		if err != nil {
			return err
		}
		if !isSelf(ctx, row.User.ID) {
			u, err := s.user(ctx, q, row.User)
			if err != nil {
				return err
			}
			if err := s.reaches(ctx, u.Traits); err != nil {
				return err
			}
		}
		n, err := q.APIKeyRevoke(ctx, s.now(), id)
		if err != nil || n == 0 {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "key.revoke", Object: id.String(), Outcome: audit.OK, Detail: map[string]any{"owner": row.User.ID}})
	})
	if err == nil {
		s.changed(ctx)
	}
	return err
}

// within returns the traits a key with that scope gives an owner with those: what
// the scope means today, less what the owner has no more.
func within(registry *trait.Registry, scope []string, owner trait.Set) trait.Set {
	set, _ := registry.Parse(scope)
	return inBoth(registry.Effective(set), owner)
}

// inBoth returns the traits that are in a and in b.
func inBoth(a, b trait.Set) trait.Set {
	for i := range a {
		a[i] &= b[i]
	}
	return a
}
