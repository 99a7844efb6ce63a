package settings

import (
	"context"
	"slices"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// ringScope is what rotations of all replicas take turns under.
const ringScope = "sealing_keys"

// Rotate puts every sealing key under another master key, makes a new sealing key
// for what is sealed from now on, and records it, in one transaction. Nothing is
// closed meanwhile, and a core that dies in the middle of it starts again with
// the keys as they were before or after; then rotate again.
//
// Which master key comes next depends on where it comes from. The file the core
// made in its data directory gets a new key, and loses the old one once that
// wraps nothing. Any other file or variable is the operator's, who puts the new
// key before the old one, everywhere; a file is read anew. A command chooses
// itself.
//
// Faults: Conflict master_key.same when the first key wraps everything already,
// master_key.shared when the core's own file may not be the only copy.
func (k *Keyring) Rotate(ctx context.Context) (Custody, error) {
	if err := k.rotate(ctx); err != nil {
		return Custody{}, err
	}
	return k.Custody(ctx)
}

func (k *Keyring) rotate(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.reload(ctx); err != nil {
		return err
	}
	if err := k.master.advance(k.keys, k.alone); err != nil {
		return err
	}
	wraps := make([]db.SealingKeyWrapParams, len(k.keys))
	for i, key := range k.keys {
		master, wrapped, err := k.master.wrap(ctx, key.ID, key.raw)
		if err != nil {
			return err
		}
		wraps[i] = db.SealingKeyWrapParams{ID: key.ID, Master: master, Wrapped: wrapped}
	}
	raw := newKey()
	id := derive(raw, infoID, kekIDSize)
	master, wrapped, err := k.master.wrap(ctx, id, raw)
	if err != nil {
		return err
	}
	err = db.InTx(ctx, k.pool, func(q *db.Queries) error {
		if err := q.SettingLock(ctx, ringScope); err != nil {
			return err
		}
		if err := k.unchanged(ctx, q); err != nil {
			return err
		}
		for _, w := range wraps {
			if n, err := q.SealingKeyWrap(ctx, w); err != nil || n != 1 {
				return err
			}
		}
		add := db.SealingKeyAddParams{ID: id, Master: master, Wrapped: wrapped, WaitSeconds: settleIn.Seconds()}
		if err := q.SealingKeyAdd(ctx, add); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{
			Action: "master_key.rotate", Object: "master_key/" + master, Outcome: audit.OK, Classes: trait.ClassesOf(trait.Confidential),
			Detail: map[string]any{"from": k.keys[0].Master, "to": master, "source": k.master.source, "sealing_keys": len(wraps)},
		})
	})
	if err != nil {
		return broken("rotate the master key", err)
	}
	if err := k.reload(ctx); err != nil {
		return err
	}
	return k.master.settle(k.keys)
}

// unchanged refuses to go on when another replica made a key meanwhile.
func (k *Keyring) unchanged(ctx context.Context, q *db.Queries) error {
	rows, err := q.SealingKeyList(ctx)
	if err != nil {
		return err
	}
	same := slices.EqualFunc(rows, k.keys, func(a db.SealingKey, b sealingKey) bool { return string(a.ID) == string(b.ID) && a.Master == b.Master })
	if !same {
		return fault.New(fault.Conflict, "master_key.meanwhile", "The keys were rotated meanwhile; look again.")
	}
	return nil
}
