package manifest

import (
	"fmt"
	"net/url"
	"time"
)

var hookFields = []field{
	{name: "init", shape: aString, wrong: "hooks.path"},
	{name: "shutdown", shape: aString, wrong: "hooks.path"},
	{name: "heartbeat", shape: aString, wrong: "hooks.path"},
}

// hooks reads the paths the core calls.
func (c *checker) hooks(v *value, at place) {
	if v == nil {
		return
	}
	got := c.object(v, at, hookFields, "field.unknown")
	for _, h := range [...]struct {
		name string
		to   *string
	}{{"init", &c.m.Hooks.Init}, {"shutdown", &c.m.Hooks.Shutdown}, {"heartbeat", &c.m.Hooks.Heartbeat}} {
		if p := got.ok(h.name); p != nil {
			*h.to = c.path(p, at.member(h.name), "hooks.path", "Hook")
		}
	}
}

// path reads a local path without templates; what says whose it is.
func (c *checker) path(v *value, at place, rule, what string) string {
	if why := pathFault(v.text, false); why != "" {
		c.fail(rule, at, fmt.Sprintf("%s path '%s' %s", what, show(v.text), why))
	}
	return v.text
}

var uiFields = []field{{name: "pages", shape: anArray}}

var pageFields = []field{
	{name: "title", shape: aString},
	{name: "path", shape: aString, missing: "ui.path", wrong: "ui.path"},
	{name: "icon", shape: aString},
	{name: "requires_traits", shape: stringList},
}

// maxPages is how many pages a plugin may add to the console.
const maxPages = 64

// ui reads the pages. One without a title has the plugin's name.
func (c *checker) ui(v *value, at place) {
	if v == nil {
		return
	}
	got := c.object(v, at, uiFields, "field.unknown")
	for i, d := range c.list(got.ok("pages"), at.member("pages"), maxPages) {
		at := at.member("pages").item(i)
		if d.kind != object {
			c.wrongType(at, "an object", &d)
			continue
		}
		got := c.object(&d, at, pageFields, "field.unknown")
		p := Page{Title: got.ok("title").string(), Icon: got.ok("icon").string(), Requires: c.requirement(got.ok("requires_traits"), at.member("requires_traits"))}
		if blank(p.Title) {
			p.Title = c.m.Name
		}
		if path := got.ok("path"); path != nil {
			p.Path = c.path(path, at.member("path"), "ui.path", "Page")
			c.m.Pages = append(c.m.Pages, p)
		}
	}
}

var healthFields = []field{
	{name: "type", shape: aString, wrong: "health_check.type"},
	{name: "port", shape: aNumber, wrong: "health_check.port"},
	{name: "path", shape: aString, wrong: "health_check.path"},
	{name: "interval", shape: anything},
	{name: "timeout", shape: anything},
	{name: "threshold", shape: anything},
}

// The kinds of health check.
const (
	HealthHTTP   = "http"
	HealthTCP    = "tcp"
	HealthCustom = "custom"
)

// healthCheck reads how the plugin's health is found out.
func (c *checker) healthCheck(v *value, at place) {
	if v == nil {
		return
	}
	got := c.object(v, at, healthFields, "field.unknown")
	h := &HealthCheck{Type: HealthHTTP, Path: "/health"}
	c.m.HealthCheck = h
	if t := got.ok("type"); t != nil {
		h.Type = t.text
		if t.text != HealthHTTP && t.text != HealthTCP && t.text != HealthCustom {
			c.fail("health_check.type", at.member("type"), fmt.Sprintf("Health check type '%s' is not known", show(t.text)))
		}
	}
	if p := got.ok("port"); p != nil {
		h.Port = c.port(p, at.member("port"), "health_check.port")
	}
	if p := got.ok("path"); p != nil {
		h.Path = c.path(p, at.member("path"), "health_check.path", "Health check")
	}
	for _, d := range [...]struct {
		name        string
		least, most time.Duration
		to          *time.Duration
		message     string
	}{
		{"interval", time.Second, 24 * time.Hour, &h.Interval, "The interval must be between 1 second and 24 hours"},
		{"timeout", time.Millisecond, time.Hour, &h.Timeout, "The time-out must be between 1 ms and 1 hour"},
	} {
		if t := got.ok(d.name); t != nil {
			var ok bool
			if *d.to, ok = t.duration(d.least, d.most); !ok {
				c.fail("health_check."+d.name, at.member(d.name), d.message)
			}
		}
	}
	if t := got.ok("threshold"); t != nil {
		n, ok := t.integer()
		if !ok || n < 1 || n > 100 {
			c.fail("health_check.threshold", at.member("threshold"), "The threshold must be a whole number between 1 and 100")
		} else {
			h.Threshold = int(n)
		}
	}
}

// port reads a TCP port.
func (c *checker) port(v *value, at place, rule string) int {
	n, ok := v.integer()
	if !ok || n < 1 || n > 65535 {
		c.fail(rule, at, "The port must be a whole number between 1 and 65535")
		return 0
	}
	return int(n)
}

// isWebAddress reports whether s is an absolute http or https address that
// hides no credentials.
func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.Opaque == ""
}
