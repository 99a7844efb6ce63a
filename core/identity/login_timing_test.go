package identity_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/vivified/vivified/core/identity"
)

// Whoever guesses learns nothing from how long the answer takes: an account that
// does not exist, one with another password, a suspended one and one without a
// password take as long as each other. The kinds take turns in random order, so
// that whatever else the machine does falls on all of them alike, and what is
// compared are ranks, not times: how often an answer of one kind is later than one
// of another (Mann and Whitney). A hash that is left out would make that nearly never.
func TestLoginTakesAsLongForEverybody(t *testing.T) {
	w := newWorld(t, func(c *identity.Config) {
		c.Hashing = &argon2id.Params{Memory: 4 * 1024, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	})
	w.setUp()
	suspended := w.person("sam@example.com", "Sam")
	if _, err := w.Suspend(w.core(), suspended.ID, ""); err != nil {
		t.Fatal(err)
	}
	passwordless := w.person("olga@example.com", "Olga")
	w.exec("UPDATE users SET password_hash = '', source = 'oidc' WHERE id = $1", passwordless.ID)
	accounts := []string{"mara@example.com", "nobody@example.com", "sam@example.com", "olga@example.com"}
	took := make([][]time.Duration, len(accounts))
	const rounds = 30
	for round := range rounds {
		for _, i := range rand.Perm(len(accounts)) {
			began := time.Now()
			_, err := w.Login(w.stranger(), signIn(accounts[i], "a wrong password"))
			took[i] = append(took[i], time.Since(began))
			if codeOf(err) != "auth.login" {
				t.Fatalf("round %d, %s: %v", round, accounts[i], err)
			}
		}
		w.exec("DELETE FROM login_throttle")
	}
	for i := 1; i < len(accounts); i++ {
		if later := share(took[i], took[0]); later < 0.15 || later > 0.85 {
			t.Errorf("%s answers later than %s in %.0f %% of all pairs", accounts[i], accounts[0], 100*later)
		}
	}
}

// share returns in what share of all pairs the first is the longer.
func share(a, b []time.Duration) float64 {
	slices.Sort(b)
	n := 0
	for _, d := range a {
		at, _ := slices.BinarySearch(b, d)
		n += at
	}
	return float64(n) / float64(len(a)*len(b))
}
