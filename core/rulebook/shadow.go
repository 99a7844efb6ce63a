package rulebook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// What a replay may cover.
const (
	MaxDays     = 90
	MaxReplay   = 200_000 // decisions
	UsualReplay = 20_000
	keepShadows = 20
)

// shadowLease is how long a replay counts as running that nobody hears of: longer
// than a page of it takes, with the rest after it, on a database that is slow.
const shadowLease = time.Minute

// Shadow is one replay of recorded decisions under a draft. Nothing it decides
// has any effect.
type Shadow struct {
	ID        uuid.UUID  `json:"id"`
	State     string     `json:"state"` // running, done, cancelled or failed
	Why       string     `json:"why,omitempty"`
	Version   int64      `json:"version"` // what it is compared with; 0: the built-in rules alone
	Days      int        `json:"days"`
	Most      int        `json:"limit"` // decisions
	StartedBy string     `json:"started_by"`
	StartedAs string     `json:"started_as"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Reached   *time.Time `json:"reached,omitempty"` // the time of the oldest decision replayed
	Progress  float64    `json:"progress"`          // 0 to 1
	Replayed  int64      `json:"replayed"`          // decisions; an event has one for each receiver
	Skipped   int64      `json:"skipped"`           // records without the facts they were decided from
	Flips     int64      `json:"flips"`             // decisions the draft changes
	Drifts    int64      `json:"drifts"`            // decisions the policy in force already makes otherwise than recorded
	Draft     bool       `json:"draft"`             // its text is still that of the draft

	text   string
	groups map[Against][]FlipGroup
}

func shadowOf(row db.PolicyShadow) Shadow {
	s := Shadow{
		ID: row.ID, State: row.State, Why: row.Why, Version: row.Version, Days: int(row.Days), Most: int(row.Most), StartedBy: row.StartedBy, StartedAs: row.StartedAs,
		StartedAt: row.StartedAt.UTC(), EndedAt: row.EndedAt, Reached: row.Reached, Replayed: row.Replayed, Skipped: row.Skipped,
		Flips: row.Flips, Drifts: row.Drifts, text: row.Text,
	}
	_ = json.Unmarshal(row.Groups, &s.groups) // written by replay; without them the counts are there still
	s.Progress = float64(row.RowsRead) / float64(row.Most)
	if s.Reached != nil {
		s.Progress = max(s.Progress, s.StartedAt.Sub(*s.Reached).Hours()/24/float64(row.Days))
	}
	s.Progress = min(s.Progress, 1)
	if s.State == "done" {
		s.Progress = 1
	}
	return s
}

// replay is a shadow that this replica is to run.
type replay struct {
	shadow Shadow
	who    actor.Actor // whose tenant is read
}

// StartShadow begins to replay the decisions of the last days under the draft,
// the newest first and at most so many of them. One runs at a time: while
// another does, it is a Conflict.
func (b *Rulebook) StartShadow(ctx context.Context, days, most int) (Shadow, error) {
	if most == 0 {
		most = UsualReplay
	}
	if days < 1 || days > MaxDays || most < 1 || most > MaxReplay {
		return Shadow{}, fault.New(fault.Unprocessable, "policy.shadow_size", "A replay covers 1 to %d days and 1 to %d decisions.", MaxDays, MaxReplay)
	}
	b.bury(ctx)
	who := actor.From(ctx)
	var s Shadow
	err := db.InTx(ctx, b.Pool, func(q *db.Queries) error {
		draft, err := q.PolicyDraftLock(ctx) // also keeps two from starting at once
		if err != nil {
			return err
		}
		if c, findings := b.compile(draft.Text); c == nil {
			return refusedText(findings)
		}
		n, err := q.PolicyShadowRunning(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			return fault.New(fault.Conflict, "policy.shadow_runs", "Another replay runs; wait until it is over, or cancel it.")
		}
		if err := q.PolicyShadowTrim(ctx, keepShadows); err != nil {
			return err
		}
		row, err := q.PolicyShadowInsert(ctx, db.PolicyShadowInsertParams{
			ID: uuid.Must(uuid.NewV7()), TenantID: who.Tenant, Text: draft.Text, Version: b.force.Load().number, Days: int32(days), Most: int32(most),
			Holder: b.Replica, Seconds: shadowLease.Seconds(), StartedBy: who.ID, StartedAs: who.Name,
		})
		if err != nil {
			return err
		}
		s = shadowOf(row)
		s.Draft = true
		return audit.Append(ctx, q, audit.Entry{ // it reads the audit, and reading that is recorded
			Action: "policy.shadow", Object: "policy/shadow/" + s.ID.String(), Outcome: audit.OK, Detail: map[string]any{"days": days, "limit": most, "draft": draft.Revision},
		})
	})
	if err != nil {
		return Shadow{}, err
	}
	select {
	case b.replays <- replay{s, who}:
	default:
		// This replica still has one in hand, which was cancelled this moment.
		_, _ = db.New(b.Pool).PolicyShadowEnd(ctx, db.PolicyShadowEndParams{ID: s.ID, State: "failed", Why: "The replay before it had not ended yet."})
		return Shadow{}, fault.New(fault.Conflict, "policy.shadow_runs", "The replay before it has not ended yet; try again.")
	}
	return s, nil
}

// Shadow returns one replay, or a NotFound fault.
func (b *Rulebook) Shadow(ctx context.Context, id uuid.UUID) (Shadow, error) {
	row, err := db.New(b.Pool).PolicyShadowGet(ctx, id, actor.From(ctx).Tenant)
	if errors.Is(err, pgx.ErrNoRows) {
		return Shadow{}, fault.New(fault.NotFound, "policy.shadow_unknown", "There is no such replay; the oldest are forgotten.")
	}
	if err != nil {
		return Shadow{}, fmt.Errorf("read a replay: %w", db.Fault(err))
	}
	s := shadowOf(row)
	d, err := db.New(b.Pool).PolicyDraftGet(ctx)
	s.Draft = err == nil && d.Text == s.text
	return s, db.Fault(err)
}

// Shadows returns the latest replays, newest first.
func (b *Rulebook) Shadows(ctx context.Context) ([]Shadow, error) {
	q := db.New(b.Pool)
	rows, err := q.PolicyShadowList(ctx, actor.From(ctx).Tenant, keepShadows)
	if err != nil {
		return nil, fmt.Errorf("list replays: %w", db.Fault(err))
	}
	d, err := q.PolicyDraftGet(ctx)
	if err != nil {
		return nil, fmt.Errorf("list replays: %w", db.Fault(err))
	}
	list := []Shadow{}
	for _, row := range rows {
		s := shadowOf(row)
		s.Draft = d.Text == s.text
		list = append(list, s)
	}
	return list, nil
}

// CancelShadow ends a replay that runs; what it found so far stays.
func (b *Rulebook) CancelShadow(ctx context.Context, id uuid.UUID) error {
	s, err := b.Shadow(ctx, id)
	if err != nil {
		return err
	}
	return db.InTx(ctx, b.Pool, func(q *db.Queries) error {
		n, err := q.PolicyShadowEnd(ctx, db.PolicyShadowEndParams{ID: id, State: "cancelled"})
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "policy.shadow_over", "The replay is over already.")
		}
		return audit.Append(ctx, q, audit.Entry{
			Action: "policy.shadow_cancel", Object: "policy/shadow/" + id.String(), Outcome: audit.OK, Detail: map[string]any{"replayed": s.Replayed},
		})
	})
}

// bury fails the replays whose replica died.
func (b *Rulebook) bury(ctx context.Context) {
	n, err := db.New(b.Pool).PolicyShadowBury(ctx, "The core that ran it ended. Start it again.")
	if err != nil && ctx.Err() == nil {
		b.Log.WarnContext(ctx, "replays of a core that ended not failed yet", "error", err)
	}
	if n > 0 {
		b.Log.InfoContext(ctx, "replays of a core that ended are failed", "replays", n)
	}
}

// Against is what the outcomes of a replay are compared with.
type Against string

// The two comparisons. Flips are what the draft changes; drifts are what has
// changed already since the decisions were recorded.
const (
	Flips  Against = "published" // the draft against the version in force, on the same facts
	Drifts Against = "recorded"  // the version in force against what was recorded
)

// Flip is a decision that comes out otherwise.
type Flip struct {
	Seq      int64     `json:"seq"`
	Kind     string    `json:"kind"` // denied: was allowed; allowed: was denied; rule: another rule decides
	Was      string    `json:"was"`  // rule
	Now      string    `json:"now"`  // rule
	Action   string    `json:"action"`
	Caller   string    `json:"caller"`
	Target   string    `json:"target"`
	Object   string    `json:"object"`
	Decision uuid.UUID `json:"decision_id"`
	At       time.Time `json:"at"`
}

// FlipGroup counts the flips that are alike.
type FlipGroup struct {
	Kind     string    `json:"kind"`
	Was      string    `json:"was"`
	Now      string    `json:"now"`
	Action   string    `json:"action"`
	Caller   string    `json:"caller"`
	Target   string    `json:"target"`
	Count    int64     `json:"count"`
	LastAt   time.Time `json:"last_at"`
	Decision uuid.UUID `json:"decision_id"` // the latest one
}

// maxGroups is how many kinds of flips are told apart; what comes after them is
// counted as one kind without names.
const maxGroups = 200

// Groups sums up what the replay found, the most frequent first.
func (s Shadow) Groups(against Against) []FlipGroup {
	groups := s.groups[against]
	if groups == nil {
		groups = []FlipGroup{}
	}
	return groups
}

// ListFlips returns what a replay found one by one, the newest decision first,
// after the Seq of the last one seen.
func (b *Rulebook) ListFlips(ctx context.Context, id uuid.UUID, against Against, after int64, most int) ([]Flip, error) {
	rows, err := db.New(b.Pool).PolicyFlipList(ctx, db.PolicyFlipListParams{Shadow: id, Against: string(against), After: after, Most: int32(min(max(most, 1), 500))})
	if err != nil {
		return nil, fmt.Errorf("list what a replay found: %w", db.Fault(err))
	}
	flips := []Flip{}
	for _, r := range rows {
		flips = append(flips, Flip{
			Seq: r.Seq, Kind: r.Kind, Was: r.WasRule, Now: r.NowRule, Action: r.Action, Caller: r.Caller, Target: r.Target, Object: r.Object,
			Decision: r.Decision, At: r.At.UTC(),
		})
	}
	return flips, nil
}
