package settings_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db/dbtest"
)

// bus is a Waker within one process.
type bus struct {
	mu   sync.Mutex
	hear map[string][]func()
	woke []string
	down bool
}

func (b *bus) Wake(topic string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return errors.New("the bus is down")
	}
	b.woke = append(b.woke, topic)
	for _, f := range b.hear[topic] {
		f()
	}
	return nil
}

func (b *bus) OnWake(_ context.Context, topic string, f func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hear == nil {
		b.hear = map[string][]func(){}
	}
	b.hear[topic] = append(b.hear[topic], f)
	return nil
}

// attached returns settings over the database.
func attached(t testing.TB, pool *pgxpool.Pool, env map[string]string, w settings.Waker) *settings.Settings {
	t.Helper()
	s, err := settings.New(env, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Attach(t.Context(), settings.Config{Pool: pool, Sealer: sealer(t, "a"), Waker: w}); err != nil {
		t.Fatal(err)
	}
	return s
}

// person returns a context in which a person with the traits acts.
func person(ctx context.Context, id string, ids ...trait.ID) context.Context {
	return actor.With(ctx, actor.Actor{Kind: actor.User, ID: id, Name: strings.ToUpper(id), Tenant: actor.DefaultTenant,
		Traits: trait.Builtin().Effective(trait.SetOf(ids...))})
}

// to returns a change; value is JSON.
func to(k settings.Key, value string) settings.Change {
	return settings.Change{Key: k, Value: json.RawMessage(value)}
}

// value returns what an administrator is shown of k.
func value(t testing.TB, s *settings.Settings, k settings.Key) settings.Value {
	t.Helper()
	for _, v := range s.List(everyTrait()) {
		if v.Key == k {
			return v
		}
	}
	t.Fatalf("%s is not listed", k)
	return settings.Value{}
}

// column returns one text column of a query, row by row.
func column(t testing.TB, pool *pgxpool.Pool, query string, args ...any) []string {
	t.Helper()
	rows, err := pool.Query(context.Background(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	list := []string{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return list
}

func exec(t testing.TB, pool *pgxpool.Pool, query string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(context.Background(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func TestSetAndUnset(t *testing.T) {
	d := dbtest.New(t)
	s := attached(t, d.Pool, map[string]string{"VIVIFIED_LOG_LEVEL": "warn"}, nil)
	var heard [][]settings.Key
	s.OnChange(func(changed []settings.Key) { heard = append(heard, changed) })
	ctx := person(t.Context(), "priya", trait.Admin)

	if err := s.Set(ctx, []settings.Change{to(settings.LogLevel, `"debug"`), to(settings.HealthThreshold, `5`)}, "look closer"); err != nil {
		t.Fatal(err)
	}
	v := value(t, s, settings.LogLevel)
	if s.String(settings.LogLevel) != "debug" || v.Origin.Layer != settings.Database || v.Origin.SetBy != "priya" || v.Origin.Reason != "look closer" || time.Since(v.Origin.SetAt) > time.Minute {
		t.Errorf("log_level is %q by %+v; want debug, by priya, just now, with the reason", s.String(settings.LogLevel), v.Origin)
	}
	if v.Version != 1 || len(v.Layers) != 3 || v.Layers[1].SetBy != "VIVIFIED_LOG_LEVEL" || v.Pending || !v.Editable {
		t.Errorf("log_level is shown as %+v", v)
	}
	if v := value(t, s, settings.HealthThreshold); !v.Pending {
		t.Error("health_threshold is in force after a restart only, and that is not shown")
	}
	if err := s.Set(ctx, []settings.Change{to(settings.LogLevel, `null`)}, ""); err != nil {
		t.Fatal(err)
	}
	if s.String(settings.LogLevel) != "warn" || s.Origin(settings.LogLevel).Layer != settings.Environment {
		t.Errorf("unset, log_level is %q by %s; want warn by the environment", s.String(settings.LogLevel), s.Origin(settings.LogLevel).Layer)
	}
	want := [][]settings.Key{{settings.LogLevel, settings.HealthThreshold}, {settings.LogLevel}}
	if d := cmp.Diff(want, heard); d != "" {
		t.Errorf("heard (-want +got):\n%s", d)
	}
	got := column(t, d.Pool, "SELECT action || ' ' || object || ' ' || actor_id || ' ' || coalesce(before::text, '-') || ' ' || coalesce(after::text, '-') FROM audit_log WHERE chain = 'change' ORDER BY seq")
	wantRows := []string{`config.write settings/log_level priya - "debug"`, `config.write settings/health_threshold priya - 5`, `config.write settings/log_level priya "debug" -`}
	if d := cmp.Diff(wantRows, got); d != "" {
		t.Errorf("audit (-want +got):\n%s", d)
	}
}

func TestSetSameChangesNothing(t *testing.T) {
	d := dbtest.New(t)
	s := attached(t, d.Pool, nil, nil)
	ctx := person(t.Context(), "priya", trait.Admin)
	for range 2 {
		err := s.Set(ctx, []settings.Change{to(settings.Organisation, `"Northgate <&>"`), to(settings.MetricsToken, `"scrape-1"`), to(settings.PluginAddresses, `{"b":"http://b:1","a":"http://a:1"}`)}, "")
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := column(t, d.Pool, "SELECT key || ' ' || version FROM settings_history ORDER BY id"); !slices.Equal(got, []string{"organisation 1", "metrics_token 1", "plugin_addresses 1"}) {
		t.Errorf("history has %v; want each change once", got)
	}
}

func TestSetRefuses(t *testing.T) {
	d := dbtest.New(t)
	s := attached(t, d.Pool, nil, nil)
	admin := person(t.Context(), "priya", trait.Admin)
	one := []settings.Change{to(settings.LogLevel, `"debug"`)}
	for _, row := range []struct {
		name    string
		ctx     context.Context
		changes []settings.Change
		reason  string
		code    string
		rules   []string
	}{
		{"nobody", t.Context(), one, "", "settings.edit", nil},
		{"a viewer", person(t.Context(), "v", trait.Viewer), one, "", "settings.edit", nil},
		{"a configuration manager, for what administrators decide", person(t.Context(), "c", trait.ConfigManager), []settings.Change{to(settings.Registration, `"open"`)}, "", "settings.edit", nil},
		{"a plugin with the trait", actor.With(t.Context(), actor.Actor{Kind: actor.Plugin, ID: "p", Traits: everyTrait()}), one, "", "settings.edit", nil},
		{"nothing to change", admin, nil, "", "settings.invalid", []string{"settings.count"}},
		{"a key twice", admin, append(one[:1:1], one...), "", "settings.invalid", []string{"settings.twice"}},
		{"a reason of two lines", admin, one, "a\nb", "settings.invalid", []string{"settings.reason"}},
		{"what is needed before the database", admin, []settings.Change{to(settings.Listen, `":1"`)}, "", "settings.invalid", []string{"settings.reach"}},
		{"what only the operator decides", admin, []settings.Change{to(settings.EgressAutoApprove, `true`)}, "", "settings.invalid", []string{"settings.reach"}},
		{"a wrong value beside a good one", admin, []settings.Change{one[0], to(settings.HealthThreshold, `0`), to(settings.AutoEnable, `3`)}, "", "settings.invalid", []string{"settings.value", "settings.value"}},
		{"an empty secret", admin, []settings.Change{to(settings.MetricsToken, `""`)}, "", "settings.invalid", []string{"settings.value"}},
		{"what pages show of a secret", admin, []settings.Change{to(settings.MetricsToken, `"set"`)}, "", "settings.invalid", []string{"settings.value"}},
		{"a contradiction", admin, []settings.Change{to(settings.SessionAbsolute, `"30m"`)}, "", "settings.invalid", []string{"settings.contradiction"}},
		{"half a value", admin, []settings.Change{to(settings.HealthThreshold, `{`)}, "", "settings.invalid", []string{"settings.value"}},
	} {
		err := s.Set(row.ctx, row.changes, row.reason)
		if code(err) != row.code || !slices.Equal(rules(err), row.rules) {
			t.Errorf("%s: %v %v; want %s %v", row.name, err, rules(err), row.code, row.rules)
		}
	}
	if n := column(t, d.Pool, "SELECT key FROM settings WHERE scope = 'global' UNION ALL SELECT key FROM settings_history UNION ALL SELECT action FROM audit_log"); len(n) > 0 {
		t.Errorf("refused changes left %v", n)
	}
}

// Two values that contradict what was there pass when they come together.
func TestSetJudgesTheResult(t *testing.T) {
	s := attached(t, dbtest.New(t).Pool, nil, nil)
	ctx := person(t.Context(), "priya", trait.Admin)
	changes := []settings.Change{to(settings.SessionAbsolute, `"30m"`), to(settings.SessionIdle, `"20m"`)}
	if err := s.Set(ctx, changes, ""); err != nil {
		t.Error(err)
	}
	if err := s.Set(ctx, []settings.Change{to(settings.SessionAbsolute, `null`), to(settings.SessionIdle, `"8h"`)}, ""); err != nil {
		t.Error(err)
	}
}

func TestCompareAndSet(t *testing.T) {
	s := attached(t, dbtest.New(t).Pool, nil, nil)
	ctx := person(t.Context(), "priya", trait.Admin)
	set := func(value string, version int64) error {
		c := to(settings.Organisation, value)
		c.Version = &version
		return s.Set(ctx, []settings.Change{to(settings.LogLevel, `"debug"`), c}, "")
	}
	for _, row := range []struct {
		value string
		saw   int64
		want  string
		after int64
	}{
		{`"A"`, 1, "settings.version", 0},
		{`"A"`, 0, "", 1},
		{`"B"`, 0, "settings.version", 1},
		{`"B"`, 1, "", 2},
		{`null`, 2, "", 0},
		{`"C"`, 2, "settings.version", 0},
		{`"C"`, 0, "", 4}, // versions never come back
	} {
		if err := set(row.value, row.saw); code(err) != row.want {
			t.Errorf("setting %s having seen %d: %v; want %q", row.value, row.saw, err, row.want)
		}
		if v := value(t, s, settings.Organisation); v.Version != row.after {
			t.Errorf("after setting %s having seen %d the version is %d; want %d", row.value, row.saw, v.Version, row.after)
		}
	}
}

// Of writers who all saw the same version exactly one wins.
func TestCompareAndSetRace(t *testing.T) {
	d := dbtest.New(t)
	ctx := person(t.Context(), "priya", trait.Admin)
	const n = 8
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		s := attached(t, d.Pool, nil, nil) // a replica each
		wg.Go(func() {
			none := int64(0)
			errs[i] = s.Set(ctx, []settings.Change{{Key: settings.Organisation, Value: json.RawMessage(`"` + string(rune('A'+i)) + `"`), Version: &none}}, "")
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if code(err) != "settings.version" {
			t.Errorf("a loser got %v; want settings.version", err)
		}
	}
	if won != 1 {
		t.Errorf("%d writers won; want one", won)
	}
	if got := column(t, d.Pool, "SELECT key FROM settings_history"); len(got) != 1 {
		t.Errorf("history has %d rows; want one", len(got))
	}
}

// When the audit cannot record a change, it is not made.
func TestSetFailsClosed(t *testing.T) {
	d := dbtest.New(t)
	s := attached(t, d.Pool, nil, nil)
	exec(t, d.Owner, "REVOKE INSERT ON audit_log FROM vivified_app")
	err := s.Set(person(t.Context(), "priya", trait.Admin), []settings.Change{to(settings.LogLevel, `"debug"`)}, "")
	if err == nil || s.String(settings.LogLevel) != "info" {
		t.Errorf("without audit: %v, log_level %s; want a refusal", err, s.String(settings.LogLevel))
	}
	if got := column(t, d.Pool, "SELECT key FROM settings WHERE scope = 'global' UNION ALL SELECT key FROM settings_history"); len(got) > 0 {
		t.Errorf("the refused change left %v", got)
	}
}

func TestReplicasFollow(t *testing.T) {
	d, b := dbtest.New(t), &bus{}
	one, two := attached(t, d.Pool, nil, b), attached(t, d.Pool, nil, b)
	heard := make(chan []settings.Key, 1)
	two.OnChange(func(changed []settings.Key) { heard <- changed })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- two.Run(ctx) }()
	if err := one.Set(person(t.Context(), "priya", trait.Admin), []settings.Change{to(settings.LogLevel, `"debug"`)}, ""); err != nil {
		t.Fatal(err)
	}
	select {
	case changed := <-heard:
		if !slices.Equal(changed, []settings.Key{settings.LogLevel}) || two.String(settings.LogLevel) != "debug" {
			t.Errorf("the other replica heard of %v and has %q", changed, two.String(settings.LogLevel))
		}
	case <-time.After(15 * time.Second): // woken at once, or by its own look 5 s later
		t.Error("the other replica never heard of the change")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

// A bus that is down delays what other replicas hear and fails nothing.
func TestSetWithoutBus(t *testing.T) {
	s := attached(t, dbtest.New(t).Pool, nil, &bus{down: true})
	if err := s.Set(person(t.Context(), "priya", trait.Admin), []settings.Change{to(settings.LogLevel, `"debug"`)}, ""); err != nil || s.String(settings.LogLevel) != "debug" {
		t.Errorf("%v, log_level %s", err, s.String(settings.LogLevel))
	}
}

func TestReloadKeepsTheLast(t *testing.T) {
	d := dbtest.New(t)
	s := attached(t, d.Pool, nil, nil)
	if err := s.Set(person(t.Context(), "priya", trait.Admin), []settings.Change{to(settings.LogLevel, `"debug"`)}, ""); err != nil {
		t.Fatal(err)
	}
	d.Pool.Close()
	if err := s.Reload(t.Context()); code(err) != "settings.unavailable" {
		t.Errorf("without a database Reload gave %v; want settings.unavailable", err)
	}
	if s.String(settings.LogLevel) != "debug" {
		t.Error("an error threw the last settings away")
	}
}

// Rows that cannot count are shown and do no harm.
func TestRowsThatDoNotCount(t *testing.T) {
	d := dbtest.New(t)
	s := attached(t, d.Pool, nil, nil)
	exec(t, d.Pool, `INSERT INTO settings (scope, key, value, set_by) VALUES
		('global', 'log_level', '"loud"', 'x'), ('global', 'listen', '"0.0.0.0:1"', 'x'), ('global', 'of_a_later_version', '1', 'x')`)
	exec(t, d.Pool, `INSERT INTO settings (scope, key, sealed, set_by) VALUES ('global', 'metrics_token', '\x01', 'x')`)
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, k := range []settings.Key{settings.LogLevel, settings.Listen, settings.MetricsToken} {
		if v := value(t, s, k); v.Ignored == "" || v.Origin.Layer != settings.Default {
			t.Errorf("%s: in force by %s, noted %q; want the default and a note", k, v.Origin.Layer, v.Ignored)
		}
	}
	// And they can be put right.
	err := s.Set(person(t.Context(), "priya", trait.Admin), []settings.Change{to(settings.LogLevel, `"warn"`), to(settings.MetricsToken, `"scrape-1"`)}, "")
	if err != nil || s.String(settings.MetricsToken) != "scrape-1" || value(t, s, settings.LogLevel).Ignored != "" {
		t.Errorf("put right: %v, token %q", err, s.String(settings.MetricsToken))
	}
}

func TestHistoryAndRestore(t *testing.T) {
	s := attached(t, dbtest.New(t).Pool, nil, nil)
	ctx := person(t.Context(), "priya", trait.Admin)
	for _, c := range []settings.Change{to(settings.Organisation, `"A"`), to(settings.LogLevel, `"debug"`), to(settings.Organisation, `"B"`), to(settings.MetricsToken, `"scrape-1"`), to(settings.Organisation, `null`)} {
		if err := s.Set(ctx, []settings.Change{c}, "because"); err != nil {
			t.Fatal(err)
		}
	}
	page := func(who trait.Set, before int64, most int, keys ...settings.Key) []settings.Past {
		t.Helper()
		past, err := s.History(t.Context(), who, before, most, keys...)
		if err != nil {
			t.Fatal(err)
		}
		return past
	}
	show := func(past []settings.Past) (list []string) {
		for _, p := range past {
			list = append(list, p.Key+" "+string(p.Before)+" → "+string(p.After))
		}
		return list
	}
	all := page(everyTrait(), 0, 100, settings.Organisation)
	if d := cmp.Diff([]string{`organisation "B" → `, `organisation "A" → "B"`, `organisation  → "A"`}, show(all)); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	if p := all[0]; p.SetBy != "priya" || p.Reason != "because" || p.Version != 3 {
		t.Errorf("the newest change is %+v", p)
	}
	if got := page(everyTrait(), all[0].ID, 1); len(got) != 1 || got[0].Key != "metrics_token" || !got[0].Secret || strings.Contains(string(got[0].After), "scrape") {
		t.Errorf("the page behind the newest change is %+v", got)
	}
	if got := show(page(trait.SetOf(trait.Viewer), 0, 100)); len(got) != 3 {
		t.Errorf("a viewer sees %v; want the three of organisation", got)
	}
	if got := page(trait.Set{}, 0, 100); len(got) != 0 {
		t.Errorf("nobody sees %v", show(got))
	}
	secret := page(everyTrait(), 0, 1, settings.MetricsToken)[0]
	if err := s.Restore(ctx, secret.ID, ""); code(err) != "settings.secret" {
		t.Errorf("restoring a secret: %v; want settings.secret", err)
	}
	if err := s.Restore(ctx, 1<<40, ""); code(err) != "settings.history" {
		t.Errorf("restoring what never was: %v; want settings.history", err)
	}
	if err := s.Restore(person(t.Context(), "v", trait.Viewer), all[1].ID, ""); code(err) != "settings.edit" {
		t.Errorf("a viewer restores: %v; want settings.edit", err)
	}
	if err := s.Restore(ctx, all[1].ID, ""); err != nil || s.String(settings.Organisation) != "B" {
		t.Errorf("restoring B: %v, now %q", err, s.String(settings.Organisation))
	}
	if err := s.Restore(ctx, all[0].ID, "oops"); err != nil || s.Origin(settings.Organisation).Layer != settings.Default {
		t.Errorf("restoring nothing: %v, now by %s", err, s.Origin(settings.Organisation).Layer)
	}
}

func TestBeforeAttach(t *testing.T) {
	s, _ := settings.New(nil, nil)
	ctx := person(t.Context(), "priya", trait.Admin)
	if err := s.Set(ctx, []settings.Change{to(settings.LogLevel, `"debug"`)}, ""); code(err) != "settings.starting" {
		t.Errorf("Set: %v; want settings.starting", err)
	}
	if value(t, s, settings.LogLevel).Editable {
		t.Error("a setting is shown as editable before there is a database")
	}
}
