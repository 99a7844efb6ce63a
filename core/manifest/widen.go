package manifest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vivified/vivified/core/trait"
)

// Widening is one thing that a new manifest may do and the old one might not,
// or one restraint that it sheds.
type Widening struct {
	Field string // where it stands, such as allowed_domains
	What  string // what is added or lost, for people
}

// Widens compares the manifest in force with the one to follow. It returns all
// that needs somebody's approval, sorted; nothing when the plugin only gives up
// powers or changes what is no matter of trust. r is the registry both were
// read with.
func Widens(r *trait.Registry, old, next *Manifest) []Widening {
	var wider []Widening
	had := powers(r, old)
	for w := range powers(r, next) {
		if !had[w] {
			wider = append(wider, w)
		}
	}
	keeps := restraints(r, next, old)
	for w := range restraints(r, old, next) {
		if !keeps[w] {
			wider = append(wider, Widening{w.Field, "no longer " + w.What})
		}
	}
	for _, l := range [...]struct {
		field   string
		was, is float64
	}{
		{"resources.memory_limit", float64(old.Resources.Memory), float64(next.Resources.Memory)},
		{"resources.cpu_limit", old.Resources.CPU, next.Resources.CPU},
		{"resources.pids_limit", float64(old.Resources.PIDs), float64(next.Resources.PIDs)},
		{"resources.storage_quota", float64(old.Resources.Storage), float64(next.Resources.Storage)},
		{"compliance.data_retention_days", -float64(old.Compliance.RetentionDays), -float64(next.Compliance.RetentionDays)},
	} {
		switch {
		case l.was != 0 && l.is == 0:
			wider = append(wider, Widening{l.field, "no longer stated"})
		case l.was != 0 && l.is > l.was:
			wider = append(wider, Widening{l.field, "less strict"})
		}
	}
	slices.SortFunc(wider, func(a, b Widening) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.What, b.What))
	})
	return wider
}

// set is a set of powers or restraints.
type set map[Widening]bool

func (s set) add(field, format string, args ...any) {
	s[Widening{field, fmt.Sprintf(format, args...)}] = true
}

// powers are what a plugin may do, each a reason to ask before it is added.
func powers(r *trait.Registry, m *Manifest) set {
	s := set{}
	for _, name := range slices.Concat(r.Names(m.Traits), m.UnknownTraits) {
		s.add("traits", "%s", name)
	}
	for _, class := range m.Security.Classes.Names() {
		s.add("security.data_classification", "%s", class)
	}
	for _, domain := range m.AllowedDomains {
		s.add("allowed_domains", "%s", domain)
	}
	for _, d := range m.Dependencies {
		s.add("dependencies", "may call %s", cmp.Or(d.ID, d.Contract))
	}
	for _, p := range m.Events.Publishes {
		s.add("events.publishes", "%s", p.Type)
	}
	for _, pattern := range m.Events.Subscribes {
		s.add("events.subscribes", "%s", pattern)
	}
	for _, contract := range m.Contracts {
		s.add("contracts", "stands in for any %s", contract)
	}
	if m.Runtime.BaseURL != "" {
		s.add("runtime.base_url", "is called at %s", m.Runtime.BaseURL)
	}
	s.add("runtime.kind", "%s", m.Runtime.Kind)
	if m.Runtime.Image != "" {
		s.add("runtime.image", "%s", strings.TrimSuffix(m.Runtime.Image+"@"+m.Runtime.Digest, "@"))
	}
	for _, d := range m.Code.Data {
		if d.Read {
			s.add("permissions", "data:read:%s", d.Entity)
		}
		if d.Write {
			s.add("permissions", "data:write:%s", d.Entity)
		}
	}
	for permission, granted := range map[string]bool{"network:inbound": m.Code.Inbound, "storage:read": m.Code.StorageRead, "storage:write": m.Code.StorageWrite} {
		if granted {
			s.add("permissions", "%s", permission)
		}
	}
	return s
}

// restraints are what protects a plugin's data, each a reason to ask before it
// is lost. Those of a part that the other manifest has not are left out: with
// the part gone, nothing is exposed.
func restraints(r *trait.Registry, m, other *Manifest) set {
	s := set{}
	s.requires("security", r, m.Security.Requires)
	if m.Security.NetworkIsolation {
		s.add("security.network_isolation", "isolated")
	}
	for _, level := range auditLevels[:slices.Index(auditLevels, m.Compliance.AuditLevel)+1] {
		s.add("compliance.audit_level", "at least %s", level)
	}
	for _, e := range m.Endpoints {
		if _, ok := other.Endpoint(e.Name); ok {
			field := "endpoints." + e.Name
			s.requires(field, r, e.Requires)
			s.classified(field, "", e.Classes.Highest())
			s.marked(field+".response_schema", e.ResponseSchema)
		}
	}
	for _, p := range m.Events.Publishes {
		if _, ok := other.Events.MayPublish(p.Type); ok {
			field := "events.publishes." + p.Type
			s.classified(field, "", p.Classes.Highest())
			s.marked(field+".schema", p.Schema)
		}
	}
	for _, p := range m.Pages {
		if slices.ContainsFunc(other.Pages, func(q Page) bool { return q.Path == p.Path }) {
			s.requires("ui.pages."+p.Path, r, p.Requires)
		}
	}
	return s
}

func (s set) requires(field string, r *trait.Registry, q Requirement) {
	for _, name := range slices.Concat(r.Names(q.Traits), q.Unknown) {
		s.add(field+".requires_traits", "requires %s", name)
	}
}

// classified adds a class and all below it, so that a higher one keeps them.
func (s set) classified(field, where string, class trait.Class) {
	for c := trait.Internal; c <= class; c++ {
		s.add(field, "%s treated as %s or above", cmp.Or(where, "data"), c)
	}
}

// marked adds the classes that fields of a schema are marked with.
func (s set) marked(field string, schema json.RawMessage) {
	if schema == nil {
		return
	}
	if v, err := readJSON(schema); err == nil {
		s.marks(field, "", &v)
	}
}

func (s set) marks(field, pointer string, v *value) {
	for i := range v.items {
		at := place{pointer: pointer}.item(i)
		if v.kind == object {
			at = place{pointer: pointer}.entry(v.keys[i])
			if class, ok := trait.ClassOf(v.items[i].text); ok && v.keys[i] == "x-class" {
				s.classified(field, cmp.Or(pointer, "data"), class)
			}
		}
		s.marks(field, at.pointer, &v.items[i])
	}
}
