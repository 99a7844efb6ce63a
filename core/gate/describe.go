package gate

import (
	"strconv"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// describe returns the detail of a decision's audit row: a [Record] in canonical
// JSON, its members in the order of their names. It is written by hand because
// every request pays for it: by encoding/json, and read once more to make it
// canonical, it costs ten times as much. A test holds the two against each other.
func describe(p *policy.Policy, r *policy.Request, context any) audit.Canonical {
	w := writer{b: make([]byte, 0, 2048), traits: p.Traits()}
	w.open()
	if context != nil {
		w.name("context")
		w.b = audit.AppendJSON(w.b, context)
	}
	w.name("facts")
	w.facts(r)
	if v := p.Version(); v != 0 {
		w.name("policy_version")
		w.b = strconv.AppendInt(w.b, v, 10)
	}
	w.name("reasons")
	w.reasons(p.Explain(r))
	w.close()
	return w.b
}

// writer appends canonical JSON. Names are ours and need no escapes.
type writer struct {
	b       []byte
	traits  *trait.Registry
	scratch []string
}

func (w *writer) open()  { w.b = append(w.b, '{') }
func (w *writer) close() { w.b = append(w.b, '}') }

// name begins a member.
func (w *writer) name(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

// always writes a member; text leaves an empty one out, and so do list and flag.
func (w *writer) always(name, value string) {
	w.name(name)
	w.b = audit.AppendString(w.b, value)
}

func (w *writer) text(name, value string) {
	if value != "" {
		w.always(name, value)
	}
}

func (w *writer) flag(name string, set bool) {
	if set {
		w.name(name)
		w.b = append(w.b, "true"...)
	}
}

func (w *writer) list(name string, values []string) {
	if len(values) == 0 {
		return
	}
	w.name(name)
	w.b = append(w.b, '[')
	for i, v := range values {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = audit.AppendString(w.b, v)
	}
	w.b = append(w.b, ']')
}

// held writes the names of traits, also when there are none; needed leaves out an
// empty list of them.
func (w *writer) held(name string, set trait.Set) {
	names := w.names(set)
	if w.list(name, names); len(names) == 0 {
		w.name(name)
		w.b = append(w.b, '[', ']')
	}
}

func (w *writer) needed(name string, set trait.Set) { w.list(name, w.names(set)) }

// names is good until it is called again.
func (w *writer) names(set trait.Set) []string {
	w.scratch = w.traits.AppendNames(w.scratch[:0], set)
	return w.scratch
}

func (w *writer) facts(r *policy.Request) {
	w.open()
	if at := r.At.UTC(); !at.IsZero() {
		w.name("at")
		w.b = append(w.b, '"')
		w.b = at.AppendFormat(w.b, time.RFC3339Nano)
		w.b = append(w.b, '"')
	}
	w.name("form")
	w.b = strconv.AppendInt(w.b, complete, 10)
	w.text("method", r.Method)
	if r.OnBehalf != nil {
		w.party("on_behalf", r.OnBehalf)
	}
	w.resource(r)
	w.party("subject", &r.Subject)
	if r.Target.Kind != "" {
		w.party("target", &r.Target)
	}
	w.text("trace", r.Trace)
	w.close()
}

func (w *writer) party(name string, p *policy.Party) {
	w.name(name)
	w.open()
	w.always("id", p.ID)
	w.always("kind", string(p.Kind))
	w.text("name", p.Name)
	w.text("state", string(p.State))
	w.text("tenant", p.Tenant)
	w.held("traits", p.Traits)
	w.close()
}

func (w *writer) resource(r *policy.Request) {
	s := &r.Resource
	w.name("resource")
	w.open()
	w.text("address", s.Address)
	if s.Classes != 0 {
		w.list("classes", s.Classes.Names())
	}
	w.flag("declared", s.Declared)
	if r.Action == policy.ProxyRequest {
		w.text("egress", s.Egress.String())
	}
	w.flag("encrypts", s.Encrypts)
	w.flag("granted", s.Granted)
	w.text("id", s.ID)
	w.flag("marked", s.Marked)
	w.always("name", s.Name)
	w.needed("people", s.People)
	w.needed("requires", s.Requires)
	w.flag("resolved", s.Resolved)
	w.text("tenant", s.Tenant)
	w.list("unknown", s.Unknown)
	w.text("url", s.URL)
	w.close()
}

func (w *writer) reasons(all []policy.Reason) {
	w.b = append(w.b, '[')
	for i := range all {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.open()
		w.list("grantors", all[i].Grantors)
		w.list("missing", all[i].Missing)
		w.always("outcome", all[i].Outcome)
		w.always("rule", all[i].Rule)
		w.always("sentence", all[i].Sentence)
		w.close()
	}
	w.b = append(w.b, ']')
}
