package alert

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/db"
)

const (
	leaseName    = "alerts"
	leaseSeconds = 15
	lookEvery    = 5 * time.Second // at states and at what ended
	trimEvery    = time.Hour
)

// Run watches and tells until ctx ends. Of several replicas one watches, under a
// lease; any of them tells.
func (s *Service) Run(ctx context.Context) error {
	ctx = actor.With(ctx, actor.Core("alerts"))
	var both sync.WaitGroup
	both.Go(func() {
		s.every(ctx, "the channels of alerts are not told; trying again", s.notify)
	})
	both.Go(func() {
		r := rounds{Service: s, memory: seen{}}
		s.every(ctx, "alerts are not looked for; trying again", r.round)
		if r.leads {
			done, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = db.New(s.Pool).LeaseDrop(done, leaseName, s.Replica) // it lapses by itself
		}
	})
	both.Wait()
	return nil
}

// every does something each Poll. A failure is logged when it begins and when it ends.
func (s *Service) every(ctx context.Context, what string, do func(context.Context) error) {
	tick := time.NewTicker(s.Poll)
	defer tick.Stop()
	for bad := false; ; {
		err := do(ctx)
		if is := err != nil && ctx.Err() == nil; is != bad {
			if bad = is; is {
				s.Log.WarnContext(ctx, what, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// rounds is what one replica remembers from round to round.
type rounds struct {
	*Service
	leads        bool
	memory       seen
	rules        []watched
	looked, trim time.Time
}

// round follows the audit as far as it goes, and looks at everything else when it
// is time.
func (r *rounds) round(ctx context.Context) error {
	n, err := db.New(r.Pool).LeaseTake(ctx, db.LeaseTakeParams{Name: leaseName, Holder: r.Replica, Seconds: leaseSeconds})
	if err != nil {
		return err
	}
	if r.leads = n == 1; !r.leads {
		r.rules, r.memory = nil, seen{}
		return nil
	}
	now := r.now()
	look := now.Sub(r.looked) >= min(lookEvery, 5*r.Poll) || r.rules == nil
	if look {
		if r.rules, err = r.inForce(ctx); err != nil {
			return err
		}
	}
	began := time.Now()
	for {
		n, err := r.follow(ctx, r.rules)
		if err != nil {
			return err
		}
		if n < batch/2 {
			break
		}
		if time.Since(began) > leaseSeconds*time.Second/3 {
			return nil // there is more: the lease first
		}
	}
	if !look {
		return nil
	}
	r.looked = now
	if err := errors.Join(r.health(ctx, r.rules, r.memory), r.lapse(ctx)); err != nil || now.Sub(r.trim) < trimEvery {
		return err
	}
	r.trim = now
	q := db.New(r.Pool)
	_, err = q.AlertCountTrim(ctx, now.Add(-mostWindow-time.Hour))
	_, err2 := q.AlertTrim(ctx, now.Add(-r.Keep))
	return errors.Join(err, err2)
}

// Tend does once what Run does again and again: it follows the audit to its end,
// looks at states and tells the channels.
func (s *Service) Tend(ctx context.Context) error {
	ctx = actor.With(ctx, actor.Core("alerts"))
	r := rounds{Service: s, memory: seen{}}
	return errors.Join(r.round(ctx), s.notify(ctx))
}
