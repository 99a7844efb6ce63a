package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// stillInUse is what a new server says while sessions of a killed one are
// still ending (lc_messages is C).
const stillInUse = "pre-existing shared memory block"

// serve starts the server and returns it once it answers and the core's
// database exists.
func (c *cluster) serve(ctx context.Context, log *slog.Logger, socket string) (*process, error) {
	patience := time.Now().Add(5 * time.Second)
	for {
		server, err := c.launch(log, socket)
		if err != nil {
			return nil, err
		}
		err = awaitAnswer(ctx, server, socket)
		if err == nil {
			return server, nil
		}
		if stop := server.stop(ctx, 3*time.Second); stop != nil {
			err = errors.Join(err, stop)
		}
		if !strings.Contains(err.Error(), stillInUse) || time.Now().After(patience) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// launch starts the server process.
func (c *cluster) launch(log *slog.Logger, socket string) (*process, error) {
	if socket == c.path {
		socket = "." // whatever its path, the server can reach its own directory
	}
	var args []string
	for _, s := range append(fixed[:], "unix_socket_directories="+socket) {
		args = append(args, "-c", s)
	}
	return startProcess(c.command(context.Background(), "postgres", args...), log)
}

// awaitAnswer returns when the core's database answers, which it makes when it
// is missing.
func awaitAnswer(ctx context.Context, server *process, socket string) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := ask(ctx, ownerURL(socket, privateDatabase), "SELECT 1")
		if err == nil {
			return nil
		}
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == invalidCatalogName {
			// initdb made the database postgres for whoever wants one; taking
			// it is instant where making another copies hundreds of files.
			if err := ask(ctx, ownerURL(socket, "template1"), "ALTER DATABASE postgres RENAME TO "+privateDatabase); err != nil {
				return fmt.Errorf("make the database: %w", err)
			}
			continue
		} else if ok && strings.HasPrefix(pg.Code, classAuthorization) { // asking again will not help
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the server: %w", context.Cause(ctx))
		case <-server.done:
			return server.failure()
		case <-again.C:
		}
	}
}

// ask runs one statement on a connection of its own.
func ask(ctx context.Context, url, statement string) error {
	cc, err := pgx.ParseConfig(url)
	if err != nil {
		return err
	}
	applyParams(cc, Config{Name: "vivified-start"})
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	_, err = conn.Exec(ctx, statement)
	return err
}
