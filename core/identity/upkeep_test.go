package identity_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/db/dbtest"
)

// hub wakes every service that listens, as the bus would.
type hub struct {
	mu        sync.Mutex
	listeners []func()
	listening chan struct{}
	broken    error
}

func (h *hub) OnWake(_ context.Context, topic string, f func()) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners = append(h.listeners, f)
	h.listening <- struct{}{}
	return nil
}

func (h *hub) Wake(topic string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.listeners {
		f()
	}
	return h.broken
}

// Replicas that hear of each other revoke at once; one that is not heard still revokes.
func TestWake(t *testing.T) {
	h := &hub{listening: make(chan struct{}, 1)}
	w := newWorld(t, func(c *identity.Config) { c.Waker = h })
	other := w.replica()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	<-h.listening

	g := w.setUp()
	_, err := w.bearer(g.Secret)
	works(t, "before", err)
	works(t, "log out elsewhere", other.Logout(w.as(g)))
	_, err = w.bearer(g.Secret)
	is(t, "at once", err, fault.Unauthenticated, "auth.invalid")

	h.broken = errors.New("no bus")
	g = w.login("mara@example.com")
	works(t, "log out while the bus is away", other.Logout(w.as(g)))
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

// What ended long ago is forgotten; what is in use stays.
func TestTrim(t *testing.T) {
	w := newPluginWorld(t)
	w.setUp()
	w.person("pat@example.com", "Pat")
	w.tokens("greeter")
	_, err := w.Login(w.stranger(), signIn("nobody@example.com", "wrong password"))
	is(t, "a slip", err, fault.Unauthenticated, "auth.login")
	counts := func() (n [4]int) {
		for i, table := range []string{"sessions", "invitations", "plugin_refresh_tokens", "login_throttle"} {
			n[i] = w.number("SELECT count(*) FROM " + table)
		}
		return n
	}
	before := counts()
	works(t, "trim", w.Trim(t.Context()))
	if counts() != before || before[0] == 0 || before[1] == 0 || before[2] == 0 || before[3] == 0 {
		t.Errorf("trimmed too early: %v, then %v", before, counts())
	}
	w.clock.move(60 * 24 * time.Hour)
	works(t, "trim", w.Trim(t.Context()))
	if got := counts(); got != [4]int{} {
		t.Errorf("two months later %v are left", got)
	}
	if n := w.number("SELECT count(*) FROM users"); n != 2 {
		t.Errorf("%d people are left of 2", n)
	}
}

func TestOpenRefuses(t *testing.T) {
	d := dbtest.New(t)
	good := identity.Config{Pool: d.Pool, Plugins: standings{d}, Sealer: newSealer(), Record: nil, Issuer: issuer}
	if _, err := identity.Open(t.Context(), good); err == nil {
		t.Error("opened without a recorder")
	}
}
