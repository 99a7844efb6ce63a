package audit

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// maxOrphans bounds what one start closes.
const maxOrphans = 100_000

// closeOrphans queues the outcome "unknown" for every allowed action of an
// earlier run, up to the row at head, that has none. It goes on trying until it
// is done or ctx ends; nothing waits for it, as nobody else can close them.
func (w *Writer) closeOrphans(ctx context.Context, head int64) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		orphans, err := w.orphans(ctx, head)
		if err == nil {
			closing := make([]*pending, 0, len(orphans))
			for i := range orphans {
				closing = append(closing, closingOf(&orphans[i], Unknown, "core.restart",
					"The core stopped before the outcome of this action was recorded."))
			}
			if len(closing) > 0 {
				w.log.Warn("audit: closing actions that an earlier run left open", "records", len(closing))
			}
			w.giveBack(closing)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// orphans returns the allowed actions without outcome among the chain's last
// rows up to head, without what they say of themselves in JSON.
func (w *Writer) orphans(ctx context.Context, head int64) (orphans []Record, err error) {
	err = pgx.BeginTxFunc(ctx, w.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = '30s'"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT "+strings.Replace(columns, "detail, before, after", "'{}'::jsonb, NULL::jsonb, NULL::jsonb", 1)+` FROM audit_log d
			WHERE chain = $1 AND seq > $2 AND seq <= $3 AND outcome = 'allow' AND call IS NOT NULL AND NOT EXISTS (
				SELECT FROM audit_log o
				WHERE o.chain = $1 AND o.seq > $2 AND o.call = d.call AND o.outcome IN ('ok', 'failed', 'unknown'))
			ORDER BY seq LIMIT $4`, w.chain, head-w.cfg.LookBack, head, maxOrphans)
		if err != nil {
			return err
		}
		orphans, err = pgx.CollectRows(rows, scan)
		return err
	})
	return orphans, err
}

// closingOf returns the outcome of a decision that nobody else will record.
func closingOf(decision *Record, outcome Outcome, rule, why string) *pending {
	r := *decision
	r.ID = uuid.Must(uuid.NewV7())
	r.Outcome, r.Rule = outcome, rule
	r.Before, r.After = nil, nil
	r.Detail = detail(map[string]string{"decision": decision.ID.String(), "reason": why})
	return newPending(r)
}
