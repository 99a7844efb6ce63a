package policy

import (
	"strings"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/vivified/vivified/core/trait"
)

// access is an attribute of a party, of the resource, or of the moment.
func (c *compiler) access(e expr, attribute string) expr {
	switch {
	case e.kind == contextKind:
		if m, ok := moments[attribute]; ok {
			return m
		}
	case e.kind != entityKind:
		return expr{}
	case e.literal != nil:
		return c.complain(attribute, "Of a thing that is named nothing is known but its name.", "Write principal, resource or context, whose facts come with the request.")
	case e.side != nil:
		return ofParty(e.side, attribute)
	case e.what == asResource:
		return c.ofResource(attribute)
	}
	return c.complain(attribute, "There is no attribute "+attribute+" here.", "Use the attributes that the schema lists.")
}

// has reports whether an attribute is there. Only one is ever missing.
func (c *compiler) has(e expr, attribute string) expr {
	switch {
	case e.kind == contextKind && attribute == "on_behalf":
		return test(func(q *Request) truth { return truthOf(q.OnBehalf != nil) })
	case e.kind == contextKind:
		_, ok := moments[attribute]
		return constant(ok)
	case e.kind != entityKind:
		return expr{}
	case e.literal != nil:
		return c.complain(attribute, "Of a thing that is named nothing is known but its name.", "Write principal, resource or context, whose facts come with the request.")
	}
	of, declared := schema().Entities[e.of].Shape[types.String(attribute)]
	if !declared || of.Optional {
		return constant(false)
	}
	if e.side == nil {
		return constant(true)
	}
	side := e.side
	return test(func(q *Request) truth {
		if side(q) == nil {
			return failed
		}
		return yes
	})
}

// states are the values of a plugin's state.
var states = []string{string(Registered), string(Active), string(Disabled), string(Unhealthy), string(Quarantined), string(Unregistered)}

// ofParty is an attribute of a person or plugin.
func ofParty(side func(*Request) *Party, attribute string) expr {
	words := func(of func(*Party) string) func(*Request) (string, bool) {
		return func(q *Request) (string, bool) {
			if p := side(q); p != nil {
				return of(p), true
			}
			return "", false
		}
	}
	switch attribute {
	case "id":
		return expr{kind: textKind, text: words(func(p *Party) string { return p.ID })}
	case "tenant":
		return expr{kind: textKind, text: words(func(p *Party) string { return p.Tenant })}
	case "state":
		return expr{kind: textKind, among: states, text: words(func(p *Party) string { return string(p.State) })}
	}
	return expr{kind: traitsKind, side: side, traits: func(q *Request) (trait.Set, bool) {
		if p := side(q); p != nil {
			return p.Traits, true
		}
		return trait.Set{}, false
	}}
}

// ofResource is an attribute of what the action touches.
func (c *compiler) ofResource(attribute string) expr {
	switch attribute {
	case "id":
		return expr{kind: textKind, text: func(q *Request) (string, bool) { return q.Resource.id(), true }}
	case "name":
		return expr{kind: textKind, text: func(q *Request) (string, bool) { return q.Resource.Name, true }}
	case "tenant":
		return expr{kind: textKind, text: func(q *Request) (string, bool) { return q.Resource.Tenant, true }}
	case "plugin":
		return sideOf("Plugin", target)
	case "publisher":
		return sideOf("Plugin", subject)
	case "classes":
		return expr{kind: classesKind, classes: func(q *Request) (trait.Classes, bool) { return q.Resource.Classes, true }}
	case "requires":
		return expr{kind: traitsKind, traits: func(q *Request) (trait.Set, bool) { return q.Resource.Requires, true }}
	case "requires_encryption":
		return test(func(q *Request) truth { return truthOf(q.Resource.Encrypts) })
	case "granted":
		return test(func(q *Request) truth { return truthOf(q.Resource.Granted) })
	}
	return c.complain(attribute, "There is no attribute "+attribute+" here.", "Use the attributes that the schema lists.")
}

var weekdays = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

// methods are those of HTTP that a request can have, and none.
var methods = []string{"", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}

// moments are the attributes of the context.
var moments = map[string]expr{
	"time":   {kind: momentKind, num: func(q *Request) (int64, bool) { return q.At.UnixMilli(), true }},
	"hour":   {kind: numberKind, lo: 0, hi: 23, num: func(q *Request) (int64, bool) { return sinceMidnight(q) / (hour / second), true }},
	"minute": {kind: numberKind, lo: 0, hi: 59, num: func(q *Request) (int64, bool) { return sinceMidnight(q) / (minute / second) % 60, true }},
	"weekday": {kind: textKind, among: weekdays, text: func(q *Request) (string, bool) {
		days := (q.At.Unix() - sinceMidnight(q)) / (day / second) // 1970 began on a Thursday
		return weekdays[((days+3)%7+7)%7], true
	}},
	"method":    {kind: textKind, among: methods, text: func(q *Request) (string, bool) { return q.Method, true }},
	"trace":     {kind: textKind, text: func(q *Request) (string, bool) { return q.Trace, true }},
	"on_behalf": sideOf("User", onBehalf),
}

// sinceMidnight returns the seconds of the day, UTC, at which q is asked.
func sinceMidnight(q *Request) int64 {
	const seconds = day / second
	s := q.At.Unix() % seconds
	if s < 0 {
		s += seconds
	}
	return s
}

// checkID complains of names that no thing of that type has.
func (c *compiler) checkID(v types.EntityUID) {
	id := string(v.ID)
	switch {
	case id == "":
		c.complain(id, "A name is empty.", "Write the id of the thing that is meant.")
	case v.Type == "Action" && strings.HasSuffix(id, restOfFamily):
		c.complain(id, "There is no action “"+id+"”.", "The schema lists all actions; a family is a group: action in Action::\"plugin\".")
	case v.Type == "Operation" && !strings.Contains(id, "/"):
		c.complain(id, "“"+id+"” is no operation.", "Write the plugin and the name of the operation: Operation::\"profiles/get_profile\".")
	case v.Type == "Domain" && (id != strings.ToLower(id) || strings.ContainsAny(id, "*/:")):
		c.complain(id, "“"+id+"” is no host.", "Write the host alone, in lower case; `resource in Domain::\"example.com\"` includes all hosts below it.")
	case v.Type == "EventType" && strings.Contains(id, "*"):
		c.complain(id, "“"+id+"” is no event type.", "`resource in EventType::\"user\"` includes all types that begin with it.")
	}
}
