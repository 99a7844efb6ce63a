package market_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/market"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db/dbtest"
)

// world is a shelf over a database of its own, under a policy that the test changes.
type world struct {
	*market.Service
	t      *testing.T
	ctx    context.Context
	db     *dbtest.DB
	policy market.Policy
}

func newWorld(t *testing.T) *world {
	t.Helper()
	store, err := bundle.OpenStore(t.TempDir(), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w := &world{t: t, db: dbtest.New(t)}
	w.ctx = actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: uuid.NewString(), Name: "Ada", Tenant: actor.DefaultTenant})
	w.Service = market.New(market.Config{
		Pool: w.db.Pool, Store: store, Options: func() manifest.Options { return manifest.Options{Traits: trait.Builtin()} },
		Policy: func() market.Policy { return w.policy }, Runtimes: func() []string { return []string{"external", "sandbox"} }, Log: slog.New(slog.DiscardHandler),
	})
	return w
}

// document is a manifest of a sandboxed plugin with more members in it.
func document(id, version, more string) string {
	return fmt.Sprintf(`{"id": %q, "name": "The %s", "version": %q, "publisher": "Acme", "contracts": [], "traits": ["handles_internal"],
		"security": {"authentication_required": true, "data_classification": ["internal"]}, "runtime": {"kind": "sandbox", "command": ["/run"]}%s}`, id, id, version, more)
}

// file packs a .vvplugin, signed by keys.
func (w *world) file(doc string, keys ...bundle.PrivateKey) []byte {
	w.t.Helper()
	dir := w.t.TempDir()
	for name, text := range map[string]string{"manifest.json": doc, "rootfs/run": "#!/bin/sh"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
	store, err := bundle.OpenStore(w.t.TempDir(), bundle.Limits{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer store.Close()
	b, err := store.Pack(w.ctx, dir, manifest.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := b.Manifest(manifest.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, k := range keys {
		envelope, err := bundle.Sign(w.ctx, k, b.Digest, bundle.Release{ID: m.ID, Version: m.Version})
		if err != nil {
			w.t.Fatal(err)
		}
		if err := store.Attach(w.ctx, b.Digest, bundle.TypeSignature, envelope); err != nil {
			w.t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := store.Export(&out, b.Digest); err != nil {
		w.t.Fatal(err)
	}
	return out.Bytes()
}

func (w *world) put(file []byte) *market.Version {
	w.t.Helper()
	v, err := w.Import(w.ctx, bytes.NewReader(file), "test")
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) trust(name string) bundle.PrivateKey {
	w.t.Helper()
	k, err := bundle.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	if name != "" {
		if _, err := w.AddKey(w.ctx, name, k.Public().PEM()); err != nil {
			w.t.Fatal(err)
		}
	}
	return k
}

func TestTheOperatorsRulesSayWhy(t *testing.T) {
	w := newWorld(t)
	one, two, stranger := w.trust("Acme releases"), w.trust("Our own review"), w.trust("")
	unsigned := w.put(w.file(document("plain", "1.0.0", "")))
	signed := w.put(w.file(document("signed", "1.0.0", ""), one))
	both := w.put(w.file(document("both", "1.0.0", ""), one, two))
	foreign := w.put(w.file(document("foreign", "1.0.0", ""), stranger))
	isolated := w.put(w.file(strings.Replace(document("contained", "1.0.0", ""), `"sandbox"`, `"container"`, 1)))
	tests := []struct {
		name   string
		policy market.Policy
		of     *market.Version
		want   []string
	}{
		{"nothing demanded", market.Policy{}, unsigned, nil},
		{"one signature, none there", market.Policy{Signatures: 1}, unsigned, []string{"signature.missing"}},
		{"one signature, there", market.Policy{Signatures: 1}, signed, nil},
		{"a signature nobody trusts", market.Policy{Signatures: 1}, foreign, []string{"signature.untrusted"}},
		{"two of three, one there", market.Policy{Signatures: 2}, signed, []string{"signature.untrusted"}},
		{"two of three, there", market.Policy{Signatures: 2}, both, nil},
		{"blocked by id", market.Policy{BlockPlugins: []string{"plain"}}, unsigned, []string{"plugin.blocked"}},
		{"blocked by digest", market.Policy{BlockPlugins: []string{unsigned.Digest}}, unsigned, []string{"plugin.blocked"}},
		{"another is blocked", market.Policy{BlockPlugins: []string{"signed"}}, unsigned, nil},
		{"its publisher is blocked", market.Policy{BlockPublishers: []string{"Acme"}}, unsigned, []string{"publisher.blocked"}},
		{"not among the allowed", market.Policy{AllowPlugins: []string{"signed"}}, unsigned, []string{"plugin.not_allowed"}},
		{"its publisher is not among the allowed", market.Policy{AllowPublishers: []string{"Initech"}}, unsigned, []string{"publisher.not_allowed"}},
		{"allowed", market.Policy{AllowPlugins: []string{"plain"}, AllowPublishers: []string{"Acme"}}, unsigned, nil},
		{"every reason", market.Policy{Signatures: 1, BlockPlugins: []string{"plain"}, AllowPublishers: []string{"Initech"}}, unsigned, []string{"signature.missing", "plugin.blocked", "publisher.not_allowed"}},
		{"a runtime that is not here", market.Policy{}, isolated, []string{"runtime.unavailable"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.policy = tt.policy
			v, err := w.Version(w.ctx, tt.of.Digest)
			if err != nil {
				t.Fatal(err)
			}
			var codes []string
			for _, r := range v.Verdict.Blocked {
				codes = append(codes, r.Code)
			}
			if !slices.Equal(codes, tt.want) {
				t.Errorf("blocked for %v, want %v", codes, tt.want)
			}
			_, err = w.Admit(w.ctx, tt.of.Digest)
			if (err == nil) != (tt.want == nil) || err != nil && (!fault.Is(err, fault.Denied) || fault.Of(err).Code != tt.want[0]) {
				t.Errorf("admitted with %v", err)
			}
		})
	}
}

func TestARevokedKeyCountsNoMore(t *testing.T) {
	w := newWorld(t)
	w.policy.Signatures = 1
	k := w.trust("Acme releases")
	v := w.put(w.file(document("signed", "1.0.0", ""), k))
	if !v.Installable() || len(v.Verdict.Signers) != 1 || v.Verdict.Signers[0].Name != "Acme releases" {
		t.Fatalf("judged as %+v", v.Verdict)
	}
	if err := w.RevokeKey(w.ctx, k.Public().ID(), " "); fault.Of(err).Code != "reason.missing" {
		t.Errorf("revoked without a reason: %v", err)
	}
	if err := w.RevokeKey(w.ctx, k.Public().ID(), "the laptop was stolen"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Admit(w.ctx, v.Digest); fault.Of(err).Code != "signature.untrusted" {
		t.Errorf("admitted with %v", err)
	}
	if err := w.RevokeKey(w.ctx, k.Public().ID(), "again"); !fault.Is(err, fault.NotFound) {
		t.Errorf("revoked twice: %v", err)
	}
	if _, err := w.AddKey(w.ctx, "Acme releases", k.Public().PEM()); err != nil {
		t.Errorf("trusted again: %v", err)
	}
	if _, err := w.AddKey(w.ctx, "Acme releases", k.Public().PEM()); fault.Of(err).Code != "marketplace.key_known" {
		t.Errorf("trusted twice: %v", err)
	}
	if _, err := w.AddKey(w.ctx, "Acme", "no key"); !fault.Is(err, fault.Invalid) {
		t.Errorf("trusted no key: %v", err)
	}
}

func TestTheShelfListsVersionsNewestFirst(t *testing.T) {
	w := newWorld(t)
	for _, version := range []string{"1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1"} {
		w.put(w.file(document("greeter", version, "")))
	}
	w.put(w.file(document("lurker", "0.1.0", "")))
	all, err := w.Listings(w.ctx)
	if err != nil || len(all) != 2 || all[0].ID != "greeter" {
		t.Fatalf("%d listings, %v", len(all), err)
	}
	var versions []string
	for _, v := range all[0].Versions {
		versions = append(versions, v.Version)
	}
	if want := []string{"2.0.0-rc.1", "1.10.0", "1.9.0", "1.0.0"}; !slices.Equal(versions, want) {
		t.Errorf("in the order %v", versions)
	}
	w.policy.BlockPlugins = []string{all[0].Versions[0].Digest}
	l, err := w.Listing(w.ctx, "greeter")
	if err != nil || l.Latest().Version != "1.10.0" {
		t.Errorf("the latest that may be installed is %s, %v", l.Latest().Version, err)
	}
	if _, err := w.Listing(w.ctx, "nobody"); !fault.Is(err, fault.NotFound) {
		t.Errorf("listed what is not there: %v", err)
	}
	if err := w.Remove(w.ctx, all[1].Versions[0].Digest); err != nil {
		t.Fatal(err)
	}
	if left, _ := w.Listings(w.ctx); len(left) != 1 {
		t.Errorf("%d listings are left", len(left))
	}
}

func TestWhatCannotBeReadIsRecorded(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Import(w.ctx, strings.NewReader("no archive at all"), "upload"); !fault.Is(err, fault.Invalid) {
		t.Errorf("taken with %v", err)
	}
	var outcome, rule string
	if err := w.db.Pool.QueryRow(w.ctx, "SELECT outcome, rule FROM audit_log WHERE action = 'marketplace.import'").Scan(&outcome, &rule); err != nil || rule != "bundle.malformed" {
		t.Errorf("recorded as %q %q, %v", outcome, rule, err)
	}
}

func TestRiskNamesEachFactor(t *testing.T) {
	base := `{"id": "x", "name": "X", "version": "1.0.0", "contracts": [], "traits": ["handles_internal"], "security": {"authentication_required": true, "data_classification": ["internal"]},
		"runtime": {"kind": "sandbox"}, "resources": {"memory_limit": 64, "cpu_limit": 0.5, "pids_limit": 20}`
	signed := market.Supply{Signers: 1, SBOM: true}
	tests := []struct {
		name, more string
		supply     market.Supply
		adds       map[string]int // to a plugin that may nothing
	}{
		{"nothing", "", signed, nil},
		{"unsigned, of unknown parts", "", market.Supply{}, map[string]int{"unsigned": 20, "missing SBOM": 5}},
		{"two domains", `, "traits": ["handles_internal", "external_service"], "allowed_domains": ["a.example.com", "b.example.com"]`, signed, map[string]int{"domain": 10, "trait": 10}},
		{"hears everything below", `, "events": {"subscribes": ["user.*"], "delivery": "stream"}`, signed, map[string]int{"wildcard event": 8}},
		{"hears one type", `, "events": {"subscribes": ["user.made"], "delivery": "stream"}`, signed, nil},
		{"calls others", `, "dependencies": ["greeter", "IdentityPlugin"]`, signed, map[string]int{"call": 4}},
		{"no limits", `, "resources": {}`, signed, map[string]int{"missing limit": 6}},
		{"runs elsewhere", `, "runtime": {"kind": "external"}`, signed, map[string]int{"runtime": 10}},
		{"personal data", `, "traits": ["handles_pii", "audit_required"], "security": {"authentication_required": true, "data_classification": ["pii"]}`, signed, map[string]int{"trait": 10, "class": 10}},
	}
	sum := func(r market.Risk) map[string]int {
		points := map[string]int{}
		for _, f := range r.Factors {
			points[f.Name] += f.Points
		}
		return points
	}
	assess := func(t *testing.T, more string, s market.Supply) market.Risk {
		t.Helper()
		m, findings := manifest.Read([]byte(merge(t, base+"}", "{"+strings.TrimPrefix(more, ",")+"}")), manifest.Options{})
		if err := findings.Err(); err != nil {
			t.Fatal(err)
		}
		return market.Assess(trait.Builtin(), &m, s)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			least, got := sum(assess(t, "", signed)), assess(t, tt.more, tt.supply)
			total := 0
			for name, points := range sum(got) {
				total += points
				if extra := points - least[name]; extra != tt.adds[name] {
					t.Errorf("%s adds %d, want %d", name, extra, tt.adds[name])
				}
			}
			if total != got.Score {
				t.Errorf("the factors make %d, the score is %d", total, got.Score)
			}
		})
	}
}

// merge lays the members of one JSON object over another.
func merge(t *testing.T, base, over string) string {
	t.Helper()
	var a, b map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal([]byte(base), &a), json.Unmarshal([]byte(over), &b)); err != nil {
		t.Fatal(err)
	}
	maps.Copy(a, b)
	data, _ := json.Marshal(a)
	return string(data)
}
