package market

import (
	"fmt"
	"strings"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/trait"
)

// Factor is one thing that makes a plugin more of a risk.
type Factor struct {
	Name   string `json:"name"`   // what adds points, such as trait or domain
	What   string `json:"what"`   // which one, for people
	Points int    `json:"points"` // always above zero
}

// Risk is a plugin's risk score: the sum of its factors. It says nothing about what
// the plugin does, only about what it could.
type Risk struct {
	Score   int      `json:"score"`
	Level   string   `json:"level"` // low, medium or high
	Factors []Factor `json:"factors"`
}

// From these scores on a risk is medium, and high.
const (
	mediumRisk = 30
	highRisk   = 70
)

// Supply is what is known of where a bundle comes from.
type Supply struct {
	Signers int  // operator's keys that signed it
	SBOM    bool // it says what it is made of
}

// classPoints are the points of holding data of a class.
var classPoints = map[trait.Class]int{trait.Confidential: 5, trait.PII: 10, trait.PHI: 15}

// Assess scores a manifest. The same manifest from the same supply has the same
// score before it is installed and after.
func Assess(r *trait.Registry, m *manifest.Manifest, s Supply) Risk {
	risk := Risk{Level: "low", Factors: []Factor{}}
	add := func(points int, name, format string, args ...any) {
		risk.Factors = append(risk.Factors, Factor{name, fmt.Sprintf(format, args...), points})
		risk.Score += points
	}
	for _, name := range r.Names(m.Traits) {
		if t, _, _ := r.Lookup(name); t.Sensitive {
			add(10, "trait", "trait %s, sensitive", name)
		} else {
			add(1, "trait", "trait %s", name)
		}
	}
	for class := trait.Public; class <= trait.PHI; class++ {
		if points := classPoints[class]; points > 0 && m.Security.Classes.Has(class) {
			add(points, "class", "holds %s data", strings.ToUpper(class.String()))
		}
	}
	for _, domain := range m.AllowedDomains {
		add(5, "domain", "may ask to reach %s", domain)
	}
	for _, pattern := range m.Events.Subscribes {
		if strings.HasSuffix(pattern, "*") {
			add(8, "wildcard event", "hears every event that is %s", pattern)
		}
	}
	for _, p := range m.Events.Publishes {
		if strings.HasSuffix(p.Type, "*") {
			add(8, "wildcard event", "says any event that is %s", p.Type)
		}
	}
	for _, d := range m.Dependencies {
		on := d.ID
		if on == "" {
			on = "any " + d.Contract
		}
		add(2, "call", "calls %s", on)
	}
	if len(m.Pages) > 0 {
		add(3, "page", "adds pages to the console: %d", len(m.Pages))
	}
	for _, limit := range []struct {
		missing bool
		name    string
	}{{m.Resources.Memory == 0, "memory"}, {m.Resources.CPU == 0, "CPU"}, {m.Resources.PIDs == 0, "processes"}} {
		if limit.missing && m.Kind == manifest.Service {
			add(2, "missing limit", "states no limit for %s", limit.name)
		}
	}
	if m.Kind == manifest.Service && (m.Runtime.Kind == manifest.External || m.Runtime.Kind == "") {
		add(10, "runtime", "runs elsewhere, where nothing confines it")
	}
	if !s.SBOM {
		add(5, "missing SBOM", "does not say what it is made of")
	}
	if s.Signers == 0 {
		add(20, "unsigned", "is signed by no key that this installation trusts")
	}
	switch {
	case risk.Score >= highRisk:
		risk.Level = "high"
	case risk.Score >= mediumRisk:
		risk.Level = "medium"
	}
	return risk
}
