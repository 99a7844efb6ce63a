package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/audit"
)

// The world that the record tells of: how many there are of each, of which the
// first are busy and the last rare.
const (
	numPlugins   = 200
	numPeople    = 300
	numAddresses = 2000
	numNames     = 12 // operations of a plugin
)

func plugin(n int) string  { return fmt.Sprintf("plugin-%03d", n) }
func person(n int) string  { return fmt.Sprintf("00000000-0000-7000-8000-%012d", n) }
func address(n int) string { return fmt.Sprintf("10.%d.%d.7", n/250, n%250) }

// operations are the names of a plugin's endpoints.
var operations = [numNames]string{"get_profile", "list_patients", "send_letter", "book", "cancel", "export_claims", "health", "search", "upload_scan", "render", "notify", "audit_trail"}

// link is one chain on its way.
type link struct {
	name string
	seq  int64
	hash []byte
	at   time.Time
}

// world makes records one after the other, as a core with two replicas would:
// mostly calls, each a decision and its outcome, some events, some requests to
// the outside, people who sign in and change things, and what was refused.
type world struct {
	chains []*link // two replicas, then changes
	rand   *rand.Rand
	clock  time.Time
	step   time.Duration
	later  []*audit.Record // outcomes of decisions
	detail map[int]json.RawMessage
}

func newWorld(from, until time.Time, rows int64) *world {
	w := &world{rand: rand.New(rand.NewPCG(20, 26)), clock: from, step: until.Sub(from) / time.Duration(rows+1), detail: map[int]json.RawMessage{}}
	for _, name := range []string{audit.LaneChain("one"), audit.LaneChain("two"), audit.ChangeChain} {
		w.chains = append(w.chains, &link{name: name, hash: make([]byte, 32)})
	}
	return w
}

// few returns a number below n of which small ones are much more frequent.
func (w *world) few(n int) int {
	f := w.rand.Float64()
	return int(f * f * f * float64(n))
}

// next returns the record that follows.
func (w *world) next() (*audit.Record, error) {
	w.clock = w.clock.Add(w.step)
	var r *audit.Record
	chain := w.rand.IntN(2)
	if len(w.later) > 4 {
		r, w.later = w.later[0], w.later[1:]
		if r.Chain == w.chains[0].name {
			chain = 0
		} else {
			chain = 1
		}
	} else {
		r = w.happens()
		if r.Action == "settings.set" || r.Action == "user.update" {
			chain = 2
		}
	}
	c := w.chains[chain]
	c.seq++
	c.at = w.clock.UTC().Truncate(time.Microsecond)
	if r.ID == uuid.Nil {
		r.ID = w.id()
	}
	r.Chain, r.Seq, r.At, r.PrevHash, r.Replica = c.name, c.seq, c.at, c.hash, strings.TrimPrefix(c.name, "lane/")
	hash, err := r.Digest()
	r.Hash, c.hash = hash, hash
	if r.Outcome == audit.Allow {
		end := *r
		end.ID, end.Outcome, end.Detail = uuid.Nil, audit.OK, json.RawMessage("{}")
		if w.rand.IntN(100) == 0 {
			end.Outcome, end.Rule = audit.Failed, "target.timeout"
		}
		if w.rand.IntN(100_000) == 0 {
			end.Outcome, end.Rule = audit.Unknown, "core.restart"
		}
		w.later = append(w.later, &end)
	}
	return r, err
}

// id returns a UUIDv7 of the record's time.
func (w *world) id() uuid.UUID {
	var id uuid.UUID
	ms := w.clock.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	for i := 6; i < 16; i++ {
		id[i] = byte(w.rand.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}

// happens returns something that nothing else led to.
func (w *world) happens() *audit.Record {
	from, to, name := w.few(numPlugins), w.few(numPlugins), w.rand.IntN(numNames)
	r := &audit.Record{
		Tenant: "default", ActorKind: "plugin", ActorID: plugin(from), ActorName: "Plugin " + plugin(from), Plugin: plugin(from),
		Action: "operator.call", Object: plugin(to) + "/" + operations[name], ObjectPlugin: plugin(to), Outcome: audit.Allow, Rule: "operator.grant",
		Classes: []string{"internal"}, Address: address(w.few(numAddresses)), Detail: w.facts(from, to, name),
	}
	r.ID = w.id()
	r.Call, r.Trace = r.ID, strings.ReplaceAll(r.ID.String(), "-", "")
	switch n := w.rand.IntN(1000); {
	case n < 50:
		r.Classes = []string{"internal", "phi"}
	case n < 200:
		r.Classes = []string{"pii"}
	case n == 200:
		r.Classes = []string{"confidential"}
	}
	if w.rand.IntN(10) == 0 {
		who := w.few(numPeople)
		r.OnBehalfID, r.OnBehalfName = person(who), fmt.Sprintf("User Number %d", who)
	}
	switch n := w.rand.IntN(1000); {
	case n < 100:
		r.Action, r.Object, r.ObjectPlugin, r.Rule = "proxy.request", fmt.Sprintf("api%02d.example.org", w.few(40)), "", "proxy.approved"
	case n < 200:
		r.Action, r.Object, r.ObjectPlugin, r.Rule = "event.publish", "clinic."+operations[name], "", "event.publish"
		r.Outcome, r.Call = audit.OK, uuid.Nil
	case n < 300:
		r.Action, r.Object, r.ObjectPlugin, r.Rule = "event.deliver", "clinic."+operations[name], "", "event.deliver"
		r.Receivers = []string{plugin(to), plugin((to + 7) % numPlugins)}
		r.Outcome, r.Call = audit.OK, uuid.Nil
	case n < 340:
		r.Outcome, r.Rule, r.Call = audit.Deny, "data.class", uuid.Nil
	case n < 370:
		w.byPerson(r, "auth.login", "user", audit.OK)
	case n < 375:
		w.byPerson(r, "auth.login", "user", audit.Deny)
	case n < 385:
		w.byPerson(r, "console.view", "audit", audit.OK)
	case n < 395:
		w.byPerson(r, "settings.set", "limits."+operations[name], audit.OK)
		r.Before, r.After = json.RawMessage(`{"value":10}`), json.RawMessage(`{"value":20}`)
	case n < 400:
		w.byPerson(r, "user.update", person(w.few(numPeople)), audit.OK)
		r.Before, r.After = json.RawMessage(`{"name":"Old Name"}`), json.RawMessage(`{"name":"New Name"}`)
	}
	return r
}

func (w *world) byPerson(r *audit.Record, action, object string, outcome audit.Outcome) {
	who := w.few(numPeople)
	r.ActorKind, r.ActorID, r.ActorName = "user", person(who), fmt.Sprintf("User Number %d", who)
	r.OnBehalfID, r.OnBehalfName, r.Plugin, r.ObjectPlugin = "", "", "", ""
	r.Action, r.Object, r.Outcome, r.Rule, r.Call = action, object, outcome, "console.access", uuid.Nil
	r.Credential, r.Classes, r.Detail = "session:"+person(who), []string{"internal"}, json.RawMessage(`{"method":"POST"}`)
}

// facts returns what a decision's row says of itself, of the size that the gate writes.
func (w *world) facts(from, to, name int) json.RawMessage {
	at := (from*numPlugins+to)*numNames + name
	if d, ok := w.detail[at]; ok {
		return d
	}
	party := func(n int) map[string]any {
		return map[string]any{"kind": "plugin", "id": plugin(n), "name": "Plugin " + plugin(n), "tenant": "default", "state": "active",
			"traits": []string{"audit_required", "external_service", "handles_internal", "handles_pii"}}
	}
	d, _ := json.Marshal(map[string]any{
		"facts": map[string]any{"form": 1, "subject": party(from), "target": party(to), "method": "POST", "at": "2026-01-02T03:04:05.678901Z",
			"resource": map[string]any{"name": operations[name], "tenant": "default", "classes": []string{"pii"}, "declared": true, "granted": true}},
		"reasons": []map[string]any{
			{"rule": "core.active", "outcome": "pass", "sentence": "Both plugins are active."},
			{"rule": "operator.grant", "outcome": "pass", "sentence": "An accepted dependency allows the call."},
			{"rule": "data.class", "outcome": "pass", "sentence": "The caller's traits cover the data."},
		},
	}) // strings, numbers and booleans always marshal
	if len(w.detail) < 50_000 {
		w.detail[at] = d
	}
	return d
}
