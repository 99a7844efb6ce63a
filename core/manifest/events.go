package manifest

import (
	"fmt"
	"slices"
)

var eventsFields = []field{
	{name: "publishes", shape: anArray},
	{name: "subscribes", shape: stringList},
	{name: "delivery", shape: aString},
	{name: "path", shape: aString, wrong: "events.path"},
	{name: "format", shape: aString},
}

var publishFields = []field{
	{name: "type", shape: aString, missing: "events.type", wrong: "events.type"},
	{name: "classification", shape: anything},
	{name: "schema", shape: anObject},
}

// maxEvents is how many types a plugin may publish, and how many it may subscribe to.
const maxEvents = 1024

// defaultEventPath is where webhooks go when nothing is stated.
const defaultEventPath = "/events"

// events reads what the plugin publishes and subscribes to. Without a stated
// delivery, a path asks for webhooks and its lack for a stream.
func (c *checker) events(v *value, at place) {
	if v == nil {
		return
	}
	got := c.object(v, at, eventsFields, "field.unknown")
	publishes := at.member("publishes")
	for i := range c.list(got.ok("publishes"), publishes, maxEvents) {
		c.publish(&got.ok("publishes").items[i], publishes.item(i))
	}
	subscribes := at.member("subscribes")
	for i, s := range c.list(got.ok("subscribes"), subscribes, maxEvents) {
		pattern, ok := NormalizeEventPattern(s.text)
		if !ok {
			c.fail("events.type", subscribes.item(i), fmt.Sprintf("Event type '%s' is malformed", show(s.text)))
		} else if !slices.Contains(c.m.Events.Subscribes, pattern) {
			c.m.Events.Subscribes = append(c.m.Events.Subscribes, pattern)
		}
	}
	c.m.Events.Delivery = Stream
	if p := got.ok("path"); p != nil {
		c.m.Events.Path, c.m.Events.Delivery = p.text, Webhook
		if why := pathFault(p.text, false); why != "" {
			c.fail("events.path", at.member("path"), fmt.Sprintf("Path '%s' for events %s", show(p.text), why))
		}
	}
	if d := got.ok("delivery"); d != nil {
		c.m.Events.Delivery = d.text
		if d.text != Webhook && d.text != Stream {
			c.fail("events.delivery", at.member("delivery"), fmt.Sprintf("Delivery '%s' is not known", show(d.text)))
		}
	}
	c.m.Events.Format = Structured
	if f := got.ok("format"); f != nil {
		c.m.Events.Format = f.text
		if !slices.Contains([]string{Structured, Binary, Batch}, f.text) {
			c.fail("events.format", at.member("format"), fmt.Sprintf("Format '%s' of events is not known", show(f.text)))
		}
	}
	if c.m.Events.Delivery == Webhook && got.absent("path") {
		c.m.Events.Path = defaultEventPath
	}
}

// publish reads a type, or {type, classification, schema}.
func (c *checker) publish(v *value, at place) {
	var p Publish
	typ, typeAt := v, at
	switch v.kind {
	case text:
	case object:
		got := c.object(v, at, publishFields, "field.unknown")
		typ, typeAt = got.ok("type"), at.member("type")
		if k := got.ok("classification"); k != nil {
			p.Classes, _ = c.partClasses(k, at.member("classification"), "events.data_classification", "Event")
		}
		p.Schema = c.schema(got.ok("schema"), at.member("schema"), "events.schema")
	default:
		c.wrongType(at, "an event type or an object", v)
		return
	}
	if typ == nil {
		return
	}
	var ok bool
	if p.Type, ok = NormalizeEventType(typ.text); !ok {
		c.fail("events.type", typeAt, fmt.Sprintf("Event type '%s' is malformed", show(typ.text)))
		return
	}
	c.m.Events.Publishes = append(c.m.Events.Publishes, p)
}
