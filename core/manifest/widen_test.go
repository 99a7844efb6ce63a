package manifest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/trait"
)

func TestWidens(t *testing.T) {
	const endpoint = `{"path": "/api/notes", "requires_traits": ["viewer"], "data_classification": "confidential",
		"response_schema": {"properties": {"by": {"x-class": "confidential"}}}}`
	for _, tc := range []struct {
		base, at, from, to string
		want               string
	}{
		{notes, "/traits", `["audit_required"]`, `["audit_required", "cloud", "ledger"]`, "traits: cloud; traits: ledger"},
		{notes, "/traits", `["audit_required", "cloud"]`, `["audit_required"]`, ""},
		{chart, "/traits", `["phi_handler", "audit_required"]`, `["handles_phi", "audit_required"]`, ""},
		{notes, "/security/data_classification", `["internal"]`, `["internal", "confidential"]`, "security.data_classification: confidential"},
		{notes, "/allowed_domains", `["a.example"]`, `["a.example", "b.example"]`, "allowed_domains: b.example"},
		{notes, "/allowed_domains", `["a.example", "b.example"]`, `["B.example"]`, ""},
		{notes, "/dependencies", `[]`, `["email-sender", "IdentityPlugin"]`, "dependencies: may call IdentityPlugin; dependencies: may call email-sender"},
		{notes, "/events", `{"subscribes": ["user.created"]}`, `{"subscribes": ["user.*"]}`, "events.subscribes: user.*"},
		{notes, "/events", `{"publishes": ["UserCreated"]}`, `{"publishes": ["user.created", "user.gone"]}`, "events.publishes: user.gone"},
		{notes, "/events", `{"publishes": [{"type": "a.b", "classification": "confidential"}]}`, `{"publishes": [{"type": "a.b", "classification": "internal"}]}`,
			"events.publishes.a.b: no longer data treated as confidential or above"},
		{notes, "/events", `{"publishes": [{"type": "a.b", "schema": {"properties": {"x": {"x-class": "pii"}}}}]}`, `{"publishes": [{"type": "a.b", "schema": {"properties": {"x": {}}}}]}`,
			"events.publishes.a.b.schema: no longer /properties/x treated as confidential or above; events.publishes.a.b.schema: no longer /properties/x treated as internal or above; " +
				"events.publishes.a.b.schema: no longer /properties/x treated as pii or above"},
		{notes, "/endpoints/list", endpoint, `{"path": "/api/notes", "requires_traits": [], "data_classification": "confidential"}`,
			"endpoints.list.requires_traits: no longer requires viewer; endpoints.list.response_schema: no longer /properties/by treated as confidential or above; " +
				"endpoints.list.response_schema: no longer /properties/by treated as internal or above"},
		{notes, "/endpoints/list", endpoint, strings.ReplaceAll(endpoint, `"x-class": "confidential"`, `"x-class": "phi"`), ""},
		{notes, "/endpoints", `{"list": ` + endpoint + `}`, `{"other": "/x"}`, ""},
		{notes, "/security/requires_traits", `["viewer", "finance_access"]`, `["viewer"]`, "security.requires_traits: no longer requires finance_access"},
		{notes, "/security/network_isolation", `true`, `false`, "security.network_isolation: no longer isolated"},
		{notes, "/compliance/audit_level", `"complete"`, `"basic"`, "compliance.audit_level: no longer at least complete; compliance.audit_level: no longer at least detailed"},
		{notes, "/compliance/audit_level", `"basic"`, `"complete"`, ""},
		{notes, "/compliance/data_retention_days", `100`, `99`, "compliance.data_retention_days: less strict"},
		{notes, "/compliance/data_retention_days", `100`, `101`, ""},
		{notes, "/resources", `{"memory_limit": 64}`, `{"memory_limit": 65}`, "resources.memory_limit: less strict"},
		{notes, "/resources", `{"memory_limit": 64, "cpu_limit": 2}`, `{"cpu_limit": 1}`, "resources.memory_limit: no longer stated"},
		{notes, "/runtime", `{"base_url": "http://a"}`, `{"base_url": "http://b"}`, "runtime.base_url: is called at http://b"},
		{notes, "/runtime", `{}`, `{"kind": "external"}`, ""},
		{notes, "/runtime", `{}`, `{"kind": "container", "image": "notes:1"}`, "runtime.image: notes:1; runtime.kind: container"},
		{notes, "/contracts", `["ProcessingPlugin"]`, `["ProcessingPlugin", "IdentityPlugin"]`, "contracts: stands in for any IdentityPlugin"},
		{notes, "/ui", `{"pages": [{"path": "/a", "requires_traits": ["viewer"]}]}`, `{"pages": [{"path": "/a"}, {"path": "/b"}]}`, "ui.pages./a.requires_traits: no longer requires viewer"},
		{notes, "/description", `"a"`, `"b"`, ""},
		{graph, "/permissions", `["data:read:tasks"]`, `["data:read:tasks", "data:write:tasks", "network:inbound", "storage:read"]`,
			"permissions: data:write:tasks; permissions: network:inbound; permissions: storage:read"},
	} {
		read := func(to string) *manifest.Manifest {
			m, found := manifest.Read(edit(t, row{tc.base, tc.at, to, ""}), manifest.Options{})
			if !found.OK() {
				t.Fatal(tc.at, to, found)
			}
			return &m
		}
		var got []string
		for _, w := range manifest.Widens(trait.Builtin(), read(tc.from), read(tc.to)) {
			got = append(got, fmt.Sprintf("%s: %s", w.Field, w.What))
		}
		if diff := cmp.Diff(tc.want, strings.Join(got, "; ")); diff != "" {
			t.Errorf("%s from %s to %s (-want +got):\n%s", tc.at, tc.from, tc.to, diff)
		}
		if same := manifest.Widens(trait.Builtin(), read(tc.to), read(tc.to)); same != nil {
			t.Errorf("%s %s widens itself: %v", tc.at, tc.to, same)
		}
	}
}

func TestDependencySatisfiedBy(t *testing.T) {
	m := &manifest.Manifest{ID: "email-sender", Version: "1.4.0", Contracts: []string{"CommunicationPlugin"}}
	for doc, want := range map[string]bool{
		`"email-sender"`: true, `"email"`: false, `"CommunicationPlugin"`: true, `"StoragePlugin"`: false,
		`{"id": "email-sender", "version": "^1.2"}`: true, `{"id": "email-sender", "version": "^2"}`: false, `{"id": "CommunicationPlugin", "version": "1.x"}`: true,
	} {
		n, found := manifest.Read(edit(t, row{notes, "/dependencies", "[" + doc + "]", ""}), manifest.Options{})
		if !found.OK() || n.Dependencies[0].SatisfiedBy(m) != want {
			t.Errorf("%s is satisfied: %v, want %v (%v)", doc, !want, want, found.Errors())
		}
	}
}

// TestDigest: the digest is of the meaning, not of the spelling.
func TestDigest(t *testing.T) {
	digest := func(doc string, f manifest.Format) string {
		m, found := manifest.Read([]byte(doc), manifest.Options{Format: f})
		if !found.OK() {
			t.Fatal(found)
		}
		return m.Digest()
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(notes), &members); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	want := digest(notes, manifest.JSON)
	for _, doc := range []string{string(sorted), strings.ReplaceAll(notes, "Notes", `\u004eotes`)} {
		if got := digest(doc, manifest.JSON); got != want {
			t.Errorf("another spelling has another digest: %s", doc)
		}
	}
	if digest(strings.ReplaceAll(notes, "\t", "  "), manifest.YAML) != want {
		t.Error("the same as YAML has another digest")
	}
	if digest(strings.Replace(notes, "1.2.0", "1.2.1", 1), manifest.JSON) == want {
		t.Error("another version has the same digest")
	}
}
