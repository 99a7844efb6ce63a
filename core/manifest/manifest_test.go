package manifest_test

import (
	"encoding/json"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/trait"
)

// full uses every field of a service plugin's manifest.
const full = `
id: patient-portal
name: Patient Portal
version: 2.1.0-rc.1
description: Lets patients see their charts.
publisher: Example Health
license: Apache-2.0
homepage: https://example.com/portal
icon: heart-pulse
category: integration
changelog: First release.
contracts: [IntegrationPlugin, IdentityPlugin]
traits: [handles_phi, pii_processor, audit_required, external_service, ledger]
dependencies: [identity-service, StoragePlugin, {id: email-sender, version: ^1.2}]
allowed_domains: [Push.Example.com, api.example.com]
endpoints:
  user_info: /api/users/{id}
  health: /health
  chart:
    path: /charts/{patient}/{year}
    method: put
    summary: Replaces a chart.
    requires_traits: [handles_phi]
    data_classification: phi
    request_schema: {type: object}
    response_schema: {properties: {ssn: {x-class: pii}}}
    timeout: 1m30s
    idempotent: true
events:
  publishes: [ChartChanged, {type: chart.read, classification: [pii, phi], schema: {properties: {who: {x-class: pii}}}}]
  subscribes: [user.*, UserDeleted]
  delivery: webhook
transformers: [{name: in, from: Own, to: CanonicalUser, language: jq, expression: .}]
config_schema: {properties: {token: {type: string, x-secret: true}}, type: object}
hooks: {init: /hooks/init, shutdown: /hooks/stop, heartbeat: /hooks/beat}
ui: {pages: [{title: Charts, path: /charts, icon: chart-line, requires_traits: [finance_access, viewer]}, {path: /bare}]}
security:
  authentication_required: true
  data_classification: [phi, pii, internal]
  network_isolation: true
  allowed_domains: [api.example.com]
  requires_traits: [viewer]
compliance: {hipaa_controls: ["164.312(a)(1)", "164.312"], audit_level: complete, data_retention_days: 3650}
health_check: {type: http, port: 8080, path: /live, interval: 15, timeout: 0.5, threshold: 5}
resources: {memory_limit: 256, cpu_limit: 1.5, pids_limit: 64, storage_quota: 1024}
runtime:
  kind: container
  image: registry.example/portal:2.1@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  command: [/portal, --serve]
  port: 8080
  env: {LOG: debug}
  base_url: http://portal:8080/x
  protocol: grpc
`

func TestReadGivesEveryField(t *testing.T) {
	m, found := manifest.Read([]byte(full), manifest.Options{Format: manifest.YAML, RequireDigest: true})
	if !found.OK() {
		t.Fatal(found.Errors())
	}
	version, _ := manifest.ParseRange("^1.2")
	want := manifest.Manifest{
		Kind: manifest.Service, ID: "patient-portal", Name: "Patient Portal", Version: "2.1.0-rc.1", Description: "Lets patients see their charts.",
		Publisher: "Example Health", License: "Apache-2.0", Homepage: "https://example.com/portal", Icon: "heart-pulse", Category: "integration", Changelog: "First release.",
		Contracts:      []string{"IntegrationPlugin", "IdentityPlugin"},
		Traits:         trait.SetOf(trait.HandlesPHI, trait.HandlesPII, trait.AuditRequired, trait.ExternalService),
		DeclaredTraits: []string{"handles_phi", "pii_processor", "audit_required", "external_service", "ledger"},
		UnknownTraits:  []string{"ledger"},
		Dependencies:   []manifest.Dependency{{ID: "identity-service"}, {Contract: "StoragePlugin"}, {ID: "email-sender", Version: version}},
		AllowedDomains: []string{"api.example.com", "push.example.com"},
		Endpoints: []manifest.Endpoint{
			{Name: "chart", Path: "/charts/{patient}/{year}", Method: "PUT", Summary: "Replaces a chart.",
				Requires: manifest.Requirement{Traits: trait.SetOf(trait.HandlesPHI)}, Classes: trait.ClassesOf(trait.PHI),
				RequestSchema: json.RawMessage(`{"type":"object"}`), ResponseSchema: json.RawMessage(`{"properties":{"ssn":{"x-class":"pii"}}}`),
				Timeout: 90 * time.Second, Idempotent: true},
			{Name: "health", Path: "/health", Classes: trait.ClassesOf(trait.Internal)},
			{Name: "user_info", Path: "/api/users/{id}", Classes: trait.ClassesOf(trait.PHI, trait.PII, trait.Internal)},
		},
		Events: manifest.Events{
			Publishes: []manifest.Publish{{Type: "chart.changed"}, {Type: "chart.read", Classes: trait.ClassesOf(trait.PII, trait.PHI),
				Schema: json.RawMessage(`{"properties":{"who":{"x-class":"pii"}}}`)}},
			Subscribes: []string{"user.*", "user.deleted"}, Delivery: manifest.Webhook, Path: "/events", Format: manifest.Structured,
		},
		Transformers: []manifest.Transformer{{Name: "in", From: "Own", To: "CanonicalUser", Expression: "."}},
		ConfigSchema: json.RawMessage(`{"properties":{"token":{"type":"string","x-secret":true}},"type":"object"}`),
		Hooks:        manifest.Hooks{Init: "/hooks/init", Shutdown: "/hooks/stop", Heartbeat: "/hooks/beat"},
		Pages: []manifest.Page{
			{Title: "Charts", Path: "/charts", Icon: "chart-line", Requires: manifest.Requirement{Traits: trait.SetOf(trait.Viewer), Unknown: []string{"finance_access"}}},
			{Title: "Patient Portal", Path: "/bare"},
		},
		Security: manifest.Security{Classes: trait.ClassesOf(trait.PHI, trait.PII, trait.Internal), NetworkIsolation: true,
			Requires: manifest.Requirement{Traits: trait.SetOf(trait.Viewer)}},
		Compliance:  manifest.Compliance{Controls: []string{"164.312(a)(1)", "164.312"}, AuditLevel: manifest.AuditComplete, RetentionDays: 3650},
		HealthCheck: &manifest.HealthCheck{Type: "http", Port: 8080, Path: "/live", Interval: 15 * time.Second, Timeout: 500 * time.Millisecond, Threshold: 5},
		Resources:   manifest.Resources{Memory: 256 << 20, CPU: 1.5, PIDs: 64, Storage: 1 << 30},
		Runtime: manifest.Runtime{Kind: manifest.Container, Image: "registry.example/portal:2.1", Digest: "sha256:" + strings.Repeat("a", 64),
			Command: []string{"/portal", "--serve"}, Port: 8080, Env: map[string]string{"LOG": "debug"}, BaseURL: "http://portal:8080/x", Protocol: "grpc"},
		Raw: m.Raw,
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rereads(t, m)
	if e, ok := m.Endpoint("chart"); !ok || !cmp.Equal(e.Params(), []string{"patient", "year"}) {
		t.Errorf("chart = %+v, %v", e, ok)
	}
	if _, ok := m.Endpoint("charts"); ok {
		t.Error("an endpoint that nobody declared")
	}
	if m.Pages[0].Requires.Met(trait.SetOf(trait.Viewer)) || !m.Security.Requires.Met(trait.SetOf(trait.Viewer)) || m.Security.Requires.Met(trait.Set{}) {
		t.Error("an unknown trait must be held by nobody, and a known one by its holders")
	}
	if p, ok := m.Events.MayPublish("ChartRead"); !ok || p.Type != "chart.read" {
		t.Errorf("ChartRead may be published as %+v, %v", p, ok)
	}
	if _, ok := m.Events.MayPublish("chart.deleted"); ok || m.Events.Subscribed("chart.read") || !m.Events.Subscribed("user.created") {
		t.Error("publishing or subscribing goes beyond the manifest")
	}
}

// The manifests that the isolates' documentation prints.
const commsRules = `{
  "id": "io.madeopen.comms-rules",
  "name": "Communications Rule Operators",
  "version": "1.0.0",
  "type": "operator",
  "entrypoint": "./index.ts",
  "permissions": ["data:read:conversations", "data:read:messages", "data:read:tasks", "data:write:tasks", "event:publish:comms.*"]
}`

func TestReadIsolates(t *testing.T) {
	m, found := manifest.Read([]byte(graph), manifest.Options{})
	if found != nil {
		t.Fatal(found)
	}
	want := manifest.Manifest{
		Kind: manifest.Isolate, ID: "com.microsoft.graph", Name: "Microsoft Graph Connector", Version: "1.0.0",
		Traits:         trait.SetOf(trait.IntegrationPlugin, trait.ExternalService),
		AllowedDomains: []string{"graph.microsoft.com"},
		Events:         manifest.Events{Publishes: []manifest.Publish{{Type: "connector.*"}, {Type: "data.*"}}},
		ConfigSchema:   json.RawMessage(`{"properties":{"clientId":{"type":"string"},"tenantId":{"type":"string"}},"required":["clientId","tenantId"],"type":"object"}`),
		Security:       manifest.Security{Classes: trait.ClassesOf(trait.Internal)},
		Compliance:     manifest.Compliance{AuditLevel: manifest.AuditBasic},
		Runtime:        manifest.Runtime{Kind: "isolate"},
		Code:           manifest.Code{Type: "connector", Entrypoint: "index.ts"},
		Raw:            m.Raw,
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("com.microsoft.graph (-want +got):\n%s", diff)
	}
	rereads(t, m)

	m, found = manifest.Read([]byte(commsRules), manifest.Options{})
	if found != nil {
		t.Fatal(found)
	}
	if diff := cmp.Diff(trait.SetOf(trait.WorkflowPlugin, trait.HandlesPII, trait.AuditRequired, trait.HandlesConfidential), m.Traits); diff != "" {
		t.Errorf("traits of its permissions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]manifest.DataAccess{
		{Entity: "conversations", Class: trait.PII, Read: true}, {Entity: "messages", Class: trait.PII, Read: true},
		{Entity: "tasks", Class: trait.Confidential, Read: true, Write: true},
	}, m.Code.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if m.Security.Classes != trait.ClassesOf(trait.PII, trait.Confidential) || m.Compliance.AuditLevel != manifest.AuditDetailed {
		t.Errorf("classes %s, audit %s", m.Security.Classes, m.Compliance.AuditLevel)
	}
	rereads(t, m)
}

func TestReadStructuredIsolate(t *testing.T) {
	m, found := manifest.Read([]byte(`{"id": "io.x.y", "name": "Y", "version": "1.0.0", "type": "channel", "entrypoint": "./src/main.ts",
		"permissions": {"network": ["api.example.com", "inbound"], "data": ["contacts", "write:tasks"], "events": ["publish:comms.*"], "storage": ["read"]},
		"config": [{"key": "url", "type": "string", "label": "Address", "required": true}, {"name": "token", "type": "secret"}, {"key": "n", "type": "number", "default": 3}]}`), manifest.Options{})
	if !found.OK() {
		t.Fatal(found)
	}
	want := manifest.Code{Type: "channel", Entrypoint: "src/main.ts", Inbound: true, StorageRead: true, Data: []manifest.DataAccess{
		{Entity: "contacts", Class: trait.PII, Read: true}, {Entity: "tasks", Class: trait.Confidential, Write: true}}}
	if diff := cmp.Diff(want, m.Code); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(`{"properties":{"n":{"default":3,"type":"number"},"token":{"type":"string","x-secret":true},"url":{"title":"Address","type":"string"}},"required":["url"],"type":"object"}`,
		string(m.ConfigSchema)); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	rereads(t, m)
}

func TestDefaultsFollowTheTraits(t *testing.T) {
	for _, tc := range []struct {
		base, at, to string
		level        string
		days         int
	}{
		{notes, "/compliance", remove, manifest.AuditDetailed, 0},
		{people, "/compliance", remove, manifest.AuditDetailed, 0},
		{crm, "/compliance", remove, manifest.AuditBasic, 0},
		{crm, "/name", `"x"`, manifest.AuditNone, 0},
		{chart, "/compliance/data_retention_days", remove, manifest.AuditComplete, 2555},
		{chart, "/name", `"x"`, manifest.AuditComplete, 2555},
		{notes, "/compliance/data_retention_days", `30`, manifest.AuditBasic, 30},
	} {
		m, found := manifest.Read(edit(t, row{tc.base, tc.at, tc.to, ""}), manifest.Options{})
		if !found.OK() || m.Compliance.AuditLevel != tc.level || m.Compliance.RetentionDays != tc.days {
			t.Errorf("%s %s becomes %s: %s, %d days (%v)", m.ID, tc.at, tc.to, m.Compliance.AuditLevel, m.Compliance.RetentionDays, found.Errors())
		}
	}
}

func TestOptions(t *testing.T) {
	custom, err := trait.Builtin().With([]trait.Trait{{Name: "finance_access", Assignable: trait.ToUser | trait.ToPlugin, Prerequisites: []trait.ID{trait.AuditRequired}}})
	if err != nil {
		t.Fatal(err)
	}
	pinned := `{"image": "notes@sha256:` + strings.Repeat("a", 64) + `"}`
	for _, tc := range []struct {
		name string
		row  row
		o    manifest.Options
	}{
		{"the operator's blocked domains", row{crm, "/allowed_domains", `["cdn.evil.example"]`, "domain.blocked"}, manifest.Options{Blocked: []string{"evil.example"}}},
		{"for isolates, too", row{graph, "/permissions", `["network:outbound:evil.example"]`, "domain.blocked"}, manifest.Options{Blocked: []string{"evil.example"}}},
		{"a custom trait", row{notes, "/traits", `["finance_access", "audit_required"]`, ""}, manifest.Options{Traits: custom}},
		{"a custom trait's prerequisite", row{notes, "/traits", `["finance_access"]`, "traits.prerequisite"}, manifest.Options{Traits: custom}},
		{"an image without digest", row{notes, "/runtime", `{"image": "notes:1"}`, "runtime.invalid"}, manifest.Options{RequireDigest: true}},
		{"an image with digest", row{notes, "/runtime", pinned, ""}, manifest.Options{RequireDigest: true}},
		{"no policy on digests", row{notes, "/runtime", `{"image": "notes:1"}`, ""}, manifest.Options{}},
		{"the entity model's own class", row{graph, "/permissions", `["data:read:contacts"]`, "traits.phi_needs_hipaa"},
			manifest.Options{EntityClass: func(string) (trait.Class, bool) { return trait.PHI, true }}},
	} {
		_, found := manifest.Read(edit(t, tc.row), tc.o)
		var got []string
		for _, f := range found.Errors() {
			got = append(got, f.Rule)
		}
		if strings.Join(got, " ") != tc.row.want {
			t.Errorf("%s: %v, want %q", tc.name, found, tc.row.want)
		}
	}
}

func TestProblem(t *testing.T) {
	for _, tc := range []struct{ doc, want, code string }{
		{string(edit(t, row{notes, "/id", remove, ""})), "Invalid manifest format: field id is required", "required.id"},
		{string(edit(t, row{notes, "/traits", `5`, ""})), "Invalid manifest format: field traits must be an array of strings, not a number", "type.traits"},
		{`{`, "Invalid manifest format: line 1, column 2: the document ends too early", "json.malformed"},
		{string(edit(t, row{chart, "/security/data_classification", `["internal"]`, ""})),
			"Security validation failed: Plugin with handles_phi trait must declare 'phi' in data_classification", "traits.phi_needs_class"},
		{string(edit(t, row{notes, "/traits", `["admin"]`, ""})), "Security validation failed: Dangerous traits not allowed: admin", "traits.forbidden"},
		{string(edit(t, row{crm, "/allowed_domains", `["localhost"]`, ""})), "Security validation failed: Domain 'localhost' is blocked for security reasons", "domain.blocked"},
		{string(edit(t, row{notes, "/resources", `{"memory_limit": 1}`, ""})), "Security validation failed: Memory limit too low (minimum 64MB)", "resources.memory_limit.min"},
		{`{"traits": ["admin"], "zzz": 1}`, "Invalid manifest format: field id is required", "required.id"},
	} {
		_, found := manifest.Read([]byte(tc.doc), manifest.Options{})
		if got := found.Problem(); got != tc.want {
			t.Errorf("%.60s: %q, want %q", tc.doc, got, tc.want)
		}
		f := fault.Of(found.Err())
		if f.Kind != fault.Invalid || f.Code != tc.code || f.Sentence != tc.want || len(f.Violations) != len(found) {
			t.Errorf("%.60s: %+v", tc.doc, f)
		}
	}
	_, found := manifest.Read(make([]byte, manifest.MaxBytes+1), manifest.Options{})
	if !fault.Is(found.Err(), fault.TooLarge) {
		t.Errorf("a document over the limit is %v", found.Err())
	}
	_, found = manifest.Read([]byte(notes), manifest.Options{})
	if found.Err() != nil || found.Problem() != "" || !found.OK() {
		t.Errorf("a valid manifest is refused: %v", found)
	}
	if b, err := json.Marshal(found.Report()); err != nil || string(b) != `{"valid":true,"findings":[]}` {
		t.Errorf("its report is %s, %v", b, err)
	}
	_, found = manifest.Read(edit(t, row{notes, "/x", "1", ""}), manifest.Options{})
	if b, _ := json.Marshal(found.Report()); string(b) != `{"valid":true,"findings":[{"rule":"field.unknown","severity":"warning","path":"/x","message":"Field 'x' is not known",`+
		`"fix":"Check its spelling; names are case-sensitive."}]}` {
		t.Errorf("a warning's report is %s", b)
	}
}

// TestFindingsAreOrdered: errors before warnings, what is malformed first, then
// by the table, and always the same.
func TestFindingsAreOrdered(t *testing.T) {
	doc := []byte(`{"zz": 1, "resources": {"cpu_limit": 99, "memory_limit": 1}, "traits": ["x", "admin"], "version": 1, "name": " ", "security": {"data_classification": []}}`)
	want := "required.id required.contracts type.version name.empty traits.forbidden security.authentication_required security.data_classification.empty " +
		"resources.memory_limit.min resources.cpu_limit.max field.unknown traits.unknown"
	for range 50 {
		_, found := manifest.Read(doc, manifest.Options{})
		var got []string
		for _, f := range found {
			got = append(got, f.Rule)
		}
		if strings.Join(got, " ") != want {
			t.Fatalf("got  %s\nwant %s", strings.Join(got, " "), want)
		}
	}
}

// TestHostileDocuments: whatever 256 KiB hold, reading them takes bounded
// memory and time, and the answer stays readable.
func TestHostileDocuments(t *testing.T) {
	many := func(n int, one string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(one, "%d", strconv.Itoa(i)))
		}
		return b.String()
	}
	fill := func(head, one, tail string) string {
		return head + many((manifest.MaxBytes-len(head)-len(tail))/(len(one)+6), one) + tail
	}
	for _, tc := range []struct {
		name, doc string
		format    manifest.Format
	}{
		{"numbers", fill(`{"x":[`, `0`, `]}`), manifest.JSON},
		{"empty lists", fill(`{"x":[`, `[]`, `]}`), manifest.JSON},
		{"unknown fields", fill(`{`, `"%d":0`, `}`), manifest.JSON},
		{"traits", fill(`{"traits":[`, `"t%d"`, `]}`), manifest.JSON},
		{"forbidden traits", fill(`{"traits":[`, `"admin"`, `]}`), manifest.JSON},
		{"domains", fill(`{"allowed_domains":[`, `"*"`, `]}`), manifest.JSON},
		{"valid domains", fill(`{"allowed_domains":[`, `"a%d.example"`, `]}`), manifest.JSON},
		{"endpoints", fill(`{"endpoints":{`, `"a%d":"/x"`, `}}`), manifest.JSON},
		{"schemas", fill(`{"endpoints":{`, `"a%d":{"path":"/x","request_schema":{"type":"object"}}`, `}}`), manifest.JSON},
		{"broken schemas", fill(`{"endpoints":{`, `"a%d":{"path":"/x","request_schema":{"type":"objekt"}}`, `}}`), manifest.JSON},
		{"events", fill(`{"events":{"publishes":[`, `"a.b%d"`, `]}}`), manifest.JSON},
		{"subscriptions", fill(`{"events":{"subscribes":[`, `"a.b%d"`, `]}}`), manifest.JSON},
		{"permissions", fill(`{"type":"x","entrypoint":"x","permissions":[`, `"data:read:a%d"`, `]}`), manifest.JSON},
		{"one properties", fill(`{"config_schema":{"properties":{`, `"a%d":{}`, `}}}`), manifest.JSON},
		{"required", fill(`{"config_schema":{"required":[`, `"a%d"`, `]}}`), manifest.JSON},
		{"same required", fill(`{"config_schema":{"required":[`, `"a"`, `]}}`), manifest.JSON},
		{"enum", fill(`{"config_schema":{"enum":[`, `[%d]`, `]}}`), manifest.JSON},
		{"anyOf", fill(`{"config_schema":{"anyOf":[`, `{"type":5}`, `]}}`), manifest.JSON},
		{"patterns", `{"config_schema":{"patternProperties":{` + many(3000, `"%d{1000}":{}`) + `}}}`, manifest.JSON},
		{"long patterns", `{"config_schema":{"allOf":[` + many(1500, `{"pattern":"%d{999}b{999}c{999}d{999}e{999}f{999}g{999}h{999}"}`) + `]}}`, manifest.JSON},
		{"jq", `{"transformers":[{"name":"a","from":"a","to":"b","expression":"` + strings.Repeat("(", 8000) + "." + strings.Repeat(")", 8000) + `"}]}`, manifest.JSON},
		{"jq pipes", `{"transformers":[{"name":"a","from":"a","to":"b","expression":"` + strings.Repeat(".|", 8000) + `."}]}`, manifest.JSON},
		{"jq alternatives", `{"transformers":[{"name":"a","from":"a","to":"b","expression":"` + strings.Repeat(".as[$a]?//", 1600) + `."}]}`, manifest.JSON},
		{"long number", `{"x":` + strings.Repeat("9", manifest.MaxBytes-10) + `}`, manifest.JSON},
		{"long name", `{"` + strings.Repeat("\U0001f600", 60_000) + `":1}`, manifest.JSON},
		{"long version", `{"version":"1.0.0-` + strings.Repeat("a.", 120_000) + `"}`, manifest.JSON},
		{"long control", `{"compliance":{"hipaa_controls":["` + strings.Repeat("(", 200_000) + `"]}}`, manifest.JSON},
		{"YAML bomb", bomb(), manifest.YAML},
		{"YAML, one long text many times", "x: &a " + strings.Repeat("a", 100_000) + "\ny: [" + strings.TrimSuffix(strings.Repeat("*a,", 50_000), ",") + "]", manifest.YAML},
		{"YAML, one long key many times", "x: &a " + strings.Repeat("a", 100_000) + "\ny: [" + strings.TrimSuffix(strings.Repeat("{*a : 1},", 16_000), ",") + "]", manifest.YAML},
		{"numbers that grow", strings.TrimSuffix(notes, "}") + `,"x":[` + strings.TrimSuffix(strings.Repeat("1e20,", 50_000), ",") + "]}", manifest.JSON},
		{"YAML numbers", fill(`{"x":[`, `0`, `]}`), manifest.YAML},
		{"YAML anchors", fill(`[`, `&a%d x`, `]`), manifest.YAML},
		{"YAML depth", strings.Repeat("- ", 100_000), manifest.YAML},
		{"YAML keys", strings.Repeat("? ", 100_000), manifest.YAML},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, found := manifest.Read([]byte(tc.doc), manifest.Options{Format: tc.format})
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			t.Logf("%d bytes: %d findings, %d KiB, %s", len(tc.doc), len(found), (after.TotalAlloc-before.TotalAlloc)>>10, took)
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 300 {
				t.Errorf("allocates %d MiB", mib)
			}
			if took > 20*time.Second {
				t.Errorf("takes %s", took)
			}
			if found.OK() || len(found) > 1000 {
				t.Errorf("%d findings", len(found))
			}
			if b, _ := json.Marshal(found); len(b) > 256<<10 {
				t.Errorf("an answer of %d bytes", len(b))
			}
		})
	}
}
