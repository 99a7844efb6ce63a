package settings_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
)

// everyTrait is a person from whom nothing is hidden.
func everyTrait() trait.Set {
	return trait.Builtin().Effective(trait.SetOf(trait.Admin))
}

// rules returns the rules of the violations in err, in order.
func rules(err error) []string {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return nil
	}
	var names []string
	for _, v := range f.Violations {
		names = append(names, v.Rule)
	}
	return names
}

func TestDefaults(t *testing.T) {
	s, err := settings.New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what      string
		got, want any
	}{
		{"listen", s.String(settings.Listen), "127.0.0.1:8080"},
		{"data_dir", s.String(settings.DataDir), "./var"},
		{"database_url", s.String(settings.DatabaseURL), ""},
		{"registration", s.String(settings.Registration), "token"},
		{"auto_enable", s.Bool(settings.AutoEnable), false},
		{"egress_auto_approve", s.Bool(settings.EgressAutoApprove), false},
		{"log_level", s.String(settings.LogLevel), "info"},
		{"limit_plugin_rate", s.Int(settings.LimitPluginRate), 1000},
		{"limit_plugin_in_flight", s.Int(settings.LimitPluginInFlight), 64},
		{"operator_timeout", s.Duration(settings.OperatorTimeout), 10 * time.Second},
		{"proxy_timeout", s.Duration(settings.ProxyTimeout), 30 * time.Second},
		{"drain_timeout", s.Duration(settings.DrainTimeout), 10 * time.Second},
		{"health_interval", s.Duration(settings.HealthInterval), 30 * time.Second},
		{"health_timeout", s.Duration(settings.HealthTimeout), 5 * time.Second},
		{"health_threshold", s.Int(settings.HealthThreshold), 3},
		{"heartbeat_timeout", s.Duration(settings.HeartbeatTimeout), 90 * time.Second},
		{"session_idle_phi", s.Duration(settings.SessionIdlePHI), 15 * time.Minute},
		{"session_absolute", s.Duration(settings.SessionAbsolute), 12 * time.Hour},
		{"event_retention", s.Duration(settings.EventRetention), 30 * 24 * time.Hour},
		{"event_max_deliver", s.Int(settings.EventMaxDeliver), 20},
		{"event_max_age", s.Duration(settings.EventMaxAge), 24 * time.Hour},
		{"audit_heads_interval", s.Duration(settings.AuditHeadsInterval), time.Minute},
		{"plugin_networks", len(s.Prefixes(settings.PluginNetworks)), 0},
		{"the layer", s.Origin(settings.Listen).Layer, settings.Default},
	} {
		if row.got != row.want {
			t.Errorf("%s is %v by default; documented is %v", row.what, row.got, row.want)
		}
	}
}

// The frame contract: these variables are keys, under these names.
func TestFrameContract(t *testing.T) {
	env := map[string]string{
		"VIVIFIED_LISTEN": "127.0.0.1:0", "VIVIFIED_PUBLIC_URL": "https://vivified.example", "VIVIFIED_DATA_DIR": "/var/lib/vivified",
		"DATABASE_URL": "postgres://u:p@h/d", "NATS_URL": "nats://h:4222", "VIVIFIED_REGISTRATION": "open", "VIVIFIED_AUTO_ENABLE": "true",
		"VIVIFIED_SETUP_TOKEN": "setup-1", "VIVIFIED_LOG_LEVEL": "debug", "VIVIFIED_DNS": "127.0.0.1:5353",
		"VIVIFIED_PROXY_PRIVATE_RANGES": `{"api.example.com": ["127.0.0.1/32"]}`, "VIVIFIED_PROXY_CA_FILE": "ca.pem",
		"VIVIFIED_PLUGIN_ADDRESSES": `{"user-management": "http://127.0.0.1:8001"}`, "VIVIFIED_TRUSTED_PROXIES": "10.0.0.1, 192.168.0.0/16",
		"VIVIFIED_PLUGIN_NETWORKS": "10.1.0.0/16", "VIVIFIED_EGRESS_AUTO_APPROVE": "true", "VIVIFIED_TLS_CERT_FILE": "c.pem",
		"VIVIFIED_TLS_KEY_FILE": "k.pem", "VIVIFIED_CONFIG": "/etc/vivified.yaml", "VIVIFIED_METRICS_TOKEN": "scrape-1",
		// Not settings, and no mistakes either:
		"VIVIFIED_MASTER_KEY": "x", "VIVIFIED_MASTER_KEY_FILE": "y", "VIVIFIED_HELLO_INTERVAL": "5s", "VIVIFIED_PLUGIN_STATE": "s",
		"VIVIFIED_CORE_URL": "u", "VIVIFIED_CORE_SOCKET": "s", "VIVIFIED_PLUGIN_SOCKET": "s", "VIVIFIED_REGISTRATION_TOKEN": "t", "HOME": "/root",
	}
	s, err := settings.New(env, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range s.List(everyTrait()) {
		if v.Origin.Layer == settings.Environment {
			got[v.Origin.SetBy] = v.Key.String() + " = " + string(v.Value)
		}
	}
	want := map[string]string{
		"VIVIFIED_LISTEN": `listen = "127.0.0.1:0"`, "VIVIFIED_PUBLIC_URL": `public_url = "https://vivified.example"`,
		"VIVIFIED_DATA_DIR": `data_dir = "/var/lib/vivified"`, "DATABASE_URL": `database_url = "set"`, "NATS_URL": `nats_url = "set"`,
		"VIVIFIED_REGISTRATION": `registration = "open"`, "VIVIFIED_AUTO_ENABLE": `auto_enable = true`, "VIVIFIED_SETUP_TOKEN": `setup_token = "set"`,
		"VIVIFIED_LOG_LEVEL": `log_level = "debug"`, "VIVIFIED_DNS": `dns = "127.0.0.1:5353"`,
		"VIVIFIED_PROXY_PRIVATE_RANGES": `proxy_private_ranges = {"api.example.com":["127.0.0.1/32"]}`, "VIVIFIED_PROXY_CA_FILE": `proxy_ca_file = "ca.pem"`,
		"VIVIFIED_PLUGIN_ADDRESSES": `plugin_addresses = {"user-management":"http://127.0.0.1:8001"}`,
		"VIVIFIED_TRUSTED_PROXIES":  `trusted_proxies = ["10.0.0.1","192.168.0.0/16"]`, "VIVIFIED_PLUGIN_NETWORKS": `plugin_networks = ["10.1.0.0/16"]`,
		"VIVIFIED_EGRESS_AUTO_APPROVE": `egress_auto_approve = true`, "VIVIFIED_TLS_CERT_FILE": `tls_cert_file = "c.pem"`,
		"VIVIFIED_TLS_KEY_FILE": `tls_key_file = "k.pem"`, "VIVIFIED_CONFIG": `config = "/etc/vivified.yaml"`, "VIVIFIED_METRICS_TOKEN": `metrics_token = "set"`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the variables became (-want +got):\n%s", d)
	}
	if got := s.String(settings.DatabaseURL); got != "postgres://u:p@h/d" {
		t.Errorf("the part that needs the secret reads %q", got)
	}
	prefixes := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("192.168.0.0/16")}
	if got := s.Prefixes(settings.TrustedProxies); !slices.Equal(got, prefixes) {
		t.Errorf("trusted proxies read %v; want %v", got, prefixes)
	}
	var ranges map[string][]string
	if err := s.JSON(settings.ProxyPrivateRanges, &ranges); err != nil || ranges["api.example.com"][0] != "127.0.0.1/32" {
		t.Errorf("private ranges read %v, %v", ranges, err)
	}
}

func TestLayersInOrder(t *testing.T) {
	file := []byte("log_level: warn\nlisten: 127.0.0.1:1\nhealth_threshold: 5\nblocked_domains: [a.example, b.example]\nplugin_addresses:\n  x: http://127.0.0.1:9\n")
	s, err := settings.New(map[string]string{"VIVIFIED_LOG_LEVEL": "error", "VIVIFIED_LISTEN": ""}, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		key    settings.Key
		want   string
		layer  settings.Layer
		setter string
	}{
		{settings.LogLevel, "error", settings.Environment, "VIVIFIED_LOG_LEVEL"},
		{settings.Listen, "127.0.0.1:1", settings.File, "line 2"}, // an empty variable is not set
		{settings.Registration, "token", settings.Default, ""},
	} {
		o := s.Origin(row.key)
		if s.String(row.key) != row.want || o.Layer != row.layer || o.SetBy != row.setter {
			t.Errorf("%s is %q by %s (%s); want %q by %s (%s)", row.key, s.String(row.key), o.Layer, o.SetBy, row.want, row.layer, row.setter)
		}
	}
	if s.Int(settings.HealthThreshold) != 5 || !slices.Equal(s.Strings(settings.BlockedDomains), []string{"a.example", "b.example"}) {
		t.Error("a number or a list of the file is not read")
	}
	for _, v := range s.List(everyTrait()) {
		if v.Key == settings.LogLevel && len(v.Layers) != 3 {
			t.Errorf("log_level shows %d layers; want environment, file and default", len(v.Layers))
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, row := range []struct {
		name string
		env  map[string]string
		file string
		rule string
		say  string // in the sentence
	}{
		{"a mistyped variable", map[string]string{"VIVIFIED_LISTN": "x"}, "", "settings.unknown", "Did you mean VIVIFIED_LISTEN?"},
		{"a variable with a prefix too many", map[string]string{"VIVIFIED_DATABASE_URL": "x"}, "", "settings.unknown", "Did you mean DATABASE_URL?"},
		{"a mistyped master key", map[string]string{"VIVIFIED_MASTERKEY": "x"}, "", "settings.unknown", "Did you mean VIVIFIED_MASTER_KEY?"},
		{"nothing alike", map[string]string{"VIVIFIED_ZZZZZZZZZZZZ": "x"}, "", "settings.unknown", "VIVIFIED_ZZZZZZZZZZZZ."},
		{"a mistyped name", nil, "lisetn: x", "settings.unknown", "Did you mean listen?"},
		{"a name with a hyphen", nil, "log-level: info", "settings.unknown", "Did you mean log_level?"},
		{"a master key in the file", nil, "master_key: 00", "settings.unknown", "is no setting"},
		{"the file in the file", nil, "config: x.yaml", "settings.reach", "set VIVIFIED_CONFIG"},
		{"no such choice", map[string]string{"VIVIFIED_REGISTRATION": "closed"}, "", "settings.value", "must be token, approval or open"},
		{"no number", map[string]string{"VIVIFIED_HEALTH_THRESHOLD": "three"}, "", "settings.value", "whole number"},
		{"a number out of bounds", map[string]string{"VIVIFIED_HEALTH_THRESHOLD": "0"}, "", "settings.value", "must be from 1 to 100"},
		{"a time without unit", map[string]string{"VIVIFIED_HEALTH_INTERVAL": "30"}, "", "settings.value", "with its unit"},
		{"a negative time", map[string]string{"VIVIFIED_DRAIN_TIMEOUT": "-1s"}, "", "settings.value", "with its unit"},
		{"a time out of bounds", map[string]string{"VIVIFIED_AUDIT_HEADS_INTERVAL": "2m"}, "", "settings.value", "must be from 1s to 1m"},
		{"no truth value", map[string]string{"VIVIFIED_AUTO_ENABLE": "perhaps"}, "", "settings.value", "true or false"},
		{"no port", map[string]string{"VIVIFIED_LISTEN": "localhost"}, "", "settings.value", "an address and a port"},
		{"an empty data directory in the file", nil, `data_dir: ""`, "settings.value", "must not be empty"},
		{"a path behind the public address", map[string]string{"VIVIFIED_PUBLIC_URL": "https://a.example/x"}, "", "settings.value", "without a path"},
		{"a password in the public address", map[string]string{"VIVIFIED_PUBLIC_URL": "https://a:b@a.example"}, "", "settings.value", "http or https"},
		{"no network", map[string]string{"VIVIFIED_PLUGIN_NETWORKS": "10.0.0.0/33"}, "", "settings.value", "addresses or networks"},
		{"ranges that are no object", map[string]string{"VIVIFIED_PROXY_PRIVATE_RANGES": "[]"}, "", "settings.value", "JSON object"},
		{"ranges that are null", map[string]string{"VIVIFIED_PROXY_PRIVATE_RANGES": "null"}, "", "settings.value", "JSON object"},
		{"ranges that are no JSON", map[string]string{"VIVIFIED_PROXY_PRIVATE_RANGES": "{a: b}"}, "", "settings.value", "must be JSON"},
		{"a range of no network", map[string]string{"VIVIFIED_PROXY_PRIVATE_RANGES": `{"a.example": ["all"]}`}, "", "settings.value", "list of networks"},
		{"a plugin at no URL", map[string]string{"VIVIFIED_PLUGIN_ADDRESSES": `{"x": "127.0.0.1:80"}`}, "", "settings.value", "http or https URL"},
		{"a resolver by name", map[string]string{"VIVIFIED_DNS": "dns.example"}, "", "settings.value", "IP address"},
		{"a port out of range", map[string]string{"VIVIFIED_EGRESS_AUTO_APPROVE_PORTS": "80,99999"}, "", "settings.value", "ports from 1 to 65535"},
		{"a wildcard among domains", nil, "blocked_domains: ['*.example']", "settings.value", "host names in lower case"},
		{"a line break in a value", map[string]string{"VIVIFIED_ORGANISATION": "a\nb"}, "", "settings.value", "control characters"},
		{"a certificate without key", map[string]string{"VIVIFIED_TLS_CERT_FILE": "c.pem"}, "", "settings.contradiction", "go together"},
		{"an idle time beyond the absolute one", nil, "session_absolute: 30m", "settings.contradiction", "session_idle must not be longer"},
		{"a name twice", nil, "log_level: info\nlog_level: warn", "settings.twice", "line 2"},
		{"a wrong type", nil, "log_level: [info]", "settings.value", "must be debug, info, warn or error"},
		{"a mapping for a list", nil, "blocked_domains: {a: b}", "settings.value", "list of strings"},
		{"a list at the top", nil, "- a\n- b", "settings.file", "must be a mapping"},
		{"two documents", nil, "log_level: info\n---\nlog_level: warn", "settings.file", "one YAML document"},
		{"no YAML", nil, "a: [", "settings.file", "not YAML"},
		{"aliases that unfold without end", nil, "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n" +
			"g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\nplugin_addresses: [*g,*g,*g,*g,*g,*g,*g,*g,*g,*g]\n", "settings.value", "unknown setting"},
		{"a name that is a list", nil, "? [a]\n: b", "settings.file", "not text"},
	} {
		_, err := settings.New(row.env, []byte(row.file))
		if code(err) != "settings.invalid" || !slices.Contains(rules(err), row.rule) || !strings.Contains(err.Error(), row.say) {
			t.Errorf("%s: %v %v; want %s and a sentence with %q", row.name, rules(err), err, row.rule, row.say)
		}
	}
}

func TestNewReportsEverything(t *testing.T) {
	_, err := settings.New(map[string]string{"VIVIFIED_LISTN": "x", "VIVIFIED_AUTO_ENABLE": "x"}, []byte("log_level: loud\nfoo: 1"))
	want := []string{"settings.value", "settings.unknown", "settings.value", "settings.unknown"}
	if d := cmp.Diff(want, rules(err)); d != "" {
		t.Errorf("rules (-want +got):\n%s", d)
	}
	if !strings.HasSuffix(err.Error(), "There are 3 more problems.") {
		t.Errorf("the sentence is %q", err)
	}
}

// A secret in the wrong place must not end up in a log.
func TestErrorsQuoteNoValue(t *testing.T) {
	const canary = "C4N4RY-s3cr3t"
	for _, env := range []string{"VIVIFIED_METRICS_TOKEN", "VIVIFIED_LISTEN", "VIVIFIED_AUTO_ENABLE", "VIVIFIED_HEALTH_INTERVAL", "VIVIFIED_PUBLIC_URL", "VIVIFIED_REGISTRATION", "VIVIFIED_DNS", "VIVIFIED_PLUGIN_ADDRESSES"} {
		_, err := settings.New(map[string]string{env: canary + " \x00"}, nil)
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", env, err)
		}
	}
	for _, name := range []string{"listen", "auto_enable", "plugin_addresses", "tls_key_file"} {
		_, err := settings.New(nil, []byte(name+": {a: "+canary+"}"))
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s in the file: %v", name, err)
		}
	}
}

func TestWrongGetterPanics(t *testing.T) {
	s, _ := settings.New(nil, nil)
	defer func() {
		if recover() == nil {
			t.Error("reading a string as a number is a defect and must not pass")
		}
	}()
	s.Int(settings.Listen)
}

func TestValueForms(t *testing.T) {
	for _, row := range []struct{ key, text, want string }{
		{"event_retention", "30d", `"30d"`}, {"event_retention", "720h", `"30d"`}, {"event_retention", "1d12h", `"36h"`},
		{"health_interval", "90s", `"1m30s"`}, {"health_interval", "15m", `"15m"`}, {"health_interval", "1h30m", `"1h30m"`}, {"health_timeout", "500ms", `"500ms"`},
		{"auto_enable", "Yes", "true"}, {"auto_enable", "0", "false"},
		{"blocked_domains", "a.example  b.example,c.example", `["a.example","b.example","c.example"]`},
		{"blocked_domains", `["a.example", "b.example"]`, `["a.example","b.example"]`},
		{"egress_auto_approve_ports", "[80, 8443]", `["80","8443"]`},
		{"plugin_addresses", ` { "a" : "http://a_b:1/x" } `, `{"a":"http://a_b:1/x"}`},
		{"organisation", "Zürich & Söhne <GmbH>", `"Zürich \u0026 Söhne \u003cGmbH\u003e"`},
	} {
		k, err := settings.ParseKey(row.key)
		if err != nil {
			t.Fatal(err)
		}
		s, err := settings.New(map[string]string{k.Definition().Env: row.text}, nil)
		if err != nil {
			t.Errorf("%s = %s: %v", row.key, row.text, err)
			continue
		}
		for _, v := range s.List(everyTrait()) {
			if v.Key == k && string(v.Value) != row.want {
				t.Errorf("%s = %s is shown as %s; want %s", row.key, row.text, v.Value, row.want)
			}
		}
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vivified.yaml")
	if text, err := settings.ReadFile(map[string]string{"VIVIFIED_DATA_DIR": dir}); text != nil || err != nil {
		t.Errorf("no file gave %q, %v; want nothing", text, err)
	}
	if _, err := settings.ReadFile(map[string]string{"VIVIFIED_CONFIG": path}); code(err) != "settings.file" {
		t.Errorf("a file that was named and is not there gave %v; want settings.file", err)
	}
	if err := os.WriteFile(path, []byte("log_level: warn"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, env := range []map[string]string{{"VIVIFIED_DATA_DIR": dir}, {"VIVIFIED_CONFIG": path}} {
		if text, err := settings.ReadFile(env); string(text) != "log_level: warn" || err != nil {
			t.Errorf("%v gave %q, %v", env, text, err)
		}
	}
	if err := os.WriteFile(path, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := settings.ReadFile(map[string]string{"VIVIFIED_CONFIG": path}); code(err) != "settings.file" {
		t.Errorf("a huge file gave %v; want settings.file", err)
	}
}

func TestParseKey(t *testing.T) {
	for _, k := range settings.Keys() {
		if got, err := settings.ParseKey(k.String()); err != nil || got != k {
			t.Errorf("%s is read as %v, %v", k, got, err)
		}
	}
	if _, err := settings.ParseKey("organization"); code(err) != "settings.unknown" || !strings.Contains(err.Error(), "Did you mean organisation?") {
		t.Errorf("organization gave %v", err)
	}
}

// What the table promises to people and programs.
func TestTable(t *testing.T) {
	names, envs := map[string]bool{}, map[string]bool{}
	for _, k := range settings.Keys() {
		d := k.Definition()
		if d.Name == "" || d.Group == "" || !strings.HasSuffix(d.Description, ".") || names[d.Name] || envs[d.Env] {
			t.Errorf("%q lacks a name, a group or a sentence, or is there twice", d.Name)
		}
		names[d.Name], envs[d.Env] = true, true
		if d.Env != "DATABASE_URL" && d.Env != "NATS_URL" && strings.ToLower(strings.TrimPrefix(d.Env, "VIVIFIED_")) != d.Name {
			t.Errorf("%s is %s in the environment", d.Name, d.Env)
		}
		if d.Secret && d.Class < trait.Confidential {
			t.Errorf("%s is secret and of class %s", d.Name, d.Class)
		}
		if !d.Reach.Allows(settings.Database) && (d.DatabaseRefusal() == "" || !d.Restart) {
			t.Errorf("%s cannot change while the core runs: it needs a refusal and a restart", d.Name)
		}
	}
}

func TestListFiltersByTraits(t *testing.T) {
	s, _ := settings.New(nil, nil)
	names := func(who trait.Set) (list []string) {
		for _, v := range s.List(trait.Builtin().Effective(who)) {
			list = append(list, v.Key.String())
		}
		return list
	}
	if got := names(trait.Set{}); len(got) > 0 {
		t.Errorf("nobody sees %v", got)
	}
	if d := cmp.Diff([]string{"public_url", "organisation", "blocked_domains", "approval_life", "approval_own_last_admin", "approval_four_eyes"}, names(trait.SetOf(trait.Viewer))); d != "" {
		t.Errorf("a viewer sees (-want +got):\n%s", d)
	}
	if got := names(trait.SetOf(trait.EventViewer)); !slices.Equal(got, []string{"event_retention", "event_retention_types", "event_max_deliver", "event_max_age"}) {
		t.Errorf("an event viewer sees %v", got)
	}
	if got := len(names(trait.SetOf(trait.Admin))); got != len(settings.Keys()) {
		t.Errorf("an administrator sees %d of %d", got, len(settings.Keys()))
	}
}

func TestValueAsJSON(t *testing.T) {
	s, _ := settings.New(map[string]string{"VIVIFIED_LOG_LEVEL": "warn"}, nil)
	got, err := json.Marshal(value(t, s, settings.LogLevel))
	want := `{"key":"log_level","value":"warn","version":0,"layer":"environment","set_by":"VIVIFIED_LOG_LEVEL",` +
		`"layers":[{"layer":"environment","set_by":"VIVIFIED_LOG_LEVEL","value":"warn"},{"layer":"default","value":"info"}],` +
		`"editable":false,"pending":false,"group":"Serving","description":"Least severe message that is logged.","type":"enum",` +
		`"choices":["debug","info","warn","error"],"default":"info","class":"internal","secret":false,"restart":false,"env":"VIVIFIED_LOG_LEVEL","edited_by":"config_manager"}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s; want\n%s", err, got, want)
	}
}

func FuzzEnvironment(f *testing.F) {
	for _, k := range settings.Keys() {
		d := k.Definition()
		f.Add(d.Env, d.Default)
	}
	f.Add("VIVIFIED_PLUGIN_ADDRESSES", `{"a":"http://[::1]:80/x"}`)
	f.Add("VIVIFIED_EVENT_RETENTION", "36500d")
	f.Add("VIVIFIED_NO_SUCH", "")
	f.Fuzz(func(t *testing.T, name, text string) {
		s, err := settings.New(map[string]string{name: text}, nil)
		if err != nil {
			if len(rules(err)) == 0 {
				t.Errorf("%q=%q: a refusal without a rule: %v", name, text, err)
			}
			return
		}
		// What was accepted is shown, and reads back to the same.
		for _, v := range s.List(everyTrait()) {
			if v.Origin.Layer != settings.Environment || v.Definition.Secret || v.Key == settings.ConfigFile {
				continue
			}
			again, err := settings.New(nil, []byte(v.Key.String()+": "+string(v.Value)))
			if err != nil && !slices.Equal(rules(err), []string{"settings.contradiction"}) {
				t.Errorf("%s = %s does not read back: %v", v.Key, v.Value, err)
			}
			if err == nil {
				for _, w := range again.List(everyTrait()) {
					if w.Key == v.Key && string(w.Value) != string(v.Value) {
						t.Errorf("%s = %s reads back as %s", v.Key, v.Value, w.Value)
					}
				}
			}
		}
	})
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("log_level: warn\nblocked_domains: [a.example]\nplugin_addresses: {x: http://127.0.0.1:1}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("listen: !!binary aGk=\n"))
	f.Add([]byte("? {a: b}\n: c\n"))
	f.Add([]byte("log_level: 2001-01-01\nhealth_threshold: .nan\n<<: {a: b}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := settings.New(nil, file); err != nil && len(rules(err)) == 0 {
			t.Errorf("a refusal without a rule: %v", err)
		}
	})
}
