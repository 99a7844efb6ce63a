package policy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// cedarSays asks Cedar's own evaluator what we ask our compiled rules: the same
// document, and the facts of the request as the schema lays them out.
func cedarSays(t testing.TB, text string, r *policy.Request) (matched, failing []string) {
	t.Helper()
	list, err := cedar.NewPolicyListFromBytes("", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		id := string(p.Annotations()["id"])
		set := cedar.NewPolicySet()
		set.Add(cedar.PolicyID(id), p)
		entities, request := asCedar(r)
		_, diagnostic := cedar.Authorize(set, entities, request)
		if len(diagnostic.Reasons) > 0 {
			matched = append(matched, id)
		}
		if len(diagnostic.Errors) > 0 {
			failing = append(failing, id)
		}
	}
	return matched, failing
}

// asCedar lays the facts of r out as the schema says.
func asCedar(r *policy.Request) (cedar.EntityMap, cedar.Request) {
	entities := cedar.EntityMap{}
	words := func(names []string) cedar.Set {
		var values []cedar.Value
		for _, n := range names {
			values = append(values, cedar.String(n))
		}
		return cedar.NewSet(values...)
	}
	party := func(p *policy.Party) cedar.EntityUID {
		attributes := cedar.RecordMap{"id": cedar.String(p.ID), "tenant": cedar.String(p.Tenant), "traits": words(trait.Builtin().Names(p.Traits))}
		uid := cedar.NewEntityUID("User", cedar.String(p.ID))
		if p.Kind == actor.Plugin {
			uid.Type, attributes["state"] = "Plugin", cedar.String(p.State)
		}
		entities[uid] = cedar.Entity{UID: uid, Attributes: cedar.NewRecord(attributes)}
		return uid
	}
	add := func(typ cedar.EntityType, id string, attributes cedar.RecordMap, parents ...cedar.EntityUID) cedar.EntityUID {
		uid := cedar.NewEntityUID(typ, cedar.String(id))
		entities[uid] = cedar.Entity{UID: uid, Attributes: cedar.NewRecord(attributes), Parents: cedar.NewEntityUIDSet(parents...)}
		return uid
	}
	who := &r.Subject
	if r.Action == policy.EventDeliver {
		who = &r.Target
	}
	request := cedar.Request{Principal: party(who), Action: cedar.NewEntityUID("Action", cedar.String(r.Action))}
	entities[request.Action] = cedar.Entity{UID: request.Action, Parents: cedar.NewEntityUIDSet(groups(r.Action)...)}
	res := &r.Resource
	name, classes, requires := cedar.String(res.Name), words(res.Classes.Names()), words(trait.Builtin().Names(res.Requires))
	switch {
	case r.Action == policy.OperatorCall:
		target := party(&r.Target)
		request.Resource = add("Operation", r.Target.ID+"/"+res.Name, cedar.RecordMap{
			"name": name, "plugin": target, "classes": classes, "requires": requires, "requires_encryption": cedar.Boolean(res.Encrypts), "granted": cedar.Boolean(res.Granted),
		}, target)
	case r.Action == policy.EventPublish || r.Action == policy.EventDeliver:
		var parents []cedar.EntityUID
		for i, c := range res.Name {
			if c == '.' {
				parents = append(parents, cedar.NewEntityUID("EventType", cedar.String(res.Name[:i])))
			}
		}
		request.Resource = add("EventType", res.Name, cedar.RecordMap{
			"name": name, "publisher": party(&r.Subject), "classes": classes, "requires_encryption": cedar.Boolean(res.Encrypts),
		}, parents...)
	case r.Action == policy.ProxyRequest:
		var parents []cedar.EntityUID
		for i, c := range res.Name {
			if c == '.' {
				parents = append(parents, cedar.NewEntityUID("Domain", cedar.String(res.Name[i+1:])))
			}
		}
		request.Resource = add("Domain", res.Name, cedar.RecordMap{"name": name}, parents...)
	case r.Action.Family() == "plugin" && r.Target.Kind == actor.Plugin:
		request.Resource = party(&r.Target)
	default:
		id := res.ID
		if id == "" {
			id = res.Name
		}
		request.Resource = add("Object", id, cedar.RecordMap{"id": cedar.String(id), "name": name, "tenant": cedar.String(res.Tenant), "classes": classes, "requires": requires})
	}
	at := r.At.UTC()
	moment := cedar.RecordMap{
		"time": cedar.NewDatetime(at), "hour": cedar.Long(at.Hour()), "minute": cedar.Long(at.Minute()), "weekday": cedar.String(strings.ToLower(at.Weekday().String())),
		"method": cedar.String(r.Method), "trace": cedar.String(r.Trace),
	}
	if r.OnBehalf != nil {
		moment["on_behalf"] = party(r.OnBehalf)
	}
	request.Context = cedar.NewRecord(moment)
	return entities, request
}

// groups are those the schema puts an action in.
func groups(a policy.Action) (all []cedar.EntityUID) {
	of := map[string][]string{"operator": {"operator", "lanes"}, "event": {"event", "lanes"}, "proxy": {"proxy", "lanes"}, "storage": {"storage"}, "data": {"data"}}
	names, ok := of[a.Family()]
	if !ok {
		names = []string{a.Family(), "administration"}
	}
	for _, n := range names {
		all = append(all, cedar.NewEntityUID("Action", cedar.String(n)))
	}
	return all
}

// writer writes random conditions that mostly make sense for one action.
type writer struct {
	*rand.Rand
	action    policy.Action
	who, what string
	onBehalf  bool // it has been asked whether there is somebody
}

func (w *writer) one(words ...string) string { return words[w.IntN(len(words))] }

func (w *writer) condition(depth int) string {
	if depth <= 0 {
		return w.relation()
	}
	switch w.IntN(8) {
	case 0:
		return "(" + w.condition(depth-1) + " && " + w.condition(depth-1) + ")"
	case 1:
		return "(" + w.condition(depth-1) + " || " + w.condition(depth-1) + ")"
	case 2:
		return "!(" + w.condition(depth-1) + ")"
	case 3:
		return "(if " + w.condition(depth-1) + " then " + w.condition(depth-1) + " else " + w.condition(depth-1) + ")"
	case 4:
		inner := *w
		inner.onBehalf = true
		return "(context has on_behalf && " + inner.condition(depth-1) + ")"
	}
	return w.relation()
}

func (w *writer) relation() string {
	switch w.IntN(13) {
	case 0:
		return w.number(2) + w.one(" < ", " <= ", " > ", " >= ", " == ", " != ") + w.number(2)
	case 1:
		return w.words() + ".contains(" + w.trait() + ")"
	case 2:
		return w.words() + w.one(".containsAny(", ".containsAll(") + w.one(w.words(), "["+w.trait()+", "+w.trait()+"]") + ")"
	case 3:
		return w.one(w.words(), "["+w.trait()+"]") + w.one(" == ", " != ") + w.words()
	case 4:
		return w.words() + ".isEmpty()"
	case 5:
		return w.string() + w.one(" == ", " != ") + w.string()
	case 6:
		return w.string() + " like " + w.one(`"a*"`, `"*"`, `"*.b"`, `"a"`, `"*a*b*"`)
	case 7:
		return w.entity() + w.one(" == ", " != ", " in ") + w.entity()
	case 8:
		return w.entity() + " is " + w.one("User", "Plugin", "Operation", "EventType", "Domain", "Object", "User", "Plugin in Plugin::\"a\"")
	case 9:
		return w.one("[1, 5, 12]", "[0]") + ".contains(" + w.number(1) + ")"
	case 10:
		return w.one(`context.weekday == "monday"`, `["saturday", "sunday"].contains(context.weekday)`, `context.method == "GET"`, "true", "false",
			`context.time < datetime("2026-06-01")`, `context.time.toTime() >= duration("12h30m")`, `context.time.offset(duration("-1d")).toDate() == context.time.toDate()`,
			`context.time.durationSince(datetime("2026-01-01")).toDays() > 100`, `action in Action::"lanes"`, `action == Action::"operator.call"`, `action in [Action::"plugin", Action::"event.deliver"]`,
			`principal has traits`, `context has hour`, `resource has nothing`, `principal has state`, `context has on_behalf`)
	case 11:
		switch w.what {
		case "Operation":
			return w.one("resource.granted", "resource.requires_encryption", `resource.classes.contains("pii")`, `resource.classes.containsAny(["phi", "pii"])`, `["phi"].containsAll(resource.classes)`,
				"resource.plugin == principal", `resource in Plugin::"a"`, `resource == Operation::"a/get"`, `resource in [Operation::"a/get", Operation::"b/get"]`, `resource.plugin.state == "active"`)
		case "EventType":
			return w.one(`resource in EventType::"a"`, `resource in EventType::"a.b"`, `resource == EventType::"a.b"`, "resource.publisher == principal", "resource.classes.isEmpty()", "resource.requires_encryption")
		case "Domain":
			return w.one(`resource in Domain::"b"`, `resource in Domain::"a.b"`, `resource in [Domain::"c", Domain::"a.b"]`, `resource == Domain::"a.b"`)
		case "Plugin":
			return w.one(`resource == Plugin::"a"`, `resource.state == "active"`, `resource.traits.contains("viewer")`, "resource in [Plugin::\"a\", Plugin::\"b\"]")
		}
		return w.one(`resource == Object::"a"`, `resource.tenant == principal.tenant`, `resource.classes.contains("pii")`, `resource.requires.contains("viewer")`)
	}
	return "(if " + w.one("context.hour < 12", "principal.traits.contains(\"viewer\")") + " then " + w.number(1) + " else " + w.number(1) + ") > 3"
}

func (w *writer) number(depth int) string {
	if depth > 0 && w.IntN(3) == 0 {
		return "(" + w.number(depth-1) + w.one(" + ", " - ", " * ") + w.number(depth-1) + ")"
	}
	return w.one("context.hour", "context.minute", "0", "6", "12", "23", "59", "-1", "9223372036854775807", "(-context.hour)")
}

func (w *writer) trait() string {
	return w.one(`"viewer"`, `"handles_pii"`, `"handles_phi"`, `"audit_required"`)
}

func (w *writer) words() string {
	if w.onBehalf && w.IntN(3) == 0 {
		return "context.on_behalf.traits"
	}
	if w.what == "Operation" && w.IntN(2) == 0 {
		return w.one("resource.requires", "resource.plugin.traits")
	}
	return "principal.traits"
}

func (w *writer) string() string {
	if w.onBehalf && w.IntN(3) == 0 {
		return w.one("context.on_behalf.id", "context.on_behalf.tenant")
	}
	if w.what != "Plugin" && w.IntN(3) == 0 {
		return "resource.name"
	}
	return w.one("principal.id", "principal.tenant", `"a"`, `"a.b"`, "context.trace", `"default"`)
}

func (w *writer) entity() string {
	if w.onBehalf && w.IntN(3) == 0 {
		return "context.on_behalf"
	}
	return w.one("principal", "resource", "principal", w.who+`::"a"`)
}

// document is three rules of random scopes and conditions.
func (w *writer) document(effects ...string) string {
	var text strings.Builder
	for i := range 3 {
		fmt.Fprintf(&text, "@id(\"r%d\") @reason(\"Because.\") %s (principal%s, action%s, resource%s)\n  %s { %s };\n", i, w.one(effects...),
			w.one("", " is "+w.who, " == "+w.who+`::"a"`, " is "+w.who), w.one("", ` == Action::"`+string(w.action)+`"`), w.one("", " is "+w.what, " is "+w.what),
			w.one("when", "unless"), w.condition(3))
	}
	return text.String()
}

// request is one of random facts that the writer's rules speak of.
func (w *writer) request() policy.Request {
	traits := func() (s trait.Set) {
		for _, id := range []trait.ID{trait.Viewer, trait.HandlesPII, trait.HandlesPHI, trait.AuditRequired} {
			if w.IntN(2) == 0 {
				s = s.With(id)
			}
		}
		return s
	}
	party := func(k actor.Kind) policy.Party {
		p := policy.Party{Kind: k, ID: w.one("a", "b"), Tenant: w.one("default", "a"), Traits: traits()}
		if k == actor.Plugin {
			p.State = policy.State(w.one("active", "disabled"))
		}
		return p
	}
	r := policy.Request{
		Action: w.action, Subject: party(actor.Plugin), At: time.UnixMilli(w.Int64N(4e12) - 1e12), Method: w.one("GET", "POST", ""), Trace: w.one("", "a"),
		Resource: policy.Resource{
			Name: w.one("a", "a.b", "x.a.b", "get", "a.b.c"), ID: w.one("", "a", "b"), Tenant: w.one("", "default"), Requires: traits(), Classes: trait.Classes(w.IntN(32)),
			Granted: w.IntN(2) == 0, Encrypts: w.IntN(2) == 0,
		},
	}
	who := actor.Plugin
	if w.who == "User" {
		who = actor.User
	}
	switch w.what {
	case "Operation":
		r.Subject, r.Target = party(who), party(actor.Plugin)
	case "EventType":
		if r.Target = party(who); w.action == policy.EventPublish {
			r.Target = policy.Party{}
		}
	case "Plugin":
		r.Subject, r.Target = party(who), party(actor.Plugin)
	default:
		r.Subject = party(who)
	}
	// One id is one thing, with one set of facts.
	if r.Target.Kind == r.Subject.Kind && r.Target.ID == r.Subject.ID {
		r.Target = r.Subject
	}
	if w.IntN(2) == 0 {
		u := party(actor.User)
		for _, p := range []policy.Party{r.Subject, r.Target} {
			if p.Kind == actor.User && p.ID == u.ID {
				u = p
			}
		}
		r.OnBehalf = &u
	}
	return r
}

// asked are the kinds of request the schema knows.
var asked = []struct {
	action    policy.Action
	who, what string
}{
	{policy.OperatorCall, "Plugin", "Operation"}, {policy.OperatorCall, "User", "Operation"}, {policy.EventPublish, "Plugin", "EventType"},
	{policy.EventDeliver, "Plugin", "EventType"}, {policy.EventDeliver, "User", "EventType"}, {policy.ProxyRequest, "Plugin", "Domain"},
	{policy.StorageRead, "Plugin", "Object"}, {policy.DataWrite, "User", "Object"}, {policy.PluginEnable, "User", "Plugin"}, {policy.ConfigWrite, "User", "Object"},
}

// FuzzCompiledRulesAreCedar: our compiled rules say what Cedar's own evaluator
// says, of every document that is accepted and every request: which rules match,
// and which have no value.
func FuzzCompiledRulesAreCedar(f *testing.F) {
	for seed := range uint64(400) {
		f.Add(seed)
	}
	tried, accepted := 0, 0
	f.Fuzz(func(t *testing.T, seed uint64) {
		tried++
		rnd := rand.New(rand.NewPCG(seed, 3))
		kind := asked[rnd.IntN(len(asked))]
		w := &writer{Rand: rnd, action: kind.action, who: kind.who, what: kind.what}
		text := w.document("forbid")
		d, found := policy.Compile(text, trait.Builtin())
		if d == nil {
			if len(found) == 0 {
				t.Fatalf("refused without a finding:\n%s", text)
			}
			return
		}
		accepted++
		p := policy.New(trait.Builtin()).With(d, 1)
		for range 20 {
			r := w.request()
			matched, failing := policy.Said(p, &r)
			wantMatched, wantFailing := cedarSays(t, text, &r)
			if diff := cmp.Diff([][]string{wantMatched, wantFailing}, [][]string{matched, failing}); diff != "" {
				t.Fatalf("of %+v\n(- Cedar, + we):\n%s\n%s", r, diff, text)
			}
		}
	})
	if tried >= 400 && accepted < tried/2 {
		f.Errorf("only %d of %d documents were accepted, which proves little", accepted, tried)
	}
}
