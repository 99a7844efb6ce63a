package identity

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Vouched is somebody whom an identity provider vouches for. Whoever hands one in
// has verified all of it.
type Vouched struct {
	Issuer  string
	Subject string // with Issuer the identity; never the address
	Email   string // as the provider says; "" when it does not
	Name    string // likewise
	Factor  bool   // the provider vouches for a second factor

	ProvedAt time.Time // when they showed the provider who they are; zero: it does not say

	Gives  External // what its mapping says now
	Create bool     // make the person when nobody is linked

	UserAgent string
	Previous  string // the session cookie the browser sent; that session ends
}

// Arrival is what came of a sign-in by a provider.
type Arrival struct {
	Created bool     // the person is new
	Gained  []string // traits since the last sign-in, by name
	Lost    []string
}

// LoginExternal starts a session for the person an external identity is linked
// with. What its mapping gives takes the place of what it gave last time; when that
// changes what the person may, their other sessions end. What people gave by hand
// stays. also runs in the transaction that starts the session.
//
// It returns a Denied fault: identity.unlinked for an identity that is nobody's
// and may not become somebody, identity.email_taken when it would be a person
// whose address is somebody's already, identity.inactive for who may not sign in.
func (s *Service) LoginExternal(ctx context.Context, in Vouched, also func(*db.Queries, Grant) error) (Grant, Arrival, error) {
	core := actor.With(ctx, provider(in.Gives.Provider))
	was, came, err := s.arrive(core, in)
	if err != nil {
		return Grant{}, Arrival{}, err
	}
	is, err := s.SetExternal(core, was.ID, in.Gives)
	if err != nil {
		return Grant{}, Arrival{}, err
	}
	names := s.Traits().Names
	came.Gained, came.Lost = names(was.Traits.Missing(is.Traits)), names(is.Traits.Missing(was.Traits))
	var g Grant
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if g, err = s.enter(core, q, was.ID, in); err != nil {
			return err
		}
		return also(q, g)
	})
	if err != nil {
		return Grant{}, Arrival{}, err
	}
	s.changed(ctx)
	return g, came, nil
}

// provider is the part of the core that acts on a provider's word.
func provider(id string) actor.Actor { return actor.Core("sso/" + id) }

// arrive finds or makes the person an identity is of.
func (s *Service) arrive(ctx context.Context, in Vouched) (u User, came Arrival, err error) {
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if err := q.UserChangesLock(ctx); err != nil {
			return err
		}
		linked, err := q.UserIdentityGet(ctx, in.Issuer, in.Subject)
		switch {
		case errors.Is(err, pgx.ErrNoRows) && in.Create:
			if linked, err = s.newcomer(ctx, q, in); err != nil {
				return err
			}
			came.Created = true
		case errors.Is(err, pgx.ErrNoRows):
			return fault.New(fault.Denied, "identity.unlinked", "Nobody here is linked with this identity, and this provider does not add people by itself.")
		case err != nil:
			return err
		}
		if err := q.UserIdentityUsed(ctx, db.UserIdentityUsedParams{ID: linked.ID, At: s.now(), Email: printable(in.Email, maxEmail), Provider: in.Gives.Provider}); err != nil {
			return err
		}
		row, err := q.UserLock(ctx, actor.From(ctx).Tenant, linked.UserID)
		if err != nil {
			return noUser(err)
		}
		if Status(row.Status) != Active {
			return fault.New(fault.Denied, "identity.inactive", "This account is %s and cannot sign in; ask an administrator.", row.Status)
		}
		u, err = s.user(ctx, q, row)
		return err
	})
	return u, came, err
}

// enter starts the session of somebody who was vouched for.
func (s *Service) enter(ctx context.Context, q *db.Queries, id uuid.UUID, in Vouched) (Grant, error) {
	row, err := q.UserLock(ctx, actor.From(ctx).Tenant, id)
	if err != nil {
		return Grant{}, noUser(err)
	}
	if Status(row.Status) != Active {
		return Grant{}, fault.New(fault.Denied, "identity.inactive", "This account is %s and cannot sign in; ask an administrator.", row.Status)
	}
	u, err := s.user(ctx, q, row)
	if err != nil {
		return Grant{}, err
	}
	now := s.now()
	if err := q.UserSignedIn(ctx, now, u.ID); err != nil {
		return Grant{}, err
	}
	detail := map[string]any{"method": MethodOIDC, "provider": in.Gives.Provider, "kind": KindCookie}
	if isSecret(sessionPrefix, in.Previous) {
		ended, err := q.SessionRevokeByHash(ctx, now, hashOf(in.Previous))
		if err != nil {
			return Grant{}, err
		}
		if len(ended) == 1 {
			detail["ended"] = ended[0].ID
		}
	}
	how := start{Kind: KindCookie, UserAgent: in.UserAgent, Method: MethodOIDC, Proved: in.ProvedAt}
	if in.ProvedAt.IsZero() {
		how.Proved = never
	}
	if in.Factor {
		how.Factor = FactorProvider
	}
	g, err := s.startSession(ctx, q, u, how)
	if err != nil {
		return Grant{}, err
	}
	detail["session"] = g.Session.ID
	ctx = actor.With(ctx, u.Actor(actor.Credential{Kind: CredentialSession, ID: g.Session.ID.String()}))
	return g, audit.Append(ctx, q, audit.Entry{Action: "auth.login", Object: u.ID.String(), Outcome: audit.OK, Detail: detail})
}

// never is when somebody proved themselves of whom nobody says when they did.
var never = time.Unix(0, 0)

// newcomer makes the person an identity is of. An address that is somebody's does
// not make them the same person: whoever runs the provider would own the account.
func (s *Service) newcomer(ctx context.Context, q *db.Queries, in Vouched) (db.UserIdentity, error) {
	email, err := cleanEmail(in.Email)
	if err != nil {
		return db.UserIdentity{}, fault.New(fault.Denied, "identity.email_missing", "The provider names no usable e-mail address for this person.").Because(err)
	}
	name, err := cleanName(in.Name)
	if err != nil {
		name = email
	}
	row, err := q.UserInsertExternal(ctx, db.UserInsertExternalParams{
		ID: uuid.Must(uuid.NewV7()), TenantID: actor.From(ctx).Tenant, Email: email, Name: name, At: s.now(),
	})
	if db.Violates(err, "users_email") {
		return db.UserIdentity{}, fault.New(fault.Denied, "identity.email_taken",
			"Somebody with this address has an account here already. Sign in to it with its password and link this identity under Account, or ask an administrator to link it.")
	}
	if err != nil {
		return db.UserIdentity{}, err
	}
	linked := db.UserIdentity{ID: uuid.Must(uuid.NewV7()), UserID: row.ID, Provider: in.Gives.Provider, Issuer: in.Issuer, Subject: in.Subject}
	if err := s.insertIdentity(ctx, q, linked, email); err != nil {
		return linked, err
	}
	_, is, err := s.snapshot(ctx, q, row.TenantID, row.ID)
	if err != nil {
		return linked, err
	}
	return linked, audit.Append(ctx, q, audit.Entry{
		Action: "user.create", Object: row.ID.String(), Outcome: audit.OK, After: is, Detail: map[string]any{"method": MethodOIDC, "provider": in.Gives.Provider},
	})
}

func (s *Service) insertIdentity(ctx context.Context, q *db.Queries, i db.UserIdentity, email string) error {
	err := q.UserIdentityInsert(ctx, db.UserIdentityInsertParams{
		ID: i.ID, UserID: i.UserID, Provider: i.Provider, Issuer: i.Issuer, Subject: i.Subject, Email: printable(email, maxEmail), LinkedBy: granter(ctx), At: s.now(),
	})
	if db.Violates(err, "user_identities_issuer_subject_key") {
		return fault.New(fault.Conflict, "identity.linked", "This identity is linked with somebody already; unlink it there first.")
	}
	return err
}

// MayMap returns a Denied fault when roles or groups stand above whoever acts: a
// mapping hands them out as surely as a grant does.
func (s *Service) MayMap(ctx context.Context, e External) error {
	set, err := s.traitsOf(ctx, e)
	if err != nil {
		return err
	}
	if err := s.reaches(ctx, set); err != nil {
		return err
	}
	return s.endless(ctx, db.New(s.Pool), set)
}

// TraitsOf returns the effective traits that a mapping gives by itself, by name.
func (s *Service) TraitsOf(ctx context.Context, e External) ([]string, error) {
	set, err := s.traitsOf(ctx, e)
	return s.Traits().Names(set), err
}

// traitsOf leaves out roles and groups that are no more.
func (s *Service) traitsOf(ctx context.Context, e External) (trait.Set, error) {
	known, err := s.Roles(ctx)
	if err != nil {
		return trait.Set{}, err
	}
	var set trait.Set
	for _, r := range known {
		if slices.Contains(e.Roles, r.Name) {
			own, _ := s.Traits().Parse(r.Traits)
			set = set.Union(own)
		}
	}
	for _, id := range e.Groups {
		g, err := s.Group(ctx, id)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return trait.Set{}, err
		}
		set = set.Union(g.Traits)
	}
	return s.Traits().Effective(set), nil
}
