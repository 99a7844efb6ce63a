package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
)

// verifyDatabase recomputes every chain and holds it against the signed heads,
// where the file with them is there.
func verifyDatabase(ctx context.Context, pool *pgxpool.Pool, heads string) (audit.Report, error) {
	keys, err := identity.PublicKeys(ctx, pool)
	if err != nil {
		return audit.Report{}, err
	}
	c := audit.VerifyConfig{Keys: func(kid string) (ed25519.PublicKey, bool) { k, ok := keys[kid]; return k, ok }}
	f, err := os.Open(heads)
	switch {
	case err == nil:
		defer f.Close()
		c.Heads = io.Reader(f)
	case !errors.Is(err, os.ErrNotExist):
		return audit.Report{}, err
	}
	return audit.Verify(ctx, pool, c)
}
