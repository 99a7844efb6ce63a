package identity

import (
	"context"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/db"
)

// APIKeys returns the keys of a person, ended ones too, newest first.
func (s *Service) APIKeys(ctx context.Context, owner uuid.UUID) ([]APIKey, error) {
	if _, err := s.User(ctx, owner); err != nil {
		return nil, err
	}
	rows, err := db.New(s.Pool).APIKeyList(ctx, owner)
	if err != nil {
		return nil, db.Fault(err)
	}
	keys := make([]APIKey, len(rows))
	for i, row := range rows {
		keys[i] = apiKeyOf(row)
	}
	return keys, nil
}

// APIKeyPage is a page of everybody's API keys, newest first.
type APIKeyPage struct {
	Keys []APIKey
	Next uuid.UUID // to hand in as before; zero at the end
}

// AllAPIKeys returns a page of everybody's keys, newest first. before is the zero
// UUID for the first page; most is at most 200, by default 50.
func (s *Service) AllAPIKeys(ctx context.Context, before uuid.UUID, most int) (APIKeyPage, error) {
	if most = min(max(most, 0), 200); most == 0 {
		most = 50
	}
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := db.New(s.Pool).APIKeyListAll(ctx, db.APIKeyListAllParams{TenantID: actor.From(ctx).Tenant, Before: before, Most: int32(most + 1)})
	if err != nil {
		return APIKeyPage{}, db.Fault(err)
	}
	page := APIKeyPage{Keys: []APIKey{}}
	for i, row := range rows {
		if i == most {
			page.Next = page.Keys[most-1].ID
			break
		}
		k := apiKeyOf(row.APIKey)
		k.OwnerName = row.User.Name
		page.Keys = append(page.Keys, k)
	}
	return page, nil
}
