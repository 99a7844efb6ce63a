package approval

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// errAlone is what an approval comes to that lacks a second person.
var errAlone = errors.New("approval: a second person has to agree")

// without are the kinds whose second person nothing stands in for, not even that
// nobody else is left: who demands two would be alone otherwise.
var without = []Kind{Policy, Setting}

// needsSecond reports whether somebody's word on a request is but the first of two:
// two people give here, and nobody else asked for it. A plugin is nobody.
func (s *Service) needsSecond(r Request, who string) bool {
	return s.FourEyes() && !slices.ContainsFunc(r.Askers, func(a Asker) bool {
		return a.ID != who && (a.ID != r.Subject || r.Kind == Elevation)
	})
}

// first keeps somebody's word as that of the first of two people, and returns the
// Conflict fault that says so.
func (s *Service) first(ctx context.Context, a Ask) error {
	if strings.TrimSpace(a.Reason) == "" {
		a.Reason = "Given by one person where two give."
	}
	if _, _, err := s.put(ctx, a, actor.From(ctx)); err != nil {
		return err
	}
	return fault.New(fault.Conflict, "approval.second", "Two people give this here. Your word is kept as a request; somebody else who may has to approve it.")
}

// MayDecideOwn reports whether whoever acts may decide what they asked for: the last
// administrator, where the installation lets them, and only what needs no second
// person.
func (s *Service) MayDecideOwn(ctx context.Context, k Kind) bool {
	if slices.Contains(without, k) || s.FourEyes() || !s.OwnWord() {
		return false
	}
	last, err := s.People.IsLastAdministrator(ctx)
	return err == nil && last
}

// oneLine writes a reason as settings keep it.
func oneLine(reason string) string { return strings.Join(strings.Fields(reason), " ") }
