package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/vivified/vivified/core/trait"
)

// maxPermissions is how many permissions an isolate may ask for.
const maxPermissions = 256

// grants lists the permissions by what they begin with. The rest of the string
// goes to read, which reports false when it is malformed.
var grants = [...]struct {
	prefix string
	read   func(c *checker, rest string, at place) bool
}{
	{"network:outbound:", (*checker).outbound},
	{"network:inbound", (*checker).inbound},
	{"filesystem:read:", (*checker).filesystem},
	{"event:publish:", (*checker).publishes},
	{"event:subscribe:", (*checker).subscribes},
	{"data:read:", func(c *checker, rest string, at place) bool {
		return c.data(rest, func(d *DataAccess) { d.Read = true })
	}},
	{"data:write:", func(c *checker, rest string, at place) bool {
		return c.data(rest, func(d *DataAccess) { d.Write = true })
	}},
	{"storage:read", func(c *checker, rest string, at place) bool { c.m.Code.StorageRead = true; return rest == "" }},
	{"storage:write", func(c *checker, rest string, at place) bool { c.m.Code.StorageWrite = true; return rest == "" }},
}

// permission reads one permission.
func (c *checker) permission(p string, at place) {
	for _, g := range grants {
		if rest, ok := strings.CutPrefix(p, g.prefix); ok && g.read(c, rest, at) {
			return
		}
	}
	c.fail("permission.unknown", at, fmt.Sprintf("Permission '%s' is not known", show(p)))
}

// outbound allows a domain, by the same rules as allowed_domains.
func (c *checker) outbound(domain string, at place) bool {
	c.domains.n++
	c.domain(domain, at)
	c.m.Traits = c.m.Traits.With(trait.ExternalService)
	return true
}

func (c *checker) inbound(rest string, _ place) bool {
	c.m.Code.Inbound = true
	return rest == ""
}

// filesystem is refused: the core has no files to give.
func (c *checker) filesystem(path string, at place) bool {
	c.fail("permission.agent_only", at, fmt.Sprintf("Permission 'filesystem:read:%s' is for the desktop agent only", show(path)))
	return true
}

func (c *checker) publishes(pattern string, _ place) bool {
	p, ok := eventPermission(pattern)
	if ok && !slices.ContainsFunc(c.m.Events.Publishes, func(q Publish) bool { return q.Type == p }) {
		c.m.Events.Publishes = append(c.m.Events.Publishes, Publish{Type: p})
	}
	return ok
}

func (c *checker) subscribes(pattern string, _ place) bool {
	p, ok := eventPermission(pattern)
	if ok && !slices.Contains(c.m.Events.Subscribes, p) {
		c.m.Events.Subscribes = append(c.m.Events.Subscribes, p)
	}
	return ok
}

// eventPermission reads domain.*, or one full type, which asks for less.
func eventPermission(pattern string) (string, bool) {
	p, ok := NormalizeEventPattern(pattern)
	return p, ok && strings.Contains(p, ".")
}

// entityName is the form of an entity type's name.
var entityName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// data adds access to an entity type, its class, and the traits the class needs.
func (c *checker) data(entity string, set func(*DataAccess)) bool {
	if !entityName.MatchString(entity) {
		return false
	}
	i := slices.IndexFunc(c.m.Code.Data, func(d DataAccess) bool { return d.Entity == entity })
	if i < 0 {
		i = len(c.m.Code.Data)
		class := c.entityClass(entity)
		c.m.Code.Data = append(c.m.Code.Data, DataAccess{Entity: entity, Class: class})
		c.m.Security.Classes = c.m.Security.Classes.With(class)
		c.m.Traits = c.m.Traits.Union(trait.ClassesOf(class).Needs())
	}
	set(&c.m.Code.Data[i])
	return true
}

// entityClass returns the class of an entity type; confidential when nobody knows it.
func (c *checker) entityClass(entity string) trait.Class {
	if c.o.EntityClass != nil {
		if class, ok := c.o.EntityClass(entity); ok {
			return class
		}
	}
	name := strings.NewReplacer("_", "", "-", "").Replace(lowerASCII(entity))
	for _, e := range entityClasses {
		if slices.Contains(e.names, name) {
			return e.class
		}
	}
	return trait.Confidential
}

// entityClasses are the classes of the unified data model's entity types,
// named in lower case without separators, in singular and plural.
var entityClasses = [...]struct {
	class trait.Class
	names []string
}{
	{trait.PHI, []string{"health", "healthmetric", "healthmetrics", "activity", "activities"}},
	{trait.PII, []string{"contact", "contacts", "person", "persons", "people", "event", "events", "calendar", "message", "messages",
		"conversation", "conversations", "call", "calls", "voicemail", "voicemails", "location", "locations", "place", "places",
		"devicereading", "devicereadings"}},
	{trait.Confidential, []string{"finance", "transaction", "transactions", "account", "accounts", "document", "documents", "task", "tasks"}},
	{trait.Internal, []string{"organization", "organizations", "device", "devices"}},
	{trait.Public, []string{"fooditem", "fooditems", "food"}},
}
