package identity

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// The kinds of actor.Credential.
const (
	CredentialSession      = "session"
	CredentialAPIKey       = "api_key"
	CredentialPlugin       = "plugin_token"
	CredentialSocket       = "socket"
	CredentialLink         = "link" // the one-time link of an invitation or of setup
	CredentialRefresh      = "refresh_token"
	CredentialRegistration = "registration_token"
	CredentialDelegation   = "delegation"
)

// seenEvery is how often the use of a session or key is written down.
const seenEvery = time.Minute

// principal is a person proved by a session or API key, as the database has it.
type principal struct {
	user       User
	traits     trait.Set // of the user, or what of them the key carries
	credential actor.Credential
	id         uuid.UUID // of the session or key
	seen       time.Time // last use written down
	expires    time.Time
	idle       time.Duration // longest pause; 0: any
	data       []byte        // what the console keeps in the session
	viewed     *actor.Actor  // as whom the person looks at the console; nil: as themselves
	viewEnds   time.Time
}

func (p *principal) actor() actor.Actor {
	a := p.user.Actor(p.credential)
	a.Traits = p.traits
	if a.Credential.Limited {
		a.Traits = trait.Set{}
	}
	a.OnBehalf = p.viewed
	return a
}

// ended says why a credential that was not revoked is not good at now; "" when it is.
func (p *principal) ended(now time.Time) string {
	switch {
	case p.user.Status != Active:
		return "person is " + string(p.user.Status)
	case !now.Before(p.expires):
		return "expired"
	case p.idle > 0 && now.Sub(p.seen) >= p.idle:
		return "idle too long"
	}
	return ""
}

// until is when it must be looked up again: at the latest when something the
// person was given runs out, or their look as somebody else.
func (p *principal) until(now time.Time) time.Time {
	at := now.Add(lookupLife)
	if end := p.user.RightsEnd; end != nil && end.Before(at) {
		at = *end
	}
	if p.viewed != nil && p.viewEnds.Before(at) {
		at = p.viewEnds
	}
	return at
}

// idle returns the longest pause in a session of somebody with those traits.
func (s *Service) idle(traits trait.Set) time.Duration {
	if traits.Has(trait.HandlesPHI) {
		return min(s.IdlePHI, s.Idle)
	}
	return s.Idle
}

func (s *Service) ofSession(ctx context.Context, q *db.Queries, session db.Session, user db.User) (*principal, error) {
	u, err := s.user(ctx, q, user)
	if err != nil {
		return nil, err
	}
	p := &principal{
		user: u, traits: u.Traits, id: session.ID,
		credential: actor.Credential{Kind: CredentialSession, ID: session.ID.String(), Proved: session.ProvedAt, Limited: s.lacksFactor(u, session)},
		seen:       session.SeenAt, expires: session.ExpiresAt, idle: s.idle(u.Traits), data: session.Data,
	}
	return p, s.asViewed(ctx, q, p)
}

func (s *Service) ofAPIKey(ctx context.Context, q *db.Queries, key db.APIKey, user db.User) (*principal, error) {
	u, err := s.user(ctx, q, user)
	if err != nil {
		return nil, err
	}
	p := &principal{
		user: u, traits: within(s.Traits(), key.Scope, u.Traits), id: key.ID,
		credential: actor.Credential{Kind: CredentialAPIKey, ID: key.ID.String()}, expires: key.ExpiresAt,
	}
	if key.LastUsedAt != nil {
		p.seen = *key.LastUsedAt
	}
	return p, nil
}

// person proves a session or API key: from memory when it was looked up a moment
// ago, else from the database. reason says why it is not good. A passive use, such
// as a page that keeps itself current, does not prolong a session.
func (s *Service) person(ctx context.Context, kind, secret string, passive bool) (p *principal, reason string, err error) {
	key, now := [32]byte(hashOf(secret)), s.now()
	p, epoch, ok := s.people.get(key, now)
	if !ok {
		if p, err = s.lookUp(ctx, kind, key[:]); errors.Is(err, pgx.ErrNoRows) {
			return nil, "unknown or revoked", nil
		}
		if err != nil {
			return nil, "", err
		}
	}
	if reason := p.ended(now); reason != "" {
		return p, reason, nil
	}
	if !passive && now.Sub(p.seen) >= seenEvery {
		touched := *p
		touched.seen = now
		p = &touched
		if err := s.touch(ctx, p); err != nil {
			return nil, "", err
		}
		ok = false
	}
	if !ok {
		s.people.put(key, p, epoch, p.until(now))
	}
	return p, "", nil
}

func (s *Service) lookUp(ctx context.Context, kind string, hash []byte) (*principal, error) {
	q := db.New(s.Pool)
	if kind == CredentialAPIKey {
		row, err := q.APIKeyByHash(ctx, hash)
		if err != nil {
			return nil, err
		}
		return s.ofAPIKey(ctx, q, row.APIKey, row.User)
	}
	row, err := q.SessionByHash(ctx, hash)
	if err != nil {
		return nil, err
	}
	return s.ofSession(ctx, q, row.Session, row.User)
}

func (s *Service) touch(ctx context.Context, p *principal) error {
	if p.credential.Kind == CredentialAPIKey {
		return db.New(s.Pool).APIKeyUsed(ctx, db.APIKeyUsedParams{ID: p.id, At: p.seen, Address: actor.Address(ctx)})
	}
	return db.New(s.Pool).SessionSeen(ctx, p.seen, p.id)
}

// stillGood returns who acted by a session or key, if it is good still; or why not.
func (s *Service) stillGood(ctx context.Context, c actor.Credential) (p *principal, reason string, err error) {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return nil, "no such credential", nil
	}
	q := db.New(s.Pool)
	switch c.Kind {
	case CredentialSession:
		var row db.SessionByIDRow
		if row, err = q.SessionByID(ctx, id); err == nil {
			p, err = s.ofSession(ctx, q, row.Session, row.User)
		}
	case CredentialAPIKey:
		var row db.APIKeyByIDRow
		if row, err = q.APIKeyByID(ctx, id); err == nil {
			p, err = s.ofAPIKey(ctx, q, row.APIKey, row.User)
		}
	default:
		return nil, "no such credential", nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, "the credential behind it ended", nil
	}
	if err != nil {
		return nil, "", err
	}
	return p, p.ended(s.now()), nil
}
