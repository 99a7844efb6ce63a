package identity_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// A flood of sign-ins is turned away before it takes the memory of the core, and
// nobody is blamed for it.
func TestLoginFlood(t *testing.T) {
	w := newWorld(t, func(c *identity.Config) {
		c.Hashing = &argon2id.Params{Memory: 32 * 1024, Iterations: 8, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	})
	ctx, stop := context.WithCancel(w.stranger())
	defer stop()
	var wg sync.WaitGroup
	var busy atomic.Int32
	for i := range 400 {
		ctx := actor.WithAddress(ctx, fmt.Sprintf("198.51.100.%d", i%200))
		wg.Go(func() {
			_, err := w.Login(ctx, signIn(fmt.Sprintf("u%d@example.com", i), "wrong password"))
			if fault.Of(err).Code == "auth.busy" {
				if f := fault.Of(err); f.Kind != fault.Unavailable || f.RetryAfter <= 0 {
					t.Errorf("turned away with %+v", f)
				}
				busy.Add(1)
				stop() // those who wait give up
			}
		})
	}
	wg.Wait()
	if busy.Load() == 0 {
		t.Error("400 sign-ins at once were all let in")
	}
	judged := w.records("auth.login", audit.Failed)
	// A caller who left in the middle of a commit may stay counted: at most one for each of 16 connections.
	if counted := w.number("SELECT coalesce(sum(failures), 0) FROM login_throttle"); counted > 2*(judged+16) {
		t.Errorf("%d attempts are counted, by account and by address, though %d were judged", counted, judged)
	}
}

func TestLoginThrottled(t *testing.T) {
	for _, account := range []string{"mara@example.com", "nobody@example.com"} {
		t.Run(account, func(t *testing.T) {
			w := newWorld(t)
			w.setUp()
			for range 5 {
				_, err := w.Login(w.stranger(), signIn(account, "wrong password"))
				is(t, "a free attempt", err, fault.Unauthenticated, "auth.login")
			}
			// Each further failure doubles the pause; within it nothing is compared.
			for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
				pause *= time.Second
				for range 3 {
					_, err := w.Login(w.stranger(), signIn(account, password))
					is(t, "within the pause", err, fault.TooMany, "auth.throttled")
					if f := fault.Of(err); f.RetryAfter != pause || f.Sentence != fmt.Sprintf("Too many attempts; try again in %d seconds.", int(pause.Seconds())) {
						t.Fatalf("the pause is %s (%s), want %s", f.RetryAfter, f.Sentence, pause)
					}
				}
				w.clock.move(pause - time.Microsecond)
				_, err := w.Login(w.stranger(), signIn(account, password))
				is(t, "just within the pause", err, fault.TooMany, "auth.throttled")
				w.clock.move(time.Microsecond)
				_, err = w.Login(w.stranger(), signIn(account, "wrong password"))
				is(t, "after the pause", err, fault.Unauthenticated, "auth.login")
			}
			// Each of the 17 counted attempts has its row, and each pause one, however often it was run into.
			if n := w.records("auth.login", audit.Failed); n != 17+12 {
				t.Errorf("%d failures are in the audit, want 29", n)
			}
			// Another account from elsewhere is not concerned.
			w.person("other@example.com", "Other")
			elsewhere := actor.WithAddress(t.Context(), "198.51.100.9")
			_, err := w.Login(elsewhere, signIn("other@example.com", password))
			works(t, "somebody else", err)
			// After an hour of silence it starts anew.
			w.clock.move(time.Hour + time.Second)
			_, err = w.Login(w.stranger(), signIn(account, "wrong password"))
			is(t, "an hour later", err, fault.Unauthenticated, "auth.login")
			_, err = w.Login(w.stranger(), signIn(account, "wrong password"))
			is(t, "an hour later, again", err, fault.Unauthenticated, "auth.login")
		})
	}
}

func TestLoginForgives(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	for range 3 {
		for range 4 {
			_, err := w.Login(w.stranger(), signIn("mara@example.com", "wrong password"))
			is(t, "a slip", err, fault.Unauthenticated, "auth.login")
		}
		w.login("mara@example.com")
	}
	// The address is not forgiven by its own success: 12 slips remain of 30.
	for i := range 17 {
		_, err := w.Login(w.stranger(), signIn(fmt.Sprintf("user%d@example.com", i), "wrong password"))
		is(t, "another account", err, fault.Unauthenticated, "auth.login")
	}
	_, err := w.Login(w.stranger(), signIn("yet@example.com", "wrong password"))
	is(t, "the 30th of an address", err, fault.Unauthenticated, "auth.login")
	_, err = w.Login(w.stranger(), signIn("mara@example.com", password))
	is(t, "the 31st of an address", err, fault.TooMany, "auth.throttled")
}

func TestLoginThrottleAddresses(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		ctx := actor.WithAddress(t.Context(), fmt.Sprintf("2001:db8:1:2::%x", i))
		_, err := w.Login(ctx, signIn(fmt.Sprintf("u%d@example.com", i), "wrong password"))
		is(t, "an address of the network", err, fault.Unauthenticated, "auth.login")
	}
	for addr, kind := range map[string]fault.Kind{
		"2001:db8:1:2:ffff::1": fault.TooMany, "2001:db8:1:3::1": fault.Unauthenticated, "::ffff:192.0.2.7": fault.Unauthenticated, "not an address": fault.Unauthenticated,
	} {
		_, err := w.Login(actor.WithAddress(t.Context(), addr), signIn("new@example.com"+addr, "wrong password"))
		is(t, addr, err, kind, "")
	}
}

// Guesses made at the same time count one by one.
func TestLoginParallelGuesses(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	var wg sync.WaitGroup
	var compared, throttled atomic.Int32
	for range 40 {
		wg.Go(func() {
			_, err := w.Login(w.stranger(), signIn("mara@example.com", "wrong password"))
			switch {
			case fault.Is(err, fault.Unauthenticated):
				compared.Add(1)
			case fault.Is(err, fault.TooMany):
				throttled.Add(1)
			default:
				t.Errorf("a guess gave %v", err)
			}
		})
	}
	wg.Wait()
	if compared.Load() != 5 || throttled.Load() != 35 {
		t.Errorf("%d of 40 guesses were compared, %d throttled; want 5 and 35", compared.Load(), throttled.Load())
	}
}
