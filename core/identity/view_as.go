package identity

import (
	"context"
	"errors"
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

// viewLife is how long a look as somebody else lasts.
const viewLife = 15 * time.Minute

// Viewing is a look at the console as somebody else has it. It is bound to one
// session, changes nothing, and carries the traits that both have: an
// administrator sees no more of anybody's data by looking as somebody who may.
type Viewing struct {
	Viewed  User
	Reason  string
	Started time.Time
	Ends    time.Time
}

// ViewAs begins a look as an active person in the session of whoever acts, for
// fifteen minutes. It needs a reason, which the record keeps. Out of a look no
// other is begun; nobody looks as themselves.
func (s *Service) ViewAs(ctx context.Context, viewed uuid.UUID, reason string) (Viewing, error) {
	if actor.From(ctx).Viewing() {
		return Viewing{}, fault.New(fault.Conflict, "view_as.nested", "You look as somebody else already; stop that first.")
	}
	viewer, session, err := inPerson(ctx)
	if err != nil {
		return Viewing{}, err
	}
	if reason = strings.TrimSpace(printable(reason, maxReason)); reason == "" {
		return Viewing{}, violation("view_as.reason", "/reason", "The reason is missing.", "Write why you look; it is kept in the audit.")
	}
	if viewer == viewed {
		return Viewing{}, fault.New(fault.Conflict, "view_as.self", "This is yourself.")
	}
	if !actor.From(ctx).Has(trait.UserManager) {
		return Viewing{}, fault.New(fault.Denied, "view_as.trait", "Looking as somebody else needs the trait user_manager.")
	}
	v := Viewing{Reason: reason, Started: s.now(), Ends: s.now().Add(viewLife)}
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.UserGet(ctx, actor.From(ctx).Tenant, viewed)
		if err != nil {
			return noUser(err)
		}
		if v.Viewed, err = s.user(ctx, q, row); err != nil {
			return err
		}
		if v.Viewed.Status != Active {
			return fault.New(fault.Conflict, "user.status", "%s is %s; there is nothing that they see.", v.Viewed.Name, v.Viewed.Status)
		}
		over, err := q.ViewingEnd(ctx, v.Started, session) // it ran out and was not closed yet
		if err != nil {
			return err
		}
		for _, o := range over {
			if err := audit.Append(ctx, q, viewEnded(o.Viewed, "ran out", o.StartedAt)); err != nil {
				return err
			}
		}
		err = q.ViewingInsert(ctx, db.ViewingInsertParams{
			ID: uuid.Must(uuid.NewV7()), SessionID: session, Viewer: viewer, Viewed: viewed, Reason: reason, At: v.Started, ExpiresAt: v.Ends,
		})
		if err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "view_as.start", Object: viewed.String(), Outcome: audit.OK, Detail: map[string]any{
			"name": v.Viewed.Name, "reason": reason, "ends_at": v.Ends,
		}})
	})
	if err == nil {
		s.changed(ctx)
	}
	return v, err
}

// StopViewing ends the look of the session of whoever acts. Without one it does
// nothing.
func (s *Service) StopViewing(ctx context.Context) error {
	session, err := uuid.Parse(actor.From(ctx).Credential.ID)
	if actor.From(ctx).Credential.Kind != CredentialSession || err != nil {
		return nil
	}
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		ended, err := q.ViewingEnd(ctx, s.now(), session)
		for _, v := range ended {
			if err == nil {
				err = audit.Append(ctx, q, viewEnded(v.Viewed, "stopped", v.StartedAt))
			}
		}
		return err
	})
	if err == nil {
		s.changed(ctx)
	}
	return err
}

// Viewing returns the look of the session of whoever acts; ok is false without one.
func (s *Service) Viewing(ctx context.Context) (v Viewing, ok bool, err error) {
	session, err := uuid.Parse(actor.From(ctx).Credential.ID)
	if err != nil || !actor.From(ctx).Viewing() {
		return Viewing{}, false, nil
	}
	row, err := db.New(s.Pool).ViewingOf(ctx, session, s.now())
	if errors.Is(err, pgx.ErrNoRows) {
		return Viewing{}, false, nil
	}
	if err != nil {
		return Viewing{}, false, db.Fault(err)
	}
	u, err := s.user(ctx, db.New(s.Pool), row.User)
	return Viewing{Viewed: u, Reason: row.Viewing.Reason, Started: row.Viewing.StartedAt, Ends: row.Viewing.ExpiresAt}, true, err
}

// closeViewings ends the looks that are over, and records it once among all replicas.
func (s *Service) closeViewings(ctx context.Context) error {
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		ended, err := q.ViewingsEnd(ctx, s.now())
		for _, v := range ended {
			if err != nil {
				break
			}
			viewer := actor.Actor{Kind: actor.User, ID: v.Viewer.String(), Name: v.ViewerName, Tenant: v.TenantID, Credential: actor.Credential{Kind: CredentialSession, ID: v.SessionID.String()}}
			err = audit.Append(actor.With(ctx, viewer), q, viewEnded(v.Viewed, "ran out", v.StartedAt))
		}
		return err
	})
}

func viewEnded(viewed uuid.UUID, why string, since time.Time) audit.Entry {
	return audit.Entry{Action: "view_as.end", Object: viewed.String(), Outcome: audit.OK, Detail: map[string]any{"because": why, "since": since}}
}

// asViewed narrows a person's session to the look it has, if it has one. Only
// those who may begin one are asked for it.
func (s *Service) asViewed(ctx context.Context, q *db.Queries, p *principal) error {
	if !p.traits.Has(trait.UserManager) {
		return nil
	}
	row, err := q.ViewingOf(ctx, p.id, s.now())
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	u, err := s.user(ctx, q, row.User)
	if err != nil || u.Status != Active {
		return err
	}
	viewed := u.Actor(actor.Credential{})
	p.viewed, p.viewEnds, p.traits = &viewed, row.Viewing.ExpiresAt, inBoth(p.traits, u.Traits)
	return nil
}
