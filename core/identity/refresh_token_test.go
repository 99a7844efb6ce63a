package identity_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/db"
)

func TestRefresh(t *testing.T) {
	w := newPluginWorld(t)
	first := w.tokens("greeter")
	second, err := w.RefreshPlugin(w.stranger(), first.RefreshToken)
	works(t, "refresh", err)
	if second.Plugin != "greeter" || second.Token == first.Token || second.RefreshToken == first.RefreshToken {
		t.Errorf("got %+v after %+v", second, first)
	}
	for what, token := range map[string]string{"the token before": first.Token, "the token after": second.Token} {
		_, err := w.bearer(token)
		works(t, what, err)
	}
	third, err := w.RefreshPlugin(w.stranger(), second.RefreshToken)
	works(t, "refresh again", err)

	// Another registration of the same plugin is another family.
	apart := w.tokens("greeter")

	// The first one once more: two parties hold the family, so it ends.
	_, err = w.RefreshPlugin(w.stranger(), first.RefreshToken)
	is(t, "reuse", err, fault.Unauthenticated, "auth.invalid")
	_, err = w.RefreshPlugin(w.stranger(), third.RefreshToken)
	is(t, "the youngest after reuse", err, fault.Unauthenticated, "auth.invalid")
	for what, token := range map[string]string{"the first access token": first.Token, "the youngest access token": third.Token} {
		_, err := w.bearer(token)
		is(t, what+" after reuse", err, fault.Unauthenticated, "auth.invalid")
	}
	_, err = w.bearer(apart.Token)
	works(t, "an access token of another family", err)
	_, err = w.RefreshPlugin(w.stranger(), apart.RefreshToken)
	works(t, "another family", err)
	if n := w.records("plugin.token.revoke", audit.OK); n != 1 {
		t.Errorf("%d families ended in the audit, want 1", n)
	}
	if n := w.records("auth.denied", audit.Deny); n != 4 {
		t.Errorf("%d refusals in the audit, want 4", n)
	}
	if strings.Contains(w.everything(), strings.TrimPrefix(third.RefreshToken, "vvr_")) {
		t.Error("a refresh token is stored")
	}
	for _, bad := range []string{"", "x", first.Token, "vvr_", "vvr_" + strings.Repeat("A", 43), third.RefreshToken + "A", "VVR" + third.RefreshToken[3:], third.RefreshToken + "\x00"} {
		_, err := w.RefreshPlugin(w.stranger(), bad)
		is(t, "refresh by "+bad, err, fault.Unauthenticated, "auth.invalid")
	}
}

// A family that ends on one core ends on every other within a second, though
// nobody wakes it: also for work that goes on.
func TestReuseCountsOnEveryReplica(t *testing.T) {
	w := newPluginWorld(t)
	other := w.replica()
	first := w.tokens("greeter")
	second, err := w.RefreshPlugin(w.stranger(), first.RefreshToken)
	works(t, "refresh", err)
	bearer := func() (actor.Actor, error) {
		return other.Prove(w.stranger(), identity.Credentials{Authorization: []string{"Bearer " + second.Token}})
	}
	who, err := bearer()
	works(t, "the token on the other core", err)
	_, err = w.RefreshPlugin(w.stranger(), first.RefreshToken)
	is(t, "reuse", err, fault.Unauthenticated, "auth.invalid")
	w.clock.move(time.Second)
	_, err = bearer()
	is(t, "the token on the other core, a second later", err, fault.Unauthenticated, "auth.invalid")
	_, err = other.Recheck(w.stranger(), who)
	is(t, "a stream on the other core", err, fault.Unauthenticated, "auth.invalid")
}

// Looking at a refresh token spends nothing, and finds reuse all the same.
func TestCheckReturn(t *testing.T) {
	w := newPluginWorld(t)
	first := w.tokens("greeter")
	for range 2 {
		works(t, "looking", w.CheckReturn(w.stranger(), first.RefreshToken, "greeter"))
	}
	is(t, "another plugin's", w.CheckReturn(w.stranger(), first.RefreshToken, "other"), fault.Unauthenticated, "auth.invalid")
	second, err := w.ReturnPlugin(w.stranger(), first.RefreshToken, "greeter")
	works(t, "returning", err)
	is(t, "one used before", w.CheckReturn(w.stranger(), first.RefreshToken, "greeter"), fault.Unauthenticated, "auth.invalid")
	_, err = w.ReturnPlugin(w.stranger(), second.RefreshToken, "greeter")
	is(t, "the family after that", err, fault.Unauthenticated, "auth.invalid")
}

// Of several uses at the same time one succeeds, and the family ends.
func TestRefreshRace(t *testing.T) {
	w := newPluginWorld(t)
	token := w.tokens("greeter").RefreshToken
	var wg sync.WaitGroup
	var mu sync.Mutex
	var won []identity.PluginTokens
	for range 8 {
		wg.Go(func() {
			got, err := w.RefreshPlugin(w.stranger(), token)
			if err == nil {
				mu.Lock()
				won = append(won, got)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d of 8 uses succeeded", len(won))
	}
	_, err := w.RefreshPlugin(w.stranger(), won[0].RefreshToken)
	is(t, "the winner's next", err, fault.Unauthenticated, "auth.invalid")
}

func TestRefreshStanding(t *testing.T) {
	w := newPluginWorld(t)
	got := w.tokens("greeter")
	state := func(s policy.State) { w.exec("UPDATE plugins SET state = $1 WHERE id = 'greeter'", string(s)) }
	state(policy.Disabled)
	_, err := w.RefreshPlugin(w.stranger(), got.RefreshToken)
	is(t, "while disabled", err, fault.Denied, "plugin.disabled")
	state(policy.Active)
	got, err = w.RefreshPlugin(w.stranger(), got.RefreshToken)
	works(t, "the same, enabled again", err)

	// Coming back while disabled is allowed; the token works once it is enabled.
	state(policy.Disabled)
	_, err = w.ReturnPlugin(w.stranger(), got.RefreshToken, "lurker")
	is(t, "coming back as another plugin", err, fault.Unauthenticated, "auth.invalid")
	got, err = w.ReturnPlugin(w.stranger(), got.RefreshToken, "greeter")
	works(t, "coming back while disabled", err)
	_, err = w.bearer(got.Token)
	is(t, "its token", err, fault.Unauthenticated, "plugin.disabled")
	state(policy.Active)
	_, err = w.bearer(got.Token)
	works(t, "its token once enabled", err)

	state(policy.Quarantined)
	_, err = w.RefreshPlugin(w.stranger(), got.RefreshToken)
	is(t, "while quarantined", err, fault.Unauthenticated, "auth.invalid")
	_, err = w.IssuePluginTokens(w.stranger(), "greeter")
	is(t, "registering while quarantined", err, fault.Denied, "plugin.quarantined")
	state(policy.Active)
	w.exec("UPDATE plugins SET generation = generation + 1 WHERE id = 'greeter'")
	_, err = w.RefreshPlugin(w.stranger(), got.RefreshToken)
	is(t, "of an older generation", err, fault.Unauthenticated, "auth.invalid")

	got = w.tokens("greeter")
	w.clock.move(30*24*time.Hour - time.Microsecond)
	w.replica() // renews the keys, as Run would have
	w.Invalidate()
	got, err = w.RefreshPlugin(w.stranger(), got.RefreshToken)
	works(t, "just within thirty days", err)
	w.clock.move(30 * 24 * time.Hour)
	_, err = w.RefreshPlugin(w.stranger(), got.RefreshToken)
	is(t, "after thirty days", err, fault.Unauthenticated, "auth.invalid")

	got = w.tokens("greeter")
	w.exec("DELETE FROM plugins WHERE id = 'greeter'")
	w.plugin("greeter", policy.Active)
	_, err = w.RefreshPlugin(w.stranger(), got.RefreshToken)
	is(t, "of a plugin that left", err, fault.Unauthenticated, "auth.invalid")
	_, err = w.IssuePluginTokens(w.stranger(), "nobody")
	is(t, "of a plugin that never was", err, fault.NotFound, "plugin.unknown")
}

// register does what a registration does: it adds the plugin and spends the token in one transaction.
func (w *world) register(token, id string) error {
	return db.InTx(w.t.Context(), w.db.Pool, func(q *db.Queries) error {
		n, err := q.PluginInsert(w.t.Context(), db.PluginInsertParams{ID: id, TenantID: "default", Kind: "service", Name: id, Version: "1", Manifest: []byte(`{}`)})
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "plugin.duplicate", "taken")
		}
		return w.SpendRegistrationToken(w.stranger(), q, token, id)
	})
}

func TestRegistrationToken(t *testing.T) {
	w := newWorld(t)
	once, secret, err := w.CreateRegistrationToken(w.core(), "", "for whoever comes", time.Hour)
	works(t, "one-time token", err)
	bound, boundSecret, err := w.CreateRegistrationToken(w.core(), "greeter", "", 0)
	works(t, "bound token", err)
	if !bound.ExpiresAt.Equal(w.clock.now().Add(24*time.Hour)) || bound.Plugin != "greeter" || once.Plugin != "" || !strings.HasPrefix(secret, "vvp_") {
		t.Errorf("made %+v and %+v", once, bound)
	}
	if strings.Contains(w.everything(), secret) {
		t.Error("the secret is stored")
	}

	works(t, "check", w.CheckRegistrationToken(w.stranger(), secret, "first"))
	works(t, "check changes nothing", w.CheckRegistrationToken(w.stranger(), secret, "first"))
	w.plugin("taken", policy.Active)
	is(t, "an id that is taken", w.register(secret, "taken"), fault.Conflict, "plugin.duplicate")
	is(t, "which proves nothing", w.ProveReturn(w.stranger(), secret, "taken"), fault.Unauthenticated, "auth.invalid")
	works(t, "a registration that failed spent nothing", w.register(secret, "first"))
	is(t, "a second plugin", w.register(secret, "second"), fault.Unauthenticated, "auth.invalid")
	is(t, "check by a second plugin", w.CheckRegistrationToken(w.stranger(), secret, "second"), fault.Unauthenticated, "auth.invalid")
	works(t, "the first comes back", w.ProveReturn(w.stranger(), secret, "first"))
	is(t, "the second was never there", w.ProveReturn(w.stranger(), secret, "second"), fault.Unauthenticated, "auth.invalid")

	is(t, "bound to another", w.register(boundSecret, "other"), fault.Unauthenticated, "auth.invalid")
	works(t, "bound", w.register(boundSecret, "greeter"))
	works(t, "bound, coming back", w.ProveReturn(w.stranger(), boundSecret, "greeter"))
	w.exec("DELETE FROM plugins WHERE id = 'greeter'")
	works(t, "bound, registering anew", w.register(boundSecret, "greeter"))

	// Unregistering ends the one-time token: whoever has the id next is somebody else.
	w.exec("DELETE FROM plugins WHERE id = 'first'")
	w.plugin("first", policy.Active)
	is(t, "of the predecessor", w.ProveReturn(w.stranger(), secret, "first"), fault.Unauthenticated, "auth.invalid")

	works(t, "revoke", w.RevokeRegistrationToken(w.core(), bound.ID))
	is(t, "revoke again", w.RevokeRegistrationToken(w.core(), bound.ID), fault.NotFound, "registration_token.unknown")
	is(t, "revoked", w.ProveReturn(w.stranger(), boundSecret, "greeter"), fault.Unauthenticated, "auth.invalid")

	_, brief, err := w.CreateRegistrationToken(w.core(), "", "", time.Minute)
	works(t, "a brief one", err)
	w.clock.move(time.Minute)
	is(t, "expired", w.register(brief, "late"), fault.Unauthenticated, "auth.invalid")
	for _, bad := range []string{"", "x", "vvp_" + strings.Repeat("A", 43), strings.Replace(brief, "vvp_", "vvr_", 1)} {
		is(t, "register by "+bad, w.register(bad, "bad"), fault.Unauthenticated, "auth.invalid")
	}
	for _, life := range []time.Duration{-1, 367 * 24 * time.Hour} {
		_, _, err := w.CreateRegistrationToken(w.core(), "", "", life)
		is(t, life.String(), err, fault.Unprocessable, "expires.range")
	}
	_, _, err = w.CreateRegistrationToken(w.core(), "Not An Id", "", 0)
	is(t, "bound to what is no id", err, fault.Unprocessable, "registration_token.plugin")

	page, err := w.RegistrationTokens(w.core(), uuid.Nil, 1)
	if err != nil || len(page.Tokens) != 1 || page.Tokens[0].UsedBy != "" || page.Next != page.Tokens[0].ID {
		t.Errorf("listed %+v, %v", page, err)
	}
	page, err = w.RegistrationTokens(w.core(), page.Next, 1)
	if err != nil || len(page.Tokens) != 1 || page.Tokens[0].UsedAt == nil || page.Tokens[0].RevokedAt == nil || page.Next != uuid.Nil {
		t.Errorf("listed then %+v, %v", page, err)
	}
	if one, err := w.RegistrationToken(w.core(), bound.ID); err != nil || one.Plugin != "greeter" {
		t.Errorf("one of them is %+v, %v", one, err)
	}
	_, err = w.RegistrationToken(w.core(), uuid.Max)
	is(t, "none", err, fault.NotFound, "registration_token.unknown")
}

func TestRegistrationTokenRace(t *testing.T) {
	w := newWorld(t)
	_, secret, err := w.CreateRegistrationToken(w.core(), "", "", time.Hour)
	works(t, "token", err)
	var wg sync.WaitGroup
	results := make(chan error, 6)
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		wg.Go(func() { results <- w.register(secret, id) })
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		}
	}
	if n := w.number("SELECT count(*) FROM plugins"); won != 1 || n != 1 {
		t.Errorf("%d of 6 got in, %d are registered; want 1 and 1", won, n)
	}
}
