package approval

import (
	"context"
	"encoding/json"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Settings changes what nobody changes alone. settings.Settings is one.
type Settings interface {
	TwoPeople(k settings.Key, value []byte) (bool, error)
	SetIn(ctx context.Context, q *db.Queries, changes []settings.Change, reason string) error
	Announce(ctx context.Context)
}

// checkSetting lets those ask who could change it otherwise, for what two people
// change.
func (s *Service) checkSetting(ctx context.Context, a *Ask) error {
	key, err := settings.ParseKey(a.Subject)
	if err != nil {
		return err
	}
	if !actor.From(ctx).Has(key.Definition().Edit) {
		return fault.New(fault.Denied, "settings.edit", "Changing %s needs the trait %s.", key, trait.Builtin().Get(key.Definition().Edit).Name)
	}
	if !json.Valid([]byte(a.Object)) || s.Settings == nil {
		return violation("approval.object", "/object", "The value is no JSON.", "Write it as PUT /admin/config takes it.")
	}
	two, err := s.Settings.TwoPeople(key, []byte(a.Object))
	if err != nil {
		return err
	}
	if !two {
		return fault.New(fault.Conflict, "approval.alone", "Changing %s like this takes one person; change it.", key)
	}
	a.Terms = Terms{}
	return nil
}

// change changes a setting on the word of two people.
func (s *Service) change(subject, object, reason string) (action, error) {
	key, err := settings.ParseKey(subject)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, q *db.Queries) (Made, error) {
		return Made{}, s.Settings.SetIn(ctx, q, []settings.Change{{Key: key, Value: json.RawMessage(object)}}, oneLine(reason))
	}, nil
}
