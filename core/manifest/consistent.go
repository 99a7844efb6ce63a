package manifest

import (
	"fmt"
	"strings"

	"github.com/vivified/vivified/core/trait"
)

// facts are what rules about the manifest as a whole join. A part that is
// malformed is not known, and rules that need it stay silent: its own finding
// says enough.
type facts struct {
	traitsKnown     bool   // the traits could be read
	classesKnown    bool   // the data classification could be read
	domains         amount // how many domains are declared, valid or not
	controls        amount // how many HIPAA controls are declared, valid or not
	level           string // the stated audit level; empty: none, or not known
	retention       amount // in days; 0 where not stated
	retentionStated bool
}

// amount is a number, if it is known.
type amount struct {
	known bool
	n     int
}

// none reports whether there are certainly none.
func (a amount) none() bool { return a.known && a.n == 0 }

// consistent checks the rules that join fields, and fills in what follows from
// the traits where nothing is stated.
func (c *checker) consistent() {
	if c.traitsKnown {
		if c.classesKnown {
			c.traitsAndClasses()
		}
		c.sensitiveTraits()
		c.relations()
		// Beside network_isolated it is open whether domains are needed at all.
		if c.hasAny(trait.ExternalService) && c.domains.none() && !c.hasAny(trait.NetworkIsolated) {
			c.fail("traits.external_needs_domains", place{}.member("allowed_domains"), "External service plugins must specify allowed domains")
		}
	}
	c.m.Compliance.AuditLevel = c.level
	if c.level == "" {
		c.m.Compliance.AuditLevel = AuditBasic
		if c.hasAny(trait.AuditRequired, trait.HandlesPII, trait.HandlesPHI) {
			c.m.Compliance.AuditLevel = AuditDetailed
		}
	}
	c.m.Compliance.RetentionDays = c.retention.n
	if c.retention.n == 0 && c.hasAny(trait.HandlesPHI) {
		c.m.Compliance.RetentionDays = PHIRetentionDays
	}
}

// hasAny reports whether the plugin has one of the traits.
func (c *checker) hasAny(ids ...trait.ID) bool {
	for _, id := range ids {
		if c.m.Traits.Has(id) {
			return true
		}
	}
	return false
}

// sensitive are the traits that go with a class, each way.
var sensitive = [...]struct {
	id    trait.ID
	class trait.Class
}{{trait.HandlesPHI, trait.PHI}, {trait.HandlesPII, trait.PII}}

// traitsAndClasses checks that PHI and PII are declared both as trait and as class.
func (c *checker) traitsAndClasses() {
	at := place{}.member("security").member("data_classification")
	for _, s := range sensitive {
		has, declared := c.m.Traits.Has(s.id), c.m.Security.Classes.Has(s.class)
		switch {
		case has && !declared:
			c.fail(fmt.Sprintf("traits.%s_needs_class", s.class), at,
				fmt.Sprintf("Plugin with handles_%s trait must declare '%s' in data_classification", s.class, s.class))
		case declared && !has:
			c.classNeedsTrait(s.class, at, "Plugin")
		}
	}
}

// classNeedsTrait reports a class without its trait, unless a trait that lacks
// it as prerequisite says so already.
func (c *checker) classNeedsTrait(class trait.Class, at place, who string) {
	for _, id := range c.m.Traits.IDs() {
		for _, p := range c.o.Traits.Get(id).Prerequisites {
			if p == class.Access() {
				return
			}
		}
	}
	c.fail(fmt.Sprintf("class.%s_needs_trait", class), at, fmt.Sprintf("%s with '%s' in data_classification must declare the handles_%s trait", who, class, class))
}

// coveredClasses checks that a part of the plugin, such as an endpoint, claims
// no PHI or PII when the plugin itself has neither trait nor class for it.
func (c *checker) coveredClasses(classes trait.Classes, at place, who string) {
	for _, s := range sensitive {
		if c.traitsKnown && c.classesKnown && classes.Has(s.class) && !c.m.Traits.Has(s.id) && !c.m.Security.Classes.Has(s.class) {
			c.classNeedsTrait(s.class, at, who)
		}
	}
}

// sensitiveTraits checks what handling PII and PHI obliges to.
func (c *checker) sensitiveTraits() {
	compliance := place{}.member("compliance")
	phi, audit := c.hasAny(trait.HandlesPHI), c.hasAny(trait.AuditRequired)
	if c.hasAny(trait.HandlesPHI, trait.HandlesPII) && !audit {
		c.fail("traits.pii_needs_audit", place{}.member("traits"), "Plugin that handles PII or PHI must declare the audit_required trait")
	}
	if phi && c.controls.none() {
		c.fail("traits.phi_needs_hipaa", compliance.member("hipaa_controls"), "PHI handling plugins must specify HIPAA controls")
	}
	if c.level == AuditNone && (audit || c.hasAny(trait.HandlesPHI, trait.HandlesPII)) || c.level == AuditBasic && phi {
		c.fail("compliance.audit_level.too_low", compliance.member("audit_level"),
			fmt.Sprintf("Audit level '%s' is too low for a plugin that handles PII or PHI or must be audited", c.level))
	}
	if at := compliance.member("data_retention_days"); phi && c.retention.known {
		switch {
		case !c.retentionStated:
			c.fail("compliance.data_retention_days.default", at, "PHI handling plugins retain data for 7 years (2555 days) where nothing is stated")
		case c.retention.n < PHIRetentionDays:
			c.fail("compliance.data_retention_days.min", at, tooShort)
		}
	}
}

// relations checks prerequisites and conflicts of the registry. That PII and
// PHI need an audit has its own rule, and a trait whose lack that rule told is
// not told again.
func (c *checker) relations() {
	at := place{}.member("traits")
	told := c.hasAny(trait.HandlesPHI, trait.HandlesPII)
	for _, id := range c.m.Traits.IDs() {
		t := c.o.Traits.Get(id)
		var lacks []string
		for _, p := range t.Prerequisites {
			if !c.m.Traits.Has(p) && !(p == trait.AuditRequired && told) {
				lacks = append(lacks, "'"+c.o.Traits.Get(p).Name+"'")
			}
		}
		if lacks != nil {
			c.fail("traits.prerequisite", at, fmt.Sprintf("Trait '%s' requires %s", t.Name, strings.Join(lacks, " and ")))
		}
		for _, x := range t.Conflicts {
			if x > id && c.m.Traits.Has(x) {
				c.fail("traits.conflict", at, fmt.Sprintf("Trait '%s' conflicts with '%s'", t.Name, c.o.Traits.Get(x).Name))
			}
		}
	}
}
