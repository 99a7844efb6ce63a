package settings_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db/dbtest"
)

func TestKeyCheck(t *testing.T) {
	d := dbtest.New(t)
	check := func(names ...string) string { return code(sealer(t, names...).KeyCheck(t.Context(), d.Pool)) }
	for _, row := range []struct {
		when string
		keys []string
		want string
	}{
		{"on the first run", []string{"a"}, ""},
		{"again", []string{"a"}, ""},
		{"under another key", []string{"b"}, "master_key.other"},
		{"with the new key behind the old", []string{"a", "b"}, ""},
		{"with the new key first", []string{"b", "a"}, ""},
	} {
		if got := check(row.keys...); got != row.want {
			t.Errorf("%s: %q; want %q", row.when, got, row.want)
		}
	}
	// Without the check value the sealed data itself still says no.
	s := attached(t, d.Pool, nil, nil)
	if err := s.Set(person(t.Context(), "p", trait.Admin), []settings.Change{to(settings.MetricsToken, `"scrape-1"`)}, ""); err != nil {
		t.Fatal(err)
	}
	exec(t, d.Pool, "DELETE FROM settings WHERE scope = 'core'")
	if got := check("b"); got != "master_key.other" {
		t.Errorf("with the check value gone another key gave %q; want master_key.other", got)
	}
	exec(t, d.Pool, "UPDATE settings SET sealed = '\\x02'")
	if got := check("a"); got != "master_key.version" {
		t.Errorf("data of a later version gave %q; want master_key.version", got)
	}
}

func TestKeyCheckDamaged(t *testing.T) {
	d := dbtest.New(t)
	s := sealer(t, "a")
	if err := s.KeyCheck(t.Context(), d.Pool); err != nil {
		t.Fatal(err)
	}
	exec(t, d.Pool, "UPDATE settings SET sealed = set_byte(sealed, 80, 255 - get_byte(sealed, 80)) WHERE scope = 'core'")
	if err := s.KeyCheck(t.Context(), d.Pool); code(err) != "master_key.damaged" {
		t.Errorf("%v; want master_key.damaged", err)
	}
}

// Replicas with different keys that start together on an empty database: one passes.
func TestKeyCheckRace(t *testing.T) {
	d := dbtest.New(t)
	names := []string{"a", "b", "c", "d", "e", "f"}
	got := make([]string, len(names))
	var wg sync.WaitGroup
	for i, n := range names {
		s := sealer(t, n)
		wg.Go(func() { got[i] = code(s.KeyCheck(context.Background(), d.Pool)) })
	}
	wg.Wait()
	slices.Sort(got)
	if got[0] != "" || got[1] != "master_key.other" || got[len(got)-1] != "master_key.other" {
		t.Errorf("six replicas with six keys: %q; want one to pass", got)
	}
}

func TestAttachRefusesAnotherKey(t *testing.T) {
	d := dbtest.New(t)
	attached(t, d.Pool, nil, nil)
	s, _ := settings.New(nil, nil)
	if err := s.Attach(t.Context(), settings.Config{Pool: d.Pool, Sealer: sealer(t, "b")}); code(err) != "master_key.other" {
		t.Errorf("%v; want master_key.other", err)
	}
}

func TestRewrapStored(t *testing.T) {
	d := dbtest.New(t)
	ctx := person(t.Context(), "p", trait.Admin)
	s := attached(t, d.Pool, nil, nil)
	if err := s.Set(ctx, []settings.Change{to(settings.MetricsToken, `"scrape-1"`)}, ""); err != nil {
		t.Fatal(err)
	}
	both, _ := settings.New(nil, nil)
	if err := both.Attach(t.Context(), settings.Config{Pool: d.Pool, Sealer: sealer(t, "b", "a")}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{2, 0} { // the token and the check value, once
		if n, err := both.Rewrap(ctx); n != want || err != nil {
			t.Errorf("Rewrap: %d, %v; want %d", n, err, want)
		}
	}
	only, _ := settings.New(nil, nil)
	if err := only.Attach(t.Context(), settings.Config{Pool: d.Pool, Sealer: sealer(t, "b")}); err != nil || only.String(settings.MetricsToken) != "scrape-1" {
		t.Errorf("the new key alone: %v, token %q", err, only.String(settings.MetricsToken))
	}
	if got := column(t, d.Pool, "SELECT object FROM audit_log WHERE action = 'settings.rewrap'"); len(got) != 1 {
		t.Errorf("audited %d times; want once", len(got))
	}
}
