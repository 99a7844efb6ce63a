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

// GroupFilter says which groups to list. Its zero value lists all.
type GroupFilter struct {
	Text   string // part of the name
	Role   string // that they carry now
	Cursor string // of the page before
	Limit  int    // default 50, at most 200
}

// GroupPage is a page of groups by name.
type GroupPage struct {
	Groups []Group
	Next   string // cursor of the next page; "" at the end
}

// Groups returns a page of groups by name, or an Invalid fault for a cursor that
// is none.
func (s *Service) Groups(ctx context.Context, f GroupFilter) (GroupPage, error) {
	after, err := readCursor(f.Cursor)
	if err != nil {
		return GroupPage{}, err
	}
	most := pageOf(f.Limit)
	q := db.New(s.Pool)
	rows, err := q.GroupList(ctx, db.GroupListParams{
		TenantID: actor.From(ctx).Tenant, AfterName: after.Name, LikePattern: likeOf(f.Text), Role: printable(f.Role, 100), At: s.now(), Most: int32(most + 1),
	})
	if err != nil {
		return GroupPage{}, db.Fault(err)
	}
	more := len(rows) > most
	rows = rows[:min(most, len(rows))]
	page := GroupPage{}
	if page.Groups, err = s.groups(ctx, q, rows); err != nil || !more {
		return page, err
	}
	last := rows[most-1].Group
	page.Next, err = nameCursor{Name: last.Name, ID: last.ID}.text()
	return page, err
}

// MemberPage is a page of the people in a group, by name.
type MemberPage struct {
	Members []Member
	Next    string // cursor of the next page; "" at the end
}

// GroupMembers returns a page of the people in a group now, by name: at most limit,
// default 50, at most 200. Somebody whom both a person and a mapping put in is
// there twice. It returns a NotFound fault for a group that is none.
func (s *Service) GroupMembers(ctx context.Context, id uuid.UUID, cursor string, limit int) (MemberPage, error) {
	after, err := readCursor(cursor)
	if err != nil {
		return MemberPage{}, err
	}
	q := db.New(s.Pool)
	if _, err := s.group(ctx, q, id); err != nil {
		return MemberPage{}, err
	}
	most := pageOf(limit)
	rows, err := q.GroupMembers(ctx, db.GroupMembersParams{
		GroupID: id, At: s.now(), AfterName: after.Name, AfterID: after.ID, AfterSource: after.Source, Most: int32(most + 1),
	})
	if err != nil {
		return MemberPage{}, db.Fault(err)
	}
	more := len(rows) > most
	rows = rows[:min(most, len(rows))]
	people := make([]db.User, len(rows))
	for i, row := range rows {
		people[i] = row.User
	}
	us, err := s.users(ctx, q, people)
	if err != nil {
		return MemberPage{}, err
	}
	page := MemberPage{Members: make([]Member, len(rows))}
	for i, row := range rows {
		page.Members[i] = Member{us[i], Membership{
			Group: id, Provider: row.Source, Reason: row.Reason, GrantedBy: row.GrantedBy, GrantedAt: row.GrantedAt, Expires: row.ExpiresAt,
		}}
	}
	if more {
		last := rows[most-1]
		page.Next, err = nameCursor{last.User.Name, last.User.ID, last.Source}.text()
	}
	return page, err
}

// nameCursor is where a page of people or groups by name ended.
type nameCursor struct {
	Name   string    `json:"n"`
	ID     uuid.UUID `json:"i"`
	Source string    `json:"s,omitempty"`
}

func (c nameCursor) text() (string, error) {
	raw, err := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(raw), err
}

// readCursor returns where the page before ended, or an Invalid fault; "" is the
// beginning.
func readCursor(text string) (nameCursor, error) {
	var c nameCursor
	if text == "" {
		return c, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &c) != nil || c.ID == uuid.Nil || strings.ContainsRune(c.Name+c.Source, 0) {
		return c, fault.New(fault.Invalid, "cursor.malformed", "This page cannot be found; start from the first.")
	}
	return c, nil
}

// pageOf returns how many rows a page has: as asked for, 50 by default, at most 200.
func pageOf(limit int) int {
	if limit <= 0 {
		return 50
	}
	return min(limit, 200)
}

// likeOf returns the pattern of texts that contain a text; "" for all.
func likeOf(text string) string {
	if text = printable(text, 200); text == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}
