package manifest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vivified/vivified/core/trait"
)

// endpointName is the form of an operation's name.
var endpointName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.]{0,63}$`)

// endpointFields are those of an endpoint that is an object. What the author
// wrote wrongly in one is told of the container, as for every map value.
var endpointFields = []field{
	{name: "path", shape: aString, missing: "endpoints.path", wrong: "endpoints.path"},
	{name: "method", shape: aString},
	{name: "summary", shape: aString},
	{name: "requires_traits", shape: stringList},
	{name: "data_classification", shape: anything},
	{name: "request_schema", shape: anObject},
	{name: "response_schema", shape: anObject},
	{name: "timeout", shape: anything},
	{name: "idempotent", shape: aBool},
}

// methods are those an endpoint may declare, with whether each is idempotent (RFC 9110, 9.2.2).
var methods = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodPut: true, http.MethodDelete: true, http.MethodOptions: true,
	http.MethodPost: false, http.MethodPatch: false,
}

// maxEndpoints is how many operations a plugin may declare.
const maxEndpoints = 1024

// healthEndpoint is the name of the operation whose answer is internal by default.
const healthEndpoint = "health"

// endpoints reads the operations, name by name.
func (c *checker) endpoints(v *value, at place) {
	if v == nil || c.list(v, at, maxEndpoints) == nil {
		return
	}
	for i, name := range v.keys {
		at := at.entry(name)
		if !endpointName.MatchString(name) {
			c.fail("endpoints.name", at, fmt.Sprintf("Endpoint name '%s' is malformed", show(name)))
		}
		e := Endpoint{Name: name, Classes: c.m.Security.Classes}
		if name == healthEndpoint {
			e.Classes = trait.ClassesOf(trait.Internal)
		}
		pathAt := at
		switch d := &v.items[i]; d.kind {
		case text:
			e.Path = d.text
		case object:
			pathAt = at.member("path")
			c.endpoint(d, at, &e)
			if path := d.get("path"); path == nil || path.kind != text {
				continue
			}
		default:
			c.wrongType(at, "a path template or an object", d)
			continue
		}
		if why := pathFault(e.Path, true); why != "" {
			c.fail("endpoints.path", pathAt, fmt.Sprintf("Path '%s' of endpoint '%s' %s", show(e.Path), show(name), why))
			continue
		}
		c.m.Endpoints = append(c.m.Endpoints, e)
	}
	slices.SortFunc(c.m.Endpoints, func(a, b Endpoint) int { return strings.Compare(a.Name, b.Name) })
}

// endpoint reads an endpoint that is an object into e.
func (c *checker) endpoint(d *value, at place, e *Endpoint) {
	got := c.object(d, at, endpointFields, "field.unknown")
	e.Path = got.ok("path").string()
	e.Summary = got.ok("summary").string()
	e.Requires = c.requirement(got.ok("requires_traits"), at.member("requires_traits"))
	e.RequestSchema = c.schema(got.ok("request_schema"), at.member("request_schema"), "endpoints.schema")
	e.ResponseSchema = c.schema(got.ok("response_schema"), at.member("response_schema"), "endpoints.schema")
	if m := got.ok("method"); m != nil {
		idempotent, ok := methods[strings.ToUpper(m.text)]
		if !ok {
			c.fail("endpoints.method", at.member("method"), fmt.Sprintf("Method '%s' is not known", show(m.text)))
		}
		e.Method, e.Idempotent = strings.ToUpper(m.text), idempotent
	}
	if i := got.ok("idempotent"); i != nil {
		e.Idempotent = i.truth
	}
	if k := got.ok("data_classification"); k != nil {
		if classes, ok := c.partClasses(k, at.member("data_classification"), "endpoints.data_classification", "Endpoint"); ok {
			e.Classes = classes
		}
	}
	if t := got.ok("timeout"); t != nil {
		var ok bool
		if e.Timeout, ok = t.duration(time.Millisecond, time.Hour); !ok {
			c.fail("endpoints.timeout", at.member("timeout"), "The time-out must be between 1 ms and 1 hour")
		}
	}
}

// partClasses reads the classes of a part of the plugin: one name or a list of
// at least one. The plugin as a whole must have the traits they need.
func (c *checker) partClasses(v *value, at place, rule, who string) (trait.Classes, bool) {
	if v.kind != text && (v.kind != array || notText(v) >= 0) {
		c.wrongType(at, "a data classification or an array of them", v)
		return 0, false
	}
	if v.kind == array && len(v.items) == 0 {
		c.fail(rule, at, "Data classification must be specified")
		return 0, false
	}
	classes, ok := c.classes(v, at, rule)
	c.coveredClasses(classes, at, who)
	return classes, ok
}

// duration reads seconds, or a duration such as "1m30s", within bounds.
func (v *value) duration(least, most time.Duration) (time.Duration, bool) {
	var d time.Duration
	switch v.kind {
	case number:
		f, _ := v.float()
		if f < least.Seconds() || f > most.Seconds() {
			return 0, false
		}
		d = time.Duration(f * float64(time.Second))
	case text:
		var err error
		if d, err = time.ParseDuration(v.text); err != nil {
			return 0, false
		}
	}
	return d, d >= least && d <= most
}
