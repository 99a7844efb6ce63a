package identity_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// A session ends by a pause, by its age, and by nothing in between.
func TestSessionTimes(t *testing.T) {
	const us = time.Microsecond
	for what, tc := range map[string]struct {
		roles []string
		trait string
		steps []time.Duration // pauses between uses
		last  time.Duration   // pause before the use that is judged
		good  bool
	}{
		"just within the pause":           {last: time.Hour - us, good: true},
		"at the end of the pause":         {last: time.Hour},
		"PHI, just within":                {trait: "handles_phi", last: 15*time.Minute - us, good: true},
		"PHI, at the end":                 {trait: "handles_phi", last: 15 * time.Minute},
		"kept alive":                      {steps: []time.Duration{50 * time.Minute, 50 * time.Minute}, last: 50 * time.Minute, good: true},
		"kept alive, then left":           {steps: []time.Duration{50 * time.Minute}, last: time.Hour},
		"in constant use, just within":    {steps: halfHours(23), last: 30*time.Minute - us, good: true},
		"in constant use, to the end":     {steps: halfHours(23), last: 30 * time.Minute},
		"used seconds ago counts by then": {steps: []time.Duration{59 * time.Second}, last: time.Hour - 59*time.Second - us, good: true},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.setUp()
			u := w.person("pat@example.com", "Pat", tc.roles...)
			if tc.trait != "" {
				_, err := w.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: tc.trait})
				works(t, "grant", err)
			}
			g := w.login("pat@example.com")
			for _, pause := range tc.steps {
				w.clock.move(pause)
				_, err := w.bearer(g.Secret)
				works(t, "a use in between", err)
			}
			w.clock.move(tc.last)
			_, err := w.bearer(g.Secret)
			if tc.good {
				works(t, "the last use", err)
				return
			}
			is(t, "the last use", err, fault.Unauthenticated, "auth.invalid")
		})
	}
}

func halfHours(n int) []time.Duration {
	d := make([]time.Duration, n)
	for i := range d {
		d[i] = 30 * time.Minute
	}
	return d
}

// A page that keeps itself current does not keep its session alive.
func TestSessionPassive(t *testing.T) {
	w := newWorld(t)
	g := w.setUp()
	stream := httptest.NewRequest("GET", "/console/events", nil)
	stream.Header.Set("Authorization", "Bearer "+g.Secret)
	stream.Header.Set("Accept", "text/event-stream")
	for range 5 {
		w.clock.move(10 * time.Minute)
		_, err := w.Authenticate(w.stranger(), stream)
		works(t, "the stream", err)
	}
	w.clock.move(10 * time.Minute)
	_, err := w.Authenticate(w.stranger(), stream)
	is(t, "the stream after an hour", err, fault.Unauthenticated, "auth.invalid")
}

func TestSessionSeenOnceAMinute(t *testing.T) {
	w := newWorld(t)
	g := w.setUp()
	seen := func() (at time.Time) {
		works(t, "seen", w.db.Owner.QueryRow(t.Context(), "SELECT seen_at FROM sessions").Scan(&at))
		return at
	}
	start := w.clock.now()
	for range 59 {
		w.clock.move(time.Second)
		_, err := w.bearer(g.Secret)
		works(t, "a use", err)
	}
	if got := seen(); !got.Equal(start) {
		t.Errorf("within a minute it was written down: %s after the start", got.Sub(start))
	}
	w.clock.move(time.Second)
	_, err := w.bearer(g.Secret)
	works(t, "a use", err)
	if got := seen(); !got.Equal(start.Add(time.Minute)) {
		t.Errorf("after a minute: seen %s after the start", got.Sub(start))
	}
}

// A revocation on one replica holds on another within a second, even unheard.
func TestSessionRevokedElsewhere(t *testing.T) {
	for what, revoke := range map[string]func(w *world, other *identity.Service, g identity.Grant) error{
		"log out": func(w *world, other *identity.Service, g identity.Grant) error { return other.Logout(w.as(g)) },
		"suspend": func(w *world, other *identity.Service, g identity.Grant) error {
			_, err := other.Suspend(w.core(), g.User.ID, "")
			return err
		},
		"delete": func(w *world, other *identity.Service, g identity.Grant) error {
			return other.Delete(w.core(), g.User.ID)
		},
		"new role": func(w *world, other *identity.Service, g identity.Grant) error {
			_, err := other.SetRoles(w.core(), g.User.ID, []identity.RoleGrant{{Role: "viewer"}})
			return err
		},
		"new trait": func(w *world, other *identity.Service, g identity.Grant) error {
			_, err := other.GrantTrait(w.core(), g.User.ID, identity.TraitGrant{Trait: "event_viewer"})
			return err
		},
		"new password": func(w *world, other *identity.Service, g identity.Grant) error {
			_, err := other.ChangePassword(w.as(g), password, "nine silver spoons")
			return err
		},
		"link used": func(w *world, other *identity.Service, g identity.Grant) error {
			link, err := other.NewLink(w.core(), g.User.ID)
			if err == nil {
				_, err = other.AcceptInvitation(w.stranger(), link.Secret, "", "nine silver spoons")
			}
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.setUp()
			w.person("pat@example.com", "Pat")
			g, other := w.login("pat@example.com"), w.replica()
			_, err := w.bearer(g.Secret)
			works(t, "before", err)
			works(t, what, revoke(w, other, g))
			_, err = other.Prove(w.stranger(), identity.Credentials{Authorization: []string{"Bearer " + g.Secret}})
			is(t, "at once where it was done", err, fault.Unauthenticated, "auth.invalid")
			w.clock.move(time.Second)
			_, err = w.bearer(g.Secret)
			is(t, "a second later elsewhere", err, fault.Unauthenticated, "auth.invalid")
		})
	}
}

// A replica that hears of it does not even wait for the second.
func TestSessionInvalidate(t *testing.T) {
	w := newWorld(t)
	g, other := w.setUp(), w.replica()
	_, err := w.bearer(g.Secret)
	works(t, "before", err)
	works(t, "log out elsewhere", other.Logout(w.as(g)))
	w.Invalidate()
	_, err = w.bearer(g.Secret)
	is(t, "once woken", err, fault.Unauthenticated, "auth.invalid")
}

func TestCookie(t *testing.T) {
	for _, plain := range []bool{false, true} {
		w := newWorld(t, func(c *identity.Config) { c.Plain = plain })
		g, store := w.setUp(), w.CookieStore()
		rec := httptest.NewRecorder()
		works(t, "start", store.Start(httptest.NewRequest("POST", "/auth/login", nil), rec, g))
		want := "__Host-vv_session=" + g.Secret + "; Path=/; HttpOnly; Secure; SameSite=Lax"
		if plain {
			want = "vv_session=" + g.Secret + "; Path=/; HttpOnly; SameSite=Lax"
		}
		if diff := cmp.Diff([]string{want}, rec.Header().Values("Set-Cookie")); diff != "" {
			t.Errorf("cookie (-want +got):\n%s", diff)
		}
		r := request(rec)
		who, err := w.Authenticate(w.stranger(), r)
		if err != nil || who.ID != g.User.ID.String() {
			t.Errorf("the cookie proves %+v, %v", who, err)
		}
	}
}

// request returns a request of the browser that got an answer's cookies.
func request(rec *httptest.ResponseRecorder) *http.Request {
	r := httptest.NewRequest("GET", "/console", nil)
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge >= 0 {
			r.AddCookie(c)
		}
	}
	return r
}

func TestCookieStore(t *testing.T) {
	w := newWorld(t)
	g, store := w.setUp(), w.CookieStore()
	rec := httptest.NewRecorder()
	works(t, "start", store.Start(httptest.NewRequest("POST", "/auth/login", nil), rec, g))

	// A flash survives one request, and reaches every replica.
	r := request(rec)
	session, err := store.Get(r, w.CookieName())
	if err != nil || session.IsNew || session.ID != g.Secret {
		t.Fatalf("session %+v, %v", session, err)
	}
	session.AddFlash("Saved.")
	session.Values["theme"] = "dark"
	works(t, "save", session.Save(r, httptest.NewRecorder()))
	elsewhere := w.replica().CookieStore()
	r = request(rec)
	if session, err = elsewhere.Get(r, w.CookieName()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"Saved."}, session.Flashes()); diff != "" || session.Values["theme"] != "dark" {
		t.Errorf("flashes (-want +got):\n%s\nvalues %v", diff, session.Values)
	}
	works(t, "save", session.Save(r, httptest.NewRecorder()))
	if session, err = store.Get(request(rec), w.CookieName()); err != nil || len(session.Flashes()) != 0 || session.Values["theme"] != "dark" {
		t.Errorf("the flash is shown twice, or the theme forgotten: %v, %v", session.Values, err)
	}

	// What cannot be kept is refused.
	session.Values["big"] = strings.Repeat("x", 5000)
	if err := session.Save(r, httptest.NewRecorder()); err == nil {
		t.Error("5 kB were kept")
	}
	delete(session.Values, "big")
	session.Values[7] = "seven"
	if err := session.Save(r, httptest.NewRecorder()); err == nil {
		t.Error("a value named by a number was kept")
	}

	// Signing in again takes nothing along.
	again := w.login("mara@example.com")
	rec = httptest.NewRecorder()
	works(t, "start again", store.Start(r, rec, again))
	if session, err = store.Get(request(rec), w.CookieName()); err != nil || session.ID != again.Secret || len(session.Values) != 0 {
		t.Errorf("the new session has %v of the old one, %v", session.Values, err)
	}

	// A negative age ends session and cookie.
	session.Options.MaxAge = -1
	r, rec = request(rec), httptest.NewRecorder()
	works(t, "end", session.Save(r, rec))
	if c := rec.Result().Cookies(); len(c) != 1 || c[0].Value != "" || c[0].MaxAge >= 0 || !c[0].Secure {
		t.Errorf("cookie after the end: %+v", c)
	}
	_, err = w.bearer(again.Secret)
	is(t, "after the end", err, fault.Unauthenticated, "auth.invalid")
}

// A cookie nobody was given starts nothing and is never adopted.
func TestCookieStoreStranger(t *testing.T) {
	w := newWorld(t)
	g, store := w.setUp(), w.CookieStore()
	works(t, "log out", w.Logout(w.as(g)))
	for what, values := range map[string][]string{
		"none": nil, "planted": {"vvs_" + strings.Repeat("A", 43)}, "ended": {g.Secret}, "two": {g.Secret, "x"}, "empty": {""}, "key": {"vv_" + strings.Repeat("A", 43)},
	} {
		r := httptest.NewRequest("GET", "/sign-in", nil)
		for _, v := range values {
			r.AddCookie(&http.Cookie{Name: w.CookieName(), Value: v})
		}
		session, err := store.Get(r, w.CookieName())
		if err != nil || !session.IsNew || session.ID != "" {
			t.Errorf("%s: session %+v, %v", what, session, err)
			continue
		}
		rec := httptest.NewRecorder()
		if err := session.Save(r, rec); err == nil || len(rec.Result().Cookies()) != 0 {
			t.Errorf("%s: a session without a sign-in was saved", what)
		}
	}
}
