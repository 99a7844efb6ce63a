package retention

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Run purges when a month has begun that no purge has gone through yet, until ctx ends.
// On all replicas together one does it. One that failed is tried again after Poll.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(s.Poll)
	defer tick.Stop()
	as := actor.With(ctx, actor.Core("retention"))
	for {
		if at, err := s.Next(ctx); err == nil && !at.After(s.Now()) {
			done, err := s.Purge(as)
			switch {
			case ctx.Err() != nil:
			case err != nil && fault.Of(err).Code != "retention.running":
				s.Log.ErrorContext(ctx, "the audit's purge did not come to its end; trying again", "error", err, "next_attempt", s.Poll)
			case done.Records > 0:
				s.Log.InfoContext(ctx, "records of the audit are archived and purged", "records", done.Records, "archives", done.Archives)
			}
		} else if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "it is not known whether a purge is due", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Next returns when the next purge is due: at the beginning of the month after the last
// one that came to its end. It may lie in the past.
func (s *Service) Next(ctx context.Context) (time.Time, error) {
	began, err := db.New(s.Pool).PurgeLastWhole(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, nil
	}
	return nextMonth(began), db.Fault(err)
}
