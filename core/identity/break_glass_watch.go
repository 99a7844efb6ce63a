package identity

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// BreakGlass is an account for emergencies.
type BreakGlass struct {
	User    User
	Made    time.Time
	Sealed  time.Time  // when its password was made
	Expires time.Time  // when the seal runs out and it must be rotated
	Used    *time.Time // last; nil: never
}

// BreakGlassAccounts returns the accounts for emergencies, oldest first.
func (s *Service) BreakGlassAccounts(ctx context.Context) ([]BreakGlass, error) {
	q := db.New(s.Pool)
	rows, err := q.BreakGlassList(ctx, actor.From(ctx).Tenant)
	if err != nil {
		return nil, db.Fault(err)
	}
	people := make([]db.User, len(rows))
	for i, row := range rows {
		people[i] = row.User
	}
	users, err := s.users(ctx, q, people)
	if err != nil {
		return nil, err
	}
	all := make([]BreakGlass, len(rows))
	for i, row := range rows {
		all[i] = BreakGlass{User: users[i], Made: row.BreakGlass.MadeAt, Sealed: row.BreakGlass.SealedAt, Expires: row.BreakGlass.ExpiresAt}
		if row.UsedAt.Unix() > 0 {
			all[i].Used = &row.UsedAt
		}
	}
	return all, nil
}

// BreakGlassReady reports whether an account for emergencies could be used now.
func (s *Service) BreakGlassReady(ctx context.Context) (bool, error) {
	ready, err := db.New(s.Pool).BreakGlassReady(ctx, actor.DefaultTenant, s.now())
	return ready, db.Fault(err)
}

// BreakGlassUse is one use of an account for emergencies that nobody acknowledged.
type BreakGlassUse struct {
	Session uuid.UUID
	User    uuid.UUID
	Name    string
	Reason  string
	Address string
	At      time.Time
	Open    bool // its session goes on
}

// BreakGlassAlerts returns the uses that nobody acknowledged, latest first.
func (s *Service) BreakGlassAlerts(ctx context.Context) ([]BreakGlassUse, error) {
	rows, err := db.New(s.Pool).BreakGlassAlerts(ctx, s.now(), actor.From(ctx).Tenant)
	if err != nil {
		return nil, db.Fault(err)
	}
	uses := make([]BreakGlassUse, len(rows))
	for i, row := range rows {
		u := row.BreakGlassUse
		uses[i] = BreakGlassUse{Session: u.SessionID, User: u.UserID, Name: row.Name, Reason: u.Reason, Address: u.Address, At: u.At, Open: row.Open}
	}
	return uses, nil
}

// AcknowledgeBreakGlass notes that whoever acts has seen a use. It returns a
// NotFound fault when somebody had before, a Denied fault to the account itself.
func (s *Service) AcknowledgeBreakGlass(ctx context.Context, session uuid.UUID) error {
	who := actor.From(ctx)
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		rows, err := q.BreakGlassAcknowledge(ctx, db.BreakGlassAcknowledgeParams{SessionID: session, By: who.ID, Name: who.Name, At: s.now()})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return fault.New(fault.NotFound, "break_glass.unknown", "There is no such use to acknowledge; somebody may have done so before.")
		}
		if isSelf(ctx, rows[0]) {
			return fault.New(fault.Denied, "break_glass.self", "Somebody else must acknowledge this.")
		}
		return audit.Append(ctx, q, audit.Entry{Action: "break_glass.acknowledge", Object: rows[0].String(), Outcome: audit.OK, Detail: map[string]any{"session": session}})
	})
}
