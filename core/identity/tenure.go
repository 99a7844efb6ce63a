package identity

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// ends say until when somebody has a trait; nil: without an end.
type ends map[trait.ID]*time.Time

// endsOf returns until when people have what they have now.
func (s *Service) endsOf(ctx context.Context, q *db.Queries, ids []uuid.UUID) (map[uuid.UUID]ends, error) {
	grants, err := q.UserGrants(ctx, ids, s.now())
	if err != nil {
		return nil, err
	}
	of := map[uuid.UUID][]db.UserGrantsRow{}
	for _, g := range grants {
		of[g.UserID] = append(of[g.UserID], g)
	}
	all := make(map[uuid.UUID]ends, len(of))
	for id, given := range of {
		all[id] = ends{}
		for _, h := range holdings(s.Traits(), given) {
			all[id][h.Trait.ID] = h.Expires
		}
	}
	return all, nil
}

// tenure is for how long whoever acts has their rights. What was lent for a day
// does not outlive the day by being passed on: nobody gives a sensitive trait for
// longer than they have it, or administer. Parts of the core are not bound.
type tenure struct {
	bound bool
	ends  ends
}

func (s *Service) tenureOf(ctx context.Context, q *db.Queries) (tenure, error) {
	who := actor.From(ctx)
	if who.Kind != actor.User {
		return tenure{}, nil
	}
	id, err := uuid.Parse(who.ID)
	if err != nil {
		return tenure{}, fault.New(fault.Denied, "identity.person", "Only people change people; sign in.")
	}
	of, err := s.endsOf(ctx, q, []uuid.UUID{id})
	return tenure{true, of[id]}, err
}

// of returns until when a trait may be given at most; ok is false where whoever acts
// has neither it nor all.
func (t tenure) of(id trait.ID) (until *time.Time, ok bool) {
	for _, by := range []trait.ID{trait.Admin, id} {
		end, has := t.ends[by]
		if has && (!ok || longer(end, until)) {
			until, ok = end, true
		}
	}
	return until, ok
}

// longer reports whether the end a comes after b; nil never comes.
func longer(a, b *time.Time) bool { return b != nil && (a == nil || a.After(*b)) }

// lasting returns a Denied fault when a person would have a sensitive trait anew, or
// for longer, beyond the tenure of whoever gives it.
func (s *Service) lasting(t tenure, name string, had, has ends) error {
	if !t.bound {
		return nil
	}
	for _, id := range s.gained(had, has) {
		if until, ok := t.of(id); ok && longer(has[id], until) {
			return fault.New(fault.Denied, "identity.tenure", "You may give %s until %s, when your own right ends; %s cannot have it for longer by you.",
				s.Traits().Get(id).Name, until.UTC().Format("2006-01-02 15:04 MST"), name)
		}
	}
	return nil
}

// gained returns the sensitive traits that somebody has anew, or for longer.
func (s *Service) gained(had, has ends) []trait.ID {
	var ids []trait.ID
	for id, end := range has {
		if before, held := had[id]; s.Traits().Get(id).Sensitive && (!held || longer(end, before)) {
			ids = append(ids, id)
		}
	}
	return ids
}

// endless returns a Denied fault when whoever acts may give sensitive traits among
// these for a time only: what hands them out by itself would go on after it.
func (s *Service) endless(ctx context.Context, q *db.Queries, traits trait.Set) error {
	t, err := s.tenureOf(ctx, q)
	if err != nil {
		return err
	}
	has := ends{}
	for _, id := range traits.IDs() {
		has[id] = nil
	}
	return s.lasting(t, "others", nil, has)
}
