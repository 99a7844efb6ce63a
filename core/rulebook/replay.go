package rulebook

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// pageRows is how many records of the audit are replayed at a time.
const pageRows = 250

// MaxFlips is how many single decisions of one replay are kept; all are counted.
const MaxFlips = 20_000

// runReplays runs the replays begun on this replica, one after another.
func (b *Rulebook) runReplays(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-b.replays:
			b.run(actor.With(ctx, r.who), r.shadow)
		}
	}
}

// errTaken says that a replay was cancelled, or buried as dead.
var errTaken = errors.New("the replay is no longer ours")

// run replays until the end, and says how it ended.
func (b *Rulebook) run(ctx context.Context, s Shadow) {
	state, why := "done", ""
	switch err := b.replay(ctx, s); {
	case errors.Is(err, errTaken):
		return
	case ctx.Err() != nil:
		state, why = "failed", "The core that ran it ended. Start it again."
	case err != nil:
		state, why = "failed", "It could not go on; the log has the reason."
		b.Log.ErrorContext(ctx, "replay failed", "shadow", s.ID, "error", err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if _, err := db.New(b.Pool).PolicyShadowEnd(last, db.PolicyShadowEndParams{ID: s.ID, State: state, Why: why}); err != nil {
		b.Log.WarnContext(ctx, "the end of a replay is not recorded; it will pass for dead", "shadow", s.ID, "error", err)
	}
}

// replay reads the recorded decisions page by page, and rests as long as each
// page took, so that it never has more than half of one connection.
func (b *Rulebook) replay(ctx context.Context, s Shadow) error {
	draft, findings := b.compile(s.text)
	if draft == nil {
		return errors.New(first(findings))
	}
	c := comparison{shadow: s, published: b.Policy(), draft: draft.policy, groups: groups{}}
	since, cursor, left := s.StartedAt.AddDate(0, 0, -s.Days), "", s.Most
	for {
		began := time.Now()
		page, err := b.Audit.Decisions(ctx, since, cursor, min(left, pageRows))
		if err != nil {
			return err
		}
		for i := range page.Records {
			c.record(&page.Records[i])
		}
		if err := b.keep(ctx, &c); err != nil {
			return err
		}
		left -= len(page.Records)
		if cursor = page.Next; cursor == "" || left <= 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Since(began)):
		}
	}
}

// keep writes what was found in a page, and renews the lease.
func (b *Rulebook) keep(ctx context.Context, c *comparison) error {
	return db.InTx(ctx, b.Pool, func(q *db.Queries) error {
		n, err := q.PolicyShadowAdvance(ctx, db.PolicyShadowAdvanceParams{
			ID: c.shadow.ID, Holder: b.Replica, Reached: c.reached, RowsRead: c.rows, Replayed: c.replayed, Skipped: c.skipped, Flips: c.flips, Drifts: c.drifts,
			Groups: c.groups.sorted(), Seconds: shadowLease.Seconds(),
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return errTaken
		}
		_, err = q.PolicyFlipInsert(ctx, c.found)
		c.found = c.found[:0]
		return err
	})
}

// comparison decides recorded requests anew, by two policies.
type comparison struct {
	shadow           Shadow
	published, draft *policy.Policy

	rows, replayed, skipped, flips, drifts int64
	reached                                *time.Time
	seq                                    int64
	found                                  []db.PolicyFlipInsertParams // not yet written
	groups                                 groups
}

// verdict is what matters of a decision when two are compared.
type verdict struct {
	allow  bool
	redact trait.Classes
	rule   string
}

// kind says how now differs from was; "" when it does not. Which rule let pass
// last says nothing unless administrators wrote it.
func (was verdict) kind(now verdict) string {
	switch {
	case was.allow && !now.allow:
		return "denied"
	case !was.allow && now.allow:
		return "allowed"
	case was.redact != now.redact, was.rule != now.rule && (!now.allow || isAdmin(was.rule) || isAdmin(now.rule)):
		return "rule"
	}
	return ""
}

func isAdmin(rule string) bool { return strings.HasPrefix(rule, policy.AdminPrefix) }

// record replays one record, which holds several decisions when it is that of
// an event for several receivers.
func (c *comparison) record(r *audit.Record) {
	c.rows++
	at := r.At
	c.reached = &at
	past, err := gate.Decided(r, c.published.Traits())
	if err != nil || len(past) == 0 {
		c.skipped++
		return
	}
	for i := range past {
		c.decide(r, &past[i])
	}
}

// decide replays one decision.
func (c *comparison) decide(r *audit.Record, p *gate.Past) {
	c.replayed++
	recorded := verdict{p.Allowed, p.Redacted, p.Rule}
	published, draft := decided(c.published, &p.Request), decided(c.draft, &p.Request)
	note := func(against Against, was, now verdict) bool {
		kind := was.kind(now)
		if kind == "" {
			return false
		}
		g := FlipGroup{
			Kind: kind, Was: was.rule, Now: now.rule, Action: r.Action, Caller: p.Request.Subject.ID, Target: targetOf(&p.Request), LastAt: r.At, Decision: r.ID,
		}
		c.groups.add(against, g)
		if c.seq++; c.seq <= MaxFlips {
			c.found = append(c.found, db.PolicyFlipInsertParams{
				Shadow: c.shadow.ID, Seq: c.seq, Against: string(against), Kind: kind, WasRule: g.Was, NowRule: g.Now, Action: g.Action,
				Caller: g.Caller, Target: g.Target, Object: r.Object, Decision: g.Decision, At: g.LastAt,
			})
		}
		return true
	}
	if note(Flips, published, draft) {
		c.flips++
	}
	if note(Drifts, recorded, published) {
		c.drifts++
	}
}

func decided(p *policy.Policy, r *policy.Request) verdict {
	d := p.Decide(r)
	return verdict{d.Allow, d.Redact, d.Rule}
}

// targetOf names what was reached: a plugin, else the host, event type or page.
func targetOf(r *policy.Request) string {
	if r.Target.ID != "" {
		return r.Target.ID
	}
	return r.Resource.Name
}
