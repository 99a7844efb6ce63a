package main

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/handlers"
	"github.com/vivified/vivified/lanes/canonical"
)

// ready says whether everything the core needs answers.
func ready(ctx context.Context, pool *pgxpool.Pool, bus *canonical.Bus, writer *audit.Writer) []handlers.Check {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	check := func(name string, err error) handlers.Check {
		if err != nil {
			return handlers.Check{Name: name, Why: err.Error()}
		}
		return handlers.Check{Name: name, OK: true}
	}
	var recording error
	if !writer.Stats().Up {
		recording = errors.New("decisions cannot be recorded")
	}
	return []handlers.Check{check("database", pool.Ping(ctx)), check("bus", bus.Ready()), check("audit", recording)}
}

// lateSigner signs heads. What writes them starts before there are keys to sign
// with, because it has to end after everything that is recorded.
type lateSigner struct {
	ready chan struct{} // closed when sign is set
	sign  audit.Signer
}

// set is called once.
func (s *lateSigner) set(sign audit.Signer) {
	s.sign = sign
	close(s.ready)
}

// before runs what needs signatures once there are keys.
func (s *lateSigner) before(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-s.ready:
			return run(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// Sign implements audit.Signer. It is called only once ready is closed.
func (s *lateSigner) Sign(message []byte) (string, []byte, error) { return s.sign.Sign(message) }

// proof verifies the audit of this installation against its signed heads.
type proof struct {
	pool  *pgxpool.Pool
	heads string
}

// Verify implements handlers.Proof.
func (p proof) Verify(ctx context.Context) (audit.Report, error) {
	return verifyDatabase(ctx, p.pool, p.heads)
}
