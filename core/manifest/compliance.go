package manifest

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/vivified/vivified/core/trait"
)

var complianceFields = []field{
	{name: "hipaa_controls", shape: stringList, missing: "compliance.hipaa_controls.missing"},
	{name: "audit_level", shape: aString, missing: "compliance.audit_level.missing", wrong: "compliance.audit_level.unknown"},
	{name: "data_retention_days", shape: aNumber},
}

// hipaaControl is a citation of the technical safeguards: a section, a
// standard, and its implementation specification (45 CFR 164.312).
var hipaaControl = regexp.MustCompile(`^(?:164\.312|\d{3}\.\d{3}\([a-z]\)(?:\(\d+\))?(?:\([ivx]+\))?)$`)

// auditLevels lists the levels, least first.
var auditLevels = []string{AuditNone, AuditBasic, AuditDetailed, AuditComplete}

// maxRetention is the longest retention, in days.
const maxRetention = 1_000_000

// compliance reads the compliance object. Where it is absent nothing is
// declared; where it is malformed nothing is known.
func (c *checker) compliance(top members) {
	at := place{}.member("compliance")
	if top.absent("compliance") {
		c.controls.known, c.retention.known = true, true
		return
	}
	if top.wrong("compliance") {
		return
	}
	got := c.object(top.ok("compliance"), at, complianceFields, "field.unknown")
	if v := got.ok("hipaa_controls"); v != nil {
		c.controls = amount{known: true, n: len(v.items)}
		for i, control := range v.strings() {
			if !hipaaControl.MatchString(control) {
				c.fail("compliance.hipaa_controls.format", at.member("hipaa_controls").item(i), "Invalid HIPAA control format: "+show(control))
			}
		}
		c.m.Compliance.Controls = v.strings()
	}
	if v := got.ok("audit_level"); v != nil {
		if slices.Contains(auditLevels, v.text) {
			c.level = v.text
		} else {
			c.fail("compliance.audit_level.unknown", at.member("audit_level"), fmt.Sprintf("Unknown audit level '%s'", show(v.text)))
		}
	}
	c.retention.known = got.absent("data_retention_days")
	if v := got.ok("data_retention_days"); v != nil {
		c.retentionDays(v, at.member("data_retention_days"))
	}
}

// tooShort is told of PHI that is not kept long enough.
const tooShort = "PHI handling plugins must retain data for at least 7 years (2555 days)"

// retentionDays reads the stated days. What PHI needs is checked with its traits.
func (c *checker) retentionDays(v *value, at place) {
	days, whole := v.integer()
	f, _ := v.float()
	switch {
	case f > maxRetention:
		c.fail("compliance.data_retention_days.max", at, "Data can be retained for at most 1,000,000 days")
	case f < 0:
		c.fail("compliance.data_retention_days.min", at, "Data cannot be retained for less than 0 days")
	case f < PHIRetentionDays && !whole && c.hasAny(trait.HandlesPHI):
		c.fail("compliance.data_retention_days.min", at, tooShort)
	case !whole:
		c.wrongType(at, "a whole number", v)
	default:
		c.retention, c.retentionStated = amount{known: true, n: int(days)}, true
	}
}
