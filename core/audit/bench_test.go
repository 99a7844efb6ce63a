package audit_test

import (
	"testing"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db/dbtest"
)

// facts is a detail of the size a lane's decision has.
var facts = map[string]any{
	"facts": map[string]any{
		"subject":  map[string]any{"kind": "plugin", "id": "hello-greeter", "name": "Greeter", "tenant": "default", "state": "active", "traits": []string{"handles_pii", "audit_required", "external_service"}},
		"target":   map[string]any{"kind": "plugin", "id": "hello-publisher", "name": "Publisher", "tenant": "default", "state": "active", "traits": []string{"handles_pii", "audit_required"}},
		"resource": map[string]any{"name": "get_profile", "classes": []string{"pii"}},
		"method":   "POST",
	},
	"reasons": []map[string]any{
		{"rule": "core.active", "outcome": "pass", "sentence": "Both plugins are active."},
		{"rule": "operator.grant", "outcome": "pass", "sentence": "An accepted dependency allows the call."},
		{"rule": "data.class", "outcome": "pass", "sentence": "The caller's traits cover the data."},
	},
}

// BenchmarkDecide measures decisions made durable by 256 callers at a time.
func BenchmarkDecide(b *testing.B) {
	d := dbtest.New(b)
	w := start(b, d.Pool, audit.WriterConfig{})
	decide(b, as(b, "a"), w, call())
	before := w.Stats()
	b.SetParallelism(128)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		ctx := as(b, "a")
		for pb.Next() {
			e := call()
			e.Detail = facts
			if err := w.Decide(ctx, e); err != nil {
				b.Errorf("decide: %v", err)
				return
			}
			w.Later(ctx, outcome(e, audit.OK))
		}
	})
	b.StopTimer()
	after := w.Stats()
	b.ReportMetric(float64(after.Rows-before.Rows)/float64(after.Commits-before.Commits), "rows/commit")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}

// BenchmarkVerify measures the verification of 20,000 rows in the database.
func BenchmarkVerify(b *testing.B) {
	d := dbtest.New(b)
	w := start(b, d.Pool, audit.WriterConfig{Queue: 50_000})
	for range 20_000 {
		e := call()
		e.Detail = facts
		w.Later(as(b, "a"), e)
	}
	w.stop()
	b.ResetTimer()
	for range b.N {
		r, err := audit.Verify(b.Context(), d.Pool, audit.VerifyConfig{})
		if err != nil || !r.OK || r.Rows != 20_000 {
			b.Fatalf("%+v, %v", r, err)
		}
	}
	b.ReportMetric(float64(b.N)*20_000/b.Elapsed().Seconds(), "rows/s")
}
