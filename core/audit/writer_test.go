package audit_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

func TestSmoke(t *testing.T) {
	d := dbtest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	w := audit.NewWriter(d.Pool, audit.WriterConfig{Replica: "one"})
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	wctx := actor.With(t.Context(), actor.Actor{Kind: actor.Plugin, ID: "a", Name: "A", Tenant: "default"})
	id := uuid.Must(uuid.NewV7())
	if err := w.Decide(wctx, audit.Entry{ID: id, Call: id, Action: "operator.call", Object: "b/get", Outcome: audit.Allow, Detail: map[string]any{"x": 1.5e30, "bb": nil, "aaa": "q\x00\u2028"}}); err != nil {
		t.Fatal(err)
	}
	w.Later(wctx, audit.Entry{Call: id, Action: "operator.call", Object: "b/get", Outcome: audit.OK})
	if err := db.InTx(wctx, d.Pool, func(q *db.Queries) error {
		return audit.Append(wctx, q, audit.Entry{Action: "plugin.enable", Object: "b", Outcome: audit.OK, Before: []byte(`{"a":1}`)})
	}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", w.Stats())
}
