package settings_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

// mailSchema is what a plugin that sends mail would declare.
const mailSchema = `{
	"type": "object",
	"required": ["host", "password"],
	"properties": {
		"host": {"type": "string", "format": "hostname"},
		"port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 587},
		"from": {"type": "string", "format": "email"},
		"password": {"type": "string", "minLength": 4, "pattern": "^[ -~]+$", "x-secret": true},
		"hook": {"$ref": "#/$defs/hook"},
		"relays": {"type": "array", "maxItems": 3, "items": {"$ref": "#/$defs/hook"}},
		"keys": {"type": "array", "items": {"type": "string", "x-secret": true}},
		"labels": {"type": "object", "additionalProperties": {"type": "string"}},
		"auth": {"oneOf": [
			{"type": "object", "required": ["kind"], "properties": {"kind": {"const": "none"}}},
			{"type": "object", "required": ["kind", "token"], "properties": {"kind": {"const": "token"}, "realm": {"type": "string"}, "token": {"type": "string", "x-secret": true}}}
		]}
	},
	"$defs": {"hook": {"type": "object", "required": ["url"], "properties": {
		"url": {"type": "string"}, "retries": {"type": "integer", "default": 3}, "key": {"type": "string", "x-secret": true}}}}
}`

// plugin returns the manifest of a registered plugin.
func plugin(t testing.TB, pool *pgxpool.Pool, id, schema string) *manifest.Manifest {
	t.Helper()
	n, err := db.New(pool).PluginInsert(context.Background(), db.PluginInsertParams{ID: id, TenantID: "default", Kind: "service", Name: id, Version: "1.0.0", Manifest: json.RawMessage(`{}`)})
	if err != nil || n != 1 {
		t.Fatalf("register %s: %d, %v", id, n, err)
	}
	return &manifest.Manifest{ID: id, ConfigSchema: json.RawMessage(schema)}
}

// as returns a context in which the plugin acts.
func as(ctx context.Context, id string) context.Context {
	return actor.With(ctx, actor.Actor{Kind: actor.Plugin, ID: id, Tenant: actor.DefaultTenant})
}

// mail is settings over a database with one plugin of mailSchema.
type mail struct {
	*settings.Settings
	t     *testing.T
	db    *dbtest.DB
	m     *manifest.Manifest
	bus   *bus
	admin context.Context
}

func newMail(t *testing.T) *mail {
	t.Helper()
	d, b := dbtest.New(t), &bus{}
	return &mail{Settings: attached(t, d.Pool, nil, b), t: t, db: d, bus: b,
		m: plugin(t, d.Pool, "mail", mailSchema), admin: person(t.Context(), "priya", trait.ConfigManager)}
}

// put replaces the settings and fails the test on an error.
func (m *mail) put(doc string) settings.PluginConfig {
	m.t.Helper()
	c, err := m.SetPluginConfig(m.admin, m.m, json.RawMessage(doc), nil, "")
	if err != nil {
		m.t.Fatalf("put %s: %v %v", doc, err, rules(err))
	}
	return c
}

// own returns what the plugin itself is told.
func (m *mail) own() string {
	m.t.Helper()
	c, err := m.OwnConfig(as(m.t.Context(), m.m.ID), m.m)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(c.Settings)
}

var times = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"`)

// shown returns what people are shown, with WHEN for times.
func (m *mail) shown() string {
	m.t.Helper()
	c, err := m.PluginConfig(m.admin, m.m.ID, m.m)
	if err != nil {
		m.t.Fatal(err)
	}
	return times.ReplaceAllString(string(c.Settings), "WHEN")
}

const isSet = `{"set":true,"set_at":WHEN}`

func TestPluginConfig(t *testing.T) {
	m := newMail(t)
	if c, err := m.PluginConfig(m.admin, "mail", m.m); err != nil || string(c.Settings) != "{}" || c.Version != 0 || c.Enabled {
		t.Errorf("before anything is set: %+v, %v", c, err)
	}
	c := m.put(`{"host": "smtp.example.com", "password": "hunter22", "hook": {"url": "u", "key": "k1"}, "labels": {"a/b": "c~d"}}`)
	if c.Version != 1 {
		t.Errorf("version %d; want 1", c.Version)
	}
	if got, want := m.shown(), `{"hook":{"key":`+isSet+`,"url":"u"},"host":"smtp.example.com","labels":{"a/b":"c~d"},"password":`+isSet+`}`; got != want {
		t.Errorf("people see\n%s; want\n%s", got, want)
	}
	if got, want := m.own(), `{"hook":{"key":"k1","retries":3,"url":"u"},"host":"smtp.example.com","labels":{"a/b":"c~d"},"password":"hunter22","port":587}`; got != want {
		t.Errorf("the plugin sees\n%s; want\n%s", got, want)
	}
	if got := column(t, m.db.Pool, "SELECT key FROM settings WHERE scope = 'plugin:mail' AND sealed IS NOT NULL ORDER BY key"); !slices.Equal(got, []string{"/hook/key", "/password"}) {
		t.Errorf("sealed are %v", got)
	}
	if !slices.Equal(m.bus.woke, []string{settings.TopicPlugins}) {
		t.Errorf("woke %v; want the carriers of plugin settings, once", m.bus.woke)
	}
}

func TestSecretsKeptAndCleared(t *testing.T) {
	m := newMail(t)
	m.put(`{"host": "a", "password": "hunter22", "hook": {"url": "u", "key": "k1"}, "keys": ["x", "y"], "labels": {"l": "1"}}`)
	for _, row := range []struct{ name, put, own string }{
		{"absent keeps, the rest is replaced", `{"host": "b", "hook": {"url": "v"}}`, `{"hook":{"key":"k1","retries":3,"url":"v"},"host":"b","keys":["x","y"],"password":"hunter22","port":587}`},
		{"sent back as shown keeps", `{"host": "b", "password": {"set": true, "set_at": "2026-11-20T00:00:00Z"}, "keys": {"set": true}, "hook": {"url": "v", "key": {"set": true}}}`, `{"hook":{"key":"k1","retries":3,"url":"v"},"host":"b","keys":["x","y"],"password":"hunter22","port":587}`},
		{"a new value replaces", `{"host": "b", "password": "correct", "hook": {"url": "v"}}`, `{"hook":{"key":"k1","retries":3,"url":"v"},"host":"b","keys":["x","y"],"password":"correct","port":587}`},
		{"null clears", `{"host": "b", "password": null, "keys": null, "hook": {"url": "v"}}`, `{"hook":{"key":"k1","retries":3,"url":"v"},"host":"b","port":587}`},
		{"null clears what is not there", `{"host": "b", "password": null, "hook": {"url": "v", "key": null}}`, `{"hook":{"retries":3,"url":"v"},"host":"b","port":587}`},
		{"cleared is gone", `{"host": "b", "hook": {"url": "v"}}`, `{"hook":{"retries":3,"url":"v"},"host":"b","port":587}`},
	} {
		m.put(row.put)
		if got := m.own(); got != row.own {
			t.Errorf("%s: the plugin sees\n%s; want\n%s", row.name, got, row.own)
		}
	}
}

func TestSecretGoesWithItsObject(t *testing.T) {
	m := newMail(t)
	m.put(`{"host": "a", "hook": {"url": "u", "key": "k1"}}`)
	m.put(`{"host": "a"}`)
	m.put(`{"host": "a", "hook": {"url": "evil"}}`)
	if got := m.own(); strings.Contains(got, "k1") {
		t.Errorf("a secret outlived what it lay in: %s", got)
	}
}

// A password in a list never follows its place in the list to another host.
func TestSecretsInLists(t *testing.T) {
	m := newMail(t)
	m.put(`{"host": "a", "relays": [{"url": "one", "key": "k1"}, {"url": "two", "key": "k2"}]}`)
	for _, row := range []struct{ name, put, own string }{
		{"the same", `[{"url": "one"}, {"url": "two"}]`, `[{"key":"k1","retries":3,"url":"one"},{"key":"k2","retries":3,"url":"two"}]`},
		{"another order", `[{"url": "two"}, {"url": "one"}]`, `[{"key":"k2","retries":3,"url":"two"},{"key":"k1","retries":3,"url":"one"}]`},
		{"the first removed, one added", `[{"url": "one"}, {"url": "three", "key": "k3"}]`, `[{"key":"k1","retries":3,"url":"one"},{"key":"k3","retries":3,"url":"three"}]`},
		{"another host in its place", `[{"url": "evil"}, {"url": "three"}]`, `[{"retries":3,"url":"evil"},{"key":"k3","retries":3,"url":"three"}]`},
		{"twice the same takes it once", `[{"url": "three"}, {"url": "three"}]`, `[{"retries":3,"url":"three"},{"key":"k3","retries":3,"url":"three"}]`},
		{"cleared", `[{"url": "three"}, {"url": "three", "key": null}]`, `[{"retries":3,"url":"three"},{"retries":3,"url":"three"}]`},
	} {
		m.put(`{"host": "a", "relays": ` + row.put + `}`)
		if got, want := m.own(), `{"host":"a","port":587,"relays":`+row.own+`}`; got != want {
			t.Errorf("%s: the plugin sees\n%s; want\n%s", row.name, got, want)
		}
	}
}

func TestPluginConfigRefused(t *testing.T) {
	m := newMail(t)
	for _, row := range []struct {
		name, put string
		want      []string // rule path
	}{
		{"a required setting is absent", `{}`, []string{"config.required /host"}},
		{"several at once", `{"host": "not a host", "port": 70000, "from": "x", "relays": [{}, {"url": 1}]}`,
			[]string{"config.format /from", "config.format /host", "config.maximum /port", "config.type /relays/1/url", "config.required /relays/0/url"}},
		{"a wrong type", `{"host": 5}`, []string{"config.type /host"}},
		{"a number as text", `{"host": "a", "port": "587"}`, []string{"config.type /port"}},
		{"a name nobody declared", `{"host": "a", "pasword": "hunter22"}`, []string{"config.unknown /pasword"}},
		{"one below", `{"host": "a", "hook": {"url": "u", "keyy": "k"}}`, []string{"config.unknown /hook/keyy"}},
		{"a secret too short", `{"host": "a", "password": "abc"}`, []string{"config.minLength /password"}},
		{"a secret of the wrong type", `{"host": "a", "password": 12345678}`, []string{"config.type /password"}},
		{"a list too long", `{"host": "a", "relays": [{"url": "1"}, {"url": "2"}, {"url": "3"}, {"url": "4"}]}`, []string{"config.maxItems /relays"}},
		{"null where it is no secret", `{"host": null}`, []string{"config.type /host"}},
		{"no such form", `{"host": "a", "auth": {"kind": "magic"}}`, []string{"config.oneOf /auth"}},
		{"the meant form, wrongly filled in", `{"host": "a", "auth": {"kind": "token", "token": "t", "realm": 3}}`, []string{"config.type /auth/realm"}},
		{"a map with a wrong value", `{"host": "a", "labels": {"x": 1}}`, []string{"config.type /labels/x"}},
	} {
		_, err := m.SetPluginConfig(m.admin, m.m, json.RawMessage(row.put), nil, "")
		if code(err) != "config.invalid" || !fault.Is(err, fault.Unprocessable) {
			t.Errorf("%s: %v; want config.invalid", row.name, err)
			continue
		}
		f := fault.Of(err)
		var got []string
		for _, v := range f.Violations {
			got = append(got, v.Rule+" "+v.Path)
			if v.Message == "" || strings.Contains(v.Message, "hunter22") || strings.Contains(v.Message, "abc") {
				t.Errorf("%s: %s says %q", row.name, v.Rule, v.Message)
			}
		}
		if d := cmp.Diff(row.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, d)
		}
	}
	if _, err := m.SetPluginConfig(m.admin, m.m, json.RawMessage(`{"host": "a", "pasword": "x"}`), nil, ""); !strings.Contains(err.Error(), "Did you mean password?") {
		t.Errorf("the sentence suggests nothing: %v", err)
	}
	if got := column(t, m.db.Pool, "SELECT key FROM settings WHERE scope LIKE 'plugin:%' UNION ALL SELECT action FROM audit_log"); len(got) > 0 {
		t.Errorf("refused changes left %v", got)
	}
}

func TestPluginConfigMalformed(t *testing.T) {
	m := newMail(t)
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	for _, row := range []struct {
		name, put, reason, want string
	}{
		{"nothing", ``, "", "config.malformed"},
		{"half an object", `{`, "", "config.malformed"},
		{"two objects", `{}{}`, "", "config.malformed"},
		{"not UTF-8", "{\"host\": \"\xff\"}", "", "config.malformed"},
		{"a character the database cannot hold", `{"host": "a\u0000"}`, "", "config.malformed"},
		{"a number that is expensive to compute with", `{"port": 1e400000000}`, "", "config.malformed"},
		{"one too small to be true", `{"port": 1e-400000000}`, "", "config.malformed"},
		{"too deep", deep, "", "config.malformed"},
		{"a list", `[]`, "", "config.invalid"},
		{"null", `null`, "", "config.invalid"},
		{"too large", `{"host": "` + strings.Repeat("a", 256<<10) + `"}`, "", "config.too_large"},
		{"a reason of two lines", `{"host": "a"}`, "a\nb", "config.invalid"},
	} {
		if _, err := m.SetPluginConfig(m.admin, m.m, json.RawMessage(row.put), nil, row.reason); code(err) != row.want {
			t.Errorf("%s: %v; want %s", row.name, err, row.want)
		}
	}
}

func TestPluginConfigVersions(t *testing.T) {
	m := newMail(t)
	put := func(doc string, saw int64) (int64, string) {
		c, err := m.SetPluginConfig(m.admin, m.m, json.RawMessage(doc), &saw, "")
		return c.Version, code(err)
	}
	for _, row := range []struct {
		doc     string
		saw     int64
		version int64
		want    string
	}{
		{`{"host": "a"}`, 1, 0, "config.version"},
		{`{"host": "a"}`, 0, 1, ""},
		{`{"host": "a"}`, 1, 1, ""}, // nothing changed
		{`{"host": "b"}`, 0, 0, "config.version"},
		{`{"host": "b"}`, 1, 2, ""},
	} {
		if v, c := put(row.doc, row.saw); v != row.version || c != row.want {
			t.Errorf("put %s having seen %d: version %d, %q; want %d, %q", row.doc, row.saw, v, c, row.version, row.want)
		}
	}
	if got := column(t, m.db.Pool, "SELECT config_version::text FROM plugins"); got[0] != "2" {
		t.Errorf("the registry says version %s; want 2", got[0])
	}
	past, err := m.PluginHistory(t.Context(), "mail", 0, 10)
	if err != nil || len(past) != 2 || past[0].Key != "/host" || past[0].Version != 2 || string(past[0].Before) != `"a"` || string(past[0].After) != `"b"` || past[0].SetBy != "priya" {
		t.Errorf("history: %+v, %v", past, err)
	}
	if got := column(t, m.db.Pool, "SELECT plugin_id || ' ' || object FROM audit_log ORDER BY seq"); !slices.Equal(got, []string{"mail mail/config/host", "mail mail/config/host"}) {
		t.Errorf("audit: %v", got)
	}
}

func TestPluginConfigWho(t *testing.T) {
	m := newMail(t)
	doc := json.RawMessage(`{"host": "a"}`)
	for name, ctx := range map[string]context.Context{
		"nobody": t.Context(), "a viewer": person(t.Context(), "v", trait.Viewer), "the plugin itself": as(t.Context(), "mail"),
	} {
		if _, err := m.SetPluginConfig(ctx, m.m, doc, nil, ""); code(err) != "settings.edit" {
			t.Errorf("%s sets: %v; want settings.edit", name, err)
		}
	}
	for name, ctx := range map[string]context.Context{
		"nobody": t.Context(), "an administrator": person(t.Context(), "a", trait.Admin), "another plugin": as(t.Context(), "mail2"),
	} {
		if c, err := m.OwnConfig(ctx, m.m); code(err) != "config.own" || c.Settings != nil {
			t.Errorf("%s is told %s, %v; want config.own", name, c.Settings, err)
		}
	}
	if _, err := m.SetPluginConfig(person(t.Context(), "pm", trait.PluginManager), m.m, doc, nil, ""); err != nil {
		t.Errorf("a plugin manager configures: %v", err)
	}
	ghost := &manifest.Manifest{ID: "ghost"}
	if _, err := m.SetPluginConfig(m.admin, ghost, doc, nil, ""); code(err) != "plugin.unknown" {
		t.Errorf("a plugin nobody knows is configured: %v", err)
	}
	if _, err := m.PluginConfig(m.admin, "ghost", ghost); code(err) != "plugin.unknown" {
		t.Errorf("a plugin nobody knows is shown: %v", err)
	}
}

func TestMissingRequired(t *testing.T) {
	m := newMail(t)
	missing := func(of *manifest.Manifest) []string {
		t.Helper()
		list, err := m.MissingRequired(t.Context(), "mail", of)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if got := missing(m.m); !slices.Equal(got, []string{"/host", "/password"}) {
		t.Errorf("with nothing set %v is missing; want host and password", got)
	}
	m.put(`{"host": "a", "auth": {"kind": "token"}}`) // required secrets may follow
	if got := missing(m.m); !slices.Equal(got, []string{"/auth/token", "/password"}) {
		t.Errorf("without its secrets %v is missing", got)
	}
	m.put(`{"host": "a", "password": "hunter22", "auth": {"kind": "token", "token": "t"}}`)
	if got := missing(m.m); len(got) > 0 {
		t.Errorf("with everything set %v is missing", got)
	}
	m.put(`{"host": "a", "password": null}`)
	if got := missing(m.m); !slices.Equal(got, []string{"/password"}) {
		t.Errorf("with the password cleared %v is missing", got)
	}
	if got := missing(&manifest.Manifest{ID: "mail"}); len(got) > 0 {
		t.Errorf("without a schema %v is missing", got)
	}
	byDefault := &manifest.Manifest{ID: "mail", ConfigSchema: json.RawMessage(`{"type": "object", "required": ["port"], "properties": {"host": {}, "port": {"default": 25}}}`)}
	if got := missing(byDefault); len(got) > 0 {
		t.Errorf("what has a default is missing: %v", got)
	}
}

func TestEnabled(t *testing.T) {
	m := newMail(t)
	for state, want := range map[string]bool{"registered": false, "active": true, "unhealthy": true, "disabled": false, "quarantined": false} {
		exec(t, m.db.Pool, "UPDATE plugins SET state = $1", state)
		if c, err := m.PluginConfig(m.admin, "mail", m.m); err != nil || c.Enabled != want {
			t.Errorf("%s: enabled %v, %v; want %v", state, c.Enabled, err, want)
		}
	}
}

// An id that was given up and taken anew inherits no secret.
func TestNewRegistrationInheritsNothing(t *testing.T) {
	m := newMail(t)
	m.put(`{"host": "a", "password": "hunter22"}`)
	exec(t, m.db.Pool, "DELETE FROM plugins")
	m.m = plugin(t, m.db.Pool, "mail", mailSchema)
	if got := m.own(); got != `{"port":587}` {
		t.Errorf("the new plugin is told %s", got)
	}
	if got := m.shown(); got != `{}` {
		t.Errorf("people are shown %s", got)
	}
	if c := m.put(`{"host": "b"}`); c.Version != 1 || m.own() != `{"host":"b","port":587}` {
		t.Errorf("version %d, %s; want a fresh start", c.Version, m.own())
	}
}

// What a new manifest calls a secret is hidden at once and sealed at the next
// change; what it no longer calls one stays hidden.
func TestSchemaChanges(t *testing.T) {
	m := newMail(t)
	m.put(`{"host": "visible.example", "password": "hunter22"}`)
	m.m.ConfigSchema = json.RawMessage(`{"type": "object", "properties": {"host": {"type": "string", "x-secret": true}, "password": {"type": "string"}}}`)
	if got, want := m.shown(), `{"host":`+isSet+`,"password":`+isSet+`}`; got != want {
		t.Errorf("people see %s; want %s", got, want)
	}
	m.put(`{"password": "public"}`)
	if got, want := m.own(), `{"host":"visible.example","password":"public"}`; got != want {
		t.Errorf("the plugin sees %s; want %s", got, want)
	}
	if got := column(t, m.db.Pool, "SELECT key FROM settings WHERE scope = 'plugin:mail' AND sealed IS NOT NULL"); !slices.Equal(got, []string{"/host"}) {
		t.Errorf("sealed are %v; want host", got)
	}
	past, err := m.PluginHistory(t.Context(), "mail", 0, 2)
	if err != nil || strings.Contains(string(past[0].Before)+string(past[0].After)+string(past[1].Before)+string(past[1].After), "visible") {
		t.Errorf("the history of a change between open and secret shows the value: %+v, %v", past, err)
	}
}

func TestSecretMarks(t *testing.T) {
	for name, schema := range map[string]string{
		"plain":                      `{"properties": {"s": {"x-secret": true}}}`,
		"by reference":               `{"properties": {"s": {"$ref": "#/$defs/s"}}, "$defs": {"s": {"x-secret": true}}}`,
		"beside a reference":         `{"properties": {"s": {"$ref": "#/$defs/s", "x-secret": true}}, "$defs": {"s": {}}}`,
		"beside one, in an old form": `{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"s": {"$ref": "#/definitions/s", "x-secret": true}}, "definitions": {"s": {}}}`,
		"in an alternative":          `{"properties": {"s": {"anyOf": [{"type": "number"}, {"type": "string", "x-secret": true}]}}}`,
		"of the root's alternative":  `{"properties": {"s": {}}, "oneOf": [{"properties": {"s": {"x-secret": true}}}]}`,
		"by a condition":             `{"properties": {"s": {}}, "if": {"required": ["a"]}, "else": {"properties": {"s": {"x-secret": true}}}}`,
		"by all of":                  `{"allOf": [{"properties": {"s": {"x-secret": true}}}]}`,
		"by pattern":                 `{"patternProperties": {"^s": {"x-secret": true}}}`,
		"as any other name":          `{"additionalProperties": {"x-secret": true}}`,
		"as unevaluated":             `{"unevaluatedProperties": {"x-secret": true}}`,
		"on the root":                `{"x-secret": true}`,
		"on items":                   `{"properties": {"s": {"items": {"x-secret": true}}}}`,
		"on one item of a tuple":     `{"properties": {"s": {"prefixItems": [{}, {"x-secret": true}]}}}`,
		"a doubtful mark":            `{"properties": {"s": {"x-secret": "yes"}}}`,
		"beside another":             `{"dependentSchemas": {"s": {"properties": {"s": {"x-secret": true}}}}}`,
		"recursively":                `{"properties": {"s": {"x-secret": true}, "child": {"$ref": "#"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got := settings.Open(t, schema, `{"s": "value"}`); got != `{}` {
				t.Errorf("stored in clear: %s", got)
			}
		})
	}
	for name, schema := range map[string]string{
		"no mark": `{"properties": {"s": {}}}`, "an explicit no": `{"properties": {"s": {"x-secret": false}}}`,
		"a property of that name": `{"properties": {"s": {}, "x-secret": {"type": "boolean"}}}`, "data": `{"properties": {"s": {"default": {"x-secret": true}}}}`,
	} {
		if got := settings.Open(t, schema, `{"s": "value"}`); got != `{"s":"value"}` {
			t.Errorf("%s: stored in clear is %s; want all", name, got)
		}
	}
}

// A schema that refers to itself has defaults without end; a document has not.
func TestDefaultsEnd(t *testing.T) {
	d := dbtest.New(t)
	s := attached(t, d.Pool, nil, nil)
	m := plugin(t, d.Pool, "p", `{"properties": {"a": {"$ref": "#/$defs/n", "default": {}}}, "$defs": {"n": {"properties": {
		"l": {"$ref": "#/$defs/n", "default": {}}, "r": {"$ref": "#/$defs/n", "default": {}}}}}}`)
	c, err := s.OwnConfig(as(t.Context(), "p"), m)
	if err != nil || len(c.Settings) > 16<<10 {
		t.Errorf("%d bytes, %v", len(c.Settings), err)
	}
}

// A secret that does not open any more can be given anew, and is no dead end.
func TestLostSecret(t *testing.T) {
	m := newMail(t)
	m.put(`{"host": "a", "password": "hunter22"}`)
	exec(t, m.db.Pool, "UPDATE settings SET sealed = set_byte(sealed, 90, 255 - get_byte(sealed, 90)) WHERE key = '/password'")
	if _, err := m.OwnConfig(as(t.Context(), "mail"), m.m); code(err) != "seal.damaged" {
		t.Errorf("the plugin is told: %v; want seal.damaged", err)
	}
	m.put(`{"host": "a", "password": "correct"}`)
	if got := m.own(); got != `{"host":"a","password":"correct","port":587}` {
		t.Errorf("given anew the plugin sees %s", got)
	}
}

// A sealed row that is moved to another plugin or key does not open there.
func TestSealedRowsStayInPlace(t *testing.T) {
	m := newMail(t)
	m.put(`{"host": "a", "password": "hunter22"}`)
	thief := plugin(t, m.db.Pool, "thief", mailSchema)
	exec(t, m.db.Pool, "INSERT INTO settings (scope, key, sealed, set_by) SELECT 'plugin:thief', key, sealed, set_by FROM settings WHERE key = '/password'")
	if c, err := m.OwnConfig(as(t.Context(), "thief"), thief); code(err) != "seal.damaged" {
		t.Errorf("the thief is told %s, %v", c.Settings, err)
	}
}

// Small schemas whose evaluation would never end.
func TestEndlessSchemas(t *testing.T) {
	m := newMail(t)
	doubling := `{"$ref": "#/$defs/d0", "$defs": {"d40": {"type": "string"}`
	for i := range 40 {
		doubling += fmt.Sprintf(`, "d%d": {"allOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]}`, i, i+1, i+1)
	}
	nested := `{"properties": {"x": {"$ref": "#", "default": {}}}, "allOf": [{"properties": {"x": {"$ref": "#", "default": {}}}}]}`
	for name, schema := range map[string]string{"doubling": doubling + "}}", "nested by its own defaults": nested} {
		m.m.ConfigSchema = json.RawMessage(schema)
		if _, err := m.SetPluginConfig(m.admin, m.m, json.RawMessage(`{}`), nil, ""); code(err) != "config.schema" {
			t.Errorf("%s: SetPluginConfig gave %v; want config.schema", name, err)
		}
		if _, err := m.MissingRequired(t.Context(), "mail", m.m); code(err) != "config.schema" {
			t.Errorf("%s: MissingRequired gave %v; want config.schema", name, err)
		}
	}
}

// A pattern that would be slow elsewhere, and references that lead outside.
func TestHostileSchemas(t *testing.T) {
	m := newMail(t)
	m.m.ConfigSchema = json.RawMessage(`{"properties": {"a": {"pattern": "^(a+)+$"}}}`)
	m.put(`{"a": "` + strings.Repeat("a", 5000) + `"}`)
	for _, ref := range []string{"file:///etc/passwd", "https://example.com/schema.json", "other.json"} {
		m.m.ConfigSchema = json.RawMessage(`{"properties": {"a": {"$ref": "` + ref + `"}}}`)
		if _, err := m.SetPluginConfig(m.admin, m.m, json.RawMessage(`{}`), nil, ""); err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "point into the schema itself") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}
