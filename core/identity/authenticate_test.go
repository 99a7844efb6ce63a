package identity_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

// J62: every credential presented must be good, and all of one party.
func TestAuthenticateCombinations(t *testing.T) {
	w := newPluginWorld(t)
	w.setUp()
	w.person("pat@example.com", "Pat", "operator")
	w.person("quinn@example.com", "Quinn", "viewer")
	pat, quinn := w.login("pat@example.com"), w.login("quinn@example.com")
	_, key, err := w.CreateAPIKey(w.as(pat), "k", []string{"viewer"}, *w.in(time.Hour))
	works(t, "key", err)
	_, wide, err := w.CreateAPIKey(w.as(pat), "k", []string{"event_viewer", "viewer"}, *w.in(time.Hour))
	works(t, "key", err)
	plugin := w.tokens("greeter").Token
	ended := w.login("pat@example.com")
	works(t, "log out", w.Logout(w.as(ended)))
	unknown := "vvs_" + strings.Repeat("A", 43)

	cookie := func(vs ...string) identity.Credentials { return identity.Credentials{Cookies: vs} }
	bearer := func(ts ...string) identity.Credentials {
		var c identity.Credentials
		for _, t := range ts {
			c.Authorization = append(c.Authorization, "Bearer "+t)
		}
		return c
	}
	all := func(cs ...identity.Credentials) (sum identity.Credentials) {
		for _, c := range cs {
			sum.Cookies, sum.Authorization, sum.APIKey = append(sum.Cookies, c.Cookies...), append(sum.Authorization, c.Authorization...), append(sum.APIKey, c.APIKey...)
		}
		return sum
	}
	header := func(k string) identity.Credentials { return identity.Credentials{APIKey: []string{k}} }

	for what, tc := range map[string]struct {
		c    identity.Credentials
		who  string // name of the actor; "" when refused
		has  []trait.ID
		not  []trait.ID
		kind string
	}{
		"nothing":                                        {c: identity.Credentials{}, who: "nobody"},
		"cookie":                                         {c: cookie(pat.Secret), who: "Pat", kind: "session", has: []trait.ID{trait.Operator}},
		"bearer session":                                 {c: bearer(pat.Secret), who: "Pat", kind: "session"},
		"the same session twice":                         {c: all(cookie(pat.Secret), bearer(pat.Secret)), who: "Pat", kind: "session", has: []trait.ID{trait.Operator}},
		"bearer key":                                     {c: bearer(key), who: "Pat", kind: "api_key", not: []trait.ID{trait.Operator}},
		"X-API-Key":                                      {c: header(key), who: "Pat", kind: "api_key"},
		"plugin":                                         {c: bearer(plugin), who: "greeter", kind: "plugin_token"},
		"cookie and key of one person":                   {c: all(cookie(pat.Secret), header(key)), who: "Pat", kind: "api_key", has: []trait.ID{trait.Viewer}, not: []trait.ID{trait.Operator, trait.EventViewer}},
		"two keys of one person":                         {c: all(bearer(wide), header(key)), who: "Pat", kind: "api_key", has: []trait.ID{trait.Viewer}, not: []trait.ID{trait.EventViewer}},
		"good cookie, bad bearer":                        {c: all(cookie(pat.Secret), bearer("x.y.z"))},
		"good cookie, unknown session":                   {c: all(cookie(pat.Secret), bearer(unknown))},
		"good cookie, bad key":                           {c: all(cookie(pat.Secret), header("vv_x"))},
		"bad cookie, good bearer":                        {c: all(cookie(unknown), bearer(pat.Secret))},
		"ended cookie, good bearer":                      {c: all(cookie(ended.Secret), bearer(pat.Secret))},
		"ended cookie, good plugin token":                {c: all(cookie(ended.Secret), bearer(plugin))},
		"good plugin token, bad key":                     {c: all(bearer(plugin), header("x"))},
		"cookies of two people":                          {c: cookie(pat.Secret, quinn.Secret)},
		"cookie and bearer of two people":                {c: all(cookie(pat.Secret), bearer(quinn.Secret))},
		"a person and a plugin":                          {c: all(cookie(pat.Secret), bearer(plugin))},
		"two Authorization lines, one bad":               {c: bearer(pat.Secret, "x")},
		"two Authorization lines, one joined by a comma": {c: identity.Credentials{Authorization: []string{"Bearer " + pat.Secret + ", Bearer " + pat.Secret}}},
		"ended session":                                  {c: bearer(ended.Secret)},
		"unknown session":                                {c: bearer(unknown)},
		"key as cookie":                                  {c: cookie(key)},
		"plugin token as cookie":                         {c: cookie(plugin)},
		"plugin token as key":                            {c: header(plugin)},
		"session as key":                                 {c: header(pat.Secret)},
		"refresh token as bearer":                        {c: bearer(w.tokens("greeter").RefreshToken)},
		"Basic":                                          {c: identity.Credentials{Authorization: []string{"Basic cGF0OnBhdA=="}}},
		"Basic with a session":                           {c: identity.Credentials{Authorization: []string{"Basic " + pat.Secret}}},
		"no scheme":                                      {c: identity.Credentials{Authorization: []string{pat.Secret}}},
		"scheme alone":                                   {c: identity.Credentials{Authorization: []string{"Bearer"}}},
		"empty Authorization":                            {c: identity.Credentials{Authorization: []string{""}}},
		"empty key":                                      {c: header("")},
		"empty cookie":                                   {c: cookie("")},
		"two spaces":                                     {c: identity.Credentials{Authorization: []string{"Bearer  " + pat.Secret}}},
		"tab":                                            {c: identity.Credentials{Authorization: []string{"Bearer\t" + pat.Secret}}},
		"trailing space":                                 {c: bearer(pat.Secret + " ")},
		"trailing NUL":                                   {c: bearer(pat.Secret + "\x00")},
		"another case of the prefix":                     {c: bearer("VVS" + pat.Secret[3:])},
		"cut by a letter":                                {c: bearer(pat.Secret[:len(pat.Secret)-1])},
		"longer by a letter":                             {c: bearer(pat.Secret + "A")},
		"very long":                                      {c: bearer("vvs_" + strings.Repeat("A", 1<<20))},
		"SQL":                                            {c: bearer("vvs_' OR '1'='1")},
	} {
		who, err := w.Prove(w.stranger(), tc.c)
		if tc.who == "" {
			if f := fault.Of(err); f.Kind != fault.Unauthenticated || f.Code != "auth.invalid" || who.Kind != "" {
				t.Errorf("%s: got %+v, %v", what, who, err)
			}
			continue
		}
		if tc.who == "nobody" {
			if err != nil || who.Kind != actor.Anonymous || who.Traits != (trait.Set{}) || who.ID != "" {
				t.Errorf("%s: got %+v, %v", what, who, err)
			}
			continue
		}
		if err != nil || who.Name != tc.who || who.Credential.Kind != tc.kind {
			t.Errorf("%s: got %+v, %v", what, who, err)
		}
		for _, id := range tc.has {
			if !who.Has(id) {
				t.Errorf("%s: lacks %s", what, trait.Builtin().Get(id).Name)
			}
		}
		for _, id := range tc.not {
			if who.Has(id) {
				t.Errorf("%s: has %s", what, trait.Builtin().Get(id).Name)
			}
		}
	}
}

func TestAuthenticateRequest(t *testing.T) {
	w := newPluginWorld(t)
	g := w.setUp()
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: "vv_session", Value: "planted under the other name"})
	if who, err := w.Authenticate(w.stranger(), r); err != nil || who.Kind != actor.Anonymous {
		t.Errorf("a cookie of another name: %+v, %v", who, err)
	}
	r.AddCookie(&http.Cookie{Name: "__Host-vv_session", Value: g.Secret})
	r.Header["Authorization"] = []string{"Bearer " + g.Secret, "Bearer x"}
	_, err := w.Authenticate(w.stranger(), r)
	is(t, "two lines of one header", err, fault.Unauthenticated, "auth.invalid")
	r.Header.Set("Authorization", "Bearer "+g.Secret)
	if who, err := w.Authenticate(w.stranger(), r); err != nil || who.Name != "Mara Lindqvist" {
		t.Errorf("got %+v, %v", who, err)
	}
}

// A refusal says what was proved, and nothing that was merely claimed.
func TestDenialRecorded(t *testing.T) {
	w := newPluginWorld(t)
	g := w.setUp()
	token := w.tokens("greeter").Token
	w.exec("UPDATE plugins SET state = 'disabled' WHERE id = 'greeter'")
	_, err := w.bearer(token)
	is(t, "disabled", err, fault.Unauthenticated, "plugin.disabled")
	works(t, "log out", w.Logout(w.as(g)))
	again := w.login("mara@example.com")
	w.clock.move(2 * time.Hour)
	_, err = w.bearer(again.Secret)
	is(t, "idle", err, fault.Unauthenticated, "auth.invalid")
	rows, err := w.db.Owner.Query(t.Context(), "SELECT coalesce(rule, ''), object, coalesce(detail->>'plugin', ''), coalesce(detail->>'user', ''), detail->>'reason', actor_kind, address FROM audit_log WHERE action = 'auth.denied' AND outcome = 'deny' ORDER BY seq")
	works(t, "rows", err)
	var got []string
	for rows.Next() {
		var f [7]string
		works(t, "row", rows.Scan(&f[0], &f[1], &f[2], &f[3], &f[4], &f[5], &f[6]))
		got = append(got, strings.Join(f[:], " | "))
	}
	want := []string{
		"plugin.disabled | plugin_token | greeter |  | plugin disabled | anonymous | " + address,
		"auth.invalid | session |  | " + g.User.ID.String() + " | idle too long | anonymous | " + address,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("recorded\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// While the database is away nobody is let in, and nobody is told that their
// credential is bad.
func TestAuthenticateWithoutDatabase(t *testing.T) {
	w := newPluginWorld(t)
	g := w.setUp()
	ctx, cancel := context.WithCancel(w.stranger())
	cancel()
	_, err := w.Prove(ctx, identity.Credentials{Authorization: []string{"Bearer " + g.Secret}})
	is(t, "no answer", err, fault.Unavailable, "identity.unavailable")
	if n := w.records("auth.denied", audit.Deny); n != 0 {
		t.Errorf("%d refusals are in the audit", n)
	}
	w.exec("REVOKE SELECT ON sessions FROM vivified_app")
	_, err = w.bearer(g.Secret)
	is(t, "an error", err, fault.Unavailable, "identity.unavailable")
	if f := fault.Of(err); f.RetryAfter <= 0 || strings.Contains(f.Sentence, "sessions") {
		t.Errorf("answered %+v", f)
	}
}

// A stream outlasts its request, but not its credential.
func TestRecheck(t *testing.T) {
	w := newPluginWorld(t)
	w.setUp()
	u := w.person("pat@example.com", "Pat", "operator")
	g := w.login("pat@example.com")
	key, secret, err := w.CreateAPIKey(w.as(g), "k", []string{"viewer", "event_viewer"}, *w.in(24 * time.Hour))
	works(t, "key", err)
	byKey, err := w.bearer(secret)
	works(t, "by key", err)
	bySession, err := w.bearer(g.Secret)
	works(t, "by session", err)
	byToken, err := w.bearer(w.tokens("greeter").Token)
	works(t, "by token", err)
	bySocket, err := w.Prove(w.stranger(), identity.Credentials{Socket: "greeter"})
	works(t, "by socket", err)
	check := func(what string, who actor.Actor, code string) {
		t.Helper()
		now, err := w.Recheck(w.stranger(), who)
		if code != "" {
			is(t, what, err, fault.Unauthenticated, code)
		} else if err != nil || now.ID != who.ID || now.Kind != who.Kind {
			t.Errorf("%s: got %+v, %v", what, now, err)
		}
	}
	w.clock.move(20 * time.Minute) // longer than a token's life
	for what, who := range map[string]actor.Actor{"key": byKey, "session": bySession, "token": byToken, "socket": bySocket} {
		check(what, who, "")
	}
	_, err = w.SetRoles(w.core(), u.ID, []identity.RoleGrant{{Role: "viewer"}})
	works(t, "fewer roles", err)
	check("the session, ended by it", bySession, "auth.invalid")
	if now, err := w.Recheck(w.stranger(), byKey); err != nil || now.Traits != trait.SetOf(trait.Viewer) {
		t.Errorf("the key, shrunk by it: %+v, %v", now, err)
	}
	works(t, "revoke", w.RevokeAPIKey(w.core(), key.ID))
	check("the key, revoked", byKey, "auth.invalid")
	for _, who := range []actor.Actor{byToken, bySocket} {
		w.exec("UPDATE plugins SET state = 'disabled'")
		check("disabled", who, "plugin.disabled")
		w.exec("UPDATE plugins SET state = 'active'")
		check("enabled again", who, "")
	}
	w.exec("UPDATE plugins SET generation = generation + 1")
	check("the token, revoked", byToken, "auth.invalid")
	w.exec("DELETE FROM plugins")
	check("the socket of a plugin that left", bySocket, "auth.invalid")
	check("nobody", actor.Actor{}, "auth.invalid")
	again := w.login("pat@example.com")
	stolen, err := w.bearer(again.Secret)
	works(t, "again", err)
	stolen.ID = byKey.Credential.ID
	check("a session said to be another's", stolen, "auth.invalid")
}

func BenchmarkProveSession(b *testing.B) {
	w := newWorld(b)
	c, ctx := identity.Credentials{Authorization: []string{"Bearer " + w.setUp().Secret}}, w.stranger()
	for b.Loop() {
		if _, err := w.Prove(ctx, c); err != nil {
			b.Fatal(err)
		}
	}
}
