package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// deadline is how long a record may take to become durable, in all.
const deadline = 5 * time.Second

// Append records a change in the chain "change", through the transaction that
// makes the change: both are committed or neither is. q must be made with that
// transaction. Changes of all replicas take turns from here to their commit, so
// append last. The row's replica is the application_name of the connection.
//
// An error is a fault of kind Unavailable, within 5 s; the transaction is then
// lost and must be rolled back.
func Append(ctx context.Context, q *db.Queries, e Entry) error {
	r := record(ctx, e)
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	if err := appendChange(ctx, q, &r); err != nil {
		return unavailable(err)
	}
	return nil
}

func appendChange(ctx context.Context, q *db.Queries, r *Record) error {
	// The server must give up before the caller does: what the caller believes
	// refused must not be waiting for its lock still.
	if err := q.AuditLockTimeout(ctx, "4000"); err != nil {
		return fmt.Errorf("limit waiting: %w", err)
	}
	head, err := q.AuditChainLock(ctx, ChangeChain)
	if err != nil {
		return fmt.Errorf("lock the head: %w", err)
	}
	r.Replica = clip(head.Replica, maxName)
	r.seal(new(digester), ChangeChain, head.Seq+1, after(head.At, time.Now()), head.Hash)
	if err := q.AuditInsert(ctx, r.params()); err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	n, err := q.AuditChainAdvance(ctx, db.AuditChainAdvanceParams{Chain: r.Chain, Seq: head.Seq, Hash: r.Hash, At: r.At})
	if err == nil && n != 1 {
		err = fmt.Errorf("the head of %s is not at %d", r.Chain, head.Seq)
	}
	if err != nil {
		return fmt.Errorf("move the head: %w", err)
	}
	return nil
}

// after returns now in whole microseconds UTC, or previous when the clock went back.
func after(previous, now time.Time) time.Time {
	now = now.UTC().Truncate(time.Microsecond)
	if now.Before(previous) {
		return previous.UTC()
	}
	return now
}

// params returns r as the generated INSERT takes it.
func (r *Record) params() db.AuditInsertParams {
	p := db.AuditInsertParams{
		ID: r.ID, Chain: r.Chain, Seq: r.Seq, At: r.At, TenantID: r.Tenant,
		ActorKind: r.ActorKind, ActorID: r.ActorID, ActorName: r.ActorName,
		OnBehalfID: r.OnBehalfID, OnBehalfName: r.OnBehalfName, Credential: r.Credential,
		PluginID: r.Plugin, ObjectPlugin: r.ObjectPlugin, Receivers: r.Receivers,
		Action: r.Action, Object: r.Object, Outcome: string(r.Outcome), Rule: r.Rule, Classes: r.Classes,
		Trace: r.Trace, Address: r.Address, Replica: r.Replica,
		Detail: r.Detail, Before: r.Before, After: r.After, PrevHash: r.PrevHash, Hash: r.Hash,
	}
	if r.Call != uuid.Nil {
		p.Call = &r.Call
	}
	return p
}

// unavailable is the answer to everyone whose record could not be made durable.
func unavailable(cause error) error {
	f := fault.New(fault.Unavailable, "audit.unavailable", "The audit cannot record this now, so it was not done; try again.").Because(cause)
	f.RetryAfter = time.Second
	return f
}
