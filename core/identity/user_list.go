package identity

import (
	"context"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/db"
)

// UserFilter says which people to list. Its zero value lists everybody who was not
// deleted.
type UserFilter struct {
	Text   string // part of the name or address
	Status Status // "": all but deleted
	Source string // local or oidc
	Role   string // who holds it now, by any way
	Group  uuid.UUID
	Trait  string // who has it now, also because another brings it along
	Cursor string // of the page before
	Limit  int    // default 50, at most 200
}

// UserPage is a page of people by name.
type UserPage struct {
	Users []User
	Next  string // cursor of the next page; "" at the end
}

// Users returns a page of people by name, or an Invalid fault for a cursor that
// is none.
func (s *Service) Users(ctx context.Context, f UserFilter) (UserPage, error) {
	after, err := readCursor(f.Cursor)
	if err != nil {
		return UserPage{}, err
	}
	most := pageOf(f.Limit)
	q := db.New(s.Pool)
	rows, err := q.UserList(ctx, db.UserListParams{
		TenantID: actor.From(ctx).Tenant, AfterName: after.Name, AfterID: after.ID, LikePattern: likeOf(f.Text),
		Status: printable(string(f.Status), 16), Source: printable(f.Source, 16), Role: printable(f.Role, 100), InGroup: f.Group,
		Traits: s.bringing(f.Trait), At: s.now(), Most: int32(most + 1),
	})
	if err != nil {
		return UserPage{}, db.Fault(err)
	}
	more := len(rows) > most
	rows = rows[:min(most, len(rows))]
	page := UserPage{}
	if page.Users, err = s.wholes(ctx, q, rows); err != nil || !more {
		return page, err
	}
	last := rows[most-1]
	page.Next, err = nameCursor{Name: last.Name, ID: last.ID}.text()
	return page, err
}

// bringing returns the names of the traits that give a person the one of that name,
// itself first; none for "". Of a name that is none it is that name, which nobody has.
func (s *Service) bringing(name string) []string {
	if name = printable(name, 64); name == "" {
		return []string{}
	}
	t, _, ok := s.Traits().Lookup(name)
	if !ok {
		return []string{name}
	}
	names := []string{t.Name}
	for _, id := range s.Traits().ImpliedBy(t.ID) {
		names = append(names, s.Traits().Get(id).Name)
	}
	return names
}
