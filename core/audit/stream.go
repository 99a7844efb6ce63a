package audit

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// fetchRows is how many rows are asked for at a time. As many again are on their way
// while they are handed over.
const fetchRows = 500

// stream hands over the rows of a SELECT of columns, in constant memory: the record is
// gone when each returns. Nobody else uses tx meanwhile.
func stream(ctx context.Context, tx pgx.Tx, each func(*Record) error, sql string, args ...any) error {
	if _, err := tx.Exec(ctx, "DECLARE export NO SCROLL CURSOR FOR "+sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...); err != nil {
		return err
	}
	full, empty := make(chan *batch, 1), make(chan *batch, 2)
	empty <- &batch{}
	empty <- &batch{}
	done := make(chan error, 1)
	go func() {
		defer close(full)
		for b := range empty {
			if err := b.fetch(ctx, tx); err != nil || b.rows() == 0 {
				done <- err
				return
			}
			full <- b
		}
		done <- nil
	}()
	var d decoder
	var err error
	for b := range full {
		for i := 0; i < b.rows() && err == nil; i++ {
			var r *Record
			if r, err = d.read(b.row(i)); err == nil {
				err = each(r)
			}
		}
		if err != nil {
			break
		}
		empty <- b
	}
	close(empty)
	for range full { // let it end
	}
	if fetched := <-done; err == nil {
		err = fetched
	}
	return err
}

// batch is a number of rows as the database sent them, one column after the other.
type batch struct {
	data   []byte
	ends   []int // in data, of each column; -1: NULL
	values [][]byte
}

// fetch fills b with the next rows of the cursor.
func (b *batch) fetch(ctx context.Context, tx pgx.Tx) error {
	b.data, b.ends = b.data[:0], b.ends[:0]
	rows, err := tx.Query(ctx, fmt.Sprintf("FETCH %d FROM export", fetchRows), pgx.QueryExecModeCacheDescribe, wire)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		for _, v := range rows.RawValues() {
			if v == nil {
				b.ends = append(b.ends, -1)
				continue
			}
			b.data = append(b.data, v...)
			b.ends = append(b.ends, len(b.data))
		}
	}
	return rows.Err()
}

func (b *batch) rows() int { return len(b.ends) / numColumns }

// row returns the columns of row i.
func (b *batch) row(i int) [][]byte {
	from := 0
	if i > 0 {
		for j := i*numColumns - 1; j >= 0; j-- {
			if b.ends[j] >= 0 {
				from = b.ends[j]
				break
			}
		}
	}
	b.values = b.values[:0]
	for _, end := range b.ends[i*numColumns : (i+1)*numColumns] {
		if end < 0 {
			b.values = append(b.values, nil)
			continue
		}
		b.values = append(b.values, b.data[from:end:end])
		from = end
	}
	return b.values
}
