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

// linkLife is how long a one-time link is good.
const linkLife = 72 * time.Hour

// Invitation is who is to be let in.
type Invitation struct {
	Email  string
	Name   string
	Roles  []RoleGrant
	Groups []uuid.UUID
}

// Link is a one-time link to set a password by. Secret is shown this once.
type Link struct {
	User    User
	Secret  string
	Expires time.Time
}

// Invite adds a person who may set a password by the link, or returns a Conflict
// fault when the address is taken.
func (s *Service) Invite(ctx context.Context, in Invitation) (Link, error) {
	email, err := cleanEmail(in.Email)
	if err != nil {
		return Link{}, err
	}
	name, err := cleanName(in.Name)
	if err != nil {
		return Link{}, err
	}
	if err := s.checkRoles(ctx, in.Roles); err != nil {
		return Link{}, err
	}
	var link Link
	var is json.RawMessage
	var joined []uuid.UUID
	err = s.govern(ctx, reform{
		touches: func(*db.Queries) ([]uuid.UUID, error) { return joined, nil },
		make: func(q *db.Queries) (err error) {
			var u User
			if u, is, err = s.addUser(ctx, q, db.UserInsertParams{Email: email, Name: name, Status: string(Invited)}, in.Roles, in.Groups); err != nil {
				return err
			}
			joined = []uuid.UUID{u.ID}
			link, err = s.putLink(ctx, q, u)
			return err
		},
		record: func(q *db.Queries, _ []uuid.UUID) error {
			return audit.Append(ctx, q, audit.Entry{Action: "user.invite", Object: link.User.ID.String(), Outcome: audit.OK, After: is})
		},
	})
	return link, err
}

// addUser inserts a person with roles, in groups, in the tenant of whoever acts.
func (s *Service) addUser(ctx context.Context, q *db.Queries, p db.UserInsertParams, roles []RoleGrant, groups []uuid.UUID) (User, json.RawMessage, error) {
	p.ID, p.TenantID, p.At = uuid.Must(uuid.NewV7()), actor.From(ctx).Tenant, s.now()
	row, err := q.UserInsert(ctx, p)
	if db.Violates(err, "users_email") {
		return User{}, nil, fault.New(fault.Conflict, "user.email", "Somebody has that address already.")
	}
	if err != nil {
		return User{}, nil, err
	}
	if err := s.putRoles(ctx, q, row.ID, roles); err != nil {
		return User{}, nil, err
	}
	for _, id := range groups {
		if err := s.putMember(ctx, q, id, row.ID, "", MemberGrant{}); err != nil {
			return User{}, nil, err
		}
	}
	return s.snapshot(ctx, q, row.TenantID, row.ID)
}

// putLink gives a person a link in place of all before.
func (s *Service) putLink(ctx context.Context, q *db.Queries, u User) (Link, error) {
	if err := q.InvitationDrop(ctx, u.ID); err != nil {
		return Link{}, err
	}
	secret, hash := newSecret(invitationPrefix)
	now := s.now()
	l := Link{User: u, Secret: secret, Expires: now.Add(linkLife)}
	return l, q.InvitationPut(ctx, db.InvitationPutParams{Hash: hash, UserID: u.ID, CreatedBy: granter(ctx), At: now, ExpiresAt: l.Expires})
}

// NewLink makes a fresh one-time link in place of all before: for somebody invited
// to join by, for somebody active to set a new password by. It returns a Conflict
// fault for anybody else.
func (s *Service) NewLink(ctx context.Context, id uuid.UUID) (Link, error) {
	var link Link
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		u, _, err := s.lockUser(ctx, q, id)
		if err != nil {
			return err
		}
		if err := s.reaches(ctx, u.Traits); err != nil {
			return err
		}
		if u.Source != "local" || u.Status != Invited && u.Status != Active {
			return fault.New(fault.Conflict, "user.status", "%s is %s and cannot be sent a link.", u.Name, u.Status)
		}
		if err := notSealed(ctx, q, id); err != nil {
			return err
		}
		if link, err = s.putLink(ctx, q, u); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "user.link", Object: id.String(), Outcome: audit.OK, Detail: map[string]any{"status": u.Status}})
	})
	return link, err
}

// Invited returns whom a link is for, or a Gone fault when it was used, replaced
// or ran out.
func (s *Service) Invited(ctx context.Context, secret string) (User, error) {
	if !isSecret(invitationPrefix, secret) {
		return User{}, linkGone()
	}
	q := db.New(s.Pool)
	row, err := q.InvitationGet(ctx, hashOf(secret), s.now())
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, linkGone()
	}
	if err != nil {
		return User{}, db.Fault(err)
	}
	return s.user(ctx, q, row.User)
}

// AcceptInvitation sets the password of whom the link is for and makes them
// active; then they sign in. It returns a Gone fault for a link that is not good
// any more, or the rules a password or name breaks. An empty name keeps the one
// the person was invited under. All their sessions end.
func (s *Service) AcceptInvitation(ctx context.Context, secret, name, password string) (User, error) {
	u, err := s.Invited(ctx, secret)
	if err != nil {
		return User{}, err
	}
	if name == "" {
		name = u.Name
	}
	if name, err = cleanName(name); err != nil {
		return User{}, err
	}
	if err := checkPassword(password, u.Email, name); err != nil {
		return User{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return User{}, err
	}
	ctx = actor.With(ctx, actor.Actor{Kind: actor.User, ID: u.ID.String(), Name: u.Name, Tenant: u.Tenant, Traits: u.Traits, Credential: actor.Credential{Kind: CredentialLink}})
	return s.change(ctx, u.ID, "user.join", nil, func(q *db.Queries, now User) error {
		n, err := q.InvitationUse(ctx, s.now(), hashOf(secret))
		if err != nil {
			return err
		}
		if n == 0 || now.Status != Invited && now.Status != Active {
			return linkGone()
		}
		if err := q.InvitationDrop(ctx, u.ID); err != nil {
			return err
		}
		if err := q.UserSetName(ctx, db.UserSetNameParams{ID: u.ID, Name: name, At: s.now()}); err != nil {
			return err
		}
		if err := s.setPassword(ctx, q, u.ID, hash); err != nil {
			return err
		}
		return s.setStatus(ctx, q, now, now.Status, Active)
	})
}

// setPassword keeps a password and ends every session and unspent link.
func (s *Service) setPassword(ctx context.Context, q *db.Queries, id uuid.UUID, hash string) error {
	if err := q.UserSetPassword(ctx, db.UserSetPasswordParams{ID: id, PasswordHash: hash, At: s.now()}); err != nil {
		return err
	}
	if err := q.InvitationDrop(ctx, id); err != nil {
		return err
	}
	_, err := q.SessionRevokeAll(ctx, db.SessionRevokeAllParams{UserID: id, At: s.now()})
	return err
}

// linkGone is the answer to every link that cannot be used.
func linkGone() *fault.Fault {
	return fault.New(fault.Gone, "link.gone", "This link was used, replaced or has run out; ask for a new one.")
}
