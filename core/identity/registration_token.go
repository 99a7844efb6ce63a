package identity

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/db"
)

// maxRegistrationLife is how far ahead a registration token may expire.
const maxRegistrationLife = 366 * 24 * time.Hour

// RegistrationToken lets a plugin register. Bound to an id it is good for that id
// as often as it registers; otherwise for one plugin of any id, and for that one
// when it comes back.
type RegistrationToken struct {
	ID        uuid.UUID
	Plugin    string // the id it is bound to; "" for one-time
	Label     string
	CreatedBy string
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
	UsedBy    string // the plugin a one-time token registered; "" when none yet
	RevokedAt *time.Time
}

func registrationTokenOf(row db.RegistrationToken) RegistrationToken {
	t := RegistrationToken{
		ID: row.ID, Label: row.Label, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt, UsedAt: row.UsedAt, RevokedAt: row.RevokedAt,
	}
	if row.PluginID != nil {
		t.Plugin = *row.PluginID
	}
	if row.UsedBy != nil {
		t.UsedBy = *row.UsedBy
	}
	return t
}

// CreateRegistrationToken makes a token; its secret is returned this once. plugin
// is the id it is bound to, or "" for one-time. life is at most a year, and a day
// when it is 0; anything else is an Unprocessable fault.
func (s *Service) CreateRegistrationToken(ctx context.Context, plugin, label string, life time.Duration) (RegistrationToken, string, error) {
	if life == 0 {
		life = 24 * time.Hour
	}
	if life < 0 || life > maxRegistrationLife {
		return RegistrationToken{}, "", violation("expires.range", "/expires_in", "A registration token lives for at most one year.", "Name a shorter time.")
	}
	var bound *string
	if plugin != "" {
		if !manifest.ValidID(plugin) {
			return RegistrationToken{}, "", violation("registration_token.plugin", "/plugin", "This is not the id of a plugin.", "Write it as its manifest does, or leave it out.")
		}
		bound = &plugin
	}
	secret, hash := newSecret(registrationPrefix)
	now := s.now()
	var t RegistrationToken
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.RegistrationTokenInsert(ctx, db.RegistrationTokenInsertParams{
			ID: uuid.Must(uuid.NewV7()), Hash: hash, PluginID: bound, Label: printable(label, 100), CreatedBy: granter(ctx), At: now, ExpiresAt: now.Add(life),
		})
		if err != nil {
			return err
		}
		t = registrationTokenOf(row)
		return audit.Append(ctx, q, audit.Entry{Plugin: plugin, Action: "registration_token.create", Object: t.ID.String(), Outcome: audit.OK, Detail: map[string]any{
			"label": t.Label, "bound_to": plugin, "expires_at": t.ExpiresAt,
		}})
	})
	if err != nil {
		return RegistrationToken{}, "", err
	}
	return t, secret, nil
}

// RegistrationTokenPage is a page of registration tokens, newest first.
type RegistrationTokenPage struct {
	Tokens []RegistrationToken
	Next   uuid.UUID // to hand in as before; zero at the end
}

// RegistrationTokens returns a page of the tokens that were not forgotten with
// their plugin, newest first. before is the zero UUID for the first page; most is
// at most 200, by default 50.
func (s *Service) RegistrationTokens(ctx context.Context, before uuid.UUID, most int) (RegistrationTokenPage, error) {
	most = pageOf(most)
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := db.New(s.Pool).RegistrationTokenList(ctx, before, int32(most+1))
	if err != nil {
		return RegistrationTokenPage{}, db.Fault(err)
	}
	page := RegistrationTokenPage{Tokens: []RegistrationToken{}}
	for i, row := range rows {
		if i == most {
			page.Next = page.Tokens[most-1].ID
			break
		}
		page.Tokens = append(page.Tokens, registrationTokenOf(row))
	}
	return page, nil
}

// RegistrationToken returns one token, or a NotFound fault.
func (s *Service) RegistrationToken(ctx context.Context, id uuid.UUID) (RegistrationToken, error) {
	row, err := db.New(s.Pool).RegistrationTokenGet(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return RegistrationToken{}, registrationTokenUnknown()
	}
	return registrationTokenOf(row), db.Fault(err)
}

func registrationTokenUnknown() error {
	return fault.New(fault.NotFound, "registration_token.unknown", "There is no such registration token; it may have been revoked.")
}

// RevokeRegistrationToken ends a token. Plugins it registered keep their tokens.
func (s *Service) RevokeRegistrationToken(ctx context.Context, id uuid.UUID) error {
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.RegistrationTokenRevoke(ctx, s.now(), id)
		if errors.Is(err, pgx.ErrNoRows) {
			return registrationTokenUnknown()
		}
		if err != nil {
			return err
		}
		t := registrationTokenOf(row)
		return audit.Append(ctx, q, audit.Entry{Plugin: t.Plugin, Action: "registration_token.revoke", Object: id.String(), Outcome: audit.OK, Detail: map[string]any{"label": t.Label}})
	})
}

// CheckRegistrationToken returns nil when a token lets a new plugin of that id
// register now. It changes nothing; SpendRegistrationToken decides. Whoever asks
// records a refusal.
func (s *Service) CheckRegistrationToken(ctx context.Context, secret, plugin string) error {
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		_, err := s.registrationToken(ctx, q, secret, plugin, true)
		return err
	})
}

// SpendRegistrationToken uses a token for a new plugin, in the transaction of q
// that also inserts the plugin's row, so that a registration that fails spends
// nothing. Of several at once with a one-time token, one succeeds.
func (s *Service) SpendRegistrationToken(ctx context.Context, q *db.Queries, secret, plugin string) error {
	row, err := s.registrationToken(ctx, q, secret, plugin, true)
	if err != nil {
		return err
	}
	return q.RegistrationTokenUse(ctx, db.RegistrationTokenUseParams{ID: row.ID, PluginID: plugin, At: s.now()})
}

// ProveReturn returns nil when a token proves that whoever presents it is the
// registered plugin of that id: it is bound to the id or registered it. It spends
// nothing; whoever asks records a refusal.
func (s *Service) ProveReturn(ctx context.Context, secret, plugin string) error {
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		_, err := s.registrationToken(ctx, q, secret, plugin, false)
		return err
	})
}

// registrationToken returns a token that is good for a plugin, new or coming back,
// locked until the transaction ends; or an Unauthenticated fault.
func (s *Service) registrationToken(ctx context.Context, q *db.Queries, secret, plugin string, isNew bool) (db.RegistrationToken, error) {
	d := &denial{Credential: CredentialRegistration}
	if !isSecret(registrationPrefix, secret) {
		d.Reason = "form"
		return db.RegistrationToken{}, refused(d)
	}
	row, err := q.RegistrationTokenLock(ctx, hashOf(secret))
	if errors.Is(err, pgx.ErrNoRows) {
		d.Reason = "unknown"
		return row, refused(d)
	}
	if err != nil {
		return row, err
	}
	t := registrationTokenOf(row)
	switch {
	case t.RevokedAt != nil:
		d.Reason = "revoked"
	case !s.now().Before(t.ExpiresAt):
		d.Reason = "expired"
	case t.Plugin != "" && t.Plugin != plugin:
		d.Reason = "bound to another plugin"
	case t.Plugin == "" && isNew && t.UsedAt != nil:
		d.Reason = "used"
	case t.Plugin == "" && !isNew && t.UsedBy != plugin:
		d.Reason = "did not register this plugin"
	default:
		return row, nil
	}
	return row, refused(d)
}
