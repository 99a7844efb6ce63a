package identity

import (
	"context"
	"net/netip"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// throttle is how often one thing may be tried: free attempts at once, then a
// pause before each further one that doubles from a second up to most.
type throttle struct {
	kind string
	free int
	most time.Duration
}

// What is throttled. An address is given more, because many people share one.
var (
	byAccount     = throttle{"account", 5, 15 * time.Minute}
	byAccountHere = throttle{"account_here", 5, 15 * time.Minute} // of an address it was signed in to from before
	byAddress     = throttle{"address", 30, 15 * time.Minute}
	byPassword    = throttle{"password", 5, 15 * time.Minute} // the current password of somebody signed in
	byProof       = throttle{"proof", 5, 15 * time.Minute}    // step-ups and second factors of one person
)

// forgiven is how long after the last failure earlier ones no longer count.
const forgiven = time.Hour

// knownFor is how long a place somebody signed in from is taken for theirs.
const knownFor = 30 * 24 * time.Hour

// pause returns how long to wait after that many failures in a row.
func (t throttle) pause(failures int) time.Duration {
	if failures < t.free {
		return 0
	}
	if n := failures - t.free; n < 20 {
		return min(time.Second<<n, t.most)
	}
	return t.most
}

// attempt is one thing that is tried, to be counted under a throttle.
type attempt struct {
	throttle
	digest string
}

func (a attempt) key() []byte { return []byte(a.digest) }

// try names an attempt by what was typed or seen. Only its keyed digest is stored
// and audited, not the text: people do type their password into the name field.
func (s *Service) try(t throttle, what string) attempt {
	return attempt{t, s.Sealer.Digest("identity/"+t.kind, []byte(what))}
}

// from is the attempt of the address in ctx. An IPv6 network of 64 bits counts
// as one address: whoever has one has all of it.
func (s *Service) from(ctx context.Context) attempt {
	what := actor.Address(ctx)
	if a, err := netip.ParseAddr(what); err == nil {
		if a = a.Unmap().WithZone(""); a.Is6() {
			p, _ := a.Prefix(64)
			a = p.Addr()
		}
		what = a.String()
	}
	return s.try(byAddress, what)
}

// count takes the attempts as failed before anything is compared, so that any
// number of guesses made at the same time count one by one; forgive undoes it.
// While one of them must wait it counts none and returns a TooMany fault; first
// says that this is the first such refusal since the last attempt that counted.
func (s *Service) count(ctx context.Context, attempts ...attempt) (first bool, err error) {
	now := s.now()
	var refused *fault.Fault
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		rows := make([]db.LoginThrottle, len(attempts))
		for i, a := range attempts {
			row, err := q.ThrottleLock(ctx, a.key(), now)
			if err != nil {
				return err
			}
			if now.Before(row.Until) {
				first = row.Refused == 0
				refused = slowDown(row.Until.Sub(now))
				row.Refused++
				return q.ThrottleSet(ctx, throttleRow(row))
			}
			rows[i] = row
		}
		for i, a := range attempts {
			row := rows[i]
			if now.Sub(row.LastAt) > forgiven {
				row.Failures = 0
			}
			row.Failures++
			row.Refused, row.LastAt, row.Until = 0, now, now.Add(a.pause(int(row.Failures)))
			if err := q.ThrottleSet(ctx, throttleRow(row)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && refused != nil {
		return first, refused
	}
	return false, err
}

// forgive takes back one failure of the attempt, or with all every one.
func (s *Service) forgive(ctx context.Context, q *db.Queries, a attempt, all bool) error {
	now := s.now()
	row, err := q.ThrottleLock(ctx, a.key(), now)
	if err != nil {
		return err
	}
	if row.Failures = max(row.Failures-1, 0); all {
		row.Failures = 0
	}
	row.Until = now
	return q.ThrottleSet(ctx, throttleRow(row))
}

func throttleRow(r db.LoginThrottle) db.ThrottleSetParams {
	return db.ThrottleSetParams{Key: r.Key, Failures: r.Failures, Refused: r.Refused, LastAt: r.LastAt, Until: r.Until}
}

// slowDown is what everybody is told who tries too often, whether or not the
// account exists.
func slowDown(wait time.Duration) *fault.Fault {
	wait = max((wait + time.Second - 1).Truncate(time.Second), time.Second)
	f := fault.New(fault.TooMany, "auth.throttled", "Too many attempts; try again in %d seconds.", int(wait.Seconds()))
	f.RetryAfter = wait
	return f
}
