// Package manifest reads a plugin's manifest and says everything wrong with it.
//
// It touches neither network nor database, so the CLI, the plugin manager and
// the console all run the same checks. It refuses what is not exactly one small,
// shallow JSON object without repeated keys, and every document that breaks a
// rule of its table; it never repairs one.
package manifest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vivified/vivified/core/trait"
)

// Kind tells the two sorts of plugin apart.
type Kind string

// The kinds.
const (
	Service Kind = "service" // manifest.json: a process in any language, reached over HTTP
	Isolate Kind = "isolate" // plugin.json: TypeScript that runs inside the core
)

// Manifest is a manifest that was read. Only one without errors may be acted
// on. Slices are never changed after Read, so copies may share them.
type Manifest struct {
	Kind        Kind
	ID          string
	Name        string
	Version     string // SemVer 2.0
	Description string
	Publisher   string
	License     string
	Homepage    string // http or https, else empty
	Icon        string
	Category    string
	Changelog   string

	Contracts      []string
	Traits         trait.Set // of the registry, legacy names resolved; for an isolate, those of its permissions too
	DeclaredTraits []string  // as written
	UnknownTraits  []string  // as written; they grant nothing
	Dependencies   []Dependency
	AllowedDomains []string // lower-case, sorted, each once
	Endpoints      []Endpoint
	Events         Events
	Transformers   []Transformer
	ConfigSchema   json.RawMessage // JSON Schema 2020-12, or nil
	Hooks          Hooks
	Pages          []Page
	Security       Security
	Compliance     Compliance
	HealthCheck    *HealthCheck // nil: health is known from heartbeats only
	Resources      Resources
	Runtime        Runtime
	Code           Code // of an isolate

	// Raw is the document in canonical form (RFC 8785, but numbers that a
	// double cannot hold keep their digits): what is stored and digested.
	// Reading it again gives an equal Manifest. Nil while there are errors.
	Raw json.RawMessage
}

// Digest returns the SHA-256 of Raw, as sha256: and 64 hexadecimal digits.
func (m *Manifest) Digest() string { return fmt.Sprintf("sha256:%x", sha256.Sum256(m.Raw)) }

// Requirement is what a manifest asks of others' traits.
type Requirement struct {
	Traits  trait.Set
	Unknown []string // names no registry knows: nobody meets them
}

// Met reports whether have fulfils r. Unknown names are never fulfilled.
func (r Requirement) Met(have trait.Set) bool { return len(r.Unknown) == 0 && have.Covers(r.Traits) }

// Dependency is another plugin this one needs: one by id, or any that
// implements a contract.
type Dependency struct {
	ID       string // or
	Contract string
	Version  Range // zero: any
}

// SatisfiedBy reports whether a plugin with that manifest is what d asks for.
func (d Dependency) SatisfiedBy(m *Manifest) bool {
	return (d.ID == m.ID || d.ID == "" && slices.Contains(m.Contracts, d.Contract)) && d.Version.Contains(m.Version)
}

// Endpoint is one declared operation. Endpoints are sorted by name.
type Endpoint struct {
	Name           string
	Path           string // template: whole segments may be {name}
	Method         string // upper-case; empty: the caller's
	Summary        string
	Requires       Requirement
	Classes        trait.Classes // the plugin's where not stated; health: internal
	RequestSchema  json.RawMessage
	ResponseSchema json.RawMessage
	Timeout        time.Duration // 0: the lane's default
	Idempotent     bool          // stated, or so by its method (RFC 9110, 9.2.2)
}

// Params returns the template names of the path, in order.
func (e Endpoint) Params() []string {
	var names []string
	for segment := range strings.SplitSeq(e.Path, "/") {
		if strings.HasPrefix(segment, "{") {
			names = append(names, segment[1:len(segment)-1])
		}
	}
	return names
}

// Endpoint returns the endpoint of that name.
func (m *Manifest) Endpoint(name string) (Endpoint, bool) {
	i, ok := slices.BinarySearchFunc(m.Endpoints, name, func(e Endpoint, name string) int { return strings.Compare(e.Name, name) })
	if !ok {
		return Endpoint{}, false
	}
	return m.Endpoints[i], true
}

// Events is what the plugin says and hears on the canonical lane.
type Events struct {
	Publishes  []Publish
	Subscribes []string // normalised types, or patterns such as user.*
	Delivery   string   // webhook or stream
	Path       string   // where webhooks are delivered
	Format     string   // of a webhook: structured, binary or batch
}

// Publish is one event type a plugin may publish.
type Publish struct {
	Type    string          // normalised; an isolate's may be a pattern such as comms.*
	Classes trait.Classes   // 0 where not stated
	Schema  json.RawMessage // of the data, fields marked with x-class; or nil
}

// The ways of delivery.
const (
	Webhook = "webhook"
	Stream  = "stream"
)

// The forms of a webhook (CloudEvents HTTP binding, section 3).
const (
	Structured = "structured" // one event as one JSON object
	Binary     = "binary"     // attributes as headers, the data as the body
	Batch      = "batch"      // events as a JSON array
)

// MayPublish returns the declaration that covers the event type.
func (e Events) MayPublish(typ string) (Publish, bool) {
	for _, p := range e.Publishes {
		if MatchEventType(p.Type, typ) {
			return p, true
		}
	}
	return Publish{}, false
}

// Subscribed reports whether a subscription covers the event type.
func (e Events) Subscribed(typ string) bool {
	return slices.ContainsFunc(e.Subscribes, func(pattern string) bool { return MatchEventType(pattern, typ) })
}

// Transformer maps between a plugin's own form and a canonical model.
type Transformer struct {
	Name, From, To string
	Expression     string // jq
}

// Hooks are local paths the core calls; empty: none.
type Hooks struct{ Init, Shutdown, Heartbeat string }

// Page is a page the plugin adds to the console.
type Page struct {
	Title    string
	Path     string
	Icon     string
	Requires Requirement
}

// Security is what protects the plugin's data.
type Security struct {
	Classes          trait.Classes // of the data it holds
	NetworkIsolation bool
	Requires         Requirement // of a user, before any request reaches the plugin
}

// Compliance is what the plugin's records owe to regulations.
type Compliance struct {
	Controls      []string // HIPAA, such as 164.312(a)(1)
	AuditLevel    string   // in force: stated, or by the traits
	RetentionDays int      // in force; 0: the installation's default
}

// The audit levels, least first.
const (
	AuditNone     = "none"
	AuditBasic    = "basic"
	AuditDetailed = "detailed"
	AuditComplete = "complete"
)

// PHIRetentionDays is how long PHI is kept at least: seven years.
const PHIRetentionDays = 2555

// HealthCheck says how the core finds out whether the plugin is well.
type HealthCheck struct {
	Type      string        // http, tcp or custom
	Port      int           // 0: the runtime's
	Path      string        // for http; /health where not stated
	Interval  time.Duration // 0: the operator's default
	Timeout   time.Duration // 0: the operator's default
	Threshold int           // failures in a row until unhealthy; 0: the operator's default
}

// Resources are the plugin's limits; 0: the operator's default.
type Resources struct {
	Memory  int64   // bytes
	CPU     float64 // cores
	PIDs    int
	Storage int64 // bytes
}

// Runtime says where the plugin runs.
type Runtime struct {
	Kind     string // external, container or sandbox
	Image    string
	Digest   string // sha256: and 64 hex digits
	Command  []string
	Port     int // 0: not stated
	Env      map[string]string
	BaseURL  string // http or https; judged again before it is called
	Protocol string // http or grpc
}

// The runtimes a manifest may ask for.
const (
	External  = "external"
	Container = "container"
	Sandbox   = "sandbox"
)

// Code is what only an isolate declares.
type Code struct {
	Type                      string // connector, channel or operator; empty for a service
	Entrypoint                string // clean, relative, slash-separated
	Inbound                   bool   // may own a webhook address
	Data                      []DataAccess
	StorageRead, StorageWrite bool
}

// DataAccess is a permission on one entity type of the Data Service.
type DataAccess struct {
	Entity      string
	Class       trait.Class
	Read, Write bool
}
