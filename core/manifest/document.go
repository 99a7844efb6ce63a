package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// described are the fields both kinds of plugin have to tell people about it.
var described = []field{
	{name: "description", shape: aString},
	{name: "publisher", shape: aString},
	{name: "license", shape: aString},
	{name: "homepage", shape: aString},
	{name: "icon", shape: aString},
	{name: "category", shape: aString},
	{name: "changelog", shape: aString},
}

// serviceFields are the fields of manifest.json.
var serviceFields = slices.Concat([]field{
	{name: "id", shape: aString, missing: generic},
	{name: "name", shape: aString, missing: generic},
	{name: "version", shape: aString, missing: generic},
	{name: "contracts", shape: stringList, missing: generic},
	{name: "traits", shape: stringList, missing: generic},
	{name: "security", shape: anObject, missing: generic},
}, described, []field{
	{name: "dependencies", shape: anArray},
	{name: "allowed_domains", shape: stringList},
	{name: "endpoints", shape: anObject},
	{name: "events", shape: anObject},
	{name: "transformers", shape: anArray},
	{name: "config_schema", shape: anObject},
	{name: "hooks", shape: anObject},
	{name: "ui", shape: anObject},
	{name: "compliance", shape: anObject},
	{name: "health_check", shape: anObject},
	{name: "resources", shape: anObject},
	{name: "runtime", shape: anObject},
})

// document reads either kind of manifest.
func (c *checker) document(doc *value) {
	if doc.get("type") != nil && doc.get("entrypoint") != nil {
		c.isolate(doc)
		return
	}
	c.service(doc)
}

// service reads manifest.json, each part where its rules stand.
func (c *checker) service(doc *value) {
	c.m.Kind = Service
	root := place{}
	top := c.object(doc, root, serviceFields, "field.unknown")
	c.identity(top, serviceID)
	c.describe(top)
	c.contracts(top.ok("contracts"), root.member("contracts"))
	c.traitsKnown = c.traits(top.ok("traits"), root.member("traits"))
	security := c.security(top.ok("security"), root.member("security"), securityFields)
	c.domains = c.allowedDomains(top, security)
	c.compliance(top)
	c.consistent()
	c.endpoints(top.ok("endpoints"), root.member("endpoints"))
	if !top.wrong("endpoints") {
		c.contractEndpoints(root.member("endpoints"))
	}
	c.dependencies(top.ok("dependencies"), root.member("dependencies"))
	c.events(top.ok("events"), root.member("events"))
	c.transformers(top.ok("transformers"), root.member("transformers"))
	c.m.ConfigSchema = c.configSchema(top.ok("config_schema"), root.member("config_schema"))
	c.hooks(top.ok("hooks"), root.member("hooks"))
	c.ui(top.ok("ui"), root.member("ui"))
	c.healthCheck(top.ok("health_check"), root.member("health_check"))
	c.resources(top.ok("resources"), root.member("resources"))
	c.runtime(top.ok("runtime"), root.member("runtime"))
}

// The forms of ids.
var (
	serviceForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$`)
	isolateForm = regexp.MustCompile(`^[a-z0-9-]+(\.[a-zA-Z0-9-]+)+$`)
)

// maxIsolateID is how long an isolate's id may be, in bytes.
const maxIsolateID = 128

func serviceID(id string) bool { return serviceForm.MatchString(id) }
func isolateID(id string) bool { return len(id) <= maxIsolateID && isolateForm.MatchString(id) }

// ValidID reports whether id has the form of a plugin's id, of either kind.
func ValidID(id string) bool { return serviceID(id) || isolateID(id) }

// reservedIDs would collide with routes and parts of the core.
var reservedIDs = [...]string{
	"core", "admin", "system", "vivified", "register", "token", "heartbeat", "proxy", "stats", "allowlist", "localhost",
}

// The lengths of texts, in characters.
const (
	maxName        = 120
	maxDescription = 2000
)

// identity checks id, name and version.
func (c *checker) identity(top members, valid func(string) bool) {
	root := place{}
	if v := top.ok("id"); v != nil {
		c.m.ID = v.text
		switch {
		case !valid(v.text):
			c.fail("id.format", root.member("id"), fmt.Sprintf("Plugin id '%s' is malformed", show(v.text)))
		case slices.Contains(reservedIDs[:], v.text):
			c.fail("id.reserved", root.member("id"), fmt.Sprintf("Plugin id '%s' is reserved", v.text))
		}
	}
	if v := top.ok("name"); v != nil {
		c.m.Name = v.text
		switch {
		case blank(v.text):
			c.fail("name.empty", root.member("name"), "Plugin name must not be blank")
		case utf8.RuneCountInString(v.text) > maxName:
			c.fail("name.too_long", root.member("name"), "Plugin name must have at most 120 characters")
		}
	}
	if v := top.ok("version"); v != nil {
		c.m.Version = v.text
		if !ValidVersion(v.text) {
			c.fail("version.semver", root.member("version"), fmt.Sprintf("Version '%s' is not a semantic version (SemVer 2.0)", show(v.text)))
		}
	}
}

// blank reports whether people see nothing: only spaces, controls and
// characters without a shape.
func blank(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.Mn, r) && !slices.Contains(invisible, r)
	}) < 0
}

// invisible are letters and symbols that fonts draw as nothing.
var invisible = []rune{'\u115f', '\u1160', '\u2800', '\u3164', '\uffa0'}

// categories are the shelves of the marketplace.
var categories = []string{"storage", "communication", "identity", "processing", "integration"}

// describe checks what is shown to people. An address that is not http or
// https is dropped, so no page can link it.
func (c *checker) describe(top members) {
	root := place{}
	for name, to := range map[string]*string{
		"description": &c.m.Description, "publisher": &c.m.Publisher, "license": &c.m.License, "homepage": &c.m.Homepage,
		"icon": &c.m.Icon, "category": &c.m.Category, "changelog": &c.m.Changelog,
	} {
		*to = top.ok(name).string()
	}
	if utf8.RuneCountInString(c.m.Description) > maxDescription {
		c.fail("description.too_long", root.member("description"), "Description must have at most 2,000 characters")
	}
	if c.m.Category != "" && !slices.Contains(categories, c.m.Category) {
		c.fail("category.unknown", root.member("category"), fmt.Sprintf("Category '%s' is not known", show(c.m.Category)))
		c.m.Category = ""
	}
	if c.m.Homepage != "" && !isWebAddress(c.m.Homepage) {
		c.fail("homepage.url", root.member("homepage"), fmt.Sprintf("Homepage '%s' is not an http or https address", show(c.m.Homepage)))
		c.m.Homepage = ""
	}
}

// contractEndpointsOf are the operations each contract promises.
var contractEndpointsOf = map[string][]string{
	"CommunicationPlugin": {"send_message", "receive_messages"},
	"StoragePlugin":       {"store", "retrieve", "delete"},
	"IdentityPlugin":      {"user_info"},
	"ProcessingPlugin":    nil,
	"IntegrationPlugin":   nil,
}

// IsContract reports whether name is one of the five contracts.
func IsContract(name string) bool { _, ok := contractEndpointsOf[name]; return ok }

// contracts checks the names.
func (c *checker) contracts(v *value, at place) {
	for i, name := range v.strings() {
		switch {
		case !IsContract(name):
			c.fail("contracts.unknown", at.item(i), fmt.Sprintf("Unknown contract '%s'", show(name)))
		case !slices.Contains(c.m.Contracts, name):
			c.m.Contracts = append(c.m.Contracts, name)
		}
	}
}

// contractEndpoints warns of operations that a contract promises and no
// endpoint offers.
func (c *checker) contractEndpoints(at place) {
	for _, contract := range c.m.Contracts {
		for _, name := range contractEndpointsOf[contract] {
			if _, ok := c.m.Endpoint(name); !ok {
				c.fail("contracts.endpoint_missing", at, fmt.Sprintf("%s needs the endpoint '%s'", contract, name))
			}
		}
	}
}

// dependencyFields are those of a dependency that is an object.
var dependencyFields = []field{
	{name: "id", shape: aString, missing: "dependencies.format", wrong: "dependencies.format"},
	{name: "version", shape: aString, wrong: "dependencies.format"},
}

// maxDependencies is how many plugins one may depend on.
const maxDependencies = 256

// dependencies reads ids, contract names and {id, version}.
func (c *checker) dependencies(v *value, at place) {
	for i, d := range c.list(v, at, maxDependencies) {
		at := at.item(i)
		var name string
		var versions Range
		switch d.kind {
		case text:
			name = d.text
		case object:
			got := c.object(&d, at, dependencyFields, "field.unknown")
			if got.ok("id") == nil || got.wrong("version") {
				continue
			}
			name = got.ok("id").text
			if r := got.ok("version"); r != nil {
				var ok bool
				if versions, ok = ParseRange(r.text); !ok {
					c.fail("dependencies.format", at.member("version"), fmt.Sprintf("Version range '%s' is malformed", show(r.text)))
					continue
				}
			}
		default:
			c.wrongType(at, "a plugin id, a contract or an object", &d)
			continue
		}
		switch {
		case IsContract(name):
			c.m.Dependencies = append(c.m.Dependencies, Dependency{Contract: name, Version: versions})
		case !ValidID(name):
			c.fail("dependencies.format", at, fmt.Sprintf("Dependency '%s' is neither a plugin id nor a contract", show(name)))
		case name == c.m.ID:
			c.fail("dependencies.circular", at, fmt.Sprintf("Plugin '%s' depends on itself", name))
		default:
			c.m.Dependencies = append(c.m.Dependencies, Dependency{ID: name, Version: versions})
		}
	}
}
