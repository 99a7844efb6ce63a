package audit

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
)

// ExportChain writes records first to last of a chain to w, of every tenant, as JSONL
// with a signed manifest that holds the mark before them, if there is one. It is for
// archives, not for people. What it wrote verifies only if the records do.
func (s *Store) ExportChain(ctx context.Context, chain string, first, last int64, sign Signer, w io.Writer) error {
	buf := bufio.NewWriterSize(w, 64<<10)
	out := newLines(buf)
	m := newManifest(ctx, &Filter{})
	m.Tenant, m.Filter = "", fmt.Sprintf("chain %s, records %d to %d", chain, first, last)
	err := s.snapshot(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		all, err := marks(ctx, tx)
		if err != nil {
			return err
		}
		if before, ok := all[chain]; ok {
			m.Purged = []Mark{before}
		}
		return stream(ctx, tx, out.record, "SELECT "+columns+" FROM audit_log WHERE chain = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq, at", chain, first, last)
	})
	if err == nil {
		err = out.end(m, sign)
	}
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		return fmt.Errorf("export a chain: %w", err)
	}
	return nil
}
