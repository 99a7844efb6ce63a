package db

import (
	"cmp"
	"context"
	"runtime"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config says how to open a pool. Only URL has no default.
type Config struct {
	// URL is a PostgreSQL connection string, postgres://… or key=value. What it
	// sets by itself (statement_timeout, application_name, …) wins over the
	// defaults below, not over a field that is set.
	URL string

	// Name shows in pg_stat_activity. Default: vivified.
	Name string

	// MaxConns bounds the connections of this pool. Default: four for each
	// processor, at least 8 and at most 32.
	MaxConns int32

	// StatementTimeout ends any single statement. Default: 30 s.
	StatementTimeout time.Duration

	// LockTimeout ends a wait for any lock. Default: 5 s.
	LockTimeout time.Duration

	// IdleInTransactionTimeout ends a transaction whose client went silent,
	// which would otherwise hold its locks. Default: 30 s.
	IdleInTransactionTimeout time.Duration

	// ConnectTimeout bounds one attempt to connect. Default: 5 s.
	ConnectTimeout time.Duration
}

// Open opens a pool on url with every default of [Config]. See [OpenConfig].
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	return OpenConfig(ctx, Config{URL: url})
}

// OpenConfig opens a pool and proves it with one connection, or returns an
// Invalid fault for a connection string that cannot be read and an Unavailable
// fault for a server that does not answer. The caller closes the pool.
//
// Every connection resolves names in the schema public only and returns times
// in UTC. The time-outs travel as start-up parameters, so a transaction-mode
// pooler between core and database is not supported.
func OpenConfig(ctx context.Context, c Config) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, badURL(err)
	}
	applyParams(pc.ConnConfig, c)
	pc.MaxConns = cmp.Or(c.MaxConns, int32(min(max(8, 4*runtime.GOMAXPROCS(0)), 32)))
	pc.MaxConnLifetime = time.Hour
	pc.MaxConnLifetimeJitter = 10 * time.Minute
	pc.MaxConnIdleTime = 10 * time.Minute
	pc.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		utcTimes(conn)
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, badURL(err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unreachable(err)
	}
	return pool, nil
}

// applyParams writes c's time-outs and name into the start-up parameters.
func applyParams(cc *pgx.ConnConfig, c Config) {
	ms := func(d, byDefault time.Duration) string {
		return strconv.FormatInt(cmp.Or(d, byDefault).Milliseconds(), 10)
	}
	for _, p := range []struct {
		name, value string
		set         bool // the caller chose it: wins over the URL
	}{
		{"application_name", cmp.Or(c.Name, "vivified"), c.Name != ""},
		{"search_path", "public", true},
		{"statement_timeout", ms(c.StatementTimeout, 30*time.Second), c.StatementTimeout > 0},
		{"lock_timeout", ms(c.LockTimeout, 5*time.Second), c.LockTimeout > 0},
		{"idle_in_transaction_session_timeout", ms(c.IdleInTransactionTimeout, 30*time.Second), c.IdleInTransactionTimeout > 0},
	} {
		if _, inURL := cc.RuntimeParams[p.name]; p.set || !inURL {
			cc.RuntimeParams[p.name] = p.value
		}
	}
	if c.ConnectTimeout > 0 || cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = cmp.Or(c.ConnectTimeout, 5*time.Second)
	}
}

// utcTimes makes conn scan timestamptz as UTC: by default pgx answers in the
// machine's zone, and a record must read the same on every replica.
func utcTimes(conn *pgx.Conn) {
	m := conn.TypeMap()
	t := &pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}}
	m.RegisterType(t)
	m.RegisterType(&pgtype.Type{Name: "_timestamptz", OID: pgtype.TimestamptzArrayOID, Codec: &pgtype.ArrayCodec{ElementType: t}})
}
