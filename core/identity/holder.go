package identity

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/db"
)

// Holder is a person who has a trait or role, and until when.
type Holder struct {
	User    User
	From    []Source
	Expires *time.Time // nil: no end
}

// TraitHolders returns a page of the people by name who have a trait now, and the
// cursor of the next page; "" at the end. most is at most 200.
func (s *Service) TraitHolders(ctx context.Context, name, cursor string, most int) (holders []Holder, next string, err error) {
	page, grants, err := s.givenTo(ctx, UserFilter{Trait: name, Cursor: cursor, Limit: most})
	if err != nil {
		return nil, "", err
	}
	for _, u := range page.Users {
		for _, h := range holdings(s.Traits(), grants[u.ID]) {
			if h.Trait.Name == name {
				holders = append(holders, Holder{User: u, From: h.From, Expires: h.Expires})
			}
		}
	}
	return holders, page.Next, nil
}

// RoleHolders does the same for a role: whom it was given by hand, by a group or by
// an identity provider.
func (s *Service) RoleHolders(ctx context.Context, name, cursor string, most int) (holders []Holder, next string, err error) {
	page, grants, err := s.givenTo(ctx, UserFilter{Role: name, Cursor: cursor, Limit: most})
	if err != nil {
		return nil, "", err
	}
	for _, u := range page.Users {
		h := Holder{User: u}
		for _, g := range grants[u.ID] {
			if given := sourceOf(g); given.From != Direct && given.Name == name {
				h.From = append(h.From, given)
			}
		}
		if h.From != nil {
			h.Expires = lastEnd(h.From)
			holders = append(holders, h)
		}
	}
	return holders, page.Next, nil
}

// givenTo returns a page of people with what each of them was given.
func (s *Service) givenTo(ctx context.Context, f UserFilter) (UserPage, map[uuid.UUID][]db.UserGrantsRow, error) {
	page, err := s.Users(ctx, f)
	if err != nil {
		return page, nil, err
	}
	ids := make([]uuid.UUID, len(page.Users))
	for i, u := range page.Users {
		ids[i] = u.ID
	}
	rows, err := db.New(s.Pool).UserGrants(ctx, ids, s.now())
	if err != nil {
		return page, nil, db.Fault(err)
	}
	of := map[uuid.UUID][]db.UserGrantsRow{}
	for _, g := range rows {
		of[g.UserID] = append(of[g.UserID], g)
	}
	return page, of, nil
}
