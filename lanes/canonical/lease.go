package canonical

import (
	"context"
	"time"

	"github.com/vivified/vivified/db"
)

// Leases keep two replicas from delivering to one receiver at a time, which would
// mix up the order of its events.
const (
	leaseLife  = 6 * time.Second
	leaseRenew = 2 * time.Second
)

// hold takes or renews a lease of this replica, and reports whether it has it.
// Where no other replica shares the bus there is nothing to take.
func (l *Lane) hold(ctx context.Context, name string) (bool, error) {
	if !l.Bus.Shared() {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, leaseRenew)
	defer cancel()
	n, err := db.New(l.Pool).LeaseTake(ctx, db.LeaseTakeParams{Name: "events/" + name, Holder: l.Replica, Seconds: leaseLife.Seconds()})
	return n > 0, err
}

// letGo gives a lease back.
func (l *Lane) letGo(ctx context.Context, name string) {
	if !l.Bus.Shared() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseRenew)
	defer cancel()
	_ = db.New(l.Pool).LeaseDrop(ctx, "events/"+name, l.Replica) // it lapses by itself
}

// whileHeld runs f for as long as this replica holds a lease, once it has it.
func (l *Lane) whileHeld(ctx context.Context, name string, f func(context.Context)) {
	if !l.Bus.Shared() {
		f(ctx)
		return
	}
	for {
		held, err := l.hold(ctx, name)
		if err != nil && ctx.Err() == nil {
			l.Log.WarnContext(ctx, "no lease to deliver events", "consumer", name, "error", err)
		}
		if held {
			l.underLease(ctx, name, f)
		}
		if !sleep(ctx, leaseRenew) {
			return
		}
	}
}

// underLease runs f until ctx ends or the lease could not be renewed in its time.
func (l *Lane) underLease(ctx context.Context, name string, f func(context.Context)) {
	inner, stop := context.WithCancel(ctx)
	still := make(chan struct{})
	go func() {
		defer close(still)
		f(inner)
	}()
	for until := time.Now().Add(leaseLife); ; {
		ended := false
		select {
		case <-still:
			stop()
			l.letGo(ctx, name)
			return
		case <-ctx.Done():
			ended = true
		case <-time.After(leaseRenew):
			began := time.Now()
			held, err := l.hold(ctx, name)
			if held {
				until = began.Add(leaseLife)
			}
			// One that cannot be asked for is ours until shortly before it lapses.
			ended = !held && err == nil || time.Until(until) < leaseRenew
		}
		if ended {
			stop()
			<-still
			l.letGo(ctx, name)
			return
		}
	}
}
