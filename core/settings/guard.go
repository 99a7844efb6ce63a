package settings

import "context"

// Guard is asked before a key takes a new value through the database, with the value
// that would then count. Its fault is the answer.
type Guard func(ctx context.Context, value any) error

// Guard lets a room above say when a key must not take a value, such as one that
// would lock everybody out. Call it before anything is served. What file and
// environment say is for whoever operates the machine, and not asked about.
func (s *Settings) Guard(k Key, g Guard) { s.guards[k] = g }

// guarded asks the guards of changes.
func (s *Settings) guarded(ctx context.Context, changes []Change, values []*newValue) error {
	for i, c := range changes {
		g := s.guards[c.Key]
		if g == nil {
			continue
		}
		value := s.fixed.effective(c.Key).value // what counts once nothing is set
		if values[i] != nil {
			value = values[i].v
		}
		if err := g(ctx, value); err != nil {
			return err
		}
	}
	return nil
}
