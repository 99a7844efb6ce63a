package registry_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

// bell wakes every registry that listens to it, as the bus does.
type bell struct {
	mu   sync.Mutex
	hear []func()
}

func (b *bell) Wake(string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.hear {
		f()
	}
	return nil
}

func (b *bell) OnWake(_ context.Context, _ string, f func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hear = append(b.hear, f)
	return nil
}

type world struct {
	*registry.Registry
	db   *dbtest.DB
	bell *bell
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{db: dbtest.New(t), bell: &bell{}}
	w.Registry = w.open(t)
	return w
}

func (w *world) open(t *testing.T) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), registry.Config{Pool: w.db.Pool, Waker: w.bell, Refresh: time.Hour, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func asCore(t *testing.T) context.Context { return actor.With(t.Context(), actor.Core("test")) }

func document(id string, more map[string]any) []byte {
	m := map[string]any{
		"id": id, "name": id, "version": "1.0.0", "contracts": []string{}, "traits": []string{"handles_internal"},
		"security": map[string]any{"authentication_required": true, "data_classification": []string{"internal"}},
	}
	for k, v := range more {
		m[k] = v
	}
	raw, _ := json.Marshal(m)
	return raw
}

func (w *world) add(t *testing.T, id string, more map[string]any) *manifest.Manifest {
	t.Helper()
	m, findings := manifest.Read(document(id, more), w.ReadOptions())
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(asCore(t), &m, "http://127.0.0.1:1", "127.0.0.1", nil); err != nil {
		t.Fatal(err)
	}
	return &m
}

func (w *world) state(t *testing.T, id string) policy.State {
	t.Helper()
	p, ok := w.Snapshot().Plugin(id)
	if !ok {
		return "unregistered"
	}
	return p.State
}

// rows counts the audit's rows of an action.
func (w *world) rows(t *testing.T, action string) (n int) {
	t.Helper()
	if err := w.db.Pool.QueryRow(t.Context(), "SELECT count(*) FROM audit_log WHERE action = $1", action).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestMoves tries every state after every state.
func TestMoves(t *testing.T) {
	allowed := map[policy.State][]policy.State{
		policy.Registered:  {policy.Active, policy.Quarantined},
		policy.Active:      {policy.Disabled, policy.Unhealthy, policy.Quarantined},
		policy.Unhealthy:   {policy.Active, policy.Disabled, policy.Quarantined},
		policy.Disabled:    {policy.Active, policy.Quarantined},
		policy.Quarantined: {policy.Disabled},
	}
	states := []policy.State{policy.Registered, policy.Active, policy.Unhealthy, policy.Disabled, policy.Quarantined}
	for _, from := range states {
		for _, to := range states {
			want := false
			for _, s := range allowed[from] {
				want = want || s == to
			}
			if registry.CanMove(from, to) != want {
				t.Errorf("%s → %s is allowed: %v, want %v", from, to, !want, want)
			}
		}
	}
	for _, s := range states {
		if want := s != policy.Active && s != policy.Unhealthy; registry.CanLeave(s) != want {
			t.Errorf("a plugin that is %s may be unregistered: %v, want %v", s, !want, want)
		}
	}
}

func TestOfTwoMovesOneWins(t *testing.T) {
	w := newWorld(t)
	w.add(t, "notes", nil)
	if err := w.Activate(asCore(t), "notes", registry.Activation{From: policy.Registered}); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 8)
	ctx := asCore(t)
	for range cap(errs) {
		go func() { errs <- w.Move(ctx, "notes", policy.Active, policy.Disabled, "") }()
	}
	won := 0
	for range cap(errs) {
		switch err := <-errs; {
		case err == nil:
			won++
		case !fault.Is(err, fault.Conflict):
			t.Errorf("a loser was told %v", err)
		}
	}
	if won != 1 || w.rows(t, "plugin.disable") != 1 {
		t.Errorf("%d moves won and %d rows were made, want one of each", won, w.rows(t, "plugin.disable"))
	}
}

func TestAChangeThatCannotBeRecordedIsNotMade(t *testing.T) {
	w := newWorld(t)
	w.add(t, "notes", nil)
	if _, err := w.db.Owner.Exec(t.Context(), "REVOKE INSERT ON audit_log FROM "+db.AppRole); err != nil {
		t.Fatal(err)
	}
	if err := w.Activate(asCore(t), "notes", registry.Activation{From: policy.Registered}); err == nil {
		t.Fatal("a plugin was enabled without a record")
	}
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := w.state(t, "notes"); s != policy.Registered {
		t.Errorf("it is %s nevertheless", s)
	}
}

func TestAnotherReplicaFollowsAtOnce(t *testing.T) {
	w := newWorld(t)
	other := w.open(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- other.Run(ctx) }()
	defer func() { stop(); <-ended }()
	for heard := false; !heard; { // until the other one listens
		w.bell.mu.Lock()
		heard = len(w.bell.hear) > 0
		w.bell.mu.Unlock()
	}
	changed := other.Changed()
	w.add(t, "notes", nil)
	select {
	case <-changed:
	case <-time.After(10 * time.Second):
		t.Fatal("the other replica was not woken")
	}
	if _, ok := other.Snapshot().Plugin("notes"); !ok {
		t.Error("the other replica does not know the new plugin")
	}
}

func TestManifestsKeepTheirPointer(t *testing.T) {
	w := newWorld(t)
	w.add(t, "notes", nil)
	before, _ := w.Snapshot().Plugin("notes")
	if err := w.Note(t.Context(), "notes", registry.Sample{At: time.Now(), Health: registry.Healthy}); err != nil {
		t.Fatal(err)
	}
	after, _ := w.Snapshot().Plugin("notes")
	if before == after || before.Manifest != after.Manifest || after.Health != registry.Healthy {
		t.Error("a new state should come with the same parsed manifest")
	}
}

func TestTraitsCountOnceAccepted(t *testing.T) {
	w := newWorld(t)
	w.add(t, "notes", nil)
	if p, _ := w.Snapshot().Plugin("notes"); !p.Traits.Empty() {
		t.Error("traits count before anybody accepted them")
	}
	if err := w.Activate(asCore(t), "notes", registry.Activation{From: policy.Registered, Traits: []string{"handles_internal"}}); err != nil {
		t.Fatal(err)
	}
	if p, _ := w.Snapshot().Plugin("notes"); !p.Traits.Has(trait.HandlesInternal) {
		t.Error("an accepted trait does not count")
	}
}

func TestABrokenManifestTakesOnlyItsPluginAway(t *testing.T) {
	w := newWorld(t)
	w.add(t, "good", nil)
	w.add(t, "bad", nil)
	for _, id := range []string{"good", "bad"} {
		if err := w.Activate(asCore(t), id, registry.Activation{From: policy.Registered}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.db.Owner.Exec(t.Context(), `UPDATE plugins SET manifest = '{"id": "bad"}' WHERE id = 'bad'`); err != nil {
		t.Fatal(err)
	}
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g, b := w.state(t, "good"), w.state(t, "bad"); g != policy.Active || b != policy.Quarantined {
		t.Errorf("good is %s, bad is %s", g, b)
	}
}

func TestGrants(t *testing.T) {
	w := newWorld(t)
	w.add(t, "caller", nil)
	w.add(t, "target", map[string]any{"endpoints": map[string]any{"read": "/read", "write": "/write"}})
	if w.Snapshot().Granted("caller", "target", "read", time.Now()) {
		t.Fatal("a call is granted before anybody granted it")
	}
	g, err := w.Give(asCore(t), registry.Grant{Caller: "caller", Target: "target", Operations: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	if s := w.Snapshot(); !s.Granted("caller", "target", "read", time.Now()) || s.Granted("caller", "target", "write", time.Now()) || s.Granted("target", "caller", "read", time.Now()) {
		t.Error("the grant covers other calls than it names")
	}
	past := time.Now().Add(-time.Minute)
	for name, bad := range map[string]registry.Grant{
		"plugin.unknown":    {Caller: "caller", Target: "ghost"},
		"operator.endpoint": {Caller: "caller", Target: "target", Operations: []string{"erase"}},
		"expires.past":      {Caller: "caller", Target: "target", ExpiresAt: &past},
	} {
		if _, err := w.Give(asCore(t), bad); fault.Of(err).Code != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}
	if err := w.Withdraw(asCore(t), g.ID); err != nil {
		t.Fatal(err)
	}
	if w.Snapshot().Granted("caller", "target", "read", time.Now()) {
		t.Error("a withdrawn grant still counts")
	}
	if err := w.Withdraw(asCore(t), g.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("withdrawn twice: %v", err)
	}
}

func TestApprovalsJudge(t *testing.T) {
	now := time.Now()
	past, soon := now.Add(-time.Minute), now.Add(time.Minute)
	approve := func(e db.EgressApproval) *registry.Approval { return &registry.Approval{EgressApproval: e} }
	for _, tt := range []struct {
		name           string
		a              *registry.Approval
		scheme, method string
		path           string
		port           int
		want           policy.Egress
	}{
		{"everything by default", approve(db.EgressApproval{}), "https", "GET", "/", 443, policy.Approved},
		{"not yet expired", approve(db.EgressApproval{ExpiresAt: &soon}), "https", "GET", "/", 443, policy.Approved},
		{"expired", approve(db.EgressApproval{ExpiresAt: &past}), "https", "GET", "/", 443, policy.Expired},
		{"another method", approve(db.EgressApproval{Methods: []string{"GET"}}), "https", "POST", "/", 443, policy.MethodNotApproved},
		{"below a prefix", approve(db.EgressApproval{PathPrefixes: []string{"/api"}}), "https", "GET", "/api/x", 443, policy.Approved},
		{"beside a prefix", approve(db.EgressApproval{PathPrefixes: []string{"/api"}}), "https", "GET", "/apix", 443, policy.PathNotApproved},
		{"another port", approve(db.EgressApproval{}), "https", "GET", "/", 8443, policy.PortNotApproved},
		{"a listed port", approve(db.EgressApproval{Ports: []int32{8443}}), "https", "GET", "/", 8443, policy.Approved},
		{"plain http where nobody listed its port", approve(db.EgressApproval{}), "http", "GET", "/", 80, policy.PlainNotApproved},
		{"plain http on a listed port", approve(db.EgressApproval{Ports: []int32{80}}), "http", "GET", "/", 80, policy.Approved},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.a.Judge(tt.scheme, tt.method, tt.path, tt.port, now); got != tt.want {
				t.Errorf("judged %d, want %d", got, tt.want)
			}
		})
	}
}

func TestCustomTraits(t *testing.T) {
	w := newWorld(t)
	w.add(t, "notes", nil)
	if err := w.AddTrait(asCore(t), registry.NewTrait{Name: "finance_access"}); err != nil {
		t.Fatal(err)
	}
	made, _, ok := w.Snapshot().Traits().Lookup("finance_access")
	if !ok || !made.Custom {
		t.Fatalf("the new trait is %+v", made)
	}
	if err := w.AddTrait(asCore(t), registry.NewTrait{Name: "finance_access"}); err == nil {
		t.Error("one name was registered twice")
	}
	if err := w.AddTrait(asCore(t), registry.NewTrait{Name: "admin"}); err == nil {
		t.Error("a built-in trait was redefined")
	}
	if err := w.AddTrait(asCore(t), registry.NewTrait{Name: "b_access", Prerequisites: []string{"finance_access"}}); err != nil {
		t.Error(err)
	}
	again := w.open(t)
	if got, _, ok := again.Snapshot().Traits().Lookup("finance_access"); !ok || got.ID != made.ID {
		t.Error("after a restart the trait has another place")
	}
}

func TestUnregister(t *testing.T) {
	w := newWorld(t)
	m := w.add(t, "notes", nil)
	if err := w.Add(asCore(t), m, "http://127.0.0.1:1", "127.0.0.1", nil); fault.Of(err).Code != "plugin.duplicate" {
		t.Errorf("one id was registered twice: %v", err)
	}
	if err := w.Remove(asCore(t), "notes", policy.Active); !fault.Is(err, fault.Conflict) {
		t.Errorf("removed from a state it is not in: %v", err)
	}
	if err := w.Remove(asCore(t), "notes", policy.Registered); err != nil {
		t.Fatal(err)
	}
	if s := w.state(t, "notes"); s != "unregistered" {
		t.Errorf("it is %s", s)
	}
	if err := w.Remove(asCore(t), "notes", policy.Registered); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed twice: %v", err)
	}
}
