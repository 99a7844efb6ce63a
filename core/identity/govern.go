package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// reform is a change of who may do what.
type reform struct {
	touches func(*db.Queries) ([]uuid.UUID, error)         // whose rights it may change; asked before and after
	make    func(*db.Queries) error                        // the change itself
	record  func(q *db.Queries, changed []uuid.UUID) error // of those whose rights did change

	agreed bool // two people agreed on it
}

// govern makes a reform, and is the only way to make one: of a person, a group, a
// role or what an identity provider says. One is made at a time on all replicas.
//
// Whoever acts must reach what everybody whose rights change had and has, and gives
// nothing for longer than their own right lasts; nobody ends up with traits that
// exclude each other; somebody goes on administering without an end; and the
// sessions of those whose rights changed end with it.
func (s *Service) govern(ctx context.Context, r reform) error {
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error { return s.governIn(ctx, q, r) })
	if err == nil {
		s.changed(ctx)
	}
	return err
}

// governIn is govern in the transaction of q; whoever commits it calls changed.
func (s *Service) governIn(ctx context.Context, q *db.Queries, r reform) error {
	if err := q.UserChangesLock(ctx); err != nil {
		return err
	}
	tenant := actor.From(ctx).Tenant
	admins, err := q.UserAdmins(ctx, tenant)
	if err != nil {
		return err
	}
	before, err := s.touched(ctx, q, r)
	if err != nil {
		return err
	}
	term, err := s.tenureOf(ctx, q) // as it was: nobody makes their own longer either
	if err != nil {
		return err
	}
	had, err := s.endsOf(ctx, q, keysOf(before))
	if err != nil {
		return err
	}
	if err := r.make(q); err != nil {
		return err
	}
	after, err := s.touched(ctx, q, r, keysOf(before)...)
	if err != nil {
		return err
	}
	has, err := s.endsOf(ctx, q, keysOf(after))
	if err != nil {
		return err
	}
	for id, u := range after {
		if err := s.lasting(term, u.Name, had[id], has[id]); err != nil {
			return err
		}
		if !r.agreed && term.bound && s.FourEyes() && len(s.gained(had[id], has[id])) > 0 {
			return fault.New(fault.Conflict, "identity.four_eyes", "Two people give sensitive traits here: ask for them under Approvals, and somebody else approves.")
		}
	}
	var changed []uuid.UUID
	for id := range after {
		was, is := before[id], after[id]
		if was.Traits == is.Traits && was.Status == is.Status && slices.Equal(was.Carried, is.Carried) {
			continue
		}
		if err := s.allowed(ctx, was, is); err != nil {
			return err
		}
		changed = append(changed, id)
	}
	if err := keepAdmin(ctx, q, tenant, admins); err != nil {
		return err
	}
	slices.SortFunc(changed, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	if _, err := q.SessionsRevoke(ctx, s.now(), changed); err != nil {
		return err
	}
	return r.record(q, changed)
}

// touched returns the people a reform may change as they are now, and more by id.
// Somebody deleted has no rights: they are the zero User.
func (s *Service) touched(ctx context.Context, q *db.Queries, r reform, more ...uuid.UUID) (map[uuid.UUID]User, error) {
	ids, err := r.touches(q)
	if err != nil {
		return nil, err
	}
	ids = append(ids, more...)
	rows, err := q.UsersByID(ctx, actor.From(ctx).Tenant, ids)
	if err != nil {
		return nil, err
	}
	us, err := s.users(ctx, q, rows)
	if err != nil {
		return nil, err
	}
	of := make(map[uuid.UUID]User, len(ids))
	for _, id := range ids {
		of[id] = User{}
	}
	for _, u := range us {
		of[u.ID] = u
	}
	return of, nil
}

func keysOf(of map[uuid.UUID]User) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(of))
	for id := range of {
		ids = append(ids, id)
	}
	return ids
}

// allowed returns a fault when whoever acts may not make of one person the other,
// or nobody may.
func (s *Service) allowed(ctx context.Context, was, is User) error {
	if err := s.reaches(ctx, was.Traits); err != nil {
		return err
	}
	if err := s.reaches(ctx, is.Traits); err != nil {
		return err
	}
	if !was.Traits.Covers(is.Traits) {
		if err := notToOneself(ctx, is.ID); err != nil {
			return err
		}
	}
	if a, b, ok := s.conflict(is.Traits); ok && !(was.Traits.Has(a.ID) && was.Traits.Has(b.ID)) {
		return fault.New(fault.Conflict, "trait.conflict", "%s would have %s and %s, which exclude each other; take one away first.", is.Name, a.Name, b.Name)
	}
	return nil
}

// conflict returns two traits of a set that exclude each other, if there are any.
func (s *Service) conflict(set trait.Set) (a, b trait.Trait, ok bool) {
	for _, id := range set.IDs() {
		t := s.Traits().Get(id)
		for _, other := range t.Conflicts {
			if set.Has(other) {
				return t, s.Traits().Get(other), true
			}
		}
	}
	return a, b, false
}

// reaches returns a Denied fault when somebody with those traits stands above
// whoever acts: nobody gives or takes a sensitive trait, or changes a person who
// has one, without having it or being an administrator. Whether the caller may
// manage people at all is for the gate to say.
func (s *Service) reaches(ctx context.Context, traits trait.Set) error {
	who := actor.From(ctx)
	switch {
	case who.Viewing():
		return fault.New(fault.Denied, "view_as.read_only", "You look as %s, which changes nothing; stop that first.", who.OnBehalf.Name)
	case who.Kind == actor.System, who.Kind == actor.User && who.Has(trait.Admin):
		return nil
	case who.Kind != actor.User:
		return fault.New(fault.Denied, "identity.person", "Only people change people; sign in.")
	}
	var above []string
	for _, id := range who.Traits.Missing(traits).IDs() {
		if t := s.Traits().Get(id); t.Sensitive {
			above = append(above, t.Name)
		}
	}
	if above != nil {
		return fault.New(fault.Denied, "identity.escalation", "This touches traits above your own (%s); ask an administrator.", strings.Join(above, ", "))
	}
	return nil
}

// notToOneself returns a Denied fault when whoever acts would give something to
// themselves, or for longer: somebody else decides on that. Administrators have
// everything already.
func notToOneself(ctx context.Context, id uuid.UUID) error {
	if !isSelf(ctx, id) || actor.From(ctx).Has(trait.Admin) {
		return nil
	}
	return fault.New(fault.Denied, "identity.escalation", "Nobody gives rights to themselves; ask for approval, or another user manager.")
}

// keepAdmin returns a Conflict fault when there were administrators and nobody
// would be left who administers without an end.
func keepAdmin(ctx context.Context, q *db.Queries, tenant string, before int64) error {
	if before == 0 {
		return nil
	}
	n, err := q.UserAdmins(ctx, tenant)
	if err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.Conflict, "identity.last_admin", "This is the last active administrator; make somebody else one first, without an end.")
	}
	return nil
}

// granter names who gives something: a person's or plugin's id, or a part of the core.
func granter(ctx context.Context) string {
	if who := actor.From(ctx); who.ID != "" {
		return who.ID
	}
	return "setup"
}

// isSelf reports whether the person of that id acts, themselves.
func isSelf(ctx context.Context, id uuid.UUID) bool {
	who := actor.From(ctx)
	return who.Kind == actor.User && who.ID == id.String()
}
