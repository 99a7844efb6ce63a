package settings_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db/dbtest"
)

// canary is a secret with a character for every encoding to change.
const canary = `C4N4RY/s3cr3t+"&<%>\~?`

// spellings returns the forms in which text might give itself away.
func spellings(text string) map[string]string {
	b := []byte(text)
	inJSON, _ := json.Marshal(text)
	forms := map[string]string{
		"plain": text, "hex": hex.EncodeToString(b), "HEX": strings.ToUpper(hex.EncodeToString(b)), "JSON": strings.Trim(string(inJSON), `"`),
		"URL query": url.QueryEscape(text), "URL path": url.PathEscape(text), "Go": strings.Trim(strconv.Quote(text), `"`), "start": text[:12],
	}
	for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for shift := range 3 { // wherever it begins in what was encoded
			s := enc.EncodeToString(append(make([]byte, shift), b...))
			forms[fmt.Sprint(name, shift)] = s[(shift*8+5)/6 : len(s)-2]
		}
	}
	return forms
}

// found returns the forms of text that are in haystack.
func found(haystack, text string) (forms []string) {
	for name, form := range spellings(text) {
		if strings.Contains(haystack, form) {
			forms = append(forms, name)
		}
	}
	return forms
}

// dump returns every row of every table, as text, binary as hexadecimal and as it is.
func dump(t testing.TB, pool *pgxpool.Pool) string {
	t.Helper()
	var all strings.Builder
	for _, table := range column(t, pool, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'") {
		rows, err := pool.Query(t.Context(), "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
			values, err := row.Values()
			for _, v := range values {
				if raw, ok := v.([]byte); ok {
					all.Write(raw)
				}
				fmt.Fprintf(&all, " %v", v)
			}
			return struct{}{}, err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range column(t, pool, "SELECT r::text FROM "+table+" AS r") {
			all.WriteString(line + "\n")
		}
	}
	return all.String()
}

// A secret is in no table, page, history, log or error, in no spelling.
func TestCanary(t *testing.T) {
	d := dbtest.New(t)
	var seen bytes.Buffer // everything people and logs get
	s, err := settings.New(map[string]string{"VIVIFIED_SETUP_TOKEN": canary, "NATS_URL": canary}, []byte("metrics_token: '"+canary+"'"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(&seen, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if err := s.Attach(t.Context(), settings.Config{Pool: d.Pool, Sealer: sealer(t, "a"), Waker: &bus{down: true}, Log: log}); err != nil {
		t.Fatal(err)
	}
	ctx := person(t.Context(), "priya", trait.Admin)
	m := plugin(t, d.Pool, "mail", mailSchema)
	show := func(v any, err error) {
		raw, _ := json.Marshal(v)
		fmt.Fprintf(&seen, "%s %v\n", raw, err)
		if err != nil {
			fmt.Fprintf(&seen, "%+v\n", *fault.Of(err))
		}
	}
	secret, _ := json.Marshal(canary)
	put := func(doc string) {
		show(s.SetPluginConfig(ctx, m, json.RawMessage(strings.ReplaceAll(doc, "SECRET", string(secret))), nil, "why"))
	}

	show(nil, s.Set(ctx, []settings.Change{{Key: settings.MetricsToken, Value: secret}}, ""))
	if s.String(settings.MetricsToken) != canary {
		t.Fatal("the planted secret is not in force")
	}
	put(`{"host": "a", "password": SECRET, "hook": {"url": "u", "key": SECRET}, "keys": [SECRET], "relays": [{"url": "u", "key": SECRET}], "auth": {"kind": "token", "token": SECRET}}`)
	own, err := s.OwnConfig(as(t.Context(), "mail"), m)
	if err != nil || strings.Count(string(own.Settings), `C4N4RY`) != 5 {
		t.Fatalf("the planted secrets are not there: %s, %v", own.Settings, err)
	}
	show(s.List(everyTrait()), nil)
	show(s.PluginConfig(ctx, "mail", m))
	put(`{"host": "b", "relays": [{"url": "u"}]}`)                           // kept
	put(`{"host": SECRET, "password": [SECRET], "port": SECRET, "keys": 1}`) // refused
	put(`{"host": "b", "password": {"set": true, "x": SECRET}}`)
	put(`{"host": "b", "password": SECRET`)
	put(`{"host": "b", "auth": {"kind": SECRET, "token": SECRET}}`)
	show(nil, s.Set(ctx, []settings.Change{{Key: settings.LogLevel, Value: secret}, {Key: settings.PluginAddresses, Value: secret}}, ""))
	if got := found(dump(t, d.Owner), canary); len(got) > 0 {
		t.Errorf("the database holds the secret: %v", got)
	}
	put(`{"host": "b", "password": null, "keys": ["other"]}`) // cleared, replaced
	show(nil, s.Set(ctx, []settings.Change{{Key: settings.MetricsToken}}, ""))
	show(s.History(t.Context(), everyTrait(), 0, 200))
	show(s.PluginHistory(t.Context(), "mail", 0, 200))
	exec(t, d.Pool, "UPDATE settings SET sealed = set_byte(sealed, 90, 255 - get_byte(sealed, 90)) WHERE key = '/hook/key'")
	show(s.OwnConfig(as(t.Context(), "mail"), m))

	if got := found(dump(t, d.Owner), canary); len(got) > 0 {
		t.Errorf("afterwards the database holds the secret: %v", got)
	}
	if got := found(seen.String(), canary); len(got) > 0 {
		t.Errorf("people and logs see the secret: %v\n%s", got, seen.String())
	}
	if !strings.Contains(seen.String(), "other replicas not woken") || !strings.Contains(seen.String(), "config.type") {
		t.Error("the test no longer makes the log and the errors it wants to look at")
	}

	// The search itself works.
	exec(t, d.Pool, "INSERT INTO settings (scope, key, sealed, set_by) VALUES ('x', 'x', $1, 'x')", []byte("..."+canary+"."))
	if got := found(dump(t, d.Owner), canary); len(got) < 2 {
		t.Errorf("a secret planted in clear is found as %v only", got)
	}
	if got := found("x"+base64.StdEncoding.EncodeToString([]byte("....."+canary+"....")), canary); len(got) == 0 {
		t.Error("a secret planted in base64 is not found")
	}
}
