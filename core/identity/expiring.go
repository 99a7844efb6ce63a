package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// What a person can be given with an end.
const (
	GivenRole  = "role"
	GivenTrait = "trait"
	GivenGroup = "group"
)

// Expiring is something a person was given that ends by itself.
type Expiring struct {
	User      User
	Kind      string // GivenRole, GivenTrait or GivenGroup
	Name      string // of the role or trait; the id of the group
	Label     string // Name for people
	Provider  string // the identity provider that gave it; "": somebody did
	Reason    string
	GrantedBy string // id of who gave it
	GrantedAt time.Time
	Expires   time.Time
}

// expiringCursor is where a page of what expires ended.
type expiringCursor struct {
	End    time.Time `json:"e"`
	User   uuid.UUID `json:"u"`
	Kind   string    `json:"k"`
	Name   string    `json:"n"`
	Source string    `json:"s,omitempty"`
}

// ExpiringGrants returns a page of what people were given that is still to end, the
// soonest first, and the cursor of the next page; "" at the end. most is at most
// 200, by default 50. It returns an Invalid fault for a cursor that is none.
func (s *Service) ExpiringGrants(ctx context.Context, cursor string, most int) (page []Expiring, next string, err error) {
	var after expiringCursor
	if cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil || json.Unmarshal(raw, &after) != nil || strings.ContainsRune(after.Kind+after.Name+after.Source, 0) {
			return nil, "", fault.New(fault.Invalid, "cursor.malformed", "This page cannot be found; start from the first.")
		}
	}
	most = pageOf(most)
	q := db.New(s.Pool)
	rows, err := q.ExpiringGrants(ctx, db.ExpiringGrantsParams{
		TenantID: actor.From(ctx).Tenant, At: s.now(), AfterEnd: after.End, AfterUser: after.User, AfterKind: after.Kind, AfterName: after.Name, AfterSource: after.Source, Most: int32(most + 1),
	})
	if err != nil {
		return nil, "", db.Fault(err)
	}
	more := len(rows) > most
	rows = rows[:min(most, len(rows))]
	people := make([]db.User, len(rows))
	for i, row := range rows {
		people[i] = row.User
	}
	us, err := s.users(ctx, q, people)
	if err != nil {
		return nil, "", err
	}
	for i, row := range rows {
		page = append(page, Expiring{
			User: us[i], Kind: row.Kind, Name: row.Name, Label: row.Label, Provider: row.Source, Reason: row.Reason, GrantedBy: row.GrantedBy, GrantedAt: row.GrantedAt, Expires: row.ExpiresAt,
		})
	}
	if more {
		last := rows[most-1]
		raw, err := json.Marshal(expiringCursor{last.ExpiresAt, last.User.ID, last.Kind, last.Name, last.Source})
		return page, base64.RawURLEncoding.EncodeToString(raw), err
	}
	return page, "", nil
}
