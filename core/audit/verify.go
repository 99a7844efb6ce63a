package audit

import (
	"context"
	"fmt"
	"io"
	"slices"

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
}

// progressEvery is how many records lie between two calls of Progress.
const progressEvery = 10_000

// Verify recomputes every chain in the database and compares it with the signed
// heads. A chain whose beginning was purged begins after its signed mark. It reads one
// snapshot, needs only SELECT on audit_log, audit_marks and chain_heads, and changes nothing. The report names the first bad record of each chain; an
// error means that the answer is not known.
func Verify(ctx context.Context, pool *pgxpool.Pool, c VerifyConfig) (Report, error) {
	// The heads first: every row they name is in a snapshot taken after.
	w, err := newWitness(c.Heads, c.Keys)
	if err != nil {
		return Report{}, err
	}
	var checked []*checker
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		q := db.New(tx)
		chains, err := q.AuditChains(ctx)
		if err != nil {
			return err
		}
		for chain := range w.heads {
			chains = append(chains, chain)
		}
		begins, err := marks(ctx, tx)
		if err != nil {
			return err
		}
		for chain := range begins {
			chains = append(chains, chain)
		}
		slices.Sort(chains)
		p := progress{tell: c.Progress}
		for _, chain := range slices.Compact(chains) {
			k := newChecker(chain, w.heads[chain])
			checked = append(checked, k)
			if m, ok := begins[chain]; ok && k.begin(&m, c.Keys) != nil {
				continue
			}
			if err := verifyChain(ctx, tx, k, &p); err != nil {
				return err
			}
		}
		return kept(ctx, q, checked)
	})
	if err != nil {
		return Report{}, fmt.Errorf("verify the audit: %w", err)
	}
	return report(checked, w), nil
}

// verifyChain streams a chain through its checker, up to the first bad record.
func verifyChain(ctx context.Context, tx pgx.Tx, k *checker, p *progress) error {
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM audit_log WHERE chain = $1 ORDER BY seq, at", k.Chain)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return fmt.Errorf("%s after %d: %w", k.Chain, k.Last, err)
		}
		if k.next(&r) != nil {
			return nil
		}
		p.step()
	}
	if err := rows.Err(); err != nil {
		return err
	}
	k.end()
	return nil
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
	rows int64
}

func (p *progress) step() {
	if p.rows++; p.tell != nil && p.rows%progressEvery == 0 {
		p.tell(p.rows)
	}
}
