package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/db"
)

// VerifyConfig says what records are held against beside themselves.
type VerifyConfig struct {
	// Heads is the heads file. nil: none, and then neither a chain computed
	// anew nor missing last records are noticed.
	Heads io.Reader

	// Keys are the public keys signatures are checked with. nil: they are not.
	Keys Keys

	// Progress, if not nil, hears now and then how many records are done.
	Progress func(rows int64)

	// Workers is how many read at a time, each on a connection of its own. Default:
	// one for each processor, at most half of the connections there are.
	Workers int

	// Stretch is how many records one of them takes at a time. Default: 50,000.
	Stretch int64
}

// progressEvery is how many records lie between two calls of Progress.
const progressEvery = 10_000

// Verify recomputes every chain in the database and compares it with the signed
// heads. A chain whose beginning was purged begins after its signed mark. It reads one
// snapshot, needs only SELECT on audit_log, audit_marks and chain_heads, and changes
// nothing. The report names the first bad record of each chain; an error means that the
// answer is not known.
func Verify(ctx context.Context, pool *pgxpool.Pool, c VerifyConfig) (Report, error) {
	c.Stretch = cmp.Or(c.Stretch, 50_000)
	c.Workers = cmp.Or(c.Workers, max(1, min(runtime.GOMAXPROCS(0), int(pool.Config().MaxConns)/2)))
	// The heads first: every row they name is in a snapshot taken after.
	w, err := newWitness(c.Heads, c.Keys)
	if err != nil {
		return Report{}, err
	}
	var checked []*checker
	err = pgx.BeginTxFunc(ctx, pool, snapshotOptions, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		courses, err := chart(ctx, tx, w, c)
		if err != nil {
			return err
		}
		if err := readAll(ctx, pool, tx, courses, c); err != nil {
			return err
		}
		for _, k := range courses {
			checked = append(checked, k.checker)
			if len(k.parts) > 0 {
				k.joined()
			}
		}
		return kept(ctx, db.New(tx), checked)
	})
	if err != nil {
		return Report{}, fmt.Errorf("verify the audit: %w", err)
	}
	return report(checked, w), nil
}

// snapshotOptions are those of a transaction that reads one state of the database.
var snapshotOptions = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// chart returns every chain that is in the database or should be, cut into stretches.
// One that cannot begin has none.
func chart(ctx context.Context, tx pgx.Tx, w *witness, c VerifyConfig) ([]*course, error) {
	chains, err := db.New(tx).AuditChains(ctx)
	if err != nil {
		return nil, err
	}
	begins, err := marks(ctx, tx)
	if err != nil {
		return nil, err
	}
	chains = slices.AppendSeq(slices.AppendSeq(chains, maps.Keys(w.heads)), maps.Keys(begins))
	slices.Sort(chains)
	var courses []*course
	for _, chain := range slices.Compact(chains) {
		k := &course{checker: newChecker(chain, w.heads[chain])}
		courses = append(courses, k)
		if m, ok := begins[chain]; ok && k.begin(&m, c.Keys) != nil {
			continue
		}
		if err := k.cut(ctx, tx, c.Stretch); err != nil {
			return nil, err
		}
	}
	return courses, nil
}

// readAll reads every stretch: tx does, and helpers that see the same snapshot. There
// may be no connection for a helper; then the others do its part.
func readAll(ctx context.Context, pool *pgxpool.Pool, tx pgx.Tx, courses []*course, c VerifyConfig) error {
	var all []*stretch
	for _, k := range courses {
		all = append(all, k.parts...)
	}
	p := &progress{tell: c.Progress}
	var next atomic.Int64
	work := func(ctx context.Context, tx pgx.Tx) error {
		for {
			i := int(next.Add(1) - 1)
			if i >= len(all) {
				return nil
			}
			if err := all[i].read(ctx, tx, p); err != nil {
				return fmt.Errorf("%s after %d: %w", all[i].Chain, all[i].Last, err)
			}
		}
	}
	helpers := min(c.Workers, len(all)) - 1
	if helpers <= 0 {
		return work(ctx, tx)
	}
	var snapshot string
	if err := tx.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&snapshot); err != nil {
		return err
	}
	helping, enough := context.WithCancel(ctx)
	defer enough()
	failed := make(chan error, helpers)
	for range helpers {
		go func() {
			conn, err := pool.Acquire(helping)
			if err != nil {
				failed <- nil // it has taken no part
				return
			}
			defer conn.Release()
			failed <- pgx.BeginTxFunc(ctx, conn, snapshotOptions, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+snapshot+"'; SET LOCAL statement_timeout = 0"); err != nil {
					return err
				}
				return work(ctx, tx)
			})
		}()
	}
	err := work(ctx, tx)
	enough()
	for range helpers {
		err = errors.Join(err, <-failed)
	}
	return err
}

// kept compares the last records with the heads the database itself keeps of
// the chain of changes.
func kept(ctx context.Context, q *db.Queries, checked []*checker) error {
	heads, err := q.AuditKeptHeads(ctx)
	if err != nil {
		return err
	}
	for _, h := range heads {
		i := slices.IndexFunc(checked, func(k *checker) bool { return k.Chain == h.Chain })
		if i >= 0 && checked[i].Bad == nil && checked[i].Last < h.Seq {
			k := checked[i]
			k.bad(k.Last+1, BadMissing, "Records %d to %d of %s are missing: the database itself remembers that they were written.", k.Last+1, h.Seq, k.Chain)
		}
	}
	return nil
}

// report sums up.
func report(checked []*checker, w *witness) Report {
	r := Report{Chains: []ChainReport{}, Heads: w.report}
	for _, k := range checked {
		r.Chains = append(r.Chains, k.ChainReport)
		r.Rows += k.Rows
		r.Heads.Compared += k.found
		if r.Bad == nil {
			r.Bad = k.Bad
		}
	}
	if r.Bad == nil {
		r.Bad = w.forged
	}
	r.OK = r.Bad == nil
	return r
}

// progress counts records and tells.
type progress struct {
	tell func(int64)
	rows atomic.Int64
	mu   sync.Mutex // held while telling
}

func (p *progress) step() {
	if n := p.rows.Add(1); p.tell != nil && n%progressEvery == 0 {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.tell(n)
	}
}
