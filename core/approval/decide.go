package approval

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Verdict is somebody's word on a request.
type Verdict struct {
	Approve bool
	Reason  string
	Terms   *Terms // what is given, where it is not what was asked for
}

// Decide speaks on a request that waits. What is approved is done in the same
// transaction. Errors are faults: Denied for who may not decide it, Conflict when
// it was decided meanwhile or its time is over, and those of what is to be done.
func (s *Service) Decide(ctx context.Context, id uuid.UUID, v Verdict) (Request, error) {
	r, err := s.Get(ctx, id)
	if err != nil {
		return Request{}, err
	}
	if v.Reason, err = because(v.Reason); err != nil {
		return Request{}, err
	}
	if err := s.mayDecide(ctx, r.Kind); err != nil {
		return Request{}, err
	}
	if r.State != Waiting {
		return Request{}, decided(r.State)
	}
	if r.Kind == Policy {
		return s.publishing(ctx, r, v)
	}
	terms := r.Terms
	if v.Terms != nil {
		terms = merged(r.Kind, r.Terms, *v.Terms)
	}
	act := nothing
	if v.Approve {
		if act, err = s.prepare(ctx, r.Kind, r.Subject, r.Object, terms, v.Reason); err != nil {
			return Request{}, err
		}
	} else if r.Kind == Widening {
		act = s.refusal(r)
	}
	who := actor.From(ctx)
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.ApprovalLock(ctx, who.Tenant, id)
		if err != nil {
			return moved(err)
		}
		askers, err := q.ApprovalAskers(ctx, []uuid.UUID{id})
		if err != nil {
			return err
		}
		r, err = s.speak(ctx, q, requestOf(row, askers), terms, v, act)
		return err
	})
	if errors.Is(err, errAlone) {
		err = s.first(ctx, Ask{Kind: r.Kind, Subject: r.Subject, Object: r.Object, Terms: terms, Reason: v.Reason})
	}
	if err != nil {
		return Request{}, err
	}
	s.announce(ctx, r.Kind)
	return r, nil
}

// speak decides a request that is locked, and does what follows.
func (s *Service) speak(ctx context.Context, q *db.Queries, r Request, terms Terms, v Verdict, do action) (Request, error) {
	who, now := actor.From(ctx), s.now()
	switch {
	case r.State != Waiting:
		return r, decided(r.State)
	case !now.Before(r.Expires):
		return r, decided(Expired)
	}
	own, err := s.fourEyes(ctx, r)
	if err != nil {
		return r, err
	}
	if v.Approve && s.needsSecond(r, who.ID) {
		return r, errAlone
	}
	made, err := do(ctx, q)
	if err != nil {
		return r, err
	}
	to, name := Denied, "approval.deny"
	if v.Approve {
		to, name = Approved, "approval.approve"
	}
	given, err := json.Marshal(terms)
	if err != nil {
		return r, err
	}
	n, err := q.ApprovalDecide(ctx, db.ApprovalDecideParams{
		ID: r.ID, State: string(to), DecidedBy: who.ID, At: now, Reason: v.Reason, DecidedSelf: own, GivenUntil: made.Until, Terms: given,
	})
	if err != nil {
		return r, err
	}
	if n == 0 {
		return r, decided("")
	}
	if r, err = read(ctx, q, who.Tenant, r.ID); err != nil {
		return r, err
	}
	more := map[string]any{"given_until": made.Until}
	if own {
		more["own"] = "the last administrator decided what they asked for"
	}
	return r, s.record(ctx, q, name, r, v.Reason, more)
}

// Give does at once, by whoever may decide on it, what could have been asked for.
// A request for it that waits is approved with it. Only what is given to a plugin,
// unasked and not because of a denial, may go without a reason.
func (s *Service) Give(ctx context.Context, a Ask) (Made, error) {
	if err := s.mayDecide(ctx, a.Kind); err != nil {
		return Made{}, err
	}
	a.Reason = strings.TrimSpace(a.Reason)
	if a.Reason != "" || a.Kind == Elevation || a.Decision != uuid.Nil {
		reason, err := because(a.Reason)
		if err != nil {
			return Made{}, err
		}
		a.Reason = reason
	}
	if err := s.check(ctx, &a); err != nil {
		return Made{}, err
	}
	act, err := s.prepare(ctx, a.Kind, a.Subject, a.Object, a.Terms, a.Reason)
	if err != nil {
		return Made{}, err
	}
	who := actor.From(ctx)
	var made Made
	doing := func(ctx context.Context, q *db.Queries) (Made, error) {
		var err error
		made, err = act(ctx, q)
		return made, err
	}
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.ApprovalWaiting(ctx, db.ApprovalWaitingParams{TenantID: who.Tenant, Kind: string(a.Kind), Subject: a.Subject, Object: a.Object})
		if errors.Is(err, pgx.ErrNoRows) || err == nil && !s.now().Before(row.ExpiresAt) {
			unasked := Request{Kind: a.Kind, Subject: a.Subject}
			if _, err := s.fourEyes(ctx, unasked); err != nil {
				return err
			}
			if s.needsSecond(unasked, who.ID) {
				return errAlone
			}
			_, err = doing(ctx, q)
			return err
		}
		if err != nil {
			return err
		}
		askers, err := q.ApprovalAskers(ctx, []uuid.UUID{row.ID})
		if err != nil {
			return err
		}
		r := requestOf(row, askers)
		people := slices.ContainsFunc(r.Askers, func(a Asker) bool { return a.ID != r.Subject || r.Kind == Elevation })
		if _, err := because(a.Reason); people && err != nil {
			return err // whom somebody asked owes them one
		}
		_, err = s.speak(ctx, q, r, merged(a.Kind, r.Terms, a.Terms), Verdict{Approve: true, Reason: a.Reason}, doing)
		return err
	})
	if errors.Is(err, errAlone) {
		err = s.first(ctx, a)
	}
	if err != nil {
		return Made{}, err
	}
	s.announce(ctx, a.Kind)
	return made, nil
}

// merged returns the terms given in place of those asked for. What of a request
// says what is asked for stays as it was asked.
func merged(k Kind, asked, given Terms) Terms {
	given.Learned, given.Version, given.Adds = asked.Learned, asked.Version, asked.Adds
	if k == Elevation || k == Widening {
		given.Traits = asked.Traits
	}
	if k == Setting {
		return asked
	}
	return given
}

// mayDecide returns a Denied fault when whoever acts may not decide on a kind.
func (s *Service) mayDecide(ctx context.Context, k Kind) error {
	who := actor.From(ctx)
	if who.Kind == actor.User && MayDecide(who.Traits, k) {
		return nil
	}
	traits := s.Registry.Snapshot().Traits()
	var names []string
	for _, id := range deciders[k] {
		names = append(names, traits.Get(id).Name)
	}
	return fault.New(fault.Denied, "approval.decider", "This is decided by people with the trait %s.", strings.Join(names, " or "))
}

// fourEyes returns a Denied fault when the request is of whoever decides. The
// last administrator may, where the installation lets them; own says so.
func (s *Service) fourEyes(ctx context.Context, r Request) (own bool, err error) {
	if !r.Concerns(actor.From(ctx).ID) {
		return false, nil
	}
	if slices.Contains(without, r.Kind) {
		return false, fault.New(fault.Denied, "approval.own", "Nobody decides what they asked for where two people have to agree; somebody else who may has to.")
	}
	last, err := s.People.IsLastAdministrator(ctx)
	if err != nil {
		return false, err
	}
	switch {
	case !last:
		return false, fault.New(fault.Denied, "approval.own", "Nobody decides what they asked for, or would get; somebody else who may has to.")
	case !s.OwnWord():
		return false, fault.New(fault.Denied, "approval.own", "Nobody decides what they asked for, and this installation makes no exception for its last administrator.")
	}
	return true, nil
}

// decided is the fault for a request that waits no more.
func decided(state State) *fault.Fault {
	if state == "" {
		return fault.New(fault.Conflict, "approval.decided", "It was decided meanwhile; look again.")
	}
	return fault.New(fault.Conflict, "approval.decided", "This request is %s and waits no more.", state)
}

// announce makes what was given count at once, here and elsewhere.
func (s *Service) announce(ctx context.Context, k Kind) {
	switch k {
	case Elevation:
		s.People.Announce(ctx)
	case Setting:
		s.Settings.Announce(ctx)
	default:
		s.Registry.Announce(ctx)
	}
}

// checkTerms returns an Unprocessable fault for an end that cannot be.
func checkTerms(t Terms, now time.Time, needed bool) error {
	switch {
	case t.Days < 0 || t.Days > 3650:
		return violation("approval.days", "/days", "The number of days cannot be.", "Name 1 to 3650 days.")
	case t.Until != nil && !t.Until.After(now):
		return violation("expires.past", "/expires_at", "The end lies in the past.", "Name a later time, or none.")
	case needed && t.Days == 0 && t.Until == nil:
		return violation("approval.days", "/days", "It is not said for how long.", "Name a number of days.")
	}
	return nil
}

// sorted returns names once each, in order.
func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
