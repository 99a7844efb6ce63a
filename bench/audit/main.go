// Command audit measures the audit on a record of a year, each figure beside its
// goal and, where there is one, beside the limit of this machine in the same run.
//
// It makes the record itself, in a private PostgreSQL with the settings of the
// product: five million rows over twelve months unless it is told otherwise, in
// chains that verify. That takes minutes and some 2 KB of disk for each row; a
// directory given with -dir is kept, and the next run finds its record there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

// options are how much is measured.
type options struct {
	rows   int64
	dir    string
	only   string
	each   int
	append time.Duration
	plans  bool
}

func main() {
	var o options
	flag.Int64Var(&o.rows, "rows", 5_000_000, "rows of the record, at least 10,000")
	flag.StringVar(&o.dir, "dir", "", "where the record is made and kept; default: a temporary directory, removed")
	flag.StringVar(&o.only, "only", "", "of filters, append, decide, verify, export those to measure, with commas between; empty: all")
	flag.IntVar(&o.each, "each", 200, "how often each filter is asked")
	flag.DurationVar(&o.append, "for", 5*time.Second, "how long rows are appended and decisions made")
	flag.BoolVar(&o.plans, "plans", false, "also print how the database answers each filter")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal("bench: ", err)
	}
}

// bench is what the measurements share.
type bench struct {
	options
	owner  *pgxpool.Pool
	app    *pgxpool.Pool
	store  *audit.Store
	report *report
}

// password is the app role's, in a database that nobody else reaches.
const password = "bench-bench-bench-bench"

func run(ctx context.Context, o options) (err error) {
	o.rows = max(o.rows, 10_000)
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "vivified-audit-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o755); err != nil { // the server may run as another user
			return err
		}
	}
	server := &db.Private{Dir: dir, Log: slog.New(slog.DiscardHandler)}
	if err := server.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	o.dir = dir
	b := &bench{options: o, report: newReport()}
	if b.owner, err = db.OpenConfig(ctx, db.Config{URL: server.URL(), StatementTimeout: time.Hour, IdleInTransactionTimeout: time.Hour}); err != nil {
		return err
	}
	defer b.owner.Close()
	url, err := db.Setup(ctx, server.URL(), password)
	if err != nil {
		return err
	}
	if err := fill(ctx, b.owner, o.rows); err != nil {
		return fmt.Errorf("make the record: %w", err)
	}
	if b.app, err = db.OpenConfig(ctx, db.Config{URL: url, MaxConns: 16}); err != nil {
		return err
	}
	defer b.app.Close()
	b.store = audit.NewStore(b.app)
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{"filters", b.filters}, {"verify", b.verify}, {"export", b.export}, {"append", b.appending}, {"decide", b.deciding}} {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), part.name) {
			continue
		}
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return b.report.print(ctx, b.owner)
}
