package settings

import (
	"context"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

// Rewrap wraps every sealed setting, the key check among them, under the first
// master key, while the core runs, and returns how many it changed. After it,
// and after whoever else seals has done the same, the other keys can go.
func (s *Settings) Rewrap(ctx context.Context) (changed int, err error) {
	b, err := s.attached()
	if err != nil {
		return 0, err
	}
	err = db.InTx(ctx, b.Pool, func(q *db.Queries) error {
		rows, err := q.SettingSealed(ctx)
		if err != nil {
			return err
		}
		for _, r := range rows {
			sealed, differs, err := b.Sealer.Rewrap(r.Sealed)
			if err != nil {
				return err
			}
			if !differs {
				continue
			}
			n, err := q.SettingRewrap(ctx, db.SettingRewrapParams{Rewrapped: sealed, Scope: r.Scope, Key: r.Key, Sealed: r.Sealed})
			if err != nil {
				return err
			}
			changed += int(n)
		}
		if changed == 0 {
			return nil
		}
		return audit.Append(ctx, q, audit.Entry{Action: "settings.rewrap", Object: "settings", Outcome: audit.OK, Detail: map[string]int{"values": changed}})
	})
	if err != nil {
		return 0, broken("re-wrap secrets", err)
	}
	return changed, nil
}
