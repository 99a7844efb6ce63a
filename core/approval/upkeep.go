package approval

import (
	"context"
	"errors"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/db"
)

// The lease under which one replica looks after what runs out, and how often it does.
const (
	leaseName    = "approvals"
	leaseSeconds = 30
	upkeep       = 5 * time.Second
)

// Run raises and ends requests as plugins change, and ends what ran out, until
// ctx ends. Of several replicas one does it, under a lease.
func (s *Service) Run(ctx context.Context) error {
	ctx = actor.With(ctx, actor.Core("approvals"))
	tick := time.NewTicker(upkeep)
	defer tick.Stop()
	held := false
	defer func() {
		if held {
			done, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = db.New(s.Pool).LeaseDrop(done, leaseName, s.Replica)
		}
	}()
	for {
		changed := s.Registry.Changed()
		n, err := db.New(s.Pool).LeaseTake(ctx, db.LeaseTakeParams{Name: leaseName, Holder: s.Replica, Seconds: leaseSeconds})
		if held = err == nil && n > 0; held {
			err = s.Tend(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "approvals not looked after; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-tick.C:
		}
	}
}

// Tend does once what Run does again and again.
func (s *Service) Tend(ctx context.Context) error {
	now := s.now()
	return errors.Join(s.runOut(ctx, now), s.Registry.Expire(ctx, now), s.People.Expire(ctx, now), s.Gather(ctx))
}

// runOut ends the requests that nobody decided in time.
func (s *Service) runOut(ctx context.Context, now time.Time) error {
	rows, err := db.New(s.Pool).ApprovalRunOut(ctx, now, 100)
	if err != nil {
		return db.Fault(err)
	}
	for _, row := range rows {
		if err := s.close(ctx, row, Expired, "Nobody decided it in time.", now); err != nil {
			return err
		}
	}
	return nil
}
