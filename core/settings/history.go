package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// maxHistory bounds one page of history.
const maxHistory = 200

// Past is one change that was made.
type Past struct {
	ID      int64           `json:"id"`     // rises with time; the cursor of the next page
	Key     string          `json:"key"`    // of a plugin: a JSON Pointer into its settings
	Before  json.RawMessage `json:"before"` // null: nothing; of a secret: {"digest"}
	After   json.RawMessage `json:"after"`
	Secret  bool            `json:"secret"`
	Version int64           `json:"version"` // that the change made
	SetBy   string          `json:"set_by"`  // id of the person
	SetAt   time.Time       `json:"set_at"`
	Reason  string          `json:"reason"`
}

// History returns the changes of settings that a person with the traits may see,
// newest first: of all keys, or only of the given ones. before is the id of the
// last change of the page before, 0 for the newest; most is at most 200.
func (s *Settings) History(ctx context.Context, who trait.Set, before int64, most int, keys ...Key) ([]Past, error) {
	if len(keys) == 0 {
		keys = Keys()
	}
	names := []string{}
	for _, k := range keys {
		if Visible(k, who) {
			names = append(names, k.String())
		}
	}
	return s.past(ctx, globalScope, names, before, most)
}

// PluginHistory returns the changes of a plugin's settings, newest first.
func (s *Settings) PluginHistory(ctx context.Context, id string, before int64, most int) ([]Past, error) {
	return s.past(ctx, scopeOf(id), nil, before, most)
}

func (s *Settings) past(ctx context.Context, scope string, keys []string, before int64, most int) ([]Past, error) {
	b, err := s.attached()
	if err != nil {
		return nil, err
	}
	if before <= 0 {
		before = math.MaxInt64
	}
	rows, err := db.New(b.Pool).SettingHistoryList(ctx, db.SettingHistoryListParams{
		Scope: scope, Keys: keys, BeforeID: before, Most: int32(min(max(most, 1), maxHistory)),
	})
	if err != nil {
		return nil, broken("read the history of settings", err)
	}
	past := make([]Past, len(rows))
	for i, r := range rows {
		past[i] = Past{ID: r.ID, Key: r.Key, Before: r.Before, After: r.After, Secret: r.Secret, Version: r.Version, SetBy: r.SetBy, SetAt: r.SetAt, Reason: r.Reason}
	}
	return past, nil
}

// Restore sets a key to what the change of that id made it, as a new change with
// its own history. A secret cannot be restored, because history does not know
// it: Unprocessable settings.secret.
func (s *Settings) Restore(ctx context.Context, id int64, reason string) error {
	b, err := s.attached()
	if err != nil {
		return err
	}
	row, err := db.New(b.Pool).SettingHistoryGet(ctx, globalScope, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.NotFound, "settings.history", "There is no change %d of a setting.", id)
	}
	if err != nil {
		return broken("read the history of settings", err)
	}
	k, err := ParseKey(row.Key)
	if err != nil {
		return err
	}
	if row.Secret && row.After != nil {
		return fault.New(fault.Unprocessable, "settings.secret", "%s is a secret, and history does not know it; enter it again.", row.Key)
	}
	if reason == "" {
		reason = fmt.Sprintf("restored from change %d", id)
	}
	return s.Set(ctx, []Change{{Key: k, Value: row.After}}, reason)
}
