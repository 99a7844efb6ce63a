package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
)

// The goals of reading everything.
const (
	verifyGoal = 1_000_000
	exportGoal = 100_000
)

// verify recomputes every chain, beside what the processor needs for SHA-256 of
// as many bytes, and what the database needs to hand them out.
func (b *bench) verify(ctx context.Context) error {
	watch := b.watch()
	r, err := audit.Verify(ctx, b.app, audit.VerifyConfig{})
	took := watch.stop()
	if err != nil {
		return err
	}
	if !r.OK {
		return fmt.Errorf("the record does not verify: %s", r.Bad.Sentence)
	}
	var bytes int64
	if err := b.owner.QueryRow(ctx, "SELECT avg(length(row_to_json(a)::text))::bigint FROM (SELECT * FROM audit_log LIMIT 20000) a").Scan(&bytes); err != nil {
		return err
	}
	b.report.rate("verify", took.each(r.Rows), verifyGoal, fmt.Sprintf("SHA-256 of %d B", bytes), hashing(int(bytes)))
	watch = b.watch()
	rows, err := b.reading(ctx)
	if err != nil {
		return err
	}
	b.report.rate("  COPY of the rows, binary, unchecked", watch.stop().each(rows), 0, "", 0)
	return nil
}

// hashing returns how many texts of a size all processors hash in a second.
func hashing(size int) float64 {
	const each = 200_000
	began := time.Now()
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			text := make([]byte, size)
			for i := range each {
				text[0] = byte(i)
				sum := sha256.Sum256(text)
				copy(text[1:], sum[:])
			}
		})
	}
	wg.Wait()
	return float64(each*runtime.GOMAXPROCS(0)) / time.Since(began).Seconds()
}

// reading copies all rows out, by as many as there are processors, for nobody to look
// at, and returns how many they are.
func (b *bench) reading(ctx context.Context) (int64, error) {
	var tables []string
	rows, err := b.owner.Query(ctx, "SELECT relid::regclass::text FROM pg_partition_tree('audit_log') WHERE isleaf")
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return 0, err
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	next := make(chan string, len(tables))
	for _, t := range tables {
		next <- t
	}
	close(next)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total int64
		bad   error
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for table := range next {
				n, err := b.copyOut(ctx, table)
				mu.Lock()
				total += n
				if err != nil {
					bad = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return total, bad
}

func (b *bench) copyOut(ctx context.Context, table string) (int64, error) {
	conn, err := b.owner.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	tag, err := conn.Conn().PgConn().CopyTo(ctx, io.Discard, "COPY "+table+" TO STDOUT (FORMAT binary)")
	return tag.RowsAffected(), err
}

// export writes the year's record, and the peak of the memory it takes.
func (b *bench) export(ctx context.Context) error {
	ctx = actor.With(ctx, actor.Actor{Kind: actor.User, ID: person(0), Tenant: actor.DefaultTenant})
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(20 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
	}()
	for _, format := range []audit.Format{audit.JSONL, audit.CSV} {
		f := audit.Filter{Since: time.Now().UTC().AddDate(0, -3, 0)}
		out := &counter{}
		watch := b.watch()
		if err := b.store.Export(ctx, f, format, signer(private), out); err != nil {
			return err
		}
		b.report.rate("export, "+string(format), watch.stop().each(out.lines), exportGoal, "", 0)
	}
	close(stop)
	most := <-peak
	b.report.note("memory of an export", fmt.Sprintf("%.1f MB above %.1f MB", (float64(most)-float64(before.HeapInuse))/(1<<20), float64(before.HeapInuse)/(1<<20)))
	return nil
}

// counter counts lines and keeps nothing.
type counter struct{ lines int64 }

func (c *counter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' {
			c.lines++
		}
	}
	return len(p), nil
}

// signer signs the manifest of an export.
type signer ed25519.PrivateKey

func (s signer) Sign(message []byte) (string, []byte, error) {
	return "bench", ed25519.Sign(ed25519.PrivateKey(s), message), nil
}
