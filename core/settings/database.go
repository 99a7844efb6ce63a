package settings

import (
	"cmp"
	"context"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Waker tells all replicas that something changed, and hears of it.
type Waker interface {
	Wake(topic string) error
	OnWake(ctx context.Context, topic string, f func()) error
}

// What replicas wake each other by. TopicPlugins wakes whoever carries a
// plugin's settings to it; its version is in the registry.
const (
	topic        = "settings"
	TopicPlugins = "settings.plugins"
)

// globalScope holds the settings of the core; those of a plugin lie in scopeOf it.
const globalScope = "global"

// Config is what the database layer needs.
type Config struct {
	Pool    *pgxpool.Pool
	Sealer  *Sealer
	Waker   Waker         // nil: no other replica
	Refresh time.Duration // how often to read anew even if nobody woke us; default 5 s
	Log     *slog.Logger  // default slog.Default
}

// Attach adds the database layer and the settings of plugins. Call it once.
func (s *Settings) Attach(ctx context.Context, c Config) error {
	c.Refresh, c.Log = cmp.Or(c.Refresh, 5*time.Second), cmp.Or(c.Log, slog.Default())
	b := &backing{Config: c}
	if err := s.reload(ctx, b); err != nil {
		return err
	}
	b.start = s.current.Load()
	s.backing.Store(b)
	return nil
}

// attached returns the database layer, or an Unavailable fault before Attach.
func (s *Settings) attached() (*backing, error) {
	if b := s.backing.Load(); b != nil {
		return b, nil
	}
	return nil, fault.New(fault.Unavailable, "settings.starting", "The core is starting; its settings cannot be changed yet.")
}

// Run keeps the settings in step with what other replicas change until ctx
// ends. While the database is away the last ones stay in force.
func (s *Settings) Run(ctx context.Context) error {
	b, err := s.attached()
	if err != nil {
		return err
	}
	woken := make(chan struct{}, 1)
	if b.Waker != nil {
		wake := func() {
			select {
			case woken <- struct{}{}:
			default: // a reading is due anyway
			}
		}
		if err := b.Waker.OnWake(ctx, topic, wake); err != nil {
			return err
		}
		if err := b.Waker.OnWake(ctx, TopicPlugins, s.tellCarriers); err != nil {
			return err
		}
	}
	tick := time.NewTicker(b.Refresh)
	defer tick.Stop()
	for failed := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-woken:
		case <-tick.C:
		}
		err := s.reload(ctx, b)
		if err != nil && !failed && ctx.Err() == nil {
			b.Log.WarnContext(ctx, "settings not read; the last ones stay in force", "error", err)
		}
		failed = err != nil
	}
}

// OnChange has f called after the value of keys changed, whoever changed them.
// Calls do not overlap; f may read settings, and must neither change nor reload
// them. Register before Run.
func (s *Settings) OnChange(f func(changed []Key)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hear = append(s.hear, f)
}

// Reload reads the database layer anew. On an error the settings stay as they were.
func (s *Settings) Reload(ctx context.Context) error {
	b, err := s.attached()
	if err != nil {
		return err
	}
	return s.reload(ctx, b)
}

func (s *Settings) reload(ctx context.Context, b *backing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, err := db.New(b.Pool).SettingList(ctx, globalScope)
	if err != nil {
		return broken("read settings", err)
	}
	before, now := s.current.Load(), overlay(s.fixed, rows, b.Sealer)
	s.current.Store(now)
	var changed []Key
	for _, k := range Keys() {
		if !same(before.effective(k).value, now.effective(k).value) {
			changed = append(changed, k)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	for _, f := range s.hear {
		f(slices.Clone(changed))
	}
	return nil
}

// same reports whether two values of one key are equal.
func same(a, b any) bool { return reflect.DeepEqual(a, b) }

// overlay puts rows of the database above the fixed layers. A row whose key
// this version does not know is another version's, and kept; a row that cannot
// count is noted, and the layers below it do.
func overlay(fixed layers, rows []db.Setting, sealer *Sealer) *snapshot {
	now := &snapshot{layers: fixed, ignored: map[Key]string{}}
	for _, r := range rows {
		k, ok := keyByName(r.Key)
		if !ok {
			continue
		}
		set, why := fromRow(k, r, sealer)
		if why != "" {
			now.ignored[k] = why
			continue
		}
		now.layers[k][Database] = set
	}
	return now
}

// fromRow reads one row of the database, or says why it cannot count.
func fromRow(k Key, r db.Setting, sealer *Sealer) (*setting, string) {
	d := definitions[k]
	if !d.Reach.Allows(Database) {
		return nil, "The database holds a value that does not count: " + d.DatabaseRefusal()
	}
	raw := []byte(r.Value)
	if r.Sealed != nil {
		var err error
		if raw, err = sealer.Open(r.Sealed, aadOf(r.Scope, r.Key)); err != nil {
			return nil, "The value in the database does not count: " + fault.Of(err).Sentence
		}
	}
	v, must := d.parseJSON(raw)
	if must != "" {
		return nil, "The value in the database does not count: " + d.Name + " " + must + "."
	}
	origin := Origin{Layer: Database, SetBy: r.SetBy, SetAt: r.SetAt, Reason: r.Reason}
	return &setting{value: v, origin: origin, version: r.Version}, ""
}
