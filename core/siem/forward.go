package siem

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

const (
	batch      = 1000             // records sent at a time
	unconfined = 5000             // records sent before they are confirmed
	unproved   = 10 * time.Second // how long records may stay unconfirmed
	patience   = 15 * time.Second // of one exchange with the other side
	leaseTime  = 45 * time.Second // longer than anything done without renewing it
	firstWait  = time.Second      // after a failure; doubles
	longestGap = time.Minute
)

// key tells one set of words about a sink from the next.
type key struct {
	id      uuid.UUID
	version int64
}

// Run sends to every enabled sink, each at its own pace, until ctx ends. A sink
// that was changed is begun anew.
func (s *Service) Run(ctx context.Context) error {
	running := map[key]context.CancelFunc{}
	ended := make(chan key)
	defer func() {
		for _, cancel := range running {
			cancel()
		}
		for range running {
			<-ended
		}
	}()
	tick := time.NewTicker(s.Poll)
	defer tick.Stop()
	for {
		rows, err := db.New(s.Pool).SIEMSinkAll(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "the sinks of the audit cannot be read", "error", err)
		}
		if err == nil {
			wanted := map[key]bool{}
			for _, row := range rows {
				k := key{row.ID, row.Version}
				wanted[k] = true
				if running[k] == nil {
					one, cancel := context.WithCancel(ctx)
					running[k] = cancel
					go func() {
						defer func() { ended <- k }()
						s.feed(one, row)
					}()
				}
			}
			for k, cancel := range running {
				if !wanted[k] {
					cancel()
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case k := <-ended:
			running[k]()
			delete(running, k)
		case <-tick.C:
		}
	}
}

// feed sends to one sink until ctx ends or another replica does.
func (s *Service) feed(ctx context.Context, row db.SiemSink) {
	name, q := "siem/"+row.ID.String(), db.New(s.Pool)
	defer func() {
		left, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = q.LeaseDrop(left, name, s.Replica) // it lapses by itself
	}()
	wait := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		mine := func() bool {
			n, err := q.LeaseTake(ctx, db.LeaseTakeParams{Name: name, Holder: s.Replica, Seconds: leaseTime.Seconds()})
			return err == nil && n == 1
		}
		if !mine() {
			wait = s.Poll
			continue
		}
		err := s.send(ctx, row, mine)
		switch {
		case ctx.Err() != nil:
			if err != nil {
				s.Log.InfoContext(ctx, "what a sink was sent last is sent again by whoever goes on", "sink", row.Name, "reason", err)
			}
			return
		case err == nil:
			wait = s.Poll
		default:
			wait = min(max(2*wait, firstWait), longestGap)
			s.Log.WarnContext(ctx, "the audit is not forwarded", "sink", row.Name, "kind", row.Kind, "error", err, "next_attempt", wait)
			if err := q.SIEMSinkFailed(ctx, db.SIEMSinkFailedParams{ID: row.ID, At: s.Now(), LastError: fault.Clip(err.Error(), 500)}); err != nil {
				s.Log.WarnContext(ctx, "the state of a sink is not kept", "sink", row.Name, "error", err)
			}
		}
	}
}

// send connects and sends what there is and what comes, until the sink fails, ctx
// ends, or the lease is lost.
func (s *Service) send(ctx context.Context, row db.SiemSink, mine func() bool) error {
	secret, err := s.open(row)
	if err != nil {
		return fmt.Errorf("the secret cannot be opened: %w", err)
	}
	sink, err := s.dial(row, secret)
	if err != nil {
		return err
	}
	defer sink.Close()
	q := db.New(s.Pool)
	confirmed, err := place(ctx, q, row.ID)
	if err != nil {
		return err
	}
	at := confirmed // how far it was sent
	var t tally
	since := s.Now()
	for ctx.Err() == nil {
		b, err := s.Store.Follow(ctx, row.TenantID, at, batch)
		if err == nil && len(b.Records) > 0 {
			err = within(ctx, func(ctx context.Context) error {
				rejected, err := sink.Send(ctx, b.Records)
				t.rejected += int64(rejected)
				return err
			})
		}
		if err != nil {
			if ctx.Err() != nil {
				break // what was sent before may still be confirmed
			}
			return err
		}
		if t.sent == 0 {
			since = s.Now()
		}
		t.sent, t.missed, at = t.sent+int64(len(b.Records)), t.missed+b.Missed, b.Place
		if t.sent > unconfined || s.Now().Sub(since) > unproved || row.Kind != string(Syslog) {
			if err := within(ctx, sink.Confirm); err != nil {
				return err
			}
			if err := s.keep(ctx, row.ID, t, confirmed, at); err != nil {
				return err
			}
			confirmed, t, since = at, tally{}, s.Now()
		}
		if len(b.Records) < batch/2 {
			select {
			case <-ctx.Done():
			case <-time.After(s.Poll):
			}
		}
		if ctx.Err() == nil && !mine() && ctx.Err() == nil { // a lease that ctx kept us from renewing is not lost
			return nil
		}
	}
	return s.last(ctx, sink, row.ID, t, confirmed, at)
}

// last confirms what was sent before the core ends, if that is quick.
func (s *Service) last(ctx context.Context, sink audit.Sink, id uuid.UUID, t tally, confirmed, at audit.Place) error {
	if t.sent == 0 {
		return nil
	}
	left, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := sink.Confirm(left); err != nil {
		return err
	}
	return s.keep(left, id, t, confirmed, at)
}

// tally is what was sent and is not confirmed yet.
type tally struct{ sent, rejected, missed int64 }

// keep moves a sink on.
func (s *Service) keep(ctx context.Context, id uuid.UUID, t tally, from, to audit.Place) error {
	if maps.Equal(from, to) {
		return nil
	}
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		for chain, seq := range to {
			if seq == from[chain] {
				continue
			}
			if err := q.SIEMPlacePut(ctx, db.SIEMPlacePutParams{Sink: id, Chain: chain, Seq: seq}); err != nil {
				return err
			}
		}
		return q.SIEMSinkSent(ctx, db.SIEMSinkSentParams{ID: id, Sent: t.sent - t.rejected, Rejected: t.rejected, Missed: t.missed, At: s.Now()})
	})
}

func within(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return f(ctx)
}
