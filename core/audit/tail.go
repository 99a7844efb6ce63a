package audit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vivified/vivified/core/fault"
)

// Position is how far a reader of Tail has come: opaque to the reader.
type Position string

// Covers reports whether r was committed by the time of p. No position covers nothing.
func (p Position) Covers(r *Record) bool {
	seqs, err := parsePosition(p)
	return err == nil && r.Seq <= seqs[r.Chain]
}

// maxChains bounds the chains of a Position: one per replica that ever ran.
const maxChains = 1024

// Tail returns the records that f describes and that were committed after
// from, oldest first, and the Position to go on from. Of more than f.Limit it
// returns the newest. From "" it returns none, and the Position of now.
//
// It follows every chain by its numbers, which are committed in their order,
// so that no row is missed. By time a row could be: two chains commit side by
// side, and the earlier stamp may appear later. f.Text, f.Cursor and the times
// of f are not used. Poll it, say, each second.
func (s *Store) Tail(ctx context.Context, f Filter, from Position) ([]Record, Position, error) {
	f.Text, f.Cursor, f.Since, f.Until = "", "", time.Time{}, time.Time{}
	if err := f.Check(); err != nil {
		return nil, "", err
	}
	seen, err := parsePosition(from)
	if err != nil {
		return nil, "", err
	}
	now, err := s.Heads(ctx)
	if err != nil {
		return nil, "", err
	}
	next := formatPosition(now)
	if from == "" || next == from {
		return nil, next, nil
	}
	q, err := s.query(ctx, &f)
	if err != nil {
		return nil, "", err
	}
	var grown []string
	for _, h := range now {
		if h.Seq > seen[h.Chain] {
			grown = append(grown, q.bind("(chain = ? AND seq > ? AND seq <= ?)", h.Chain, seen[h.Chain], h.Seq))
		}
	}
	if len(grown) == 0 {
		return nil, next, nil
	}
	q.and("(" + strings.Join(grown, " OR ") + ")")
	records, err := s.collect(ctx, fmt.Sprintf("SELECT %s FROM audit_log WHERE %s ORDER BY %s LIMIT %d",
		columns, q.condition(), newestFirst, f.limit()), q.args...)
	if err != nil {
		return nil, "", fmt.Errorf("follow the audit: %w", err)
	}
	slices.Reverse(records)
	return records, next, nil
}

func formatPosition(heads []Head) Position {
	seqs := make(map[string]int64, len(heads))
	for _, h := range heads {
		seqs[h.Chain] = h.Seq
	}
	raw, _ := json.Marshal(seqs) // strings and numbers always marshal; keys are sorted
	return Position(base64.RawURLEncoding.EncodeToString(raw))
}

func parsePosition(p Position) (map[string]int64, error) {
	seqs := map[string]int64{}
	if p == "" {
		return seqs, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(string(p))
	if err == nil {
		err = json.Unmarshal(raw, &seqs)
	}
	if err != nil || len(seqs) > maxChains {
		return nil, fault.New(fault.Invalid, "audit.position", "That is not a place in the audit; follow it from now.")
	}
	return seqs, nil
}
