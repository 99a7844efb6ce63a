package identity

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Linked is an identity at a provider that a person may sign in by.
type Linked struct {
	ID           uuid.UUID  `json:"id"`
	Provider     string     `json:"provider"` // its id
	ProviderName string     `json:"provider_name"`
	Issuer       string     `json:"issuer"`
	Subject      string     `json:"subject"`
	Email        string     `json:"email"`     // as the provider last said
	LinkedBy     string     `json:"linked_by"` // id of who linked it, or the part of the core
	LinkedAt     time.Time  `json:"linked_at"`
	LastUsed     *time.Time `json:"last_used_at"`
}

// Linked returns the identities of a person: one's own, or those of somebody the
// caller may see.
func (s *Service) Linked(ctx context.Context, user uuid.UUID) ([]Linked, error) {
	if _, err := s.User(ctx, user); err != nil {
		return nil, err
	}
	rows, err := db.New(s.Pool).UserIdentityList(ctx, user)
	if err != nil {
		return nil, db.Fault(err)
	}
	all := make([]Linked, len(rows))
	for i, r := range rows {
		all[i] = Linked{
			ID: r.ID, Provider: r.Provider, ProviderName: r.ProviderName, Issuer: r.Issuer, Subject: r.Subject, Email: r.Email,
			LinkedBy: r.LinkedBy, LinkedAt: r.LinkedAt, LastUsed: r.LastUsedAt,
		}
	}
	return all, nil
}

// Link lets a person sign in by an external identity that was verified. Whoever
// acts is that person, or may manage them. It returns a Conflict fault when the
// identity is somebody's already.
func (s *Service) Link(ctx context.Context, user uuid.UUID, in Vouched) error {
	return s.linking(ctx, user, func(q *db.Queries, u User) (audit.Entry, error) {
		if u.Status != Active {
			return audit.Entry{}, fault.New(fault.Conflict, "user.status", "%s is %s; only an active account can be linked.", u.Name, u.Status)
		}
		if err := notSealed(ctx, q, user); err != nil {
			return audit.Entry{}, err
		}
		i := db.UserIdentity{ID: uuid.Must(uuid.NewV7()), UserID: user, Provider: in.Gives.Provider, Issuer: in.Issuer, Subject: in.Subject}
		return audit.Entry{Action: "user.link_identity", After: identityRecord(i)}, s.insertIdentity(ctx, q, i, in.Email)
	})
}

// Unlink takes an identity from a person, with what its provider's claims gave
// them, and ends their sessions. Nobody takes their own last way in.
func (s *Service) Unlink(ctx context.Context, user, id uuid.UUID) error {
	var provider string
	err := s.linking(ctx, user, func(q *db.Queries, u User) (audit.Entry, error) {
		gone, err := q.UserIdentityDrop(ctx, id, user)
		if errors.Is(err, pgx.ErrNoRows) {
			return audit.Entry{}, fault.New(fault.NotFound, "identity.unknown", "This person has no such identity.")
		}
		if err != nil {
			return audit.Entry{}, err
		}
		left, err := q.UserIdentityList(ctx, user)
		if err != nil {
			return audit.Entry{}, err
		}
		if isSelf(ctx, user) && len(left) == 0 && u.PasswordSet == nil {
			return audit.Entry{}, fault.New(fault.Conflict, "identity.only_way", "This is your only way to sign in; link another identity first.")
		}
		provider = gone.Provider
		spared := uuid.Nil
		if c := actor.From(ctx).Credential; isSelf(ctx, user) && c.Kind == CredentialSession {
			spared, _ = uuid.Parse(c.ID)
		}
		if _, err := q.SessionRevokeAll(ctx, db.SessionRevokeAllParams{UserID: user, Spared: spared, At: s.now()}); err != nil {
			return audit.Entry{}, err
		}
		return audit.Entry{Action: "user.unlink_identity", Before: identityRecord(gone)}, nil
	})
	if err != nil {
		return err
	}
	_, err = s.SetExternal(ctx, user, External{Provider: provider})
	return err
}

// linking makes one change of a person's identities, with its record. A key is not
// its owner: whoever signs in by a linked identity has all that the owner has,
// which may be more than the key carries.
func (s *Service) linking(ctx context.Context, user uuid.UUID, fn func(*db.Queries, User) (audit.Entry, error)) error {
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		u, _, err := s.lockUser(ctx, q, user)
		if err != nil {
			return err
		}
		if own, _, err := inPerson(ctx); err != nil || own != user {
			if err := s.reaches(ctx, u.Traits); err != nil {
				return err
			}
		}
		e, err := fn(q, u)
		if err != nil {
			return err
		}
		e.Object, e.Outcome = user.String(), audit.OK
		return audit.Append(ctx, q, e)
	})
	if err == nil {
		s.changed(ctx)
	}
	return err
}

func identityRecord(i db.UserIdentity) []byte {
	raw, _ := json.Marshal(map[string]string{"provider": i.Provider, "issuer": i.Issuer, "subject": i.Subject}) // of text
	return raw
}

// EndSessions ends the sessions that find names, whoever's they are, on the word
// of a provider, and returns how many. find runs in the same transaction and may
// refuse.
func (s *Service) EndSessions(ctx context.Context, by string, find func(*db.Queries) (map[uuid.UUID]uuid.UUID, error)) (ended int64, err error) {
	ctx = actor.With(ctx, provider(by))
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		ended = 0
		sessions, err := find(q)
		if err != nil {
			return err
		}
		for session, user := range sessions {
			n, err := q.SessionRevoke(ctx, db.SessionRevokeParams{ID: session, UserID: user, At: s.now()})
			if err != nil {
				return err
			}
			if ended += n; n == 0 {
				continue
			}
			e := audit.Entry{Action: "auth.logout", Object: user.String(), Outcome: audit.OK, Detail: map[string]any{"method": MethodOIDC, "provider": by, "session": session}}
			if err := audit.Append(ctx, q, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && ended > 0 {
		s.changed(ctx)
	}
	return ended, err
}

// byStart is how often sign-ins by a provider may be begun from one address.
var byStart = throttle{"sso", 300, time.Minute}

// CountStart counts a sign-in begun by a provider, or returns a TooMany fault.
func (s *Service) CountStart(ctx context.Context) error {
	a := s.from(ctx)
	a.throttle, a.digest = byStart, byStart.kind+a.digest
	_, err := s.count(ctx, a)
	return err
}

// CountReturn counts a return from a provider as failed, or returns a TooMany
// fault; forgive takes it back once the return proved good.
func (s *Service) CountReturn(ctx context.Context) (forgive func(context.Context), err error) {
	a := s.from(ctx)
	if _, err := s.count(ctx, a); err != nil {
		return nil, err
	}
	return func(ctx context.Context) { _ = s.undo(ctx, nil, a) }, nil
}

// LinkedName returns the name of the person an identity is linked with, or a
// NotFound fault.
func (s *Service) LinkedName(ctx context.Context, issuer, subject string) (string, error) {
	row, err := db.New(s.Pool).UserIdentityGet(ctx, issuer, subject)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fault.New(fault.NotFound, "identity.unknown", "Nobody is linked with this identity.")
	}
	if err != nil {
		return "", db.Fault(err)
	}
	u, err := s.User(ctx, row.UserID)
	return u.Name, err
}
