package approval

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/db"
)

// Rules publishes what waits for a second person, or does not. rulebook.Rulebook is
// one: it keeps publications, and their requests here only show them.
type Rules interface {
	Approve(ctx context.Context, id uuid.UUID, reason string) (rulebook.Version, error)
	Deny(ctx context.Context, id uuid.UUID, reason string) error
	Withdraw(ctx context.Context, id uuid.UUID) error
}

// rules is the subject of requests to publish.
const rules = "policy"

// Asked implements rulebook.Inbox. The rulebook records what was asked.
func (s *Service) Asked(ctx context.Context, q *db.Queries, w rulebook.Waiting) error {
	terms, err := Terms{Adds: []string{fmt.Sprintf("%d lines added", w.Diff.Added), fmt.Sprintf("%d lines removed", w.Diff.Removed)}}.text()
	if err != nil {
		return err
	}
	id, why := uuid.Must(uuid.NewV7()), cmp.Or(w.Comment, "Rules to be published, without a comment.")
	_, err = q.ApprovalInsert(ctx, db.ApprovalInsertParams{
		ID: id, TenantID: actor.From(ctx).Tenant, Kind: string(Policy), Subject: rules, Object: w.ID.String(), Terms: terms, Reason: why,
		AskedBy: w.Author, At: w.AskedAt, ExpiresAt: w.ExpiresAt,
	})
	if err != nil {
		return err
	}
	_, err = q.ApprovalAskerPut(ctx, db.ApprovalAskerPutParams{Approval: id, AskedBy: w.Author, Reason: why, At: w.AskedAt})
	return err
}

// Decided implements rulebook.Inbox.
func (s *Service) Decided(ctx context.Context, q *db.Queries, id uuid.UUID, state, reason string) error {
	who := actor.From(ctx)
	row, err := q.ApprovalWaiting(ctx, db.ApprovalWaitingParams{TenantID: who.Tenant, Kind: string(Policy), Subject: rules, Object: id.String()})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // its time here was over first
	}
	if err != nil {
		return err
	}
	return end(ctx, q, row, State(state), who.ID, reason, s.now())
}

// publishing speaks on a request to publish: the rulebook does it, and tells.
func (s *Service) publishing(ctx context.Context, r Request, v Verdict) (Request, error) {
	id, err := uuid.Parse(r.Object)
	if err != nil || s.Rules == nil {
		return r, fault.New(fault.Conflict, "approval.decided", "This publication waits no more.")
	}
	if v.Approve {
		_, err = s.Rules.Approve(ctx, id, v.Reason)
	} else {
		err = s.Rules.Deny(ctx, id, v.Reason)
	}
	if err != nil {
		return r, err
	}
	return s.Get(ctx, r.ID)
}
