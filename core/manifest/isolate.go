package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vivified/vivified/core/trait"
)

// isolateFields are the fields of plugin.json. Only the first five need be
// there; permissions stand for what a service plugin spells out.
var isolateFields = slices.Concat([]field{
	{name: "id", shape: aString, missing: generic},
	{name: "name", shape: aString, missing: generic},
	{name: "version", shape: aString, missing: generic},
	{name: "type", shape: aString, wrong: "plugin_type.unknown"},
	{name: "entrypoint", shape: aString, wrong: "entrypoint.path"},
	{name: "permissions", shape: anything},
	{name: "configSchema", shape: anObject},
	{name: "config", shape: anArray},
}, described, []field{
	{name: "traits", shape: stringList},
	{name: "security", shape: anObject},
	{name: "compliance", shape: anObject},
	{name: "dependencies", shape: anArray},
	{name: "transformers", shape: anArray},
	{name: "ui", shape: anObject},
	{name: "resources", shape: anObject},
})

// isolateSecurityFields are those an isolate may add to what its permissions say.
var isolateSecurityFields = []field{
	{name: "authentication_required", shape: aBool},
	{name: "data_classification", shape: stringList},
	{name: "network_isolation", shape: aBool},
	{name: "requires_traits", shape: stringList},
}

// isolateTypes are the three types, with the trait each stands for.
var isolateTypes = map[string]trait.ID{
	"connector": trait.IntegrationPlugin,
	"channel":   trait.CommunicationPlugin,
	"operator":  trait.WorkflowPlugin,
}

// isolate reads plugin.json. What its permissions grant becomes the same
// traits, classes and domains a service plugin declares, and the same rules
// are checked on them.
func (c *checker) isolate(doc *value) {
	c.m.Kind = Isolate
	root := place{}
	top := c.object(doc, root, isolateFields, "field.unknown")
	c.identity(top, isolateID)
	c.describe(top)
	c.code(top)
	c.m.Runtime = Runtime{Kind: string(Isolate)}
	c.traitsKnown, c.classesKnown = true, true
	if !top.absent("traits") {
		c.traitsKnown = c.traits(top.ok("traits"), root.member("traits"))
	}
	if !top.absent("security") {
		c.classesKnown = false
		security := c.security(top.ok("security"), root.member("security"), isolateSecurityFields)
		c.classesKnown = c.classesKnown || security != nil && security.absent("data_classification")
	}
	c.permissions(top.ok("permissions"), root.member("permissions"))
	if c.m.Security.Classes == 0 {
		c.m.Security.Classes = trait.ClassesOf(trait.Internal)
	}
	c.compliance(top)
	c.consistent()
	c.dependencies(top.ok("dependencies"), root.member("dependencies"))
	c.transformers(top.ok("transformers"), root.member("transformers"))
	c.m.ConfigSchema = c.configSchema(top.ok("configSchema"), root.member("configSchema"))
	if list := top.ok("config"); list != nil && top.absent("configSchema") {
		c.m.ConfigSchema = c.configList(list, root.member("config"))
	}
	c.ui(top.ok("ui"), root.member("ui"))
	c.resources(top.ok("resources"), root.member("resources"))
}

// code reads what is run.
func (c *checker) code(top members) {
	if t := top.ok("type"); t != nil {
		id, ok := isolateTypes[t.text]
		if !ok {
			c.fail("plugin_type.unknown", place{}.member("type"), fmt.Sprintf("Plugin type '%s' is not known", show(t.text)))
		} else {
			c.m.Traits = c.m.Traits.With(id)
		}
		c.m.Code.Type = t.text
	}
	if e := top.ok("entrypoint"); e != nil {
		clean, ok := cleanEntrypoint(e.text)
		if !ok {
			c.fail("entrypoint.path", place{}.member("entrypoint"), fmt.Sprintf("Entrypoint '%s' is not a relative file inside the bundle", show(e.text)))
		}
		c.m.Code.Entrypoint = clean
	}
}

// settingFields are those of one item of the structured form's config list.
var settingFields = []field{
	{name: "key", shape: aString, wrong: "config_schema.invalid"},
	{name: "name", shape: aString, wrong: "config_schema.invalid"},
	{name: "type", shape: aString, wrong: "config_schema.invalid"},
	{name: "label", shape: aString, wrong: "config_schema.invalid"},
	{name: "description", shape: aString, wrong: "config_schema.invalid"},
	{name: "required", shape: aBool, wrong: "config_schema.invalid"},
	{name: "secret", shape: aBool, wrong: "config_schema.invalid"},
	{name: "default", shape: anything},
}

// settingTypes are the types of a setting in the config list, with those of JSON Schema.
var settingTypes = map[string]string{
	"": "string", "string": "string", "secret": "string", "password": "string", "url": "string", "text": "string",
	"number": "number", "integer": "integer", "boolean": "boolean",
}

// configList makes a JSON Schema of the structured form's list of settings.
func (c *checker) configList(v *value, at place) json.RawMessage {
	schema := value{kind: object, keys: []string{"type", "properties", "required"},
		items: []value{{kind: text, text: "object"}, {kind: object}, {kind: array}}}
	properties, required := &schema.items[1], &schema.items[2]
	for i, d := range c.list(v, at, maxSchemas) {
		at := at.item(i)
		if d.kind != object {
			c.wrongType(at, "an object", &d)
			continue
		}
		got := c.object(&d, at, settingFields, "field.unknown")
		key := got.ok("key").string()
		if key == "" {
			key = got.ok("name").string()
		}
		typ, ok := settingTypes[got.ok("type").string()]
		if key == "" || !ok || properties.get(key) != nil {
			c.fail("config_schema.invalid", at, "A setting needs a key of its own and a type of string, number, integer, boolean or secret")
			continue
		}
		one := value{kind: object, keys: []string{"type"}, items: []value{{kind: text, text: typ}}}
		add := func(name string, v *value) {
			if v != nil {
				one.keys, one.items = append(one.keys, name), append(one.items, *v)
			}
		}
		add("title", got.ok("label"))
		add("description", got.ok("description"))
		add("default", got.ok("default"))
		secret := got.ok("secret")
		if t := got.ok("type").string(); t == "secret" || t == "password" || secret != nil && secret.truth {
			add("x-secret", &value{kind: boolean, truth: true})
		}
		properties.keys, properties.items = append(properties.keys, key), append(properties.items, one)
		if r := got.ok("required"); r != nil && r.truth {
			required.items = append(required.items, value{kind: text, text: key})
		}
	}
	return c.configSchema(&schema, at)
}

// permissions reads the flat list, or the structured form, whose groups and
// items are the parts of the same strings: {"network": ["api.example.com"],
// "data": ["read:contacts"]}.
func (c *checker) permissions(v *value, at place) {
	switch {
	case v == nil:
		c.domains.known = true
	case v.kind == object:
		c.domains.known = true
		for i, group := range v.keys {
			at := at.member(group)
			list := c.shaped(&v.items[i], at, field{name: group, shape: stringList})
			for j, item := range c.list(list, at, maxPermissions) {
				c.permission(structured(group, item.text), at.item(j))
			}
		}
	default:
		list := c.shaped(v, at, field{name: "permissions", shape: stringList})
		c.domains.known = list != nil
		for i, item := range c.list(list, at, maxPermissions) {
			c.permission(item.text, at.item(i))
		}
	}
	slices.Sort(c.m.AllowedDomains)
	c.m.AllowedDomains = slices.Compact(c.m.AllowedDomains)
}

// structured returns the flat form of an item of the structured form. A host
// stands there without "outbound", an entity to be read without "read".
func structured(group, item string) string {
	first, _, _ := strings.Cut(item, ":")
	switch {
	case first == group:
		return item
	case group == "network" && first != "inbound" && first != "outbound":
		return "network:outbound:" + item
	case group == "data" && first != "read" && first != "write":
		return "data:read:" + item
	}
	if group == "events" {
		group = "event"
	}
	return group + ":" + item
}
