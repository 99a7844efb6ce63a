package settings

import (
	"context"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// TwoPeople reports whether changing the key to that JSON value takes two people now:
// what demands a second person is not switched off by one. What file and environment
// say is for whoever operates the machine.
func (s *Settings) TwoPeople(k Key, value []byte) (bool, error) {
	values, err := readChanges([]Change{{Key: k, Value: value}}, "")
	if err != nil {
		return false, err
	}
	return s.loosens(k, values[0]), nil
}

// loosens reports whether a new value leaves the one that takes two people to leave.
func (s *Settings) loosens(k Key, to *newValue) bool {
	d := definitions[k]
	if d.TwoPeople == "" {
		return false
	}
	keep, must := d.parseText(d.TwoPeople)
	if must != "" || s.current.Load().effective(k).value != keep {
		return false
	}
	if to == nil {
		return s.fixed.effective(k).value != keep
	}
	return to.v != keep
}

// notAlone refuses a person who would leave alone what takes two people to leave.
func (s *Settings) notAlone(ctx context.Context, changes []Change, values []*newValue) error {
	if actor.From(ctx).Kind != actor.User {
		return nil
	}
	for i, c := range changes {
		if s.loosens(c.Key, values[i]) {
			return fault.New(fault.Conflict, "settings.two_people", "Nobody changes %s alone while it demands a second person; ask for it under Approvals, and somebody else approves it.", c.Key)
		}
	}
	return nil
}

// SetIn does what Set does in the transaction of q, on the word of two people; call
// Announce once that is committed.
func (s *Settings) SetIn(ctx context.Context, q *db.Queries, changes []Change, reason string) error {
	b, values, err := s.checked(ctx, changes, reason)
	if err != nil {
		return err
	}
	_, err = s.setIn(ctx, q, b, changes, values, reason)
	return broken("change settings", err)
}

// Announce makes count, here and on every replica, what SetIn changed.
func (s *Settings) Announce(ctx context.Context) {
	if b, err := s.attached(); err == nil {
		s.announce(ctx, b)
	}
}
