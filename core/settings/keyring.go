package settings

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Keyring keeps the sealing keys: what everything here is sealed under, random,
// and in the database only as the master key wraps them. So a new master key
// wraps a few keys anew, in one transaction, and whatever they sealed, be it a
// column or a body inside the record nobody may change, is open throughout.
type Keyring struct {
	master *MasterKey
	sealer *Sealer

	pool  *pgxpool.Pool
	alone bool
	log   *slog.Logger

	mu   sync.Mutex // one reading or rotation at a time
	keys []sealingKey
}

// sealingKey is one key in clear, beside its row.
type sealingKey struct {
	db.SealingKey
	raw []byte
}

const (
	keyringRefresh = 5 * time.Second
	// settleIn is when a new key begins to seal: long after every replica read it.
	settleIn = time.Minute
)

// OpenKeyring opens the sealing keys of a database, or makes the first one in a
// new database. Replicas that start together take turns: call it in
// [db.SetupKeyed].
//
// The fault is Unavailable: master_key.other when the master key is not the one
// that wraps them, master_key.lost when there is sealed data and no key.
func OpenKeyring(ctx context.Context, q *db.Queries, m *MasterKey) (*Keyring, error) {
	k := &Keyring{master: m}
	rows, err := q.SealingKeyList(ctx)
	if err != nil {
		return nil, broken("read the sealing keys", err)
	}
	if len(rows) == 0 {
		if err := k.begin(ctx, q); err != nil {
			return nil, err
		}
		if rows, err = q.SealingKeyList(ctx); err != nil {
			return nil, broken("read the sealing keys", err)
		}
	}
	if k.keys, err = k.open(ctx, rows); err != nil {
		return nil, err
	}
	k.sealer = &Sealer{}
	if err := k.use(); err != nil {
		return nil, err
	}
	return k, m.settle(k.keys)
}

// begin makes the first sealing key. What an earlier version sealed under the
// master key itself stays open: then that key's bytes are the first sealing key,
// and everything new is sealed under a second one.
func (k *Keyring) begin(ctx context.Context, q *db.Queries) error {
	headers, err := q.SettingSealedHeaders(ctx, headerSize)
	if err != nil {
		return broken("look for sealed data", err)
	}
	for _, h := range headers {
		if len(h.Header) != headerSize || h.Header[0] != sealVersion {
			return fault.New(fault.Unavailable, "master_key.version", "The database holds %d values sealed in a form this version cannot read; start the version that wrote them.", h.SealedValues)
		}
		raw := k.master.sealed(h.Header[1:])
		if raw == nil {
			return fault.New(fault.Unavailable, "master_key.lost", "The database holds %d values sealed under the key %x, and that key is neither in the database nor the master key: restore the table sealing_keys.", h.SealedValues, h.Header[1:])
		}
		if err := k.add(ctx, q, raw, 0); err != nil {
			return err
		}
	}
	return k.add(ctx, q, newKey(), 0)
}

// newKey returns a random key.
func newKey() []byte {
	raw := make([]byte, KeySize)
	rand.Read(raw) // never fails: crypto/rand ends the program instead
	return raw
}

// add stores a key, to seal after wait.
func (k *Keyring) add(ctx context.Context, q *db.Queries, raw []byte, wait time.Duration) error {
	id := derive(raw, infoID, kekIDSize)
	master, wrapped, err := k.master.wrap(ctx, id, raw)
	if err != nil {
		return err
	}
	return broken("keep a sealing key", q.SealingKeyAdd(ctx, db.SealingKeyAddParams{ID: id, Master: master, Wrapped: wrapped, WaitSeconds: wait.Seconds()}))
}

// open returns rows in clear. A key that is open already is not opened again.
func (k *Keyring) open(ctx context.Context, rows []db.SealingKey) ([]sealingKey, error) {
	keys := make([]sealingKey, 0, len(rows))
	for _, row := range rows {
		if i := slices.IndexFunc(k.keys, func(have sealingKey) bool { return bytes.Equal(have.ID, row.ID) }); i >= 0 {
			keys = append(keys, sealingKey{row, k.keys[i].raw})
			continue
		}
		raw, err := k.master.unwrap(ctx, row)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(derive(raw, infoID, kekIDSize), row.ID) {
			return nil, fault.New(fault.Unavailable, "master_key.damaged", "The sealing key %x opens to another one; restore the table sealing_keys.", row.ID)
		}
		keys = append(keys, sealingKey{row, raw})
	}
	return keys, nil
}

// use has the sealer work with the keys: the newest whose time has come seals.
func (k *Keyring) use() error {
	seals, now := 0, time.Now()
	raw := make([][]byte, len(k.keys))
	for i, key := range k.keys {
		raw[i] = key.raw
		if i > 0 && !key.SealsFrom.After(now) {
			seals = i
		}
	}
	r, err := newRing(raw, seals)
	if err != nil {
		return err
	}
	k.sealer.ring.Store(r)
	return nil
}

// Sealer returns what seals under the keys, those of later rotations included.
func (k *Keyring) Sealer() *Sealer { return k.sealer }

// Attach says how the keys are reached while the core runs. alone: no other core
// can share the database, so that a master key the core made it may replace.
func (k *Keyring) Attach(pool *pgxpool.Pool, alone bool, log *slog.Logger) {
	k.pool, k.alone, k.log = pool, alone, cmp.Or(log, slog.Default())
}

// Run learns of the keys that other replicas make, until ctx ends.
func (k *Keyring) Run(ctx context.Context) error {
	tick := time.NewTicker(keyringRefresh)
	defer tick.Stop()
	for failed := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := k.Reload(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			k.log.WarnContext(ctx, "sealing keys not read; the last ones stay in use", "error", err)
		}
		failed = err != nil
	}
}

// Reload reads the keys anew.
func (k *Keyring) Reload(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reload(ctx)
}

func (k *Keyring) reload(ctx context.Context) error {
	rows, err := db.New(k.pool).SealingKeyList(ctx)
	if err != nil {
		return broken("read the sealing keys", err)
	}
	keys, err := k.open(ctx, rows)
	if err != nil {
		return err
	}
	k.keys = keys
	return k.use()
}

// Custody says what keeps the secrets.
type Custody struct {
	Source string           `json:"source"`           // where the master key comes from
	Master string           `json:"master_key"`       // id of the one that wraps; command: it never is here
	Unused bool             `json:"rotation_pending"` // a key stands before the one that wraps: rotate to use it
	Keys   []SealingKeyView `json:"sealing_keys"`     // the first one first
}

// SealingKeyView is a sealing key as people see it.
type SealingKeyView struct {
	ID        string    `json:"id"`
	Master    string    `json:"master_key"`
	MadeAt    time.Time `json:"made_at"`
	WrappedAt time.Time `json:"wrapped_at"`
	Seals     bool      `json:"seals"`
}

// Custody returns the state of the keys as this replica last read it.
func (k *Keyring) Custody(ctx context.Context) (Custody, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.reload(ctx); err != nil {
		return Custody{}, err
	}
	seals := k.sealer.ring.Load().seal.id
	c := Custody{Source: k.master.source, Master: k.keys[0].Master}
	for _, key := range k.keys {
		c.Keys = append(c.Keys, SealingKeyView{
			ID: hex.EncodeToString(key.ID), Master: key.Master, MadeAt: key.MadeAt.UTC(), WrappedAt: key.WrappedAt.UTC(), Seals: bytes.Equal(key.ID, seals[:]),
		})
	}
	c.Unused = k.master.command == nil && k.master.first() != c.Master
	return c, nil
}
