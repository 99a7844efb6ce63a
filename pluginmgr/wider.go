package pluginmgr

import (
	"bytes"
	"slices"

	"github.com/vivified/vivified/core/manifest"
)

// Wider reports whether next asks for anything that now does not: traits,
// classes, domains, events, dependencies, weaker safeguards. A narrower or equal
// manifest may replace the one in force without asking anybody.
func Wider(now, next *manifest.Manifest) bool {
	return len(Widenings(now, next)) > 0
}

// Widenings lists what next asks for beyond now, in words for people.
func Widenings(now, next *manifest.Manifest) []string {
	var w []string
	add := func(what string, more []string) {
		for _, m := range more {
			w = append(w, what+" "+m)
		}
	}
	add("trait", beyond(now.DeclaredTraits, next.DeclaredTraits))
	add("class", beyond(now.Security.Classes.Names(), next.Security.Classes.Names()))
	add("domain", beyond(now.AllowedDomains, next.AllowedDomains))
	add("event published", beyond(published(now), published(next)))
	add("event received", beyond(now.Events.Subscribes, next.Events.Subscribes))
	add("dependency", beyond(needs(now), needs(next)))
	add("contract", beyond(now.Contracts, next.Contracts))
	if auditRank(next.Compliance.AuditLevel) < auditRank(now.Compliance.AuditLevel) {
		w = append(w, "audit level "+next.Compliance.AuditLevel)
	}
	if next.Compliance.RetentionDays < now.Compliance.RetentionDays {
		w = append(w, "shorter retention")
	}
	for _, e := range next.Endpoints {
		before, ok := now.Endpoint(e.Name)
		if ok && (!e.Requires.Traits.Covers(before.Requires.Traits) || e.Classes.Highest() < before.Classes.Highest()) {
			w = append(w, "weaker demands on operation "+e.Name)
		}
	}
	for _, e := range now.Events.Publishes {
		after, ok := next.Events.MayPublish(e.Type)
		if ok && (e.Classes&^after.Classes != 0 || !bytes.Equal(e.Schema, after.Schema)) {
			w = append(w, "other marks on event "+e.Type)
		}
	}
	if !next.Security.Requires.Traits.Covers(now.Security.Requires.Traits) {
		w = append(w, "weaker demands on people")
	}
	if now.Runtime.BaseURL != next.Runtime.BaseURL || now.Runtime.Kind != next.Runtime.Kind || now.Runtime.Image != next.Runtime.Image || now.Runtime.Digest != next.Runtime.Digest {
		w = append(w, "another runtime")
	}
	return w
}

func beyond(have, want []string) []string {
	var more []string
	for _, w := range want {
		if !slices.Contains(have, w) {
			more = append(more, w)
		}
	}
	return more
}

func published(m *manifest.Manifest) []string {
	var types []string
	for _, p := range m.Events.Publishes {
		types = append(types, p.Type)
	}
	return types
}

func needs(m *manifest.Manifest) []string {
	var names []string
	for _, d := range m.Dependencies {
		names = append(names, d.ID+d.Contract)
	}
	return names
}

func auditRank(level string) int {
	return slices.Index([]string{manifest.AuditNone, manifest.AuditBasic, manifest.AuditDetailed, manifest.AuditComplete}, level)
}
