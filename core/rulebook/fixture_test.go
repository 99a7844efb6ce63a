package rulebook_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db/dbtest"
)

// bell wakes every rulebook that listens to it, as the bus does.
type bell struct {
	mu    sync.Mutex
	hear  []func()
	muted bool
}

func (b *bell) Wake(string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.hear {
		if !b.muted {
			f()
		}
	}
	return nil
}

func (b *bell) OnWake(_ context.Context, _ string, f func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hear = append(b.hear, f)
	return nil
}

// world is an installation with one database; each book is a replica.
type world struct {
	*rulebook.Rulebook
	t      *testing.T
	db     *dbtest.DB
	bell   *bell
	audit  *audit.Store
	traits *trait.Registry
	two    bool // whether two have to publish
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, db: dbtest.New(t), bell: &bell{}, traits: trait.Builtin()}
	w.audit = audit.NewStore(w.db.Pool)
	w.Rulebook = w.open("one")
	return w
}

func (w *world) config(replica string) rulebook.Config {
	return rulebook.Config{
		Pool: w.db.Pool, Audit: w.audit, Waker: w.bell, Replica: replica, Log: slog.New(slog.DiscardHandler),
		Traits: func() *trait.Registry { return w.traits }, FourEyes: func() bool { return w.two },
	}
}

func (w *world) open(replica string) *rulebook.Rulebook {
	w.t.Helper()
	b, err := rulebook.Open(w.t.Context(), w.config(replica))
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// run runs a replica until the test ends.
func (w *world) run(b *rulebook.Rulebook) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the rulebook ended: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

var (
	mara = actor.Actor{Kind: actor.User, ID: "01a1f950-6944-7b1b-8ad6-85094b742401", Name: "Mara Lindqvist", Tenant: actor.DefaultTenant}
	joel = actor.Actor{Kind: actor.User, ID: "01a1f950-6944-7b1b-8ad6-85094b742402", Name: "Joel Whitaker", Tenant: actor.DefaultTenant}
)

// as is a context in which somebody acts.
func (w *world) as(who actor.Actor) context.Context { return actor.With(w.t.Context(), who) }

// save makes a text the draft, as Mara.
func (w *world) save(text string, tests ...rulebook.Test) rulebook.Draft {
	w.t.Helper()
	if tests == nil {
		tests = []rulebook.Test{}
	}
	before := must(w.Draft(w.as(mara)))(w.t)
	d, _, err := w.Save(w.as(mara), rulebook.Edit{Text: &text, Tests: &tests, Revision: before.Revision})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// publish saves and publishes, as Mara.
func (w *world) publish(text string, tests ...rulebook.Test) rulebook.Version {
	w.t.Helper()
	d := w.save(text, tests...)
	out, err := w.Publish(w.as(mara), d.Revision, "")
	if err != nil || out.Version == nil {
		w.t.Fatalf("published %+v, %v", out, err)
	}
	return *out.Version
}

// Two texts of rules, and a request that the second one forbids.
const (
	open   = "// Nothing yet.\n"
	closed = "@id(\"closed\")\n@reason(\"The stock is being counted.\")\nforbid (principal, action == Action::\"operator.call\", resource)\nwhen { resource.name == \"count\" };\n"
)

// call is what the audit keeps of a plugin's call that the built-in rules let pass.
func call() rulebook.Request {
	return rulebook.Request{Action: policy.OperatorCall, Facts: gate.Facts{
		Subject:  gate.Party{Kind: "plugin", ID: "shop", Tenant: "default", State: "active", Traits: []string{}},
		Target:   &gate.Party{Kind: "plugin", ID: "stock", Tenant: "default", State: "active", Traits: []string{}},
		Resource: gate.Subject{Name: "count", Declared: true, Granted: true},
		At:       time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC),
	}}
}

// expects is a test of that call.
func expects(outcome, rule string) rulebook.Test {
	return rulebook.Test{Name: "Counting the stock is to " + outcome, Request: call(), Expect: outcome, Rule: rule}
}

// allows reports how a policy decides the call.
func allows(p *policy.Policy) bool {
	c := call()
	r := c.Facts.Request(c.Action, p.Traits())
	return p.Decide(&r).Allow
}

// refused fails the test unless err is a fault of that code.
func refused(t testing.TB, err error, code string) *fault.Fault {
	t.Helper()
	f := fault.Of(err)
	if err == nil || f.Code != code {
		t.Fatalf("got %v, want a refusal by %s", err, code)
	}
	return f
}

// eventually waits until something becomes true; what never does fails the test.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// must returns a value that has to be there, or ends the test.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// actions are the actions of the audit's records, oldest first.
func (w *world) actions() []string {
	w.t.Helper()
	page, err := w.audit.Search(w.as(mara), audit.Filter{Action: "policy.*", Limit: 500})
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for i := range page.Records {
		all = append(all, page.Records[len(page.Records)-1-i].Action)
	}
	return all
}

// exec runs a statement as the database's owner.
func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Owner.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// decide has a gate decide and record calls for real, and returns its last id.
func (w *world) decide(p func() *policy.Policy, n int) uuid.UUID {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	writer := audit.NewWriter(w.db.Pool, audit.WriterConfig{Replica: "one", Log: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- writer.Run(ctx) }()
	door := gate.New(gate.Config{Policy: p, Record: writer, Log: slog.New(slog.DiscardHandler)})
	var last uuid.UUID
	for range n {
		c := call()
		r := c.Facts.Request(c.Action, w.traits)
		r.At = time.Time{}
		passage, err := door.Pass(actor.With(w.t.Context(), actor.Actor{Kind: actor.Plugin, ID: "shop", Name: "Shop", Tenant: actor.DefaultTenant}), &r, gate.Note{Plugin: "shop", Object: "stock/count", Level: audit.Detailed})
		if err == nil {
			last = passage.ID
			passage.End(w.t.Context(), audit.OK, nil)
		}
	}
	cancel()
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
	return last
}
