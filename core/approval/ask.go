package approval

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// most is how many requests of one person wait at a time.
const most = 20

// Ask is what somebody asks for.
type Ask struct {
	Kind     Kind
	Subject  string
	Object   string
	Terms    Terms
	Reason   string
	Decision uuid.UUID // the denial that led to it; zero: none
}

// Ask keeps what whoever acts asks for. When the same waits already they join
// those who ask for it; joined says so. Errors are faults: Unprocessable for what
// cannot be given, Conflict for what is there already, TooMany.
func (s *Service) Ask(ctx context.Context, a Ask) (r Request, joined bool, err error) {
	who := actor.From(ctx)
	if who.Kind != actor.User {
		return Request{}, false, fault.New(fault.Denied, "approval.person", "Only people ask for approval; sign in.")
	}
	if a.Reason, err = because(a.Reason); err != nil {
		return Request{}, false, err
	}
	if err := s.check(ctx, &a); err != nil {
		return Request{}, false, err
	}
	n, err := db.New(s.Pool).ApprovalOpenOf(ctx, who.Tenant, who.ID)
	if err != nil {
		return Request{}, false, db.Fault(err)
	}
	if n >= most {
		return Request{}, false, fault.New(fault.TooMany, "approval.limit", "You have %d requests waiting, and more than that nobody may have; withdraw some or wait until they are decided.", n)
	}
	return s.put(ctx, a, who)
}

// put keeps a request that was checked.
func (s *Service) put(ctx context.Context, a Ask, who actor.Actor) (r Request, joined bool, err error) {
	terms, err := a.Terms.text()
	if err != nil {
		return Request{}, false, err
	}
	now, id := s.now(), uuid.Must(uuid.NewV7())
	insert := db.ApprovalInsertParams{
		ID: id, TenantID: who.Tenant, Kind: string(a.Kind), Subject: a.Subject, Object: a.Object, Terms: terms, Reason: a.Reason,
		AskedBy: who.ID, At: now, ExpiresAt: now.Add(s.Life()),
	}
	if a.Decision != uuid.Nil {
		insert.DecisionID = &a.Decision
	}
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		n, err := q.ApprovalInsert(ctx, insert)
		if err != nil {
			return err
		}
		if joined = n == 0; joined {
			row, err := q.ApprovalWaiting(ctx, db.ApprovalWaitingParams{TenantID: who.Tenant, Kind: string(a.Kind), Subject: a.Subject, Object: a.Object})
			if err != nil {
				return moved(err)
			}
			id = row.ID
		}
		if n, err = q.ApprovalAskerPut(ctx, db.ApprovalAskerPutParams{Approval: id, AskedBy: who.ID, Reason: a.Reason, At: now}); err != nil {
			return err
		}
		if n > 0 {
			if err := s.record(ctx, q, "approval.ask", Request{ID: id, Kind: a.Kind, Subject: a.Subject, Object: a.Object, Terms: a.Terms}, a.Reason, map[string]any{"joined": joined}); err != nil {
				return err
			}
		}
		r, err = read(ctx, q, who.Tenant, id)
		return err
	})
	return r, joined, err
}

// record appends what was done about a request.
func (s *Service) record(ctx context.Context, q *db.Queries, action string, r Request, reason string, more map[string]any) error {
	detail := map[string]any{"request": r.ID, "kind": r.Kind, "subject": r.Subject, "object": r.Object, "terms": r.Terms, "reason": reason}
	for name, value := range more {
		detail[name] = value
	}
	e := audit.Entry{Action: action, Object: r.Subject + "/" + r.Object, Outcome: audit.OK, Rule: string(r.Kind), Detail: detail}
	if r.Kind == Widening || r.Kind == Egress || r.Kind == Grant {
		e.Plugin = r.Subject
	}
	if r.Kind == Grant {
		e.Target = r.Object
	}
	return audit.Append(ctx, q, e)
}

// Withdraw takes back what whoever acts asked for. While others ask for the same,
// it goes on waiting.
func (s *Service) Withdraw(ctx context.Context, id uuid.UUID) (r Request, err error) {
	if r, err = s.Get(ctx, id); err != nil {
		return Request{}, err
	}
	if publication, err := uuid.Parse(r.Object); r.Kind == Policy && err == nil && s.Rules != nil {
		if err := s.Rules.Withdraw(ctx, publication); err != nil {
			return Request{}, err
		}
		return s.Get(ctx, id)
	}
	who := actor.From(ctx)
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.ApprovalLock(ctx, who.Tenant, id)
		if err != nil {
			return moved(err)
		}
		n, err := q.ApprovalAskerDrop(ctx, id, who.ID)
		if err != nil {
			return err
		}
		if n == 0 {
			return unknown()
		}
		if State(row.State) != Waiting {
			return decided(State(row.State))
		}
		rest, err := q.ApprovalAskers(ctx, []uuid.UUID{id})
		if err != nil {
			return err
		}
		if len(rest) == 0 { // it stays theirs, to be read
			_, err = q.ApprovalAskerPut(ctx, db.ApprovalAskerPutParams{Approval: id, AskedBy: who.ID, Reason: row.Reason, At: row.AskedAt})
			if err == nil {
				err = end(ctx, q, row, Withdrawn, who.ID, "", s.now())
			}
			if err != nil {
				return err
			}
		}
		if r, err = read(ctx, q, who.Tenant, id); err != nil {
			return err
		}
		return s.record(ctx, q, "approval.withdraw", r, "", nil)
	})
	return r, err
}

// end closes a request that waits without giving anything.
func end(ctx context.Context, q *db.Queries, row db.Approval, to State, by, reason string, at time.Time) error {
	n, err := q.ApprovalDecide(ctx, db.ApprovalDecideParams{ID: row.ID, State: string(to), DecidedBy: by, At: at, Reason: reason, Terms: row.Terms})
	if err == nil && n == 0 {
		err = decided("")
	}
	return err
}
