package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vivified/vivified/db"
)

// keeper is what Run has in hand: the one connection that writes the chain.
// The chain's advisory lock belongs to that connection's session, so whoever
// can write holds the lock, and a dead writer's lock is free.
type keeper struct {
	w       *Writer
	conn    *pgx.Conn // nil: not connected
	pid     uint32    // of the last session that had the lock; 0: none yet
	head    head
	doubt   []*pending // a batch whose commit was not answered
	failed  bool       // the connection is good, the last commit was not
	started bool       // what an earlier run left open is being closed
	buf     []byte
	digest  digester
}

// head is the last row of a chain.
type head struct {
	chain string
	seq   int64
	at    time.Time
	hash  []byte
}

// extend makes r the row after the head, and the head.
func (h *head) extend(d *digester, r *Record, now time.Time) {
	r.seal(d, h.chain, h.seq+1, after(h.at, now), h.hash)
	h.seq, h.at, h.hash = r.Seq, r.At, r.Hash
}

var (
	errInDoubt = errors.New("the database did not say whether it committed")
	errTwo     = errors.New("another process writes this chain; give each core a replica name of its own")
)

// sessionTimeouts make the server give up before the client does, and notice
// a client whose machine is gone.
const sessionTimeouts = "SET lock_timeout = '1500ms'; SET statement_timeout = '2s'; " +
	"SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"

// ready brings the connection, the chain's lock, its head and the batch in
// doubt in order, so that the next batch may be written.
func (k *keeper) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if k.conn != nil && k.conn.IsClosed() {
		k.close()
	}
	if k.conn == nil {
		if err := k.connect(ctx); err != nil {
			k.close()
			return err
		}
	}
	if k.failed {
		if err := k.probe(ctx); err != nil {
			return err
		}
		k.failed = false
	}
	return nil
}

// connect opens the chain on a connection of its own.
func (k *keeper) connect(ctx context.Context) error {
	c, err := k.w.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	k.conn = c.Hijack()
	if _, err := k.conn.Exec(ctx, sessionTimeouts); err != nil {
		return fmt.Errorf("set time-outs: %w", err)
	}
	var locked bool
	if err := k.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", lockOf(k.w.chain)).Scan(&locked); err != nil {
		return fmt.Errorf("lock the chain: %w", err)
	}
	if !locked {
		k.dismiss(ctx)
		return errTwo
	}
	k.pid = k.conn.PgConn().PID()
	q := db.New(k.conn)
	if err := q.AuditChainOpen(ctx, k.w.chain); err != nil {
		return fmt.Errorf("open the chain: %w", err)
	}
	h, err := q.AuditHead(ctx, k.w.chain)
	if err != nil {
		return fmt.Errorf("read the head: %w", err)
	}
	k.head = head{chain: k.w.chain, seq: h.Seq, at: h.At, hash: h.Hash}
	if err := k.resolve(ctx); err != nil {
		return fmt.Errorf("settle the batch in doubt: %w", err)
	}
	return nil
}

// dismiss ends the session this writer had before, should it still hold the
// lock: the network may be gone between here and there without the server
// having noticed. Anybody else's session is left alone.
func (k *keeper) dismiss(ctx context.Context) {
	if k.pid == 0 {
		return
	}
	if _, err := k.conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_locks
		WHERE locktype = 'advisory' AND pid = $1 AND classid::bigint << 32 | objid::bigint = $2 AND granted`,
		int64(k.pid), lockOf(k.w.chain)); err != nil {
		k.w.log.Warn("audit: the session before this one cannot be ended", "error", err)
	}
}

// lockOf returns the key of a chain's advisory lock.
func lockOf(chain string) int64 {
	sum := sha256.Sum256([]byte("vivified audit chain " + chain))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// holds reports whether exactly this row is in the audit.
func (k *keeper) holds(ctx context.Context, r *Record) (bool, error) {
	hashes, err := db.New(k.conn).AuditHashes(ctx, r.Chain, r.Seq)
	if err != nil {
		return false, err
	}
	for _, h := range hashes {
		if bytes.Equal(h, r.Hash) {
			return true, nil
		}
	}
	return false, nil
}

// probe asks whether rows could be added, and waits for nobody.
func (k *keeper) probe(ctx context.Context) error {
	_, err := k.conn.Exec(ctx, "BEGIN; LOCK TABLE audit_log IN ROW EXCLUSIVE MODE NOWAIT; ROLLBACK")
	if err != nil && !k.conn.IsClosed() {
		_, _ = k.conn.Exec(ctx, "ROLLBACK")
	}
	return err
}

// copy runs the one COPY. Only an error that the server itself reported on a
// connection that still stands means that nothing was committed.
func (k *keeper) copy(ctx context.Context, rows []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	_, err := k.conn.PgConn().CopyFrom(ctx, bytes.NewReader(rows), copyStatement)
	if err == nil {
		return nil
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Severity == "ERROR" && !k.conn.IsClosed() {
		return err
	}
	k.close()
	return fmt.Errorf("%w: %w", errInDoubt, err)
}

// poisoned reports whether err is about the content of a row rather than about
// the database: data exceptions and exceeded limits (SQLSTATE classes 22, 54).
func poisoned(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && len(pg.Code) == 5 && (pg.Code[:2] == "22" || pg.Code[:2] == "54")
}

// close ends the connection, and with it the lock.
func (k *keeper) close() {
	if k.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	_ = k.conn.Close(ctx)
	k.conn = nil
}
