package journal

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Query says which lines are wanted. What is empty asks for nothing.
type Query struct {
	Text     string    // is in the line, whatever the case of its letters
	Stream   string    // stdout or stderr
	Instance string    // that wrote it
	Since    time.Time // not older
	Until    time.Time // not newer
	Before   uint64    // of a lower number: the page before
	Limit    int       // at most so many, the newest of them; default and most MaxLines
}

// MaxLines is how many lines are read at once at most.
const MaxLines = 1000

// fits reports whether a line is wanted. The query's text is in lower case.
func (q Query) fits(l Line) bool {
	return (q.Text == "" || strings.Contains(strings.ToLower(l.Text), q.Text)) &&
		(q.Stream == "" || l.Stream == q.Stream) && (q.Instance == "" || l.Instance == q.Instance) &&
		(q.Since.IsZero() || !l.At.Before(q.Since)) && (q.Until.IsZero() || !l.At.After(q.Until)) && (q.Before == 0 || l.Seq < q.Before)
}

// Read returns the newest lines of a plugin that fit, oldest first.
func (s *Store) Read(ctx context.Context, plugin string, q Query) ([]Line, error) {
	b, err := s.book(plugin)
	if err != nil {
		return nil, err
	}
	q.Text = strings.ToLower(q.Text)
	if q.Limit <= 0 || q.Limit > MaxLines {
		q.Limit = MaxLines
	}
	files, err := b.files()
	if err != nil {
		return nil, err
	}
	var found []Line
	for _, first := range slices.Backward(files) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if q.Before > 0 && first >= q.Before {
			continue
		}
		var here []Line
		err := b.scan(first, func(l Line) bool {
			if q.fits(l) {
				here = append(here, l)
				if len(here) > 2*q.Limit { // only the newest count
					here = append(here[:0], here[len(here)-q.Limit:]...)
				}
			}
			return ctx.Err() == nil
		})
		if err != nil {
			return nil, err
		}
		found = append(here, found...)
		if len(found) >= q.Limit {
			return found[len(found)-q.Limit:], nil
		}
	}
	return found, nil
}

// Follow calls take with every line of a plugin that fits and has a higher number
// than after, as they come, until ctx ends or take fails.
func (s *Store) Follow(ctx context.Context, plugin string, q Query, after uint64, take func(Line) error) error {
	b, err := s.book(plugin)
	if err != nil {
		return err
	}
	q.Text = strings.ToLower(q.Text)
	for {
		b.mu.Lock()
		more, next := b.more, b.next
		b.mu.Unlock()
		if next > after+1 {
			if after, err = b.follow(ctx, q, after, take); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-more:
		}
	}
}

// follow passes on what is there after a number, and returns the last one seen.
func (b *book) follow(ctx context.Context, q Query, after uint64, take func(Line) error) (uint64, error) {
	files, err := b.files()
	if err != nil {
		return after, err
	}
	for i, first := range files {
		if i+1 < len(files) && files[i+1] <= after+1 {
			continue // all of it was seen
		}
		var failed error
		err := b.scan(first, func(l Line) bool {
			if l.Seq <= after {
				return true
			}
			after = l.Seq
			if q.fits(l) {
				failed = take(l)
			}
			return failed == nil && ctx.Err() == nil
		})
		if failed != nil {
			return after, failed
		}
		if err != nil {
			return after, err
		}
	}
	return after, nil
}

// Last returns the number of the newest line of a plugin; 0 when there is none.
func (s *Store) Last(plugin string) (uint64, error) {
	b, err := s.book(plugin)
	if err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next - 1, nil
}
