package retention

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

const (
	maxStretch = 250_000          // records of an archive, and of one transaction
	leaseTime  = 30 * time.Minute // longer than one stretch takes
	lease      = "audit/purge"
)

// stretch is what goes at a time: records of one chain, of one month.
type stretch struct {
	chain        string
	first, last  int64
	begins, ends time.Time
}

func (s stretch) records() int64 { return s.last - s.first + 1 }

// Purged is what a purge did.
type Purged struct {
	Began    time.Time
	Ended    time.Time
	By       string // who asked for it; "": its time had come
	Records  int64
	Archives int64
	Error    string // why it did not come to its end
}

// Last returns the last purge; nil: there was none.
func (s *Service) Last(ctx context.Context) (*Purged, error) {
	row, err := db.New(s.Pool).PurgeLast(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, db.Fault(err)
	}
	p := Purged{Began: row.Began, Ended: row.Ended, Records: row.Records, Archives: row.Archives, Error: row.Error}
	if row.ByKind != string(actor.System) {
		p.By = row.ByName
	}
	return &p, nil
}

// Purge archives and deletes what is kept no longer, chain by chain and month by month.
// What fails in one chain keeps nothing in the others. It returns a Conflict fault when
// a purge is under way, and otherwise the first failure beside what was done.
func (s *Service) Purge(ctx context.Context) (Purged, error) {
	if !s.busy.TryLock() {
		return Purged{}, underWay()
	}
	defer s.busy.Unlock()
	q, who := db.New(s.Pool), actor.From(ctx)
	if err := s.hold(ctx, q); err != nil {
		return Purged{}, err
	}
	defer func() {
		left, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = q.LeaseDrop(left, lease, s.Replica) // it lapses by itself
	}()
	done := Purged{Began: s.Now()}
	if who.Kind != actor.System {
		done.By = cmp.Or(who.Name, who.ID)
	}
	err := s.purge(ctx, &done)
	done.Ended = s.Now()
	if err != nil {
		done.Error = fault.Of(err).Sentence
	}
	left, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	kept := db.Fault(q.PurgeInsert(left, db.PurgeInsertParams{
		ID: uuid.Must(uuid.NewV7()), Began: done.Began, Ended: done.Ended, ByKind: string(who.Kind), ByName: cmp.Or(who.Name, who.ID), Records: done.Records, Archives: done.Archives, Error: done.Error,
	}))
	return done, cmp.Or(err, kept)
}

func underWay() error {
	return fault.New(fault.Conflict, "retention.running", "A purge is under way; wait until it has ended.")
}

// hold takes the lease, or renews it.
func (s *Service) hold(ctx context.Context, q *db.Queries) error {
	n, err := q.LeaseTake(ctx, db.LeaseTakeParams{Name: lease, Holder: s.Replica, Seconds: leaseTime.Seconds()})
	if err == nil && n == 0 {
		return underWay()
	}
	return db.Fault(err)
}

func (s *Service) purge(ctx context.Context, done *Purged) error {
	all, err := s.Preview(ctx, done.Began)
	if err != nil {
		return err
	}
	s.sweep()
	owner, err := db.OpenConfig(ctx, db.Config{URL: s.Owner, Name: s.Replica, MaxConns: 1})
	if err != nil {
		return err
	}
	defer owner.Close()
	var first error
	for _, d := range all {
		if err := s.chain(ctx, owner, d, done); err != nil {
			s.Log.ErrorContext(ctx, "records of the audit are not purged", "chain", d.Chain, "error", err)
			s.failed(ctx, d, err)
			first = cmp.Or(first, err)
		}
	}
	return first
}

// chain takes the beginning of one chain away.
func (s *Service) chain(ctx context.Context, owner *pgxpool.Pool, d Due, done *Purged) error {
	q := db.New(s.Pool)
	for first := d.First; first <= d.Last; {
		if err := s.hold(ctx, q); err != nil {
			return err
		}
		st, err := next(ctx, q, d.Chain, first, min(d.Last, first+maxStretch-1))
		if err != nil {
			return err
		}
		kept, err := s.write(ctx, st)
		if err != nil {
			return err
		}
		if err := s.take(ctx, owner, st, kept, done.Began); err != nil {
			return err
		}
		done.Records += st.records()
		done.Archives++
		first = st.last + 1
	}
	return nil
}

// next returns the stretch that begins with a record and does not go beyond its month.
func next(ctx context.Context, q *db.Queries, chain string, first, last int64) (stretch, error) {
	begins, err := q.RetentionPlace(ctx, chain, first)
	if err == nil {
		var end db.RetentionMonthEndRow
		end, err = q.RetentionMonthEnd(ctx, db.RetentionMonthEndParams{Chain: chain, First: first, Last: last, Before: nextMonth(begins.At)})
		if err == nil {
			return stretch{chain: chain, first: first, last: end.Seq, begins: begins.At.UTC(), ends: end.At.UTC()}, nil
		}
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return stretch{}, fault.New(fault.Conflict, "retention.broken", "Record %d of %s is missing, so nothing after it was purged; run vivified audit verify.", first, chain)
	}
	return stretch{}, db.Fault(err)
}

// take deletes what is in an archive, and signs where the chain begins from then on.
func (s *Service) take(ctx context.Context, owner *pgxpool.Pool, st stretch, kept db.AuditArchive, now time.Time) error {
	return db.Fault(pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
		q := db.New(tx)
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		if err := q.RetentionLock(ctx); err != nil {
			return err
		}
		if err := s.still(ctx, q, st, kept, now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SET LOCAL ROLE "+db.PurgeRole); err != nil {
			return err
		}
		n, err := q.RetentionDelete(ctx, db.RetentionDeleteParams{Chain: st.chain, First: st.first, Last: st.last, Begins: st.begins, Ends: st.ends})
		if err != nil {
			return err
		}
		if n != st.records() {
			return meanwhile(st)
		}
		if _, err := tx.Exec(ctx, "SET LOCAL ROLE NONE"); err != nil {
			return err
		}
		m := audit.Mark{Archive: kept.Name, At: now, Chain: st.chain, Count: n, Hash: kept.Hash, Last: st.last, SHA256: kept.Sha256}
		if err := m.Sign(s.Sign); err != nil {
			return err
		}
		if err := q.MarkInsert(ctx, db.MarkInsertParams{Chain: m.Chain, Last: m.Last, Hash: m.Hash, Count: m.Count, Archive: m.Archive, Sha256: m.SHA256, At: m.At, Kid: m.Key, Sig: m.Sig}); err != nil {
			return err
		}
		if n, err := q.ArchivePurged(ctx, now, kept.ID); err != nil || n != 1 {
			return cmp.Or(err, meanwhile(st))
		}
		return audit.Append(ctx, q, audit.Entry{Action: "audit.purge", Object: st.chain, Outcome: audit.OK, Detail: map[string]any{
			"first": st.first, "mark": m, "begins": st.begins, "ends": st.ends,
		}})
	}))
}

// still proves, with holds kept from changing, that the stretch is the chain's
// beginning, that all of it may go, and that its last record is the archived one.
func (s *Service) still(ctx context.Context, q *db.Queries, st stretch, kept db.AuditArchive, now time.Time) error {
	marks, err := q.MarkList(ctx)
	if err != nil {
		return err
	}
	purged := int64(0)
	for _, m := range marks {
		if m.Chain == st.chain {
			purged = m.Last
		}
	}
	if purged+1 != st.first {
		return meanwhile(st)
	}
	row, err := stay(ctx, q, st.chain, purged, st.last, s.Kept(), now)
	if err == nil {
		if row.Hold != "" {
			return fault.New(fault.Conflict, "retention.held", "Record %d of %s is under the hold %s since this purge began; the next one goes up to it.", row.Seq, st.chain, row.Hold)
		}
		return meanwhile(st)
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	last, err := q.RetentionPlace(ctx, st.chain, st.last)
	if err != nil || !bytes.Equal(last.Hash, kept.Hash) {
		return cmp.Or(err, meanwhile(st))
	}
	return nil
}

func meanwhile(st stretch) error {
	return fault.New(fault.Conflict, "retention.changed", "Records %d to %d of %s changed while they were archived, so they were not purged.", st.first, st.last, st.chain)
}

// failed records that a chain was not purged, and why.
func (s *Service) failed(ctx context.Context, d Due, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	f := fault.Of(why)
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		return audit.Append(ctx, q, audit.Entry{Action: "audit.purge", Object: d.Chain, Outcome: audit.Failed, Rule: f.Code, Detail: map[string]any{"reason": f.Sentence, "first": d.First, "last": d.Last}})
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "a purge that failed is not recorded", "error", fmt.Errorf("%s: %w", d.Chain, err))
	}
}
