package db

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// InTx runs fn in one transaction: committed when fn returns nil, rolled back
// when it returns an error or panics. fn's error is returned as it is, except
// that a database which does not answer becomes an Unavailable fault ([Fault]).
// When the connection breaks in the commit itself, that error leaves open
// whether the change was made.
func InTx(ctx context.Context, pool *pgxpool.Pool, fn func(q *Queries) error) error {
	return Fault(pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return fn(New(tx)) }))
}
