package manifest

import (
	"fmt"
	"slices"

	"github.com/vivified/vivified/core/trait"
)

// securityFields are those of a service plugin; an isolate must state none of them.
var securityFields = []field{
	{name: "authentication_required", shape: aBool, missing: "security.authentication_required"},
	{name: "data_classification", shape: stringList, missing: "security.data_classification.missing"},
	{name: "network_isolation", shape: aBool},
	{name: "allowed_domains", shape: stringList},
	{name: "requires_traits", shape: stringList},
}

// security reads the security object and returns its fields; nil when there is none.
func (c *checker) security(v *value, at place, table []field) members {
	if v == nil {
		return nil
	}
	got := c.object(v, at, table, "field.unknown")
	if a := got.ok("authentication_required"); a != nil && !a.truth {
		c.fail("security.authentication_required", at.member("authentication_required"), "Authentication must be required for all plugins")
	}
	if n := got.ok("network_isolation"); n != nil {
		c.m.Security.NetworkIsolation = n.truth
	}
	c.m.Security.Requires = c.requirement(got.ok("requires_traits"), at.member("requires_traits"))
	list := got.ok("data_classification")
	if list == nil {
		return got
	}
	at = at.member("data_classification")
	if len(list.items) == 0 {
		c.fail("security.data_classification.empty", at, "Data classification must be specified")
		return got
	}
	stated, ok := c.classes(list, at, "security.data_classification.unknown")
	c.m.Security.Classes |= stated
	c.classesKnown = ok
	return got
}

// classes reads class names, one string or a list; it reports false when one
// is not known, under the rule given.
func (c *checker) classes(v *value, at place, rule string) (set trait.Classes, ok bool) {
	ok = true
	one := func(name string, at place) {
		class, known := trait.ParseClass(name)
		if !known {
			c.fail(rule, at, fmt.Sprintf("Unknown data classification '%s'", show(name)))
			ok = false
			return
		}
		set = set.With(class)
	}
	if v.kind == text {
		one(v.text, at)
	}
	for i, name := range v.strings() {
		one(name, at.item(i))
	}
	return set, ok
}

// maxDomains is how many domains one list may hold.
const maxDomains = 1024

// allowedDomains reads both lists of allowed domains and returns how many they
// hold. It is not known while the security object could not be read.
func (c *checker) allowedDomains(top, security members) amount {
	n, ok := 0, security != nil
	for _, from := range [...]struct {
		of members
		at place
	}{{top, place{}}, {security, place{}.member("security")}} {
		at := from.at.member("allowed_domains")
		ok = ok && !from.of.wrong("allowed_domains")
		list := from.of.ok("allowed_domains")
		n += len(list.strings())
		for i, name := range c.list(list, at, maxDomains) {
			c.domain(name.text, at.item(i))
		}
	}
	slices.Sort(c.m.AllowedDomains)
	c.m.AllowedDomains = slices.Compact(c.m.AllowedDomains)
	return amount{known: ok, n: n}
}

// domainMessages are the sentences of the domain rules; %s is the domain.
var domainMessages = map[string]string{
	"domain.no_wildcard": "Domain '%s' must not contain a wildcard",
	"domain.blocked":     "Domain '%s' is blocked for security reasons",
	"domain.private_ip":  "Domain '%s' is an IP address; only host names are allowed",
	"domain.format":      "Domain '%s' is not a valid host name",
	"domain.suspicious":  "Domain '%s' has a suspicious suffix",
}

// domain checks one domain and keeps it in canonical form.
func (c *checker) domain(name string, at place) {
	canonical, rule := CheckDomain(name, c.o.Blocked)
	if rule != "" {
		c.fail(rule, at, fmt.Sprintf(domainMessages[rule], show(name)))
		return
	}
	c.m.AllowedDomains = append(c.m.AllowedDomains, canonical)
}
