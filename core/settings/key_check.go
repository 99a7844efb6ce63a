package settings

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Where the check value lies. The scope is the core's own: no layer reads it.
const (
	coreScope   = "core"
	checkKey    = "master_key_check"
	checkPlain  = "vivified"
	checkReason = "proves at every start that the master key is the one that sealed the data"
)

// KeyCheck refuses to work on data that was sealed under a master key s does
// not have. On the first run it leaves a check value in the database, so that
// the answer does not depend on anything else being sealed; of replicas with
// different keys that start together, one passes.
//
// The fault is Unavailable with code master_key.other. During a rotation every
// key under which something is still sealed must be given.
func (s *Sealer) KeyCheck(ctx context.Context, pool *pgxpool.Pool) error {
	q := db.New(pool)
	headers, err := q.SettingSealedHeaders(ctx, headerSize)
	if err != nil {
		return broken("look for sealed data", err)
	}
	for _, h := range headers {
		if len(h.Header) != headerSize || h.Header[0] != sealVersion {
			return fault.New(fault.Unavailable, "master_key.version", "The database holds %d values sealed in a form this version cannot read; start the version that wrote them.", h.SealedValues)
		}
		if s.find(h.Header[1:]) == nil {
			return otherKey(h.SealedValues, h.Header[1:])
		}
	}
	sealed, err := s.Seal([]byte(checkPlain), aadOf(coreScope, checkKey))
	if err != nil {
		return err
	}
	if err := q.SettingPutNew(ctx, db.SettingPutNewParams{Scope: coreScope, Key: checkKey, Sealed: sealed, SetBy: "settings", Reason: checkReason}); err != nil {
		return broken("leave the key check", err)
	}
	row, err := q.SettingGet(ctx, coreScope, checkKey)
	if err != nil {
		return broken("read the key check", err)
	}
	plain, err := s.Open(row.Sealed, aadOf(coreScope, checkKey))
	if err != nil && fault.Of(err).Code == "seal.unknown_key" {
		return otherKey(1, row.Sealed[1:headerSize])
	}
	if err != nil || string(plain) != checkPlain {
		return fault.New(fault.Unavailable, "master_key.damaged", "The value that proves the master key was changed in the database; restore the database or remove the settings row %s/%s.", coreScope, checkKey).Because(err)
	}
	return nil
}

func otherKey(n int64, id []byte) error {
	return fault.New(fault.Unavailable, "master_key.other",
		"The database holds %d sealed values under the master key %x, which this core does not have: give it back by VIVIFIED_MASTER_KEY, VIVIFIED_MASTER_KEY_FILE or %s in the data directory.", n, id, masterKeyFile)
}

// aadOf binds a sealed setting to its place: a row copied elsewhere does not open.
func aadOf(scope, key string) []byte { return []byte("settings\x00" + scope + "\x00" + key) }
