package market

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Key is a publisher's key that the operator believes, or believed.
type Key struct {
	ID      string     `json:"id"` // fingerprint
	Name    string     `json:"name"`
	PEM     string     `json:"pem"`
	AddedBy string     `json:"added_by"`
	AddedAt time.Time  `json:"added_at"`
	Revoked *time.Time `json:"revoked_at,omitempty"`
	Reason  string     `json:"reason,omitempty"`
}

// maxKeys bounds the keys: each bundle is checked against all of them.
const maxKeys = 50

// Keys returns the publishers' keys, those in force first.
func (s *Service) Keys(ctx context.Context) ([]Key, error) {
	rows, err := db.New(s.Pool).PublisherKeyList(ctx, actor.From(ctx).Tenant)
	if err != nil {
		return nil, db.Fault(err)
	}
	keys := make([]Key, len(rows))
	for i, r := range rows {
		keys[i] = Key{r.ID, r.Name, r.Pem, r.AddedBy, r.AddedAt, r.RevokedAt, r.Reason}
	}
	return keys, nil
}

// trusted returns the keys in force, and their names by id.
func (s *Service) trusted(ctx context.Context) ([]bundle.PublicKey, map[string]string, error) {
	keys, err := s.Keys(ctx)
	if err != nil {
		return nil, nil, err
	}
	var valid []bundle.PublicKey
	names := map[string]string{}
	for _, k := range keys {
		if k.Revoked != nil {
			continue
		}
		public, err := bundle.ParsePublicKey(k.PEM)
		if err != nil {
			return nil, nil, err
		}
		valid, names[k.ID] = append(valid, public), k.Name
	}
	return valid, names, nil
}

// AddKey trusts a publisher's key: a PEM block PUBLIC KEY with an ed25519 key.
func (s *Service) AddKey(ctx context.Context, name, pem string) (Key, error) {
	if name = strings.TrimSpace(name); name == "" || len(name) > 120 {
		return Key{}, fault.New(fault.Unprocessable, "marketplace.key_name", "Say in up to 120 characters whose key it is.")
	}
	public, err := bundle.ParsePublicKey(pem)
	if err != nil {
		return Key{}, err
	}
	who := actor.From(ctx)
	k := Key{ID: public.ID(), Name: name, PEM: public.PEM(), AddedBy: who.Name, AddedAt: s.Now()}
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		there, err := q.PublisherKeyList(ctx, who.Tenant)
		if err != nil {
			return err
		}
		if len(there) >= maxKeys {
			return fault.New(fault.Conflict, "marketplace.too_many_keys", "There are %d keys already.", maxKeys)
		}
		n, err := q.PublisherKeyPut(ctx, db.PublisherKeyPutParams{ID: k.ID, TenantID: who.Tenant, Name: name, Pem: k.PEM, AddedBy: k.AddedBy, At: k.AddedAt})
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "marketplace.key_known", "This key is trusted already.")
		}
		return audit.Append(ctx, q, audit.Entry{Action: "marketplace.key.add", Object: k.ID, Outcome: audit.OK, Detail: map[string]any{"name": name}})
	})
	return k, db.Fault(err)
}

// RevokeKey stops trusting a key, from now on and for everything it ever signed.
func (s *Service) RevokeKey(ctx context.Context, id, reason string) error {
	if reason = strings.TrimSpace(reason); reason == "" {
		return fault.New(fault.Unprocessable, "reason.missing", "Say why the key is not to be trusted any more.")
	}
	who := actor.From(ctx)
	return db.Fault(db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.PublisherKeyRevoke(ctx, db.PublisherKeyRevokeParams{RevokedBy: who.Name, At: s.Now(), Reason: reason, TenantID: who.Tenant, ID: id})
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.NotFound, "marketplace.key_unknown", "No key in force has this id.")
		}
		if err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "marketplace.key.revoke", Object: id, Outcome: audit.OK, Detail: map[string]any{"name": row.Name, "reason": reason}})
	}))
}
