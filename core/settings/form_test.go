package settings_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
)

// gatewaySchema has one of everything a form can show.
const gatewaySchema = `{
	"type": "object", "required": ["host"], "ui:order": ["host", "port", "tls"],
	"properties": {
		"host": {"type": "string", "format": "hostname", "title": "Server", "description": "Where mail goes."},
		"port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 587},
		"tls": {"enum": ["none", "starttls", "tls"], "default": "starttls"},
		"debug": {"type": "boolean"},
		"password": {"type": "string", "x-secret": true},
		"note": {"type": "string", "ui:widget": "textarea", "x-show-if": {"debug": true}},
		"limit": {"type": "integer", "x-trait": "admin"},
		"fixed": {"type": "string", "x-lock": "Set by the installer."},
		"any": {"anyOf": [{"type": "string"}, {"type": "number"}]},
		"domains": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
		"relays": {"type": "array", "items": {"$ref": "#/$defs/relay"}},
		"labels": {"type": "object", "additionalProperties": {"type": "string"}},
		"auth": {"type": "object", "oneOf": [
			{"title": "None", "properties": {"kind": {"const": "none"}}},
			{"title": "Token", "required": ["token"], "properties": {"kind": {"const": "token"}, "token": {"type": "string", "x-secret": true}, "realm": {"type": "string"}}}
		]}
	},
	"$defs": {"relay": {"type": "object", "required": ["url"], "properties": {"url": {"type": "string"}, "key": {"type": "string", "x-secret": true}}}}
}`

// sketch writes a form as indented lines, one a field.
func sketch(fields []*settings.FormField, indent string) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "%s%s %s", indent, f.Pointer, f.Kind)
		if f.Text != "" {
			fmt.Fprintf(&b, " %q", f.Text)
		}
		for _, c := range f.Choices {
			if c.Chosen {
				fmt.Fprintf(&b, " <%s>", c.Label)
			}
		}
		for word, is := range map[string]bool{" on": f.On, " set": f.Set, " locked": f.Locked != ""} {
			if is {
				b.WriteString(word)
			}
		}
		b.WriteString("\n" + sketch(f.Items, indent+"  "))
	}
	return b.String()
}

func form(t testing.TB, schema, doc string, who trait.Set) *settings.Form {
	t.Helper()
	f, err := settings.BuildForm(json.RawMessage(schema), json.RawMessage(doc), who)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestForm(t *testing.T) {
	f := form(t, gatewaySchema, `{"host": "mx", "debug": true, "password": {"set": true, "set_at": "2026-11-20T00:00:00Z"}, "any": 5,
		"domains": ["a", "b"], "relays": [{"url": "u", "key": {"set": true}}], "labels": {"x/y": "z"}, "auth": {"kind": "token", "token": {"set": true}}}`, trait.Set{})
	want := `/host text "mx"
/port number "587"
/tls choice <Default: starttls>
/any json "5"
/auth group
  /auth#of choice <Token>
  /auth/realm text
  /auth/token secret set
/debug switch on
/domains list
  /domains/0 text "a"
  /domains/1 text "b"
/fixed text locked
/labels map
  /labels/+0 text "z"
/limit number locked
/note text
/password secret set
/relays list
  /relays/0 group
    /relays/0/key secret set
    /relays/0/url text "u"
`
	if d := cmp.Diff(want, sketch(f.Fields, "")); d != "" {
		t.Errorf("the form (-want +got):\n%s", d)
	}
	if got := sketch(form(t, gatewaySchema, `{}`, everyTrait()).Fields, ""); strings.Contains(got, "/note") || strings.Contains(got, "/limit number locked") || !strings.Contains(got, "/auth#of choice <–>") {
		t.Errorf("an empty document, by somebody with every trait:\n%s", got)
	}
}

func TestFormWhole(t *testing.T) {
	for _, schema := range []string{`{"type": "object", "anyOf": [{}]}`, `{"allOf": [{"$ref": "#"}], "type": "object"}`, `{"$ref": "#"}`} {
		if f := form(t, schema, `{"a": 1}`, trait.Set{}); !f.Whole || !strings.Contains(f.JSON, `"a": 1`) {
			t.Errorf("%s: %+v; want the JSON alone", schema, f)
		}
	}
}

// A schema that has no end costs its plugin the form, and nobody else anything.
func TestFormHostile(t *testing.T) {
	round := `{"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}, "c": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"$ref": "#/$defs/x"}}}`
	f := form(t, round, `{"a": {"a": {"b": {}}}}`, trait.Set{})
	if n := strings.Count(sketch(f.Fields, ""), "\n"); n > 300 {
		t.Errorf("a schema that refers to itself has %d fields", n)
	}
	wide := `{"type": "object", "properties": {`
	for i := range 1200 {
		wide += fmt.Sprintf(`"p%d": {"type": "string", "description": %q},`, i, strings.Repeat("x", 2000))
	}
	wide += `"z": {}}}`
	f = form(t, wide, `{}`, trait.Set{})
	if !f.Whole || len(f.Fields) > 0 {
		t.Errorf("a wide schema has a form of %d fields", len(f.Fields))
	}
}

func TestReadForm(t *testing.T) {
	before := `{"host": "mx", "port": 25, "debug": true, "note": "hi", "password": {"set": true}, "any": 5, "domains": ["a", "b"], "fixed": "f", "limit": 3,
		"relays": [{"url": "u", "key": {"set": true}}], "labels": {"a": "1", "b": "2"}, "auth": {"kind": "token", "token": {"set": true}, "realm": "r"}}`
	// What a browser sends back when nothing was touched.
	same := "/host=mx&/port=25&/tls=&/debug=off&/debug=on&/note=hi&/password=&/any=5&/domains%23n=2&/domains/0=a&/domains/1=b" +
		"&/relays%23n=1&/relays/0/url=u&/relays/0/key=&/labels%23n=2&/labels/%2B0%23key=a&/labels/%2B0=1&/labels/%2B1%23key=b&/labels/%2B1=2&/auth%23of=1&/auth/token=&/auth/realm=r"
	edit := func(from, to string) string {
		if !strings.Contains(same, from) {
			t.Fatalf("%s is not among the inputs", from)
		}
		return strings.Replace(same, from, to, 1)
	}
	m := &manifest.Manifest{ID: "mail", ConfigSchema: json.RawMessage(gatewaySchema)}
	for _, row := range []struct {
		name, in string
		do       settings.FormDo
		from, to string // of the document, as JSON
	}{
		{"nothing touched", same, settings.FormDo{}, "", ""},
		{"a text", edit("/host=mx", "/host=mx2"), settings.FormDo{}, `"host":"mx"`, `"host":"mx2"`},
		{"blank is the default", edit("/port=25", "/port="), settings.FormDo{}, `,"port":25`, ``},
		{"no number stays what it was typed as", edit("/port=25", "/port=many"), settings.FormDo{}, `"port":25`, `"port":"many"`},
		{"a choice", edit("/tls=", "/tls=%22tls%22"), settings.FormDo{}, `}]}`, `}],"tls":"tls"}`},
		{"a switch off", edit("&/debug=on", ""), settings.FormDo{}, `"debug":true`, `"debug":false`},
		{"a secret", edit("/password=", "/password=hunter2"), settings.FormDo{}, `"password":{"set":true}`, `"password":"hunter2"`},
		{"a secret cleared", same + "&/password%23clear=on", settings.FormDo{}, `"password":{"set":true}`, `"password":null`},
		{"what is locked", same + "&/fixed=g&/limit=9", settings.FormDo{}, "", ""},
		{"another form", edit("/auth%23of=1", "/auth%23of=0"), settings.FormDo{}, `"auth":{"kind":"token","realm":"r","token":{"set":true}}`, `"auth":{"kind":"none"}`},
		{"a form that is none", edit("/auth%23of=1", "/auth%23of=7"), settings.FormDo{}, "", ""},
		{"a blank item", edit("/domains/0=a", "/domains/0="), settings.FormDo{}, `["a","b"]`, `["b"]`},
		{"one more", same, settings.FormDo{Verb: settings.DoAdd, Pointer: "/domains"}, `["a","b"]`, `["a","b",null]`},
		{"one less", same, settings.FormDo{Verb: settings.DoRemove, Pointer: "/domains/0"}, `["a","b"]`, `["b"]`},
		{"an object more", same, settings.FormDo{Verb: settings.DoAdd, Pointer: "/relays"}, `"u"}]`, `"u"},{}]`},
		{"a name changed", edit("%23key=a", "%23key=c"), settings.FormDo{}, `{"a":"1","b":"2"}`, `{"b":"2","c":"1"}`},
		{"a name less", same, settings.FormDo{Verb: settings.DoRemove, Pointer: "/labels/+0"}, `{"a":"1","b":"2"}`, `{"b":"2"}`},
		{"the default again", same, settings.FormDo{Verb: settings.DoReset, Pointer: "/port"}, `,"port":25`, ``},
	} {
		in, err := url.ParseQuery(row.in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := settings.ReadForm(m, json.RawMessage(before), in, row.do, trait.Set{})
		want := strings.Replace(compact(t, before), row.from, row.to, 1)
		if err != nil || string(got) != want {
			t.Errorf("%s: %v\n got %s\nwant %s", row.name, err, got, want)
		}
	}
	for name, in := range map[string]string{"config.malformed": edit("/any=5", "/any={"), "config.twice": edit("%23key=b", "%23key=a")} {
		values, _ := url.ParseQuery(in)
		if _, err := settings.ReadForm(m, json.RawMessage(before), values, settings.FormDo{}, trait.Set{}); len(rules(err)) != 1 || rules(err)[0] != name {
			t.Errorf("%s: %v", name, rules(err))
		}
	}
}

func compact(t testing.TB, doc string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(v)
	return string(raw)
}

func TestLockedSettings(t *testing.T) {
	m := newMail(t)
	m.m.ConfigSchema = json.RawMessage(`{"type": "object", "properties": {"a": {"type": "string"}, "limit": {"type": "integer", "x-trait": "admin"},
		"fixed": {"type": "string", "x-lock": true}, "in": {"type": "object", "properties": {"key": {"type": "string", "x-secret": true, "x-trait": "admin"}}}}}`)
	m.put(`{"a": "x"}`)
	for _, doc := range []string{`{"a": "x", "limit": 1}`, `{"fixed": "x"}`, `{"in": {"key": "k"}}`} {
		if _, err := m.SetPluginConfig(m.admin, m.m, json.RawMessage(doc), nil, ""); code(err) != "config.locked" {
			t.Errorf("%s: %v; want config.locked", doc, err)
		}
	}
	admin := person(t.Context(), "mara", trait.Admin, trait.ConfigManager)
	if _, err := m.SetPluginConfig(admin, m.m, json.RawMessage(`{"a": "x", "limit": 1, "in": {"key": "k"}}`), nil, ""); err != nil {
		t.Fatal(err)
	}
	m.put(`{"a": "y", "limit": 1, "in": {}}`) // what is kept is not changed
}

// Whatever a schema, a document and a form say, reading ends, and what nobody
// touched stays as it was.
func FuzzForm(f *testing.F) {
	f.Add(gatewaySchema, `{"host": "a", "relays": [{}]}`, "/host=b&/relays%23n=2")
	f.Add(`{"type": "object", "properties": {"a": {"$ref": "#"}}, "oneOf": [{"properties": {"k": {"const": 1}}}]}`, `{"a": {"k": 1}}`, "%23of=0&/a%23of=0")
	f.Add(`{"type": "object", "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}}}`, `{"x": {"y": "z"}}`, "%23n=1&/%2B0%23key=x&/%2B0%23n=1")
	f.Fuzz(func(t *testing.T, schema, doc, inputs string) {
		form, err := settings.BuildForm(json.RawMessage(schema), json.RawMessage(doc), trait.Set{})
		if err != nil || form.Whole {
			return
		}
		in, _ := url.ParseQuery(inputs)
		m := &manifest.Manifest{ConfigSchema: json.RawMessage(schema)}
		next, err := settings.ReadForm(m, json.RawMessage(doc), in, settings.FormDo{}, trait.Set{})
		if err == nil && !json.Valid(next) {
			t.Errorf("read %q", next)
		}
		if !strings.HasPrefix(strings.TrimSpace(doc), "{") {
			return
		}
		if same, err := settings.ReadForm(m, json.RawMessage(doc), url.Values{}, settings.FormDo{}, trait.Set{}); err == nil && string(same) == "" {
			t.Error("an empty form makes nothing")
		}
	})
}
