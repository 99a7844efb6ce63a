package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// UserFilter says which people to list. Its zero value lists everybody who was not
// deleted.
type UserFilter struct {
	Text   string // part of the name or address
	Status Status // "": all but deleted
	Role   string // who holds it now
	Cursor string // of the page before
	Limit  int    // default 50, at most 200
}

// UserPage is a page of people by name.
type UserPage struct {
	Users []User
	Next  string // cursor of the next page; "" at the end
}

// userCursor is where a page ended.
type userCursor struct {
	Name string    `json:"n"`
	ID   uuid.UUID `json:"i"`
}

// Users returns a page of people by name, or an Invalid fault for a cursor that
// is none.
func (s *Service) Users(ctx context.Context, f UserFilter) (UserPage, error) {
	var after userCursor
	if f.Cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(f.Cursor)
		if err != nil || json.Unmarshal(raw, &after) != nil || after.ID == uuid.Nil || strings.ContainsRune(after.Name, 0) {
			return UserPage{}, fault.New(fault.Invalid, "cursor.malformed", "This page cannot be found; start from the first.")
		}
	}
	most := min(max(f.Limit, 0), 200)
	if most == 0 {
		most = 50
	}
	like := ""
	if text := printable(f.Text, 200); text != "" {
		like = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	}
	q := db.New(s.Pool)
	rows, err := q.UserList(ctx, db.UserListParams{
		TenantID: actor.From(ctx).Tenant, AfterName: after.Name, AfterID: after.ID, LikePattern: like,
		Status: printable(string(f.Status), 16), Role: printable(f.Role, 100), At: s.now(), Most: int32(most + 1),
	})
	if err != nil {
		return UserPage{}, db.Fault(err)
	}
	more := len(rows) > most
	rows = rows[:min(most, len(rows))]
	page := UserPage{}
	if page.Users, err = s.users(ctx, q, rows); err != nil {
		return UserPage{}, err
	}
	if more {
		last := rows[most-1]
		raw, err := json.Marshal(userCursor{last.Name, last.ID})
		if err != nil {
			return UserPage{}, err
		}
		page.Next = base64.RawURLEncoding.EncodeToString(raw)
	}
	return page, nil
}
